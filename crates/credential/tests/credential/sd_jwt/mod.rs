//! SD-JWT: the RFC's own examples, what must be refused, and what holds of whatever is concealed and shown.

mod binding;
mod property;
mod refuse;
mod rfc;

use serde_json::{Map, Value, json};
use vidimus_core::encoding::base64url;
use vidimus_credential::{
    jws,
    sd_jwt::{SdJwt, combine},
};
use vidimus_crypto::Native;

/// An issuer-signed part that nobody signed: what it takes to read one.
fn unsigned(payload: &Map<String, Value>) -> String {
    let header = json!({"alg": "ES256", "typ": "example+sd-jwt"});
    let payload = serde_json::to_vec(payload).unwrap();
    jws::Unsigned::new(header.as_object().unwrap(), &payload).finish(&[])
}

fn disclosure(content: &Value) -> String {
    base64url(content.to_string().as_bytes())
}

fn digest(text: &str) -> String {
    use vidimus_core::Provider;
    base64url(&Native::new().sha256(&[text.as_bytes()]).0)
}

/// Reads and processes; an error by its name, as vectors have it.
fn read(text: &str) -> Result<Value, String> {
    let name = |error: &dyn std::fmt::Debug| {
        let text = format!("{error:?}");
        text.split('(').next().unwrap().to_owned()
    };
    let read = SdJwt::parse(text).map_err(|error| name(&error))?;
    let processed = read.process(&Native::new()).map_err(|error| name(&error))?;
    Ok(Value::Object(processed.claims))
}

fn read_parts(payload: &Value, disclosures: &[String]) -> Result<Value, String> {
    let jwt = unsigned(payload.as_object().unwrap());
    read(&combine(&jwt, disclosures.iter().map(String::as_str)))
}
