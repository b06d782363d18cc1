//! What a verifier asks a holder to show, as the holder's side reads it. It comes from whoever claims to be a verifier.

use crate::WalletError;
use serde_json::Value;
use vidimus_credential::{check::Expected, json};

/// Most bytes of a request.
pub const LARGEST: usize = 64 << 10;
/// Most bytes of each of its texts.
pub const LONGEST: usize = 2048;

/// Reads a request's JSON: `nonce`, `audience` and, where it says what for, `purpose`. What else it says is not looked at.
pub fn read(bytes: &[u8]) -> Result<Expected, WalletError> {
    let value =
        json::parse(bytes, LARGEST).map_err(|_| WalletError::Request("it is not one JSON object of at most 64 KiB"))?;
    from_json(&value)
}

/// [`read`], where it is JSON already.
pub fn from_json(value: &Value) -> Result<Expected, WalletError> {
    let text = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        // What it says is shown on a terminal and kept in the history.
        Some(Value::String(text)) if text.len() <= LONGEST && !text.chars().any(char::is_control) => {
            Ok(Some(text.clone()))
        }
        Some(_) => Err(WalletError::Request(
            "its `nonce`, `audience` and `purpose` are texts of one line and at most 2048 bytes",
        )),
    };
    let needed = |name: &str| text(name)?.ok_or(WalletError::Request("`nonce` and `audience` are needed"));
    Ok(Expected {
        nonce: needed("nonce")?,
        audience: needed("audience")?,
        purpose: text("purpose")?,
    })
}
