//! A wallet proves the keys that its copies are to be bound to.

use super::world::{Attester, ISSUER, NAAT, NAAT_JWT, NOW, Seeded, altered, issuer, key, metadata};
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{Algorithm, PublicKey, Signer, encoding};
use vidimus_credential::x509::Certificate;
use vidimus_crypto::{KeyKind, Native, SigningKey};
use vidimus_openid4vc::vci::{
    CredentialErrorCode,
    key_attestation::{self, KeyAttestationError, resistance},
    metadata::{Configuration, ProofType},
    proof::{Controller, Draft, Expected, HolderKey, KeyName, Parsed, ProofError, Proven, WINDOW},
    request::Proofs,
};

const NONCE: &str = "n-0S6_WzA2Mj";

struct Case {
    configuration: Configuration,
    proof_type: ProofType,
    roots: Vec<Certificate>,
    max_keys: usize,
}

impl Case {
    fn new(id: &str, kind: &str) -> Self {
        let metadata = metadata();
        let configuration = metadata.credential_configurations_supported.get(id).unwrap().clone();
        Self {
            proof_type: configuration.proof_type(kind).unwrap().clone(),
            configuration,
            roots: vec![Attester::new(100).root],
            max_keys: metadata.batch_size(),
        }
    }
    fn check(&self, proofs: &Proofs) -> Result<Proven, ProofError> {
        let resolve = |kid: &str| match kid {
            "did:ethr:0x1:traveller#controller" => account().map(Controller::Account),
            _ => None,
        };
        let expected = Expected {
            issuer: &issuer(),
            proof_type: &self.proof_type,
            binding_methods: self
                .configuration
                .cryptographic_binding_methods_supported
                .as_ref()
                .unwrap(),
            nonce: Some(&|nonce| nonce == NONCE),
            client_id: Some("wallet"),
            max_keys: self.max_keys,
            roots: &self.roots,
            resolve: &resolve,
            now: NOW,
        };
        Parsed::parse(proofs)?.verify(&expected, &Native::new())
    }
}

fn ethr() -> SigningKey {
    SigningKey::generate(KeyKind::Secp256k1, &mut Seeded(77))
}

fn account() -> Option<vidimus_core::Address> {
    ethr().public_key().address(&Native::new())
}

fn draft(attestation: Option<&str>) -> String {
    by(10, attestation)
}

fn by(seed: u64, attestation: Option<&str>) -> String {
    let draft = Draft {
        issuer: &issuer(),
        nonce: Some(NONCE),
        client_id: Some("wallet"),
        key_attestation: attestation,
        issued_at: NOW,
    };
    draft.sign(&key(seed), Algorithm::Es256, KeyName::Jwk).unwrap()
}

fn public(seed: u64) -> PublicKey {
    key(seed).public_key().clone()
}

fn attestation(keys: &[u64], storage: &[&str], nonce: Option<&str>) -> String {
    let attester = Attester::new(100);
    let keys: Vec<_> = keys.iter().copied().map(public).collect();
    let draft = key_attestation::Draft {
        issuer: "https://wallet.example",
        keys: &keys,
        issued_at: NOW,
        expires_at: NOW.plus(3600),
        nonce,
        key_storage: storage,
        user_authentication: &[],
        status: None,
    };
    draft.sign(&attester.key, Algorithm::Es256, &attester.chain).unwrap()
}

fn one(text: String) -> Proofs {
    Proofs::Jwt(vec![text])
}

#[test]
fn three_keys_are_proved_at_once() {
    let case = Case::new(NAAT, "jwt");
    let proven = case
        .check(&Proofs::Jwt(vec![by(10, None), by(11, None), by(12, None)]))
        .unwrap();
    assert_eq!(proven.keys, [10, 11, 12].map(|seed| HolderKey::Jwk(public(seed))));
    assert_eq!(proven.nonce.as_deref(), Some(NONCE));
}

#[test]
fn a_key_may_be_named_by_did_jwk_and_by_the_account_of_a_did_ethr() {
    let draft = Draft {
        issuer: &issuer(),
        nonce: Some(NONCE),
        client_id: None,
        key_attestation: None,
        issued_at: NOW,
    };
    let jwk = public(10).to_jwk().unwrap().to_string();
    let kid = format!("did:jwk:{}#0", encoding::base64url(jwk.as_bytes()));
    let proof = draft.sign(&key(10), Algorithm::Es256, KeyName::Did(&kid)).unwrap();
    let proven = Case::new(NAAT, "jwt").check(&one(proof)).unwrap();
    assert_eq!(proven.keys[0].did(), kid.split('#').next());

    let kid = "did:ethr:0x1:traveller#controller";
    for algorithm in [Algorithm::Es256k, Algorithm::Es256kR] {
        let proof = draft.sign(&ethr(), algorithm, KeyName::Did(kid)).unwrap();
        let proven = Case::new(NAAT_JWT, "jwt").check(&one(proof)).unwrap();
        assert_eq!(proven.keys[0].did(), Some("did:ethr:0x1:traveller"));
    }
    let stranger = SigningKey::generate(KeyKind::Secp256k1, &mut Seeded(78));
    let proof = draft.sign(&stranger, Algorithm::Es256k, KeyName::Did(kid)).unwrap();
    assert_eq!(
        Case::new(NAAT_JWT, "jwt").check(&one(proof)),
        Err(ProofError::Signature)
    );
    let proof = draft
        .sign(&ethr(), Algorithm::Es256k, KeyName::Did("did:ethr:0x1:gone#controller"))
        .unwrap();
    assert_eq!(Case::new(NAAT_JWT, "jwt").check(&one(proof)), Err(ProofError::Key));
    let proof = draft.sign(&ethr(), Algorithm::Es256k, KeyName::Jwk).unwrap();
    assert_eq!(Case::new(NAAT_JWT, "jwt").check(&one(proof)), Err(ProofError::Binding));
}

#[test]
fn an_attestation_alone_or_with_one_proof_stands_for_all_its_keys() {
    let text = attestation(&[10, 11, 12], &[resistance::HIGH], Some(NONCE));
    let keys = [10, 11, 12].map(|seed| HolderKey::Jwk(public(seed)));
    let proven = Case::new(NAAT, "attestation")
        .check(&Proofs::Attestation(text.clone()))
        .unwrap();
    assert_eq!(proven.keys, keys);
    assert_eq!(proven.attested[0].key_storage, [resistance::HIGH]);
    let proven = Case::new(NAAT, "jwt").check(&one(draft(Some(&text)))).unwrap();
    assert_eq!(proven.keys, keys);
    let few = Case {
        max_keys: 2,
        ..Case::new(NAAT, "attestation")
    };
    assert_eq!(few.check(&Proofs::Attestation(text)).unwrap().keys, keys[..2]);
}

type Change = fn(&mut Value, &mut Value);

#[test]
fn proofs_that_are_not_exactly_right_are_refused() {
    let cases: [(&str, Change, ProofError); 22] = [
        ("typ", |header, _| header["typ"] = json!("JWT"), ProofError::Malformed),
        (
            "no typ",
            |header, _| drop(header.as_object_mut().unwrap().remove("typ")),
            ProofError::Malformed,
        ),
        ("none", |header, _| header["alg"] = json!("none"), ProofError::Algorithm),
        (
            "HS256",
            |header, _| header["alg"] = json!("HS256"),
            ProofError::Algorithm,
        ),
        (
            "not listed",
            |header, _| header["alg"] = json!("EdDSA"),
            ProofError::Algorithm,
        ),
        (
            "no key",
            |header, _| drop(header.as_object_mut().unwrap().remove("jwk")),
            ProofError::Key,
        ),
        (
            "two names",
            |header, _| header["kid"] = json!("did:jwk:x"),
            ProofError::Key,
        ),
        (
            "key and chain",
            |header, _| header["x5c"] = json!(["AAAA"]),
            ProofError::Key,
        ),
        (
            "private",
            |header, _| header["jwk"]["d"] = json!("AAAA"),
            ProofError::Key,
        ),
        (
            "other key",
            |header, _| header["jwk"] = public(11).to_jwk().unwrap(),
            ProofError::Signature,
        ),
        (
            "crit",
            |header, _| header["crit"] = json!(["exp"]),
            ProofError::Malformed,
        ),
        (
            "other issuer",
            |_, claims| claims["aud"] = json!("https://other.example"),
            ProofError::Audience,
        ),
        (
            "slash",
            |_, claims| claims["aud"] = json!(format!("{ISSUER}/")),
            ProofError::Audience,
        ),
        (
            "two audiences",
            |_, claims| claims["aud"] = json!([ISSUER, "https://other.example"]),
            ProofError::Audience,
        ),
        (
            "no audience",
            |_, claims| claims["aud"] = json!(null),
            ProofError::Audience,
        ),
        (
            "other client",
            |_, claims| claims["iss"] = json!("other"),
            ProofError::Client,
        ),
        (
            "no nonce",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("nonce")),
            ProofError::NonceMissing,
        ),
        (
            "other nonce",
            |_, claims| claims["nonce"] = json!("guessed"),
            ProofError::Nonce,
        ),
        (
            "nonce no text",
            |_, claims| claims["nonce"] = json!(1),
            ProofError::Malformed,
        ),
        (
            "old",
            |_, claims| claims["iat"] = json!(NOW.plus(-WINDOW - 1)),
            ProofError::Time,
        ),
        (
            "future",
            |_, claims| claims["iat"] = json!(NOW.plus(WINDOW + 1)),
            ProofError::Time,
        ),
        (
            "no iat",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("iat")),
            ProofError::Malformed,
        ),
    ];
    let case = Case::new(NAAT, "jwt");
    for (name, change, why) in cases {
        let proofs = one(altered(&draft(None), &key(10), change));
        assert_eq!(case.check(&proofs), Err(why), "{name}");
        let among = Proofs::Jwt(vec![by(12, None), altered(&draft(None), &key(10), change)]);
        assert!(case.check(&among).is_err(), "{name} among others");
    }
    assert_eq!(ProofError::Nonce.code(), CredentialErrorCode::InvalidNonce);
    assert_eq!(ProofError::NonceMissing.code(), CredentialErrorCode::InvalidProof);
}

#[test]
fn the_same_key_twice_and_too_many_keys_are_refused() {
    let case = Case::new(NAAT, "jwt");
    let twice = Proofs::Jwt(vec![by(10, None), by(10, None)]);
    assert_eq!(case.check(&twice), Err(ProofError::SameKey));
    let jwk = public(10).to_jwk().unwrap().to_string();
    let kid = format!("did:jwk:{}", encoding::base64url(jwk.as_bytes()));
    let hidden = altered(&by(10, None), &key(10), |header, _| {
        header.as_object_mut().unwrap().remove("jwk");
        header["kid"] = json!(kid);
    });
    assert_eq!(
        case.check(&Proofs::Jwt(vec![by(10, None), hidden])),
        Err(ProofError::SameKey)
    );
    let six = Proofs::Jwt((10..16).map(|seed| by(seed, None)).collect());
    assert_eq!(case.check(&six), Err(ProofError::TooMany));
}

#[test]
fn key_attestations_that_are_not_exactly_right_are_refused() {
    use KeyAttestationError as Why;
    let good = attestation(&[10, 11], &[resistance::HIGH], Some(NONCE));
    let cases: [(&str, Change, Why); 9] = [
        ("typ", |header, _| header["typ"] = json!("JWT"), Why::Malformed),
        ("alg", |header, _| header["alg"] = json!("EdDSA"), Why::Algorithm),
        (
            "no chain",
            |header, _| drop(header.as_object_mut().unwrap().remove("x5c")),
            Why::Signer(chain()),
        ),
        (
            "anchor in the chain",
            |header, _| {
                let root = encoding::base64(Attester::new(100).root.der());
                header["x5c"].as_array_mut().unwrap().push(json!(root));
            },
            Why::Signer(chain()),
        ),
        (
            "no keys",
            |_, claims| claims["attested_keys"] = json!([]),
            Why::Malformed,
        ),
        (
            "twice",
            |_, claims| claims["attested_keys"][1] = claims["attested_keys"][0].clone(),
            Why::Key,
        ),
        (
            "private",
            |_, claims| claims["attested_keys"][0]["d"] = json!("AAAA"),
            Why::Key,
        ),
        ("ended", |_, claims| claims["exp"] = json!(NOW), Why::Time),
        (
            "weak",
            |_, claims| claims["key_storage"] = json!([resistance::BASIC]),
            Why::Resistance,
        ),
    ];
    let case = Case::new(NAAT, "attestation");
    let signer = Attester::new(100).key;
    for (name, change, why) in cases {
        let text = altered(&good, &signer, change);
        assert_eq!(
            case.check(&Proofs::Attestation(text)),
            Err(ProofError::Attestation(why)),
            "{name}"
        );
    }
    let forged = altered(&good, &key(1), |_, _| {});
    assert_eq!(
        case.check(&Proofs::Attestation(forged)),
        Err(ProofError::Attestation(Why::Signature))
    );
    for (nonce, why) in [(None, ProofError::NonceMissing), (Some("guessed"), ProofError::Nonce)] {
        let text = attestation(&[10], &[resistance::HIGH], nonce);
        assert_eq!(case.check(&Proofs::Attestation(text)), Err(why));
    }
    let stranger = Case {
        roots: vec![Attester::new(200).root],
        ..Case::new(NAAT, "attestation")
    };
    assert!(matches!(
        stranger.check(&Proofs::Attestation(good)),
        Err(ProofError::Attestation(Why::Signer(_)))
    ));
}

fn chain() -> vidimus_credential::x509::CertificateError {
    vidimus_credential::x509::CertificateError::Chain
}

#[test]
fn an_attestation_that_nobody_asks_for_and_nobody_is_trusted_for_says_nothing() {
    let text = attestation(&[10, 11], &[resistance::HIGH], None);
    let mut case = Case {
        roots: Vec::new(),
        ..Case::new(NAAT, "jwt")
    };
    let proven = case.check(&one(draft(Some(&text)))).unwrap();
    assert_eq!(
        (proven.keys, proven.attested),
        (vec![HolderKey::Jwk(public(10))], Vec::new())
    );
    case.proof_type.key_attestations_required = Some(Default::default());
    assert!(case.check(&one(draft(Some(&text)))).is_err());
}

#[test]
fn a_proof_goes_with_the_attestation_of_its_own_key() {
    let mut case = Case::new(NAAT, "jwt");
    let of_others = attestation(&[11, 12], &[resistance::HIGH], None);
    assert_eq!(case.check(&one(draft(Some(&of_others)))), Err(ProofError::NotAttested));
    let stale = attestation(&[10], &[resistance::HIGH], Some("guessed"));
    assert_eq!(case.check(&one(draft(Some(&stale)))), Err(ProofError::Nonce));
    let endless = altered(&attestation(&[10], &[], None), &Attester::new(100).key, |_, claims| {
        claims.as_object_mut().unwrap().remove("exp");
    });
    assert_eq!(
        case.check(&one(draft(Some(&endless)))),
        Err(ProofError::Attestation(KeyAttestationError::Time))
    );
    case.proof_type.key_attestations_required = Some(Default::default());
    assert_eq!(case.check(&one(draft(None))), Err(ProofError::AttestationMissing));
    let by_place = altered(
        &draft(Some(&attestation(&[9, 10], &[], None))),
        &key(10),
        |header, _| {
            header.as_object_mut().unwrap().remove("jwk");
            header["kid"] = json!("1");
        },
    );
    assert_eq!(case.check(&one(by_place)).unwrap().keys[0], HolderKey::Jwk(public(10)));
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", header in "\\PC{0,60}") {
        let encode = |text: &str| encoding::base64url(text.as_bytes());
        let head = format!(r#"{{"alg":"ES256","typ":"openid4vci-proof+jwt","jwk":{header}}}"#);
        let case = Case::new(NAAT, "jwt");
        for token in [text.clone(), format!("{}.{}.AAAA", encode(&head), encode(&text))] {
            prop_assert!(case.check(&one(token.clone())).is_err());
            prop_assert!(case.check(&Proofs::Attestation(token)).is_err());
        }
    }
}

#[test]
fn a_did_that_leads_nowhere_or_to_a_private_key_is_refused() {
    let case = Case::new(NAAT, "jwt");
    let mut jwk = public(10).to_jwk().unwrap();
    jwk["d"] = json!("AAAA");
    let private = format!("did:jwk:{}", encoding::base64url(jwk.to_string().as_bytes()));
    for kid in ["did:jwk:", "did:jwk:AAAA", "did:jwk:e30#0", private.as_str(), "0", "x"] {
        let text = altered(&draft(None), &key(10), |header, _| {
            header.as_object_mut().unwrap().remove("jwk");
            header["kid"] = json!(kid);
        });
        assert_eq!(case.check(&one(text)), Err(ProofError::Key), "{kid}");
    }
}
