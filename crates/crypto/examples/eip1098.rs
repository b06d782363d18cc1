//! Opens EIP-1098 envelopes that other programs sealed, for comparing with them.
//!
//! Standard input: lines of JSON `{"key": hexadecimal, "safely": whether the text is padded, "envelope": {…}}`. Standard output: for each
//! line the text as a JSON string, or `null` where the envelope does not open.

use std::io::{BufRead, Write};
use vidimus_core::encoding::from_hex;
use vidimus_crypto::{SealingKey, eip1098};

#[derive(serde::Deserialize)]
struct Sealed {
    key: String,
    safely: bool,
    envelope: serde_json::Value,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let sealed: Sealed = serde_json::from_str(&line?)?;
        let key = SealingKey::from_bytes(&from_hex(&sealed.key)?)?;
        let open = if sealed.safely {
            eip1098::open_safely
        } else {
            eip1098::open
        };
        let opened = serde_json::from_value(sealed.envelope)
            .ok()
            .and_then(|envelope| open(&key, &envelope).ok());
        let text = opened.as_ref().map(|text| text.expose().as_str());
        writeln!(out, "{}", serde_json::json!(text))?;
    }
    Ok(())
}
