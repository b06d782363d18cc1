//! A copy on paper, drawn as a QR code.

use super::{
    super::{
        Failure,
        client::{idempotency_key, text, write},
        issuing,
    },
    Cast, HCERT,
    steps::check,
    story::{Story, must, must_check},
};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) async fn paper(cast: &Cast<'_>, issued: &Value, story: &mut Story) -> Result<(), Failure> {
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
    let draw = async |form: &str| {
        cast.laboratory
            .bytes(&format!("/v1/copies/{paper}/paper?form={form}"))
            .await
    };
    let (svg, png, qr) = (draw("svg").await?, draw("png").await?, draw("text").await?);
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
    Ok(())
}
