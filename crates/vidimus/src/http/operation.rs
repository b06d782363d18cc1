//! Every operation of the HTTP API, who may do it, and whose objects it touches: the authorization matrix.
//!
//! A handler is reachable only through [`super::route::Routes::on`], which takes an [`Operation`] and puts the gate of its row in front; so a
//! route without a row does not compile, and a row without a route fails the start and the tests.

use crate::app::principal::{Permission, Role};
use axum::http::Method;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody, without an API key. A key that is sent is not even looked at.
    Anybody,
    /// Participants of these roles, with a key that has this permission.
    Only(&'static [Role], Permission),
    /// Anybody where the configuration says so (`server.metrics_public`), else any role with a key that has `operate`.
    Metrics,
    /// JSON-RPC: anybody reads where the configuration says so; sending transactions takes a key that has `operate`.
    Rpc,
}

/// Whose objects an operation's path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// None: it makes objects, lists the caller's own, or reads what is public.
    None,
    /// One that belongs to a participant: only the owner finds it, to others it answers as if it were not there.
    Own,
    /// One that belongs to the deployment, which all who may call this may touch.
    Shared,
}

/// How large a request body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// No body is read.
    Empty,
    /// `server.limits.body_bytes`.
    Small,
    /// `server.limits.large_body_bytes`.
    Large,
    /// The same and `server.limits.trust_list_bytes`.
    TrustList,
}

/// One row of the authorization matrix.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which operation.
    pub operation: Operation,
    /// Its method.
    pub method: Method,
    /// Its path, parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whose objects it touches.
    pub object: Object,
    /// How large its body may be.
    pub body: BodyLimit,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $method:ident $path:literal, $access:expr, $object:ident, $body:ident;)*) => {
        /// An operation of the HTTP API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation { $($(#[$doc])* $name),* }

        impl Operation {
            /// Every operation, in the order of the matrix.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// Its name, as logs and metrics have it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
            /// Its row.
            pub fn row(self) -> Row {
                use Access::{Anybody, Metrics, Only, Rpc};
                match self {
                    $(Self::$name => Row {
                        operation: self,
                        method: Method::$method,
                        path: $path,
                        access: $access,
                        object: Object::$object,
                        body: BodyLimit::$body,
                    }),*
                }
            }
        }
    };
}

use Permission::{Admin, Issue, Read};

const AUTHORITY: &[Role] = &[Role::Authority];
const ISSUER: &[Role] = &[Role::Issuer];
const VERIFIER: &[Role] = &[Role::Verifier];
const ISSUER_OR_VERIFIER: &[Role] = &[Role::Issuer, Role::Verifier];
const ANY_ROLE: &[Role] = &[Role::Authority, Role::Issuer, Role::Verifier];

operations! {
    /// The process is alive.
    Live = GET "/livez", Anybody, None, Empty;
    /// The instance can do its work.
    Ready = GET "/readyz", Anybody, None, Empty;
    /// Prometheus metrics.
    ReadMetrics = GET "/metrics", Metrics, None, Empty;
    /// This API's description.
    ReadOpenApi = GET "/openapi.json", Anybody, None, Empty;

    /// Reads what this deployment is: its chain, contracts and accounts.
    ReadDeployment = GET "/v1/deployment", Anybody, None, Empty;

    /// Makes the authority, once.
    SetUp = POST "/v1/setup", Anybody, None, Small;

    /// Admits an issuer or a verifier.
    AdmitParticipant = POST "/v1/participants", Only(AUTHORITY, Admin), None, Small;
    /// Lists all participants.
    ListParticipants = GET "/v1/participants", Only(AUTHORITY, Read), None, Empty;
    /// Reads one participant.
    ReadParticipant = GET "/v1/participants/{participant}", Only(AUTHORITY, Read), Shared, Empty;
    /// Changes what a participant is admitted for.
    ChangeParticipant = PATCH "/v1/participants/{participant}", Only(AUTHORITY, Admin), Shared, Small;
    /// Suspends a participant.
    SuspendParticipant = POST "/v1/participants/{participant}/suspend", Only(AUTHORITY, Admin), Shared, Small;
    /// Ends a suspension.
    ResumeParticipant = POST "/v1/participants/{participant}/resume", Only(AUTHORITY, Admin), Shared, Empty;
    /// Revokes a participant, for good.
    RevokeParticipant = POST "/v1/participants/{participant}/revoke", Only(AUTHORITY, Admin), Shared, Small;
    /// Gives a participant new keys.
    RotateKeys = POST "/v1/participants/{participant}/keys", Only(AUTHORITY, Admin), Shared, Small;
    /// Ends the trust in a version of a participant's keys.
    RevokeKeys = POST "/v1/participants/{participant}/keys/{version}/revoke", Only(AUTHORITY, Admin), Shared, Small;
    /// Gives a participant's account a new key: the authority to anybody's, each participant to its own.
    RotateAccount = POST "/v1/participants/{participant}/account", Only(ANY_ROLE, Admin), Own, Small;
    /// Makes an API key for a participant: its first one.
    CreateParticipantApiKey = POST "/v1/participants/{participant}/api-keys", Only(AUTHORITY, Admin), Shared, Small;

    /// Takes a transaction that the caller's own account signed to the ledger.
    BringTransaction = POST "/v1/transactions", Only(ANY_ROLE, Admin), None, Small;

    /// Reads the caller's own participant.
    ReadProfile = GET "/v1/profile", Only(ANY_ROLE, Read), None, Empty;
    /// Makes another API key for the caller's participant.
    CreateApiKey = POST "/v1/api-keys", Only(ANY_ROLE, Admin), None, Small;
    /// Lists the API keys of the caller's participant.
    ListApiKeys = GET "/v1/api-keys", Only(ANY_ROLE, Admin), None, Empty;
    /// Revokes an API key of the caller's participant.
    RevokeApiKey = DELETE "/v1/api-keys/{api_key}", Only(ANY_ROLE, Admin), Own, Empty;

    /// Streams what happens to the caller's objects.
    FollowEvents = GET "/v1/events", Only(ISSUER_OR_VERIFIER, Read), None, Empty;
    /// Makes a webhook.
    CreateWebhook = POST "/v1/webhooks", Only(ISSUER_OR_VERIFIER, Admin), None, Small;
    /// Lists the caller's webhooks.
    ListWebhooks = GET "/v1/webhooks", Only(ISSUER_OR_VERIFIER, Admin), None, Empty;
    /// Reads one of the caller's webhooks, with what was sent there.
    ReadWebhook = GET "/v1/webhooks/{webhook}", Only(ISSUER_OR_VERIFIER, Admin), Own, Empty;
    /// Removes one of the caller's webhooks.
    RemoveWebhook = DELETE "/v1/webhooks/{webhook}", Only(ISSUER_OR_VERIFIER, Admin), Own, Empty;
    /// Gives one of the caller's webhooks another secret.
    RotateWebhook = POST "/v1/webhooks/{webhook}/secret", Only(ISSUER_OR_VERIFIER, Admin), Own, Small;
    /// Sends a test to one of the caller's webhooks.
    TestWebhook = POST "/v1/webhooks/{webhook}/test", Only(ISSUER_OR_VERIFIER, Admin), Own, Empty;

    /// Lists the categories.
    ListCategories = GET "/v1/categories", Anybody, None, Empty;
    /// Reads one category.
    ReadCategory = GET "/v1/categories/{category}", Anybody, None, Empty;

    /// Reports a result, and issues its copies where that can be done now.
    ReportResult = POST "/v1/results", Only(ISSUER, Issue), None, Large;
    /// Lists the caller's results.
    ListResults = GET "/v1/results", Only(ISSUER, Read), None, Empty;
    /// Reads one of the caller's results.
    ReadResult = GET "/v1/results/{result}", Only(ISSUER, Read), Own, Empty;
    /// Makes more copies of a result's certificate.
    AddCopies = POST "/v1/results/{result}/copies", Only(ISSUER, Issue), Own, Small;
    /// Reads one of the caller's certificates.
    ReadCertificate = GET "/v1/certificates/{certificate}", Only(ISSUER, Read), Own, Empty;
    /// Revokes one of the caller's certificates.
    RevokeCertificate = POST "/v1/certificates/{certificate}/revoke", Only(ISSUER, Issue), Own, Small;
    /// Brings the signature of a copy whose issuer keeps its own keys.
    SignCopy = POST "/v1/copies/{copy}/signature", Only(ISSUER, Issue), Own, Small;
    /// Draws a paper copy.
    DrawPaper = GET "/v1/copies/{copy}/paper", Only(ISSUER, Issue), Own, Empty;

    /// Offers a certificate to a wallet.
    CreateOffer = POST "/v1/offers", Only(ISSUER, Issue), None, Small;
    /// Lists the caller's offers.
    ListOffers = GET "/v1/offers", Only(ISSUER, Read), None, Empty;
    /// Reads one of the caller's offers.
    ReadOffer = GET "/v1/offers/{offer}", Only(ISSUER, Read), Own, Empty;
    /// Takes one of the caller's offers back.
    WithdrawOffer = DELETE "/v1/offers/{offer}", Only(ISSUER, Issue), Own, Empty;
    /// Draws one of the caller's offers.
    DrawOffer = GET "/v1/offers/{offer}/qr", Only(ISSUER, Issue), Own, Empty;

    /// Reads an issuer's metadata for wallets.
    ReadIssuerMetadata = GET "/.well-known/openid-credential-issuer/issuers/{issuer}", Anybody, None, Empty;
    /// Reads an issuer's authorization server metadata.
    ReadServerMetadata = GET "/.well-known/oauth-authorization-server/issuers/{issuer}", Anybody, None, Empty;
    /// Reads the keys of an issuer's SD-JWT VCs.
    ReadJwtVcIssuer = GET "/.well-known/jwt-vc-issuer/issuers/{issuer}", Anybody, None, Empty;
    /// Reads the type of a category's SD-JWT VCs.
    ReadType = GET "/v1/types/{category}", Anybody, None, Empty;
    /// Reads an offer by its link.
    ResolveOffer = GET "/offers/{reference}", Anybody, None, Empty;
    /// Takes a wallet's authorization request.
    PushAuthorization = POST "/issuers/{issuer}/par", Anybody, None, Small;
    /// Shows the page on which a person permits a wallet.
    Authorize = GET "/issuers/{issuer}/authorize", Anybody, None, Empty;
    /// Shows it to who comes back from an identity service.
    ReturnIdentified = GET "/identity-return", Anybody, None, Empty;
    /// Takes what a person did on that page.
    AnswerAuthorization = POST "/issuers/{issuer}/authorize", Anybody, None, Small;
    /// Exchanges a code for tokens.
    RequestToken = POST "/issuers/{issuer}/token", Anybody, None, Small;
    /// Gives a nonce for proofs of keys.
    MakeNonce = POST "/issuers/{issuer}/nonce", Anybody, None, Small;
    /// Gives a challenge for a client attestation.
    MakeChallenge = POST "/issuers/{issuer}/challenge", Anybody, None, Small;
    /// Gives credentials to a wallet.
    ClaimCredentials = POST "/issuers/{issuer}/credential", Anybody, None, Large;
    /// Gives credentials that were not ready.
    ClaimDeferredCredentials = POST "/issuers/{issuer}/deferred-credential", Anybody, None, Small;
    /// Takes what a wallet says of its credentials.
    NotifyIssuer = POST "/issuers/{issuer}/notification", Anybody, None, Small;
    /// Has a wallet woken when what it waits for is there.
    SubscribeWallet = POST "/issuers/{issuer}/push-subscription", Anybody, None, Small;
    /// Ends that.
    UnsubscribeWallet = DELETE "/issuers/{issuer}/push-subscription", Anybody, None, Empty;
    /// Attests a wallet and its keys.
    AttestWallet = POST "/v1/wallet-attestations", Anybody, None, Large;

    /// Asks a wallet for a presentation.
    AskPresentation = POST "/v1/presentations", Only(VERIFIER, Permission::Check), None, Small;
    /// Lists the caller's requests for presentations.
    ListPresentations = GET "/v1/presentations", Only(VERIFIER, Permission::Check), None, Empty;
    /// Reads one of the caller's requests, and its answer.
    ReadPresentation = GET "/v1/presentations/{presentation}", Only(VERIFIER, Permission::Check), Own, Empty;
    /// Takes one of the caller's requests back.
    WithdrawPresentation = DELETE "/v1/presentations/{presentation}", Only(VERIFIER, Permission::Check), Own, Empty;
    /// Says that the holder's browser came back.
    ConfirmPresentation = POST "/v1/presentations/{presentation}/confirmation", Only(VERIFIER, Permission::Check), Own, Small;
    /// Gives a wallet a request.
    FetchRequest = GET "/presentations/{presentation}/request", Anybody, None, Empty;
    /// Gives a wallet a request that fits it.
    PostForRequest = POST "/presentations/{presentation}/request", Anybody, None, Small;
    /// Takes a wallet's answer.
    AnswerRequest = POST "/presentations/{presentation}/response", Anybody, None, Large;
    /// Leaves a presentation for a verifier.
    LeavePresentation = POST "/v1/left-presentations", Anybody, None, Large;
    /// Lists what was left for the caller.
    ListLeftPresentations = GET "/v1/left-presentations", Only(VERIFIER, Permission::Check), None, Empty;
    /// Reads one that was left for the caller.
    ReadLeftPresentation = GET "/v1/left-presentations/{left}", Only(VERIFIER, Permission::Check), Own, Empty;
    /// Checks one that was left for the caller.
    CheckLeftPresentation = POST "/v1/left-presentations/{left}/check", Only(VERIFIER, Permission::Check), Own, Large;
    /// Removes one that was left for the caller.
    RemoveLeftPresentation = DELETE "/v1/left-presentations/{left}", Only(VERIFIER, Permission::Check), Own, Empty;

    /// Checks a certificate or a presentation.
    Check = POST "/v1/checks", Only(VERIFIER, Permission::Check), None, TrustList;
    /// Makes a request that a presentation answers.
    RequestPresentation = POST "/v1/presentation-requests", Only(VERIFIER, Permission::Check), None, Small;

    /// Reads a receipt.
    ReadReceipt = GET "/v1/receipts/{commitment}", Anybody, None, Empty;
    /// Reads salt and receipt of a copy, by the digest that only who has the copy knows.
    ReadEvidence = POST "/v1/evidence", Anybody, None, Small;
    /// Reads a sealed payload.
    ReadBlob = GET "/ipfs/{content_id}", Anybody, None, Empty;
    /// Reads a Token Status List.
    ReadTokenStatusList = GET "/v1/status/{list}/token", Anybody, None, Empty;
    /// Reads a Bitstring Status List.
    ReadBitstringStatusList = GET "/v1/status/{list}/bitstring/{purpose}", Anybody, None, Empty;
    /// Reads the root certificate.
    ReadTrustRoot = GET "/v1/trust/root", Anybody, None, Empty;
    /// Reads what an offline check takes.
    ReadBundle = GET "/v1/bundle", Anybody, None, Empty;
    /// Lists the issuers.
    ListIssuers = GET "/v1/registry/issuers", Anybody, None, Empty;
    /// Lists the verifiers.
    ListVerifiers = GET "/v1/registry/verifiers", Anybody, None, Empty;
    /// Reads the JSON-LD context.
    ReadContext = GET "/contexts/certificate/v1", Anybody, None, Empty;

    /// Takes a holder's word that it has a copy.
    CounterSign = POST "/v1/counter-signatures", Anybody, None, Small;

    /// Relays a change that a DID's owner signed.
    RelayDidChange = POST "/v1/dids/changes", Anybody, None, Small;

    /// Reads the audit log.
    ListAudit = GET "/v1/audit", Only(AUTHORITY, Read), None, Empty;
    /// Walks the audit log's chain of hashes.
    VerifyAudit = GET "/v1/audit/verification", Only(AUTHORITY, Read), None, Empty;

    /// The embedded or the network's ledger, as JSON-RPC.
    CallLedger = POST "/rpc", Rpc, None, Large;
}
