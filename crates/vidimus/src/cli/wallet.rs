//! `vidimus wallet`: the holder's keys and certificates in one encrypted file.

use super::{
    Exit, Failure, Output,
    client::{Server, read, read_json, text},
    clock,
    passphrase::PassphraseArguments,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use vidimus_core::{Entropy, Receipt, SecretBytes, Signer, encoding::from_hex};
use vidimus_credential::check::{Envelope, Expected};
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, PasswordFile, SealingKey, SigningKey, eip1098, envelope, file, password::Cost,
};
use vidimus_wallet::{Held, PrivateKey, Wallet, WalletError};

use crate::app::copies::SEAL_INFO;

/// Keep keys and certificates, and show them.
///
/// Everything is in one file, encrypted with Argon2id and AES-256-GCM under a passphrase. Making an identity touches no server and no chain.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus wallet new
  vidimus wallet card > card.jwt                         what an issuer is given
  vidimus wallet receive --from https://vidimus.example bafkrei…
  vidimus wallet list
  vidimus wallet present 1 --request request.json > presentation.jwt")]
pub struct Arguments {
    /// The wallet's file.
    #[arg(
        long,
        short,
        env = "VIDIMUS_WALLET",
        default_value = "wallet.vidimus",
        value_name = "FILE",
        global = true
    )]
    wallet: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a new identity: three key pairs and a DID. No server and no chain is touched.
    New {
        /// EIP-155 id of the chain of the deployment that issues.
        #[arg(long, default_value_t = vidimus_ledger::embedded::DEFAULT_CHAIN_ID)]
        chain_id: u64,
    },
    /// Print a new holder card, which an issuer is given.
    Card,
    /// Receive a certificate: fetch it by content id, or read the sealed file; open it with the wallet's key and keep it.
    Receive {
        /// Content id of the sealed certificate, or the path of a file that holds it.
        what: String,
        /// Address of the server to fetch it (and its receipt) from.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// List what is held.
    List,
    /// Show one certificate as it was issued.
    Show {
        /// Its number in the list.
        number: usize,
    },
    /// Fetch receipts that are still missing.
    Receipts {
        /// Address of the server.
        #[arg(long, value_name = "URL")]
        from: String,
    },
    /// Sign that you have received a certificate.
    CounterSign {
        /// Its number in the list.
        number: usize,
    },
    /// Answer a verifier's request: prints a presentation that holds for a minute.
    Present {
        /// Numbers in the list.
        #[arg(required = true)]
        numbers: Vec<usize>,
        /// The verifier's request: JSON with `nonce`, `audience` and `purpose`; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
    },
    /// Print a certificate with its salt and receipt, unbound to any request.
    Export {
        /// Its number in the list.
        number: usize,
    },
    /// What was shown to whom.
    History,
    /// Remove a certificate.
    Remove {
        /// Its number in the list.
        number: usize,
    },
    /// Change the passphrase.
    Passphrase {
        /// File whose first line is the new passphrase; else the terminal asks.
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
}

/// A wallet's file while it is open. The lock keeps two commands from writing over each other.
#[derive(Debug)]
pub struct Open {
    path: PathBuf,
    file: PasswordFile,
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
}

fn lock(path: &Path) -> Result<File, Failure> {
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
            "another command has this wallet open; try again when it is done",
        )
    })?;
    Ok(lock)
}

impl Open {
    /// Makes a new wallet; refuses to write over one.
    pub fn create(path: &Path, passphrase: &SecretBytes, chain_id: u64) -> Result<Self, Failure> {
        let held = lock(path)?;
        if path.exists() {
            return Err(Failure::new(
                Exit::Refused,
                format!("{} is there already; name another file with --wallet", path.display()),
            ));
        }
        let mut entropy = OsEntropy;
        let key = |entropy: &mut OsEntropy| {
            let mut bytes = [0; 32];
            entropy.fill(&mut bytes);
            bytes
        };
        let account = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
        let signing = SigningKey::generate(KeyKind::P256, &mut entropy);
        let sealing = key(&mut entropy);
        let private = |signer: &SigningKey| -> Result<PrivateKey, Failure> {
            let bytes = signer.expose_bytes();
            let bytes = bytes
                .expose()
                .as_slice()
                .try_into()
                .map_err(|_| Failure::new(Exit::Internal, "a key of 32 bytes"))?;
            Ok(PrivateKey::new(bytes))
        };
        let keys = [private(&account)?, private(&signing)?, PrivateKey::new(sealing)];
        let wallet = Wallet::new(chain_id, &account, keys, &Native::new()).map_err(failure)?;
        let file = PasswordFile::create(passphrase, Cost::RECOMMENDED, &mut entropy)
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
    pub fn existing(path: &Path, passphrase: &SecretBytes) -> Result<Self, Failure> {
        if !path.exists() {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "there is no wallet at {}: make one with `vidimus wallet new`, or name it with --wallet",
                    path.display()
                ),
            ));
        }
        let held = lock(path)?;
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
        let (file, content) = PasswordFile::open(&bytes, passphrase).map_err(|error| match error {
            vidimus_crypto::Error::Password => Failure::new(
                Exit::Refused,
                "the passphrase is not this wallet's; nothing was changed",
            ),
            other => Failure::setup(&other),
        })?;
        let wallet = serde_json::from_slice(content.expose()).map_err(|_| {
            Failure::new(
                Exit::Setup,
                "the wallet's content does not read: restore the file from a copy",
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
        Ok(Signers {
            account: key(KeyKind::Secp256k1, self.wallet.account_key())?,
            signing: key(KeyKind::P256, self.wallet.signing_key())?,
            sealing: SealingKey::from_bytes(self.wallet.sealing_key().expose())
                .map_err(|error| Failure::setup(&error))?,
        })
    }

    /// A new holder card.
    pub fn card(&self) -> Result<String, Failure> {
        let signers = self.signers()?;
        self.wallet
            .card(
                &signers.account,
                &signers.signing,
                signers.sealing.public_key().0,
                clock().now(),
            )
            .map_err(failure)
    }

    /// Opens a sealed payload and takes in what it holds. The number it has from now on.
    pub fn receive(&mut self, sealed: &[u8], source: &str) -> Result<usize, Failure> {
        let sealing = self.signers()?.sealing;
        let other = || {
            Failure::new(
                Exit::Refused,
                "this was sealed for other keys than this wallet's, or was altered; give the issuer the card of this wallet",
            )
        };
        let plain = if sealed.first() == Some(&b'{') {
            let sealed: eip1098::Envelope = serde_json::from_slice(sealed).map_err(|_| other())?;
            let text = eip1098::open_safely(&sealing, &sealed)
                .or_else(|_| eip1098::open(&sealing, &sealed))
                .map_err(|_| other())?;
            zeroize::Zeroizing::new(text.expose().clone().into_bytes())
        } else {
            let opened = envelope::open(&sealing, SEAL_INFO, &[], sealed).map_err(|_| other())?;
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

    /// Asks a server for the receipts that are missing; how many came.
    pub async fn fetch_receipts(&mut self, server: &Server) -> Result<usize, Failure> {
        let missing: Vec<_> = self
            .wallet
            .held()
            .iter()
            .enumerate()
            .filter(|(_, held)| held.envelope().receipt.is_none())
            .filter_map(|(place, held)| Some((place + 1, held.commitment()?)))
            .collect();
        let mut came = 0;
        for (number, commitment) in missing {
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

/// What the wallet refuses, as a failure of a command.
fn failure(error: WalletError) -> Failure {
    let exit = match &error {
        WalletError::NoSuch(_) | WalletError::Format(_) => Exit::Usage,
        WalletError::Sign(_) | WalletError::Keys => Exit::Setup,
        _ => Exit::Refused,
    };
    Failure::new(exit, super::with_causes(&error))
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.wallet;
    if let Command::New { chain_id } = arguments.command {
        let open = Open::create(path, &arguments.passphrase.new_one()?, chain_id)?;
        let text = format!(
            "{}\n\nThe wallet is {}. Its keys exist nowhere else: keep a copy of the file, and the passphrase apart from it.",
            open.wallet.did(),
            path.display()
        );
        output.answer(&text, &json!({"did": open.wallet.did(), "wallet": path}));
        return Ok(());
    }
    let passphrase = arguments.passphrase.existing()?;
    let mut open = Open::existing(path, &passphrase)?;
    match arguments.command {
        Command::New { .. } => unreachable!("handled above"),
        Command::Card => {
            let card = open.card()?;
            output.answer(&card, &json!({"card": card, "did": open.wallet.did()}));
        }
        Command::Receive { what, from } => {
            let number = match &from {
                Some(url) => {
                    let server = Server::new(url, None)?;
                    let sealed = server.bytes(&format!("/ipfs/{what}?format=raw")).await?;
                    let number = open.receive(&sealed, url)?;
                    open.fetch_receipts(&server).await?;
                    number
                }
                None => open.receive(&read(Path::new(&what))?, "a file")?,
            };
            let held = open.wallet.get(number).map_err(failure)?;
            output.answer(&line(number, held), &view(number, held));
        }
        Command::List => {
            let held: Vec<_> = open
                .wallet
                .held()
                .iter()
                .enumerate()
                .map(|(place, held)| (place + 1, held))
                .collect();
            let lines: Vec<_> = held.iter().map(|(number, held)| line(*number, held)).collect();
            let text = if lines.is_empty() {
                "The wallet holds no certificates.".to_owned()
            } else {
                lines.join("\n")
            };
            let values: Vec<_> = held.iter().map(|(number, held)| view(*number, held)).collect();
            output.answer(&text, &json!({"did": open.wallet.did(), "certificates": values}));
        }
        Command::Show { number } => {
            let held = open.wallet.get(number).map_err(failure)?;
            let mut value = view(number, held);
            value["copy"] = json!(held.envelope().copy);
            output.answer(&held.envelope().copy, &value);
        }
        Command::Export { number } => {
            let held = open.wallet.get(number).map_err(failure)?;
            let value =
                serde_json::to_value(held.envelope()).map_err(|_| Failure::new(Exit::Internal, "an envelope"))?;
            output.answer(&value.to_string(), &value);
        }
        Command::Receipts { from } => {
            let came = open.fetch_receipts(&Server::new(&from, None)?).await?;
            let missing = open
                .wallet
                .held()
                .iter()
                .filter(|held| held.envelope().receipt.is_none())
                .count();
            let text = format!("{came} receipts came, {missing} are still missing");
            output.answer(&text, &json!({"received": came, "missing": missing}));
        }
        Command::CounterSign { number } => {
            let account = open.signers()?.account;
            let signature = open
                .wallet
                .counter_sign(number, &account, clock().now())
                .map_err(failure)?;
            open.save()?;
            output.answer(
                "Signed; the signature travels with the certificate from now on.",
                &json!({"counter_signature": signature}),
            );
        }
        Command::Present { numbers, request } => {
            let request = expected(&read_json(&request)?)?;
            let account = open.signers()?.account;
            let presentation = open
                .wallet
                .present(&numbers, &request, &account, clock().now())
                .map_err(failure)?;
            open.save()?;
            output.answer(&presentation, &json!({"presentation": presentation}));
        }
        Command::History => {
            let shown = open.wallet.shown();
            let lines: Vec<_> = shown
                .iter()
                .map(|shown| {
                    let purpose = shown.purpose.as_deref().unwrap_or("no purpose given");
                    format!(
                        "{}  {}  {} ({purpose})",
                        shown.time,
                        shown.categories.join(", "),
                        shown.audience
                    )
                })
                .collect();
            let text = if lines.is_empty() {
                "Nothing was shown yet.".to_owned()
            } else {
                lines.join("\n")
            };
            output.answer(&text, &json!({"shown": shown}));
        }
        Command::Remove { number } => {
            let held = open.wallet.remove(number).map_err(failure)?;
            open.save()?;
            output.answer(&format!("Removed: {}", line(number, &held)), &view(number, &held));
        }
        Command::Passphrase { new_passphrase_file } => {
            let new = match new_passphrase_file {
                Some(file) => PassphraseArguments {
                    passphrase_file: Some(file),
                }
                .new_one()?,
                None => PassphraseArguments { passphrase_file: None }.new_one()?,
            };
            open.file = PasswordFile::create(&new, Cost::RECOMMENDED, &mut OsEntropy)
                .map_err(|error| Failure::setup(&error))?;
            open.save()?;
            output.answer("The passphrase was changed.", &json!({"changed": true}));
        }
    }
    Ok(())
}

/// A verifier's request, as `vidimus request` or `POST /v1/presentation-requests` gives it.
pub fn expected(value: &Value) -> Result<Expected, Failure> {
    let (nonce, audience) = (text(value, "/nonce"), text(value, "/audience"));
    if nonce.is_empty() || audience.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            "this is no request: `nonce` and `audience` are needed",
        ));
    }
    Ok(Expected {
        nonce,
        audience,
        purpose: Some(text(value, "/purpose")).filter(|purpose| !purpose.is_empty()),
    })
}

fn line(number: usize, held: &Held) -> String {
    let anchored = if held.envelope().receipt.is_some() {
        "anchored"
    } else {
        "receipt missing"
    };
    let signed = if held.envelope().counter_signature.is_some() {
        ", counter-signed"
    } else {
        ""
    };
    format!(
        "{number:>3}  {:<26} {:<11} until {}  {anchored}{signed}",
        held.category(),
        held.format().name(),
        held.valid_until()
    )
}

fn view(number: usize, held: &Held) -> Value {
    json!({
        "number": number,
        "category": held.category(),
        "format": held.format().name(),
        "issuer": held.issuer(),
        "valid_from": held.valid_from().to_rfc3339(),
        "valid_until": held.valid_until().to_rfc3339(),
        "received_at": held.received_at().to_rfc3339(),
        "digest": held.digest().to_string(),
        "commitment": held.commitment().map(|commitment| commitment.to_string()),
        "anchored": held.envelope().receipt.is_some(),
        "counter_signed": held.envelope().counter_signature.is_some(),
    })
}

/// Signs what an account's owner was given to sign: a transaction's hash, or a copy's message.
pub fn sign_hash(signers: &Signers, hash: &str) -> Result<[u8; 65], Failure> {
    let bytes = from_hex(hash).map_err(|_| Failure::new(Exit::Usage, "the hash is not hexadecimal"))?;
    let hash: [u8; 32] = bytes
        .try_into()
        .map_err(|_| Failure::new(Exit::Usage, "a hash has 32 bytes"))?;
    signers
        .account
        .sign_digest(&hash)
        .map_err(|error| Failure::setup(&error))
}

/// Signs a message with the key that the algorithm takes.
pub fn sign_message(signers: &Signers, algorithm: vidimus_core::Algorithm, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let signer: &dyn Signer = match algorithm {
        vidimus_core::Algorithm::Es256 => &signers.signing,
        _ => &signers.account,
    };
    signer.sign(algorithm, message).map_err(|error| Failure::setup(&error))
}
