//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/identity.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use serde_json::Value;
use std::fs;
use vidimus_core::encoding::hex;
use vidimus_identity::ethr::AttributeName;

fn attribute_reads(data: &[u8]) -> bool {
    let mut padded = [0; 32];
    let fits = padded.get_mut(..data.len()).map(|into| into.copy_from_slice(data));
    fits.is_some() && AttributeName::decode(&padded).is_ok()
}

#[test]
fn the_corpus_of_attribute_names_is_what_makes_it() {
    let encoded = |name: AttributeName| name.encode().unwrap().to_vec();
    run::seeds(
        "attribute",
        attribute_reads,
        &[
            ("issuer", encoded(AttributeName::p256_issuer_key())),
            ("sealing", encoded(AttributeName::sealing_key())),
            ("service", encoded(AttributeName::Service("AssertionService".into()))),
            ("no-encoding", b"did/pub/Secp256k1/sigAuth".to_vec()),
            ("pem", b"did/pub/RSA/veriKey/pem".to_vec()),
            // Longer than the contract has, once its encoding is written.
            ("full", b"did/pub/LongestAlgorithm/veriKey".to_vec()),
        ],
        &[
            ("section", b"did/key/Ed25519/veriKey/hex".to_vec()),
            ("purpose", b"did/pub/Ed25519/verikey/hex".to_vec()),
            ("encoding", b"did/pub/Ed25519/veriKey/utf8".to_vec()),
            ("parts", b"did/pub/Ed25519/veriKey/hex/x".to_vec()),
            ("no-name", b"did/svc/".to_vec()),
            ("letters", "did/svc/Würde".into()),
            ("nul", b"did/svc/a\0b".to_vec()),
            ("not-utf-8", vec![0xff; 32]),
            ("longer", b"did/svc/AServiceOfMoreThan32Bytes".to_vec()),
            ("nothing", vec![0; 32]),
        ],
    );
}

/// A vector as the target's text.
fn text(vector: &Value) -> Option<String> {
    let number = |value: &Value| value.as_u64().map(|number| number.to_string());
    let at = match vector.get("versionId") {
        Some(block) => format!("block {} {}", number(block)?, number(&vector["versionTime"])?),
        None => format!("now {}", number(&vector["now"])?),
    };
    let mut lines = vec![vector["did"].as_str()?.to_owned(), at];
    for event in vector["events"].as_array()? {
        let kind = event["type"].as_str()?;
        let named = |member: &str| match event.get("nameHex") {
            Some(digits) => digits.as_str().map(str::to_owned),
            // Some have spaces.
            None => Some(format!("0x{}", hex(event[member].as_str()?.as_bytes()))),
        };
        let rest = match kind {
            "owner" => event["owner"].as_str()?.to_owned(),
            "delegate" => format!(
                "{} {} {}",
                named("delegateType")?,
                event["delegate"].as_str()?,
                number(&event["validTo"])?
            ),
            _ => format!(
                "{} {} {}",
                named("name")?,
                event["value"].as_str()?,
                number(&event["validTo"])?
            ),
        };
        lines.push(format!(
            "{} {} {kind} {rest}",
            number(&event["block"])?,
            number(&event["time"])?
        ));
    }
    Some(lines.join("\n"))
}

#[test]
fn the_corpus_of_documents_is_what_makes_it() {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/did-ethr");
    let mut read: Vec<(String, Vec<u8>)> = fs::read_dir(vectors)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let vector = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, text(&vector).unwrap().into_bytes())
        })
        .collect();
    read.sort();
    assert!(read.len() >= 20, "the vectors are there");
    let did = "did:ethr:0x56494d:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74";
    let one = format!("{did}\nnow 1800000000\n2 1799900200");
    let long = |encoding: &str| {
        let value = "ff".repeat(4096);
        format!("{one} attribute did/pub/RSA/veriKey/{encoding} 0x{value} 1800086400").into_bytes()
    };
    read.extend([
        // What costs the square of its length is not written.
        ("long-base58".into(), long("base58")),
        ("long-base64".into(), long("base64")),
        (
            "endpoint-of-brackets".into(),
            format!("{one} attribute did/svc/Deep 0x{} 1800086400", "5b".repeat(1024)).into_bytes(),
        ),
        (
            "valid-for-ever".into(),
            format!("{one} delegate veriKey 0x{} {}", "01".repeat(20), u64::MAX).into_bytes(),
        ),
    ]);
    let read: Vec<_> = read.iter().map(|(name, data)| (name.as_str(), data.clone())).collect();
    run::seeds(
        "did_document",
        fuzz::makes_document,
        &read,
        &[
            ("other-method", "did:web:issuer.example\nnow 1800000000".into()),
            (
                "key-that-is-none",
                format!("did:ethr:0x02{}\nnow 1800000000", "ff".repeat(32)).into(),
            ),
            ("no-time", did.into()),
        ],
    );
}
