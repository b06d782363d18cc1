//! A copy on paper, drawn as two QR codes, and checked at a gate without a network.

use super::{
    super::{
        Failure, checking,
        client::{idempotency_key, text, write},
        issuing,
        progress::Progress,
    },
    Cast, HCERT,
    steps::check,
    story::{Story, must, must_check},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

pub(super) async fn paper(cast: &Cast<'_>, issued: &Value, root: &Path, story: &mut Story) -> Result<(), Failure> {
    let path = format!("/v1/results/{}/copies", text(issued, "/result"));
    let view = cast
        .laboratory
        .create(&path, &json!({"formats": [HCERT]}), &idempotency_key())
        .await?;
    let copies = || view["copies"].as_array().into_iter().flatten();
    let paper = copies()
        .find(|copy| copy["content_id"].is_null())
        .map(|copy| text(copy, "/id"))
        .unwrap_or_default();
    must("there is a paper copy", !paper.is_empty(), &view)?;
    let certificate = format!("/v1/certificates/{}", text(issued, "/certificate"));
    let anchored = async {
        while !issuing::anchored(&cast.laboratory.get(&certificate).await?) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Failure>(())
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), anchored).await;
    must(
        "the paper copy is anchored within 20 s",
        in_time.is_ok(),
        "still waiting",
    )?;
    in_time.unwrap_or(Ok(()))?;
    let draw = async |code: &str, form: &str| {
        let path = format!("/v1/copies/{paper}/paper?code={code}&form={form}");
        cast.laboratory.bytes(&path).await
    };
    let one = "certificate";
    let (svg, png, qr) = (
        draw(one, "svg").await?,
        draw(one, "png").await?,
        draw(one, "text").await?,
    );
    must(
        "the SVG is one",
        svg.starts_with(b"<?xml") || svg.starts_with(b"<svg"),
        "something else",
    )?;
    must("the PNG is one", png.starts_with(b"\x89PNG"), "something else")?;
    write(&cast.home.join("paper.svg"), &svg)?;
    write(&cast.home.join("paper.png"), &png)?;
    let qr = String::from_utf8_lossy(&qr).into_owned();
    let answer = check(cast, &qr).await?;
    must_check("paper checks as valid", &answer, "valid", "receipt_ok")?;
    story.done(
        "A paper copy was drawn as a QR code, and the text in it checked: valid.",
        &[
            (
                "QR code",
                format!("{}, and paper.png", cast.home.join("paper.svg").display()),
            ),
            ("text", format!("{}…", &qr[..qr.len().min(40)])),
        ],
    );
    let drawn = cast.home.join("paper-evidence.svg");
    write(&drawn, &draw("evidence", "svg").await?)?;
    let evidence = String::from_utf8_lossy(&draw("evidence", "text").await?).into_owned();
    at_the_gate(cast, root, &qr, &evidence, &drawn, story).await
}

/// Both codes, without a network; then the certificate alone, which is not enough unless the verifier says so.
async fn at_the_gate(
    cast: &Cast<'_>,
    root: &Path,
    qr: &str,
    evidence: &str,
    drawn: &Path,
    story: &mut Story,
) -> Result<(), Failure> {
    let bundle = cast.home.join("bundle.jwt");
    checking::fetch_bundle(&cast.anyone, &bundle, root, &Progress::hidden()).await?;
    let scanned = format!("{qr}\n{evidence}");
    let gate = |input: &str, accept_without_evidence: bool| {
        let shown = checking::Shown {
            input: input.as_bytes(),
            accept_without_evidence,
            ..checking::Shown::default()
        };
        checking::offline(&shown, &bundle, root, &[])
    };
    must_check(
        "paper with its evidence is valid offline",
        &gate(&scanned, false)?,
        "valid",
        "receipt_ok",
    )?;
    let alone = must_check(
        "the code alone does not decide",
        &gate(qr, false)?,
        "undetermined",
        "evidence_missing",
    )?;
    let waived = gate(qr, true)?;
    must_check(
        "a verifier may do without, and is told",
        &waived,
        "valid",
        "receipt_waived",
    )?;
    must(
        "the answer says so",
        waived["accepted_without_evidence"] == true,
        &waived,
    )?;
    story.done(
        "A second code beside it carries salt and receipt; the gate scanned both without a network: valid. The first alone: undetermined.",
        &[
            ("second code", drawn.display().to_string()),
            ("text", format!("{}…", &evidence[..evidence.len().min(40)])),
            ("alone", alone),
        ],
    );
    Ok(())
}
