//! `vectors/wallet/consent.json`: what a holder sees of a request, and what a wallet refuses by itself. A browser's wallet reads the same file.

use crate::world::{Laboratory, NOW, key, origin, proved, query, wallet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vidimus_core::{Digest, Signer as _};
use vidimus_credential::category::Categories;
use vidimus_crypto::Native;
use vidimus_openid4vc::vp::Statement;
use vidimus_wallet::{
    consent::{Asked, Refusal, Wishes},
    registration::{Policy, Registry},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/wallet/consent.json");

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    about: String,
    now: i64,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    held: Vec<Given>,
    registries: Vec<Registry>,
    policy: Policy,
    request: Request,
    wishes: Wishes,
    /// The name of the refusal, and what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consent: Option<Value>,
}

/// A certificate, as an SD-JWT VC or as the subject of a W3C credential.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    title: String,
    copies: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vct: Option<String>,
    claims: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    did: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Digest>,
    host: String,
    dcql_query: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<Statement>,
    nonce: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

fn named(refusal: &Refusal) -> Vec<String> {
    let (name, about) = match refusal {
        Refusal::Unknown => ("unknown", None),
        Refusal::Stale => ("stale", None),
        Refusal::Suspended => ("suspended", None),
        Refusal::Revoked => ("revoked", None),
        Refusal::NoPurpose => ("no_purpose", None),
        Refusal::Purpose(name) => ("purpose", Some(name)),
        Refusal::Attribute(name) => ("attribute", Some(name)),
        Refusal::Expired => ("expired", None),
        Refusal::Answered => ("answered", None),
        Refusal::Nothing => ("nothing", None),
        Refusal::Wishes => ("wishes", None),
        Refusal::NotOffered(id) => ("not_offered", Some(id)),
    };
    std::iter::once(name.to_owned()).chain(about.cloned()).collect()
}

#[test]
fn the_vectors_say_what_a_holder_sees() {
    let native = Native::new();
    let laboratory = Laboratory::new();
    let text = std::fs::read_to_string(FILE).unwrap();
    let mut vectors: Vectors = serde_json::from_str(&text).unwrap();
    assert_eq!(vectors.now, NOW.0);
    let write = std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some();
    let mut refused = 0;
    for case in &mut vectors.cases {
        let mut wallet = wallet();
        for given in &case.held {
            let keys: Vec<_> = (0..given.copies).map(|_| key()).collect();
            let copies: Vec<_> = keys
                .iter()
                .map(|key| match &given.vct {
                    Some(vct) => laboratory.sd_jwt(vct, &given.claims, (given.nbf, given.exp), key.public_key()),
                    None => laboratory.vc_jwt(&given.claims, key.public_key()),
                })
                .collect();
            wallet
                .keep(&origin(&given.title), &copies, &proved(&keys), &[], &native, NOW)
                .unwrap();
        }
        for registry in &case.registries {
            wallet.learn(registry.clone());
        }
        let query = query(case.request.dcql_query.clone());
        let asked = Asked {
            client_id: case.request.client_id.clone(),
            name: case.request.name.clone(),
            did: case.request.did.clone(),
            certificate: case.request.certificate,
            host: case.request.host.clone(),
            query: &query,
            statement: case.request.statement.as_ref(),
            authorise: &[],
            nonce: &case.request.nonce,
            expires_at: case.request.expires_at.map(vidimus_core::Timestamp),
        };
        let found = wallet.consider(
            &asked,
            &case.policy,
            &case.wishes,
            &Categories::built_in(),
            NOW,
            &native,
        );
        match &found {
            Err(refusal) => {
                refused += 1;
                assert_eq!(Some(named(refusal)), case.refusal, "{}", case.name);
            }
            Ok(consent) => {
                assert_eq!(case.refusal, None, "{}", case.name);
                let view = serde_json::to_value(consent).unwrap();
                if write {
                    case.consent = Some(view);
                } else {
                    assert_eq!(Some(view), case.consent, "{}", case.name);
                }
            }
        }
    }
    assert!(refused * 2 > vectors.cases.len(), "more is refused than not");
    if write {
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        std::fs::write(FILE, text + "\n").unwrap();
    }
}
