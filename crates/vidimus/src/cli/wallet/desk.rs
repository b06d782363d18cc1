//! One issuance, with what it takes to go on. Where it stands is written down before each message, so that whatever breaks, it goes on from there.

use super::{
    browser::Asks,
    failure, issuer,
    offer::plain,
    open::{Open, private},
    trust,
    web::Web,
};
use crate::{
    app::wallets::attest::PROOF_TYPE,
    causes::with_causes,
    cli::{Exit, Failure, clock},
};
use serde_json::{Value, json};
use vidimus_core::{Algorithm, Digest, PublicKey, Signer as _, Timestamp};
use vidimus_credential::{jws, x509::Certificate};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::vci::{
    Event,
    wallet::{
        Choice, ClientAuthentication, Context, HolderKey, Issuance, Next, Place, Prove, Received, Session,
        WalletError as Protocol,
    },
};
use vidimus_wallet::{
    PrivateKey, WalletError,
    batch::Origin,
    issuer::Source,
    seed::Purpose,
    session::{Pending, Renewal},
};

/// An issuance at work.
pub(super) struct Desk<'a> {
    pub(super) open: &'a mut Open,
    web: &'a Web,
    issuer: String,
    dpop: SigningKey,
    instance: Option<(SigningKey, String)>,
    provider: Option<String>,
    roots: Vec<Certificate>,
    /// The number that it is kept under.
    id: u32,
    since: Timestamp,
    offer: Option<Digest>,
    haip: bool,
    keys: Vec<PrivateKey>,
    /// What its tokens gave copies of.
    configurations: Vec<String>,
    /// What copies are wanted of.
    wanted: Vec<String>,
    /// What new copies can be had with, as it was last kept.
    session: Option<Session>,
    /// Numbers of the certificates that came.
    pub(super) kept: Vec<u32>,
    /// Why something that came was not kept.
    refused: Option<Failure>,
    /// Why the issuer, or what it sent, ended it. None: it was not ended, however it stopped.
    ended: Option<Protocol>,
}

fn signing(key: &PrivateKey) -> Result<SigningKey, Failure> {
    SigningKey::from_bytes(KeyKind::P256, key.expose()).map_err(|error| Failure::setup(&error))
}

/// Whether the same message may have another answer later.
fn is_passing(error: &Protocol) -> bool {
    const LATER: [&str; 3] = ["server_error", "temporarily_unavailable", "slow_down"];
    match error {
        Protocol::Status { .. } | Protocol::MediaType(_) | Protocol::Answer { .. } => true,
        Protocol::Refused { error, .. } => LATER.contains(&error.as_str()),
        _ => false,
    }
}

pub(super) fn not_done(error: &Protocol) -> Failure {
    let exit = match error {
        Protocol::Offer(_) | Protocol::Choice => Exit::Usage,
        error if is_passing(error) => Exit::Unavailable,
        _ => Exit::Refused,
    };
    let said = match error {
        Protocol::Refused {
            description: Some(text),
            ..
        } => format!(" ({})", plain(text)),
        _ => String::new(),
    };
    Failure::new(exit, with_causes(error) + &said)
}

impl<'a> Desk<'a> {
    pub(super) fn new(open: &'a mut Open, web: &'a Web, issuer: &str, provider: Option<&str>) -> Result<Self, Failure> {
        let native = Native::new();
        let key = open.wallet.key_with(Purpose::Tokens, issuer, &native, &mut OsEntropy);
        // The secret behind it may be new.
        open.save()?;
        let trusted = || open.wallet.trusted().first().map(|one| one.url.clone());
        let provider = provider
            .map(|url| url.trim_end_matches('/').to_owned())
            .or_else(trusted);
        Ok(Self {
            roots: trust::issuer_roots(&open.wallet),
            dpop: signing(&key)?,
            instance: None,
            provider,
            issuer: issuer.to_owned(),
            id: open.wallet.next_pending(),
            since: clock().now(),
            offer: None,
            haip: false,
            keys: Vec::new(),
            configurations: Vec::new(),
            wanted: Vec::new(),
            session: None,
            kept: Vec::new(),
            refused: None,
            ended: None,
            open,
            web,
        })
    }

    /// Of an offer, by the digest of its link.
    #[must_use]
    pub(super) fn of_offer(self, link: Digest, haip: bool) -> Self {
        Self {
            offer: Some(link),
            haip,
            ..self
        }
    }

    /// For these of what was offered.
    pub(super) fn want(&mut self, choice: &Choice) {
        self.wanted = choice.configurations.iter().map(|(id, _)| id.clone()).collect();
    }

    /// For new copies of these.
    #[must_use]
    pub(super) fn for_copies_of(self, configurations: &[String]) -> Self {
        Self {
            configurations: configurations.to_vec(),
            ..self
        }
    }

    /// Goes on where an issuance stood.
    pub(super) async fn resume(
        open: &'a mut Open,
        web: &'a Web,
        pending: Pending,
        provider: Option<&str>,
        asks: &Asks,
    ) -> Result<Vec<u32>, (Vec<u32>, Failure)> {
        let none = |failure| (Vec::new(), failure);
        let mut desk = Desk::new(open, web, &pending.issuer, provider).map_err(none)?;
        desk.id = pending.id;
        desk.since = pending.since;
        desk.offer = pending.offer;
        desk.haip = pending.haip;
        desk.keys = pending.keys;
        desk.configurations = pending.configurations;
        desk.wanted = pending.wanted;
        desk.session = pending.issuance.session().cloned();
        if pending.attested {
            desk.attest().await.map_err(none)?;
        }
        let mut issuance = *pending.issuance;
        let next = desk.with(|context| match issuance.poll(context) {
            Err(Protocol::Step) => issuance.again(context),
            polled => polled,
        });
        let gone = match next {
            Ok(next) => desk.go(issuance, next, asks).await,
            Err(failure) => desk.stopped(Some(&issuance), failure),
        };
        let kept = std::mem::take(&mut desk.kept);
        match gone {
            Ok(()) => Ok(kept),
            Err(failure) => Err((kept, failure)),
        }
    }

    /// Asks the provider for an attestation of this wallet, made for this issuer alone.
    pub(super) async fn attest(&mut self) -> Result<(), Failure> {
        let key = self
            .open
            .wallet
            .key_with(Purpose::Instance, &self.issuer, &Native::new(), &mut OsEntropy);
        let key = signing(&key)?;
        let made = self.attestations(json!({"client": self.proof(&key)?})).await?;
        let attestation = made["client_attestation"].as_str().map(str::to_owned);
        let attestation = attestation.ok_or_else(|| Failure::new(Exit::Unavailable, "no attestation came"))?;
        self.instance = Some((key, attestation));
        Ok(())
    }

    async fn attestations(&self, body: Value) -> Result<Value, Failure> {
        let provider = self.provider()?;
        let made = self
            .web
            .post_json(&format!("{provider}/v1/wallet-attestations"), &body)
            .await?;
        made.ok_or_else(|| Failure::new(Exit::Refused, format!("{provider} does not attest this wallet")))
    }

    fn provider(&self) -> Result<&str, Failure> {
        self.provider.as_deref().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "this issuer wants the wallet attested: name a deployment that does with --provider, or trust one (`vidimus wallet trust URL`)",
            )
        })
    }

    fn proof(&self, key: &SigningKey) -> Result<String, Failure> {
        let header = json!({"alg": "ES256", "typ": PROOF_TYPE, "jwk": key.public_key()});
        let Value::Object(header) = header else {
            return Err(Failure::new(Exit::Internal, "a header"));
        };
        let payload = json!({"aud": self.provider()?, "iat": clock().now()}).to_string();
        let unsigned = jws::Unsigned::new(&header, payload.as_bytes());
        let signature = key.sign(Algorithm::Es256, unsigned.message());
        let signature = signature.map_err(|error| Failure::setup(&error))?;
        Ok(unsigned.finish(&signature))
    }

    /// A step of the issuance, with everything that a step takes.
    pub(super) fn with<T>(&mut self, step: impl FnOnce(&mut Context<'_>) -> Result<T, Protocol>) -> Result<T, Failure> {
        let (crypto, mut entropy) = (Native::new(), OsEntropy);
        let client = self
            .instance
            .as_ref()
            .map(|(signer, attestation)| ClientAuthentication { attestation, signer });
        let done = step(&mut Context {
            now: clock().now(),
            crypto: &crypto,
            entropy: &mut entropy,
            dpop: Some(&self.dpop),
            client,
            metadata_roots: &self.roots,
        });
        done.map_err(|error| {
            let failure = not_done(&error);
            self.ended = (!is_passing(&error)).then_some(error);
            failure
        })
    }

    /// Sends what is to be sent, until something else is to be done. Nothing that counts once is sent before it is written down.
    pub(super) async fn send(&mut self, issuance: &mut Issuance, mut next: Next) -> Result<Next, Failure> {
        while let Next::Send(request) = next {
            self.keep(issuance)?;
            let came = self.web.vci(&request).await?;
            next = self.with(|context| issuance.receive(context, came.as_vci()))?;
        }
        Ok(next)
    }

    /// Goes on to the end, or to where it has to wait.
    pub(super) async fn go(&mut self, mut issuance: Issuance, next: Next, asks: &Asks) -> Result<(), Failure> {
        match self.steps(&mut issuance, next, asks).await {
            Ok(true) => {
                // What came to nothing is not asked for again.
                self.wanted.clear();
                self.keep_session(&issuance);
                self.open.wallet.end_pending(self.id);
                self.open.save()?;
                self.refused.take().map_or(Ok(()), Err)
            }
            Ok(false) => self.keep(&issuance),
            Err(failure) => self.stopped(Some(&issuance), failure),
        }
    }

    /// It is gone on with later, where nobody ended it.
    fn stopped(&mut self, issuance: Option<&Issuance>, failure: Failure) -> Result<(), Failure> {
        if let Some(issuance) = issuance {
            self.keep_session(issuance);
        }
        if self.ended.is_some() {
            self.open.wallet.end_pending(self.id);
        }
        self.open.save()?;
        Err(failure)
    }

    /// Whether the issuer takes what new copies were to be had with no more.
    pub(super) fn is_refused(&self) -> bool {
        let refused = |error: &Protocol| matches!(error, Protocol::Refused { place: Place::Token, error, .. } if error == "invalid_grant");
        self.ended.as_ref().is_some_and(refused)
    }

    /// Whether it came to its end; else it waits.
    async fn steps(&mut self, issuance: &mut Issuance, mut next: Next, asks: &Asks) -> Result<bool, Failure> {
        loop {
            next = match next {
                Next::Send(_) => self.send(issuance, next).await?,
                Next::Review => return Err(Failure::new(Exit::Internal, "the choice was made")),
                Next::Browse(location) => {
                    let query = asks.browser(&location).await?;
                    self.with(|context| issuance.callback(&query, context))?
                }
                Next::Prove(prove) => self.prove(issuance, &prove).await?,
                Next::Store(received) => {
                    self.keep(issuance)?;
                    self.store(issuance, &received).await?
                }
                Next::Wait(_) => return Ok(false),
                Next::Done => return Ok(true),
            };
        }
    }

    async fn prove(&mut self, issuance: &mut Issuance, prove: &Prove) -> Result<Next, Failure> {
        let made: Vec<SigningKey> = (0..prove.keys)
            .map(|_| SigningKey::generate(KeyKind::P256, &mut OsEntropy))
            .collect();
        let attestation = if prove.attestation.is_some() {
            let proofs = made.iter().map(|key| self.proof(key)).collect::<Result<Vec<_>, _>>()?;
            let made = self.attestations(json!({"keys": proofs, "nonce": prove.nonce})).await?;
            made["key_attestation"].as_str().map(str::to_owned)
        } else {
            None
        };
        self.keys = made.iter().map(private).collect::<Result<_, _>>()?;
        let dids: Vec<Option<String>> = made
            .iter()
            .map(|key| vidimus_wallet::did_jwk(key.public_key()).map(|did| did + "#0"))
            .collect();
        let keys: Vec<HolderKey<'_>> = made
            .iter()
            .zip(&dids)
            .map(|(signer, did)| HolderKey {
                signer,
                kid: did.as_deref(),
            })
            .collect();
        self.with(|context| issuance.prove(&keys, attestation, context))
    }

    /// Keeps what came, if its signature verifies, and tells the issuer what became of it. Where that cannot be told now it waits, and is shown to nobody.
    async fn store(&mut self, issuance: &mut Issuance, received: &Received) -> Result<Next, Failure> {
        let found = match self.haip {
            // The certificate counts alone.
            true => Ok(Vec::new()),
            false => issuer::keys_of(self.open, self.web, &self.issuer, &received.credentials).await,
        };
        let kept = match found {
            Err(failure) => return Err(self.unverified(&failure)),
            Ok(found) => self.take(issuance, received, &found)?,
        };
        match kept {
            Ok(id) => {
                self.keys.clear();
                self.kept.push(id);
                if !self.configurations.contains(&received.configuration) {
                    self.configurations.push(received.configuration.clone());
                }
                let next = self.with(|context| issuance.stored(Event::Accepted, context))?;
                // Only what is on disk is told to be kept: both are written at once.
                self.keep(issuance)?;
                self.open.save()?;
                Ok(next)
            }
            Err(refused) => {
                // The issuer is told before the person is.
                self.refused = Some(refused);
                self.with(|context| issuance.stored(Event::Failure, context))
            }
        }
    }

    fn take(
        &mut self,
        issuance: &Issuance,
        received: &Received,
        found: &[vidimus_wallet::issuer::IssuerKeys],
    ) -> Result<Result<u32, Failure>, Failure> {
        let certified = |copy: &String| Source::of(copy).is_ok_and(|source| source == Source::Certificate);
        if self.haip && !received.credentials.iter().all(certified) {
            // HAIP 1.0 §6.1.1.
            return Ok(Err(failure(WalletError::UnknownIssuer)));
        }
        let keys: Vec<(PrivateKey, PublicKey)> = self
            .keys
            .iter()
            .map(|key| Ok((key.clone(), signing(key)?.public_key().clone())))
            .collect::<Result<_, Failure>>()?;
        let origin = self.origin(issuance, &received.configuration);
        let (native, now) = (Native::new(), clock().now());
        let kept = self
            .open
            .wallet
            .keep(&origin, &received.credentials, &keys, found, &native, now);
        match kept {
            Err(passing @ (WalletError::UnknownKey | WalletError::Full)) => Err(self.unverified(&failure(passing))),
            kept => Ok(kept.map_err(failure)),
        }
    }

    /// What came waits: why, and what to do.
    fn unverified(&self, why: &Failure) -> Failure {
        let (cause, number) = (&why.message, format!("w{}", self.id));
        Failure::new(
            Exit::Unavailable,
            format!(
                "{cause}; what came is kept as {number}, unverified, and shown to nobody: `vidimus wallet refresh` looks again, \
                 `vidimus wallet remove` with this number gives it up"
            ),
        )
    }

    fn origin(&self, issuance: &Issuance, configuration: &str) -> Origin {
        let known = self
            .open
            .wallet
            .batches()
            .iter()
            .rev()
            .find(|batch| batch.issuer() == self.issuer && batch.configuration() == configuration);
        let review = issuance.review();
        let display = review.as_ref().map(|review| {
            let issuer_name = review.metadata.display.iter().find_map(|one| one.name.clone());
            let title = review.configuration(configuration).and_then(|configuration| {
                let metadata = configuration.credential_metadata.as_ref()?;
                metadata.display.first().map(|one| one.name.clone())
            });
            (issuer_name, title)
        });
        let (issuer_name, title) = display.unwrap_or_else(|| {
            let issuer_name = known.and_then(|batch| batch.issuer_name().map(str::to_owned));
            (issuer_name, known.map(|batch| batch.title().to_owned()))
        });
        Origin {
            issuer: self.issuer.clone(),
            issuer_name: issuer_name.map(|text| plain(&text)),
            configuration: configuration.to_owned(),
            title: title.map(|text| plain(&text)),
        }
    }

    /// Writes down where it stands, once something would be lost.
    fn keep(&mut self, issuance: &Issuance) -> Result<(), Failure> {
        if !issuance.has_grant() {
            return Ok(());
        }
        self.keep_session(issuance);
        self.open.wallet.keep_pending(Pending {
            id: self.id,
            issuance: Box::new(issuance.clone()),
            since: self.since,
            issuer: self.issuer.clone(),
            offer: self.offer,
            keys: self.keys.clone(),
            configurations: self.configurations.clone(),
            wanted: self.wanted.clone(),
            attested: self.instance.is_some(),
            haip: self.haip,
        });
        self.open.save()
    }

    /// Keeps what new copies can be had with, as soon as it comes: however this ends, they can. A refresh token may have taken the place of the one before, which
    /// counts no more.
    fn keep_session(&mut self, issuance: &Issuance) {
        let Some(session) = issuance.session() else { return };
        if let Some(before) = self.session.replace(session.clone()) {
            self.open.wallet.forget_session(&before);
        }
        let mut configurations = self.configurations.clone();
        configurations.extend(
            self.wanted
                .iter()
                .filter(|id| !self.configurations.contains(id))
                .cloned(),
        );
        let renewal = Renewal {
            session: session.clone(),
            configurations,
        };
        match (self.configurations.is_empty(), renewal.configurations.is_empty()) {
            (_, true) => {}
            // Nothing came of it yet: what is known stays beside it.
            (true, false) => self.open.wallet.keep_renewal(renewal),
            (false, false) => self.open.wallet.renew_by(renewal),
        }
    }
}
