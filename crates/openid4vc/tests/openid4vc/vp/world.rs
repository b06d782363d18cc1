//! An airline with an access certificate, a traveller's wallet, and the messages between them.

use serde_json::{Map, Value};
use vidimus_core::{Algorithm, PublicKey, Signer as _, Timestamp, encoding};
use vidimus_credential::{jws, x509::Certificate};
use vidimus_crypto::{
    KeyKind, Native, OsEntropy, SigningKey,
    ca::{Authority, Subject, Validity},
};
use vidimus_openid4vc::{
    dcql::{Claim, Credential, Path, Query},
    jwe::PrivateKey,
    oauth::Endpoint,
    vp::{
        Ask, AskError, Client, Formats, Incoming, Invocation, Policy, Posted, Prefix, Presentation, Received, Refusal,
        RequestError, RequestUriMethod, RequestUriPost, ResponseMode, Session, Statement, Step, Trust, Verified,
        VpToken, Wallet, WalletAddress,
    },
};

pub const NOW: Timestamp = Timestamp(1_790_000_000);
pub const DAY: i64 = 86_400;
pub const HOST: &str = "airline.example.org";

pub fn endpoint(text: &str) -> Endpoint {
    Endpoint::new(text).unwrap()
}

pub fn subject(name: &str) -> Subject {
    Subject {
        common_name: name.into(),
        organization: None,
        country: Some("AT".into()),
    }
}

pub fn validity(days: i64) -> Validity {
    Validity {
        not_before: NOW.plus(-DAY),
        not_after: NOW.plus(days * DAY),
    }
}

pub fn authority() -> Authority {
    let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    Authority::create(key, subject("Registrar"), validity(1000), &mut OsEntropy).unwrap()
}

pub fn access(authority: &Authority, key: &PublicKey, hosts: &[&str]) -> Vec<u8> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    authority
        .issue_access(key, &subject("Airline"), &hosts, &[], validity(90), NOW, &mut OsEntropy)
        .unwrap()
}

pub fn query() -> Query {
    let path = |name| Path::of_names([name]).unwrap();
    let test = Credential::sd_jwt_vc("test", ["urn:vidimus:test"])
        .asking(Claim::at(path("result")))
        .asking(Claim::at(path("sampled")));
    Query::new(vec![test], Vec::new()).unwrap()
}

pub fn formats() -> Formats {
    let es256 = [Algorithm::Es256];
    Formats::of(&es256, &es256, &[Algorithm::Es256, Algorithm::Es256k])
}

pub fn ask() -> Ask {
    Ask {
        query: query(),
        response_mode: ResponseMode::DirectPostJwt,
        response_uri: endpoint("https://airline.example.org/vp/response/7"),
        return_uri: None,
        transaction_data: Vec::new(),
        verifier_info: Vec::new(),
        formats: formats(),
        lifetime: 300,
    }
}

pub fn request_uri() -> Endpoint {
    endpoint("https://airline.example.org/vp/request/7")
}

pub fn wallet(policy: Policy) -> Wallet {
    Wallet {
        policy,
        formats: formats(),
        transaction_types: Vec::new(),
        encrypted_requests: false,
    }
}

pub fn statement() -> Statement {
    Statement {
        participant: Some("airline-1".into()),
        purpose: "boarding".into(),
        purpose_text: Some("To let you board flight VI 17".into()),
        retention_seconds: 3600,
    }
}

pub fn token() -> VpToken {
    VpToken::new().with("test", vec![Presentation::Text("eyJ~".into())])
}

/// The airline and who certified it.
pub struct World {
    pub native: Native,
    pub authority: Authority,
    pub key: SigningKey,
    pub leaf: Vec<u8>,
    pub client: Client,
    pub policy: Policy,
}

impl World {
    /// Known by its certificate, as HAIP asks.
    pub fn new() -> Self {
        let native = Native::new();
        let authority = authority();
        let key = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
        let leaf = access(&authority, key.public_key(), &[HOST]);
        let client = Client::x509_hash(vec![leaf.clone()], &native).unwrap();
        Self {
            native,
            authority,
            key,
            leaf,
            client,
            policy: Policy::haip(),
        }
    }
    pub fn roots(&self) -> Vec<Certificate> {
        vec![Certificate::from_der(self.authority.certificate()).unwrap()]
    }
    pub fn open(&self, ask: Ask) -> (Session, Option<PrivateKey>) {
        self.try_open(ask).unwrap()
    }
    pub fn try_open(&self, ask: Ask) -> Result<(Session, Option<PrivateKey>), AskError> {
        Session::open(ask, &self.client, &self.policy, NOW, &self.native, &mut OsEntropy)
    }
    pub fn object(&self, session: &Session, post: &RequestUriPost) -> String {
        let signer = (&self.key as &dyn vidimus_core::Signer, Algorithm::Es256);
        session
            .request_object(&self.client, signer, post, NOW, &self.native, &mut OsEntropy)
            .unwrap()
    }
    /// The wallet reads the link, fetches and verifies.
    pub fn receive(
        &self,
        wallet: &Wallet,
        session: &Session,
        method: RequestUriMethod,
    ) -> Result<Verified<Incoming>, Refusal> {
        let link = session
            .invocation(request_uri(), method)
            .to_link(&WalletAddress::haip());
        let invocation = Invocation::parse(&link)?;
        let Step::Fetch(fetch) = wallet.start(invocation, &self.native, &mut OsEntropy)? else {
            panic!("a reference is fetched");
        };
        let post = match &fetch.http().body {
            None => RequestUriPost::default(),
            Some(body) => RequestUriPost::parse(body.as_bytes()).unwrap(),
        };
        let object = self.object(session, &post);
        let received = fetch.received(
            200,
            Some(vidimus_openid4vc::vp::REQUEST_TYPE),
            object.as_bytes(),
            &self.native,
        )?;
        self.verify(received, wallet)
    }
    pub fn verify(&self, received: Received, wallet: &Wallet) -> Result<Verified<Incoming>, Refusal> {
        let roots = self.roots();
        let trust = Trust {
            roots: &roots,
            keys: &[],
        };
        received.verify(wallet, trust, NOW, &self.native)
    }
    /// What the wallet says to a request object with these claims and this header, signed by the airline.
    pub fn tampered(
        &self,
        wallet: &Wallet,
        change: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<Verified<Incoming>, Refusal> {
        let (session, _) = self.open(ask());
        let object = self.object(&session, &RequestUriPost::default());
        let parsed = jws::Jws::parse(&object, 1 << 20).unwrap();
        let (mut claims, mut header) = (parsed.claims().unwrap(), parsed.header_members());
        change(&mut claims, &mut header);
        let object = sign(&self.key, &header, &claims);
        self.deliver(wallet, &session.client_id.to_string(), &object)
    }
    /// What the wallet says to this request object, fetched for this client.
    pub fn deliver(&self, wallet: &Wallet, client_id: &str, object: &str) -> Result<Verified<Incoming>, Refusal> {
        let fetch = self.fetch(wallet, client_id)?;
        let received = fetch.received(
            200,
            Some(vidimus_openid4vc::vp::REQUEST_TYPE),
            object.as_bytes(),
            &self.native,
        )?;
        self.verify(received, wallet)
    }
    pub fn fetch(&self, wallet: &Wallet, client_id: &str) -> Result<vidimus_openid4vc::vp::Fetch, RequestError> {
        let invocation = Invocation::Reference {
            client_id: client_id.parse().map_err(RequestError::ClientId)?,
            request_uri: request_uri(),
            method: RequestUriMethod::Get,
        };
        match wallet.start(invocation, &self.native, &mut OsEntropy)? {
            Step::Fetch(fetch) => Ok(fetch),
            Step::Received(_) => panic!("a reference is fetched"),
        }
    }
    pub fn posted(&self, body: &str) -> Posted {
        Posted::parse(body.as_bytes()).unwrap()
    }
}

pub fn sign(key: &SigningKey, header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let unsigned = jws::Unsigned::new(header, Value::Object(claims.clone()).to_string().as_bytes());
    let name = header["alg"].as_str().unwrap();
    let algorithm = Algorithm::from_name(name).unwrap_or(Algorithm::Es256);
    let algorithm = if key.algorithms().contains(&algorithm) {
        algorithm
    } else {
        key.algorithms()[0]
    };
    let signature = key.sign(algorithm, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}

pub fn all_prefixes() -> Policy {
    Policy {
        prefixes: Prefix::ALL.to_vec(),
        ..Policy::open()
    }
}

pub fn hash_of(der: &[u8]) -> String {
    use vidimus_core::Provider as _;
    encoding::base64url(Native::new().sha256(&[der]).as_bytes())
}

pub type Members = Map<String, Value>;

pub fn put(members: &mut Members, name: &str, value: impl Into<Value>) {
    members.insert(name.to_owned(), value.into());
}

pub fn refusal(result: Result<Verified<Incoming>, Refusal>) -> Refusal {
    result.expect_err("refused")
}
