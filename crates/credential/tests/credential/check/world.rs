//! The small world that the vectors play in: a deployment with its root, laboratories of every standing, travellers, and what they sign.
//!
//! Everything is derived from names, signatures included (RFC 6979), so that the same files come out each time.

use p256::ecdsa::signature::Signer as _;
use serde_json::{Value, json};
use std::sync::LazyLock;
use vidimus_core::{
    Address, Algorithm, Commitment, Digest, Entropy, Provider, PublicKey, Receipt, Salt, SignError, Signer, Timestamp,
    encoding::{base64, base64url},
    id::CopyId,
    merkle::Tree,
    receipt::{Anchor, BlockHash},
};
use vidimus_credential::{
    CategoryId, Person, Statement, StatusReference,
    card::HolderCard,
    check::{
        Envelope, Expected, Head, Policy, Root,
        bundle::{Anchors, List, ListKind},
        registry::{Change, Event, Grant, Keys},
    },
    countersign,
    format::{hcert, vc_jwt},
    jws,
    presentation::Draft,
    status::{Bits, SigningHeader, Status, bitstring, token_list},
};
use vidimus_crypto::{
    KeyKind, Native, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};

pub const CHAIN: u64 = 0x56_494d;
pub const ANCHORS: Address = Address([0xac; 20]);
pub const CONTEXT: &str = "https://health.example/contexts/certificate/v1";
pub const TOKEN_LIST: &str = "https://health.example/status/token/1";
pub const REVOCATION_LIST: &str = "https://health.example/status/bitstring/1";
pub const SUSPENSION_LIST: &str = "https://health.example/status/bitstring/2";

pub static PROVIDER: LazyLock<Native> = LazyLock::new(Native::new);

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

/// When the checks are made.
pub fn now() -> Timestamp {
    at("2026-03-02T12:00:00Z")
}

/// A key made from its name.
pub struct TestKey {
    pub name: String,
    pub secret: [u8; 32],
    public: PublicKey,
    inner: Inner,
}

enum Inner {
    Secp256k1(SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl TestKey {
    pub fn account(name: &str) -> Self {
        let name = format!("{name}-account");
        let secret = derive(&name);
        let key = SigningKey::from_bytes(KeyKind::Secp256k1, &secret).unwrap();
        Self {
            name,
            secret,
            public: key.public_key().clone(),
            inner: Inner::Secp256k1(key),
        }
    }
    pub fn p256(name: &str) -> Self {
        let name = format!("{name}-p256");
        let secret = derive(&name);
        let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_encoded_point(false);
        let public = PublicKey::P256(point.as_bytes().try_into().unwrap());
        Self {
            name,
            secret,
            public,
            inner: Inner::P256(key),
        }
    }
    pub fn address(&self) -> Address {
        self.public.address(&*PROVIDER).unwrap()
    }
    pub fn did(&self) -> String {
        did(&self.address())
    }
    pub fn file(&self) -> Value {
        json!({
            "comment": "TEST KEY, published: whoever trusts it trusts everybody",
            "name": self.name,
            "private": vidimus_core::encoding::hex(&self.secret),
            "public": self.public,
        })
    }
}

impl Signer for TestKey {
    fn algorithms(&self) -> &[Algorithm] {
        match &self.inner {
            Inner::Secp256k1(_) => &[Algorithm::Es256k, Algorithm::Es256kR],
            Inner::P256(_) => &[Algorithm::Es256],
        }
    }
    fn public_key(&self) -> &PublicKey {
        &self.public
    }
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.inner {
            Inner::Secp256k1(key) => key.sign(algorithm, message),
            Inner::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

pub fn did(address: &Address) -> String {
    format!("did:ethr:{CHAIN:#x}:{address}")
}

fn derive(name: &str) -> [u8; 32] {
    PROVIDER.sha256(&[b"vidimus TEST KEY ", name.as_bytes()]).0
}

/// Bytes from a name.
pub struct Seeded(String, u64);

impl Seeded {
    pub fn new(name: &str) -> Self {
        Self(name.to_owned(), 0)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, into: &mut [u8]) {
        for byte in into {
            let block = PROVIDER.sha256(&[b"seed", self.0.as_bytes(), &(self.1 / 32).to_be_bytes()]);
            *byte = block.0[usize::try_from(self.1 % 32).unwrap()];
            self.1 += 1;
        }
    }
}

/// The certificate authority of a deployment, and its signer of lists.
pub struct Deployment {
    pub authority: Authority,
    pub lists: TestKey,
    pub lists_certificate: Vec<u8>,
}

impl Deployment {
    pub fn new(name: &str) -> Self {
        let validity = Validity {
            not_before: at("2025-01-01T00:00:00Z"),
            not_after: at("2035-01-01T00:00:00Z"),
        };
        let root = TestKey::p256(&format!("{name}-root"));
        let authority =
            Authority::create(root, subject(&format!("{name} root")), validity, &mut Seeded::new(name)).unwrap();
        let lists = TestKey::p256(&format!("{name}-lists"));
        let lists_certificate = authority
            .issue_status_signer(
                lists.public_key(),
                &subject(&format!("{name} lists")),
                validity,
                now(),
                &mut Seeded::new("lists"),
            )
            .unwrap();
        Self {
            authority,
            lists,
            lists_certificate,
        }
    }

    /// A document signer's certificate.
    pub fn certify(&self, key: &TestKey, groups: &[DocumentGroup], from: &str, until: &str) -> Vec<u8> {
        let validity = Validity {
            not_before: at(from),
            not_after: at(until),
        };
        self.authority
            .issue_document_signer(
                key.public_key(),
                &subject(&key.name),
                groups,
                validity,
                validity.not_before,
                &mut Seeded::new(&key.name),
            )
            .unwrap()
    }
}

fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.to_owned(),
        organization: None,
        country: Some("AT".to_owned()),
    }
}

pub static DEPLOYMENT: LazyLock<Deployment> = LazyLock::new(|| Deployment::new("health"));
/// Somebody else's.
pub static OTHER: LazyLock<Deployment> = LazyLock::new(|| Deployment::new("elsewhere"));

/// An issuer: its account, its P-256 keys by version with their certificates.
pub struct Lab {
    pub account: TestKey,
    pub keys: Vec<(TestKey, Vec<u8>)>,
}

impl Lab {
    fn new(name: &str, keys: &[(&[DocumentGroup], &str, &str)]) -> Self {
        let keys = keys
            .iter()
            .enumerate()
            .map(|(i, (groups, from, until))| {
                let key = TestKey::p256(&format!("{name}-{}", i + 1));
                let certificate = DEPLOYMENT.certify(&key, groups, from, until);
                (key, certificate)
            })
            .collect();
        Self {
            account: TestKey::account(name),
            keys,
        }
    }
    pub fn did(&self) -> String {
        self.account.did()
    }
    pub fn kid(&self, version: usize) -> [u8; 8] {
        kid(&self.keys[version - 1].1)
    }
    fn registered(&self, version: usize) -> Keys {
        let (key, certificate) = &self.keys[version - 1];
        Keys {
            p256: Some(key.public_key().clone()),
            x25519: None,
            certificate: Some(PROVIDER.sha256(&[certificate])),
        }
    }
}

pub fn kid(der: &[u8]) -> [u8; 8] {
    PROVIDER.sha256(&[der]).0[..8].try_into().unwrap()
}

const ALL: &[DocumentGroup] = &[DocumentGroup::Test, DocumentGroup::Vaccination, DocumentGroup::Recovery];
const YEARS: (&[DocumentGroup], &str, &str) = (ALL, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");

pub struct Labs {
    /// In good standing; changed its keys on 1 February.
    pub lab: Lab,
    /// Vaccinates, does not test.
    pub clinic: Lab,
    /// Admitted on the morning of the check.
    pub late: Lab,
    /// Suspended since 20 February.
    pub suspended: Lab,
    /// Suspended for five days in February.
    pub resumed: Lab,
    /// Revoked on 20 February.
    pub revoked: Lab,
    /// Tested until 1 March, 12:00.
    pub withdrawn: Lab,
    /// Its first keys count as stolen from 25 February on.
    pub robbed: Lab,
    /// Tests, but its document signer is certified for vaccinations only; its second one for nothing any more.
    pub mixed: Lab,
    /// Handed its DID over to a new account on 1 February.
    pub moved: Lab,
    /// The account it was handed over to.
    pub moved_to: TestKey,
    /// Never admitted.
    pub stranger: Lab,
}

pub static LABS: LazyLock<Labs> = LazyLock::new(|| {
    let vaccinations: &[DocumentGroup] = &[DocumentGroup::Vaccination];
    Labs {
        lab: Lab::new("lab", &[YEARS, YEARS]),
        clinic: Lab::new("clinic", &[YEARS]),
        late: Lab::new("late", &[YEARS]),
        suspended: Lab::new("suspended", &[YEARS]),
        resumed: Lab::new("resumed", &[YEARS]),
        revoked: Lab::new("revoked", &[YEARS]),
        withdrawn: Lab::new("withdrawn", &[YEARS]),
        robbed: Lab::new("robbed", &[YEARS, YEARS]),
        mixed: Lab::new(
            "mixed",
            &[
                (vaccinations, "2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z"),
                (ALL, "2026-01-01T00:00:00Z", "2026-02-15T00:00:00Z"),
            ],
        ),
        moved: Lab::new("moved", &[YEARS]),
        moved_to: TestKey::account("moved-to"),
        stranger: Lab::new("stranger", &[YEARS]),
    }
});

pub struct Holder {
    pub account: TestKey,
    pub p256: TestKey,
}

impl Holder {
    fn new(name: &str) -> Self {
        Self {
            account: TestKey::account(name),
            p256: TestKey::p256(name),
        }
    }
    pub fn did(&self) -> String {
        self.account.did()
    }
    /// The card, signed by `signer`, which should be the account.
    pub fn card_by(&self, signer: &TestKey) -> String {
        let card = HolderCard {
            did: self.did(),
            signing_key: self.p256.public_key().clone(),
            sealing_key: [0x25; 32],
            issued_at: at("2026-02-01T00:00:00Z"),
        };
        let possession = self.p256.sign(Algorithm::Es256, &card.possession_message()).unwrap();
        let unsigned = card.prepare(&possession);
        let signature = signer.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
    pub fn card(&self) -> String {
        self.card_by(&self.account)
    }
    /// A counter-signature by the account key.
    pub fn countersign(&self, copy: &str) -> String {
        let digest = digest_of(copy);
        let unsigned = countersign::prepare(
            &self.did(),
            &digest,
            at("2026-03-01T10:00:00Z"),
            Algorithm::Es256k,
            None,
        );
        let signature = self.account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
    /// A presentation as it should be.
    pub fn present(&self, envelope: &Envelope) -> String {
        self.present_as(&Show::default(), std::slice::from_ref(envelope))
    }
    /// A presentation with something different about it.
    pub fn present_as(&self, show: &Show, envelopes: &[Envelope]) -> String {
        let did = self.did();
        let draft = Draft {
            holder: show.holder.as_deref().unwrap_or(&did),
            audience: &show.audience,
            nonce: &show.nonce,
            purpose: show.purpose.as_deref(),
            issued_at: show.issued_at,
            expires_at: show.expires_at,
            envelopes,
            card: show.card.as_deref(),
        };
        let unsigned = draft.prepare(show.algorithm);
        let key = if show.algorithm == Algorithm::Es256 {
            &self.p256
        } else {
            &self.account
        };
        let signature = key.sign(show.algorithm, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }
}

pub struct Show {
    pub holder: Option<String>,
    pub audience: String,
    pub nonce: String,
    pub purpose: Option<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub algorithm: Algorithm,
    pub card: Option<String>,
}

impl Default for Show {
    fn default() -> Self {
        let Expected {
            nonce,
            audience,
            purpose,
        } = request();
        Self {
            holder: None,
            audience,
            nonce,
            purpose,
            issued_at: now().plus(-20),
            expires_at: now().plus(100),
            algorithm: Algorithm::Es256k,
            card: None,
        }
    }
}

pub static TRAVELLER: LazyLock<Holder> = LazyLock::new(|| Holder::new("traveller"));
pub static THIEF: LazyLock<Holder> = LazyLock::new(|| Holder::new("thief"));

/// What the airline asks.
pub fn request() -> Expected {
    Expected {
        nonce: "f3J9mQ2xTz7Lk0Wv".to_owned(),
        audience: did(&Address([0xa1; 20])),
        purpose: Some("boarding".to_owned()),
    }
}

/// The events of the issuer registry that are about these.
pub fn events_of(wanted: &[&Lab]) -> Vec<Event> {
    let mut events = events();
    events.retain(|event| wanted.iter().any(|lab| lab.account.address() == event.participant));
    events
}

/// The events of the issuer registry.
pub fn events() -> Vec<Event> {
    const NAAT: &str = "sars-cov-2-naat";
    const VACCINATION: &str = "sars-cov-2-vaccination";
    let category = |name: &str| Grant::Category(name.to_owned());
    let mut events = Vec::new();
    let mut add = |lab: &Lab, time: &str, change: Change| {
        events.push(Event {
            participant: lab.account.address(),
            block: 0,
            time: at(time),
            change,
        });
    };
    let labs = &*LABS;
    let start = "2026-01-05T08:00:00Z";
    let admit = |lab: &Lab, time: &str, categories: &[&str], add: &mut dyn FnMut(&Lab, &str, Change)| {
        add(lab, time, Change::Approved(PROVIDER.sha256(&[profile(lab).as_bytes()])));
        add(
            lab,
            time,
            Change::KeysRotated {
                version: 1,
                keys: lab.registered(1),
            },
        );
        for name in categories {
            add(lab, time, Change::Granted(category(name)));
        }
    };
    admit(
        &labs.lab,
        start,
        &[NAAT, "sars-cov-2-antigen", VACCINATION, "sars-cov-2-antibody"],
        &mut add,
    );
    admit(&labs.clinic, start, &[VACCINATION], &mut add);
    for lab in [
        &labs.suspended,
        &labs.resumed,
        &labs.revoked,
        &labs.withdrawn,
        &labs.robbed,
        &labs.mixed,
    ] {
        admit(lab, start, &[NAAT, VACCINATION], &mut add);
    }
    add(
        &labs.mixed,
        "2026-01-06T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.mixed.registered(2),
        },
    );
    add(
        &labs.lab,
        "2026-02-01T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.lab.registered(2),
        },
    );
    add(
        &labs.resumed,
        "2026-02-10T00:00:00Z",
        Change::Suspended("audit".to_owned()),
    );
    add(&labs.resumed, "2026-02-15T00:00:00Z", Change::Resumed);
    add(
        &labs.suspended,
        "2026-02-20T00:00:00Z",
        Change::Suspended("audit".to_owned()),
    );
    add(
        &labs.revoked,
        "2026-02-20T00:00:00Z",
        Change::Revoked("fraud".to_owned()),
    );
    let from = at("2026-02-25T00:00:00Z");
    add(
        &labs.robbed,
        "2026-02-26T00:00:00Z",
        Change::KeysRevoked { version: 1, from },
    );
    add(
        &labs.robbed,
        "2026-02-26T00:00:00Z",
        Change::KeysRotated {
            version: 2,
            keys: labs.robbed.registered(2),
        },
    );
    add(
        &labs.withdrawn,
        "2026-03-01T12:00:00Z",
        Change::Withdrawn(category(NAAT)),
    );
    admit(&labs.late, "2026-03-02T06:00:00Z", &[NAAT], &mut add);
    // Last, so that the blocks of the others stay.
    admit(&labs.moved, start, &[NAAT, VACCINATION], &mut add);
    add(
        &labs.moved,
        "2026-02-01T00:00:00Z",
        Change::OwnerChanged(labs.moved_to.address()),
    );
    for (number, event) in events.iter_mut().enumerate() {
        event.block = number as u64 + 1;
    }
    events
}

/// A public profile, byte for byte.
pub fn profile(lab: &Lab) -> String {
    json!({"name": format!("Test {}", lab.account.name), "country": "AT"}).to_string()
}

pub fn head() -> Head {
    Head {
        chain_id: CHAIN,
        block_number: 900,
        block_hash: BlockHash([0xb1; 32]),
        block_time: now().plus(-900),
        read_at: now().plus(-300),
    }
}

/// Index of a copy that was revoked, one that is suspended, and one that is neither.
pub const REVOKED: u64 = 90_210;
pub const SUSPENDED: u64 = 40_404;
pub const GOOD: u64 = 71_077;

pub fn person() -> Person {
    Person {
        family_name: "Mustermann".to_owned(),
        given_name: "Änne".to_owned(),
        family_name_transliterated: "MUSTERMANN".to_owned(),
        given_name_transliterated: "AENNE".to_owned(),
        birth_date: "1984-12-09".to_owned(),
    }
}

/// A negative NAAT of the day before, as `lab` states it for the traveller.
pub fn statement(lab: &Lab) -> Statement {
    let claims = json!({
        "target": "840539006", "test_type": "LP6464-4", "sampled_at": "2026-03-01T08:15:00Z",
        "result": "260415000", "testing_centre": "Testzentrum Wien", "country": "AT",
    });
    Statement {
        id: CopyId::generate(&mut Seeded::new("copy")),
        category: CategoryId::new("sars-cov-2-naat").unwrap(),
        issuer: lab.did(),
        issuer_country: "AT".to_owned(),
        holder: Some(TRAVELLER.did()),
        person: person(),
        claims: claims.as_object().unwrap().clone(),
        issued_at: at("2026-03-01T09:00:00Z"),
        valid_from: at("2026-03-01T08:15:00Z"),
        valid_until: at("2026-03-04T08:15:00Z"),
        status: Some(StatusReference {
            token_list: TOKEN_LIST.to_owned(),
            bitstring_list: Some(REVOCATION_LIST.to_owned()),
            suspension_list: Some(SUSPENSION_LIST.to_owned()),
            index: GOOD,
        }),
    }
}

/// A vaccination of January, stated at `issued_at`.
pub fn vaccination(lab: &Lab, issued_at: &str) -> Statement {
    let claims = json!({
        "target": "840539006", "vaccine": "1119349007", "product": "EU/1/20/1528", "manufacturer": "ORG-100030215",
        "dose": 2, "doses_in_series": 2, "vaccinated_on": "2026-01-04", "country": "AT",
    });
    let base = statement(lab);
    Statement {
        category: CategoryId::new("sars-cov-2-vaccination").unwrap(),
        claims: claims.as_object().unwrap().clone(),
        issued_at: at(issued_at),
        valid_from: at("2026-01-18T00:00:00Z"),
        valid_until: at("2026-09-30T00:00:00Z"),
        ..base
    }
}

/// A compact JWS of these texts, whatever they are.
pub fn raw_jws(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64url(&signature))
}

/// A VC signed as it should be.
pub fn vc(statement: &Statement, version: vc_jwt::Version, algorithm: Algorithm, key: &TestKey) -> String {
    let kid = format!("{}#controller", statement.issuer);
    let unsigned = vc_jwt::prepare(statement, version, CONTEXT, algorithm, &kid).unwrap();
    let signature = key.sign(algorithm, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

/// A VC 1.1 with ES256K by the account of its issuer.
pub fn simple(statement: &Statement, lab: &Lab) -> String {
    vc(statement, vc_jwt::Version::V1_1, Algorithm::Es256k, &lab.account)
}

/// The content of the HCERT that says the same.
pub fn hcert_content(statement: &Statement) -> hcert::Content {
    let categories = vidimus_credential::category::Categories::built_in();
    let category = categories.category(&statement.category).unwrap();
    hcert::Content {
        issuer_country: Some(statement.issuer_country.clone()),
        issued_at: statement.issued_at,
        expires_at: statement.valid_until,
        dcc: category.to_dcc(statement).unwrap(),
        status: statement.status.clone(),
    }
}

pub fn hcert_of(content: &hcert::Content, kid: [u8; 8], key: &TestKey) -> String {
    let unsigned = hcert::prepare(content, kid).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

pub fn digest_of(copy: &str) -> Digest {
    vidimus_credential::format::parse(copy).unwrap().digest(&*PROVIDER)
}

/// Everything a check is made with, as the files hold it.
#[derive(Clone)]
pub struct Setup {
    pub now: Timestamp,
    pub head: Head,
    /// The registry, with these issuers in it.
    pub labs: Option<Vec<&'static Lab>>,
    /// Whether the document signers' certificates are at hand.
    pub certificates: bool,
    pub anchors: Option<Anchors>,
    pub status: Vec<(List, Timestamp)>,
    pub trusted: Vec<Vec<u8>>,
    pub trust_list: Option<(Value, Timestamp)>,
    pub policy: Option<Policy>,
    pub expected: Option<Expected>,
}

impl Setup {
    /// All at hand and fresh, a request of the airline's; no anchors yet.
    pub fn new() -> Self {
        Self {
            now: now(),
            head: head(),
            labs: Some(vec![&LABS.lab]),
            certificates: true,
            anchors: Some(Anchors {
                from_block: 0,
                chain_id: CHAIN,
                contract: ANCHORS,
                block_number: 900,
                read_at: now().plus(-300),
                roots: Vec::new(),
            }),
            status: vec![(
                token_list_of(&DEPLOYMENT, now().plus(-600), None, None),
                now().plus(-60),
            )],
            trusted: vec![DEPLOYMENT.authority.certificate().to_vec()],
            trust_list: None,
            policy: None,
            expected: Some(request()),
        }
    }

    /// The copy with salt, receipt and counter-signature, anchored a minute after it was signed; its root is known to the ledger from now on.
    pub fn anchor(&mut self, copy: &str) -> Envelope {
        let parsed = vidimus_credential::format::parse(copy).unwrap();
        self.counter_signed(copy, parsed.statement().unwrap().issued_at.plus(60))
    }

    /// The same, anchored at `time`.
    pub fn counter_signed(&mut self, copy: &str, time: Timestamp) -> Envelope {
        let envelope = self.anchor_at(copy, time);
        Envelope {
            counter_signature: Some(TRAVELLER.countersign(copy)),
            ..envelope
        }
    }

    /// The copy with salt and receipt, anchored at `time`.
    pub fn anchor_at(&mut self, copy: &str, time: Timestamp) -> Envelope {
        let (envelope, root) = receipt(copy, time);
        self.anchors.as_mut().unwrap().roots.push(root);
        envelope
    }
}

/// A copy third among five, and the root they are under.
pub fn receipt(copy: &str, time: Timestamp) -> (Envelope, Root) {
    let digest = digest_of(copy);
    let salt = Salt::from_bytes(PROVIDER.sha256(&[b"salt", &digest.0]).0);
    let other = |n: u8| Commitment::from_bytes(PROVIDER.sha256(&[b"other", &[n], &digest.0]).0);
    let own = Commitment::derive(&*PROVIDER, &salt, &digest);
    let tree = Tree::build(&*PROVIDER, &[other(0), other(1), own, other(3), other(4)]);
    let anchor = Anchor {
        chain_id: CHAIN,
        contract: ANCHORS,
        root: tree.root(),
        transaction: BlockHash(PROVIDER.sha256(&[b"transaction", &digest.0]).0),
        block_number: 800,
        block_hash: BlockHash([0xb0; 32]),
        time,
    };
    let receipt = Receipt {
        version: 1,
        proof: tree.prove(2).unwrap(),
        anchor: anchor.clone(),
    };
    let envelope = Envelope {
        salt: Some(salt),
        receipt: Some(receipt),
        ..Envelope::new(copy)
    };
    (envelope, Root { anchor, size: 5 })
}

fn bits() -> Bits {
    let mut bits = Bits::new(131_072).unwrap();
    bits.set(REVOKED, Status::Revoked).unwrap();
    bits.set(SUSPENDED, Status::Suspended).unwrap();
    bits
}

/// The token list as `deployment` signs it.
pub fn token_list_of(
    deployment: &Deployment,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
) -> List {
    let x5c = [deployment.lists_certificate.clone()];
    token_list_with(&deployment.lists, &x5c, TOKEN_LIST, issued_at, expires_at, ttl)
}

pub fn token_list_with(
    key: &TestKey,
    x5c: &[Vec<u8>],
    uri: &str,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    ttl: Option<u64>,
) -> List {
    let terms = token_list::Terms {
        uri: uri.to_owned(),
        issued_at,
        expires_at,
        ttl,
    };
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c,
    };
    let unsigned = token_list::prepare(&bits(), &terms, &header).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    List {
        uri: TOKEN_LIST.to_owned(),
        kind: ListKind::Token,
        token: unsigned.finish(&signature),
    }
}

pub fn bitstring_list(purpose: bitstring::Purpose) -> List {
    let uri = match purpose {
        bitstring::Purpose::Revocation => REVOCATION_LIST,
        bitstring::Purpose::Suspension => SUSPENSION_LIST,
    };
    let terms = bitstring::Terms {
        uri: uri.to_owned(),
        issuer: did(&Address([0xaa; 20])),
        valid_from: now().plus(-600),
        valid_until: None,
        ttl: None,
    };
    let x5c = [DEPLOYMENT.lists_certificate.clone()];
    let header = SigningHeader {
        algorithm: Algorithm::Es256,
        kid: None,
        x5c: &x5c,
    };
    let unsigned: jws::Unsigned = bitstring::prepare(&bits(), purpose, &terms, &header).unwrap();
    let signature = DEPLOYMENT.lists.sign(Algorithm::Es256, unsigned.message()).unwrap();
    List {
        uri: uri.to_owned(),
        kind: ListKind::Bitstring,
        token: unsigned.finish(&signature),
    }
}

/// A foreign country's document signer, and a trust list with it.
pub fn foreign() -> (TestKey, Vec<u8>, Value) {
    let key = TestKey::p256("foreign");
    let der = OTHER.certify(&key, ALL, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let list = json!({"certificates": [{
        "certificateType": "DSC", "country": "FR", "kid": base64(&kid(&der)), "rawData": base64(&der),
    }]});
    (key, der, list)
}
