//! The holder's word that it has a certificate: signed, kept with it, and brought to its issuer.

use super::{Which, failure, open::Open, request, web::Web};
use crate::cli::{Failure, Output, clock};
use serde_json::{Value, json};
use vidimus_core::{Algorithm, PublicKey};
use vidimus_crypto::Native;
use vidimus_wallet::batch::Form;

/// One signature, and the key that a copy without a holder's DID has.
struct Signed {
    text: String,
    key: Option<PublicKey>,
}

/// Signs, and tells the issuer where there is a `web`. What was signed stays where the issuer cannot be told; the same command tells it again.
pub(super) async fn run(open: &mut Open, which: Which, web: Option<&Web>, output: Output) -> Result<(), Failure> {
    let (signed, at) = match which {
        Which::Held(number) => held(open, number)?,
        Which::Claimed(number) => claimed(open, number)?,
    };
    open.save()?;
    let texts: Vec<&str> = signed.iter().map(|one| one.text.as_str()).collect();
    let mut view = match which {
        Which::Held(_) => json!({"counter_signature": texts.first()}),
        Which::Claimed(_) => json!({"counter_signed": texts.len(), "counter_signatures": texts}),
    };
    let copies = if texts.len() == 1 {
        "1 copy"
    } else {
        &format!("{} copies", texts.len())
    };
    let mut text = format!("Signed, {copies}; the signature travels with each from now on.");
    if let Some(web) = web {
        let (told, why) = tell(web, at.as_deref(), &signed).await;
        view["told"] = json!(told);
        text += &match why {
            None => " The issuer was told.".to_owned(),
            Some(why) => format!(" The issuer was not told of all ({why}); the same command tells it again."),
        };
    }
    output.answer(&text, &view);
    Ok(())
}

fn held(open: &mut Open, number: usize) -> Result<(Vec<Signed>, Option<String>), Failure> {
    let account = open.signers()?.account;
    let signature = open.wallet.counter_sign(number, &account, clock().now());
    let signed = Signed {
        text: signature.map_err(failure)?,
        key: None,
    };
    let source = open.wallet.get(number).map_err(failure)?.source();
    let at = (source.starts_with("https://") || source.starts_with("http://")).then(|| source.to_owned());
    Ok((vec![signed], at))
}

fn claimed(open: &mut Open, number: u32) -> Result<(Vec<Signed>, Option<String>), Failure> {
    open.wallet
        .counter_sign_batch(number, &request::signer, &Native::new(), clock().now())
        .map_err(failure)?;
    let batch = open.wallet.batch(number).map_err(failure)?;
    let signed = batch.copies().iter().filter_map(|copy| {
        let key = match batch.form() {
            Form::SdJwtVc => Some(request::signer(copy.key(), Algorithm::Es256)?.public_key().clone()),
            // It names its holder by a DID.
            Form::JwtVcJson => None,
        };
        let text = copy.envelope().counter_signature.clone()?;
        Some(Signed { text, key })
    });
    let at = batch.issuer().split_once("/issuers/").map(|(url, _)| url.to_owned());
    Ok((signed.collect(), at))
}

/// How many the issuer's deployment took, and why not all.
async fn tell(web: &Web, at: Option<&str>, signed: &[Signed]) -> (usize, Option<String>) {
    let Some(at) = at else {
        return (0, Some("it has no address for that".to_owned()));
    };
    let url = format!("{}/v1/counter-signatures", at.trim_end_matches('/'));
    let mut told = 0;
    for one in signed {
        let mut body = json!({"counter_signature": one.text});
        if let Some(key) = &one.key {
            body["key"] = serde_json::to_value(key).unwrap_or(Value::Null);
        }
        match web.post_json(&url, &body).await {
            Ok(Some(_)) => told += 1,
            Ok(None) => return (told, Some("it does not take it".to_owned())),
            Err(failure) => return (told, Some(failure.message)),
        }
    }
    (told, None)
}
