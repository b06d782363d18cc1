//! The certificate authority, its certificates read by another X.509 implementation.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use vidimus_core::{PublicKey, Signer, Timestamp};
use vidimus_crypto::{
    Error, KeyKind, OsEntropy, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};
use x509_cert::{
    Certificate,
    der::{Decode, Encode, referenced::OwnedToRef},
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
        SubjectKeyIdentifier, name::GeneralName,
    },
};

const NOW: Timestamp = Timestamp(1_800_000_000);
const YEAR: i64 = 365 * 86_400;

fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.into(),
        organization: Some("Gesundheitsamt".into()),
        country: Some("DE".into()),
    }
}

fn validity(from: i64, to: i64) -> Validity {
    Validity {
        not_before: NOW.plus(from),
        not_after: NOW.plus(to),
    }
}

fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut OsEntropy)
}

fn authority() -> Authority {
    Authority::create(
        key(),
        subject("Vidimus Root"),
        validity(-YEAR, 20 * YEAR),
        &mut OsEntropy,
    )
    .unwrap()
}

/// A certificate for the signer of status lists.
fn for_lists(authority: &Authority, public: &PublicKey) -> Result<Vec<u8>, Error> {
    authority.issue_status_signer(public, &subject("Lists"), validity(0, YEAR), NOW, &mut OsEntropy)
}

fn verifies(certificate: &Certificate, issuer: &Certificate) -> bool {
    let key = issuer
        .tbs_certificate()
        .subject_public_key_info()
        .owned_to_ref()
        .subject_public_key
        .raw_bytes()
        .to_vec();
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1, key)
        .verify(
            &certificate.tbs_certificate().to_der().unwrap(),
            certificate.signature().raw_bytes(),
        )
        .is_ok()
}

fn usages(certificate: &Certificate) -> Vec<String> {
    certificate
        .tbs_certificate()
        .get_extension::<ExtendedKeyUsage>()
        .unwrap()
        .map(|(_, usage)| usage.0.iter().map(ToString::to_string).collect())
        .unwrap_or_default()
}

#[test]
fn the_root_signs_certificates_and_nothing_else() {
    let authority = authority();
    let root = Certificate::from_der(authority.certificate()).unwrap();
    let tbs = root.tbs_certificate();
    assert_eq!(tbs.subject(), tbs.issuer());
    assert!(verifies(&root, &root));
    let (critical, constraints) = tbs.get_extension::<BasicConstraints>().unwrap().unwrap();
    assert!(critical && constraints.ca);
    assert_eq!(constraints.path_len_constraint, Some(0));
    let (critical, usage) = tbs.get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(critical);
    assert_eq!(usage, KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign));
    assert_eq!(tbs.subject().common_name().unwrap().unwrap().value(), "Vidimus Root");
    assert_eq!(authority.validity(), validity(-YEAR, 20 * YEAR));
}

#[test]
fn a_laboratory_gets_a_document_signer_for_its_own_key() {
    let authority = authority();
    let laboratory = key();
    let der = authority
        .issue_document_signer(
            laboratory.public_key(),
            &subject("Labor Müller"),
            &[DocumentGroup::Test, DocumentGroup::Recovery],
            validity(0, YEAR),
            NOW,
            &mut OsEntropy,
        )
        .unwrap();
    let root = Certificate::from_der(authority.certificate()).unwrap();
    let signer = Certificate::from_der(&der).unwrap();
    let tbs = signer.tbs_certificate();
    assert!(verifies(&signer, &root));
    assert!(!verifies(&signer, &signer), "not self-signed");
    assert_eq!(
        tbs.issuer().to_der().unwrap(),
        root.tbs_certificate().subject().to_der().unwrap(),
        "byte for byte"
    );
    assert_eq!(
        tbs.subject_public_key_info().subject_public_key.raw_bytes(),
        laboratory.public_key().as_bytes()
    );
    assert_eq!(
        usages(&signer),
        ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.3"]
    );
    let (critical, usage) = tbs.get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(critical);
    assert_eq!(usage, KeyUsage(KeyUsages::DigitalSignature.into()));
    assert!(!tbs.get_extension::<BasicConstraints>().unwrap().unwrap().1.ca);
    let root_id = root
        .tbs_certificate()
        .get_extension::<SubjectKeyIdentifier>()
        .unwrap()
        .unwrap()
        .1;
    let authority_id = tbs.get_extension::<AuthorityKeyIdentifier>().unwrap().unwrap().1;
    assert_eq!(authority_id.key_identifier.unwrap(), root_id.0);
    assert_ne!(tbs.get_extension::<SubjectKeyIdentifier>().unwrap().unwrap().1, root_id);
    assert_eq!(
        tbs.validity().not_after.to_unix_duration().as_secs(),
        NOW.plus(YEAR).0 as u64
    );
    let serial = tbs.serial_number().as_bytes();
    assert_eq!(serial.len(), 16);
    assert!(serial[0] < 0x80);
}

#[test]
fn an_airline_gets_an_access_certificate_with_its_names() {
    let authority = authority();
    let issue = |hosts: &[&str], uris: &[&str]| {
        let strings = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        authority.issue_access(
            key().public_key(),
            &subject("Airline"),
            &strings(hosts),
            &strings(uris),
            validity(0, YEAR),
            NOW,
            &mut OsEntropy,
        )
    };
    let der = issue(&["check.airline.example"], &["https://check.airline.example/response"]).unwrap();
    let certificate = Certificate::from_der(&der).unwrap();
    let (_, names) = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .unwrap()
        .unwrap();
    assert!(matches!(&names.0[0], GeneralName::DnsName(name) if name.as_str() == "check.airline.example"));
    assert!(matches!(&names.0[1], GeneralName::UniformResourceIdentifier(uri) if uri.as_str().ends_with("/response")));
    assert_eq!(usages(&certificate), ["1.0.18013.5.1.6"], "never a document signer");
    assert!(issue(&[], &[]).is_err());
    assert!(issue(&["süd.example"], &[]).is_err());
}

#[test]
fn the_signer_of_lists_signs_no_documents() {
    let der = for_lists(&authority(), key().public_key()).unwrap();
    assert_eq!(usages(&Certificate::from_der(&der).unwrap()), ["1.3.6.1.5.5.7.3.37"]);
}

#[test]
fn a_stored_authority_goes_on_where_it_was() {
    let root = key();
    let again = SigningKey::from_bytes(KeyKind::P256, root.expose_bytes().expose()).unwrap();
    // Names that need UTF-8, and none at all where they may be left out.
    let name = Subject {
        common_name: "Wurzel Ä".into(),
        organization: None,
        country: None,
    };
    let first = Authority::create(root, name, validity(0, YEAR), &mut OsEntropy).unwrap();
    let second = Authority::load(again, first.certificate()).unwrap();
    let der = for_lists(&second, key().public_key()).unwrap();
    let root = Certificate::from_der(first.certificate()).unwrap();
    let issued = Certificate::from_der(&der).unwrap();
    assert!(verifies(&issued, &root));
    assert_eq!(issued.tbs_certificate().issuer(), root.tbs_certificate().subject());

    let other = Authority::load(key(), first.certificate());
    assert!(matches!(other, Err(Error::Certificate(_))), "another key");
    for at in [first.certificate().len() - 1, 200, 10] {
        let again = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
        let mut changed = first.certificate().to_vec();
        changed[at] ^= 1;
        assert!(Authority::load(again, &changed).is_err(), "byte {at}");
    }
}

#[test]
fn a_changed_root_certificate_is_refused_with_its_own_key_too() {
    let root = key();
    let bytes = root.expose_bytes();
    let der = Authority::create(root, subject("Root"), validity(0, YEAR), &mut OsEntropy)
        .unwrap()
        .certificate()
        .to_vec();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        let key = SigningKey::from_bytes(KeyKind::P256, bytes.expose()).unwrap();
        assert!(Authority::load(key, &changed).is_err(), "byte {at}");
    }
}

#[test]
fn what_makes_no_sense_is_not_certified() {
    let authority = authority();
    let holder = key();
    let issue = |key: &PublicKey, subject: &Subject, groups: &[DocumentGroup], validity, now| {
        authority.issue_document_signer(key, subject, groups, validity, now, &mut OsEntropy)
    };
    let groups = &[DocumentGroup::Vaccination];
    let good = subject("Labor");
    let own = holder.public_key();
    assert!(issue(own, &good, groups, validity(0, YEAR), NOW).is_ok());

    let PublicKey::P256(mut off) = own.clone() else {
        panic!("P-256")
    };
    off[64] ^= 1;
    let secp256k1 = SigningKey::generate(KeyKind::Secp256k1, &mut OsEntropy);
    assert!(
        issue(&PublicKey::P256(off), &good, groups, validity(0, YEAR), NOW).is_err(),
        "not on the curve"
    );
    assert!(
        issue(secp256k1.public_key(), &good, groups, validity(0, YEAR), NOW).is_err(),
        "another curve"
    );
    assert!(issue(own, &good, &[], validity(0, YEAR), NOW).is_err(), "no group");
    for (from, to) in [(0, 0), (YEAR, 0), (-2 * YEAR, YEAR), (0, 21 * YEAR), (-10, -1)] {
        assert!(
            issue(own, &good, groups, validity(from, to), NOW).is_err(),
            "{from} to {to}"
        );
    }
    assert!(
        issue(own, &good, groups, validity(0, YEAR), NOW.plus(21 * YEAR)).is_err(),
        "the root has expired"
    );
    for name in ["", "a\nb", &"x".repeat(65)] {
        assert!(
            issue(own, &subject(name), groups, validity(0, YEAR), NOW).is_err(),
            "{name}"
        );
    }
    for country in ["", "D", "de", "DEU", "Ä"] {
        let subject = Subject {
            country: Some(country.into()),
            ..good.clone()
        };
        assert!(
            issue(own, &subject, groups, validity(0, YEAR), NOW).is_err(),
            "{country}"
        );
    }
    let ed25519 = SigningKey::generate(KeyKind::Ed25519, &mut OsEntropy);
    assert!(Authority::create(ed25519, good.clone(), validity(0, YEAR), &mut OsEntropy).is_err());
}

#[test]
fn the_roots_own_key_is_certified_for_nothing() {
    let root = key();
    let public = root.public_key().clone();
    let authority = Authority::create(root, subject("Root"), validity(0, YEAR), &mut OsEntropy).unwrap();
    assert!(matches!(for_lists(&authority, &public), Err(Error::Certificate(_))));
}
