//! The committed fuzz corpora, run through the fuzz targets' own code on the stable toolchain.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

#[path = "../../../fuzz/src/openid4vc.rs"]
mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use serde_json::{Value, json};
use vidimus_openid4vc::dcql::{Query, limit};

#[test]
fn the_corpus_of_dcql_is_what_makes_it() {
    let one = |more: Value| {
        let mut credential = json!({"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}});
        credential
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        credential
    };
    let query = |credentials: Value| json!({ "credentials": credentials }).to_string().into_bytes();
    let whole = json!({
        "credentials": [
            one(json!({
                "claims": [
                    {"id": "n", "path": ["name"], "values": ["Jo"]},
                    {"id": "l", "path": ["doses", null, "lot"], "values": ["A", 1, true]},
                    {"id": "c", "path": ["nationalities", 1]},
                ],
                "claim_sets": [["n", "l"], ["c"]],
                "trusted_authorities": [{"type": "guild", "values": ["g"]}],
            })),
            {"id": "b", "format": "jwt_vc_json", "meta": {"type_values": [["IDCredential"]]}, "claims": [{"path": ["credentialSubject", "given_name"]}]},
            {"id": "c", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"}, "claims": [{"path": ["org.iso.18013.5.1", "given_name"]}]},
        ],
        "credential_sets": [{"options": [["a"], ["b", "c"]]}, {"options": [["c"]], "required": false}],
    });
    let whole = whole.to_string();
    run::seeds(
        "dcql",
        |data| Query::parse(data).is_ok(),
        &[
            ("whole", whole.clone().into()),
            (
                "claims",
                query(json!([one(
                    json!({"claims": [{"path": ["address"]}, {"path": ["age"], "values": [36]}]})
                )])),
            ),
            (
                "same-path",
                query(json!([one(
                    json!({"claims": [{"path": ["age"]}, {"path": ["age"], "values": [1]}]})
                )])),
            ),
            (
                "deep-path",
                query(json!([one(
                    json!({"claims": [{"path": ["doses", null, "lot", null]}]})
                )])),
            ),
            (
                "empty-meta",
                query(json!([{"id": "a", "format": "ldp_vc", "meta": {}, "multiple": true}])),
            ),
            (
                "other-format",
                query(json!([{"id": "a", "format": "zkp", "meta": {"x": [1]}}])),
            ),
        ],
        &[
            ("no-credentials", b"{}".into()),
            ("twice", query(json!([one(json!({})), one(json!({}))]))),
            ("member-twice", whole.replacen('{', r#"{"credentials":[],"#, 1).into()),
            ("unknown-option", whole.replace(r#"["a"],["#, r#"["z"],["#).into()),
            ("unknown-claim", whole.replace(r#"["n","l"]"#, r#"["n","z"]"#).into()),
            (
                "negative-index",
                whole.replace(r#""nationalities",1"#, r#""nationalities",-1"#).into(),
            ),
            ("fraction", whole.replace(r#""A",1,true"#, r#""A",1.5,true"#).into()),
            (
                "too-many",
                query(
                    (0..=limit::CREDENTIALS)
                        .map(|at| json!({"id": format!("c{at}"), "format": "f", "meta": {}}))
                        .collect(),
                ),
            ),
            ("cut", whole[..whole.len() / 2].into()),
            ("deep", "[".repeat(4096).into()),
        ],
    );
}
