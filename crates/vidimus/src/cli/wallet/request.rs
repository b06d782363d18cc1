//! A verifier's request by OpenID4VP: who asks, for what and what for is shown, and the holder says yes or no.

use super::{Told, failure, link, offer::plain, open::Open, trust, web::Web};
use crate::{
    causes::with_causes,
    cli::{Exit, Failure, Output, clock},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt::Write as _,
    io::{IsTerminal as _, Write as _},
    path::Path,
};
use vidimus_core::{Algorithm, Signer};
use vidimus_credential::category::Categories;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::vp::{
    Evidence, Formats, HttpRequest, Incoming, Invocation, Policy as Protocol, RequestError, Step, TransactionType,
    Trust, Verified, Wallet as Side,
};
use vidimus_wallet::{
    PrivateKey,
    batch::RECEIVED,
    consent::{Asked, Consent, Wishes},
    registration::{Policy, Standing},
};

/// What answering a request takes.
#[derive(Debug, Clone, clap::Args)]
pub struct RequestArguments {
    /// The link (`openid4vp://…`), or a picture (PNG) of its QR code.
    link: String,
    /// Agree to what is shown, without being asked.
    #[arg(long, conflicts_with = "decline")]
    yes: bool,
    /// Decline.
    #[arg(long)]
    decline: bool,
    /// Leave an attribute out; may be given again. Refused where there is no answer without it.
    #[arg(long, value_name = "ATTRIBUTE")]
    without: Vec<String>,
    /// Show something optional too; may be given again.
    #[arg(long, value_name = "ID")]
    with: Vec<String>,
    /// Which certificate is used for what: `ID=c2`; may be given again, also for one ID where several certificates are asked for.
    #[arg(long = "use", value_name = "ID=CERTIFICATE", value_parser = using)]
    using: Vec<(String, u32)>,
    /// Agree that a certificate that can only be shown whole shows more than was asked for.
    #[arg(long)]
    whole: bool,
    /// Answer verifiers that no registry this wallet trusts has.
    #[arg(long)]
    unregistered: bool,
    /// Insist on HAIP 1.0.
    #[arg(long)]
    haip: bool,
    /// Types of transactions that may be authorised (JSON: a list of `{"name": …, "members": [{"name": …, "kind": "text", "required": true}]}`; kinds are
    /// `text`, `integer` and `boolean`). A request about any other is refused.
    #[arg(long, value_name = "FILE")]
    transaction_types: Option<std::path::PathBuf>,
    /// More authorities that certify verifiers (PEM); may be given again.
    #[arg(long, value_name = "FILE")]
    authority: Vec<std::path::PathBuf>,
}

impl RequestArguments {
    /// To look at a request, or to agree to it.
    pub(in crate::cli) fn of(link: &str, yes: bool, without: &[&str]) -> Self {
        Self {
            link: link.to_owned(),
            yes,
            decline: false,
            without: without.iter().map(|name| (*name).to_owned()).collect(),
            with: Vec::new(),
            using: Vec::new(),
            whole: false,
            unregistered: false,
            haip: false,
            transaction_types: None,
            authority: Vec::new(),
        }
    }
}

fn using(text: &str) -> Result<(String, u32), String> {
    let (id, number) = text
        .split_once('=')
        .ok_or("ID=CERTIFICATE is needed, such as test=c2")?;
    Ok((id.to_owned(), certificate(number)?))
}

/// The number of a certificate, as `list` shows it.
pub(super) fn certificate(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix('c') {
        Some(number) => number.parse().ok(),
        None => text.parse().ok().and_then(|number: u32| number.checked_add(RECEIVED)),
    };
    number.ok_or_else(|| "a certificate is named as `list` shows it, such as 1 or c2".to_owned())
}

/// The same, written.
fn named(number: u32) -> String {
    match number.checked_sub(RECEIVED) {
        Some(received) => received.to_string(),
        None => format!("c{number}"),
    }
}

/// The first certificate for each id, and further ones.
fn chosen(using: &[(String, u32)]) -> (BTreeMap<String, u32>, BTreeMap<String, Vec<u32>>) {
    let (mut first, mut more) = (BTreeMap::new(), BTreeMap::<String, Vec<u32>>::new());
    for (id, number) in using {
        match first.entry(id.clone()) {
            Entry::Vacant(place) => {
                place.insert(*number);
            }
            Entry::Occupied(_) => more.entry(id.clone()).or_default().push(*number),
        }
    }
    (first, more)
}

/// What the holder is willing to authorise.
fn transaction_types(path: Option<&Path>) -> Result<Vec<TransactionType>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let unreadable = |why: String| Failure::new(Exit::Usage, format!("{} cannot be read: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))
}

/// What the holder said to what was shown.
pub(super) enum Said {
    /// Yes.
    Yes,
    /// No.
    No,
    /// There was nobody to ask.
    Nothing,
}

/// Shows it and asks, unless the holder agreed before, or there is nobody at a terminal.
pub(super) fn ask(text: &str, agreed: bool, output: Output) -> Said {
    if agreed {
        return Said::Yes;
    }
    if output.json || !std::io::stdin().is_terminal() {
        return Said::Nothing;
    }
    println!("{text}");
    print!("Show this? [y/N] ");
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    match line.trim() {
        "y" | "Y" | "yes" => Said::Yes,
        _ => Said::No,
    }
}

fn refused(error: &RequestError) -> Failure {
    let text = with_causes(error);
    Failure::new(
        Exit::Refused,
        format!("this request is not one to answer: {text}; nothing was sent"),
    )
}

pub(super) fn signer(key: &PrivateKey, algorithm: Algorithm) -> Option<Box<dyn Signer>> {
    let kind = match algorithm {
        Algorithm::Es256k => KeyKind::Secp256k1,
        _ => KeyKind::P256,
    };
    let key = SigningKey::from_bytes(kind, key.expose()).ok()?;
    Some(Box::new(key))
}

fn side(arguments: &RequestArguments, loopback: bool) -> Result<Side, Failure> {
    let es256 = [Algorithm::Es256];
    let mut policy = if arguments.haip {
        Protocol::haip()
    } else {
        Protocol::open()
    };
    policy.loopback = loopback;
    Ok(Side {
        policy,
        formats: Formats::of(&es256, &es256, &es256),
        transaction_types: transaction_types(arguments.transaction_types.as_deref())?,
        encrypted_requests: true,
    })
}

/// Fetches the request, and verifies who asks.
async fn incoming(
    arguments: &RequestArguments,
    side: &Side,
    open: &Open,
    keys: &trust::Keys,
    web: &Web,
) -> Result<Verified<Incoming>, Failure> {
    let native = Native::new();
    let link = link::of(&arguments.link)?;
    let unreadable = |error: RequestError| Failure::new(Exit::Usage, with_causes(&error));
    let invocation = Invocation::parse(&link).map_err(unreadable)?;
    let received = match side
        .start(invocation, &native, &mut OsEntropy)
        .map_err(|error| refused(&error))?
    {
        Step::Received(received) => received,
        Step::Fetch(fetch) => {
            let came = web.vp(fetch.http()).await?;
            fetch
                .received(came.status, came.media_type(), &came.body, &native)
                .map_err(|error| refused(&error))?
        }
    };
    let mut roots = trust::roots(&open.wallet);
    roots.extend_from_slice(&open.wallet.others().verifiers);
    for path in &arguments.authority {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{} cannot be read: {error}", path.display())))?;
        let read = vidimus_credential::x509::Certificate::from_text(&text);
        roots.push(read.map_err(|_| Failure::new(Exit::Usage, format!("{} holds no certificate", path.display())))?);
    }
    let found = match received.evidence() {
        Evidence::Did { did, .. } => keys.of(did).to_vec(),
        Evidence::Certificate | Evidence::Nothing => Vec::new(),
    };
    let trust = Trust {
        roots: &roots,
        keys: &found,
    };
    received
        .verify(side, trust, clock().now(), &native)
        .map_err(|refusal| refused(&refusal.error))
}

pub(super) async fn run(
    arguments: &RequestArguments,
    open: &mut Open,
    web: &Web,
    loopback: bool,
    output: Output,
) -> Result<Told, Failure> {
    let keys = trust::refresh(open, web).await?;
    let side = side(arguments, loopback)?;
    let incoming = incoming(arguments, &side, open, &keys, web).await?;
    let native = Native::new();
    if arguments.decline {
        return decline(open, &incoming, web).await;
    }
    let policy = if arguments.unregistered {
        Policy::OPEN
    } else {
        Policy::STRICT
    };
    let (using, more) = chosen(&arguments.using);
    let wishes = Wishes {
        without: arguments.without.clone(),
        with: arguments.with.clone(),
        using,
        more,
        whole: arguments.whole,
    };
    let asked = Asked::of(&incoming, &native);
    let considered = open.wallet.consider(
        &asked,
        &policy,
        &wishes,
        &Categories::built_in(),
        clock().now(),
        &native,
    );
    let consent = match considered {
        Ok(consent) => consent,
        Err(refusal) => {
            // Who decided to answer has answered: with what a no looks like.
            let told = if arguments.yes && !refusal.is_choice() && !refusal.is_standing() {
                send_decline(open, &incoming, web).await?;
                "; it was told no more than a no"
            } else {
                "; nothing was sent"
            };
            return Err(Failure::new(Exit::Refused, format!("{refusal}{told}")));
        }
    };
    let text = shown(&consent, "asks");
    match ask(&text, arguments.yes, output) {
        Said::Yes => {}
        Said::No => return decline(open, &incoming, web).await,
        Said::Nothing => {
            let view = json!({"consent": consent, "outcome": "shown"});
            let text = format!("{text}\nNothing was sent: --yes agrees, --decline declines.");
            return Ok(Told(text, view));
        }
    }
    let http = open
        .wallet
        .answer(&incoming, &consent, &signer, clock().now(), &native, &mut OsEntropy)
        .map_err(failure)?;
    open.save()?;
    let redirect = send(web, &side, &http).await?;
    let next = redirect
        .as_deref()
        .map(|uri| format!("\nGo on at {uri}"))
        .unwrap_or_default();
    let record = open.wallet.shared().last();
    Ok(Told(
        format!("{text}\nIt was shown.{next}"),
        json!({"consent": consent, "outcome": "presented", "shared": record, "redirect_uri": redirect}),
    ))
}

async fn send(web: &Web, side: &Side, http: &HttpRequest) -> Result<Option<String>, Failure> {
    let came = web.vp(http).await?;
    side.acknowledged(came.status, &came.body)
        .map_err(|error| Failure::new(Exit::Refused, with_causes(&error)))
}

async fn send_decline(open: &mut Open, incoming: &Verified<Incoming>, web: &Web) -> Result<(), Failure> {
    let http = open
        .wallet
        .decline(incoming, clock().now(), &Native::new(), &mut OsEntropy)
        .map_err(failure)?;
    open.save()?;
    web.vp(&http).await.map(drop)
}

async fn decline(open: &mut Open, incoming: &Verified<Incoming>, web: &Web) -> Result<Told, Failure> {
    send_decline(open, incoming, web).await?;
    let record = open.wallet.shared().last();
    Ok(Told(
        "Declined.".to_owned(),
        json!({"outcome": "declined", "shared": record}),
    ))
}

/// All of somebody else's words, however long, with what would move a terminal's cursor or turn the direction of writing written out: what is authorised is read whole.
fn whole(text: &str) -> String {
    let turns = |one: char| matches!(one, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let mut safe = String::with_capacity(text.len());
    for one in text.chars() {
        if one.is_control() || turns(one) {
            safe.extend(one.escape_unicode());
        } else {
            safe.push(one);
        }
    }
    safe
}

/// The view, for a terminal: who asks, or whatever else it does.
pub(super) fn shown(consent: &Consent, does: &str) -> String {
    let verifier = &consent.verifier;
    let mut text = String::new();
    let name = verifier.name.as_deref().map_or_else(|| "Somebody".to_owned(), plain);
    let standing = match verifier.standing {
        Standing::Admitted => "registered",
        Standing::Stale => "registered when that was last known, too long ago to rely on",
        Standing::Suspended => "suspended",
        Standing::Revoked => "revoked",
        Standing::Unknown => "NOT registered anywhere that this wallet trusts",
    };
    let _ = writeln!(text, "{name} {does} ({standing}; it goes to {})", verifier.host);
    let purpose = consent.purpose.as_deref().map_or_else(|| "not said".to_owned(), plain);
    let more = consent.purpose_text.as_deref().map(plain);
    let more = more.map(|more| format!(": {more}")).unwrap_or_default();
    let _ = writeln!(text, "What for: {purpose}{more}");
    let kept = match consent.retention_seconds {
        None => "not said".to_owned(),
        Some(0) => "not beyond the check".to_owned(),
        Some(seconds) if seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        Some(seconds) => format!("{seconds} seconds"),
    };
    let _ = writeln!(text, "Kept: {kept}");
    for one in &consent.authorise {
        let _ = writeln!(
            text,
            "You would authorise, with {}: {}",
            one.credentials.join(" or "),
            whole(&one.kind)
        );
        for (name, value) in &one.members {
            let value = match value {
                Value::String(value) => whole(value),
                other => whole(&other.to_string()),
            };
            let _ = writeln!(text, "  {:<24} {value}", whole(name));
        }
    }
    for offered in &consent.credentials {
        let whether = match (offered.chosen, offered.required) {
            (true, true) => "required",
            (true, false) => "chosen",
            (false, _) => "optional, not shown unless --with",
        };
        let vouched = if offered.vouched {
            ""
        } else {
            ", whom nobody vouches for"
        };
        let _ = writeln!(
            text,
            "\n{}: {} {} from {}{vouched} ({whether}; {})",
            offered.id,
            named(offered.certificate),
            plain(&offered.title),
            plain(&offered.issuer),
            offered.validity
        );
        if offered.multiple && !offered.others.is_empty() {
            let others: Vec<_> = offered.others.iter().map(|number| named(*number)).collect();
            let _ = writeln!(
                text,
                "  Several are asked for; also there: {} (--use {}=…)",
                others.join(", "),
                offered.id
            );
        }
        if offered.linkable {
            let _ = writeln!(
                text,
                "  Another verifier has seen this copy, or it names you by your DID: the two can compare. Copies from `vidimus wallet refresh` keep them from it."
            );
        }
        if offered.whole {
            let _ = writeln!(text, "  It can only be shown whole (--whole).");
        }
        for one in &offered.attributes {
            let value = match &one.value {
                Value::String(value) => plain(value),
                other => plain(&other.to_string()),
            };
            let asked = if one.asked { "" } else { ", not asked for" };
            let required = if one.required { "required" } else { "can be left out" };
            let permitted = if one.permitted == Some(false) {
                ", beyond its registration"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "  {:<24} {value}  ({required}{asked}{permitted})",
                plain(&one.name)
            );
        }
    }
    text
}
