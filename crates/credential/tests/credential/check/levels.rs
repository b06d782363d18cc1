//! Authorities with levels in between: who signs status lists for an issuer stands under the authority that certified it, and not only under the same root.

use super::world::{PROVIDER, at, bits, now};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SigningKey};
use serde_json::{Value, json};
use std::sync::Arc;
use vidimus_core::{
    Algorithm, Timestamp,
    encoding::{base64, base64url},
    reason::{Reason, Test},
};
use vidimus_credential::{
    category::Categories,
    check::{Context, ForeignList, Policy, StatusLists, TrustList, Verdict, check_bytes},
    status::{Bits, SigningHeader, Status, token_list},
    x509::Certificate,
};

const LIST: &str = "https://pid.example/status/1";
/// `id-kp-jwt` (RFC 9509 §3).
const TOKENS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 37];
/// `mdlDS` (ISO/IEC 18013-5 annex B): somebody who issues.
const ISSUES: &[u64] = &[1, 0, 18013, 5, 1, 2];
/// No extended key usage.
const NOTHING: &[u64] = &[];

/// A certificate, its key, and those above it without the root.
struct Party {
    key: Issuer<'static, KeyPair>,
    chain: Vec<Vec<u8>>,
}

impl Party {
    fn new(name: &str, usage: Option<&[u64]>, by: Option<&Self>) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        let time = |at: Timestamp| time::OffsetDateTime::from_unix_timestamp(at.0).unwrap();
        (params.not_before, params.not_after) = (time(at("2026-01-01T00:00:00Z")), time(at("2027-01-01T00:00:00Z")));
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = match usage {
            None => IsCa::Ca(BasicConstraints::Unconstrained),
            Some(_) => IsCa::ExplicitNoCa,
        };
        let usages = usage
            .into_iter()
            .filter(|usage| !usage.is_empty())
            .map(|usage| ExtendedKeyUsagePurpose::Other(usage.to_vec()));
        params.extended_key_usages = usages.collect();
        params.use_authority_key_identifier_extension = true;
        let made = match by {
            Some(issuer) => params.signed_by(&key, &issuer.key),
            None => params.self_signed(&key),
        };
        let mut chain = vec![made.unwrap().der().to_vec()];
        // The root's own chain is itself, and stands in nobody's.
        chain.extend(
            by.filter(|issuer| !issuer.is_root())
                .into_iter()
                .flat_map(|issuer| issuer.chain.clone()),
        );
        Self {
            key: Issuer::new(params, key),
            chain,
        }
    }

    fn is_root(&self) -> bool {
        Certificate::from_der(&self.chain[0]).unwrap().is_self_issued()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let der = self.key.key().sign(message).unwrap();
        p256::ecdsa::Signature::from_der(&der).unwrap().to_bytes().to_vec()
    }

    fn permit(&self) -> String {
        let chain: Vec<String> = self.chain.iter().map(|der| base64(der)).collect();
        let header = json!({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": chain});
        let claims = json!({
            "iss": "https://pid.example", "iat": at("2026-02-01T00:00:00Z"), "vct": "urn:eudi:pid:1", "given_name": "Erika",
            "status": {"status_list": {"idx": 5, "uri": LIST}},
        });
        let message = [header, claims]
            .map(|part: Value| base64url(part.to_string().as_bytes()))
            .join(".");
        format!("{message}.{}~", base64url(&self.sign(message.as_bytes())))
    }

    fn list(&self) -> ForeignList {
        self.list_of(&bits(), now().plus(-60))
    }

    fn list_of(&self, bits: &Bits, issued_at: Timestamp) -> ForeignList {
        let terms = token_list::Terms {
            uri: LIST.to_owned(),
            issued_at,
            expires_at: None,
            ttl: None,
        };
        let header = SigningHeader {
            algorithm: Algorithm::Es256,
            kid: None,
            x5c: &self.chain,
        };
        let unsigned = token_list::prepare(bits, &terms, &header).unwrap();
        let signature = self.sign(unsigned.message());
        ForeignList::read(LIST, &unsigned.finish(&signature), now()).unwrap()
    }
}

/// The verdict on a copy with nothing but a trust list at hand, and what is said of its status.
fn checked(copy: &str, trust: &TrustList) -> (Verdict, Reason) {
    let context = Context {
        now: now(),
        provider: &*PROVIDER,
        categories: &Categories::built_in(),
        registry: None,
        status: &StatusLists::new(),
        roots: None,
        trust: Some(trust),
        policy: Policy::default(),
        expected: None,
    };
    let report = check_bytes(copy.as_bytes(), &context);
    (report.verdict, report.test(Test::Status).unwrap().reason)
}

/// Files come in any order: what an older list says does not bring back what a newer one revoked.
#[test]
fn of_two_lists_of_one_name_the_newer_counts() {
    let root = Party::new("Root", None, None);
    let issuer = Party::new("Issuer", Some(ISSUES), Some(&root));
    let mut revoked = bits();
    revoked.set(5, Status::Revoked).unwrap();
    let lists = [
        issuer.list_of(&bits(), now().plus(-600)),
        issuer.list_of(&revoked, now().plus(-60)),
    ]
    .map(Arc::new);
    for order in [[0, 1], [1, 0]] {
        let mut trust = TrustList::new(now());
        trust.add_authority(Certificate::from_der(&root.chain[0]).unwrap());
        for at in order {
            trust.add_status_list(LIST, Some(lists[at].clone()));
            trust.add_status_list(LIST, None);
        }
        let revoked = (Verdict::Invalid, Reason::Revoked);
        assert_eq!(checked(&issuer.permit(), &trust), revoked, "{order:?}");
    }
}

#[test]
fn who_signs_lists_stands_under_the_authority_that_certified_the_issuer() {
    let root = Party::new("Root", None, None);
    let [ours, theirs] = ["Ministry", "Office of the neighbour"].map(|name| Party::new(name, None, Some(&root)));
    let issuer = Party::new("Issuer", Some(ISSUES), Some(&ours));
    let check = |copy: &str, list: &Party, more: &dyn Fn(&mut TrustList)| {
        let mut trust = TrustList::new(now());
        trust.add_authority(Certificate::from_der(&root.chain[0]).unwrap());
        trust.add_status_list(LIST, Some(Arc::new(list.list())));
        more(&mut trust);
        checked(copy, &trust)
    };
    let (good, refused, unknown) = (
        (Verdict::Valid, Reason::StatusOk),
        (Verdict::Invalid, Reason::StatusInvalid),
        (Verdict::Undetermined, Reason::StatusMissing),
    );
    let permit = issuer.permit();
    let nobody = |_: &mut TrustList| {};
    let beside = Party::new("Signer of lists", Some(TOKENS), Some(&ours));
    assert_eq!(check(&permit, &beside, &nobody), good);
    assert_eq!(check(&permit, &issuer, &nobody), good, "by itself");
    let of_the_neighbour = Party::new("Signer of lists", Some(TOKENS), Some(&theirs));
    assert_eq!(check(&permit, &of_the_neighbour, &nobody), unknown);
    let above = Party::new("Signer of lists", Some(TOKENS), Some(&root));
    assert_eq!(check(&permit, &above, &nobody), unknown);
    let issues = Party::new("Another issuer", Some(ISSUES), Some(&ours));
    assert_eq!(check(&permit, &issues, &nobody), refused);
    // Where the root is trusted with lists, all of them are, but for who does something else.
    let root_signs = |trust: &mut TrustList| trust.add_status_signer(Certificate::from_der(&root.chain[0]).unwrap());
    assert_eq!(check(&permit, &of_the_neighbour, &root_signs), good);
    assert_eq!(check(&permit, &above, &root_signs), good);
    assert_eq!(check(&permit, &issues, &root_signs), refused);
    // Who is certified for nothing that it names is certified for no lists; where it is listed itself it needs no naming.
    let silent = Party::new("Somebody", Some(NOTHING), Some(&theirs));
    assert_eq!(check(&permit, &silent, &root_signs), refused);
    let itself = |trust: &mut TrustList| trust.add_status_signer(Certificate::from_der(&silent.chain[0]).unwrap());
    assert_eq!(check(&permit, &silent, &itself), good);
    // Who signs lists issues nothing, at any level.
    for signer in [&beside, &above] {
        assert_eq!(check(&signer.permit(), signer, &nobody).0, Verdict::Invalid);
    }
}

/// An authority that changes its root has issuers under one and who signs their lists under the other for a time.
#[test]
fn a_list_under_another_root_says_nothing_until_its_signer_is_trusted() {
    let [old, new] = ["Root of 2020", "Root of 2026"].map(|name| Party::new(name, None, None));
    let issuer = Party::new("Issuer", Some(ISSUES), Some(&old));
    let lists = Party::new("Signer of lists", Some(TOKENS), Some(&new));
    let root = |of: &Party| Certificate::from_der(&of.chain[0]).unwrap();
    let mut revoked = bits();
    revoked.set(5, Status::Revoked).unwrap();
    for (bits, then) in [
        (bits(), (Verdict::Valid, Reason::StatusOk)),
        (revoked, (Verdict::Invalid, Reason::Revoked)),
    ] {
        let mut trust = TrustList::new(now());
        trust.add_authority(root(&old));
        trust.add_status_list(LIST, Some(Arc::new(lists.list_of(&bits, now().plus(-60)))));
        let unknown = (Verdict::Undetermined, Reason::StatusMissing);
        assert_eq!(checked(&issuer.permit(), &trust), unknown, "only one root is trusted");
        trust.add_authority(root(&new));
        assert_eq!(checked(&issuer.permit(), &trust), unknown, "both issue");
        trust.add_status_signer(root(&new));
        assert_eq!(
            checked(&issuer.permit(), &trust),
            then,
            "the new one signs lists of others too"
        );
    }
}
