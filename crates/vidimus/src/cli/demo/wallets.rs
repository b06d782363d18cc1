//! Offer, consent, presentation: by the protocols that any wallet speaks, and what a nosy airline meets.

use super::{
    super::{
        Failure,
        client::text,
        issuing,
        wallet::{Local, Open},
    },
    Cast, PURPOSE,
    story::{Story, must, must_check},
};
use serde_json::{Value, json};
use std::time::Duration;

const CATEGORY: &str = "sars-cov-2-naat";

/// A step that must be refused for this reason.
fn must_refuse<T>(what: &str, gave: Result<T, Failure>, reason: &str) -> Result<String, Failure> {
    match gave {
        Err(failure) if failure.message.contains(reason) || failure.name.as_deref() == Some(reason) => {
            Ok(failure.message)
        }
        Err(failure) => Err(must(what, false, failure.message)
            .err()
            .unwrap_or(Failure::new(super::super::Exit::Internal, what))),
        Ok(_) => must(what, false, "it was not refused").map(|()| String::new()),
    }
}

pub(super) async fn wallets(
    cast: &Cast<'_>,
    issued: &Value,
    open: &mut Open,
    story: &mut Story,
) -> Result<(), Failure> {
    let body = json!({"result": text(issued, "/result"), "formats": ["dc+sd-jwt"]});
    let offer = cast.laboratory.post("/v1/offers", &body).await?;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    story.done(
        "The laboratory offered the certificate to the traveller's wallet (OpenID4VCI): a link in one way, a code in another.",
        &[("link", link.clone()), ("until", text(&offer, "/expires"))],
    );
    let mut wallet = Local::at(open, cast.anyone.url()).await?;
    let wrong = if code == "00000000" { "11111111" } else { "00000000" };
    must_refuse(
        "a guessed code is refused",
        wallet.claim(&link, wrong, 3).await,
        "invalid_grant",
    )?;
    let claimed = wallet.claim(&link, &code, 3).await?;
    must("three copies came", claimed["claimed"][0]["copies"] == 3, &claimed)?;
    story.done(
        "Whoever had the link alone guessed a code: refused. The wallet claimed three copies that nobody can tie to each other.",
        &[("copies", "3, each for a key of its own".to_owned())],
    );

    let path = format!("/v1/certificates/{}", text(issued, "/certificate"));
    let mut view = cast.laboratory.get(&path).await?;
    for _ in 0..100 {
        if issuing::anchored(&view) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        view = cast.laboratory.get(&path).await?;
    }
    must("the copies are anchored", issuing::anchored(&view), &view)?;

    let asked = json!({
        "purpose": PURPOSE, "purpose_text": "Your flight to Lisbon", "retention_seconds": 0,
        "credentials": [{
            "category": CATEGORY, "attributes": ["family_name", "result"], "optional": ["birth_date"],
        }],
    });
    let request = cast.airline.post("/v1/presentations", &asked).await?;
    let link = text(&request, "/link");
    let seen = wallet.look(&link).await?;
    let verifier = &seen["consent"]["verifier"];
    must(
        "the wallet knows who asks",
        verifier["standing"] == "admitted" && verifier["name"] == "Danube Air",
        verifier,
    )?;
    let attributes = seen["consent"]["credentials"][0]["attributes"].as_array();
    let shown: Vec<_> = attributes
        .into_iter()
        .flatten()
        .map(|one| {
            let name = one["name"].as_str().unwrap_or_default();
            let value = one["value"]
                .as_str()
                .map_or_else(|| one["value"].to_string(), str::to_owned);
            let may = if one["required"] == true {
                "required"
            } else {
                "can be left out"
            };
            (name, format!("{value} ({may})"))
        })
        .collect();
    must("three attributes are asked for", shown.len() == 3, &seen)?;
    let mut facts = vec![
        ("asks", "Danube Air, registered".to_owned()),
        ("what for", text(&seen, "/consent/purpose_text")),
    ];
    facts.extend(shown);
    story.done(
        "The airline asked (OpenID4VP). The wallet shows who, what for, and each value.",
        &facts,
    );

    let answered = wallet.agree(&link, &["birth_date"]).await?;
    must("it was presented", answered["outcome"] == "presented", &answered)?;
    let read = cast
        .airline
        .get(&format!("/v1/presentations/{}", text(&request, "/id")))
        .await?;
    let credential = &read["answer"]["credentials"][0];
    must_check("the answer is valid", credential, "valid", "nonce_ok")?;
    let mut names: Vec<_> = credential["attributes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    must(
        "what was left out did not go",
        names == ["family_name", "result"],
        credential,
    )?;
    story.done(
        "The traveller agreed, without the date of birth. The airline reads: valid, and two attributes.",
        &[("verdict", "VALID".to_owned()), ("reads", names.join(", "))],
    );
    let again = wallet.agree(&link, &[]).await;
    must("a request is answered once", again.is_err(), "it was answered again")?;

    let mut nosy = asked;
    nosy["credentials"][0]["attributes"] = json!(["family_name", "testing_centre"]);
    let refused = cast.airline.post("/v1/presentations", &nosy).await;
    must_refuse(
        "more than the registration permits is refused",
        refused,
        "attribute-not-granted",
    )?;
    nosy["credentials"][0]["attributes"] = json!(["family_name"]);
    nosy["purpose"] = json!("marketing");
    let refused = cast.airline.post("/v1/presentations", &nosy).await;
    let reason = must_refuse("another purpose is refused", refused, "purpose-not-granted")?;
    story.done(
        "The airline got nosy: where the test was made, and data for marketing. Refused before the traveller was asked.",
        &[("reason", reason)],
    );
    Ok(())
}
