//! HTTP: extracts, calls one application function, answers. One file per resource.
//!
//! - [`operation`] is the authorization matrix, [`route`] the only way past it.
//! - [`edge`] is the outermost layer: request id, time limit, load, rates, problem documents, log line.
//! - [`error`] alone knows status codes.

mod api_keys;
mod audit;
pub mod auth;
mod categories;
mod certificates;
mod checks;
mod counter_signing;
mod deployment;
pub mod description;
mod dids;
pub mod edge;
pub mod error;
mod events;
pub mod extract;
pub mod health;
pub mod limit;
pub mod log;
pub mod metrics;
mod offers;
pub mod operation;
mod page;
mod participants;
mod presentations;
mod public;
mod results;
pub mod route;
mod rpc;
pub mod server;
mod setup;
mod wallets;
mod webhooks;

use crate::app::App;
use axum::{Extension, Router, middleware};
use limit::Buckets;
use metrics::Metrics;
use operation::Operation;
use route::Routes;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::Semaphore;
use utoipa_axum::routes;
use vidimus_core::id::ApiKeyId;

/// What HTTP keeps beside the application: limits and counters of this process.
#[derive(Debug)]
pub struct Guard {
    /// The application.
    pub app: Arc<App>,
    /// Counters.
    pub metrics: Metrics,
    key_rate: Buckets<ApiKeyId>,
    address_rate: Buckets<IpAddr>,
    permits: Semaphore,
    streams: events::Streams,
    stopping: AtomicBool,
}

impl Guard {
    /// Limits as configured, counters at zero.
    pub fn new(app: Arc<App>) -> Arc<Self> {
        let limits = &app.config.server.limits;
        Arc::new(Self {
            metrics: Metrics::default(),
            key_rate: Buckets::new(limits.key_requests_per_minute),
            address_rate: Buckets::new(limits.address_requests_per_minute),
            permits: Semaphore::new(limits.concurrency.min(Semaphore::MAX_PERMITS)),
            streams: events::Streams::new(limits.streams),
            stopping: AtomicBool::new(false),
            app,
        })
    }
    /// From now on answers ask clients to go elsewhere, and the instance is not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
    /// Whether the process is about to end.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// Every route there is. A new one needs an [`Operation`] first, and with it a row of the authorization matrix.
fn routes() -> Routes {
    Routes::default()
        .on(Operation::Live, routes!(health::live))
        .on(Operation::Ready, routes!(health::ready))
        .on(Operation::ReadMetrics, routes!(health::metrics))
        .on(Operation::ReadOpenApi, routes!(description::read))
        .on(Operation::ReadDeployment, routes!(deployment::read))
        .on(Operation::SetUp, routes!(setup::set_up))
        .on(Operation::AdmitParticipant, routes!(participants::admit))
        .on(Operation::ListParticipants, routes!(participants::list))
        .on(Operation::ReadParticipant, routes!(participants::read))
        .on(Operation::ChangeParticipant, routes!(participants::change))
        .on(Operation::SuspendParticipant, routes!(participants::suspend))
        .on(Operation::ResumeParticipant, routes!(participants::resume))
        .on(Operation::RevokeParticipant, routes!(participants::revoke))
        .on(Operation::RotateKeys, routes!(participants::rotate_keys))
        .on(Operation::RevokeKeys, routes!(participants::revoke_keys))
        .on(Operation::RotateAccount, routes!(participants::rotate_account))
        .on(Operation::BringTransaction, routes!(participants::bring_transaction))
        .on(Operation::ReadProfile, routes!(participants::profile))
        .on(Operation::CreateParticipantApiKey, routes!(api_keys::create_for))
        .on(Operation::CreateApiKey, routes!(api_keys::create))
        .on(Operation::ListApiKeys, routes!(api_keys::list))
        .on(Operation::RevokeApiKey, routes!(api_keys::revoke))
        .on(Operation::FollowEvents, routes!(events::follow))
        .on(Operation::CreateWebhook, routes!(webhooks::create))
        .on(Operation::ListWebhooks, routes!(webhooks::list))
        .on(Operation::ReadWebhook, routes!(webhooks::read))
        .on(Operation::RemoveWebhook, routes!(webhooks::remove))
        .on(Operation::RotateWebhook, routes!(webhooks::rotate))
        .on(Operation::TestWebhook, routes!(webhooks::test))
        .on(Operation::ListCategories, routes!(categories::list))
        .on(Operation::ReadCategory, routes!(categories::read))
        .on(Operation::ReportResult, routes!(results::report))
        .on(Operation::ListResults, routes!(results::list))
        .on(Operation::ReadResult, routes!(results::read))
        .on(Operation::AddCopies, routes!(results::add_copies))
        .on(Operation::ReadCertificate, routes!(certificates::read))
        .on(Operation::RevokeCertificate, routes!(certificates::revoke))
        .on(Operation::SignCopy, routes!(certificates::sign_copy))
        .on(Operation::DrawPaper, routes!(certificates::paper))
        .on(Operation::CreateOffer, routes!(offers::create))
        .on(Operation::ListOffers, routes!(offers::list))
        .on(Operation::ReadOffer, routes!(offers::read))
        .on(Operation::WithdrawOffer, routes!(offers::withdraw))
        .on(Operation::DrawOffer, routes!(offers::draw))
        .on(Operation::ReadIssuerMetadata, routes!(wallets::issuer_metadata))
        .on(Operation::ReadServerMetadata, routes!(wallets::server_metadata))
        .on(Operation::ReadJwtVcIssuer, routes!(wallets::jwt_vc_issuer))
        .on(Operation::ReadType, routes!(wallets::type_metadata))
        .on(Operation::ResolveOffer, routes!(wallets::offer))
        .on(Operation::PushAuthorization, routes!(wallets::push))
        .on(Operation::Authorize, routes!(wallets::authorize))
        .on(Operation::ReturnIdentified, routes!(wallets::identified))
        .on(Operation::AnswerAuthorization, routes!(wallets::answer_authorization))
        .on(Operation::RequestToken, routes!(wallets::token))
        .on(Operation::MakeNonce, routes!(wallets::nonce))
        .on(Operation::MakeChallenge, routes!(wallets::challenge))
        .on(Operation::ClaimCredentials, routes!(wallets::credential))
        .on(Operation::ClaimDeferredCredentials, routes!(wallets::deferred))
        .on(Operation::NotifyIssuer, routes!(wallets::notify))
        .on(Operation::SubscribeWallet, routes!(wallets::subscribe))
        .on(Operation::UnsubscribeWallet, routes!(wallets::unsubscribe))
        .on(Operation::AttestWallet, routes!(wallets::attest))
        .on(Operation::AskPresentation, routes!(presentations::create))
        .on(Operation::ListPresentations, routes!(presentations::list))
        .on(Operation::ReadPresentation, routes!(presentations::read))
        .on(Operation::WithdrawPresentation, routes!(presentations::withdraw))
        .on(Operation::ConfirmPresentation, routes!(presentations::confirm))
        .on(Operation::FetchRequest, routes!(presentations::request))
        .on(Operation::PostForRequest, routes!(presentations::post_request))
        .on(Operation::AnswerRequest, routes!(presentations::respond))
        .on(Operation::LeavePresentation, routes!(presentations::leave))
        .on(Operation::ListLeftPresentations, routes!(presentations::list_left))
        .on(Operation::ReadLeftPresentation, routes!(presentations::read_left))
        .on(Operation::CheckLeftPresentation, routes!(presentations::check_left))
        .on(Operation::RemoveLeftPresentation, routes!(presentations::remove_left))
        .on(Operation::Check, routes!(checks::check))
        .on(Operation::RequestPresentation, routes!(checks::request_presentation))
        .on(Operation::ReadReceipt, routes!(public::receipt))
        .on(Operation::ReadEvidence, routes!(public::evidence))
        .on(Operation::ReadBlob, routes!(public::blob))
        .on(Operation::ReadTokenStatusList, routes!(public::token_list))
        .on(Operation::ReadBitstringStatusList, routes!(public::bitstring_list))
        .on(Operation::ReadTrustRoot, routes!(public::trust_root))
        .on(Operation::ReadBundle, routes!(public::bundle))
        .on(Operation::ListIssuers, routes!(public::issuers))
        .on(Operation::ListVerifiers, routes!(public::verifiers))
        .on(Operation::ReadContext, routes!(public::context))
        .on(Operation::CounterSign, routes!(counter_signing::take))
        .on(Operation::RelayDidChange, routes!(dids::relay))
        .on(Operation::ListAudit, routes!(audit::list))
        .on(Operation::VerifyAudit, routes!(audit::verify))
        .on(Operation::CallLedger, routes!(rpc::call))
}

/// The service.
pub fn router(guard: &Arc<Guard>) -> Router {
    routes()
        .router(guard)
        .fallback(edge::not_found)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .layer(Extension(guard.clone()))
        .layer(middleware::from_fn_with_state(guard.clone(), edge::edge))
        .with_state(guard.app.clone())
}
