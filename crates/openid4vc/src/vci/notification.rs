//! What the wallet tells about credentials that were issued (OpenID4VCI §11).

use super::error::CredentialErrorCode;
use crate::oauth::wire;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vidimus_credential::json as strict;

/// The longest notification that is read.
const MAX_NOTIFICATION: usize = 16 << 10;

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// They are kept.
    #[serde(rename = "credential_accepted")]
    Accepted,
    /// They are not, by no will of the person's.
    #[serde(rename = "credential_failure")]
    Failure,
    /// They are not, by the person's will.
    #[serde(rename = "credential_deleted")]
    Deleted,
}

impl Event {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "credential_accepted",
            Self::Failure => "credential_failure",
            Self::Deleted => "credential_deleted",
        }
    }
    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accepted, Self::Failure, Self::Deleted]
            .into_iter()
            .find(|event| event.name() == name)
    }
}

/// A notification. The same one twice is answered as the first was (§11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The one that came with the credentials.
    pub notification_id: String,
    /// What became of them.
    pub event: Event,
    /// A sentence for the issuer's developer.
    pub description: Option<String>,
}

/// Why a notification is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// Not readable, or a member is missing or malformed.
    #[error("not a notification")]
    Malformed,
    /// The id is not one of this token's.
    #[error("the notification_id is unknown")]
    Unknown,
}

impl NotificationError {
    /// Its code (§11.3).
    pub const fn code(self) -> CredentialErrorCode {
        match self {
            Self::Malformed => CredentialErrorCode::InvalidNotificationRequest,
            Self::Unknown => CredentialErrorCode::InvalidNotificationId,
        }
    }
}

impl Notification {
    /// Reads one. Unknown members are ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotificationError> {
        const WRONG: NotificationError = NotificationError::Malformed;
        let members = strict::parse_object(bytes, MAX_NOTIFICATION).map_err(|_| WRONG)?;
        let text = |name| wire::text(&members, name).map_err(|_| WRONG);
        let description = text("event_description")?;
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if description.as_ref().is_some_and(|text| !text.bytes().all(allowed)) {
            return Err(WRONG);
        }
        Ok(Self {
            notification_id: text("notification_id")?.ok_or(WRONG)?,
            event: text("event")?.and_then(|name| Event::from_name(&name)).ok_or(WRONG)?,
            description,
        })
    }
    /// As JSON.
    pub fn to_json(&self) -> String {
        let mut object = json!({"notification_id": self.notification_id, "event": self.event.name()});
        if let Some(description) = &self.description {
            object["event_description"] = json!(crate::oauth::plain(description));
        }
        object.to_string()
    }
}
