//! A presentation that is left for a verifier that asked for nothing yet: sealed to its key, so that nobody else reads it.

use super::{
    Told, failure,
    open::Open,
    request::{self, Said},
    trust,
    web::Web,
};
use crate::cli::{Exit, Failure, Output, clock};
use serde_json::json;
use vidimus_core::encoding::base64url;
use vidimus_credential::category::Categories;
use vidimus_crypto::{
    Native, OsEntropy, SealingPublicKey,
    envelope::{self, Padding},
};
use vidimus_openid4vc::vp::Statement;
use vidimus_wallet::{
    consent::{Asked, Wishes},
    left::{self, QUERY},
    registration::Policy,
};

/// What leaving a presentation takes.
#[derive(Debug, Clone, clap::Args)]
pub struct LeaveArguments {
    /// The verifier: its id, its DID, or its name in the registry of a deployment that is trusted.
    verifier: String,
    /// The certificate, such as c1.
    #[arg(long, value_name = "CERTIFICATE", value_parser = request::certificate)]
    certificate: u32,
    /// What for: one of the purposes that the verifier is registered for.
    #[arg(long)]
    purpose: String,
    /// An attribute to show; may be given again. It has to be one that the verifier is registered for.
    #[arg(long, value_name = "NAME")]
    attribute: Vec<String>,
    /// Agree that a certificate that can only be shown whole is.
    #[arg(long)]
    whole: bool,
    /// Agree to what is shown, without being asked.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(
    arguments: &LeaveArguments,
    open: &mut Open,
    web: &Web,
    output: Output,
) -> Result<Told, Failure> {
    let registered = trust::refresh(open, web).await?;
    let to = registered.addressee(&arguments.verifier)?.clone();
    let (native, categories, now) = (Native::new(), Categories::built_in(), clock().now());
    let query = open
        .wallet
        .query_for(arguments.certificate, &arguments.attribute, &categories, &native)
        .map_err(failure)?;
    let statement = Statement {
        participant: Some(to.id.clone()),
        purpose: arguments.purpose.clone(),
        purpose_text: None,
        retention_seconds: 0,
    };
    let nonce = left::generate_nonce(&mut OsEntropy);
    let asked = Asked {
        client_id: to.did.clone(),
        name: Some(to.name.clone()),
        did: Some(to.did.clone()),
        certificate: None,
        host: host(&to.url),
        query: &query,
        statement: Some(&statement),
        authorise: &[],
        nonce: &nonce,
        expires_at: None,
    };
    let wishes = Wishes {
        using: [(QUERY.to_owned(), arguments.certificate)].into(),
        whole: arguments.whole,
        ..Wishes::default()
    };
    let considered = open
        .wallet
        .consider(&asked, &Policy::STRICT, &wishes, &categories, now, &native);
    let mut consent =
        considered.map_err(|refusal| Failure::new(Exit::Refused, format!("{refusal}; nothing was left")))?;
    // Nobody said how long it is kept.
    consent.retention_seconds = None;
    let text = request::shown(&consent, "would be left this");
    match request::ask(&text, arguments.yes, output) {
        Said::Yes => {}
        Said::No => return Ok(Told("Nothing was left.".to_owned(), json!({"outcome": "declined"}))),
        Said::Nothing => {
            let view = json!({"consent": consent, "outcome": "shown"});
            return Ok(Told(format!("{text}\nNothing was left: --yes agrees."), view));
        }
    }
    let key = to.sealing.ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "this verifier has no key that something could be sealed to; nothing was left",
        )
    })?;
    let left = open
        .wallet
        .leave(&asked, &consent, &request::signer, now, &native)
        .map_err(failure)?;
    open.save()?;
    let plain = zeroize::Zeroizing::new(
        serde_json::to_vec(&left).map_err(|_| Failure::new(Exit::Internal, "a presentation does not serialise"))?,
    );
    let sealed = envelope::seal(
        &SealingPublicKey(key),
        left::INFO,
        &[],
        &plain,
        Padding::Buckets,
        &mut OsEntropy,
    )
    .map_err(|error| Failure::setup(&error))?;
    let body = json!({"verifier": to.id, "payload": base64url(&sealed)});
    let taken = web
        .post_json(&format!("{}/v1/left-presentations", to.url), &body)
        .await?;
    let taken = taken.ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "the deployment did not take it: the verifier is not admitted now, or too much is waiting for it",
        )
    })?;
    let record = open.wallet.shared().last();
    let until = taken["expires"].as_str().unwrap_or_default();
    Ok(Told(
        format!("{text}\nIt was left, sealed, until {until}."),
        json!({"consent": consent, "outcome": "left", "left": taken, "shared": record}),
    ))
}

fn host(url: &str) -> String {
    let parsed = reqwest::Url::parse(url).ok();
    parsed
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}
