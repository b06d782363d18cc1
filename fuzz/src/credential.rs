//! What the targets of `vidimus-credential`'s parsers do with their bytes.

use std::sync::LazyLock;
use vidimus_core::{Address, Receipt, Timestamp, receipt::BlockHash};
use vidimus_credential::{
    Format,
    card::HolderCard,
    category::Categories,
    check::{
        self, Bundle, Context, Envelope, Evidence, Head, Input, Policy, Registry, Roots, StatusLists, TrustList,
        Verdict, bundle::Content, registry::Event,
    },
    countersign::CounterSignature,
    format::{
        self, hcert,
        sd_jwt_vc::{issuer_metadata, type_metadata::Resolution},
        vc_jwt,
    },
    intake, json, jws,
    presentation::Presentation,
    sd_jwt::SdJwt,
    status::{bitstring::BitstringList, token_list::TokenList},
    x509,
};
use vidimus_crypto::Native;

const NOW: Timestamp = Timestamp(1_772_452_800);

static PROVIDER: LazyLock<Native> = LazyLock::new(Native::new);
static CATEGORIES: LazyLock<Categories> = LazyLock::new(Categories::built_in);

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[
    ("bitstring_list", bitstring_list),
    ("bundle", bundle),
    ("card", card),
    ("category", category),
    ("cose", cose),
    ("countersign", countersign),
    ("envelope", envelope),
    ("evidence", evidence),
    ("hcert", hcert_text),
    ("input", input),
    ("intake_claims", intake_claims),
    ("intake_dcc", intake_dcc),
    ("intake_fhir", intake_fhir),
    ("json", strict_json),
    ("jws", compact_jws),
    ("presentation", presentation),
    ("receipt", receipt),
    ("registry", registry),
    ("sd_jwt", sd_jwt_text),
    ("token_list", token_list),
    ("trust_list", trust_list),
    ("type_metadata", type_document),
    ("unsigned_copy", unsigned_copy),
    ("value_set", value_set),
    ("vc_jwt", vc),
    ("x509", certificate),
    ("zlib", zlib),
];

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// Strict JSON: what is read is what `serde_json` reads, and never a document with a name twice.
pub fn strict_json(data: &[u8]) {
    if let Ok(value) = json::parse(data, 1 << 20) {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(data).ok(), Some(value));
    }
}

/// Compact JWS: one spelling only.
pub fn compact_jws(data: &[u8]) {
    let Some(token) = text(data) else { return };
    if let Ok(read) = jws::Jws::parse(token, 1 << 20) {
        assert!(token.as_bytes().starts_with(read.message()));
        let signature = vidimus_core::encoding::base64url(read.signature());
        assert_eq!(
            token,
            format!("{}.{signature}", text(read.message()).expect("part of a text"))
        );
        let _ = read.claims();
    }
}

/// VC as JWT, both versions.
pub fn vc(data: &[u8]) {
    if let Some(Ok(read)) = text(data).map(vc_jwt::parse) {
        assert!(matches!(read.format, Format::VcJwt11 | Format::VcJwt20));
        assert!(data.starts_with(&read.message));
    }
}

/// SD-JWT, with and without key binding; SD-JWT VC, and one to sign.
pub fn sd_jwt_text(data: &[u8]) {
    if let Ok(unsigned) = format::Unsigned::from_message(Format::SdJwtVc, data.to_vec()) {
        assert_eq!(unsigned.to_kept(), data);
        let finished = unsigned.finish(&[1; 64]);
        assert!(SdJwt::parse(&finished).is_ok_and(|read| read.bound().is_none()));
    }
    let Some(text) = text(data) else { return };
    let Ok(read) = SdJwt::parse(text) else { return };
    assert_eq!(text, format!("{}{}", read.unbound(), read.bound().unwrap_or_default()));
    let _ = read.key_binding();
    if let Ok(processed) = read.process(&*PROVIDER) {
        // Everything that came has its place, and all of it chosen is what came.
        assert_eq!(processed.disclosed.len(), read.disclosures().len());
        let paths: Vec<_> = processed.disclosed.iter().map(|one| one.path.clone()).collect();
        let chosen = processed.choose(&paths).expect("each leads to what it disclosed");
        assert_eq!(chosen.len(), paths.len());
        assert_eq!(read.present(&chosen), read.unbound());
    }
    if let Ok(parsed) = format::parse(text) {
        assert_eq!(parsed.format, Format::SdJwtVc);
        if let format::Content::SdJwtVc(content) = &parsed.content {
            let _ = content.show(&*PROVIDER);
            let _ = content.verify_binding(&*PROVIDER);
        }
    }
}

/// Type Metadata, and JWT VC Issuer Metadata.
pub fn type_document(data: &[u8]) {
    let mut resolution = Resolution::new("https://health.example/v1/types/sars-cov-2-naat", None);
    if resolution.supply(data, &*PROVIDER).is_ok() && resolution.wanted().is_none() {
        let _ = resolution.finish();
    }
    let _ = issuer_metadata::read(data, "https://lab.example");
    let _ = issuer_metadata::read_keys(data);
    let _ = text(data).map(issuer_metadata::url);
}

/// Text of an HCERT: base45, zlib, COSE, CWT.
pub fn hcert_text(data: &[u8]) {
    if let Some(Ok(read)) = text(data).map(hcert::parse) {
        assert_eq!(read.format, Format::Hcert);
        if let format::Content::Hcert(content) = &read.content {
            let _ = CATEGORIES.from_dcc(&content.dcc, vidimus_credential::category::Strictness::Lenient);
        }
    }
}

/// COSE and the CBOR in it.
pub fn cose(data: &[u8]) {
    let _ = hcert::parse_cose(data);
}

/// A zlib stream: what comes out stays within the limit.
pub fn zlib(data: &[u8]) {
    if let Ok(out) = hcert::decompress(data) {
        assert!(out.len() <= hcert::MAX_INFLATED);
    }
}

/// Token Status List.
pub fn token_list(data: &[u8]) {
    if let Some(Ok(list)) = text(data).map(TokenList::parse) {
        assert!(list.status(list.entries()).is_err(), "an entry beyond the last");
        let _ = list.status(0);
    }
}

/// Bitstring Status List.
pub fn bitstring_list(data: &[u8]) {
    if let Some(Ok(list)) = text(data).map(BitstringList::parse) {
        assert!(list.is_set(list.entries()).is_err(), "an entry beyond the last");
        let _ = list.status(0);
    }
}

/// The bytes of a copy to sign, as a server gives them: what is read is those bytes and no others, and becomes what it says once it is signed.
pub fn unsigned_copy(data: &[u8]) {
    for format in [Format::VcJwt11, Format::VcJwt20, Format::Hcert] {
        let Ok(read) = format::Unsigned::from_message(format, data.to_vec()) else {
            continue;
        };
        assert_eq!(read.message(), data);
        let again = format::Unsigned::from_message(format, read.message().to_vec());
        assert_eq!(again.ok().as_ref(), Some(&read));
        let parsed = format::parse(&read.finish(&[1; 64]));
        if format == Format::Hcert {
            let parsed = parsed.expect("what was prepared here reads");
            assert_eq!((parsed.format, &parsed.message[..]), (format, data));
        } else if let Ok(parsed) = parsed {
            assert_eq!(parsed.message, data);
        }
    }
}

/// X.509: a certificate that reads gives its own bytes back.
pub fn certificate(data: &[u8]) {
    if let Ok(read) = x509::Certificate::from_der(data) {
        assert_eq!(read.der(), data);
        let _ = read.verify_signed_by(&read, &*PROVIDER);
    }
    if let Some(text) = text(data) {
        let _ = x509::Certificate::from_text(text);
    }
}

/// An envelope, and back.
pub fn envelope(data: &[u8]) {
    let Ok(value) = json::parse(data, check::MAX_INPUT) else {
        return;
    };
    if let Ok(read) = serde_json::from_value::<Envelope>(value) {
        let written = serde_json::to_vec(&read).expect("an envelope is JSON");
        assert_eq!(serde_json::from_slice::<Envelope>(&written).ok(), Some(read));
    }
}

/// Evidence of paper: one spelling only.
pub fn evidence(data: &[u8]) {
    if let Some(text) = text(data)
        && let Ok(read) = Evidence::parse(text)
    {
        assert_eq!(read.to_text(), text);
        let commitment = vidimus_core::Commitment::from_bytes([7; 32]);
        let _ = read.receipt.verify(&*PROVIDER, &commitment);
    }
}

/// A receipt, and the proof in it.
pub fn receipt(data: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<Receipt>(data) {
        let commitment = vidimus_core::Commitment::from_bytes([7; 32]);
        let _ = read.verify(&*PROVIDER, &commitment);
    }
}

/// A whole check without anything at hand: nothing is ever valid.
pub fn input(data: &[u8]) {
    let status = StatusLists::new();
    let registry = Registry::new(head());
    let roots = Roots::new(1, Address([0; 20]), 1, NOW, None);
    let trust = TrustList::new(NOW);
    for empty in [false, true] {
        let context = Context {
            now: NOW,
            provider: &*PROVIDER,
            categories: &CATEGORIES,
            registry: (!empty).then_some(&registry),
            status: &status,
            roots: (!empty).then_some(&roots),
            trust: (!empty).then_some(&trust),
            policy: Policy::default(),
            expected: None,
        };
        assert_ne!(check::check_bytes(data, &context).verdict, Verdict::Valid);
    }
    if let Ok(read) = Input::parse(data) {
        let _ = (read.status(), read.anchor(), read.digest(&*PROVIDER));
    }
}

/// A presentation.
pub fn presentation(data: &[u8]) {
    if let Some(Ok(read)) = text(data).map(Presentation::parse) {
        let _ = read.verify_holder(&*PROVIDER, NOW);
        let _ = Input::from_presentation(&read);
    }
}

/// A holder card.
pub fn card(data: &[u8]) {
    let _ = text(data).map(|text| HolderCard::verify(text, &*PROVIDER, NOW));
}

/// A counter-signature.
pub fn countersign(data: &[u8]) {
    if let Some(Ok(read)) = text(data).map(CounterSignature::parse) {
        let _ = read.verify(&read.holder, &read.digest, &*PROVIDER, NOW);
    }
}

/// A bundle: its frame, and apart from it the content, which no fuzzer could sign.
pub fn bundle(data: &[u8]) {
    if let Some(text) = text(data) {
        assert!(
            Bundle::open(text, &[], &*PROVIDER, NOW, None).is_err(),
            "no root is trusted"
        );
    }
    if let Ok(content) = serde_json::from_slice::<Content>(data) {
        let roots = Roots::from(content.anchors);
        assert!(roots.iter().all(|root| root.anchor.contract == roots.contract()));
        let _ = Registry::build(content.head, &content.issuers);
    }
}

/// Events of a registry.
pub fn registry(data: &[u8]) {
    let Ok(events) = serde_json::from_slice::<Vec<Event>>(data) else {
        return;
    };
    if let Ok(registry) = Registry::build(head(), &events) {
        for participant in registry.participants() {
            let found = registry.resolve(participant.did()).expect("who is in is found");
            assert_eq!(found.address(), participant.address());
        }
    }
}

/// A foreign trust list.
pub fn trust_list(data: &[u8]) {
    if let Ok(list) = TrustList::parse(data, NOW, &*PROVIDER) {
        assert!(!list.is_empty());
    }
}

/// A category's file.
pub fn category(data: &[u8]) {
    if let Some(text) = text(data) {
        let mut categories = CATEGORIES.clone();
        if let Ok(id) = categories.load("fuzz", text) {
            let _ = categories.category(&id).expect("what was loaded is there").texts("en");
        }
    }
}

/// A value set's file.
pub fn value_set(data: &[u8]) {
    if let Some(text) = text(data) {
        let _ = CATEGORIES.clone().load_value_set("fuzz", text);
    }
}

/// Results as our own JSON.
pub fn intake_claims(data: &[u8]) {
    take_in(data, intake::claims::read);
}

/// Results as EU DCC payloads.
pub fn intake_dcc(data: &[u8]) {
    take_in(data, intake::dcc::read);
}

/// Results as FHIR bundles.
pub fn intake_fhir(data: &[u8]) {
    take_in(data, intake::read);
}

/// What is taken in fits its category.
fn take_in(data: &[u8], read: fn(&[u8], &intake::Context<'_>) -> Result<intake::Intake, intake::Rejection>) {
    let context = intake::Context {
        categories: &CATEGORIES,
        now: NOW,
        country: Some("AT"),
        category: None,
    };
    if let Ok(taken) = read(data, &context) {
        let category = CATEGORIES
            .category(&taken.category)
            .expect("a result has a known category");
        assert_eq!(category.validate(&taken.claims), Ok(()));
    }
}

fn head() -> Head {
    Head {
        chain_id: 0x56_494d,
        block_number: 1,
        block_hash: BlockHash([1; 32]),
        block_time: NOW,
        read_at: NOW,
    }
}
