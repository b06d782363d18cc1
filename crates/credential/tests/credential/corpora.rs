//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../../fuzz/src/credential.rs"]
mod fuzz;
#[path = "../../../../fuzz/src/run.rs"]
mod run;

use crate::check::world::{Binding, LABS, hcert_content, hcert_of, sd_jwt, showing, simple, statement};
use serde_json::{Value, json};
use vidimus_core::encoding::{base64url, from_hex};
use vidimus_credential::{
    Format,
    category::Categories,
    format::{
        self,
        sd_jwt_vc::type_metadata::{self, Resolution},
    },
    sd_jwt::{SdJwt, combine},
};
use vidimus_crypto::Native;

/// The bytes that are signed of an HCERT with these parts.
fn sig_structure(context: &str, protected: &str, aad: &str, payload: &[u8]) -> Vec<u8> {
    use ciborium::Value;
    let parts = Value::Array(vec![
        Value::Text(context.to_owned()),
        Value::Bytes(from_hex(protected).unwrap()),
        Value::Bytes(from_hex(aad).unwrap()),
        Value::Bytes(payload.to_vec()),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&parts, &mut bytes).unwrap();
    bytes
}

#[test]
fn the_corpus_of_copies_to_sign_is_what_makes_it() {
    let (lab, statement) = (&LABS.lab, statement(&LABS.lab));
    let message = |copy: &str| format::parse(copy).unwrap().message;
    let vc = message(&simple(&statement, lab));
    let hcert = message(&hcert_of(&hcert_content(&statement), lab.kid(2), &lab.keys[1].0));
    let vc_text = String::from_utf8(vc.clone()).unwrap();
    let (header, payload) = vc_text.split_once('.').unwrap();
    let with_header = |header: &str| format!("{}.{payload}", base64url(header.as_bytes())).into_bytes();

    let parts: ciborium::Value = ciborium::from_reader(&hcert[..]).unwrap();
    let content = parts.as_array().unwrap()[3].as_bytes().unwrap().clone();
    // Algorithm and key: {1: -7, 4: h'0102030405060708'}, and what is none of ours.
    let protected = "a2012604480102030405060708";
    let ours = sig_structure("Signature1", protected, "", &content);
    run::seeds(
        "unsigned_copy",
        |data| {
            [Format::VcJwt11, Format::VcJwt20, Format::Hcert]
                .into_iter()
                .any(|format| format::Unsigned::from_message(format, data.to_vec()).is_ok())
        },
        &[
            ("vc", vc.clone()),
            ("hcert", hcert.clone()),
            ("hcert-of-another-key", ours.clone()),
            // What it says is for the caller to judge; here it is only what can be signed.
            ("vc-of-nothing", format!("{header}.").into_bytes()),
        ],
        &[
            ("nothing", Vec::new()),
            ("header-alone", header.as_bytes().to_vec()),
            ("signed", format!("{vc_text}.AAAA").into_bytes()),
            ("no-utf-8", [&vc[..], &[0xff]].concat()),
            ("white-space", format!("{vc_text}\n").into_bytes()),
            ("padded", format!("{vc_text}==").into_bytes()),
            ("header-no-json", with_header("{")),
            ("header-without-algorithm", with_header("{\"typ\":\"JWT\"}")),
            ("header-of-no-algorithm", with_header("{\"alg\":\"none\"}")),
            (
                "header-with-a-member-twice",
                with_header("{\"alg\":\"ES256\",\"alg\":\"ES256K\"}"),
            ),
            (
                "header-critical",
                with_header("{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}"),
            ),
            ("payload-no-base64", format!("{header}.e30*").into_bytes()),
            ("hcert-cut", hcert[..hcert.len() - 1].to_vec()),
            ("hcert-longer", [&hcert[..], &[0]].concat()),
            (
                "hcert-as-an-answer-to-something-else",
                sig_structure("Signature", protected, "", &content),
            ),
            (
                "hcert-with-more-signed",
                sig_structure("Signature1", protected, "00", &content),
            ),
            ("hcert-without-key", sig_structure("Signature1", "a10126", "", &content)),
            (
                "hcert-key-of-7-bytes",
                sig_structure("Signature1", "a20126044701020304050607", "", &content),
            ),
            (
                "hcert-es512",
                sig_structure("Signature1", "a201382304480102030405060708", "", &content),
            ),
            (
                "hcert-other-order",
                sig_structure("Signature1", "a2044801020304050607080126", "", &content),
            ),
            (
                "hcert-header-with-more",
                sig_structure("Signature1", "a30126044801020304050607080a00", "", &content),
            ),
            ("hcert-without-content", sig_structure("Signature1", protected, "", &[])),
            (
                "hcert-of-an-empty-content",
                sig_structure("Signature1", protected, "", &[0xa0]),
            ),
            (
                "hcert-content-longer",
                sig_structure("Signature1", protected, "", &[&content[..], &[0]].concat()),
            ),
            ("hcert-length-of-4-gib", vec![0x84, 0x7a, 0xff, 0xff, 0xff, 0xff]),
        ],
    );
}

fn vectors(file: &str) -> Value {
    let path = format!("{}/../../vectors/sd-jwt/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_corpus_of_sd_jwts_is_what_makes_it() {
    let copy = sd_jwt(&LABS.lab);
    let rfc = vectors("rfc9901.json");
    let example = |name: &str| {
        let case = rfc["cases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == name)
            .unwrap();
        case["sd_jwt"].as_str().unwrap().as_bytes().to_vec()
    };
    let (message, _) = copy.split_once('~').unwrap().0.rsplit_once('.').unwrap();
    let disclosures: Vec<&str> = copy.split_terminator('~').skip(1).collect();
    let rejected = vectors("reject.json");
    let refused = |name: &str| {
        let case = rejected["cases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == name)
            .unwrap();
        let payload = case["payload"].to_string();
        let jwt = format!(
            "{}.{}.",
            base64url(br#"{"alg":"ES256"}"#),
            base64url(payload.as_bytes())
        );
        let texts = case["disclosures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap());
        combine(&jwt, texts).into_bytes()
    };
    let cases = [
        "orphan",
        "twice",
        "digest-twice-in-two-lists",
        "element-with-more",
        "names-sd",
        "hash-nested",
        "deep",
    ];
    let cases = cases.map(|name| (name, refused(name)));
    run::seeds(
        "sd_jwt",
        |data| {
            let read = std::str::from_utf8(data).ok().and_then(|text| SdJwt::parse(text).ok());
            let kept = format::Unsigned::from_message(Format::SdJwtVc, data.to_vec()).is_ok();
            kept || read.is_some_and(|read| read.process(&Native::new()).is_ok())
        },
        &[
            ("rfc-issued", example("issued")),
            ("rfc-presented", example("presented")),
            ("rfc-pid", example("pid-presented")),
            ("copy", copy.clone().into_bytes()),
            (
                "copy-shown",
                Binding::default().bind(&showing(&copy, &["result"])).into_bytes(),
            ),
            ("to-sign", combine(message, disclosures).into_bytes()),
        ],
        &cases,
    );
}

#[test]
fn the_corpus_of_type_metadata_is_what_makes_it() {
    let vct = vct_of_corpus();
    let id = vidimus_credential::CategoryId::new("sars-cov-2-naat").unwrap();
    let document = type_metadata::document(Categories::built_in().category(&id).unwrap(), vct);
    let changed = |name: &str, value: Value| {
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        document[name] = value;
        document.to_string().into_bytes()
    };
    run::seeds(
        "type_metadata",
        |data| {
            Resolution::new(vct_of_corpus(), None)
                .supply(data, &Native::new())
                .is_ok()
        },
        &[
            ("category", document.clone()),
            (
                "extends",
                changed("extends", "https://health.example/v1/types/test".into()),
            ),
        ],
        &[
            ("circle", changed("extends", vct.into())),
            (
                "another",
                changed("vct", "https://health.example/v1/types/other".into()),
            ),
            ("claims-no-list", changed("claims", json!({}))),
            ("path-empty", changed("claims", json!([{"path": []}]))),
            ("cut", document[..document.len() - 1].to_vec()),
        ],
    );
}

fn vct_of_corpus() -> &'static str {
    "https://health.example/v1/types/sars-cov-2-naat"
}
