//! A laboratory that gives copies, an airline that asks, and a traveller's wallet between them.

use serde_json::{Map, Value, json};
use vidimus_core::{Algorithm, Digest, Provider as _, PublicKey, Signer, Timestamp, encoding};
use vidimus_credential::{
    category::Categories,
    jws,
    sd_jwt::{Frame, combine, conceal},
    x509::Certificate,
};
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};
use vidimus_openid4vc::{
    dcql::Query,
    jwe,
    oauth::Endpoint,
    vp::{
        self, Answer, Ask, Client, Formats, Incoming, Invocation, Posted, RequestUriMethod, RequestUriPost,
        ResponseMode, Session, Statement, Step, Trust, Verified, WalletAddress,
    },
};
use vidimus_wallet::{
    PrivateKey, Proved, Wallet, WalletError,
    batch::Origin,
    consent::{Asked, Consent, Refusal, Wishes},
    registration::{Entry, Policy, Registry, State},
};

pub const NOW: Timestamp = Timestamp(1_800_000_000);
pub const DAY: i64 = 86_400;
pub const HOST: &str = "airline.example.org";

pub fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut OsEntropy)
}

pub fn private(key: &SigningKey) -> PrivateKey {
    PrivateKey::new(key.expose_bytes().expose().as_slice().try_into().unwrap())
}

pub fn proved(keys: &[SigningKey]) -> Vec<Proved> {
    keys.iter()
        .map(|key| (private(key), key.public_key().clone()))
        .collect()
}

/// A signer of a kept key.
pub fn signer(key: &PrivateKey, algorithm: Algorithm) -> Option<Box<dyn Signer>> {
    let kind = match algorithm {
        Algorithm::Es256k => KeyKind::Secp256k1,
        _ => KeyKind::P256,
    };
    let key = SigningKey::from_bytes(kind, key.expose()).ok()?;
    Some(Box::new(key))
}

pub fn wallet() -> Wallet {
    let account = SigningKey::from_bytes(KeyKind::Secp256k1, &[1; 32]).unwrap();
    let keys = [[1; 32], [2; 32], [3; 32]].map(PrivateKey::new);
    Wallet::new(1, &account, keys, &Native::new()).unwrap()
}

pub fn origin(title: &str) -> Origin {
    Origin {
        issuer: "https://lab.example/issuers/1".into(),
        issuer_name: Some("Labor Donauraum".into()),
        configuration: "sars-cov-2-naat.dc+sd-jwt".into(),
        title: Some(title.into()),
    }
}

/// The laboratory: copies of what it says, signed under a certificate of its own.
pub struct Laboratory {
    pub key: SigningKey,
    pub authority: Authority,
    pub leaf: Vec<u8>,
    /// Its `iss`.
    pub issuer: String,
    /// What headers say of its key.
    pub named_by: Value,
}

pub const VCT: &str = "https://x.example/v1/types/sars-cov-2-naat";

pub fn person() -> Value {
    json!({
        "family_name": "Musterfrau", "given_name": "Gabriele", "birthdate": "1998-02-26",
        "claims": {"result": "260415000", "facility": "Labor Donauraum"},
    })
}

impl Laboratory {
    pub fn new() -> Self {
        let authority = authority("Ministry");
        let key = key();
        let subject = subject("Laboratory");
        let leaf = authority
            .issue_document_signer(
                key.public_key(),
                &subject,
                &[DocumentGroup::Test],
                validity(),
                NOW,
                &mut OsEntropy,
            )
            .unwrap();
        let named_by = json!({"x5c": [encoding::base64(&leaf)]});
        let issuer = "https://lab.example/issuers/1".into();
        Self {
            key,
            authority,
            leaf,
            issuer,
            named_by,
        }
    }

    /// With an access certificate in place of a document signer's.
    pub fn certified_to_ask(self) -> Self {
        let host = [HOST.to_owned()];
        let (subject, public) = (subject("Danube Air"), self.key.public_key());
        let leaf = self
            .authority
            .issue_access(public, &subject, &host, &[], validity(), NOW, &mut OsEntropy)
            .unwrap();
        let named_by = json!({"x5c": [encoding::base64(&leaf)]});
        Self { leaf, named_by, ..self }
    }

    /// One that brings no certificate: who wants to verify has to look its key up by its `iss`.
    pub fn named(issuer: &str, kid: Option<&str>) -> Self {
        Self {
            issuer: issuer.into(),
            named_by: kid.map_or_else(|| json!({}), |kid| json!({"kid": kid})),
            ..Self::new()
        }
    }

    /// An SD-JWT VC that says `claims`, all of them concealed, bound to `holder`.
    pub fn sd_jwt(&self, vct: &str, claims: &Value, times: (Option<i64>, Option<i64>), holder: &PublicKey) -> String {
        let mut payload = claims.as_object().unwrap().clone();
        let mut frame = Frame::new();
        for name in payload.keys() {
            let path = vidimus_credential::sd_jwt::ClaimPath::from_json(&json!([name])).unwrap();
            frame = frame.disclosable(&path).disclosable_beneath(&path);
        }
        // Ours has the category's claims in the clear, and each of them concealed.
        if payload.contains_key("claims") {
            let path = vidimus_credential::sd_jwt::ClaimPath::of(["claims"]);
            let names = payload.keys().filter(|name| *name != "claims");
            frame = names.fold(Frame::new().disclosable_beneath(&path), |frame, name| {
                frame.disclosable(&vidimus_credential::sd_jwt::ClaimPath::from_json(&json!([name])).unwrap())
            });
        }
        payload.insert("iss".into(), self.issuer.as_str().into());
        payload.insert("vct".into(), vct.into());
        payload.insert("iat".into(), NOW.plus(-DAY).0.into());
        payload.insert(
            "jti".into(),
            format!("urn:uuid:{}", vidimus_core::id::CopyId::from_bytes(rand16())).into(),
        );
        payload.insert("cnf".into(), json!({"jwk": holder}));
        payload.insert("nbf".into(), times.0.unwrap_or(NOW.plus(-DAY).0).into());
        payload.insert("exp".into(), times.1.unwrap_or(NOW.plus(30 * DAY).0).into());
        let concealed = conceal(&payload, &frame, &Native::new(), &mut OsEntropy).unwrap();
        let mut header = self.named_by.clone();
        header["alg"] = "ES256".into();
        header["typ"] = "dc+sd-jwt".into();
        let jwt = self.sign(header, &Value::Object(concealed.payload));
        combine(&jwt, concealed.disclosures.iter().map(String::as_str))
    }

    /// The same as a W3C credential, bound to a `did:jwk`.
    pub fn vc_jwt(&self, subject: &Value, holder: &PublicKey) -> String {
        let did = vidimus_wallet::did_jwk(holder).unwrap();
        let payload = json!({
            "iss": "https://lab.example/issuers/1", "sub": did, "jti": encoding::hex(&rand16()),
            "nbf": NOW.plus(-DAY), "exp": NOW.plus(30 * DAY),
            "vc": {
                "@context": ["https://www.w3.org/2018/credentials/v1", "https://x.example/contexts/certificate/v1"],
                "type": ["VerifiableCredential", "VidimusCertificate"],
                "credentialSubject": subject,
            },
        });
        self.sign(
            json!({"alg": "ES256", "typ": "JWT", "x5c": [encoding::base64(&self.leaf)]}),
            &payload,
        )
    }

    pub fn sign(&self, header: Value, payload: &Value) -> String {
        let header: Map<String, Value> = header.as_object().unwrap().clone();
        let unsigned = jws::Unsigned::new(&header, payload.to_string().as_bytes());
        let signature = self.key.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    }

    /// Gives `count` copies of the test to a wallet.
    pub fn give(&self, wallet: &mut Wallet, count: usize) -> u32 {
        let keys: Vec<_> = (0..count).map(|_| key()).collect();
        let copies: Vec<_> = keys
            .iter()
            .map(|key| self.sd_jwt(VCT, &person(), (None, None), key.public_key()))
            .collect();
        wallet
            .keep(&origin("PCR test"), &copies, &proved(&keys), &[], &Native::new(), NOW)
            .unwrap()
    }
}

pub fn rand16() -> [u8; 16] {
    let mut bytes = [0; 16];
    vidimus_core::Entropy::fill(&mut OsEntropy, &mut bytes);
    bytes
}

fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.into(),
        organization: None,
        country: Some("AT".into()),
    }
}

fn validity() -> Validity {
    Validity {
        not_before: NOW.plus(-DAY),
        not_after: NOW.plus(90 * DAY),
    }
}

fn authority(name: &str) -> Authority {
    let validity = Validity {
        not_before: NOW.plus(-DAY),
        not_after: NOW.plus(1000 * DAY),
    };
    Authority::create(key(), subject(name), validity, &mut OsEntropy).unwrap()
}

pub fn query(json: Value) -> Query {
    Query::from_json(&json).unwrap()
}

/// The family name and the result.
pub fn boarding() -> Value {
    json!({"credentials": [{
        "id": "test", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]},
        "claims": [{"path": ["family_name"]}, {"path": ["claims", "result"]}],
    }]})
}

/// An airline with an access certificate.
pub struct Airline {
    authority: Authority,
    key: SigningKey,
    pub client: Client,
    leaf: Digest,
    pub policy: vp::Policy,
}

/// What it asks, and what the wallet got of it.
pub struct Request {
    pub session: Session,
    private: Option<jwe::PrivateKey>,
    pub incoming: Verified<Incoming>,
}

pub fn purpose(name: &str) -> Statement {
    Statement {
        participant: None,
        purpose: name.into(),
        purpose_text: Some("To let you board".into()),
        retention_seconds: 3_600,
    }
}

impl Airline {
    pub fn new() -> Self {
        Self::with(|leaf| Client::x509_hash(vec![leaf], &Native::new()).unwrap())
    }

    /// One of the verifiers that a deployment's host name stands for.
    pub fn of_host() -> Self {
        Self {
            policy: vp::Policy::open(),
            ..Self::with(|leaf| Client::x509_san_dns(HOST, vec![leaf]).unwrap())
        }
    }

    fn with(client: impl FnOnce(Vec<u8>) -> Client) -> Self {
        let (authority, key) = (authority("Registrar"), key());
        let leaf = authority
            .issue_access(
                key.public_key(),
                &subject("Danube Air"),
                &[HOST.to_owned()],
                &[],
                validity(),
                NOW,
                &mut OsEntropy,
            )
            .unwrap();
        Self {
            leaf: Native::new().sha256(&[&leaf]),
            client: client(leaf),
            authority,
            key,
            policy: vp::Policy::haip(),
        }
    }

    pub fn entry(&self) -> Entry {
        Entry {
            name: "Danube Air".into(),
            did: "did:ethr:0x1:0x00000000000000000000000000000000000000aa".into(),
            state: State::Active,
            attributes: vec!["family_name".into(), "result".into()],
            purposes: vec!["boarding".into()],
            certificates: vec![self.leaf],
        }
    }

    pub fn registered(&self, wallet: &mut Wallet, entry: Entry) {
        self.registered_at(wallet, entry, NOW);
    }

    pub fn registered_at(&self, wallet: &mut Wallet, entry: Entry, as_of: Timestamp) {
        wallet.learn(Registry {
            source: "https://x.example".into(),
            as_of,
            entries: vec![entry],
        });
    }

    pub fn asks(&self, query: Query, statement: Option<Statement>) -> Request {
        let native = Native::new();
        let es256 = [Algorithm::Es256];
        let formats = Formats::of(&es256, &es256, &[Algorithm::Es256]);
        let endpoint = |path: &str| Endpoint::new(format!("https://{HOST}/{path}")).unwrap();
        let ask = Ask {
            query,
            response_mode: ResponseMode::DirectPostJwt,
            response_uri: endpoint("response/7"),
            return_uri: None,
            transaction_data: Vec::new(),
            verifier_info: statement.iter().map(|one| one.to_info(self.client.id())).collect(),
            formats: formats.clone(),
            lifetime: 300,
        };
        let (session, private) = Session::open(ask, &self.client, &self.policy, NOW, &native, &mut OsEntropy).unwrap();
        let link = session
            .invocation(endpoint("request/7"), RequestUriMethod::Get)
            .to_link(&WalletAddress::haip());
        let side = vp::Wallet {
            policy: self.policy.clone(),
            formats,
            transaction_types: Vec::new(),
            encrypted_requests: false,
        };
        let invocation = Invocation::parse(&link).unwrap();
        let Step::Fetch(fetch) = side.start(invocation, &native, &mut OsEntropy).unwrap() else {
            panic!("a reference is fetched");
        };
        let signer = (&self.key as &dyn Signer, Algorithm::Es256);
        let object = session
            .request_object(
                &self.client,
                signer,
                &RequestUriPost::default(),
                NOW,
                &native,
                &mut OsEntropy,
            )
            .unwrap();
        let received = fetch
            .received(200, Some(vp::REQUEST_TYPE), object.as_bytes(), &native)
            .unwrap();
        let roots = [Certificate::from_der(self.authority.certificate()).unwrap()];
        let trust = Trust {
            roots: &roots,
            keys: &[],
        };
        let incoming = received.verify(&side, trust, NOW, &native).unwrap();
        Request {
            session,
            private,
            incoming,
        }
    }
}

impl Request {
    /// Who asks, as the wallet remembers it.
    pub fn verifier(&self) -> Digest {
        Asked::of(&self.incoming, &Native::new()).verifier(&Native::new())
    }

    pub fn consider(&self, wallet: &Wallet, policy: &Policy, wishes: &Wishes) -> Result<Consent, Refusal> {
        let native = Native::new();
        let asked = Asked::of(&self.incoming, &native);
        wallet.consider(&asked, policy, wishes, &Categories::built_in(), NOW, &native)
    }

    /// Agrees to what the wallet shows, with nothing left out or added.
    pub fn agree(&self, wallet: &mut Wallet) -> Result<vp::HttpRequest, WalletError> {
        let consent = self.consider(wallet, &Policy::STRICT, &Wishes::default()).unwrap();
        self.answer(wallet, &consent)
    }

    pub fn answer(&self, wallet: &mut Wallet, consent: &Consent) -> Result<vp::HttpRequest, WalletError> {
        wallet.answer(&self.incoming, consent, &signer, NOW, &Native::new(), &mut OsEntropy)
    }

    /// What the airline reads of an answer.
    pub fn read(&self, http: &vp::HttpRequest) -> Answer {
        let posted = Posted::parse(http.body.as_ref().unwrap().as_bytes()).unwrap();
        let key = self.private.as_ref();
        posted.read(&self.session, key, NOW, &Native::new()).unwrap()
    }
}
