//! What travels with a copy: its salt, its receipt and the holder's counter-signature, beside the signed bytes and never inside.

use serde::{Deserialize, Serialize};
use vidimus_core::{Receipt, Salt};

/// A copy and what belongs to it, as the holder keeps and shows it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The copy: a compact JWT or the text of an HCERT (`HC1:…`).
    pub copy: String,
    /// The salt of its commitment, 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
    /// Its receipt, once it is anchored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// The holder's counter-signature ([`countersign`](crate::countersign)), a compact JWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter_signature: Option<String>,
}

impl Envelope {
    /// A copy alone.
    pub fn new(copy: impl Into<String>) -> Self {
        Self {
            copy: copy.into(),
            salt: None,
            receipt: None,
            counter_signature: None,
        }
    }
}

impl std::fmt::Debug for Envelope {
    /// Hides the copy and the salt: they are the holder's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("salt", &self.salt.is_some())
            .field("receipt", &self.receipt.is_some())
            .field("counter_signature", &self.counter_signature.is_some())
            .finish_non_exhaustive()
    }
}
