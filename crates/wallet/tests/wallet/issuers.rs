//! Whose signature copies have: by the certificate that they bring, by the issuer's metadata, or by its DID; and who vouches for it.

use crate::world::{Airline, Laboratory, NOW, VCT, key, origin, person, proved, purpose, query, wallet};
use serde_json::json;
use vidimus_core::Signer as _;
use vidimus_credential::x509::Certificate;
use vidimus_crypto::{Native, SigningKey};
use vidimus_identity::VerificationKey;
use vidimus_wallet::{
    Trusted, Wallet, WalletError,
    consent::{Refusal, Wishes},
    issuer::{IssuerKeys, MAX_DOCUMENT, Source, read_document},
    registration::Policy,
};

const ISSUER: &str = "https://lab.example/issuers/1";

fn found(source: Source, keys: &[(Option<&str>, &SigningKey)], registry: Option<&str>) -> IssuerKeys {
    let keys = keys.iter().map(|(id, key)| {
        let id = id.map(str::to_owned);
        (id, VerificationKey::Key(key.public_key().clone()))
    });
    IssuerKeys {
        source,
        keys: keys.collect(),
        registry: registry.map(str::to_owned),
    }
}

/// Takes one copy in.
fn keep(wallet: &mut Wallet, laboratory: &Laboratory, found: &[IssuerKeys]) -> Result<u32, WalletError> {
    let holder = key();
    let copy = laboratory.sd_jwt(VCT, &person(), (None, None), holder.public_key());
    wallet.keep(
        &origin("PCR test"),
        &[copy],
        &proved(&[holder]),
        found,
        &Native::new(),
        NOW,
    )
}

#[test]
fn a_copy_says_where_its_key_is() {
    let holder = key();
    let source = |laboratory: &Laboratory| {
        Source::of(&laboratory.sd_jwt(VCT, &person(), (None, None), holder.public_key()))
            .map_err(|error| error.to_string())
    };
    assert_eq!(source(&Laboratory::new()), Ok(Source::Certificate));
    assert_eq!(
        source(&Laboratory::named(ISSUER, None)),
        Ok(Source::Metadata(ISSUER.into()))
    );
    let did = "did:web:lab.example";
    assert_eq!(source(&Laboratory::named(did, None)), Ok(Source::Did(did.into())));
    for strange in ["Labor Donauraum", "did:unheard:of", "urn:lab", ""] {
        let unknown = WalletError::UnknownIssuer.to_string();
        assert_eq!(source(&Laboratory::named(strange, None)), Err(unknown), "{strange}");
    }
}

#[test]
fn what_does_not_verify_is_not_kept() {
    let other = key();
    let metadata = || Source::Metadata(ISSUER.into());
    let named = Laboratory::named(ISSUER, Some("a"));
    let refused = |laboratory: &Laboratory, found: &[IssuerKeys]| keep(&mut wallet(), laboratory, found).unwrap_err();
    let unknown = |error: WalletError| matches!(error, WalletError::UnknownIssuer);
    let wrong = |error: WalletError| matches!(error, WalletError::IssuerSignature);
    assert!(unknown(refused(&named, &[])), "nobody's keys were found");
    let elsewhere = Source::Metadata("https://other.example/issuers/1".into());
    assert!(unknown(refused(
        &named,
        &[found(elsewhere, &[(Some("a"), &named.key)], None)]
    )));
    // The key is not there: that says nothing of the signature.
    let absent = |error: WalletError| matches!(error, WalletError::UnknownKey);
    assert!(absent(refused(&named, &[found(metadata(), &[], None)])));
    assert!(wrong(refused(
        &named,
        &[found(metadata(), &[(Some("a"), &other)], None)]
    )));
    // The key is there, under another name than the copy says.
    assert!(absent(refused(
        &named,
        &[found(metadata(), &[(Some("b"), &named.key)], None)]
    )));
    let unnamed = Laboratory::named(ISSUER, None);
    keep(
        &mut wallet(),
        &named,
        &[found(metadata(), &[(Some("a"), &named.key)], None)],
    )
    .unwrap();
    let both = [(Some("b"), &other), (Some("a"), &unnamed.key)];
    keep(&mut wallet(), &unnamed, &[found(metadata(), &both, None)]).unwrap();
    // A did:jwk is its key, whatever else was found.
    let jwk = vidimus_wallet::did_jwk(named.key.public_key()).unwrap();
    let of_itself = |signed_by: Laboratory| Laboratory {
        issuer: jwk.clone(),
        named_by: json!({"kid": "#0"}),
        ..signed_by
    };
    let forged = of_itself(Laboratory::new());
    let says = found(Source::Did(jwk.clone()), &[(None, &forged.key)], None);
    assert!(wrong(refused(&forged, &[says])));
    keep(&mut wallet(), &of_itself(named), &[]).unwrap();
}

#[test]
fn copies_of_one_certificate_are_by_one_issuer() {
    let (first, second) = (Laboratory::new(), Laboratory::named(ISSUER, None));
    let keys = [key(), key()];
    let copies = [
        first.sd_jwt(VCT, &person(), (None, None), keys[0].public_key()),
        second.sd_jwt(VCT, &person(), (None, None), keys[1].public_key()),
    ];
    let found = [found(Source::Metadata(ISSUER.into()), &[(None, &second.key)], None)];
    let refused = wallet().keep(&origin("x"), &copies, &proved(&keys), &found, &Native::new(), NOW);
    assert!(matches!(refused, Err(WalletError::Mixed)));
}

fn trusting(laboratory: &Laboratory, url: &str) -> Wallet {
    let mut wallet = wallet();
    wallet.trust(Trusted {
        url: url.into(),
        root: Certificate::from_der(laboratory.authority.certificate())
            .unwrap()
            .to_pem(),
    });
    wallet
}

#[test]
fn who_vouches_for_an_issuer_is_told() {
    let native = Native::new();
    let vouched = |wallet: &Wallet, id| wallet.vouches_for(wallet.batch(id).unwrap(), NOW, &native);
    let certified = Laboratory::new();
    let mut wallet = trusting(&certified, "https://x.example");
    let id = keep(&mut wallet, &certified, &[]).unwrap();
    assert!(vouched(&wallet, id), "its chain leads to the root");
    let id = keep(&mut wallet, &Laboratory::new(), &[]).unwrap();
    assert!(!vouched(&wallet, id), "to another's");

    // An authority certifies those who ask, too: they issue nothing.
    let asks = Laboratory::new().certified_to_ask();
    let mut misled = trusting(&asks, "https://x.example");
    let id = keep(&mut misled, &asks, &[]).unwrap();
    assert!(!vouched(&misled, id), "under the root, for something else");

    let named = Laboratory::named(ISSUER, None);
    let by_metadata = [found(Source::Metadata(ISSUER.into()), &[(None, &named.key)], None)];
    let id = keep(&mut wallet, &named, &by_metadata).unwrap();
    assert!(!vouched(&wallet, id), "its own word");
    wallet.trust(Trusted {
        url: "https://lab.example".into(),
        root: wallet.trusted()[0].root.clone(),
    });
    assert!(vouched(&wallet, id), "a trusted deployment's");

    let did = "did:ethr:0x1:0x00000000000000000000000000000000000000bb";
    let registered = Laboratory::named(did, None);
    for (registry, expected) in [
        (None, false),
        (Some("https://elsewhere.example"), false),
        (Some("https://x.example"), true),
    ] {
        let keys = [found(Source::Did(did.into()), &[(None, &registered.key)], registry)];
        let id = keep(&mut wallet, &registered, &keys).unwrap();
        assert_eq!(vouched(&wallet, id), expected, "{registry:?}");
        let text = serde_json::to_string(&wallet).unwrap();
        let again: Wallet = serde_json::from_str(&text).unwrap();
        assert_eq!(vouched(&again, id), expected, "it is remembered");
    }
}

#[test]
fn only_a_chain_that_leads_to_a_trusted_root_names_authorities() {
    let (airline, certified) = (Airline::new(), Laboratory::new());
    let root = Certificate::from_der(certified.authority.certificate()).unwrap();
    let aki = vidimus_core::encoding::base64url(&root.subject_key_id.unwrap());
    let asked = json!({"credentials": [{
        "id": "test", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [{"path": ["family_name"]}],
        "trusted_authorities": [{"type": "aki", "values": [aki]}],
    }]});
    for (mut wallet, takes) in [(wallet(), false), (trusting(&certified, "https://x.example"), true)] {
        airline.registered(&mut wallet, airline.entry());
        keep(&mut wallet, &certified, &[]).unwrap();
        let request = airline.asks(query(asked.clone()), Some(purpose("boarding")));
        let found = request.consider(&wallet, &Policy::STRICT, &Wishes::default());
        match found {
            Ok(consent) => assert!(takes && consent.credentials[0].vouched),
            Err(refusal) => assert_eq!((takes, refusal), (false, Refusal::Nothing)),
        }
    }
}

#[test]
fn the_document_of_a_did_is_read_strictly() {
    let did = "did:web:lab.example";
    let jwk = serde_json::to_value(key().public_key()).unwrap();
    let document = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut document = json!({
            "id": did,
            "verificationMethod": [{"id": "#a", "type": "JsonWebKey2020", "controller": did, "publicKeyJwk": jwk}],
            "assertionMethod": ["#a"],
        });
        change(&mut document);
        document.to_string().into_bytes()
    };
    let keys = read_document(did, &document(&|_| {})).unwrap();
    assert_eq!(keys[0].0.as_deref(), Some("did:web:lab.example#a"));
    let absolute = document(&|one| one["assertionMethod"] = json!(["did:web:lab.example#a"]));
    assert_eq!(read_document(did, &absolute).unwrap().len(), 1);
    let written = document(&|one| {
        one["assertionMethod"] = one["verificationMethod"].clone();
        one["verificationMethod"] = json!([]);
    });
    assert_eq!(read_document(did, &written).unwrap().len(), 1);
    type Change = Box<dyn Fn(&mut serde_json::Value)>;
    let refused: Vec<(&str, Change)> = vec![
        ("another's", Box::new(|one| one["id"] = json!("did:web:other.example"))),
        ("nobody's", Box::new(|one| one["id"] = json!(null))),
        ("for something else", Box::new(|one| one["assertionMethod"] = json!([]))),
        (
            "a key that is not there",
            Box::new(|one| one["assertionMethod"] = json!(["#b"])),
        ),
        (
            "a private key",
            Box::new(|one| one["verificationMethod"][0]["publicKeyJwk"]["d"] = json!("AA")),
        ),
        (
            "no key",
            Box::new(|one| one["verificationMethod"][0]["publicKeyJwk"] = json!({"kty": "oct"})),
        ),
        (
            "too many",
            Box::new(|one| one["assertionMethod"] = json!(vec!["#a"; 65])),
        ),
        (
            "too long",
            Box::new(|one| one["note"] = json!("x".repeat(MAX_DOCUMENT))),
        ),
    ];
    for (what, change) in refused {
        let refused = read_document(did, &document(&*change));
        assert!(matches!(refused, Err(WalletError::UnknownIssuer)), "{what}");
    }
    assert!(read_document(did, b"[]").is_err());
}
