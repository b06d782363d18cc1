//! X.509: the deployment's authority certifies, a checker walks the chain of one leaf.

use crate::support::{NOW, Seeded, key, public};
use proptest::prelude::*;
use std::sync::LazyLock;
use vidimus_core::{Provider, PublicKey, Signer, Timestamp, encoding};
use vidimus_credential::x509::{Certificate, CertificateError, MAX_DER, leaf_of_chain, leaf_of_path, usage};
use vidimus_crypto::{
    KeyKind, Native,
    ca::{Authority, DocumentGroup, Subject, Validity},
};

const YEAR: i64 = 365 * 86_400;

fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.into(),
        organization: Some("Ministry, of Health".into()),
        country: Some("AT".into()),
    }
}

fn authority(seed: u64) -> Authority {
    let validity = Validity {
        not_before: NOW.plus(-YEAR),
        not_after: NOW.plus(10 * YEAR),
    };
    Authority::create(key(KeyKind::P256, seed), subject("Root"), validity, &mut Seeded(seed)).unwrap()
}

fn leaf_until(authority: &Authority, not_after: Timestamp) -> Vec<u8> {
    let validity = Validity {
        not_before: NOW.plus(-60),
        not_after,
    };
    let groups = [DocumentGroup::Test, DocumentGroup::Recovery];
    let public = public(&key(KeyKind::P256, 50));
    authority
        .issue_document_signer(&public, &subject("Laboratory"), &groups, validity, NOW, &mut Seeded(9))
        .unwrap()
}

fn leaf(authority: &Authority) -> Vec<u8> {
    leaf_until(authority, NOW.plus(YEAR))
}

static LEAF: LazyLock<Vec<u8>> = LazyLock::new(|| leaf(&authority(1)));

#[test]
fn a_document_signer_says_what_the_authority_wrote() {
    let native = Native::new();
    let authority = authority(1);
    let root = Certificate::from_der(authority.certificate()).unwrap();
    let leaf = Certificate::from_der(&LEAF).unwrap();
    assert_eq!(&leaf.public_key, key(KeyKind::P256, 50).public_key());
    assert_eq!((leaf.not_before, leaf.not_after), (NOW.plus(-60), NOW.plus(YEAR)));
    assert_eq!(leaf.issuer, root.subject);
    assert!(leaf.subject.contains("CN=Laboratory"), "{}", leaf.subject);
    assert!(leaf.allows(&usage::TEST) && leaf.allows(&usage::RECOVERY) && !leaf.allows(&usage::VACCINATION));
    assert_eq!(leaf.digital_signature, Some(true));
    assert_eq!(leaf.authority_key_id, root.subject_key_id);
    assert!(root.is_authority && !leaf.is_authority);
    assert_eq!(leaf.kid(&native), native.sha256(&[&LEAF]).0[..8]);
    assert_eq!(leaf.verify_signed_by(&root, &native), Ok(()));
    assert_eq!(root.verify_signed_by(&root, &native), Ok(()));
    assert!(leaf.is_valid_at(leaf.not_before) && leaf.is_valid_at(leaf.not_after));
    assert!(!leaf.is_valid_at(leaf.not_before.plus(-1)) && !leaf.is_valid_at(leaf.not_after.plus(1)));
}

#[test]
fn text_forms_read_as_the_der_does() {
    let leaf = Certificate::from_der(&LEAF).unwrap();
    let base64 = encoding::base64(&LEAF);
    let broken = base64
        .as_bytes()
        .chunks(60)
        .map(|l| std::str::from_utf8(l).unwrap())
        .collect::<Vec<_>>()
        .join("\r\n");
    for text in [leaf.to_pem(), format!("text before\n{}", leaf.to_pem()), base64, broken] {
        assert_eq!(Certificate::from_text(&text), Ok(leaf.clone()));
    }
    let cut = leaf.to_pem().replace("END", "FIN");
    for text in [
        "",
        "MII",
        "-----BEGIN CERTIFICATE-----",
        "é",
        &cut,
        &"A".repeat(3 * MAX_DER),
    ] {
        assert!(Certificate::from_text(text).is_err(), "{}", &text[..text.len().min(30)]);
    }
}

#[test]
fn a_chain_is_one_leaf_under_a_trusted_root() {
    let native = Native::new();
    let (ours, other) = (authority(1), authority(2));
    let roots = [other.certificate(), ours.certificate()].map(|der| Certificate::from_der(der).unwrap());
    let (der, root) = (LEAF.clone(), ours.certificate().to_vec());
    let walk =
        |x5c: &[Vec<u8>], roots: &[Certificate], now| leaf_of_chain(x5c, roots, now, &native).map(|leaf| leaf.serial);
    let serial = Certificate::from_der(&der).unwrap().serial;
    assert_eq!(walk(std::slice::from_ref(&der), &roots, NOW), Ok(serial));
    for (x5c, roots, now, error) in [
        (vec![], &roots[..], NOW, CertificateError::Chain),
        (vec![der.clone(), root.clone()], &roots, NOW, CertificateError::Chain),
        (vec![root], &roots, NOW, CertificateError::Chain),
        (vec![vec![0x30]], &roots, NOW, CertificateError::Malformed),
        (vec![der.clone()], &[], NOW, CertificateError::Issuer),
        // Another root of the same name: its key identifier is not the one.
        (vec![der.clone()], &roots[..1], NOW, CertificateError::Issuer),
        (
            vec![der.clone()],
            &roots,
            NOW.plus(2 * YEAR),
            CertificateError::Validity,
        ),
        (vec![der.clone()], &roots, NOW.plus(-3600), CertificateError::Validity),
        (
            vec![leaf_until(&ours, NOW.plus(10 * YEAR))],
            &roots,
            NOW.plus(10 * YEAR + 1),
            CertificateError::Validity,
        ),
    ] {
        assert_eq!(walk(&x5c, roots, now), Err(error));
    }
}

#[test]
fn an_access_certificate_names_its_hosts() {
    let names = ["verifier.example.org".to_owned(), "*.example.net".to_owned()];
    let (public, validity) = (public(&key(KeyKind::P256, 51)), whole_year());
    let uris = ["https://verifier.example.org/about".to_owned()];
    let der = authority(1)
        .issue_access(
            &public,
            &subject("Airline"),
            &names,
            &uris,
            validity,
            NOW,
            &mut Seeded(9),
        )
        .unwrap();
    let access = Certificate::from_der(&der).unwrap();
    assert_eq!(access.dns_names, names);
    assert_eq!(access.uris, uris);
    assert!(access.names_host("verifier.example.org") && access.names_host("VERIFIER.example.org"));
    for other in [
        "example.org",
        "a.verifier.example.org",
        "verifier.example.org.",
        "a.example.net",
        "",
    ] {
        assert!(!access.names_host(other), "{other}");
    }
    assert!(Certificate::from_der(&LEAF).unwrap().dns_names.is_empty());
}

fn whole_year() -> Validity {
    Validity {
        not_before: NOW.plus(-60),
        not_after: NOW.plus(YEAR),
    }
}

/// A certificate and its key, by somebody else's authority with levels in between.
struct Foreign(rcgen::Issuer<'static, rcgen::KeyPair>, Vec<u8>);

impl Foreign {
    fn new(name: &str, is_ca: rcgen::IsCa, days: i64, by: Option<&Foreign>) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = rcgen::CertificateParams::default();
        let time = |days: i64| time::OffsetDateTime::from_unix_timestamp(NOW.0 + days * 86_400).unwrap();
        (params.not_before, params.not_after) = (time(-10), time(days));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = is_ca;
        params.use_authority_key_identifier_extension = true;
        let made = match by {
            Some(issuer) => params.signed_by(&key, &issuer.0),
            None => params.self_signed(&key),
        };
        let der = made.unwrap().der().to_vec();
        Self(rcgen::Issuer::new(params, key), der)
    }
}

#[test]
fn a_path_leads_from_the_leaf_to_a_trusted_root() {
    use rcgen::{BasicConstraints::Constrained, BasicConstraints::Unconstrained, IsCa};
    let native = Native::new();
    let root = Foreign::new("root", IsCa::Ca(Unconstrained), 100, None);
    let narrow_root = Foreign::new("narrow root", IsCa::Ca(Constrained(0)), 100, None);
    let upper = Foreign::new("upper", IsCa::Ca(Constrained(1)), 90, Some(&root));
    let lower = Foreign::new("lower", IsCa::Ca(Constrained(0)), 80, Some(&upper));
    let leaf = Foreign::new("leaf", IsCa::ExplicitNoCa, 70, Some(&lower));
    let lowest = Foreign::new("lowest", IsCa::Ca(Unconstrained), 80, Some(&lower));
    let too_low = Foreign::new("too low", IsCa::ExplicitNoCa, 70, Some(&lowest));
    let outside = Foreign::new("outside", IsCa::Ca(Unconstrained), 90, Some(&narrow_root));
    let outside_leaf = Foreign::new("outside leaf", IsCa::ExplicitNoCa, 70, Some(&outside));
    let by_leaf = Foreign::new("by leaf", IsCa::ExplicitNoCa, 70, Some(&leaf));
    let roots = [&root, &narrow_root].map(|one| Certificate::from_der(&one.1).unwrap());
    let walk = |path: &[&Foreign], days: i64| {
        let x5c: Vec<Vec<u8>> = path.iter().map(|one| one.1.clone()).collect();
        leaf_of_path(&x5c, &roots, NOW.plus(days * 86_400), &native).map(|leaf| leaf.der().to_vec())
    };
    assert_eq!(walk(&[&leaf, &lower, &upper], 0), Ok(leaf.1.clone()));
    let direct = Foreign::new("direct", IsCa::ExplicitNoCa, 70, Some(&root));
    assert_eq!(walk(&[&direct], 0), Ok(direct.1.clone()));
    use CertificateError::{Chain, Issuer, Validity};
    for (what, path, days, error) in [
        ("nothing", vec![], 0, Chain),
        ("with the anchor", vec![&leaf, &lower, &upper, &root], 0, Chain),
        ("the anchor alone", vec![&root], 0, Chain),
        ("an authority as leaf", vec![&lower, &upper], 0, Chain),
        ("a gap", vec![&leaf, &upper], 0, Issuer),
        ("the wrong order", vec![&leaf, &upper, &lower], 0, Issuer),
        ("cut short", vec![&leaf, &lower], 0, Issuer),
        ("one too many below", vec![&too_low, &lowest, &lower, &upper], 0, Chain),
        ("none allowed below this root", vec![&outside_leaf, &outside], 0, Chain),
        ("signed by a leaf", vec![&by_leaf, &leaf, &lower, &upper], 0, Issuer),
        ("leaf expired", vec![&leaf, &lower, &upper], 75, Validity),
        ("root expired", vec![&leaf, &lower, &upper], 101, Validity),
        ("not yet", vec![&leaf, &lower, &upper], -11, Validity),
    ] {
        assert_eq!(walk(&path, days), Err(error), "{what}");
    }
}

#[test]
fn a_leaf_certifies_nobody() {
    let native = Native::new();
    let leaf = Certificate::from_der(&LEAF).unwrap();
    let root = Certificate::from_der(authority(1).certificate()).unwrap();
    assert_eq!(root.verify_signed_by(&leaf, &native), Err(CertificateError::Issuer));
    assert_eq!(leaf.verify_signed_by(&leaf, &native), Err(CertificateError::Issuer));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let native = Native::new();
    let root = Certificate::from_der(authority(1).certificate()).unwrap();
    let (mut unreadable, mut refused) = (0, 0);
    for at in 0..LEAF.len() {
        for bit in 0..8 {
            let mut der = LEAF.clone();
            der[at] ^= 1 << bit;
            match Certificate::from_der(&der) {
                Err(_) => unreadable += 1,
                Ok(leaf) => {
                    assert!(leaf.verify_signed_by(&root, &native).is_err(), "byte {at} bit {bit}");
                    refused += 1;
                }
            }
        }
    }
    assert!(unreadable > 0 && refused > 0);
    for end in 0..LEAF.len() {
        assert!(Certificate::from_der(&LEAF[..end]).is_err());
    }
    assert_eq!(
        Certificate::from_der(&[&LEAF[..], &[0]].concat()),
        Err(CertificateError::Malformed)
    );
    assert_eq!(
        Certificate::from_der(&vec![0x30; MAX_DER + 1]),
        Err(CertificateError::TooLarge)
    );
}

#[test]
fn keys_of_other_kinds_are_refused() {
    // The same certificate with another curve's identifier: P-256 (…3.1.7) becomes 1.2.840.10045.3.1.6, then an uncompressed point marked compressed.
    let curve = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let at = LEAF.windows(10).position(|w| w == curve).unwrap();
    let mut der = LEAF.clone();
    der[at + 9] = 6;
    assert_eq!(Certificate::from_der(&der), Err(CertificateError::Key));
    let mut der = LEAF.clone();
    assert_eq!(der[at + 10 + 3], 4);
    der[at + 10 + 3] = 2;
    assert_eq!(Certificate::from_der(&der), Err(CertificateError::Key));
    // Not on the curve: it reads, and the provider refuses the key.
    let mut der = LEAF.clone();
    der[at + 10 + 10] ^= 1;
    let PublicKey::P256(_) = Certificate::from_der(&der).unwrap().public_key else {
        panic!("still P-256")
    };
}

proptest! {
    #[test]
    fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Certificate::from_der(&bytes).is_err());
    }

    #[test]
    fn reading_a_spoiled_certificate_is_total(
        at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), with in proptest::collection::vec(any::<u8>(), 0..8)
    ) {
        let mut der = LEAF.clone();
        let at = at.index(der.len());
        let end = at + cut.index(der.len() - at + 1).min(16);
        der.splice(at..end, with);
        if let Ok(read) = Certificate::from_der(&der) {
            prop_assert_eq!(read.der(), &der[..]);
        }
    }
}
