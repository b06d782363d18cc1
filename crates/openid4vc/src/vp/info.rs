//! `verifier_info` (§5.1, §5.11), and what a verifier of ours says there: what for, and how long it keeps what it gets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The most entries of `verifier_info` that are read.
pub const MAX_ENTRIES: usize = 16;

/// One entry, about the verifier. Formats that are not known are carried and ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifierInfo {
    /// Identifies what `data` is.
    pub format: String,
    /// An object or a text.
    pub data: Value,
    /// The credential queries it is about; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ids: Option<Vec<String>>,
}

impl VerifierInfo {
    pub(super) fn is_well_formed(&self, is_known: impl Fn(&str) -> bool) -> bool {
        (self.data.is_object() || self.data.is_string())
            && (1..=super::MAX_TEXT).contains(&self.format.len())
            && self
                .credential_ids
                .as_ref()
                .is_none_or(|ids| !ids.is_empty() && ids.iter().all(|id| is_known(id)))
    }
}

/// A verifier's statement, in a format of our own: `data` is an object with the members below. It is *claim-bound* (§5.11.1): it holds the
/// `client_id`, stands inside a signed request object, and is taken from no other. What it says is the verifier's word; that the purpose is one
/// it is registered for is checked against its entry in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its participant id in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// The purpose, by its name in the registry entry.
    pub purpose: String,
    /// The purpose in a sentence for the holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose_text: Option<String>,
    /// How long what is presented is kept, in seconds; 0: not longer than the check takes.
    pub retention_seconds: u64,
}

impl Statement {
    /// `format` of such an entry.
    pub const FORMAT: &'static str = "urn:vidimus:verifier-statement:1";

    /// The entry, for a request by this client.
    pub fn to_info(&self, client_id: &super::ClientId) -> VerifierInfo {
        let mut data = json!(self);
        data["client_id"] = client_id.to_string().into();
        VerifierInfo {
            format: Self::FORMAT.to_owned(),
            data,
            credential_ids: None,
        }
    }

    /// The statement among these entries, in a signed request by this client. `Err` where there are two, or one is not well-formed or of another
    /// client: a wallet must not show what it cannot hold somebody to.
    pub(super) fn find(entries: &[VerifierInfo], client_id: &super::ClientId) -> Result<Option<Self>, ()> {
        let mut ours = entries.iter().filter(|entry| entry.format == Self::FORMAT);
        let (Some(entry), None) = (ours.next(), ours.next()) else {
            return if entries.iter().any(|entry| entry.format == Self::FORMAT) {
                Err(())
            } else {
                Ok(None)
            };
        };
        let members: &Map<String, Value> = entry.data.as_object().ok_or(())?;
        if members.get("client_id").and_then(Value::as_str) != Some(&client_id.to_string()) {
            return Err(());
        }
        let statement: Self = serde_json::from_value(entry.data.clone()).map_err(drop)?;
        let fits = |text: &String| (1..=super::MAX_TEXT).contains(&text.len()) && !text.chars().any(char::is_control);
        let texts = [&statement.participant, &statement.purpose_text];
        let good = fits(&statement.purpose) && texts.into_iter().flatten().all(fits);
        good.then_some(Some(statement)).ok_or(())
    }
}
