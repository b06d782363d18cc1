//! What verifiers send about presentations and get back.

use super::ask::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vidimus_wallet::left::Left;

/// Asks a wallet for a presentation. What is asked is given as `credentials`, or, for those who speak DCQL, as `dcql_query`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPresentation {
    /// What for: one of the purposes that you are registered for.
    pub purpose: String,
    /// The purpose in a sentence for the holder.
    #[serde(default)]
    pub purpose_text: Option<String>,
    /// For how many seconds you keep what you are shown; 0 for no longer than you look at it.
    #[serde(default)]
    pub retention_seconds: u64,
    /// What is asked for.
    #[serde(default)]
    pub credentials: Vec<AskedCredential>,
    /// The same as a DCQL query (OpenID4VP 1.0 §6).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub dcql_query: Option<Value>,
    /// Where the holder's browser goes afterwards, where wallet and browser are on one device. The answer is read only by whoever brings the code
    /// in that address back together with `session`.
    #[serde(default)]
    pub return_uri: Option<String>,
    /// That there is no `return_uri` because wallet and browser are on two devices. Said where the deployment keeps to HAIP alone, which
    /// recommends one device.
    #[serde(default)]
    pub cross_device: bool,
    /// How the link begins: `openid4vp://`, `haip-vp://`, or an https address of a wallet; default as configured.
    #[serde(default)]
    pub link: Option<String>,
    /// How you are known to the wallet.
    #[serde(default)]
    pub client: Client,
    /// Whether the wallet fetches the request by `post`, saying what it can do.
    #[serde(default)]
    pub post: bool,
    /// Whether the answer may come unencrypted (`direct_post`): only for wallets that cannot do better.
    #[serde(default)]
    pub unencrypted: bool,
    /// What the holder shall authorise (§8.4): objects with `type`, `credential_ids` and whatever the type has.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    pub transaction_data: Vec<Value>,
    /// Seconds until it ends, 60 to 300; default 120.
    #[serde(default)]
    pub expires_in: Option<u32>,
}

/// One certificate that is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskedCredential {
    /// Its category.
    pub category: String,
    /// Attributes that are needed, by their names in the category.
    pub attributes: Vec<String>,
    /// Attributes that are asked for and may be left out.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Whether there is no answer without this certificate.
    #[serde(default = "yes")]
    pub required: bool,
}

const fn yes() -> bool {
    true
}

/// A request for a presentation, as its verifier sees it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PresentationView {
    /// Its id.
    pub id: String,
    /// What for.
    pub purpose: String,
    /// `made`, `fetched`, `answering`, `answered`, `declined`, `failed`, `withdrawn` or `expired`.
    pub state: String,
    /// What a link or QR code holds; when it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// For the same device: keep it in the browser's session, and bring it back with the response code. When it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How often a wallet fetched it: more than once, somebody else may have seen the link.
    #[serde(default)]
    pub fetches: u32,
    /// How many answers were none to it. It can be answered still; after the fifth it has failed.
    #[serde(default)]
    pub wrong_answers: u32,
    /// What came of it: `verdict`, `credentials` (each with `id`, `verdict`, `tests`, `attributes`, …), or `error`. While it is `fetched`, of
    /// the last wrong answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Value>,
    /// When it was made, RFC 3339.
    pub created: String,
    /// Until when it may be answered, RFC 3339.
    pub expires: String,
}

impl std::fmt::Debug for PresentationView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentationView")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A page of requests, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PresentationPage {
    /// The requests.
    pub items: Vec<PresentationView>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// The holder's browser came back.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// `response_code` of the address that it came back to.
    pub response_code: String,
    /// The session's secret, from the browser that came back.
    pub session: String,
}

impl std::fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confirmation(…)")
    }
}

/// A presentation that was left for a verifier, sealed to its key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LeftView {
    /// Its id.
    pub id: String,
    /// The sealed presentation, base64url; in the list it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// When it was left, RFC 3339.
    pub created: String,
    /// Until when it is kept, RFC 3339.
    pub expires: String,
}

impl std::fmt::Debug for LeftView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeftView").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A page of them, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LeftPage {
    /// The presentations.
    pub items: Vec<LeftView>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// Leaves a presentation for a verifier.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The verifier's id.
    pub verifier: String,
    /// The presentation, sealed to the verifier's X25519 key by HPKE (`info`: `vidimus/left/v1`), base64url.
    pub payload: String,
}

impl std::fmt::Debug for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leave")
            .field("verifier", &self.verifier)
            .finish_non_exhaustive()
    }
}

/// Asks for a check of what was left.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckLeft {
    /// What the check is for: one of the purposes that you are registered for, and the one that it was left for.
    pub purpose: String,
    /// Attributes wanted; default all that you are registered for.
    #[serde(default)]
    pub attributes: Option<Vec<String>>,
    /// If you keep your keys yourself: what you opened, the JSON object that was sealed (`presentation`, `nonce`, `audience`, `purpose`).
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub opened: Option<Left>,
}
