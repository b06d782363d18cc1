//! Whose signature a copy has: where the key is that verifies it, and who vouches for that key.

use crate::{Trusted, Wallet, WalletError, batch::Batch};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vidimus_core::{Provider, PublicKey, Timestamp};
use vidimus_credential::{
    json,
    jws::Jws,
    x509::{Certificate, leaf_of_path},
};
use vidimus_identity::{Did, VerificationKey};

/// Where an issuer's key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// In the certificate that the copy brings (`x5c`).
    Certificate,
    /// In the JWT VC Issuer Metadata of this `iss` (SD-JWT VC draft 13 §5).
    Metadata(String),
    /// In the document of this DID.
    Did(String),
}

/// The keys that were found for a [`Source`], and who says so.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// Where.
    pub source: Source,
    /// Each with the `kid` that it goes by, where it has one.
    pub keys: Vec<(Option<String>, VerificationKey)>,
    /// The address of the trusted deployment whose registry has them.
    pub registry: Option<String>,
}

/// Whose signature the copies of a batch were verified to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedBy {
    /// Where its key was.
    pub source: Source,
    /// The address of the trusted deployment whose registry had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
}

impl Default for SignedBy {
    fn default() -> Self {
        Self {
            source: Source::Certificate,
            registry: None,
        }
    }
}

impl Source {
    /// Where the key of a copy is. A certificate in it is what counts then (SD-JWT VC draft 13 §3.5); else its `iss`.
    pub fn of(copy: &str) -> Result<Self, WalletError> {
        let signed = copy.split('~').next().unwrap_or_default();
        let jws = Jws::parse(signed, crate::batch::MAX_COPY).map_err(|_| WalletError::Unreadable)?;
        if !jws.header().x5c.is_empty() {
            return Ok(Self::Certificate);
        }
        let claims = jws.claims().map_err(|_| WalletError::Unreadable)?;
        let issuer = claims.get("iss").or_else(|| claims.get("issuer"));
        let issuer = match issuer {
            Some(Value::Object(issuer)) => issuer.get("id"),
            issuer => issuer,
        };
        match issuer.and_then(Value::as_str) {
            Some(issuer) if issuer.parse::<Did>().is_ok() => Ok(Self::Did(issuer.to_owned())),
            Some(issuer) if issuer.starts_with("https://") || issuer.starts_with("http://") => {
                Ok(Self::Metadata(issuer.to_owned()))
            }
            _ => Err(WalletError::UnknownIssuer),
        }
    }
}

/// Verifies the signature of a copy that brings no certificate, with a key of its issuer. Where the copy names the key, that one counts alone. That it is not
/// there says nothing of the signature.
pub(crate) fn verify(
    jws: &Jws<'_>,
    source: &Source,
    found: &[IssuerKeys],
    provider: &dyn Provider,
) -> Result<SignedBy, WalletError> {
    let own = own_key(source);
    let of_source = own.as_ref().or_else(|| found.iter().find(|one| one.source == *source));
    let of_source = of_source.ok_or(WalletError::UnknownIssuer)?;
    let header = jws.header();
    let is_named = |id: &Option<String>| match (&header.kid, id) {
        (Some(kid), Some(id)) => kid == id || (kid.starts_with('#') && id.ends_with(kid.as_str())),
        _ => true,
    };
    let fits = |key: &VerificationKey| match key {
        VerificationKey::Key(key) => key.fits(header.algorithm),
        VerificationKey::Account(_) => true,
    };
    let verifies = |key: &VerificationKey| {
        key.verify(provider, header.algorithm, jws.message(), jws.signature())
            .is_ok()
    };
    let named = of_source.keys.iter().filter(|(id, key)| is_named(id) && fits(key));
    let mut keys = named.map(|(_, key)| key).peekable();
    if keys.peek().is_none() && own.is_none() {
        return Err(WalletError::UnknownKey);
    }
    if keys.any(verifies) {
        Ok(SignedBy {
            source: source.clone(),
            registry: of_source.registry.clone(),
        })
    } else {
        Err(WalletError::IssuerSignature)
    }
}

/// The longest document of a DID that is read.
pub const MAX_DOCUMENT: usize = 64 << 10;
const MAX_METHODS: usize = 64;

/// The keys that a DID's document (DID Core 1.0 §5) has for statements, as JSON Web Keys: those under `assertionMethod`, named there or written there. A
/// document of another DID has none.
pub fn read_document(did: &str, document: &[u8]) -> Result<Vec<(Option<String>, VerificationKey)>, WalletError> {
    let document = json::parse_object(document, MAX_DOCUMENT).map_err(|_| WalletError::UnknownIssuer)?;
    if document.get("id").and_then(Value::as_str) != Some(did) {
        return Err(WalletError::UnknownIssuer);
    }
    let list = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let (methods, asserting) = (list("verificationMethod"), list("assertionMethod"));
    if methods.len() > MAX_METHODS || asserting.len() > MAX_METHODS {
        return Err(WalletError::UnknownIssuer);
    }
    let absolute = |id: &str| {
        if id.starts_with('#') {
            format!("{did}{id}")
        } else {
            id.to_owned()
        }
    };
    let id_of = |method: &Value| method["id"].as_str().map(absolute);
    let key = |method: &Value| {
        let jwk = &method["publicKeyJwk"];
        // A private key there is everybody's.
        let key = PublicKey::from_jwk(jwk).filter(|_| jwk.get("d").is_none())?;
        Some((id_of(method), VerificationKey::Key(key)))
    };
    let found = asserting.iter().filter_map(|one| match one {
        Value::String(id) => {
            let id = absolute(id);
            methods
                .iter()
                .find(|method| id_of(method).as_deref() == Some(&id))
                .and_then(key)
        }
        written => key(written),
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(WalletError::UnknownIssuer);
    }
    Ok(found)
}

/// A did:jwk is its key.
fn own_key(source: &Source) -> Option<IssuerKeys> {
    let Source::Did(did) = source else { return None };
    let key = crate::batch::did_key(did)?;
    Some(IssuerKeys {
        source: source.clone(),
        keys: vec![(None, VerificationKey::Key(key))],
        registry: None,
    })
}

/// Whom the holder trusts, as far as copies are vouched for.
pub(crate) struct Vouching<'w> {
    roots: Vec<Certificate>,
    trusted: &'w [Trusted],
    keys: &'w [(String, PublicKey)],
}

impl<'w> Vouching<'w> {
    pub(crate) fn of(wallet: &'w Wallet) -> Self {
        let of_deployments = wallet.trusted.iter();
        let mut roots: Vec<_> = of_deployments
            .filter_map(|one| Certificate::from_text(&one.root).ok())
            .collect();
        roots.extend_from_slice(&wallet.others.issuers);
        Self {
            roots,
            trusted: &wallet.trusted,
            keys: &wallet.others.issuer_keys,
        }
    }

    /// Whether every copy was signed by somebody whom a deployment that the holder trusts vouches for: under a certificate that its root leads to
    /// (HAIP 1.0 §6.1.1), or with a key that it publishes itself. Or by one of the others that the holder trusts.
    pub(crate) fn vouches_for(&self, batch: &Batch, now: Timestamp, provider: &dyn Provider) -> bool {
        let by = batch.signed_by();
        let is_trusted = |url: &str| self.trusted.iter().any(|one| one.url == url);
        let all = |fits: &dyn Fn(&str) -> bool| batch.copies().iter().all(|copy| fits(&copy.envelope().copy));
        match &by.source {
            Source::Certificate => all(&|copy| self.leads(copy, now, provider)),
            Source::Metadata(issuer) => {
                let own = |one: &Trusted| {
                    let rest = issuer.strip_prefix(one.url.as_str());
                    rest.is_some_and(|rest| rest.starts_with("/issuers/"))
                };
                self.trusted.iter().any(own) || all(&|copy| self.is_known(issuer, copy, provider))
            }
            Source::Did(did) => {
                by.registry.as_deref().is_some_and(is_trusted) || all(&|copy| self.is_known(did, copy, provider))
            }
        }
    }

    /// Whether a key that is trusted as this issuer's signed it.
    fn is_known(&self, issuer: &str, copy: &str, provider: &dyn Provider) -> bool {
        let signed = copy.split('~').next().unwrap_or_default();
        let Ok(jws) = Jws::parse(signed, crate::batch::MAX_COPY) else {
            return false;
        };
        let algorithm = jws.header().algorithm;
        self.keys.iter().filter(|(owner, _)| owner == issuer).any(|(_, key)| {
            key.fits(algorithm) && provider.verify(algorithm, key, jws.message(), jws.signature()).is_ok()
        })
    }

    fn leads(&self, copy: &str, now: Timestamp, provider: &dyn Provider) -> bool {
        let signed = copy.split('~').next().unwrap_or_default();
        let Ok(jws) = Jws::parse(signed, crate::batch::MAX_COPY) else {
            return false;
        };
        let header = jws.header();
        leaf_of_path(&header.x5c, &self.roots, now, provider).is_ok_and(|leaf| {
            let key = &leaf.public_key;
            leaf.may_issue()
                && key.fits(header.algorithm)
                && provider
                    .verify(header.algorithm, key, jws.message(), jws.signature())
                    .is_ok()
        })
    }
}

impl Wallet {
    /// Whether somebody whom the holder trusts vouches for the issuer of these copies.
    pub fn vouches_for(&self, batch: &Batch, now: Timestamp, provider: &dyn Provider) -> bool {
        Vouching::of(self).vouches_for(batch, now, provider)
    }
}
