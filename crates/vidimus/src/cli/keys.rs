//! `vidimus keys`: a participant that keeps its keys itself. Prepare (the server) → sign (here) → commit (the server): private keys never
//! leave the file, and nothing is signed that does not read as what it is said to be.

mod calls;
mod copies;
mod wallets;

use super::{
    Exit, Failure, Output,
    client::{Server, ServerArguments, read_json, text},
    passphrase::PassphraseArguments,
    wallet::{Kind, NewArguments, Open, Signers},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};
use vidimus_core::{
    Algorithm, PublicKey, Signer as _,
    encoding::{base64url, from_hex, hex},
};
use vidimus_crypto::SigningKey;
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
  vidimus --json issue --fhir bundle.json | vidimus keys sign-copies - --fhir bundle.json --api-key-file lab.key
  vidimus keys renew > card.jwt                     new signing and sealing keys, for `participant rotate-keys --card`
  vidimus keys new-account > card.jwt
  vidimus --json participant rotate-account --card card.jwt | vidimus keys sign-transactions - --api-key-file lab.key")]
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
    New(NewArguments),
    /// Print a card: the public keys, signed by the private ones.
    Card,
    /// Make other signing and sealing keys, keep those before beside them, and print a card: for `participant rotate-keys --card`.
    Renew,
    /// Make another account key, kept beside the one before, and print a card of it: for `participant rotate-account --card`.
    NewAccount,
    /// Sign the transactions that an answer prepared for this account, and bring them back.
    SignTransactions {
        /// The answer, as the command that asked printed it with --json (it says what was asked); `-` for standard input.
        answer: PathBuf,
        /// The most wei per gas that may be offered.
        #[arg(long, value_name = "WEI", default_value_t = calls::MOST_FEE)]
        max_fee: u128,
        #[command(flatten)]
        server: ServerArguments,
    },
    /// Sign the copies of a certificate that wait for this issuer's signature, and bring the signatures back.
    SignCopies {
        /// The answer of `vidimus issue` or `copies add`: JSON with `copies`; `-` for standard input.
        answer: PathBuf,
        #[command(flatten)]
        reported: Box<copies::Reported>,
        #[command(flatten)]
        server: ServerArguments,
    },
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let path = &arguments.keys;
    if let Command::New(new) = &arguments.command {
        return Kind::Keys.make(path, &arguments.passphrase, new, output);
    }
    let mut open = Open::existing(Kind::Keys, path, &arguments.passphrase.existing()?)?;
    match arguments.command {
        Command::New(_) => unreachable!("handled above"),
        Command::Card => open.print_card(output)?,
        Command::Renew => renew(&mut open, output)?,
        Command::NewAccount => {
            open.new_account()?;
            open.print_card(output)?;
        }
        Command::SignTransactions {
            answer,
            max_fee,
            server,
        } => {
            let server = server.authenticated()?;
            let pinned = calls::Pinned::of(path, &server).await?;
            let done = sign_transactions(&open, &server, &read_json(&answer)?, pinned, max_fee).await?;
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
        Command::SignCopies {
            answer,
            reported,
            server,
        } => {
            let (signed, view) = sign_copies(&open, &server.authenticated()?, &read_json(&answer)?, &reported).await?;
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

/// New signing and sealing keys. The card goes to standard output alone, so that it can be kept in a file; what is to be done with it beside it.
fn renew(open: &mut Open, output: Output) -> Result<(), Failure> {
    open.renew_keys()?;
    let next = [
        "give the card to the authority: `vidimus --json participant rotate-keys ID --card FILE` registers the new signing key, with a document signer's certificate for it",
        "sign what the answer prepared for your account (an issuer's key goes into its DID document): `vidimus keys sign-transactions ANSWER`; what earlier answers prepared for the keys before is not signed any more",
        "go on as before: copies are signed with the old key until the ledger has the new one, and with the new one from then on",
        "only if the old key leaked, have it revoked: `vidimus participant revoke-keys ID VERSION --from TIME`; else what it signed stays good",
    ];
    let card = open.card()?;
    if !output.json {
        let steps: Vec<_> = (1..)
            .zip(next)
            .map(|(number, step)| format!("  {number}. {step}"))
            .collect();
        eprintln!(
            "The new keys are in the file, those before beside them: keep a copy of it. They count once they are registered:\n{}",
            steps.join("\n")
        );
    }
    let kept = open.wallet.earlier_keys().len();
    output.answer(
        &card,
        &json!({"card": card, "did": open.wallet.did(), "earlier_keys": kept, "next": next}),
    );
    Ok(())
}

/// Signs what `answer` prepared for this account and brings it to the server, in order: each transaction only if it is one of the calls that
/// follow from what was asked, hashed here from its own bytes.
async fn sign_transactions(
    open: &Open,
    server: &Server,
    answer: &Value,
    pinned: calls::Pinned,
    most_fee: u128,
) -> Result<Value, Failure> {
    let signers = open.signers()?;
    let prepared = answer.get("prepared").and_then(Value::as_array);
    let prepared = prepared.ok_or_else(|| Failure::new(Exit::Usage, "this is no answer with `prepared` in it"))?;
    let refused = |summary: &str, why: &str| Failure::new(Exit::Refused, format!("`{summary}` is not signed: {why}"));
    let own = calls::Own {
        identity: calls::identity_of(open.wallet.did())?,
        accounts: signers.accounts(),
        signing: signers.signing.public_key().clone(),
    };
    let expected = calls::expected(answer, pinned, &own).map_err(|why| refused("the answer", why))?;
    let chain = pinned.chain(open.wallet.did())?;
    let (mut ready, mut others, mut last) = (Vec::new(), 0, BTreeMap::new());
    for one in prepared {
        let Some((account, key)) = signers.account_of(&text(one, "/from")) else {
            others += 1;
            continue;
        };
        let summary = text(one, "/summary");
        let refused = |why: &str| refused(&summary, why);
        let bytes = from_hex(&text(one, "/unsigned")).map_err(|_| refused("it is not hexadecimal"))?;
        let unsigned = Unsigned::decode(&bytes).map_err(|error| refused(&error.to_string()))?;
        if format!("0x{}", hex(unsigned.hash())) != text(one, "/signing_hash") {
            return Err(refused("its hash is another than the server says"));
        }
        let fields = unsigned.fields().ok_or_else(|| refused("it sends money"))?;
        calls::judge(&fields, chain, &expected, last.get(&account).copied(), most_fee).map_err(refused)?;
        last.insert(account, fields.nonce);
        ready.push((summary, account, key, unsigned));
    }
    // Nothing is brought before all of it was found to be what was asked.
    let mut signed = Vec::new();
    for (summary, account, key, unsigned) in ready {
        let transaction = unsigned
            .sign(account, |hash| key.sign_digest(hash))
            .map_err(|error| refused(&summary, &error.to_string()))?;
        let raw = format!("0x{}", hex(&transaction.raw));
        let sent = server.post("/v1/transactions", &json!({"raw": raw})).await?;
        signed.push(json!({"summary": summary, "hash": text(&sent, "/hash")}));
    }
    Ok(json!({"signed": signed, "for_others": others}))
}

/// Signs the copies in `answer` that wait for it, each only if it says what was reported. How many, and the certificate as it is then.
async fn sign_copies(
    open: &Open,
    server: &Server,
    answer: &Value,
    reported: &copies::Reported,
) -> Result<(usize, Value), Failure> {
    let signers = open.signers()?;
    let answer = answer
        .get("certificate")
        .filter(|inner| inner.is_object())
        .unwrap_or(answer);
    let waiting = answer.get("copies").and_then(Value::as_array);
    let waiting = waiting.ok_or_else(|| Failure::new(Exit::Usage, "this is no answer with `copies` in it"))?;
    let now = super::clock().now();
    let profile = server.get("/v1/profile").await?;
    let signing = in_force(&signers, &profile);
    let newest_first = signers.signing_keys().map(|key| key.public_key().clone());
    let before: Vec<_> = newest_first
        .skip_while(|key| key != signing.public_key())
        .skip(1)
        .collect();
    let own = copies::Own::of(
        open.wallet.did(),
        signing.public_key(),
        &before,
        &profile,
        reported,
        server.url(),
    );
    let asked = copies::Asked::read(reported, &own, now)?;
    let (mut ready, mut refusal, mut view) = (Vec::new(), None, answer.clone());
    for copy in waiting.iter().filter(|copy| copy["state"] == "unsigned") {
        let refused = |why: &str| Failure::new(Exit::Refused, format!("a copy is not signed: {why}"));
        let (algorithm, message) = copies::message_of(&copy["to_sign"]).map_err(refused)?;
        match copies::check(&message, algorithm, copy, &asked, &own, now) {
            Err(copies::REPLACED) => {
                refusal = refusal.or(Some(refused(copies::REPLACED)));
                continue;
            }
            checked => checked.map_err(refused)?,
        }
        let account = text(&copy["to_sign"], "/account");
        let signer = match algorithm {
            Algorithm::Es256 => signing,
            _ if account.is_empty() => &signers.account,
            _ => {
                let found = signers.account_of(&account);
                found
                    .ok_or_else(|| refused("it is for an account whose key is not in this file"))?
                    .1
            }
        };
        let signature = signer
            .sign(algorithm, &message)
            .map_err(|error| Failure::setup(&error))?;
        ready.push((format!("/v1/copies/{}/signature", text(copy, "/id")), signature));
    }
    // Nothing is brought before all of it was found to be what was reported. A copy that the server refuses does not
    // hold up the others.
    for (path, signature) in &ready {
        match server.post(path, &json!({"signature": base64url(signature)})).await {
            Ok(answer) => view = answer,
            Err(error) if matches!(error.exit, Exit::Refused) => refusal = refusal.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok((ready.len(), view)),
    }
}

/// The signing key that the server has in force: until a rotation is on the ledger that is the one before. Where it names none of these, the
/// newest; what it signs is then refused there.
fn in_force<'s>(signers: &'s Signers, profile: &Value) -> &'s SigningKey {
    let keys = profile["keys"].as_array().into_iter().flatten();
    let active = keys.filter(|key| key["purpose"] == "signing" && key["state"] == "active");
    let points: Vec<_> = active.filter_map(|key| PublicKey::from_jwk(&key["jwk"])).collect();
    let named = signers.signing_keys().find(|key| points.contains(key.public_key()));
    named.unwrap_or(&signers.signing)
}
