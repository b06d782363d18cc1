//! Whether a request object is signed by whom its client identifier names (§5.9.3, HAIP 1.0 §5).

use super::{ClientId, Policy, READER_USAGE, RequestError, client::names_key_of};
use vidimus_core::{Address, Algorithm, Provider, PublicKey, Timestamp};
use vidimus_credential::{
    jws::Signed,
    x509::{self, Certificate},
};

/// Algorithms of request objects that are verified.
pub(super) const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Es256,
    Algorithm::Es256k,
    Algorithm::Es256kR,
    Algorithm::EdDsa,
];

/// A key from a DID document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DidKey {
    /// A public key.
    Key(PublicKey),
    /// An Ethereum account (did:ethr's controller).
    Account(Address),
}

/// What the caller trusts, or has looked up, for one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust<'a> {
    /// Authorities that certify relying parties.
    pub roots: &'a [Certificate],
    /// Keys of the verification method that the header names, out of the DID's document; several where it has several forms of one.
    pub keys: &'a [DidKey],
}

/// Who asks, as far as it is proven.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// Whoever this certificate is about.
    Certificate(Box<Certificate>),
    /// Whoever controls a DID.
    Did {
        /// The DID.
        did: String,
        /// The verification method that signed.
        kid: String,
    },
    /// Not known: nobody signed. The response goes to the client identifier itself.
    Nobody,
}

pub(super) fn authenticate(
    client_id: &ClientId,
    signed: &Signed,
    trust: Trust<'_>,
    policy: &Policy,
    now: Timestamp,
    provider: &dyn Provider,
) -> Result<Who, RequestError> {
    match client_id {
        ClientId::X509Hash(_) | ClientId::X509SanDns(_) => {
            let leaf = x509::leaf_of_path(&signed.header.x5c, trust.roots, now, provider)
                .map_err(RequestError::Certificate)?;
            let is_named = match client_id {
                ClientId::X509Hash(digest) => leaf.fingerprint(provider) == *digest,
                ClientId::X509SanDns(name) => leaf.names_host(name),
                _ => false,
            };
            if !is_named {
                return Err(RequestError::OtherCertificate);
            }
            let may_sign = leaf.digital_signature != Some(false);
            if !may_sign || (policy.reader_usage && !leaf.allows(&[READER_USAGE])) {
                return Err(RequestError::Usage);
            }
            verify(signed, &DidKey::Key(leaf.public_key.clone()), provider)?;
            Ok(Who::Certificate(Box::new(leaf)))
        }
        ClientId::Did(did) => {
            let kid = signed.header.kid.as_deref().filter(|kid| names_key_of(kid, did));
            let kid = kid.filter(|_| !trust.keys.is_empty()).ok_or(RequestError::Key)?;
            let mut refused = RequestError::Key;
            for key in trust.keys {
                match verify(signed, key, provider) {
                    Ok(()) => {
                        return Ok(Who::Did {
                            did: did.clone(),
                            kid: kid.to_owned(),
                        });
                    }
                    Err(error) => refused = error,
                }
            }
            Err(refused)
        }
        ClientId::RedirectUri(_) => Err(RequestError::Signed),
        ClientId::PreRegistered(_) => Err(RequestError::Prefix(client_id.prefix())),
    }
}

/// The kind of key says which algorithms it has; of these the header may say which it was.
fn verify(signed: &Signed, key: &DidKey, provider: &dyn Provider) -> Result<(), RequestError> {
    let algorithm = signed.header.algorithm;
    if !ALGORITHMS.contains(&algorithm) {
        return Err(RequestError::Signature);
    }
    let verified = match key {
        DidKey::Key(key) if key.fits(algorithm) => provider.verify(algorithm, key, &signed.message, &signed.signature),
        DidKey::Account(account) if matches!(algorithm, Algorithm::Es256k | Algorithm::Es256kR) => {
            provider.verify_account(algorithm, account, &signed.message, &signed.signature)
        }
        DidKey::Key(_) | DidKey::Account(_) => return Err(RequestError::Signature),
    };
    verified.map_err(|_| RequestError::Signature)
}
