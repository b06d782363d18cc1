//! What a verifier or wallet holds itself to beyond the specification.

use super::Prefix;
use serde::{Deserialize, Serialize};

/// What is refused that OpenID4VP alone would allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Client identifier prefixes that are taken.
    pub prefixes: Vec<Prefix>,
    /// Whether requests must come by `request_uri`, signed, as the media type they have.
    pub by_reference: bool,
    /// Whether responses must be encrypted (`direct_post.jwt`).
    pub encrypted: bool,
    /// Whether the hosts of `response_uri` and `request_uri` must be DNS names of the client's certificate, for `x509_hash` as the specification asks
    /// for `x509_san_dns` (§5.9.3): a certificate in other hands must not send what is presented elsewhere.
    pub bound_hosts: bool,
    /// Whether a certificate that names extended key usages must name that of relying parties.
    pub reader_usage: bool,
    /// Whether `aud` of a request object must be what §5.8 says. Else the URL that it was fetched from will do, which verifiers in the field write.
    pub audience: bool,
    /// Whether `vp_formats_supported` must be there.
    pub formats: bool,
    /// Whether this machine itself may be gone to, by `http` too: for tests and demonstrations.
    pub loopback: bool,
    /// Whether addresses and names inside private networks may be gone to.
    pub inside: bool,
}

impl Policy {
    /// HAIP 1.0 §5.1, with our rules on hosts.
    pub fn haip() -> Self {
        Self {
            prefixes: vec![Prefix::X509Hash],
            by_reference: true,
            encrypted: true,
            bound_hosts: true,
            reader_usage: true,
            audience: true,
            formats: true,
            loopback: false,
            inside: false,
        }
    }
    /// All that is authenticated, also without encryption; hosts are still bound to certificates.
    pub fn open() -> Self {
        Self {
            prefixes: vec![Prefix::X509Hash, Prefix::X509SanDns, Prefix::DecentralizedIdentifier],
            by_reference: false,
            encrypted: false,
            bound_hosts: true,
            reader_usage: false,
            audience: false,
            formats: false,
            loopback: false,
            inside: false,
        }
    }
    /// The same, with this machine and the network around it allowed.
    #[must_use]
    pub fn at_home(self) -> Self {
        Self {
            loopback: true,
            inside: true,
            ..self
        }
    }
}
