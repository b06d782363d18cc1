//! What a holder leaves for a verifier that asked for nothing yet, within what the verifier is registered for.

use crate::{
    Wallet, WalletError,
    answer::{Binding, Keys},
    attribute,
    batch::{Form, Read},
    consent::{Asked, Consent},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vidimus_core::{Encryption, Entropy, Provider, Timestamp, encoding::base64url};
use vidimus_credential::{category::Categories, check::Envelope, format::sd_jwt_vc, sd_jwt::ClaimPath};
use vidimus_openid4vc::dcql::Query;

/// What HPKE's `info` says of what is left.
pub const INFO: &[u8] = b"vidimus/left/v1";
/// The credential query that what is left answers.
pub const QUERY: &str = "left";

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
