//! `vidimus wallet`: the holder's keys and certificates in one encrypted file.

use super::{
    Exit, Failure, Output,
    client::{Server, read, read_json, text},
    clock,
    paper::Drawing,
    passphrase::PassphraseArguments,
};
use serde_json::{Value, json};
use std::{
    fs::File,
    path::{Path, PathBuf},
};
use vidimus_core::{Address, Entropy, Receipt, SecretBytes, Signer};
use vidimus_credential::{
    Format,
    check::{Envelope, Expected},
};
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
  vidimus wallet print 2 --output paper.svg; vidimus wallet print 2 --evidence --output evidence.svg
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
    New(NewArguments),
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
    /// Print a health certificate on paper, as SVG, PNG or text; with --evidence its second code, with which paper checks without a network.
    Print {
        /// Its number in the list.
        number: usize,
        #[command(flatten)]
        drawing: Drawing,
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

    /// `new`: makes the file.
    pub(super) fn make(
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
    /// Account keys that came after the first, oldest first.
    pub later: Vec<SigningKey>,
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
    pub fn create(kind: Kind, path: &Path, passphrase: &SecretBytes, chain_id: u64) -> Result<Self, Failure> {
        let held = lock(path)?;
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
        let mut entropy = OsEntropy;
        let key = |entropy: &mut OsEntropy| {
            let mut bytes = [0; 32];
            entropy.fill(&mut bytes);
            bytes
        };
        let account = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
        let signing = SigningKey::generate(KeyKind::P256, &mut entropy);
        let sealing = key(&mut entropy);
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
            later: self
                .wallet
                .later_account_keys()
                .iter()
                .map(|later| key(KeyKind::Secp256k1, later))
                .collect::<Result<_, _>>()?,
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
    pub(super) fn print_card(&self, output: Output) -> Result<(), Failure> {
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

fn private(signer: &SigningKey) -> Result<PrivateKey, Failure> {
    let bytes = signer.expose_bytes();
    let bytes = bytes
        .expose()
        .as_slice()
        .try_into()
        .map_err(|_| Failure::new(Exit::Internal, "a key of 32 bytes"))?;
    Ok(PrivateKey::new(bytes))
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
    if let Command::New(new) = &arguments.command {
        return Kind::Wallet.make(path, &arguments.passphrase, new, output);
    }
    let passphrase = arguments.passphrase.existing()?;
    let mut open = Open::existing(Kind::Wallet, path, &passphrase)?;
    match arguments.command {
        Command::New(_) => unreachable!("handled above"),
        Command::Card => open.print_card(output)?,
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
            value["evidence"] = json!(held.evidence().map(|evidence| evidence.to_text()));
            output.answer(&held.envelope().copy, &value);
        }
        Command::Print { number, drawing } => {
            let held = open.wallet.get(number).map_err(failure)?;
            if held.format() != Format::Hcert {
                return Err(Failure::new(
                    Exit::Refused,
                    "only a health certificate (HCERT) goes on paper: ask the issuer for a copy in that format",
                ));
            }
            let text = if drawing.of_evidence() {
                let evidence = held.evidence().ok_or_else(|| {
                    Failure::new(
                        Exit::Refused,
                        "this certificate's receipt is missing: fetch it with `vidimus wallet receipts --from URL`",
                    )
                })?;
                evidence.to_text()
            } else {
                held.envelope().copy.clone()
            };
            drawing.draw(&text, output)?;
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
