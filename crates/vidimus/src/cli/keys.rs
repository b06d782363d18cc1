//! `vidimus keys`: a participant that keeps its keys itself. Prepare (the server) → sign (here) → commit (the server): private keys never
//! leave the file, and nothing is signed that does not read as what it is said to be.

use super::{
    Exit, Failure, Output,
    client::{Server, ServerArguments, read_json, text},
    passphrase::PassphraseArguments,
    wallet::{Open, Signers, sign_message},
};
use serde_json::{Value, json};
use std::path::PathBuf;
use vidimus_core::{
    Algorithm, Signer as _,
    encoding::{base64url, from_base64url, from_hex, hex},
};
use vidimus_ledger::transaction::Unsigned;

/// Keep a participant's keys apart from the server, and sign with them.
///
/// The keys are in one file, encrypted with Argon2id and AES-256-GCM under a passphrase. The server is given the public keys (a card) and
/// signatures.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus keys new
  vidimus keys card > card.jwt                      for `setup --card` or `participant admit --card`
  vidimus --json participant admit issuer … | vidimus keys sign-transactions - --api-key-file authority.key
  vidimus --json issue --fhir bundle.json | vidimus keys sign-copies - --api-key-file lab.key")]
pub struct Arguments {
    /// The keys' file.
    #[arg(
        long,
        short,
        env = "VIDIMUS_KEYS",
        default_value = "keys.vidimus",
        value_name = "FILE",
        global = true
    )]
    keys: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make three key pairs: account (secp256k1), signing (P-256), sealing (X25519).
    New {
        /// EIP-155 id of the deployment's chain.
        #[arg(long, default_value_t = vidimus_ledger::embedded::DEFAULT_CHAIN_ID)]
        chain_id: u64,
    },
    /// Print a card: the public keys, signed by the private ones.
    Card,
    /// Sign the transactions that an answer prepared for this account, and bring them back.
    SignTransactions {
        /// The answer: JSON with `prepared`; `-` for standard input.
        answer: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Sign the copies of a certificate that wait for this issuer's signature, and bring the signatures back.
    SignCopies {
        /// The answer of `vidimus issue` or `copies add`: JSON with `copies`; `-` for standard input.
        answer: PathBuf,
        #[command(flatten)]
        server: ServerArguments,
    },
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.keys;
    if let Command::New { chain_id } = arguments.command {
        let open = Open::create(path, &arguments.passphrase.new_one()?, chain_id)?;
        let shown = format!(
            "{}\n\nThe keys are in {} and nowhere else: keep a copy of the file.",
            open.wallet.did(),
            path.display()
        );
        output.answer(&shown, &json!({"did": open.wallet.did(), "keys": path}));
        return Ok(());
    }
    let open = Open::existing(path, &arguments.passphrase.existing()?)?;
    match arguments.command {
        Command::New { .. } => unreachable!("handled above"),
        Command::Card => {
            let card = open.card()?;
            output.answer(&card, &json!({"card": card, "did": open.wallet.did()}));
        }
        Command::SignTransactions { answer, server } => {
            let done = sign_transactions(&open, &server.authenticated()?, &read_json(&answer)?).await?;
            let lines = done["signed"].as_array().into_iter().flatten();
            let lines: Vec<_> = lines
                .map(|sent| format!("{}  {}", text(sent, "/hash"), text(sent, "/summary")))
                .collect();
            let mut shown = if lines.is_empty() {
                "Nothing waits for this account.".into()
            } else {
                lines.join("\n")
            };
            let others = done["for_others"].as_u64().unwrap_or(0);
            if others > 0 {
                shown.push_str(&format!("\n{others} wait for the keys of another account"));
            }
            output.answer(&shown, &done);
        }
        Command::SignCopies { answer, server } => {
            let (signed, view) = sign_copies(&open, &server.authenticated()?, &read_json(&answer)?).await?;
            let shown = if signed == 0 {
                "Nothing waits for a signature.".into()
            } else {
                format!("{signed} copies signed")
            };
            output.answer(&shown, &view);
        }
    }
    Ok(())
}

/// Signs what `answer` prepared for this account and brings it to the server, in order. A transaction is hashed here from its own bytes.
pub async fn sign_transactions(open: &Open, server: &Server, answer: &Value) -> Result<Value, Failure> {
    let signers = open.signers()?;
    let account = signers.account.public_key().address(&vidimus_crypto::Native::new());
    let account = account.ok_or_else(|| Failure::new(Exit::Internal, "an account key has an address"))?;
    let prepared = answer.get("prepared").and_then(Value::as_array);
    let prepared = prepared.ok_or_else(|| Failure::new(Exit::Usage, "this is no answer with `prepared` in it"))?;
    let (mut signed, mut others) = (Vec::new(), 0);
    for one in prepared {
        if !text(one, "/from").eq_ignore_ascii_case(&account.to_string()) {
            others += 1;
            continue;
        }
        let summary = text(one, "/summary");
        let refused = |why: &str| Failure::new(Exit::Refused, format!("`{summary}` is not signed: {why}"));
        let bytes = from_hex(&text(one, "/unsigned")).map_err(|_| refused("it is not hexadecimal"))?;
        let unsigned = Unsigned::decode(&bytes).map_err(|error| refused(&error.to_string()))?;
        if format!("0x{}", hex(unsigned.hash())) != text(one, "/signing_hash") {
            return Err(refused("its hash is another than the server says"));
        }
        if !open
            .wallet
            .did()
            .starts_with(&format!("did:ethr:{:#x}:", unsigned.chain_id()))
        {
            return Err(refused("it is for another chain than these keys"));
        }
        if unsigned.to().is_none() || !unsigned.value().is_zero() {
            return Err(refused("it is no plain call of a contract"));
        }
        let transaction = unsigned
            .sign(account, |hash| signers.account.sign_digest(hash))
            .map_err(|error| refused(&error.to_string()))?;
        let raw = format!("0x{}", hex(&transaction.raw));
        let sent = server.post("/v1/transactions", &json!({"raw": raw})).await?;
        signed.push(json!({"summary": summary, "hash": text(&sent, "/hash")}));
    }
    Ok(json!({"signed": signed, "for_others": others}))
}

/// Signs the copies in `answer` that wait for it. How many, and the certificate as it is then.
pub async fn sign_copies(open: &Open, server: &Server, answer: &Value) -> Result<(usize, Value), Failure> {
    let signers = open.signers()?;
    let answer = answer
        .get("certificate")
        .filter(|inner| inner.is_object())
        .unwrap_or(answer);
    let copies = answer.get("copies").and_then(Value::as_array);
    let copies = copies.ok_or_else(|| Failure::new(Exit::Usage, "this is no answer with `copies` in it"))?;
    let (mut signed, mut view) = (0, answer.clone());
    for copy in copies.iter().filter(|copy| copy["state"] == "unsigned") {
        let signature = sign_copy(open, &signers, &copy["to_sign"])?;
        let path = format!("/v1/copies/{}/signature", text(copy, "/id"));
        view = server.post(&path, &json!({"signature": base64url(&signature)})).await?;
        signed += 1;
    }
    Ok((signed, view))
}

fn sign_copy(open: &Open, signers: &Signers, to_sign: &Value) -> Result<Vec<u8>, Failure> {
    let refused = |why: &str| Failure::new(Exit::Refused, format!("a copy is not signed: {why}"));
    let algorithm =
        Algorithm::from_name(&text(to_sign, "/algorithm")).ok_or_else(|| refused("its algorithm is not known"))?;
    let message = from_base64url(&text(to_sign, "/message")).map_err(|_| refused("its message is not base64url"))?;
    if !is_certificate(&message, open.wallet.did()) {
        return Err(refused("what is to be signed is no certificate of this issuer"));
    }
    sign_message(signers, algorithm, &message)
}

/// Whether a message is what is signed of a certificate: the Sig_structure of an HCERT (RFC 9052 §4.4), or the signing input of a JWT that
/// names this issuer and holds a credential. Keys here also sign cards and transactions: a server must not get those signed as a copy.
fn is_certificate(message: &[u8], did: &str) -> bool {
    if message.starts_with(b"\x84\x6aSignature1") {
        return true;
    }
    let json = |part: &str| {
        from_base64url(part)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    };
    let parts = std::str::from_utf8(message).ok().and_then(|text| text.split_once('.'));
    let Some((Some(header), Some(payload))) = parts.map(|(header, payload)| (json(header), json(payload))) else {
        return false;
    };
    let kind = header.get("typ").and_then(Value::as_str).unwrap_or("JWT");
    let issuer = |pointer| payload.pointer(pointer).and_then(Value::as_str) == Some(did);
    let credential = payload.get("vc").is_some() || payload.get("credentialSubject").is_some();
    matches!(kind, "JWT" | "vc+jwt") && credential && (issuer("/iss") || issuer("/issuer") || issuer("/issuer/id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_of_this_issuer_are_signed() {
        let message = |header: Value, payload: Value| {
            format!(
                "{}.{}",
                base64url(header.to_string().as_bytes()),
                base64url(payload.to_string().as_bytes())
            )
            .into_bytes()
        };
        let did = "did:ethr:0x1:0xab";
        let mine = json!({"iss": did, "vc": {}});
        assert!(is_certificate(&message(json!({"typ": "JWT"}), mine.clone()), did));
        assert!(is_certificate(b"\x84\x6aSignature1\x43", did));
        assert!(!is_certificate(
            &message(json!({"typ": "JWT"}), mine.clone()),
            "did:ethr:0x1:0xcd"
        ));
        assert!(!is_certificate(
            &message(json!({"typ": "vidimus-holder-card+jwt"}), mine),
            did
        ));
        assert!(!is_certificate(
            &message(json!({"typ": "JWT"}), json!({"iss": did, "vp": {}})),
            did
        ));
        assert!(!is_certificate(&[0; 32], did));
    }
}
