//! Credential responses, immediate and deferred (OpenID4VCI §8.3, §9.2).

use crate::oauth::wire::{MAX_TEXT, WireError};
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_credential::json as strict;

/// The longest response that is read.
pub const MAX_RESPONSE: usize = 8 << 20;
/// The most credentials in one response.
pub const MAX_CREDENTIALS: usize = 256;

/// What a credential endpoint, or the deferred one, answers.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialResponse {
    /// Here they are: status 200.
    Issued {
        /// The copies, one for each key at most, in the order of the keys as far as the issuer keeps it. A format that writes its credentials as
        /// JSON objects has none here.
        credentials: Vec<String>,
        /// What to name in a notification about them.
        notification_id: Option<String>,
    },
    /// Not yet: status 202.
    Deferred {
        /// What to name when asking again.
        transaction_id: String,
        /// Seconds to wait before.
        interval: u32,
    },
}

impl fmt::Debug for CredentialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issued { credentials, .. } => write!(f, "Issued({} credentials)", credentials.len()),
            Self::Deferred { interval, .. } => write!(f, "Deferred({interval} s)"),
        }
    }
}

impl CredentialResponse {
    /// Reads the JSON of one: the body, or what was in the JWE.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        const WRONG: WireError = WireError::Form("credential response");
        let mut members = strict::parse_object(bytes, MAX_RESPONSE).map_err(WireError::Json)?;
        let text = |members: &Map<String, Value>, name| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_TEXT => Ok(Some(text.clone())),
            Some(_) => Err(WRONG),
        };
        let transaction_id = text(&members, "transaction_id")?;
        let notification_id = text(&members, "notification_id")?;
        let interval = members.remove("interval");
        match (members.remove("credentials"), transaction_id) {
            (Some(Value::Array(list)), None) if (1..=MAX_CREDENTIALS).contains(&list.len()) && interval.is_none() => {
                Ok(Self::Issued {
                    credentials: list.into_iter().map(credential).collect::<Option<_>>().ok_or(WRONG)?,
                    notification_id,
                })
            }
            (None, Some(transaction_id)) if notification_id.is_none() => Ok(Self::Deferred {
                transaction_id,
                interval: interval.as_ref().and_then(seconds).ok_or(WRONG)?,
            }),
            _ => Err(WRONG),
        }
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        match self {
            Self::Issued {
                credentials,
                notification_id,
            } => {
                let list: Vec<Value> = credentials.iter().map(|one| json!({"credential": one})).collect();
                let mut object = json!({"credentials": list});
                if let Some(id) = notification_id {
                    object["notification_id"] = json!(id);
                }
                object.to_string()
            }
            Self::Deferred {
                transaction_id,
                interval,
            } => json!({"transaction_id": transaction_id, "interval": interval}).to_string(),
        }
    }
}

/// The formats that are known here write their credentials as texts (appendices A.1.1, A.3).
fn credential(mut value: Value) -> Option<String> {
    match value.get_mut("credential").map(Value::take) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// A positive number of seconds; a part of one counts as one.
fn seconds(value: &Value) -> Option<u32> {
    let number = value.as_f64().filter(|number| *number > 0.0)?;
    Some(number.ceil().min(f64::from(u32::MAX)) as u32)
}
