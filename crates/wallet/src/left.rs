//! What a holder leaves for a verifier that asked for nothing yet, within what the verifier is registered for; and how the verifier reads it.

use crate::{
    PRESENTATION_SECONDS, Wallet, WalletError,
    answer::{Binding, Keys},
    attribute,
    batch::{Form, Read},
    consent::{Asked, Consent},
    request,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vidimus_core::{Encryption, Entropy, Provider, Timestamp, encoding::base64url, reason::Reason};
use vidimus_credential::{
    category::Categories,
    check::{Envelope, Expected, Input, Policy},
    format::sd_jwt_vc,
    json,
    sd_jwt::ClaimPath,
};
use vidimus_openid4vc::dcql::Query;

/// What HPKE's `info` says of what is left.
pub const INFO: &[u8] = b"vidimus/left/v1";
/// The credential query that what is left answers.
pub const QUERY: &str = "left";
/// How long one is kept for its verifier: a day.
pub const KEPT_SECONDS: i64 = 86_400;
/// Most bytes of what is sealed.
pub const LARGEST: usize = 128 << 10;

/// What is sealed to the verifier. A check takes `nonce`, `audience` and `purpose` as the request that the presentation answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// The presentation, as a check takes it: the envelope of an SD-JWT VC with its key binding, as JSON, or a presentation of a W3C credential.
    pub presentation: String,
    /// What it is bound to. The holder's own: nobody asked.
    pub nonce: String,
    /// For whom: the verifier's DID.
    pub audience: String,
    /// What for.
    pub purpose: String,
}

impl std::fmt::Debug for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Left")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl Left {
    /// Reads what was sealed. It comes from whoever knows the verifier's public key.
    pub fn read(plain: &[u8]) -> Result<Self, Reason> {
        let value = json::parse(plain, LARGEST).map_err(|_| Reason::Malformed)?;
        // Its texts are shown on a terminal.
        let texts = request::from_json(&value).map_err(|_| Reason::Malformed)?;
        if texts.purpose.is_none() {
            return Err(Reason::Malformed);
        }
        serde_json::from_value(value).map_err(|_| Reason::Malformed)
    }

    /// What a check takes of it, for the verifier with this DID and, where it says one, for this purpose: the presentation, and the request that
    /// it has to answer. Nobody gave the nonce out, so it says nothing about when: that is bounded by [`Self::policy`].
    pub fn to_check(&self, verifier: &str, purpose: Option<&str>) -> Result<(Input, Expected), Reason> {
        if self.audience != verifier {
            return Err(Reason::AudienceMismatch);
        }
        // The key binding of an SD-JWT VC has no place for the purpose; here is where its holder said it.
        if purpose.is_some_and(|purpose| purpose != self.purpose) {
            return Err(Reason::PurposeMismatch);
        }
        let input = Input::parse(self.presentation.as_bytes()).ok();
        let input = input.filter(Input::is_shown).ok_or(Reason::Malformed)?;
        // Else nothing would say how old it is: whoever seals it chooses the nonce.
        if input.presentation().is_some_and(|shown| shown.issued_at.is_none()) {
            return Err(Reason::PresentationExpired);
        }
        let expected = Expected {
            nonce: self.nonce.clone(),
            audience: verifier.to_owned(),
            purpose: Some(self.purpose.clone()),
        };
        Ok((input, expected))
    }

    /// `policy`, for one that was left at a time: it has to have been new then, and counts for as long as it is kept.
    pub fn policy(policy: Policy, left_at: Timestamp, now: Timestamp) -> Policy {
        let kept = now.since(left_at).clamp(0, KEPT_SECONDS);
        Policy {
            presentation_max_age: policy.presentation_max_age.saturating_add(kept),
            ..policy
        }
    }
}

/// A nonce for what is left: no two presentations share one.
pub fn generate_nonce(entropy: &mut dyn Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    base64url(&bytes)
}

impl Wallet {
    /// The query that a certificate answers with these attributes, by the names that the registry uses. One that can only be shown whole is asked for whole.
    pub fn query_for(
        &self,
        number: u32,
        attributes: &[String],
        categories: &Categories,
        provider: &dyn Provider,
    ) -> Result<Query, WalletError> {
        let batch = self.batch(number)?;
        let copy = batch.copies().first().ok_or(WalletError::NoCopies)?;
        let read = Read::copy(&copy.envelope().copy, provider)?;
        let category = attribute::category_of(batch.form(), batch.types(), &read.claims, categories);
        let path = |name: &String| match category {
            Some(category) => category.disclosure(name).and_then(sd_jwt_vc::path_of),
            None => Some(ClaimPath::of([name.as_str()])),
        };
        let credential = match batch.form() {
            Form::SdJwtVc => {
                let paths: Option<Vec<ClaimPath>> = attributes.iter().map(path).collect();
                let paths = paths
                    .filter(|paths| !paths.is_empty())
                    .ok_or(WalletError::NoSuchAttribute)?;
                let claims: Vec<_> = paths.iter().map(|path| json!({"path": path.to_json()})).collect();
                json!({"id": QUERY, "format": "dc+sd-jwt", "meta": {"vct_values": batch.types()}, "claims": claims})
            }
            Form::JwtVcJson => json!({"id": QUERY, "format": "jwt_vc_json", "meta": {"type_values": [batch.types()]}}),
        };
        Query::from_json(&json!({"credentials": [credential]})).map_err(|_| WalletError::NoSuchAttribute)
    }

    /// Makes what the holder agreed to leave: `consent` as it was shown, to `asked`, which the wallet made itself. It is on record, and the copy counts as
    /// used: save the wallet before it is sealed and sent.
    pub fn leave(
        &mut self,
        asked: &Asked<'_>,
        consent: &Consent,
        keys: Keys<'_>,
        now: Timestamp,
        crypto: &dyn Encryption,
    ) -> Result<Left, WalletError> {
        let request = asked.request(crypto);
        self.permits(consent, &request)?;
        // Nobody but a registered verifier is left anything, and never without a purpose.
        let (Some(audience), Some(statement)) = (&asked.did, asked.statement) else {
            return Err(WalletError::OtherRequest);
        };
        let [pick] = consent.picks.as_slice() else {
            return Err(WalletError::OtherRequest);
        };
        let mut binding = Binding {
            audience,
            nonce: asked.nonce,
            purpose: Some(&statement.purpose),
            data: &[],
            authorised: Vec::new(),
            now,
            expires_at: now.plus(KEPT_SECONDS + PRESENTATION_SECONDS),
        };
        let text = self.presented(&mut binding, pick, keys, crypto)?;
        let presentation = match pick.form {
            // It has the envelope in it.
            Form::JwtVcJson => text,
            Form::SdJwtVc => {
                let copies = self.batch(pick.batch)?.copies();
                let copy = copies.iter().find(|copy| copy.digest() == pick.digest);
                let envelope = Envelope {
                    copy: text,
                    ..copy.ok_or(WalletError::OtherRequest)?.envelope().clone()
                };
                serde_json::to_string(&envelope).map_err(|_| WalletError::Unreadable)?
            }
        };
        self.was_shown(asked, consent, request, now)?;
        Ok(Left {
            presentation,
            nonce: asked.nonce.to_owned(),
            audience: audience.clone(),
            purpose: statement.purpose.clone(),
        })
    }
}
