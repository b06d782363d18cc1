//! The encrypted file of a holder, or of a participant that keeps its own keys.

use crate::{
    app::copies::SEAL_INFO,
    causes::with_causes,
    cli::{Exit, Failure, Output, client::Server, clock, passphrase::PassphraseArguments, progress::Progress},
};
use serde_json::json;
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use vidimus_core::{Address, Entropy, Receipt, SecretBytes, Signer};
use vidimus_credential::check::Envelope;
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, PasswordFile, SealingKey, SigningKey, eip1098, envelope, file, password::Cost,
};
use vidimus_wallet::{
    PrivateKey, Wallet, WalletError,
    left::{self, Left},
};

/// What a new identity takes.
#[derive(Debug, clap::Args)]
pub struct NewArguments {
    /// EIP-155 id of the deployment's chain.
    #[arg(long, default_value_t = vidimus_ledger::embedded::DEFAULT_CHAIN_ID)]
    chain_id: u64,
}

/// Whose file it is: what people are told to do differs, the file does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A holder's.
    Wallet,
    /// A participant's own keys.
    Keys,
}

impl Kind {
    /// The command, and the option that names the file.
    const fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Keys => "keys",
        }
    }

    /// The file, as it is spoken of.
    const fn described(self) -> &'static str {
        match self {
            Self::Wallet => "this wallet",
            Self::Keys => "this keys' file",
        }
    }

    /// `new`: makes the file.
    pub fn make(
        self,
        path: &Path,
        passphrase: &PassphraseArguments,
        new: &NewArguments,
        output: Output,
    ) -> Result<(), Failure> {
        let open = Open::create(self, path, &passphrase.new_one()?, new.chain_id)?;
        let (did, file) = (open.wallet.did(), path.display());
        let text = match self {
            Self::Wallet => format!(
                "{did}\n\nThe wallet is {file}. Its keys exist nowhere else: keep a copy of the file, and the passphrase apart from it."
            ),
            Self::Keys => format!("{did}\n\nThe keys are in {file} and nowhere else: keep a copy of the file."),
        };
        output.answer(&text, &json!({"did": did, self.name(): path}));
        Ok(())
    }
}

/// A wallet's file while it is open. The lock keeps two commands from writing over each other.
#[derive(Debug)]
pub struct Open {
    path: PathBuf,
    pub(super) file: PasswordFile,
    /// Its content.
    pub wallet: Wallet,
    _lock: File,
}

/// The signers of an open wallet.
#[derive(Debug)]
pub struct Signers {
    /// secp256k1.
    pub account: SigningKey,
    /// P-256.
    pub signing: SigningKey,
    /// X25519.
    pub sealing: SealingKey,
    /// Account keys that came after the first, oldest first.
    pub later: Vec<SigningKey>,
    /// Signing and sealing keys that came before, oldest first.
    pub earlier: Vec<(SigningKey, SealingKey)>,
}

impl Signers {
    /// The newest account key.
    pub fn newest_account(&self) -> &SigningKey {
        self.later.last().unwrap_or(&self.account)
    }
    /// All accounts whose keys are in the file.
    pub fn accounts(&self) -> Vec<Address> {
        let provider = Native::new();
        std::iter::once(&self.account)
            .chain(&self.later)
            .filter_map(|key| key.public_key().address(&provider))
            .collect()
    }
    /// The key of an account.
    pub fn account_of(&self, address: &str) -> Option<(Address, &SigningKey)> {
        let provider = Native::new();
        std::iter::once(&self.account)
            .chain(&self.later)
            .filter_map(|key| Some((key.public_key().address(&provider)?, key)))
            .find(|(account, _)| account.to_string().eq_ignore_ascii_case(address))
    }
    /// The signing keys, newest first.
    pub fn signing_keys(&self) -> impl Iterator<Item = &SigningKey> {
        let earlier = self.earlier.iter().rev().map(|(signing, _)| signing);
        std::iter::once(&self.signing).chain(earlier)
    }
    /// The sealing keys, newest first.
    fn sealing_keys(&self) -> impl Iterator<Item = &SealingKey> {
        let earlier = self.earlier.iter().rev().map(|(_, sealing)| sealing);
        std::iter::once(&self.sealing).chain(earlier)
    }
}

fn lock(kind: Kind, path: &Path) -> Result<File, Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = File::create(PathBuf::from(&name)).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{} cannot be made: {error}", PathBuf::from(&name).display()),
        )
    })?;
    lock.try_lock().map_err(|_| {
        Failure::new(
            Exit::Unavailable,
            format!(
                "another command has {} open; try again when it is done",
                kind.described()
            ),
        )
    })?;
    Ok(lock)
}

impl Open {
    /// Makes a new wallet; refuses to write over one.
    pub fn create(kind: Kind, path: &Path, passphrase: &SecretBytes, chain_id: u64) -> Result<Self, Failure> {
        let mut entropy = OsEntropy;
        let account = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
        let [signing, sealing] = signing_and_sealing(&mut entropy)?;
        let keys = [private(&account)?, signing, sealing];
        let wallet = Wallet::new(chain_id, &account, keys, &Native::new()).map_err(failure)?;
        Self::with(kind, path, passphrase, wallet)
    }

    /// Puts a wallet into a new file; refuses to write over one.
    pub fn with(kind: Kind, path: &Path, passphrase: &SecretBytes, wallet: Wallet) -> Result<Self, Failure> {
        let held = lock(kind, path)?;
        if path.exists() {
            return Err(Failure::new(
                Exit::Refused,
                format!(
                    "{} is there already; name another file with --{}",
                    path.display(),
                    kind.name()
                ),
            ));
        }
        let file = PasswordFile::create(passphrase, Cost::RECOMMENDED, &mut OsEntropy)
            .map_err(|error| Failure::setup(&error))?;
        let open = Self {
            path: path.to_owned(),
            file,
            wallet,
            _lock: held,
        };
        open.save()?;
        Ok(open)
    }

    /// Opens a wallet.
    pub fn existing(kind: Kind, path: &Path, passphrase: &SecretBytes) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "there is no {name} file at {}: make one with `vidimus {name} new`, or name it with --{name}",
                    path.display(),
                    name = kind.name()
                ),
            ));
        }
        let held = lock(kind, path)?;
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
        let (file, content) = PasswordFile::open(&bytes, passphrase).map_err(|error| match error {
            vidimus_crypto::Error::Password => Failure::new(
                Exit::Refused,
                format!(
                    "the passphrase is not that of {}; nothing was changed",
                    kind.described()
                ),
            ),
            other => Failure::setup(&other),
        })?;
        let wallet = serde_json::from_slice(content.expose()).map_err(|_| {
            Failure::new(
                Exit::Setup,
                format!(
                    "the content of {} does not read: restore the file from a copy",
                    kind.described()
                ),
            )
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            wallet,
            _lock: held,
        })
    }

    /// Writes the wallet as a whole, durably.
    pub fn save(&self) -> Result<(), Failure> {
        let content = zeroize::Zeroizing::new(
            serde_json::to_vec(&self.wallet)
                .map_err(|_| Failure::new(Exit::Internal, "a wallet does not serialise"))?,
        );
        let bytes = self.file.seal(&content, &mut OsEntropy);
        file::replace_private(&self.path, &bytes).map_err(|error| Failure::setup(&error))
    }

    /// The wallet's signers.
    pub fn signers(&self) -> Result<Signers, Failure> {
        let key =
            |kind, key: &PrivateKey| SigningKey::from_bytes(kind, key.expose()).map_err(|error| Failure::setup(&error));
        let sealing = |key: &PrivateKey| SealingKey::from_bytes(key.expose()).map_err(|error| Failure::setup(&error));
        Ok(Signers {
            account: key(KeyKind::Secp256k1, self.wallet.account_key())?,
            signing: key(KeyKind::P256, self.wallet.signing_key())?,
            sealing: sealing(self.wallet.sealing_key())?,
            later: self
                .wallet
                .later_account_keys()
                .iter()
                .map(|later| key(KeyKind::Secp256k1, later))
                .collect::<Result<_, _>>()?,
            earlier: self
                .wallet
                .earlier_keys()
                .iter()
                .map(|earlier| {
                    Ok((
                        key(KeyKind::P256, earlier.signing_key())?,
                        sealing(earlier.sealing_key())?,
                    ))
                })
                .collect::<Result<_, Failure>>()?,
        })
    }

    /// A new card, by the newest account key.
    pub fn card(&self) -> Result<String, Failure> {
        let signers = self.signers()?;
        self.wallet
            .account_card(
                signers.newest_account(),
                &signers.signing,
                signers.sealing.public_key().0,
                &Native::new(),
                clock().now(),
            )
            .map_err(failure)
    }

    /// Prints a new card.
    pub fn print_card(&self, output: Output) -> Result<(), Failure> {
        let card = self.card()?;
        output.answer(&card, &json!({"card": card, "did": self.wallet.did()}));
        Ok(())
    }

    /// Makes another account key and keeps it beside those before.
    pub fn new_account(&mut self) -> Result<(), Failure> {
        let made = SigningKey::generate(KeyKind::Secp256k1, &mut OsEntropy);
        self.wallet.add_account_key(private(&made)?);
        self.save()
    }

    /// Makes other signing and sealing keys, and keeps those before beside them.
    pub fn renew_keys(&mut self) -> Result<(), Failure> {
        let [signing, sealing] = signing_and_sealing(&mut OsEntropy)?;
        self.wallet.renew_keys(signing, sealing);
        self.save()
    }

    /// Opens a sealed payload and takes in what it holds. The number it has from now on.
    pub fn receive(&mut self, sealed: &[u8], source: &str) -> Result<usize, Failure> {
        let signers = self.signers()?;
        let other = || {
            Failure::new(
                Exit::Refused,
                "this was sealed for other keys than this wallet's, or was altered; give the issuer the card of this wallet",
            )
        };
        let plain = if sealed.first() == Some(&b'{') {
            let sealed: eip1098::Envelope = serde_json::from_slice(sealed).map_err(|_| other())?;
            let text = signers
                .sealing_keys()
                .find_map(|key| {
                    let opened = eip1098::open_safely(key, &sealed);
                    opened.or_else(|_| eip1098::open(key, &sealed)).ok()
                })
                .ok_or_else(other)?;
            zeroize::Zeroizing::new(text.expose().clone().into_bytes())
        } else {
            let opened = signers
                .sealing_keys()
                .find_map(|key| envelope::open(key, SEAL_INFO, &[], sealed).ok())
                .ok_or_else(other)?;
            zeroize::Zeroizing::new(opened.expose().clone())
        };
        let envelope: Envelope = serde_json::from_slice(&plain)
            .map_err(|_| Failure::new(Exit::Usage, "this opens, but holds no certificate"))?;
        let number = self
            .wallet
            .receive(envelope, source, &Native::new(), clock().now())
            .map_err(failure)?;
        self.save()?;
        Ok(number)
    }

    /// Opens what was left for these keys' owner.
    pub fn open_left(&self, sealed: &[u8]) -> Result<Left, Failure> {
        let signers = self.signers()?;
        let mut keys = signers.sealing_keys();
        let opened = keys.find_map(|key| envelope::open(key, left::INFO, &[], sealed).ok());
        let opened = opened.ok_or_else(|| {
            Failure::new(
                Exit::Refused,
                "this was sealed for other keys than those in this file, or is nothing that was sealed; nobody can open it for you, so remove it",
            )
        })?;
        Left::read(opened.expose()).map_err(|_| {
            Failure::new(
                Exit::Invalid,
                "this opens, but holds no presentation; whoever left it has to leave it again, so remove it",
            )
        })
    }

    /// Asks a server for the receipts that are missing; how many came.
    pub async fn fetch_receipts(&mut self, server: &Server, progress: &Progress) -> Result<usize, Failure> {
        let missing: Vec<_> = self
            .wallet
            .held()
            .iter()
            .enumerate()
            .filter(|(_, held)| held.envelope().receipt.is_none())
            .filter_map(|(place, held)| Some((place + 1, held.commitment()?)))
            .collect();
        progress.of(missing.len() as u64);
        let mut came = 0;
        for (number, commitment) in missing {
            progress.more(1);
            let value = match server.get(&format!("/v1/receipts/{commitment}")).await {
                Err(failure) if failure.exit == Exit::Refused => continue,
                answered => answered?,
            };
            let receipt: Receipt = serde_json::from_value(value)
                .map_err(|_| Failure::new(Exit::Unavailable, "the server's receipt does not read"))?;
            self.wallet
                .add_receipt(number, receipt, &Native::new())
                .map_err(failure)?;
            came += 1;
        }
        if came > 0 {
            self.save()?;
        }
        Ok(came)
    }
}

/// A new signing key (P-256) and a new sealing key (X25519).
fn signing_and_sealing(entropy: &mut OsEntropy) -> Result<[PrivateKey; 2], Failure> {
    let signing = SigningKey::generate(KeyKind::P256, entropy);
    let mut sealing = zeroize::Zeroizing::new([0; 32]);
    entropy.fill(&mut *sealing);
    Ok([private(&signing)?, PrivateKey::new(*sealing)])
}

pub(super) fn private(signer: &SigningKey) -> Result<PrivateKey, Failure> {
    let bytes = signer.expose_bytes();
    let bytes = bytes
        .expose()
        .as_slice()
        .try_into()
        .map_err(|_| Failure::new(Exit::Internal, "a key of 32 bytes"))?;
    Ok(PrivateKey::new(bytes))
}

/// What the wallet refuses, as a failure of a command.
pub(super) fn failure(error: WalletError) -> Failure {
    let exit = match &error {
        WalletError::NoSuch(_) | WalletError::Format(_) => Exit::Usage,
        WalletError::Sign(_) | WalletError::Keys => Exit::Setup,
        _ => Exit::Refused,
    };
    Failure::new(exit, with_causes(&error))
}
