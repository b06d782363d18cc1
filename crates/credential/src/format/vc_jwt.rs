//! W3C Verifiable Credentials as JWT: 1.1 with the `vc` claim, 2.0 as `vc+jwt`.

use super::{FormatError, Parsed};
use crate::{Statement, jws};
use serde_json::Value;
use vidimus_core::Algorithm;

/// Which data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// VC Data Model 1.1, JWT claims beside a `vc` claim (§6.3.1).
    V1_1,
    /// VC Data Model 2.0 secured with JOSE (VC-JOSE-COSE §3.1.1): the payload is the credential.
    V2_0,
}

/// The URL of our JSON-LD context for a deployment. Nothing here ever fetches it.
pub fn context_url(public_url: &str) -> String {
    format!("{}/contexts/certificate/v1", public_url.trim_end_matches('/'))
}

/// The JSON-LD context document that a deployment serves at [`context_url`].
pub fn context_document() -> Value {
    todo!()
}

/// Prepares a VC to be signed with `algorithm` by the key whose DID URL is `kid`. `context` is [`context_url`] of the deployment.
pub fn prepare(
    statement: &Statement,
    version: Version,
    context: &str,
    algorithm: Algorithm,
    kid: &str,
) -> Result<jws::Unsigned, FormatError> {
    todo!("{statement:?}{version:?}{context}{algorithm:?}{kid}")
}

/// Reads a VC of either version.
pub fn parse(token: &str) -> Result<Parsed, FormatError> {
    todo!("{}", token.len())
}
