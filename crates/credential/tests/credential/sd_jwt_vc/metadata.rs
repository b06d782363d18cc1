//! Type Metadata and JWT VC Issuer Metadata.

use super::*;
use vidimus_credential::format::sd_jwt_vc::{
    issuer_metadata::{self, IssuerError, Key, Keys},
    type_metadata::{self, Disclosable, MAX_TYPES, Resolution, TypeError, TypeMetadata, verify_integrity},
};

fn read(document: &Value) -> Result<TypeMetadata, TypeError> {
    TypeMetadata::read(
        document.to_string().as_bytes(),
        "https://a.example/t",
        None,
        &Native::new(),
    )
}

#[test]
fn a_category_becomes_a_type() {
    let native = Native::new();
    for category in Categories::built_in().iter() {
        let vct = sd_jwt_vc::type_url("https://health.example", category.id());
        let document = type_metadata::document(category, &vct);
        assert_eq!(
            document,
            type_metadata::document(category, &vct),
            "the same bytes each time"
        );
        let integrity = type_metadata::integrity(&document, &native);
        let read = TypeMetadata::read(&document, &vct, Some(&integrity), &native).unwrap();
        assert_eq!(read.extends, None);
        let languages: Vec<_> = read.display.unwrap().into_iter().map(|words| words.locale).collect();
        assert_eq!(languages, category.languages().collect::<Vec<_>>());
        let paths: BTreeSet<_> = read.claims.iter().map(|claim| claim.path.clone()).collect();
        assert_eq!(paths.len(), read.claims.len(), "each claim once");
        for disclosure in category.disclosures() {
            let claim = read
                .claims
                .iter()
                .find(|claim| Some(&claim.path) == path_of(disclosure).as_ref())
                .unwrap();
            assert_eq!(claim.display.len(), disclosure.titles.len());
        }
    }
}

/// What the type says of its claims is what a copy does.
#[test]
fn a_copy_keeps_to_its_type() {
    let category = category("sars-cov-2-naat");
    let document = type_metadata::document(&category, VCT);
    let read = TypeMetadata::read(&document, VCT, None, &Native::new()).unwrap();
    let text = copy(&negative());
    let parsed = SdJwt::parse(&text).unwrap();
    let (whole, clear) = (
        parsed.process(&Native::new()).unwrap().claims,
        SdJwt::parse(&parsed.present(&[]))
            .unwrap()
            .process(&Native::new())
            .unwrap()
            .claims,
    );
    for claim in &read.claims {
        assert!(
            !claim.mandatory || !claim.path.select(&whole).is_empty(),
            "{:?} is mandatory",
            claim.path
        );
        let in_clear = !claim.path.select(&clear).is_empty();
        match claim.disclosable {
            Disclosable::Always => assert!(!in_clear, "{:?}", claim.path),
            Disclosable::Never => assert!(in_clear, "{:?}", claim.path),
            Disclosable::Allowed => panic!("{:?}: it is known", claim.path),
        }
    }
    let known = |name: &str| {
        read.claims
            .iter()
            .any(|claim| claim.path.leads_to(&ClaimPath::of([name])))
    };
    assert!(whole.keys().all(|name| known(name)), "each claim is described");
}

#[test]
fn integrity_is_what_the_standard_says() {
    let (native, document) = (Native::new(), b"{}".as_slice());
    let good = type_metadata::integrity(document, &native);
    assert_eq!(good, "sha256-RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
    let other = type_metadata::integrity(b"{ }", &native);
    for metadata in [
        good.clone(),
        format!(" {good}\n"),
        format!("{other} {good}"),
        format!("{good}?ct=application/json"),
        format!("md5-AAAA {good}"),
    ] {
        assert_eq!(verify_integrity(document, &metadata, &native), Ok(()), "{metadata}");
    }
    for (metadata, error) in [
        (other, TypeError::Integrity),
        ("sha256-".to_owned(), TypeError::Integrity),
        (good.trim_end_matches('=').to_owned(), TypeError::Integrity),
        (good.replace('/', "_").replace('+', "-"), TypeError::Integrity),
        (String::new(), TypeError::Unsupported),
        ("md5-AAAA".to_owned(), TypeError::Unsupported),
        ("SHA256-AAAA".to_owned(), TypeError::Unsupported),
        // A stronger one counts, and cannot be computed here.
        (format!("{good} sha384-AAAA"), TypeError::Unsupported),
        (format!("sha512-AAAA {good}"), TypeError::Unsupported),
        (format!("{good} ").repeat(40), TypeError::Unsupported),
    ] {
        assert_eq!(verify_integrity(document, &metadata, &native), Err(error), "{metadata}");
    }
}

#[test]
fn documents_that_are_no_types() {
    let vct = "https://a.example/t";
    for (document, error) in [
        (json!({}), TypeError::Member("vct")),
        (json!({"vct": 1}), TypeError::Member("vct")),
        (json!({"vct": "https://a.example/T"}), TypeError::Type),
        (json!({"vct": vct, "name": 1}), TypeError::Member("name")),
        (json!({"vct": vct, "extends": {}}), TypeError::Member("extends")),
        (json!({"vct": vct, "display": {}}), TypeError::Member("display")),
        (
            json!({"vct": vct, "display": [{"name": "a"}]}),
            TypeError::Member("locale"),
        ),
        (
            json!({"vct": vct, "display": [{"locale": "en"}]}),
            TypeError::Member("name"),
        ),
        (json!({"vct": vct, "claims": [1]}), TypeError::Member("claims")),
        (json!({"vct": vct, "claims": [{}]}), TypeError::Member("path")),
        (json!({"vct": vct, "claims": [{"path": []}]}), TypeError::Member("path")),
        (
            json!({"vct": vct, "claims": [{"path": ["a"], "sd": "sometimes"}]}),
            TypeError::Member("sd"),
        ),
        (
            json!({"vct": vct, "claims": [{"path": ["a"], "mandatory": "yes"}]}),
            TypeError::Member("mandatory"),
        ),
        (
            json!({"vct": vct, "claims": [{"path": ["a"], "display": [{"locale": "en"}]}]}),
            TypeError::Member("label"),
        ),
        (
            json!({"vct": vct, "claims": vec![json!({"path": ["a"]}); 1_025]}),
            TypeError::Member("claims"),
        ),
    ] {
        assert_eq!(read(&document), Err(error));
    }
    assert!(matches!(read(&json!([])), Err(TypeError::Json(_))));
    let twice = br#"{"vct":"https://a.example/t","vct":"https://a.example/u"}"#;
    assert!(matches!(
        TypeMetadata::read(twice, vct, None, &Native::new()),
        Err(TypeError::Json(_))
    ));
    let taken =
        read(&json!({"vct": vct, "strange": {"a": 1}, "claims": [{"path": ["a", null, 0], "svg_id": "x"}]})).unwrap();
    assert_eq!(
        (taken.claims.len(), taken.claims[0].disclosable),
        (1, Disclosable::Allowed)
    );
}

fn resolve(vct: &str, documents: &[Value]) -> Result<TypeMetadata, TypeError> {
    let mut resolution = Resolution::new(vct, None);
    for _ in 0..20 {
        let Some(wanted) = resolution.wanted() else { break };
        let document = documents
            .iter()
            .find(|document| document["vct"] == wanted)
            .ok_or(TypeError::Incomplete)?;
        resolution.supply(document.to_string().as_bytes(), &Native::new())?;
    }
    resolution.finish()
}

#[test]
fn types_extend_each_other() {
    let label = |text: &str| json!([{"locale": "en", "label": text}]);
    // The draft's own example, §9.5.2.
    let base = json!({"vct": "base", "display": [{"locale": "en", "name": "Base"}], "claims": [
        {"path": ["name"], "display": label("Full Name")}, {"path": ["address", "city"], "display": label("City")}]});
    let child = json!({"vct": "child", "extends": "base", "claims": [
        {"path": ["address", "city"], "display": label("Town")}, {"path": ["nationalities"], "display": label("Nationalities")}]});
    let whole = resolve("child", &[base.clone(), child]).unwrap();
    let labels: Vec<_> = whole
        .claims
        .iter()
        .map(|claim| claim.display[0].name.as_str())
        .collect();
    assert_eq!(labels, ["Full Name", "Town", "Nationalities"]);
    assert_eq!(
        (whole.vct.as_str(), whole.display.unwrap()[0].name.as_str()),
        ("child", "Base")
    );

    // Integrity holds along the chain.
    let good = type_metadata::integrity(base.to_string().as_bytes(), &Native::new());
    let child = |integrity: &str| json!({"vct": "child", "extends": "base", "extends#integrity": integrity});
    assert!(resolve("child", &[base.clone(), child(&good)]).is_ok());
    assert_eq!(
        resolve("child", &[base.clone(), child("sha256-AAAA")]),
        Err(TypeError::Integrity)
    );
    assert_eq!(resolve("child", &[base, child("none")]), Err(TypeError::Unsupported));
}

#[test]
fn types_that_cannot_be_resolved() {
    let extends = |vct: &str, other: &str| json!({"vct": vct, "extends": other});
    assert_eq!(resolve("a", &[extends("a", "a")]), Err(TypeError::Circle));
    assert_eq!(
        resolve("a", &[extends("a", "b"), extends("b", "c"), extends("c", "a")]),
        Err(TypeError::Circle)
    );
    let chain: Vec<_> = (0..20).map(|n| extends(&n.to_string(), &(n + 1).to_string())).collect();
    assert_eq!(resolve("0", &chain), Err(TypeError::TooLong));
    let mut ends = chain[..MAX_TYPES - 1].to_vec();
    ends.push(json!({"vct": (MAX_TYPES - 1).to_string()}));
    assert!(resolve("0", &ends).is_ok());
    assert_eq!(resolve("a", &[extends("a", "b")]), Err(TypeError::Incomplete));
    assert_eq!(Resolution::new("a", None).finish(), Err(TypeError::Incomplete));
    let with = |vct: &str, claim: Value| json!({"vct": vct, "extends": if vct == "child" { json!("base") } else { Value::Null }, "claims": [claim]});
    let strip = |mut document: Value| {
        if document["extends"].is_null() {
            document.as_object_mut().unwrap().remove("extends");
        }
        document
    };
    let both = |base: Value, child: Value| resolve("child", &[strip(with("base", base)), with("child", child)]);
    for (base, child, error) in [
        (
            json!({"path": ["a"], "sd": "always"}),
            json!({"path": ["a"], "sd": "never"}),
            TypeError::Fixed("sd"),
        ),
        (
            json!({"path": ["a"], "sd": "always"}),
            json!({"path": ["a"]}),
            TypeError::Fixed("sd"),
        ),
        (
            json!({"path": ["a"], "sd": "never"}),
            json!({"path": ["a"], "sd": "allowed"}),
            TypeError::Fixed("sd"),
        ),
        (
            json!({"path": ["a"], "mandatory": true}),
            json!({"path": ["a"]}),
            TypeError::Fixed("mandatory"),
        ),
    ] {
        assert_eq!(both(base, child), Err(error));
    }
    let narrowed = both(
        json!({"path": ["a"]}),
        json!({"path": ["a"], "sd": "always", "mandatory": true}),
    )
    .unwrap();
    assert_eq!(
        (narrowed.claims[0].disclosable, narrowed.claims[0].mandatory),
        (Disclosable::Always, true)
    );
}

#[test]
fn where_an_issuer_has_its_metadata() {
    for (issuer, url) in [
        ("https://example.com", "https://example.com/.well-known/jwt-vc-issuer"),
        ("https://example.com/", "https://example.com/.well-known/jwt-vc-issuer"),
        (
            "https://example.com/tenant/1234",
            "https://example.com/.well-known/jwt-vc-issuer/tenant/1234",
        ),
        (
            "https://example.com:8443/a/",
            "https://example.com:8443/.well-known/jwt-vc-issuer/a",
        ),
    ] {
        assert_eq!(issuer_metadata::url(issuer).as_deref(), Ok(url));
    }
    for issuer in [
        "",
        "https://",
        "https:///a",
        "http://example.com",
        "did:web:example.com",
        "https://a.example?b",
        "https://a.example#b",
        "https://a@b.example",
        "https://a b.example",
        "HTTPS://a.example",
    ] {
        assert_eq!(issuer_metadata::url(issuer), Err(IssuerError::Url), "{issuer}");
    }
}

#[test]
fn an_issuers_metadata() {
    let issuer = "https://lab.example";
    let keys = vec![
        Key {
            id: Some("one".into()),
            key: public(&key(KeyKind::P256, 1)),
        },
        Key {
            id: None,
            key: public(&key(KeyKind::Ed25519, 1)),
        },
    ];
    let document = issuer_metadata::document(issuer, &keys);
    assert_eq!(issuer_metadata::read(&document, issuer), Ok(Keys::Here(keys.clone())));
    assert_eq!(
        issuer_metadata::read(&document, "https://lab.example/"),
        Err(IssuerError::Issuer)
    );
    let whole: Value = serde_json::from_slice(&document).unwrap();
    let jwks = whole["jwks"].clone();
    assert_eq!(issuer_metadata::read_keys(jwks.to_string().as_bytes()), Ok(keys));
    let at = json!({"issuer": issuer, "jwks_uri": "https://keys.example/set"});
    assert_eq!(
        issuer_metadata::read(at.to_string().as_bytes(), issuer),
        Ok(Keys::At("https://keys.example/set".into()))
    );
    let mut private = jwks["keys"][0].clone();
    private["d"] = "AAAA".into();
    let mut encrypts = jwks["keys"][0].clone();
    encrypts["use"] = "enc".into();
    for (document, error) in [
        (json!({ "jwks": jwks }), IssuerError::Member("issuer")),
        (json!({"issuer": [issuer], "jwks": jwks}), IssuerError::Member("issuer")),
        (json!({ "issuer": issuer }), IssuerError::Member("jwks")),
        (
            json!({"issuer": issuer, "jwks": jwks, "jwks_uri": "https://keys.example/set"}),
            IssuerError::Member("jwks"),
        ),
        (
            json!({"issuer": issuer, "jwks_uri": 1}),
            IssuerError::Member("jwks_uri"),
        ),
        (
            json!({"issuer": issuer, "jwks": jwks["keys"]}),
            IssuerError::Member("jwks"),
        ),
        (json!({"issuer": issuer, "jwks": {"keys": []}}), IssuerError::NoKey),
        (
            json!({"issuer": issuer, "jwks": {"keys": [private]}}),
            IssuerError::NoKey,
        ),
        (
            json!({"issuer": issuer, "jwks": {"keys": [encrypts]}}),
            IssuerError::NoKey,
        ),
        (
            json!({"issuer": issuer, "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}),
            IssuerError::NoKey,
        ),
        (
            json!({"issuer": issuer, "jwks": {"keys": vec![json!({}); 65]}}),
            IssuerError::Member("jwks"),
        ),
    ] {
        assert_eq!(
            issuer_metadata::read(document.to_string().as_bytes(), issuer),
            Err(error),
            "{document}"
        );
    }
    assert!(matches!(
        issuer_metadata::read(b"[]", issuer),
        Err(IssuerError::Json(_))
    ));
}
