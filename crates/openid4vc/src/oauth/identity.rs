//! Who a person is, as an identity service says it: OpenID Connect Core 1.0 with the verified claims of OpenID Connect for Identity Assurance 1.0.
//! Only the side of who asks (the relying party), with the authorization code flow, PKCE, and a nonce.
//!
//! What is asked for is the identity document that the service saw. The answer, an ID token, comes over the service's token endpoint, never
//! through the browser: it names a person.

use super::{
    Endpoint, Form, Opaque,
    authorization::with_query,
    form, pkce,
    signed::{self, SignedError},
    wire::{self, MAX_TEXT},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt;
use vidimus_core::{Algorithm, Provider, PublicKey, Timestamp, encoding};
use vidimus_credential::{
    jws::{Jws, JwsError},
    x509::{Certificate, CertificateError},
};

/// The longest ID token that is read.
pub const MAX_TOKEN: usize = 64 << 10;
/// How long ago an ID token may have been made, in seconds, and its person have shown the service who they are: it is fetched at once.
pub const MAX_AGE: i64 = 300;
/// How far the service's clock may be ahead, in seconds.
pub const WINDOW: i64 = 60;
/// The most documents that are looked at.
const MAX_DOCUMENTS: usize = 16;

/// What an identity service is asked (Core §3.1.2.1).
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Its authorization endpoint.
    pub endpoint: &'a Endpoint,
    /// As whom this deployment is registered there.
    pub client_id: &'a str,
    /// Where the browser comes back to.
    pub redirect_uri: &'a Endpoint,
    /// Comes back unchanged.
    pub state: &'a Opaque,
    /// Comes back in the ID token.
    pub nonce: &'a Opaque,
    /// PKCE.
    pub challenge: &'a pkce::Challenge,
    /// By which rules the person has to have been identified, where only one will do.
    pub trust_framework: Option<&'a str>,
    /// How long ago the person may have shown the service who they are, in seconds: a session that is open there proves nothing.
    pub max_age: i64,
}

impl Ask<'_> {
    /// Where the browser is sent.
    pub fn location(&self) -> String {
        let query = Form::new()
            .with("response_type", "code")
            .with("scope", "openid")
            .with("client_id", self.client_id)
            .with("redirect_uri", self.redirect_uri.as_str())
            .with("state", self.state.expose())
            .with("nonce", self.nonce.expose())
            .with("code_challenge", self.challenge.as_str())
            .with("code_challenge_method", pkce::S256)
            .with("claims", &self.claims().to_string())
            .with("max_age", &self.max_age.to_string());
        with_query(self.endpoint.as_str(), &query)
    }

    /// The `claims` parameter (Core §5.5; Identity Assurance §6): the document, and the date of birth that goes with it.
    fn claims(&self) -> Value {
        let framework = self.trust_framework.map_or(Value::Null, |name| json!({"value": name}));
        let document = json!({"type": null, "document_number": null, "issuer": {"country_code": null}});
        json!({"id_token": {"verified_claims": {
            "verification": {
                "trust_framework": framework,
                "evidence": [{"type": {"value": "document"}, "document_details": document}],
            },
            "claims": {"birthdate": null},
        }}})
    }
}

/// Why nobody is known by an answer of the service. The text names nothing of the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The token endpoint's answer has no ID token.
    #[error("the identity service's answer has no readable ID token")]
    Answer,
    /// The ID token is no JWS, or lacks what every one has.
    #[error("the identity service's ID token is malformed")]
    Token(#[from] JwsError),
    /// A claim is missing or of the wrong kind.
    #[error("the ID token lacks `{0}`, or it is not as the specification has it")]
    Claim(&'static str),
    /// The certificate in it is not one of a trusted root.
    #[error("the ID token is signed with a certificate that is not trusted")]
    Signer(CertificateError),
    /// No trusted key signed it.
    #[error("the ID token is not signed by a key of the identity service that is trusted here")]
    Signature,
    /// Another service's.
    #[error("the ID token is another identity service's")]
    Issuer,
    /// For somebody else.
    #[error("the ID token is for another client")]
    Audience,
    /// Another session's.
    #[error("the ID token belongs to another session")]
    Nonce,
    /// It has ended, is too old, or of the future.
    #[error("the ID token does not count at this time")]
    Time,
    /// It says nothing of an identity document that was verified as is asked for.
    #[error("the identity service does not say which identity document it saw")]
    Unverified,
}

/// How a client that has a secret authenticates at the token endpoint: the value of `Authorization` (RFC 6749 §2.3.1).
pub fn basic(client_id: &str, secret: &str) -> String {
    let both = format!("{}:{}", form::encoded(client_id), form::encoded(secret));
    format!("Basic {}", encoding::base64(both.as_bytes()))
}

/// The ID token in the token endpoint's answer (Core §3.1.3.3). What else is in it is not used.
pub fn id_token(answer: &[u8]) -> Result<String, IdentityError> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: String,
    }
    let answer: Answer = wire::read(answer, "token response").map_err(|_| IdentityError::Answer)?;
    Ok(answer.id_token)
}

/// What an ID token is held against.
#[derive(Debug)]
pub struct Expected<'a> {
    /// The service.
    pub issuer: &'a str,
    /// As whom this deployment is registered there.
    pub client_id: &'a str,
    /// This session's.
    pub nonce: &'a Opaque,
    /// The rules that were asked for.
    pub trust_framework: Option<&'a str>,
    /// The service's keys, each with its `kid`.
    pub keys: &'a [(Option<&'a str>, &'a PublicKey)],
    /// Roots below which the service's certificate may be.
    pub roots: &'a [Certificate],
    /// What may sign.
    pub algorithms: &'a [Algorithm],
    /// Now.
    pub now: Timestamp,
}

/// An identity document that the service saw: kind, country and number as it writes them.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Such as `passport` or `idcard`.
    pub kind: String,
    /// Two or three letters.
    pub country: String,
    /// Its number.
    pub number: String,
    /// When its holder was born, as the service has verified it.
    pub birth_date: String,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(…)")
    }
}

/// Verifies an ID token (Core §3.1.3.7) and gives the documents of the person that it is about, at least one.
pub fn verify(token: &str, expected: &Expected<'_>, provider: &dyn Provider) -> Result<Vec<Document>, IdentityError> {
    let jws = Jws::parse(token.trim(), MAX_TOKEN)?;
    signed_by_service(&jws, expected, provider)?;
    read(&jws.claims()?, expected)
}

/// [`verify`] of the claims alone: who signed them is not looked at.
pub fn read(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<Vec<Document>, IdentityError> {
    let text = |name| wire::text(claims, name).map_err(IdentityError::Claim);
    let time = |name| wire::time(claims, name).map_err(IdentityError::Claim);
    if text("iss")?.as_deref() != Some(expected.issuer) {
        return Err(IdentityError::Issuer);
    }
    let other_party = text("azp")?.is_some_and(|party| party != expected.client_id);
    if !wire::is_audience(claims, expected.client_id) || other_party {
        return Err(IdentityError::Audience);
    }
    if text("nonce")?.map(Opaque::new).as_ref() != Some(expected.nonce) {
        return Err(IdentityError::Nonce);
    }
    let issued = time("iat")?.ok_or(IdentityError::Claim("iat"))?;
    let ends = time("exp")?.ok_or(IdentityError::Claim("exp"))?;
    let seen = time("auth_time")?.ok_or(IdentityError::Claim("auth_time"))?;
    let age = expected.now.since(issued);
    let session = expected.now.since(seen);
    if ends <= expected.now || !(-WINDOW..=MAX_AGE).contains(&age) || session > MAX_AGE + WINDOW {
        return Err(IdentityError::Time);
    }
    let documents = documents(claims, expected.trust_framework);
    if documents.is_empty() {
        return Err(IdentityError::Unverified);
    }
    Ok(documents)
}

fn signed_by_service(jws: &Jws<'_>, expected: &Expected<'_>, provider: &dyn Provider) -> Result<(), IdentityError> {
    let header = jws.header();
    if !expected.algorithms.contains(&header.algorithm) {
        return Err(IdentityError::Signature);
    }
    if !header.x5c.is_empty() && !expected.roots.is_empty() {
        return match signed::signer(jws, expected.roots, None, expected.now, provider) {
            Ok(_) => Ok(()),
            Err(SignedError::Signer(error)) => Err(IdentityError::Signer(error)),
            Err(SignedError::Signature) => Err(IdentityError::Signature),
        };
    }
    let named = |kid: &Option<&str>| match (&header.kid, kid) {
        (Some(named), Some(kid)) => named == kid,
        _ => true,
    };
    let mut keys = expected.keys.iter().filter(|(kid, _)| named(kid));
    let signed = keys.any(|(_, key)| {
        key.fits(header.algorithm)
            && provider
                .verify(header.algorithm, key, jws.message(), jws.signature())
                .is_ok()
    });
    signed.then_some(()).ok_or(IdentityError::Signature)
}

/// The documents in `verified_claims`, one or several of them (Identity Assurance §5), that were verified by the rules that were asked for.
fn documents(claims: &Map<String, Value>, trust_framework: Option<&str>) -> Vec<Document> {
    let all = match claims.get("verified_claims") {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut found = Vec::new();
    for verified in all {
        let (Some(verification), Some(born)) = (
            verified.get("verification"),
            verified.pointer("/claims/birthdate").and_then(Value::as_str),
        ) else {
            continue;
        };
        let framework = verification.get("trust_framework").and_then(Value::as_str);
        if framework.is_none_or(|named| trust_framework.is_some_and(|wanted| wanted != named)) {
            continue;
        }
        let evidence = verification.get("evidence").and_then(Value::as_array);
        let documents = evidence
            .into_iter()
            .flatten()
            .filter(|evidence| evidence.get("type").and_then(Value::as_str) == Some("document"))
            .filter_map(|evidence| document(evidence.get("document_details")?, born));
        found.extend(documents);
    }
    found.truncate(MAX_DOCUMENTS);
    found
}

fn document(details: &Value, born: &str) -> Option<Document> {
    let text = |value: &Value, name: &str| {
        let text = value.get(name)?.as_str()?;
        (1..=MAX_TEXT).contains(&text.len()).then(|| text.to_owned())
    };
    let issuer = details.get("issuer")?;
    Some(Document {
        kind: text(details, "type")?,
        country: text(issuer, "country_code").or_else(|| text(issuer, "country"))?,
        number: text(details, "document_number")?,
        birth_date: born.to_owned(),
    })
}
