//! What the authority, the laboratory, the traveller and the airline do.

use super::{
    super::{
        Exit, Failure, checking,
        client::{idempotency_key, text, write},
        clock, issuing, participants,
        progress::Progress,
        wallet::{Open, expected},
    },
    Cast, HCERT, PURPOSE, VC,
    place::Served,
    story::{Story, must, must_check},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the laboratory's system sends: an HL7 FHIR R4 bundle. Its times are brought to today.
const FHIR: &str = include_str!("../../../../../vectors/samples/fhir/pcr-negative.json");
const SAMPLED: &str = "2025-03-02T09:15:00+01:00";
const REPORTED: [&str; 2] = ["2025-03-02T17:45:00+01:00", "2025-03-02T18:00:00+01:00"];

const CATEGORY: &str = "sars-cov-2-naat";

pub(super) async fn admit<'a>(served: &Served, home: &'a Path, story: &mut Story) -> Result<Cast<'a>, Failure> {
    let anyone = served.anonymous()?;
    let body = json!({"token": served.token.expose(), "name": "Ministry of Health", "country": "AT"});
    let made = anyone.post("/v1/setup", &body).await?;
    let authority = served.with_key(&made)?;
    story.done(
        "The one-time link made the authority.",
        &[("Ministry", text(&made, "/participant/did"))],
    );
    let body = json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": [CATEGORY]});
    let laboratory = authority.post("/v1/participants", &body).await?;
    let attributes = [
        "family_name",
        "given_name",
        "birth_date",
        "result",
        "sampled_at",
        "valid_until",
    ];
    let body = json!({"role": "verifier", "name": "Danube Air", "country": "AT", "attributes": attributes, "purposes": [PURPOSE]});
    let airline = authority.post("/v1/participants", &body).await?;
    for admitted in [&laboratory, &airline] {
        let participant = participants::until_active(&authority, &text(admitted, "/participant/id")).await?;
        must(
            "an admission is on the ledger",
            participant["status"] == "active",
            &participant["status"],
        )?;
    }
    story.done(
        "The authority admitted a laboratory for one category and an airline for six attributes; the ledger has both.",
        &[
            ("laboratory", text(&laboratory, "/participant/did")),
            ("airline", text(&airline, "/participant/did")),
        ],
    );
    Ok(Cast {
        home,
        anyone,
        laboratory: served.with_key(&laboratory)?,
        airline: served.with_key(&airline)?,
        airline_did: text(&airline, "/participant/did"),
    })
}

pub(super) async fn issue(cast: &Cast<'_>, wallet: &Open, story: &mut Story) -> Result<Value, Failure> {
    let now = clock().now();
    let (sampled, reported) = (now.plus(-5 * 3_600).to_rfc3339(), now.plus(-3_600).to_rfc3339());
    let fhir = REPORTED.iter().fold(FHIR.replace(SAMPLED, &sampled), |fhir, old| {
        fhir.replace(old, &reported)
    });
    let fhir: Value = serde_json::from_str(&fhir).map_err(|_| Failure::new(Exit::Internal, "the sample is JSON"))?;
    let body = json!({"fhir": fhir, "card": wallet.card()?, "formats": [VC, HCERT], "wait": true});
    let issued = cast.laboratory.create("/v1/results", &body, &idempotency_key()).await?;
    must("the copies are anchored", issuing::anchored(&issued), &issued)?;
    story.done(
        "The laboratory reported a negative PCR test (HL7 FHIR); it was signed, sealed for the traveller and anchored.",
        &[
            ("certificate", text(&issued, "/certificate")),
            ("as VC-JWT", text(issuing::copy_of(&issued, VC)?, "/content_id")),
            ("as HCERT", text(issuing::copy_of(&issued, HCERT)?, "/content_id")),
        ],
    );
    Ok(issued)
}

pub(super) async fn receive(
    cast: &Cast<'_>,
    issued: &Value,
    wallet: &mut Open,
    story: &mut Story,
) -> Result<(), Failure> {
    for format in [VC, HCERT] {
        let content = text(issuing::copy_of(issued, format)?, "/content_id");
        let sealed = cast.anyone.bytes(&format!("/ipfs/{content}?format=raw")).await?;
        wallet.receive(&sealed, cast.anyone.url())?;
    }
    wallet.fetch_receipts(&cast.anyone, &Progress::hidden()).await?;
    let missing = wallet
        .wallet
        .held()
        .iter()
        .filter(|held| held.envelope().receipt.is_none())
        .count();
    must("every receipt came", missing == 0, format!("{missing} missing"))?;
    let account = wallet.signers()?.account;
    let signed = wallet.wallet.counter_sign(1, &account, clock().now());
    signed.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    wallet.save()?;
    let facts = [("holds", "a VC-JWT and an HCERT, each with its receipt".into())];
    story.done(
        "The wallet fetched both by content id, opened them with its key, and counter-signed.",
        &facts,
    );
    Ok(())
}

/// A request and the wallet's answer to it.
async fn present(cast: &Cast<'_>, wallet: &mut Open) -> Result<String, Failure> {
    let request = cast
        .airline
        .post("/v1/presentation-requests", &json!({"purpose": PURPOSE}))
        .await?;
    answer(wallet, &request)
}

fn answer(wallet: &mut Open, request: &Value) -> Result<String, Failure> {
    let account = wallet.signers()?.account;
    let shown = wallet
        .wallet
        .present(&[1], &expected(request)?, &account, clock().now());
    wallet.save()?;
    shown.map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}

pub(super) async fn check(cast: &Cast<'_>, input: &str) -> Result<Value, Failure> {
    cast.airline
        .post("/v1/checks", &json!({"input": input, "purpose": PURPOSE}))
        .await
}

pub(super) async fn board(cast: &Cast<'_>, wallet: &mut Open, story: &mut Story) -> Result<String, Failure> {
    let shown = present(cast, wallet).await?;
    story.done(
        "The airline asked, with a nonce; the wallet answered with a presentation that holds for a minute.",
        &[],
    );
    let answer = check(cast, &shown).await?;
    must_check("the presentation checks as valid", &answer, "valid", "nonce_ok")?;
    must(
        "the result is among the attributes",
        !answer["attributes"]["result"].is_null(),
        &answer,
    )?;
    let mut facts = vec![
        ("verdict", "VALID: every required test passed".to_owned()),
        ("issuer", text(&answer, "/issuer")),
    ];
    for name in ["family_name", "given_name", "birth_date", "result", "sampled_at"] {
        let words = checking::words(&answer, name).map_or_else(String::new, |words| format!(" ({words})"));
        facts.push((name, text(&answer["attributes"], &format!("/{name}")) + &words));
    }
    story.done(
        "The airline checked it: valid. It sees the attributes it was admitted for, and no others.",
        &facts,
    );
    Ok(shown)
}

pub(super) async fn offline(cast: &Cast<'_>, wallet: &mut Open, story: &mut Story) -> Result<PathBuf, Failure> {
    let (bundle, root) = (cast.home.join("bundle.jwt"), cast.home.join("root.pem"));
    checking::fetch_root(&cast.anyone, &root).await?;
    checking::fetch_bundle(&cast.anyone, &bundle, &root, &Progress::hidden()).await?;
    let answer = check_offline(cast, wallet, &root, 1)?;
    must_check("it checks as valid offline", &answer, "valid", "receipt_ok")?;
    let age = text(&answer, "/bundle/age");
    story.done(
        "A gate without a network checked another presentation with a bundle and the root certificate: valid.",
        &[(
            "bundle",
            format!("version {}, {age} s old", text(&answer, "/bundle/version")),
        )],
    );
    Ok(root)
}

/// A check by a gate that reaches nobody: a request of its own, the bundle, the root.
fn check_offline(cast: &Cast<'_>, wallet: &mut Open, root: &Path, number: u8) -> Result<Value, Failure> {
    let path = cast.home.join(format!("request-{number}.json"));
    let request = checking::local_request(&cast.airline_did, PURPOSE);
    write(&path, request.to_string().as_bytes())?;
    let shown = answer(wallet, &request)?;
    let shown = checking::Shown {
        input: shown.as_bytes(),
        asked: checking::Asked::InFile(&path),
        ..checking::Shown::default()
    };
    checking::offline(&shown, &cast.home.join("bundle.jwt"), root, &[])
}

pub(super) async fn revoke(
    cast: &Cast<'_>,
    issued: &Value,
    wallet: &mut Open,
    root: &Path,
    story: &mut Story,
) -> Result<(), Failure> {
    let path = format!("/v1/certificates/{}/revoke", text(issued, "/certificate"));
    let view = cast.laboratory.post(&path, &json!({"reason": "error"})).await?;
    must(
        "the certificate is revoked",
        view["status"] == "revoked",
        &view["status"],
    )?;
    story.done(
        "The laboratory found an error and revoked the certificate.",
        &[("certificate", text(&view, "/certificate"))],
    );
    let shown = present(cast, wallet).await?;
    let reason = must_check(
        "a revoked certificate is invalid",
        &check(cast, &shown).await?,
        "invalid",
        "revoked",
    )?;
    story.done("The airline checked once more: invalid.", &[("reason", reason)]);
    checking::fetch_bundle(&cast.anyone, &cast.home.join("bundle.jwt"), root, &Progress::hidden()).await?;
    let answer = check_offline(cast, wallet, root, 2)?;
    let reason = must_check(
        "a revoked certificate is invalid offline",
        &answer,
        "invalid",
        "revoked",
    )?;
    story.done(
        "So did the gate without a network, once it had a fresh bundle: invalid.",
        &[("reason", reason)],
    );
    Ok(())
}
