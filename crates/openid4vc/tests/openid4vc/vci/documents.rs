//! Signed metadata, encrypted messages, and what an access token allows.

use super::world::{Attester, NAAT, NAAT_JWT, NOW, Seeded, altered, issuer, key, metadata, metadata_json};
use serde_json::{Value, json};
use vidimus_core::{Algorithm, Encryption, Secret, encoding};
use vidimus_credential::x509::CertificateError;
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    jwe,
    oauth::ErrorCode,
    vci::{
        CredentialErrorCode, CredentialRequest, IssuerMetadata,
        encryption::{EncryptionError, ask, open_request, open_response, seal_request, seal_response},
        issuer::{Access, CredentialRefused, RefusalCode, credential},
        metadata::{MetadataError, RequestEncryption},
        request::{EncryptTo, RequestError},
        signed_metadata::{SignedMetadataError, sign, verify},
    },
};

type Change = fn(&mut Value, &mut Value);

fn signed() -> (Attester, String) {
    let attester = Attester::new(300);
    let text = sign(
        &metadata(),
        &attester.key,
        Algorithm::Es256,
        &attester.chain,
        NOW,
        NOW.plus(3600),
    )
    .unwrap();
    (attester, text)
}

#[test]
fn signed_metadata_are_the_same_metadata() {
    let (attester, text) = signed();
    let (read, leaf) = verify(&text, &issuer(), &[attester.root], NOW, &Native::new()).unwrap();
    assert_eq!(read, metadata());
    assert!(leaf.subject.contains("Wallet provider"));
}

#[test]
fn signed_metadata_that_are_not_in_order_are_refused() {
    use SignedMetadataError as Why;
    let (attester, text) = signed();
    let cases: [(&str, Change, Why); 10] = [
        ("typ", |header, _| header["typ"] = json!("JWT"), Why::Malformed),
        ("none", |header, _| header["alg"] = json!("none"), Why::Malformed),
        (
            "no chain",
            |header, _| drop(header.as_object_mut().unwrap().remove("x5c")),
            Why::Signer(CertificateError::Chain),
        ),
        (
            "anchor",
            |header, _| {
                let root = encoding::base64(Attester::new(300).root.der());
                header["x5c"].as_array_mut().unwrap().push(json!(root));
            },
            Why::Signer(CertificateError::Chain),
        ),
        (
            "no sub",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("sub")),
            Why::Subject,
        ),
        (
            "other sub",
            |_, claims| claims["sub"] = json!("https://other.example"),
            Why::Subject,
        ),
        (
            "no iat",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("iat")),
            Why::Malformed,
        ),
        ("ended", |_, claims| claims["exp"] = json!(NOW), Why::Time),
        ("future", |_, claims| claims["iat"] = json!(NOW.plus(61)), Why::Time),
        (
            "other issuer",
            |_, claims| claims["credential_issuer"] = json!("https://other.example"),
            Why::Content(MetadataError::Issuer),
        ),
    ];
    let roots = [attester.root];
    let check = |text: &str| verify(text, &issuer(), &roots, NOW, &Native::new());
    for (name, change, why) in cases {
        assert_eq!(
            check(&altered(&text, &attester.key, change)).unwrap_err(),
            why,
            "{name}"
        );
    }
    assert_eq!(check(&altered(&text, &key(1), |_, _| {})).unwrap_err(), Why::Signature);
    let stranger = [Attester::new(400).root];
    let refused = verify(&text, &issuer(), &stranger, NOW, &Native::new()).unwrap_err();
    assert_eq!(refused, Why::Signer(CertificateError::Issuer));
}

/// The example of OpenID4VCI 1.0 appendix I is signed by a certificate that signed itself: HAIP §4.1 has it refused.
#[test]
fn metadata_signed_by_a_self_signed_certificate_are_refused() {
    let (attester, text) = signed();
    let own = Attester::new(300);
    let self_signed = altered(&text, &attester.key, |header, _| {
        header["x5c"] = json!([encoding::base64(Attester::new(300).root.der())]);
    });
    let refused = verify(&self_signed, &issuer(), &[own.root], NOW, &Native::new()).unwrap_err();
    assert_eq!(refused, SignedMetadataError::Signer(CertificateError::Chain));
}

fn encrypting() -> (IssuerMetadata, Secret<[u8; 32]>) {
    let private = jwe::generate_key(&Native::new(), &mut Seeded(8)).unwrap();
    let mut jwk = Native::new().p256_public(&private).unwrap().to_jwk().unwrap();
    jwk["kid"] = json!("k-1");
    jwk["alg"] = json!("ECDH-ES");
    let mut json = metadata_json();
    json["credential_request_encryption"] =
        json!({"jwks": {"keys": [jwk]}, "enc_values_supported": ["A256GCM"], "encryption_required": false});
    json["credential_response_encryption"] = json!({"alg_values_supported": ["ECDH-ES"], "enc_values_supported": ["A128GCM", "A256GCM"], "encryption_required": true});
    (
        IssuerMetadata::parse(json.to_string().as_bytes(), &issuer()).unwrap(),
        private,
    )
}

#[test]
fn requests_and_responses_travel_encrypted() {
    let (metadata, private) = encrypting();
    let (native, entropy) = (Native::new(), &mut Seeded(9));
    let (wanted, own) = ask(
        metadata.credential_response_encryption.as_ref().unwrap(),
        &native,
        entropy,
    )
    .unwrap();
    assert_eq!(wanted.enc, "A256GCM");
    let offered = metadata.credential_request_encryption.as_ref().unwrap();
    let request = json!({"credential_configuration_id": NAAT}).to_string();
    let body = seal_request(&request, offered, &native, entropy).unwrap();
    let key = |kid: &str| (kid == "k-1").then(|| private.clone());
    assert_eq!(
        open_request(&body, offered, &key, 1 << 20, &native).unwrap().expose(),
        request.as_bytes()
    );
    let body = seal_response("{}", &wanted, &native, entropy).unwrap();
    assert_eq!(
        open_response(&body, &wanted, &own, 1 << 20, &native).unwrap().expose(),
        b"{}"
    );

    let none = |_: &str| None;
    let weaker = RequestEncryption {
        enc_values_supported: vec!["A128GCM".into()],
        ..offered.clone()
    };
    let other = |_: &str| Some(Secret::new([7; 32]));
    let sealed = seal_request(&request, offered, &native, entropy).unwrap();
    let open =
        |offered, key: &dyn Fn(&str) -> Option<Secret<[u8; 32]>>| open_request(&sealed, offered, key, 1 << 20, &native);
    assert_eq!(open(offered, &none).unwrap_err(), EncryptionError::Key);
    assert_eq!(open(&weaker, &key).unwrap_err(), EncryptionError::NotOffered);
    assert!(matches!(open(offered, &other).unwrap_err(), EncryptionError::Jwe(_)));
    assert!(matches!(
        open_request(&sealed, offered, &key, 10, &native),
        Err(EncryptionError::Jwe(_))
    ));
    let downgraded = EncryptTo {
        enc: "A128GCM".into(),
        ..wanted.clone()
    };
    let body = seal_response("{}", &downgraded, &native, entropy).unwrap();
    assert_eq!(
        open_response(&body, &wanted, &own, 1 << 20, &native).unwrap_err(),
        EncryptionError::NotOffered
    );
    for unknown in [
        EncryptTo {
            enc: "A128CBC-HS256".into(),
            ..wanted.clone()
        },
        EncryptTo {
            alg: "ECDH-ES+A128KW".into(),
            ..wanted.clone()
        },
        EncryptTo {
            zip: Some("BR".into()),
            ..wanted.clone()
        },
    ] {
        assert_eq!(
            seal_response("{}", &unknown, &native, entropy).unwrap_err(),
            EncryptionError::NotOffered
        );
    }
}

#[test]
fn encryption_is_what_the_metadata_say() {
    let (metadata, _) = encrypting();
    let (native, entropy) = (Native::new(), &mut Seeded(9));
    let offered = metadata.credential_response_encryption.as_ref().unwrap();
    let (wanted, _) = ask(offered, &native, entropy).unwrap();
    let request = |encrypt_to: Option<EncryptTo>| CredentialRequest {
        encrypt_to,
        ..CredentialRequest::parse(json!({"credential_identifier": "a"}).to_string().as_bytes()).unwrap()
    };
    assert!(request(Some(wanted.clone())).check_encryption(&metadata, true).is_ok());
    for (request, encrypted, why) in [
        (request(None), true, RequestError::EncryptionMissing),
        (request(Some(wanted.clone())), false, RequestError::Clear),
        (
            request(Some(EncryptTo {
                enc: "A192GCM".into(),
                ..wanted.clone()
            })),
            true,
            RequestError::Encryption,
        ),
        (
            request(Some(EncryptTo {
                alg: "RSA-OAEP".into(),
                ..wanted.clone()
            })),
            true,
            RequestError::Encryption,
        ),
        (
            request(Some(EncryptTo {
                zip: Some("DEF".into()),
                ..wanted.clone()
            })),
            true,
            RequestError::Encryption,
        ),
    ] {
        assert_eq!(request.check_encryption(&metadata, encrypted), Err(why));
        assert_eq!(why.code(), CredentialErrorCode::InvalidEncryptionParameters);
    }
    let plain = super::world::metadata();
    assert!(request(None).check_encryption(&plain, false).is_ok());
    assert_eq!(
        request(Some(wanted)).check_encryption(&plain, true),
        Err(RequestError::Encryption)
    );
    let nothing = vidimus_openid4vc::vci::metadata::ResponseEncryption {
        enc_values_supported: vec!["A192GCM".into()],
        ..offered.clone()
    };
    assert_eq!(
        ask(&nothing, &native, entropy).unwrap_err(),
        EncryptionError::NotOffered
    );
}

#[test]
fn a_token_is_for_what_was_granted() {
    let metadata = metadata();
    let configurations = [NAAT.to_owned()];
    let identifiers = [("naat/1".to_owned(), NAAT.to_owned())];
    let by_configuration = Access {
        configurations: &configurations,
        identifiers: &[],
    };
    let by_identifier = Access {
        configurations: &configurations,
        identifiers: &identifiers,
    };
    let request = |json: Value| CredentialRequest::parse(json.to_string().as_bytes()).unwrap();
    let jwt = json!({"jwt": ["a"]});
    let good = request(json!({"credential_configuration_id": NAAT, "proofs": jwt}));
    let wanted = credential(&good, by_configuration, &metadata).unwrap();
    assert_eq!((wanted.id, wanted.proofs.is_some()), (NAAT, true));
    let named = request(json!({"credential_identifier": "naat/1", "proofs": jwt}));
    assert_eq!(credential(&named, by_identifier, &metadata).unwrap().id, NAAT);

    let of = |code| RefusalCode::Credential(code);
    for (json, access, why, code) in [
        (
            json!({"credential_configuration_id": "other", "proofs": jwt}),
            by_configuration,
            CredentialRefused::Configuration,
            of(CredentialErrorCode::UnknownCredentialConfiguration),
        ),
        (
            json!({"credential_configuration_id": NAAT_JWT, "proofs": jwt}),
            by_configuration,
            CredentialRefused::NotGranted,
            RefusalCode::Access(ErrorCode::InsufficientScope),
        ),
        (
            json!({"credential_identifier": "naat/2", "proofs": jwt}),
            by_identifier,
            CredentialRefused::Identifier,
            of(CredentialErrorCode::UnknownCredentialIdentifier),
        ),
        (
            json!({"credential_identifier": "naat/1", "proofs": jwt}),
            by_configuration,
            CredentialRefused::Identifier,
            of(CredentialErrorCode::UnknownCredentialIdentifier),
        ),
        (
            json!({"credential_configuration_id": NAAT, "proofs": jwt}),
            by_identifier,
            CredentialRefused::IdentifierNeeded,
            of(CredentialErrorCode::InvalidCredentialRequest),
        ),
        (
            json!({"credential_configuration_id": NAAT}),
            by_configuration,
            CredentialRefused::ProofsMissing,
            of(CredentialErrorCode::InvalidProof),
        ),
    ] {
        assert_eq!(credential(&request(json), access, &metadata).unwrap_err(), why);
        assert_eq!(why.code(), code);
    }
    let mut json = metadata_json();
    json["credential_configurations_supported"][NAAT]["proof_types_supported"]
        .as_object_mut()
        .unwrap()
        .remove("attestation");
    let fewer = IssuerMetadata::parse(json.to_string().as_bytes(), &issuer()).unwrap();
    let attested = request(json!({"credential_configuration_id": NAAT, "proofs": {"attestation": ["a"]}}));
    assert_eq!(
        credential(&attested, by_configuration, &fewer).unwrap_err(),
        CredentialRefused::ProofType
    );
    assert_eq!(fewer.with_scope("naat").count(), 2);
}
