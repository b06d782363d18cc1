//! Transaction data: what is authorised beside presenting.

use super::world::*;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use vidimus_core::encoding;
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    dcql::{Credential, Query},
    vp::*,
};

fn members(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn encoded(value: &Value) -> String {
    encoding::base64url(value.to_string().as_bytes())
}

fn payment() -> TransactionType {
    let rule = |name: &str, kind, required| MemberRule {
        name: name.into(),
        kind,
        required,
    };
    TransactionType {
        name: "urn:example:payment".into(),
        members: vec![
            rule("payee", MemberKind::Text, true),
            rule("cents", MemberKind::Integer, true),
            rule("recurring", MemberKind::Boolean, false),
        ],
    }
}

fn data(cents: i64) -> TransactionData {
    let own = members(json!({"payee": "Airline", "cents": cents}));
    TransactionData::new("urn:example:payment", &["test"], &own).unwrap()
}

#[test]
fn the_traveller_authorises_what_the_airline_asked() {
    let world = World::new();
    let (session, _) = world.open(Ask {
        transaction_data: vec![data(1700), data(200)],
        ..ask()
    });
    let wallet = Wallet {
        transaction_types: vec![payment()],
        ..wallet(Policy::haip())
    };
    let incoming = world.receive(&wallet, &session, RequestUriMethod::Get).unwrap();
    let asked = &incoming.request.transaction_data;
    assert_eq!(asked, &session.transaction_data);
    assert_eq!(asked[0].members()["cents"], 1700);
    let all: Vec<&TransactionData> = asked.iter().collect();
    let claims = TransactionData::claims(&all, &world.native);
    assert_eq!(claims["transaction_data_hashes_alg"], "sha-256");
    let verify = |presented: &[(&str, &Map<String, Value>)]| {
        TransactionData::verify(&session.transaction_data, presented, &world.native)
    };
    assert_eq!(verify(&[("test", &claims)]), Ok(()));

    let none = Map::new();
    let half = TransactionData::claims(&all[..1], &world.native);
    let other = data(1);
    let foreign = TransactionData::claims(&[&other], &world.native);
    let mut twice = claims.clone();
    let first = twice["transaction_data_hashes"][0].clone();
    twice["transaction_data_hashes"].as_array_mut().unwrap().push(first);
    let mut sha512 = claims.clone();
    sha512.insert("transaction_data_hashes_alg".into(), "sha-512".into());
    let mut silent = claims.clone();
    silent.remove("transaction_data_hashes_alg");
    let mut text = claims.clone();
    text.insert("transaction_data_hashes".into(), "x".into());
    let mut empty = claims.clone();
    empty.insert("transaction_data_hashes".into(), json!([]));
    use TransactionError::{Hash, NotAuthorised, Other};
    for (name, presented, error) in [
        ("nothing", vec![], NotAuthorised),
        ("no hashes", vec![("test", &none)], NotAuthorised),
        ("one of two", vec![("test", &half)], NotAuthorised),
        ("something else", vec![("test", &foreign)], Other),
        ("by another credential", vec![("other", &claims)], Other),
        ("twice", vec![("test", &twice)], Other),
        (
            "with two presentations",
            vec![("test", &claims), ("test", &half)],
            Other,
        ),
        ("another hash", vec![("test", &sha512)], Hash),
        ("no hash algorithm", vec![("test", &silent)], Hash),
        ("a text", vec![("test", &text)], Other),
        ("an empty list", vec![("test", &empty)], Other),
    ] {
        assert_eq!(verify(&presented), Err(error), "{name}");
    }
    assert_eq!(TransactionData::verify(&[], &[("test", &none)], &world.native), Ok(()));
    assert_eq!(
        TransactionData::verify(&[], &[("test", &claims)], &world.native),
        Err(Other),
        "nothing was asked for"
    );
}

/// The text itself is hashed and not what it means: two ways to write the same are two things.
#[test]
fn the_hash_is_of_the_text() {
    let native = Native::new();
    let one = TransactionData::parse(&encoding::base64url(br#"{"type":"t","credential_ids":["a"]}"#)).unwrap();
    let other = TransactionData::parse(&encoding::base64url(br#"{"type":"t", "credential_ids":["a"]}"#)).unwrap();
    assert_ne!(one.hash(&native), other.hash(&native));
    assert_eq!(
        one.hash(&native),
        encoding::base64url(vidimus_core::Provider::sha256(&native, &[one.encoded().as_bytes()]).as_bytes())
    );
    assert!(
        TransactionData::claims(&[&one], &native)
            .get("transaction_data_hashes_alg")
            .is_none()
    );
}

#[test]
fn what_is_not_of_its_form() {
    use TransactionError::{Credential, Hash, Malformed, Member};
    for (value, error) in [
        (json!([]), Malformed),
        (json!({"credential_ids": ["a"]}), Member),
        (json!({"type": 1, "credential_ids": ["a"]}), Member),
        (json!({"type": "", "credential_ids": ["a"]}), Member),
        (json!({"type": "t"}), Credential),
        (json!({"type": "t", "credential_ids": []}), Credential),
        (json!({"type": "t", "credential_ids": "a"}), Credential),
        (json!({"type": "t", "credential_ids": [1]}), Credential),
        (
            json!({"type": "t", "credential_ids": ["a"], "transaction_data_hashes_alg": "sha-256"}),
            Member,
        ),
        (
            json!({"type": "t", "credential_ids": ["a"], "transaction_data_hashes_alg": []}),
            Member,
        ),
        (
            json!({"type": "t", "credential_ids": ["a"], "transaction_data_hashes_alg": ["sha-512"]}),
            Hash,
        ),
    ] {
        assert_eq!(TransactionData::parse(&encoded(&value)), Err(error), "{value}");
    }
    assert_eq!(TransactionData::parse("="), Err(Malformed));
    let long = json!({"type": "t", "credential_ids": ["a"], "x": "x".repeat(20_000)});
    assert_eq!(TransactionData::parse(&encoded(&long)), Err(Malformed));
    let own = members(json!({"type": "other"}));
    assert_eq!(TransactionData::new("t", &["a"], &own), Err(Member));
}

#[test]
fn a_wallet_takes_what_it_can_show() {
    let world = World::new();
    let wallet = Wallet {
        transaction_types: vec![payment()],
        ..wallet(Policy::haip())
    };
    use TransactionError::{Credential, Member, Type};
    for (value, error) in [
        (
            json!({"type": "urn:example:signature", "credential_ids": ["test"]}),
            Type,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "A"}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "A", "cents": "1"}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "", "cents": 1}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "a\nb", "cents": 1}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "A", "cents": 1.5}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "A", "cents": 1, "more": 1}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test"], "payee": "A", "cents": 1, "recurring": "no"}),
            Member,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["other"], "payee": "A", "cents": 1}),
            Credential,
        ),
        (
            json!({"type": "urn:example:payment", "credential_ids": ["test", "other"], "payee": "A", "cents": 1}),
            Credential,
        ),
    ] {
        let good = data(1).encoded().to_owned();
        let refused = world.tampered(&wallet, |claims, _| {
            claims.insert("transaction_data".into(), json!([good, encoded(&value)]));
        });
        let error_found = refused.unwrap_err().error;
        assert_eq!(error_found, RequestError::Transaction(error), "{value}");
        assert_eq!(error_found.code(), ErrorCode::InvalidTransactionData);
    }
}

/// Appendix B.3.3: without a key there is nothing to authorise with.
#[test]
fn a_credential_without_its_key_authorises_nothing() {
    let world = World::new();
    let mut credential = Credential::sd_jwt_vc("test", ["urn:vidimus:test"]);
    credential.holder_binding = false;
    let query = Query::new(vec![credential], Vec::new()).unwrap();
    let refused = world.try_open(Ask {
        query: query.clone(),
        transaction_data: vec![data(1)],
        ..ask()
    });
    assert_eq!(
        refused.map(drop).unwrap_err(),
        AskError::Transaction(TransactionError::NotBound)
    );
    let wallet = Wallet {
        transaction_types: vec![payment()],
        ..wallet(Policy::haip())
    };
    let refused = world.tampered(&wallet, |claims, _| {
        claims.insert("dcql_query".into(), query.to_json());
        claims.insert("transaction_data".into(), json!([data(1)]));
    });
    assert_eq!(
        refused.unwrap_err().error,
        RequestError::Transaction(TransactionError::NotBound)
    );
    // And without its key, the state is what ties the response to the request (§5.3).
    let refused = world.tampered(&wallet, |claims, _| {
        claims.insert("dcql_query".into(), query.to_json());
        claims.remove("state");
    });
    assert_eq!(refused.unwrap_err().error, RequestError::Missing("state"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[A-Za-z0-9_=-]{0,80}") {
        if let Ok(data) = TransactionData::parse(&text) {
            prop_assert_eq!(data.encoded(), text);
        }
    }

    #[test]
    fn what_is_made_reads_back(payee in "\\PC{1,30}", cents: i64) {
        let own = members(json!({"payee": payee, "cents": cents}));
        let made = TransactionData::new("urn:example:payment", &["a", "b"], &own).unwrap();
        prop_assert_eq!(made.members(), &own);
        prop_assert_eq!(payment().check(&made), Ok(()));
        let read: TransactionData = serde_json::from_value(json!(made)).unwrap();
        prop_assert_eq!(read, made);
    }
}
