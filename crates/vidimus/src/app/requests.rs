//! What callers send to application functions and what they get back: the shapes of the HTTP API and of `--json` output alike.

use crate::app::{
    principal::{Permission, Role},
    wallets::views::SendCode,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vidimus_credential::intake::IdentityDocument;

/// The first start: makes the authority.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The one-time token of the setup link.
    pub token: String,
    /// Name of the authority, as others will see it.
    pub name: String,
    /// ISO 3166-1 alpha-2 code of its country; the `iss` of health certificates issued under it.
    pub country: String,
    /// A participant card signed by keys the authority keeps itself; without it, keys are made and kept wrapped.
    #[serde(default)]
    pub card: Option<String>,
}

/// Where a participant's private keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Custody {
    /// Made by the server, kept wrapped under the root key.
    Wrapped,
    /// With the participant, who signs locally; the server never sees them.
    Own,
}

/// Admits an issuer or a verifier.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// `issuer` or `verifier`.
    pub role: Role,
    /// Name, as others will see it.
    pub name: String,
    /// ISO 3166-1 alpha-2 country code.
    pub country: String,
    /// Web address of the organisation, `https://…`.
    #[serde(default)]
    pub url: Option<String>,
    /// Categories an issuer is admitted for.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Attributes a verifier may ask for.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Purposes a verifier may ask for.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// A participant card signed by keys the participant keeps itself; without it, keys are made and kept wrapped.
    #[serde(default)]
    pub card: Option<String>,
}

/// A change to what a participant is admitted for. Only the named lists change.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Categories to add.
    pub grant_categories: Vec<String>,
    /// Categories to take away.
    pub withdraw_categories: Vec<String>,
    /// Attributes to add.
    pub grant_attributes: Vec<String>,
    /// Attributes to take away.
    pub withdraw_attributes: Vec<String>,
    /// Purposes to add.
    pub grant_purposes: Vec<String>,
    /// Purposes to take away.
    pub withdraw_purposes: Vec<String>,
}

/// A participant as others may see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ParticipantView {
    /// Its id.
    pub id: String,
    /// What it is admitted as.
    pub role: Role,
    /// Its DID.
    pub did: String,
    /// Its ledger account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its country.
    pub country: String,
    /// Its web address.
    pub url: Option<String>,
    /// `pending` until the ledger has the admission, then `active`, `suspended` or `revoked`.
    pub status: String,
    /// Where its keys are.
    pub custody: Custody,
    /// Categories, for an issuer.
    pub categories: Vec<String>,
    /// Attributes, for a verifier.
    pub attributes: Vec<String>,
    /// Purposes, for a verifier.
    pub purposes: Vec<String>,
    /// Public keys.
    pub keys: Vec<KeyView>,
}

/// A public key of a participant.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// `account`, `signing` or `sealing`.
    pub purpose: String,
    /// The version its participant's registry entry has it under, which is what is revoked; none while the ledger does not have it, 0 for an
    /// account.
    pub version: Option<u32>,
    /// The key as a JSON Web Key.
    #[schema(value_type = Object)]
    pub jwk: Value,
    /// X.509 certificate, base64 of its DER.
    pub certificate: Option<String>,
    /// `pending` until the ledger has it, then `active`; `retired` once another took its place, `revoked` where it leaked.
    pub state: String,
}

/// A transaction that the participant's own account must sign: sign `signing_hash`, put the signature to `POST /v1/transactions`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Prepared {
    /// What it does, in words.
    pub summary: String,
    /// The account that must sign.
    pub from: String,
    /// EIP-1559 transaction without signature, `0x02…` as hexadecimal.
    pub unsigned: String,
    /// Keccak-256 of `unsigned`: what is signed.
    pub signing_hash: String,
}

/// What was done to a participant, and the transactions it waits for.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ParticipantChange {
    /// The participant after the change, as far as the ledger has it.
    pub participant: ParticipantView,
    /// An API key, shown this once, when one was made.
    pub api_key: Option<String>,
    /// Hashes of the transactions that were queued.
    pub transactions: Vec<String>,
    /// Transactions the authority's own keys must sign.
    pub prepared: Vec<Prepared>,
}

/// A signed transaction, brought back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedTransaction {
    /// The raw signed EIP-1559 transaction, hexadecimal.
    pub raw: String,
}

/// Makes an API key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it may be used for.
    pub permissions: Vec<Permission>,
    /// Days until it expires, 1 to 730.
    pub days: u32,
    /// A label, for people.
    #[serde(default)]
    pub label: String,
}

/// An API key, without its secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyView {
    /// Its id.
    pub id: String,
    /// Its label.
    pub label: String,
    /// What it may be used for.
    pub permissions: Vec<Permission>,
    /// When it was made, Unix seconds.
    pub created: i64,
    /// When it expires, Unix seconds.
    pub expires: i64,
    /// Whether it was revoked.
    pub revoked: bool,
    /// The secret, `vk_…`, shown this once when it is made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<String>,
}

/// Reports a result. Exactly one of `fhir`, `dcc` and `claims` is given.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// An HL7 FHIR R4 Bundle.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub fhir: Option<Value>,
    /// An EU DCC 1.3 payload.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub dcc: Option<Value>,
    /// The plain form: `{person, category, claims}`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub claims: Option<Value>,
    /// The identity document the laboratory saw: `{type, country, number}`, type one of `passport`, `national_id`, `driving_licence`,
    /// `residence_permit`, `health_card`. Without it (and without one in the FHIR Patient) `fallback_id` is needed.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub document: Option<IdentityDocument>,
    /// The category, where the input could become more than one (a positive test can be a recovery).
    #[serde(default)]
    pub category: Option<String>,
    /// The issuer's own identifier of the person, where no document was seen.
    #[serde(default)]
    pub fallback_id: Option<String>,
    /// The holder's card. With it, copies are signed and sealed for the holder at once.
    #[serde(default)]
    pub card: Option<String>,
    /// Renderings wanted: `vc-jwt-1.1`, `vc+jwt`, `hcert`. Default: all that the category has and the card allows.
    #[serde(default)]
    pub formats: Vec<String>,
    /// Signature algorithm of VC-JWT copies: `ES256K` (default), `ES256K-R` or `ES256`.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// `hpke` (default) or `eip1098`.
    #[serde(default)]
    pub envelope: Option<String>,
    /// Replaces a valid certificate of the same kind (it is revoked with reason `replaced`).
    #[serde(default)]
    pub replace: bool,
    /// The offer that waited for this result: its wallet can claim the certificate now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Where the person is reached, so that who lost the wallet can claim the certificate again with a code that is sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<SendCode>,
    /// Waits for the anchor, at most 20 seconds.
    #[serde(default)]
    pub wait: bool,
}

/// More copies of a certificate that exists.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCopies {
    /// The holder's card; none for paper.
    #[serde(default)]
    pub card: Option<String>,
    /// Renderings wanted.
    pub formats: Vec<String>,
    /// As in a report.
    #[serde(default)]
    pub algorithm: Option<String>,
    /// As in a report.
    #[serde(default)]
    pub envelope: Option<String>,
}

/// A certificate and its copies, as its issuer sees it. No personal data.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Id of the result it was made of.
    pub result: String,
    /// Its id.
    pub certificate: String,
    /// Its category.
    pub category: String,
    /// `valid`, `suspended`, `revoked`, `replaced` or `expired`.
    pub status: String,
    /// Why, where it is not valid.
    pub reason: Option<String>,
    /// From when, RFC 3339.
    pub valid_from: String,
    /// Until when, RFC 3339.
    pub valid_until: String,
    /// Its copies.
    pub copies: Vec<CopyView>,
}

/// One copy.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CopyView {
    /// Its id, the `jti` inside.
    pub id: String,
    /// Its rendering.
    pub format: String,
    /// `signed`, or `unsigned` while the issuer's own key has not signed it.
    pub state: String,
    /// Content id of the sealed payload; the holder fetches `/ipfs/{content_id}`. None for paper.
    pub content_id: Option<String>,
    /// The commitment that is anchored.
    pub commitment: Option<String>,
    /// Whether its receipt is there.
    pub anchored: bool,
    /// Whether its holder has signed receipt of it.
    #[serde(default)]
    pub counter_signed: bool,
    /// What the issuer's own key must sign (base64url), when custody is `own` and the copy is unsigned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_sign: Option<ToSign>,
}

/// Bytes for an issuer's own key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct ToSign {
    /// `ES256`, `ES256K` or `ES256K-R`.
    pub algorithm: String,
    /// The message (not a digest), base64url.
    pub message: String,
    /// The account whose key signs, where the algorithm is ES256K or ES256K-R.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// For a copy that a wallet asked for: what salts and decoys of an SD-JWT VC are drawn from (base64url), so that who signs can make it again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub wallet_seed: Option<String>,
}

/// Signatures brought back by an issuer with its own keys.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CopySignature {
    /// Raw signature, base64url: 64 bytes, or 65 for ES256K-R.
    pub signature: String,
}

/// Revokes one certificate, all its copies.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// `error`, `fraud`, `lost`, `superseded`, `request` or `other`: a code, never text about a person.
    pub reason: String,
}

/// Asks for a check.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// A VC-JWT, `HC1:…` (with its evidence `VE1:…` in a line of its own, where it was scanned), an envelope or a presentation.
    pub input: String,
    /// The evidence of paper, `VE1:…`, where it was scanned apart from the certificate.
    #[serde(default)]
    pub evidence: Option<String>,
    /// Accept paper whose evidence is neither sent nor known here, on signature, registry and status alone. Off without this; the answer says
    /// `accepted_without_evidence` and names the tests that were waived.
    #[serde(default)]
    pub accept_without_evidence: bool,
    /// Certificates of others: the issuers that the caller trusts, in place of those that the operator trusts, as the text of a trust list: PEM, or
    /// JSON as the EU gateway and national backends give it, whose members `sd_jwt_vc` and `status_signers` name issuers of SD-JWT VCs and who signs
    /// their status lists. At most `server.limits.trust_list_bytes`, and never more than 16 MiB.
    #[serde(default)]
    pub trust_list: Option<String>,
    /// When that list was fetched, RFC 3339; default now. After a week it is too old to say *valid*.
    #[serde(default)]
    pub trust_list_read_at: Option<String>,
    /// What the check is for; must be among the verifier's purposes.
    pub purpose: String,
    /// Attributes wanted; default all that the verifier is admitted for.
    #[serde(default)]
    pub attributes: Option<Vec<String>>,
}

/// The answer of a check.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CheckAnswer {
    /// Id of this check.
    pub id: String,
    /// `valid`, `invalid` or `undetermined`.
    pub verdict: String,
    /// Every test with its reason.
    #[schema(value_type = Vec<Object>)]
    pub tests: Value,
    /// Category, where the certificate could be read.
    pub category: Option<String>,
    /// Rendering.
    pub format: Option<String>,
    /// The attributes the verifier may see. Empty unless the signature holds.
    #[schema(value_type = Object)]
    pub attributes: Value,
    /// Name of the issuer.
    pub issuer: Option<String>,
    /// Whether this is paper that the verifier chose to accept without evidence of its anchor.
    pub accepted_without_evidence: bool,
    /// The list of signers that the caller trusts, where one was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust_list: Option<TrustListView>,
    /// When it was checked, RFC 3339.
    pub checked_at: String,
}

/// What was read of a caller's trust list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TrustListView {
    /// How many signers were taken from it; entries that are no document signers, or do not read, are left out.
    pub signers: usize,
    /// When it was fetched, RFC 3339.
    pub read_at: String,
    /// Its age in seconds.
    pub age: i64,
}

/// Asks for what belongs to a copy and is not in it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRequest {
    /// SHA-256 of the copy's signed bytes, 64 hexadecimal digits: who has the copy can compute it, and nobody else.
    pub digest: String,
}

/// What leads from a copy to its anchor. It names nobody.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EvidenceView {
    /// The salt of the copy's commitment.
    #[schema(value_type = String)]
    pub salt: vidimus_core::Salt,
    /// The commitment's receipt.
    #[schema(value_type = Object)]
    pub receipt: vidimus_core::Receipt,
    /// Both as the text of the second code on paper, `VE1:…`.
    pub text: String,
}

/// What a verifier asks a holder to show.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPresentationRequest {
    /// What for; must be among the verifier's purposes.
    pub purpose: String,
}

/// A request to be shown to the holder: nonce and audience go into the presentation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PresentationRequestView {
    /// Its id.
    pub id: String,
    /// The nonce, used once.
    pub nonce: String,
    /// The verifier's DID.
    pub audience: String,
    /// What for.
    pub purpose: String,
    /// When it expires, RFC 3339; five minutes.
    pub expires: String,
}

/// `Debug` that shows the name alone: these hold what is personal or secret.
macro_rules! hidden {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}
pub(crate) use hidden;
hidden!(
    Setup,
    ParticipantChange,
    ApiKeyView,
    Report,
    NewCopies,
    ToSign,
    CheckRequest,
    CheckAnswer
);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn debug_of<T: serde::de::DeserializeOwned + std::fmt::Debug>(value: Value) -> String {
        format!("{:?}", serde_json::from_value::<T>(value).unwrap())
    }

    #[test]
    fn what_is_secret_or_personal_is_not_debugged() {
        let key = "vk_CANARY";
        let participant = json!({
            "id": "x", "role": "issuer", "did": "x", "account": "x", "name": "x", "country": "AT", "url": null, "status": "active",
            "custody": "own", "categories": [], "attributes": [], "purposes": [], "keys": [],
        });
        let to_sign = json!({"algorithm": "ES256", "message": "CANARY"});
        let shown = [
            debug_of::<Setup>(json!({"token": "CANARY", "name": "x", "country": "AT"})),
            debug_of::<ParticipantChange>(
                json!({"participant": participant, "api_key": key, "transactions": [], "prepared": []}),
            ),
            debug_of::<ApiKeyView>(json!({
                "id": "x", "label": "x", "permissions": [], "created": 0, "expires": 0, "revoked": false, "secret": key,
            })),
            debug_of::<Report>(json!({"claims": {"person": "CANARY"}})),
            debug_of::<NewCopies>(json!({"card": "CANARY", "formats": []})),
            debug_of::<CopyView>(json!({
                "id": "x", "format": "hcert", "state": "unsigned", "content_id": null, "commitment": null, "anchored": false,
                "to_sign": to_sign,
            })),
            debug_of::<CheckRequest>(json!({"input": "CANARY", "purpose": "boarding"})),
            debug_of::<CheckAnswer>(json!({
                "id": "x", "verdict": "valid", "tests": [], "category": null, "format": null, "attributes": {"family_name": "CANARY"},
                "issuer": null, "accepted_without_evidence": false, "checked_at": "x",
            })),
        ];
        for shown in shown {
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }
}
