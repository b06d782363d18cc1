//! DIDs and DID URLs: what is read, what is refused, how they are written.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use vidimus_core::{Address, SignatureError, Timestamp, encoding::base64url};
use vidimus_crypto::Native;
use vidimus_identity::{
    Did, DidError, DidUrl, EthrKey, Web,
    ethr::{AttributeName, Encoding, PublicKeyPurpose},
};

const ADDRESS: &str = "0xf3beac30c498d9e26865f34fcaa57dbb935b0d74";
const ONE: &str = "0x0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

fn did(text: &str) -> Result<Did, DidError> {
    text.parse()
}

#[test]
fn a_did_ethr_is_written_one_way() {
    let address: Address = ADDRESS.parse().unwrap();
    for (text, chain_id, canonical) in [
        (
            format!("did:ethr:0x56494d:{ADDRESS}"),
            0x0056_494d,
            format!("did:ethr:0x56494d:{ADDRESS}"),
        ),
        (
            format!("did:ethr:0x56494D:{}", "0xF3beAC30C498D9E26865F34fCAa57dBB935b0D74"),
            0x0056_494d,
            format!("did:ethr:0x56494d:{ADDRESS}"),
        ),
        (format!("did:ethr:{ADDRESS}"), 1, format!("did:ethr:{ADDRESS}")),
        (format!("did:ethr:mainnet:{ADDRESS}"), 1, format!("did:ethr:{ADDRESS}")),
        (format!("did:ethr:0x1:{ADDRESS}"), 1, format!("did:ethr:{ADDRESS}")),
    ] {
        let parsed = did(&text).unwrap();
        assert_eq!(parsed, Did::ethr(chain_id, address), "{text}");
        assert_eq!(parsed.to_string(), canonical);
        assert_eq!(
            serde_json::from_str::<Did>(&serde_json::to_string(&parsed).unwrap()).unwrap(),
            parsed
        );
    }
}

#[test]
fn a_did_ethr_may_state_its_key() {
    let native = Native::new();
    let parsed = did(&format!("did:ethr:0x56494d:{ONE}")).unwrap();
    let ethr = parsed.as_ethr().unwrap();
    assert!(matches!(ethr.key, EthrKey::PublicKey(_)));
    assert_eq!(
        ethr.address(&native).unwrap().to_string(),
        "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    );
    assert_eq!(
        ethr.public_key(&native).unwrap().unwrap().address(&native),
        ethr.address(&native).ok()
    );
    assert_eq!(parsed.to_string(), format!("did:ethr:0x56494d:{ONE}"));
    let off = did(&format!("did:ethr:0x02{}05", "00".repeat(31))).unwrap();
    assert_eq!(
        off.as_ethr().unwrap().address(&native),
        Err(SignatureError::Key),
        "no point has this x"
    );
}

#[test]
fn other_methods_are_read_as_far_as_their_text_goes() {
    let jwk = base64url(br#"{"kty":"EC","crv":"P-256","x":"a","y":"b"}"#);
    for text in [
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".to_owned(),
        format!("did:jwk:{jwk}"),
        "did:web:example.com".into(),
        "did:web:example.com%3A3000:user:alice".into(),
    ] {
        assert_eq!(did(&text).unwrap().to_string(), text);
        assert_eq!(did(&text).unwrap().as_ethr(), None);
    }
    let url = |text: &str| match did(text).unwrap() {
        Did::Web(web) => Web::document_url(&web),
        other => panic!("{other}"),
    };
    // The examples of did:web §2.5.2.
    assert_eq!(
        url("did:web:w3c-ccg.github.io"),
        "https://w3c-ccg.github.io/.well-known/did.json"
    );
    assert_eq!(
        url("did:web:w3c-ccg.github.io:user:alice"),
        "https://w3c-ccg.github.io/user/alice/did.json"
    );
    assert_eq!(
        url("did:web:example.com%3A3000:user:alice"),
        "https://example.com:3000/user/alice/did.json"
    );
}

#[test]
fn what_is_no_did_is_refused() {
    let private = base64url(br#"{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}"#);
    let long = format!("did:web:{}", "a.".repeat(3000));
    for (text, error) in [
        ("", DidError::Syntax),
        ("did", DidError::Syntax),
        ("did:", DidError::Syntax),
        ("did:ethr", DidError::Syntax),
        ("did::x", DidError::Syntax),
        ("DID:ethr:0x1", DidError::Syntax),
        ("did:Ethr:0x1", DidError::Syntax),
        ("https://example.com", DidError::Syntax),
        (&long, DidError::Syntax),
        ("did:example:123", DidError::Method),
        ("did:ion:abc", DidError::Method),
        ("did:ethr:", DidError::Identifier("ethr")),
        ("did:ethr:0x", DidError::Identifier("ethr")),
        (
            "did:ethr:f3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0xf3beac30c498d9e26865f34fcaa57dbb935b0d7",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0xf3beac30c498d9e26865f34fcaa57dbb935b0d744",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0xg3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x0xbeac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:sepolia:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x01:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x0:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x+1:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x10000000000000000:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:1:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x1:0x2:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0xf3beac30c498d9e26865f34fcaa57dbb935b0d74#controller",
            DidError::Identifier("ethr"),
        ),
        (
            "did:ethr:0x0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
            DidError::Identifier("ethr"),
        ),
        ("did:key:", DidError::Identifier("key")),
        ("did:key:z", DidError::Identifier("key")),
        ("did:key:m6Mk", DidError::Identifier("key")),
        ("did:key:z0OIl", DidError::Identifier("key")),
        ("did:jwk:e30", DidError::Identifier("jwk")),
        ("did:jwk:****", DidError::Identifier("jwk")),
        (&format!("did:jwk:{private}"), DidError::Identifier("jwk")),
        ("did:web:", DidError::Identifier("web")),
        ("did:web:127.0.0.1", DidError::Identifier("web")),
        ("did:web:2130706433", DidError::Identifier("web")),
        ("did:web:a..b", DidError::Identifier("web")),
        ("did:web:-a.b", DidError::Identifier("web")),
        ("did:web:example.com%3A", DidError::Identifier("web")),
        ("did:web:example.com%3A+80", DidError::Identifier("web")),
        ("did:web:example.com%3A99999", DidError::Identifier("web")),
        ("did:web:example.com:..:secret", DidError::Identifier("web")),
        ("did:web:example.com::x", DidError::Identifier("web")),
        ("did:web:example.com:a%2Fb", DidError::Identifier("web")),
        ("did:web:example.com/path", DidError::Identifier("web")),
        ("did:web:user@example.com", DidError::Identifier("web")),
        ("did:web:[::1]", DidError::Identifier("web")),
    ] {
        assert_eq!(did(text), Err(error), "{text}");
    }
}

#[test]
fn a_did_url_takes_apart_and_together() {
    let text = format!("did:ethr:0x56494d:{ADDRESS}/path?versionId=7&x=y#delegate-2");
    let url: DidUrl = text.parse().unwrap();
    assert_eq!(url.to_string(), text);
    assert_eq!(url.did, Did::ethr(0x0056_494d, ADDRESS.parse().unwrap()));
    assert_eq!(
        (url.path.as_str(), url.fragment.as_deref()),
        ("/path", Some("delegate-2"))
    );
    assert_eq!(
        (url.version_id(), url.parameter("x"), url.parameter("z")),
        (Some(7), Some("y"), None)
    );
    let url: DidUrl = format!("did:ethr:{ADDRESS}?versionTime=2021-06-01T00%3A00:00Z")
        .parse()
        .unwrap();
    assert_eq!(url.version_time(), Some(Timestamp(1_622_505_600)));
    assert_eq!(url.version_id(), None);
    assert_eq!(
        url.did.with_fragment("controller").to_string(),
        format!("did:ethr:{ADDRESS}#controller")
    );
    let bare: DidUrl = format!("did:ethr:{ADDRESS}").parse().unwrap();
    assert_eq!(bare.to_string(), format!("did:ethr:{ADDRESS}"));

    for text in [
        "#controller",
        "did:ethr:0x1#",
        "did:web:a.b#x#y",
        "did:web:a.b #x",
        "did:web:a.b#ä",
        "/x",
        "did:web:?x",
    ] {
        assert!(text.parse::<DidUrl>().is_err(), "{text}");
    }
}

#[test]
fn attribute_names_are_written_as_the_contract_takes_them() {
    let p256 = AttributeName::p256_issuer_key().encode().unwrap();
    assert_eq!(&p256, b"did/pub/Multikey/veriKey/hex\0\0\0\0");
    assert_eq!(
        &AttributeName::sealing_key().encode().unwrap()[..],
        b"did/pub/X25519/enc/base64\0\0\0\0\0\0\0"
    );
    assert_eq!(AttributeName::decode(&p256).unwrap(), AttributeName::p256_issuer_key());
    let short = "did/pub/Ed25519/sigAuth".parse::<AttributeName>().unwrap();
    assert_eq!(
        short,
        AttributeName::PublicKey {
            algorithm: "Ed25519".into(),
            purpose: PublicKeyPurpose::SigAuth,
            encoding: Encoding::Hex
        }
    );
    for text in [
        "did/pub/Secp256k1/veriKey/base58",
        "did/pub/RSA/veriKey/pem",
        "did/svc/HubService",
        "did/pub/X25519/enc/base64",
    ] {
        let name: AttributeName = text.parse().unwrap();
        assert_eq!(name.to_string(), text);
        assert_eq!(AttributeName::decode(&name.encode().unwrap()).unwrap(), name);
    }
    for text in [
        "",
        "did",
        "did/",
        "did/pub",
        "did/pub/",
        "did/pub/Ed25519",
        "did/pub/Ed25519/",
        "did/pub/Ed25519/other",
        "did/pub/Ed 25519/enc",
        "did/pub/Ed25519/veriKey/hex/x",
        "did/pub/Ed25519/veriKey/base32",
        "did/svc",
        "did/svc/",
        "did/svc/A/b",
        "did/svc/Ä",
        "did/key/A/enc",
        "DID/svc/A",
    ] {
        assert!(text.parse::<AttributeName>().is_err(), "{text}");
    }
    let long = AttributeName::Service("x".repeat(25));
    assert!(long.encode().is_err(), "33 bytes");
    assert!(AttributeName::Service("x".repeat(24)).encode().is_ok());
    assert!(
        AttributeName::Service("a/b".into()).encode().is_err(),
        "would read as another"
    );
    assert!(AttributeName::decode(&[0xff; 32]).is_err());
}

proptest! {
    #[test]
    fn every_account_reads_back(chain_id in 1_u64.., address in any::<[u8; 20]>()) {
        let did = Did::ethr(chain_id, Address(address));
        prop_assert_eq!(did.to_string().parse::<Did>(), Ok(did));
    }

    #[test]
    fn no_text_breaks_the_parsers(text in "(did:(ethr|web|key|jwk):)?[ -~ä]{0,60}") {
        if let Ok(did) = text.parse::<Did>() {
            prop_assert_eq!(did.to_string().parse::<Did>(), Ok(did));
        }
        if let Ok(url) = text.parse::<DidUrl>() {
            prop_assert_eq!(url.to_string().parse::<DidUrl>(), Ok(url));
        }
    }
}
