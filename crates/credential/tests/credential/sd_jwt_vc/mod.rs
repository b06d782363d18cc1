//! SD-JWT VC: what is in the clear and what is not, attributes and their claims, types and issuers' metadata.

mod metadata;

use crate::support::{Seeded, key, public, statement};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use vidimus_core::{Algorithm, Provider, Signer};
use vidimus_credential::{
    DisclosedPerson, Format, Statement,
    category::{Categories, Category},
    format::{
        self, Content, FormatError, Unsigned,
        sd_jwt_vc::{self, Asked, Terms, asked, path_of},
    },
    sd_jwt::{ClaimPath, SdJwt},
};
use vidimus_crypto::{KeyKind, Native};

const VCT: &str = "https://health.example/v1/types/sars-cov-2-naat";

fn category(id: &str) -> std::sync::Arc<Category> {
    let id = vidimus_credential::CategoryId::new(id).unwrap();
    Categories::built_in().category(&id).unwrap().clone()
}

/// The statement of the other formats, with claims that its category has.
fn negative() -> Statement {
    let claims = json!({
        "target": "840539006", "test_type": "LP6464-4", "sampled_at": "2026-03-01T06:00:00Z", "result": "260415000", "country": "AT",
    });
    Statement {
        claims: claims.as_object().unwrap().clone(),
        ..statement()
    }
}

fn prepared(statement: &Statement, change: impl FnOnce(&mut Terms<'_>)) -> Result<sd_jwt_vc::Unsigned, FormatError> {
    let holder = public(&key(KeyKind::P256, 21));
    let chain = [vec![0x30, 1, 2], vec![0x30, 3, 4]];
    let mut terms = Terms {
        issuer: "https://health.example/issuers/1",
        vct: VCT,
        integrity: "sha256-AAAA",
        holder: &holder,
        kid: Some("2026"),
        chain: &chain,
    };
    change(&mut terms);
    sd_jwt_vc::prepare(
        statement,
        &category("sars-cov-2-naat"),
        &terms,
        &Native::new(),
        &mut Seeded(5),
    )
}

fn copy(statement: &Statement) -> String {
    let unsigned = prepared(statement, |_| {}).unwrap();
    let signature = key(KeyKind::P256, 7)
        .sign(Algorithm::Es256, unsigned.message())
        .unwrap();
    unsigned.finish(&signature)
}

fn content(text: &str) -> sd_jwt_vc::Content {
    match format::parse(text).unwrap().content {
        Content::SdJwtVc(content) => *content,
        Content::Statement(_) | Content::Hcert(_) => panic!("another format"),
    }
}

#[test]
fn a_copy_says_what_was_stated() {
    let (native, statement) = (Native::new(), negative());
    let text = copy(&statement);
    let parsed = format::parse(&text).unwrap();
    assert_eq!((parsed.format, parsed.algorithm), (Format::SdJwtVc, Algorithm::Es256));
    let issuer = public(&key(KeyKind::P256, 7));
    assert_eq!(
        native.verify(Algorithm::Es256, &issuer, &parsed.message, &parsed.signature),
        Ok(())
    );
    let (jwt, _) = text.split_once('~').unwrap();
    let (message, _) = jwt.rsplit_once('.').unwrap();
    assert_eq!(
        parsed.digest(&native),
        native.sha256(&[message.as_bytes()]),
        "disclosures are not anchored"
    );

    let content = content(&text);
    assert_eq!(content.issuer.as_deref(), Some("https://health.example/issuers/1"));
    assert_eq!(
        (content.vct.as_str(), content.integrity.as_deref()),
        (VCT, Some("sha256-AAAA"))
    );
    assert_eq!(content.category(), Some(statement.category.clone()));
    assert_eq!(content.copy_id(), Some(statement.id));
    let times = (content.issued_at, content.valid_from, content.valid_until);
    assert_eq!(
        times,
        (
            Some(statement.issued_at),
            Some(statement.valid_from),
            Some(statement.valid_until)
        )
    );
    assert_eq!(content.holder, Some(public(&key(KeyKind::P256, 21))));
    let status = content.status.clone().unwrap();
    assert_eq!(
        (status.index, status.token_list.as_str()),
        (90_001, "https://health.example/status/1")
    );
    assert_eq!((content.chain.len(), content.kid.as_deref()), (2, Some("2026")));
    let shown = content.show(&native).unwrap();
    assert_eq!(shown.person, DisclosedPerson::from(statement.person.clone()));
    assert_eq!(shown.claims, statement.claims);
}

#[test]
fn nothing_of_the_person_is_in_the_clear() {
    let statement = negative();
    let text = copy(&statement);
    let payload = SdJwt::parse(&text).unwrap().jws().claims().unwrap();
    let names: BTreeSet<&str> = payload.keys().map(String::as_str).collect();
    let clear = [
        "_sd",
        "_sd_alg",
        "claims",
        "cnf",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "status",
        "vct",
        "vct#integrity",
    ];
    assert_eq!(names, clear.into());
    let inside: Vec<_> = payload["claims"].as_object().unwrap().keys().collect();
    assert_eq!(inside, ["_sd"]);
    let whole = Value::Object(payload).to_string();
    let header = SdJwt::parse(&text).unwrap().jws().header_members();
    let whole = format!("{whole}{}", Value::Object(header));
    let person = &statement.person;
    for secret in [
        &person.family_name,
        &person.given_name,
        &person.birth_date,
        statement.holder.as_ref().unwrap(),
        &statement.issuer,
    ] {
        assert!(!whole.contains(secret.as_str()), "{secret}");
    }
    assert!(!whole.contains("260415000") && !whole.contains("did:"));
}

#[test]
fn the_number_of_digests_does_not_tell_what_is_optional() {
    let few = negative();
    let mut many = negative();
    many.claims.insert("test_name".into(), "PCR".into());
    many.claims.insert("testing_centre".into(), "Wien".into());
    let mut unknown = negative();
    unknown.person.birth_date = String::new();
    let count = |statement: &Statement| {
        let text = copy(statement);
        let payload = SdJwt::parse(&text).unwrap().jws().claims().unwrap();
        let digests = |value: &Value| value["_sd"].as_array().unwrap().len();
        (
            digests(&Value::Object(payload.clone())),
            digests(&payload["claims"]),
            content(&text).disclosures().count(),
        )
    };
    assert_eq!(count(&few), (5, 8, 10));
    assert_eq!(count(&many), (5, 8, 12));
    assert_eq!(count(&unknown), (5, 8, 9));
    let shown = content(&copy(&unknown)).show(&Native::new()).unwrap();
    assert_eq!(shown.person.birth_date, None);
}

#[test]
fn copies_of_one_result_have_nothing_in_common_but_the_deployment() {
    let statement = negative();
    let one = copy(&statement);
    let holder = public(&key(KeyKind::P256, 22));
    let unsigned = sd_jwt_vc::prepare(
        &statement,
        &category("sars-cov-2-naat"),
        &Terms {
            issuer: "https://health.example/issuers/1",
            vct: VCT,
            integrity: "sha256-AAAA",
            holder: &holder,
            kid: None,
            chain: &[vec![0x30]],
        },
        &Native::new(),
        &mut Seeded(6),
    )
    .unwrap();
    let other = unsigned.finish(&[0; 64]);
    let all = |text: &str| {
        text.split('~')
            .skip(1)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    assert!(all(&one).is_disjoint(&all(&other)));
    // The same entropy gives the same bytes, so that an interrupted issue is taken up again.
    let again = || prepared(&statement, |_| {}).unwrap().to_kept();
    assert_eq!(again(), again());
}

#[test]
fn a_copy_is_kept_while_it_is_signed_elsewhere() {
    let unsigned = prepared(&negative(), |_| {}).unwrap();
    let whole = Unsigned::SdJwtVc(unsigned.clone());
    assert_eq!(whole.message(), unsigned.message());
    let again = Unsigned::from_message(Format::SdJwtVc, whole.to_kept()).unwrap();
    assert_eq!(again, whole);
    assert_eq!(again.finish(&[3; 64]), unsigned.clone().finish(&[3; 64]));
    for kept in [
        unsigned.message().to_vec(),
        Vec::new(),
        b"~".to_vec(),
        b"a.b~".to_vec(),
        vec![0xff],
    ] {
        assert!(Unsigned::from_message(Format::SdJwtVc, kept).is_err());
    }
}

#[test]
fn what_is_not_prepared() {
    let secp = public(&key(KeyKind::Secp256k1, 1));
    let refused = |statement: &Statement, change: fn(&mut Terms<'_>)| prepared(statement, change).unwrap_err();
    let statement = negative();
    assert_eq!(
        refused(&statement, |terms| terms.chain = &[]),
        FormatError::Claim("x5c")
    );
    let unsigned = prepared(&statement, |_| {}).unwrap();
    assert!(!format!("{unsigned:?}").contains("eyJ"));
    let chain = vec![vec![1]; 5];
    let category = category("sars-cov-2-naat");
    let prepare = |terms: &Terms<'_>, statement: &Statement| {
        sd_jwt_vc::prepare(statement, &category, terms, &Native::new(), &mut Seeded(1)).unwrap_err()
    };
    let holder = public(&key(KeyKind::P256, 21));
    let terms = Terms {
        issuer: "https://a.example",
        vct: VCT,
        integrity: "sha256-AA==",
        holder: &holder,
        kid: None,
        chain: &chain,
    };
    assert_eq!(prepare(&terms, &statement), FormatError::Claim("x5c"));
    let terms = Terms {
        chain: &chain[..1],
        ..terms
    };
    assert_eq!(
        prepare(
            &Terms {
                holder: &secp,
                ..terms.clone()
            },
            &statement
        ),
        FormatError::Claim("cnf")
    );
    let mut other = negative();
    other.category = vidimus_credential::CategoryId::new("sars-cov-2-antigen").unwrap();
    assert_eq!(prepare(&terms, &other), FormatError::Mismatch("category"));
    let mut other = negative();
    other.valid_until = vidimus_core::Timestamp(i64::MAX);
    assert_eq!(prepare(&terms, &other), FormatError::Claim("exp"));
    for name in ["_sd", "...", "_sd_alg"] {
        let mut other = negative();
        other.claims.insert(name.into(), json!([]));
        assert_eq!(prepare(&terms, &other), FormatError::Claim("claims"));
    }
    let mut other = negative();
    other.claims.insert("many".into(), json!(vec![1; 300]));
    assert_eq!(prepare(&terms, &other), FormatError::TooLarge);
}

#[test]
fn attributes_and_their_claims() {
    for category in Categories::built_in().iter() {
        let mut seen = BTreeSet::new();
        for disclosure in category.disclosures() {
            let path = path_of(disclosure).unwrap_or_else(|| panic!("{}", disclosure.pointer));
            assert!(seen.insert(path.clone()), "{path:?} stands for two attributes");
            assert_eq!(asked(category, &path), Asked::Attribute(&disclosure.name));
            let part = path.then("part");
            assert_eq!(
                asked(category, &part),
                Asked::Attribute(&disclosure.name),
                "a part of it"
            );
        }
    }
    let category = category("sars-cov-2-naat");
    let path = |value: Value| ClaimPath::from_json(&value).unwrap();
    let of = |name: &str| path_of(category.disclosure(name).unwrap()).unwrap().to_json();
    assert_eq!(of("birth_date"), json!(["birthdate"]));
    assert_eq!(of("result"), json!(["claims", "result"]));
    assert_eq!((of("valid_from"), of("valid_until")), (json!(["nbf"]), json!(["exp"])));
    for clear in ["iss", "iat", "vct", "vct#integrity", "cnf", "status", "jti"] {
        assert_eq!(asked(&category, &path(json!([clear]))), Asked::Clear);
    }
    for nothing in [
        json!(["claims"]),
        json!(["claims", null]),
        json!([null]),
        json!(["birth_date"]),
        json!(["result"]),
        json!(["claims", "vip"]),
        json!(["_sd"]),
    ] {
        assert_eq!(asked(&category, &path(nothing.clone())), Asked::Nothing, "{nothing}");
    }
}

#[test]
fn a_verifier_sees_what_it_was_shown() {
    let statement = negative();
    let text = copy(&statement);
    let read = SdJwt::parse(&text).unwrap();
    let processed = read.process(&Native::new()).unwrap();
    let category = category("sars-cov-2-naat");
    for disclosure in category.disclosures() {
        let path = path_of(disclosure).unwrap();
        let value = disclosure.value(&statement);
        let Ok(chosen) = processed.choose(std::slice::from_ref(&path)) else {
            assert_eq!(value, None, "{path:?}");
            continue;
        };
        let shown = content(&read.present(&chosen));
        assert_eq!(shown.disclosures().count(), chosen.len());
        let shown = shown.show(&Native::new()).unwrap();
        let in_clear = ["/valid_from", "/valid_until"].contains(&disclosure.pointer.as_str());
        assert_eq!(chosen.len(), usize::from(!in_clear), "{path:?}");
        let said = shown.claims.len()
            + [
                &shown.person.family_name,
                &shown.person.given_name,
                &shown.person.birth_date,
            ]
            .into_iter()
            .flatten()
            .count();
        assert_eq!(said, usize::from(!in_clear), "one attribute and no other");
    }
    let none = content(&read.present(&[])).show(&Native::new()).unwrap();
    assert_eq!((none.person, none.claims), (DisclosedPerson::default(), Map::new()));
}

#[test]
fn types_that_name_a_category() {
    let named = |vct: &str| sd_jwt_vc::category_of(vct).map(|id| id.to_string());
    assert_eq!(named(VCT).as_deref(), Some("sars-cov-2-naat"));
    assert_eq!(
        named(&sd_jwt_vc::type_url("https://a.example/b/", &negative().category)).as_deref(),
        Some("sars-cov-2-naat")
    );
    for other in [
        "sars-cov-2-naat",
        "/v1/types/sars-cov-2-naat",
        "https:///v1/types/",
        "https://a.example/v1/types/",
        "https://a.example/v1/types/UPPER",
        "https://a.example/v1/types/a/b",
        "https://a.example/v1/types/a?b",
        "urn:eudi:pid:1",
        "ftp://a.example/v1/types/a",
    ] {
        assert_eq!(named(other), None, "{other}");
    }
}
