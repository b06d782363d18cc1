//! Certificates from an issuer by OpenID4VCI: an offer is claimed, what is late is fetched, new copies are had.

use super::{
    Told,
    browser::Asks,
    desk::{Desk, not_done},
    link,
    open::Open,
    web::Web,
};
use crate::{
    app::wallets::attest::CLIENT,
    cli::{Exit, Failure, Output, clock},
};
use serde_json::{Value, json};
use vidimus_core::{Provider as _, Receipt, Salt};
use vidimus_crypto::Native;
use vidimus_openid4vc::{
    oauth::{Identifier, Opaque},
    vci::{
        CredentialOffer, OfferLink,
        wallet::{Choice, Issuance, Policy, WalletClient},
    },
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
    /// The authorization server to ask, where the issuer names several; else the first that gives what is offered.
    #[arg(long, value_name = "URL")]
    authority: Option<String>,
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
            authority: None,
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

/// Somebody else's words, on one line of a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(300).collect()
}

fn policy(haip: bool, loopback: bool) -> Policy {
    Policy {
        loopback,
        encrypt: true,
        ..if haip { Policy::HAIP } else { Policy::LENIENT }
    }
}

/// What an offer's link holds, or leads to.
async fn read(link: &str, web: &Web) -> Result<CredentialOffer, Failure> {
    let wrong = |error| not_done(&vidimus_openid4vc::vci::wallet::WalletError::Offer(error));
    match OfferLink::parse(link).map_err(wrong)? {
        OfferLink::Value(offer) => Ok(offer),
        OfferLink::Reference(location) => {
            let came = web.get(location.as_str()).await?;
            match came.status {
                200 => CredentialOffer::parse(&came.body).map_err(wrong),
                500.. => Err(Failure::new(
                    Exit::Unavailable,
                    "the issuer does not show its offer now",
                )),
                _ => Err(Failure::new(
                    Exit::Refused,
                    "this offer is not there any more: ask the issuer for another",
                )),
            }
        }
    }
}

pub(super) async fn offer(
    arguments: &OfferArguments,
    open: &mut Open,
    web: &Web,
    loopback: bool,
) -> Result<Told, Failure> {
    let link = link::of(&arguments.link)?;
    let digest = Native::new().sha256(&[link.as_bytes()]);
    let asks = Asks::new(arguments.paste).await?;
    // What broke off goes on; the code of the offer counted already.
    let begun = open.wallet.pending_of(&digest).filter(|_| !arguments.show).cloned();
    if let Some(pending) = begun {
        let gone = Desk::resume(open, web, pending, arguments.provider.as_deref(), &asks).await;
        let kept = gone.map_err(|(_, failure)| failure)?;
        fetch_evidence(open, web).await;
        return Ok(report(open, &kept, None));
    }
    let offer = read(&link, web).await?;
    let issuer = offer.credential_issuer.as_str().to_owned();
    let through_browser = arguments.haip || offer.pre_authorized().is_none();
    let server = arguments.authority.as_deref().map(|url| {
        let wrong = |_| Failure::new(Exit::Usage, "--authority is not the address of a server");
        Identifier::new(url).map_err(wrong)
    });
    let server = server.transpose()?;
    let mut desk = Desk::new(open, web, &issuer, arguments.provider.as_deref())?.of_offer(digest, arguments.haip);
    if through_browser && !arguments.show {
        desk.attest().await?;
    }
    let client = WalletClient {
        client_id: CLIENT.to_owned(),
        redirect_uri: asks.redirect_uri.clone(),
    };
    let policy = policy(arguments.haip && !arguments.show, loopback);
    let (mut issuance, next) = desk.with(|context| Issuance::from_offer(offer, policy, Some(client), context))?;
    if let Some(server) = server {
        issuance.choose_server(server);
    }
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
    desk.want(&choice);
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
    lines.extend(open.wallet.pending().iter().map(super::pending_line));
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
    let provider = arguments.provider.as_deref();
    let mut kept = Vec::new();
    let mut refused: Vec<Failure> = Vec::new();
    for pending in open.wallet.pending().to_vec() {
        match Desk::resume(open, web, pending, provider, &asks).await {
            Ok(mut came) => kept.append(&mut came),
            Err((mut came, failure)) => {
                kept.append(&mut came);
                refused.push(failure);
            }
        }
    }
    for renewal in open.wallet.renewals().to_vec() {
        let issuer = renewal.session.issuer.as_str().to_owned();
        let is_under_way = |id: &String| {
            let mut pending = open.wallet.pending().iter();
            pending.any(|one| one.issuer == issuer && one.is_for(id))
        };
        let wanted: Vec<(String, usize)> = renewal
            .configurations
            .iter()
            .filter(|id| is_short(open, &issuer, id) && !is_under_way(id))
            .map(|id| (id.clone(), arguments.copies.max(1)))
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let mut desk = Desk::new(open, web, &issuer, provider)?.for_copies_of(&renewal.configurations);
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
        let over = desk.is_refused();
        if over {
            open.wallet.forget_session(&renewal.session);
            open.save()?;
        }
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
