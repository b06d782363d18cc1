//! What forgers, thieves and replays meet.

use super::{
    super::{
        Exit, Failure,
        client::text,
        clock,
        wallet::{Kind, Open},
    },
    Cast, PURPOSE, passphrase,
    steps::check,
    story::{Story, must, must_check},
};
use serde_json::json;
use vidimus_core::{
    Algorithm, Signer as _,
    encoding::{base64url, from_base64url},
};
use vidimus_credential::presentation::Draft;

pub(super) async fn attack(
    cast: &Cast<'_>,
    wallet: &Open,
    shown: &str,
    chain: u64,
    story: &mut Story,
) -> Result<(), Failure> {
    let internal = |_| Failure::new(Exit::Internal, "a certificate that was issued reads");
    let envelope = wallet.wallet.held()[0].envelope();
    let forged = json!({"copy": forge(&envelope.copy)?, "salt": envelope.salt, "receipt": envelope.receipt});
    let answer = check(cast, &forged.to_string()).await?;
    let reason = must_check(
        "a forged certificate is invalid",
        &answer,
        "invalid",
        "signature_invalid",
    )?;
    must(
        "nothing of a forged certificate is shown",
        answer["attributes"] == json!({}),
        &answer,
    )?;
    story.done(
        "A forger changed one byte, a digit of the birth date: invalid.",
        &[("reason", reason)],
    );

    let thief = Open::create(Kind::Wallet, &cast.home.join("thief.wallet"), &passphrase(), chain)?;
    let request = cast
        .airline
        .post("/v1/presentation-requests", &json!({"purpose": PURPOSE}))
        .await?;
    let draft = Draft {
        holder: thief.wallet.did(),
        audience: &text(&request, "/audience"),
        nonce: &text(&request, "/nonce"),
        purpose: Some(PURPOSE),
        issued_at: clock().now(),
        expires_at: clock().now().plus(60),
        envelopes: std::slice::from_ref(envelope),
        card: None,
    };
    let unsigned = draft.prepare(Algorithm::Es256k);
    let signature = thief
        .signers()?
        .account
        .sign(Algorithm::Es256k, unsigned.message())
        .map_err(internal)?;
    let answer = check(cast, &unsigned.finish(&signature)).await?;
    let reason = must_check(
        "a stolen certificate is invalid",
        &answer,
        "invalid",
        "holder_binding_invalid",
    )?;
    story.done(
        "A thief showed the traveller's certificate from another wallet: invalid.",
        &[("reason", reason)],
    );

    let answer = check(cast, shown).await?;
    let reason = must_check("a presentation works once", &answer, "invalid", "nonce_mismatch")?;
    story.done(
        "The traveller's own presentation, shown a second time: refused.",
        &[("reason", reason)],
    );
    Ok(())
}

/// The certificate with another digit in the year of birth.
fn forge(copy: &str) -> Result<String, Failure> {
    let internal = || Failure::new(Exit::Internal, "the demo's certificate is a JWT with a date of birth");
    let mut parts: Vec<&str> = copy.split('.').collect();
    let payload = from_base64url(parts.get(1).ok_or_else(internal)?).map_err(|_| internal())?;
    let payload = String::from_utf8(payload).map_err(|_| internal())?;
    let altered = payload.replacen("1987-05-14", "1986-05-14", 1);
    must("the forger finds the date of birth", altered != payload, "no such date")?;
    let altered = base64url(altered.as_bytes());
    parts[1] = &altered;
    Ok(parts.join("."))
}
