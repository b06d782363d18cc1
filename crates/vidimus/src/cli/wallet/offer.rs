//! Certificates from an issuer by OpenID4VCI: an offer is claimed, what is late is fetched, new copies are had.

use super::{
    Told,
    browser::Asks,
    failure, link,
    open::{Open, private},
    trust,
    web::Web,
};
use crate::{
    app::wallets::attest::{CLIENT, PROOF_TYPE},
    causes::with_causes,
    cli::{Exit, Failure, Output, clock},
};
use serde_json::{Value, json};
use vidimus_core::{Algorithm, PublicKey, Receipt, Salt, Signer as _};
use vidimus_credential::{jws, x509::Certificate};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    oauth::Opaque,
    vci::{
        CredentialOffer, Event, OfferLink,
        wallet::{
            Choice, ClientAuthentication, Context, HolderKey, Issuance, Next, Policy, Prove, Received, WalletClient,
        },
    },
};
use vidimus_wallet::{
    PrivateKey,
    batch::Origin,
    seed::Purpose,
    session::{Pending, Renewal},
};

/// Copies that are claimed where nothing is said.
const COPIES: usize = 5;

/// What claiming an offer takes.
#[derive(Debug, Clone, clap::Args)]
pub struct OfferArguments {
    /// The link (`openid-credential-offer://…`), or a picture (PNG) of its QR code.
    link: String,
    /// The code that the issuer sent in another way. Without it the offer is only shown, where it needs one.
    #[arg(long)]
    code: Option<String>,
    /// Copies of each certificate; each is for one verifier, so that they cannot compare.
    #[arg(long, default_value_t = COPIES, value_name = "COUNT")]
    copies: usize,
    /// Only these of what is offered, by their ids; may be given again.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Only show what is offered.
    #[arg(long)]
    show: bool,
    /// Paste the address that the browser came back to, instead of waiting for it on this machine.
    #[arg(long)]
    paste: bool,
    /// Insist on HAIP 1.0: through the browser, with this wallet's attestation.
    #[arg(long)]
    haip: bool,
    /// Deployment that attests this wallet, where an issuer asks for that; else the first that is trusted.
    #[arg(long, value_name = "URL")]
    provider: Option<String>,
}

impl OfferArguments {
    /// To claim all of an offer with its code.
    pub(in crate::cli) fn claim(link: &str, code: &str, copies: usize) -> Self {
        Self {
            link: link.to_owned(),
            code: Some(code.to_owned()),
            copies,
            only: Vec::new(),
            show: false,
            paste: false,
            haip: false,
            provider: None,
        }
    }
}

/// What new copies take.
#[derive(Debug, Clone, clap::Args)]
pub struct RefreshArguments {
    /// Copies of each certificate.
    #[arg(long, default_value_t = COPIES, value_name = "COUNT")]
    copies: usize,
    /// Deployment that attests this wallet, where an issuer asks for that; else the first that is trusted.
    #[arg(long, value_name = "URL")]
    provider: Option<String>,
}

fn not_done(error: &vidimus_openid4vc::vci::wallet::WalletError) -> Failure {
    use vidimus_openid4vc::vci::wallet::WalletError as E;
    let exit = match error {
        E::Offer(_) | E::Choice => Exit::Usage,
        E::Status { .. } | E::MediaType(_) | E::Answer { .. } => Exit::Unavailable,
        _ => Exit::Refused,
    };
    let said = match error {
        E::Refused {
            description: Some(text),
            ..
        } => format!(" ({})", plain(text)),
        _ => String::new(),
    };
    Failure::new(exit, with_causes(error) + &said)
}

/// Somebody else's words, on one line of a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(300).collect()
}

/// One issuance, with what it takes to go on.
struct Desk<'a> {
    open: &'a mut Open,
    web: &'a Web,
    issuer: String,
    dpop: SigningKey,
    instance: Option<(SigningKey, String)>,
    provider: Option<String>,
    roots: Vec<Certificate>,
    keys: Vec<PrivateKey>,
    kept: Vec<u32>,
    /// Why something that came was not kept.
    refused: Option<Failure>,
}

fn signing(key: &PrivateKey) -> Result<SigningKey, Failure> {
    SigningKey::from_bytes(KeyKind::P256, key.expose()).map_err(|error| Failure::setup(&error))
}

impl<'a> Desk<'a> {
    fn new(open: &'a mut Open, web: &'a Web, issuer: &str, provider: Option<&str>) -> Result<Self, Failure> {
        let native = Native::new();
        let key = open.wallet.key_with(Purpose::Tokens, issuer, &native, &mut OsEntropy);
        // The secret behind it may be new.
        open.save()?;
        let trusted = || open.wallet.trusted().first().map(|one| one.url.clone());
        let provider = provider
            .map(|url| url.trim_end_matches('/').to_owned())
            .or_else(trusted);
        Ok(Self {
            roots: trust::roots(&open.wallet),
            dpop: signing(&key)?,
            instance: None,
            provider,
            issuer: issuer.to_owned(),
            open,
            web,
            keys: Vec::new(),
            kept: Vec::new(),
            refused: None,
        })
    }

    /// Asks the provider for an attestation of this wallet, made for this issuer alone.
    async fn attest(&mut self) -> Result<(), Failure> {
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
    fn with<T>(
        &self,
        step: impl FnOnce(&mut Context<'_>) -> Result<T, vidimus_openid4vc::vci::wallet::WalletError>,
    ) -> Result<T, Failure> {
        let (crypto, mut entropy) = (Native::new(), OsEntropy);
        let client = self
            .instance
            .as_ref()
            .map(|(signer, attestation)| ClientAuthentication { attestation, signer });
        step(&mut Context {
            now: clock().now(),
            crypto: &crypto,
            entropy: &mut entropy,
            dpop: Some(&self.dpop),
            client,
            metadata_roots: &self.roots,
        })
        .map_err(|error| not_done(&error))
    }

    /// Sends what is to be sent, until something else is to be done.
    async fn send(&self, issuance: &mut Issuance, mut next: Next) -> Result<Next, Failure> {
        while let Next::Send(request) = next {
            let came = self.web.vci(&request).await?;
            next = self.with(|context| issuance.receive(context, came.as_vci()))?;
        }
        Ok(next)
    }

    /// Goes on to the end, or to where it has to wait.
    async fn go(&mut self, mut issuance: Issuance, mut next: Next, asks: &Asks) -> Result<(), Failure> {
        loop {
            next = match next {
                Next::Send(_) => self.send(&mut issuance, next).await?,
                Next::Review => return Err(Failure::new(Exit::Internal, "the choice was made")),
                Next::Browse(location) => {
                    let query = asks.browser(&location).await?;
                    self.with(|context| issuance.callback(&query, context))?
                }
                Next::Prove(prove) => self.prove(&mut issuance, &prove).await?,
                Next::Store(received) => self.store(&mut issuance, &received)?,
                Next::Wait(_) => {
                    self.keep_session(&issuance);
                    let pending = Pending {
                        issuance: Box::new(issuance),
                        since: clock().now(),
                        issuer: self.issuer.clone(),
                        keys: std::mem::take(&mut self.keys),
                    };
                    self.open.wallet.wait(pending);
                    return self.open.save();
                }
                Next::Done => {
                    self.keep_session(&issuance);
                    self.open.save()?;
                    return self.refused.take().map_or(Ok(()), Err);
                }
            };
        }
    }

    async fn prove(&mut self, issuance: &mut Issuance, prove: &Prove) -> Result<Next, Failure> {
        let made: Vec<SigningKey> = (0..prove.keys)
            .map(|_| SigningKey::generate(KeyKind::P256, &mut OsEntropy))
            .collect();
        self.keys = made.iter().map(private).collect::<Result<_, _>>()?;
        let attestation = if prove.attestation.is_some() {
            let proofs = made.iter().map(|key| self.proof(key)).collect::<Result<Vec<_>, _>>()?;
            let made = self.attestations(json!({"keys": proofs, "nonce": prove.nonce})).await?;
            made["key_attestation"].as_str().map(str::to_owned)
        } else {
            None
        };
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

    /// Keeps what came, and tells the issuer what became of it.
    fn store(&mut self, issuance: &mut Issuance, received: &Received) -> Result<Next, Failure> {
        let keys: Vec<(PrivateKey, PublicKey)> = std::mem::take(&mut self.keys)
            .into_iter()
            .map(|key| Ok((key.clone(), signing(&key)?.public_key().clone())))
            .collect::<Result<_, Failure>>()?;
        let origin = self.origin(issuance, &received.configuration);
        let kept = self
            .open
            .wallet
            .keep(&origin, &received.credentials, &keys, &Native::new(), clock().now());
        match kept {
            Ok(id) => {
                self.kept.push(id);
                self.keep_session(issuance);
                // Only what is on disk is told to be kept.
                self.open.save()?;
                self.with(|context| issuance.stored(Event::Accepted, context))
            }
            Err(error) => {
                // The issuer is told before the person is.
                self.refused = Some(failure(error));
                self.with(|context| issuance.stored(Event::Failure, context))
            }
        }
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

    fn keep_session(&mut self, issuance: &Issuance) {
        let Some(session) = issuance.session() else { return };
        let kept = self.kept.iter().filter_map(|id| self.open.wallet.batch(*id).ok());
        let mut configurations: Vec<String> = kept.map(|batch| batch.configuration().to_owned()).collect();
        let known = self.open.wallet.renewals().iter();
        let same = known.filter(|one| one.session.issuer == session.issuer);
        configurations.extend(same.flat_map(|one| one.configurations.clone()));
        configurations.sort_unstable();
        configurations.dedup();
        self.open.wallet.renew_by(Renewal {
            session: session.clone(),
            configurations,
        });
    }
}

fn policy(haip: bool, loopback: bool) -> Policy {
    Policy {
        loopback,
        encrypt: true,
        ..if haip { Policy::HAIP } else { Policy::LENIENT }
    }
}

pub(super) async fn offer(
    arguments: &OfferArguments,
    open: &mut Open,
    web: &Web,
    loopback: bool,
) -> Result<Told, Failure> {
    let link = link::of(&arguments.link)?;
    let wrong = |error| not_done(&vidimus_openid4vc::vci::wallet::WalletError::Offer(error));
    let offer = match OfferLink::parse(&link).map_err(wrong)? {
        OfferLink::Value(offer) => offer,
        OfferLink::Reference(location) => {
            let came = web.get(location.as_str()).await?;
            if came.status != 200 {
                return Err(Failure::new(
                    Exit::Refused,
                    "this offer is not there any more: ask the issuer for another",
                ));
            }
            CredentialOffer::parse(&came.body).map_err(wrong)?
        }
    };
    let issuer = offer.credential_issuer.as_str().to_owned();
    let through_browser = arguments.haip || offer.pre_authorized().is_none();
    let asks = Asks::new(arguments.paste).await?;
    let mut desk = Desk::new(open, web, &issuer, arguments.provider.as_deref())?;
    if through_browser && !arguments.show {
        desk.attest().await?;
    }
    let client = WalletClient {
        client_id: CLIENT.to_owned(),
        redirect_uri: asks.redirect_uri.clone(),
    };
    let policy = policy(arguments.haip && !arguments.show, loopback);
    let (mut issuance, next) = desk.with(|context| Issuance::from_offer(offer, policy, Some(client), context))?;
    desk.send(&mut issuance, next).await?;
    let review = issuance
        .review()
        .ok_or_else(|| Failure::new(Exit::Internal, "an offer that is not reviewed"))?;
    let most = review.metadata.batch_size();
    let shown = json!({
        "issuer": issuer,
        "name": review.metadata.display.iter().find_map(|one| one.name.as_deref()).map(plain),
        "signed": review.signed,
        "offered": review.offered,
        "code": review.tx_code,
        "browser": review.through_browser,
    });
    let wanted: Vec<String> = review
        .offered
        .iter()
        .filter(|id| review.configuration(id).is_some())
        .filter(|id| arguments.only.is_empty() || arguments.only.contains(id))
        .cloned()
        .collect();
    let missing = review.tx_code.is_some() && arguments.code.is_none();
    if arguments.show || missing {
        let hint = if missing && !arguments.show {
            "\nIt needs the code that the issuer sent in another way: give it with --code."
        } else {
            ""
        };
        return Ok(Told(told(&shown) + hint, json!({"offer": shown, "claimed": []})));
    }
    let choice = Choice {
        configurations: wanted
            .into_iter()
            .map(|id| (id, arguments.copies.clamp(1, most)))
            .collect(),
        tx_code: arguments
            .code
            .as_deref()
            .filter(|_| review.tx_code.is_some())
            .map(Opaque::new),
    };
    let next = desk.with(|context| issuance.accept(choice, context))?;
    desk.go(issuance, next, &asks).await?;
    let kept = desk.kept.clone();
    fetch_evidence(open, web).await;
    Ok(report(open, &kept, Some(&shown)))
}

fn told(shown: &Value) -> String {
    let name = shown["name"].as_str().unwrap_or("An issuer that does not say its name");
    let vouched = if shown["signed"] == true {
        "vouched for by a deployment that this wallet trusts"
    } else {
        "nobody that this wallet trusts vouches for that name"
    };
    let offered = shown["offered"].as_array().into_iter().flatten();
    let offered: Vec<_> = offered.filter_map(Value::as_str).map(plain).collect();
    format!(
        "{name} ({vouched})\n{}\nOffered: {}",
        shown["issuer"].as_str().unwrap_or_default(),
        offered.join(", ")
    )
}

fn report(open: &Open, kept: &[u32], offer: Option<&Value>) -> Told {
    let batches: Vec<_> = kept.iter().filter_map(|id| open.wallet.batch(*id).ok()).collect();
    let waiting = open.wallet.pending().len();
    let mut lines: Vec<String> = offer.map(told).into_iter().collect();
    lines.extend(batches.iter().map(|batch| super::batch_line(&open.wallet, batch)));
    if waiting > 0 {
        lines.push(format!("{waiting} still to come: `vidimus wallet refresh` asks again"));
    }
    if batches.is_empty() && waiting == 0 {
        lines.push("Nothing came.".to_owned());
    }
    let claimed: Vec<_> = batches
        .iter()
        .map(|batch| super::batch_view(&open.wallet, batch))
        .collect();
    let mut value = json!({"claimed": claimed, "waiting": waiting});
    if let Some(offer) = offer {
        value["offer"] = offer.clone();
    }
    Told(lines.join("\n"), value)
}

pub(super) async fn refresh(
    arguments: &RefreshArguments,
    open: &mut Open,
    web: &Web,
    loopback: bool,
    output: Output,
) -> Result<(), Failure> {
    let asks = Asks::new(true).await?;
    let mut kept = Vec::new();
    let mut refused: Vec<Failure> = Vec::new();
    // Each stays on disk until it is done: what is cut off here is asked again.
    let waiting = open.wallet.pending().to_vec();
    for (place, pending) in waiting.iter().cloned().enumerate() {
        let mut desk = Desk::new(open, web, &pending.issuer, arguments.provider.as_deref())?;
        desk.keys = pending.keys;
        let mut issuance = *pending.issuance;
        let next = match desk.with(|context| issuance.poll(context)) {
            Ok(next) => next,
            Err(failure) => {
                refused.push(failure);
                continue;
            }
        };
        let gone = desk.go(issuance, next, &asks).await;
        kept.append(&mut desk.kept);
        match gone {
            Err(failure) if failure.exit == Exit::Unavailable => refused.push(failure),
            gone => {
                open.wallet.end_pending(&waiting[place]);
                refused.extend(gone.err());
            }
        }
        open.save()?;
    }
    for renewal in open.wallet.renewals().to_vec() {
        let wanted: Vec<(String, usize)> = renewal
            .configurations
            .iter()
            .filter(|id| is_short(open, renewal.session.issuer.as_str(), id))
            .map(|id| (id.clone(), arguments.copies.max(1)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let issuer = renewal.session.issuer.as_str().to_owned();
        let mut desk = Desk::new(open, web, &issuer, arguments.provider.as_deref())?;
        if renewal.session.named {
            desk.attest().await?;
        }
        let client = WalletClient {
            client_id: CLIENT.to_owned(),
            redirect_uri: asks.redirect_uri.clone(),
        };
        let policy = policy(false, loopback);
        let begun =
            desk.with(|context| Issuance::renew(renewal.session.clone(), &wanted, policy, Some(client), context));
        let gone = match begun {
            Ok((issuance, next)) => desk.go(issuance, next, &asks).await,
            Err(failure) => Err(failure),
        };
        kept.append(&mut desk.kept);
        refused.extend(gone.err());
    }
    fetch_evidence(open, web).await;
    match (kept.is_empty(), refused.pop()) {
        (true, Some(failure)) => Err(failure),
        _ => {
            report(open, &kept, None).print(output);
            Ok(())
        }
    }
}

/// Whether new copies help: none is unused, of the newest that was had.
fn is_short(open: &Open, issuer: &str, configuration: &str) -> bool {
    let batches = open.wallet.batches().iter();
    let mut of_this = batches.filter(|batch| batch.issuer() == issuer && batch.configuration() == configuration);
    !of_this.any(|batch| batch.unused() > 0 && batch.validity(clock().now()).is_valid())
}

/// Asks the issuers' deployments for what leads from copies to their anchors, where it is missing. An issuer that has none, or is no deployment of this kind, is
/// passed over. How many came.
pub(super) async fn fetch_evidence(open: &mut Open, web: &Web) -> usize {
    let mut came = 0;
    let missing: Vec<_> = open
        .wallet
        .batches()
        .iter()
        .filter_map(|batch| Some((batch, batch.issuer().split_once("/issuers/")?.0.to_owned())))
        .flat_map(|(batch, base)| {
            let copies = batch.copies().iter().filter(|copy| copy.envelope().receipt.is_none());
            copies.map(move |copy| (batch.id(), copy.digest(), base.clone()))
        })
        .collect();
    for (id, digest, base) in missing {
        let body = json!({"digest": digest.to_string()});
        let Ok(Some(found)) = web.post_json(&format!("{base}/v1/evidence"), &body).await else {
            continue;
        };
        let salt = serde_json::from_value::<Salt>(found["salt"].clone());
        let receipt = serde_json::from_value::<Receipt>(found["receipt"].clone());
        let (Ok(salt), Ok(receipt), Ok(batch)) = (salt, receipt, open.wallet.batch_mut(id)) else {
            continue;
        };
        came += usize::from(batch.add_evidence(&digest, salt, receipt, &Native::new()).is_ok());
    }
    if came > 0 {
        let _ = open.save();
    }
    came
}
