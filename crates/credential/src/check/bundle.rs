//! The offline bundle: everything a checker without a network needs, as one signed file.
//!
//! A compact JWS (`typ` `vidimus-bundle+jwt`) signed with ES256 by a key whose certificate (`x5c`) leads to the deployment's root and may sign
//! JSON Web Tokens (RFC 9509). It carries the registries' whole event histories, so that a checker rebuilds them with the same code as the server; the roots
//! that were anchored; the status lists as they are served, each with its own signature; document signers' certificates, profiles, and the
//! category and value set files that are not built in.
//!
//! Whoever signs a bundle decides what its readers believe until it is stale: hence the root that the reader keeps, and the version that only
//! goes up.

use super::{
    Registry, Roots, StatusLists, Verified,
    registry::{Event, Head},
    roots::Root,
};
use crate::{
    card::members,
    category::{Categories, CategoryError},
    json, jws, x509,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vidimus_core::{Address, Algorithm, Provider, Timestamp, encoding};

/// `typ` of a bundle.
pub const TYPE: &str = "vidimus-bundle+jwt";
/// The longest bundle that is read.
pub const MAX_BUNDLE: usize = 64 << 20;
/// Extended key usage of who may sign bundles: `id-kp-jwt` (RFC 9509 §3), as for status lists. Document signers do not have it.
pub const USAGE: &str = x509::usage::STATUS_LIST;
/// By how many seconds a bundle may seem to come from the future.
const CLOCK_SKEW: i64 = 60;

/// What a bundle carries, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Counted up by the deployment with each bundle.
    pub version: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// How far the registries reach.
    pub head: Head,
    /// All events of the issuer registry, in order.
    pub issuers: Vec<Event>,
    /// All events of the verifier registry, in order.
    #[serde(default)]
    pub verifiers: Vec<Event>,
    /// Roots of the `Anchors` contract.
    pub anchors: Anchors,
    /// Status lists, as they are served.
    #[serde(default)]
    pub status: Vec<List>,
    /// Document signers' certificates: DER in base64.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// Participants' public profiles, byte for byte as they are served.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Value set files that are not built in.
    #[serde(default)]
    pub value_sets: Vec<String>,
    /// Category files that are not built in.
    #[serde(default)]
    pub categories: Vec<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Roots of one contract, complete up to a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchors {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The first block whose roots are here; 0: all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from_block: u64,
    /// The last block that was read.
    pub block_number: u64,
    /// When.
    pub read_at: Timestamp,
    /// The roots.
    pub roots: Vec<Root>,
}

impl From<Anchors> for Roots {
    fn from(anchors: Anchors) -> Self {
        let Anchors {
            chain_id,
            contract,
            from_block,
            block_number,
            read_at,
            roots,
        } = anchors;
        Self::new(chain_id, contract, block_number, read_at, roots).since(from_block)
    }
}

/// A status list as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Where it is served.
    pub uri: String,
    /// Which encoding.
    pub kind: ListKind,
    /// The list.
    pub token: String,
}

/// The encodings of a status list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListKind {
    /// Token Status List.
    Token,
    /// Bitstring Status List credential.
    Bitstring,
}

/// A bundle that was opened: verified and ready for checks.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Its version; keep it, and give it to [`Bundle::open`] the next time.
    pub version: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The issuers.
    pub issuers: Registry,
    /// The verifiers.
    pub verifiers: Registry,
    /// The anchors.
    pub roots: Roots,
    /// The status lists that verify.
    pub status: StatusLists,
    /// The built-in categories and the bundle's.
    pub categories: Categories,
}

/// Why a bundle is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a readable compact JWS.
    #[error("the bundle is not a readable JWS: fetch it again")]
    Jws(#[source] jws::JwsError),
    /// A JWS, but not a bundle of this version of the program.
    #[error("not a bundle that this program reads")]
    Malformed,
    /// Its signer is not the deployment's.
    #[error("the bundle's signer does not lead to the deployment's root certificate")]
    Chain(#[source] x509::CertificateError),
    /// Its signer's certificate is for something else.
    #[error("the certificate of the bundle's signer is for something else")]
    Usage,
    /// The signature does not verify.
    #[error("the bundle's signature does not verify: it was altered")]
    Signature,
    /// Dated in the future.
    #[error("the bundle is dated in the future: set this machine's clock")]
    Future,
    /// Older than one that was used before.
    #[error("bundle {version} is older than bundle {seen}, which was used before")]
    RolledBack {
        /// Version of this one.
        version: u64,
        /// Version that was seen.
        seen: u64,
    },
    /// An event history that does not hang together.
    #[error("the bundle's registry is damaged")]
    Events(#[source] super::registry::EventError),
    /// A category that does not load.
    #[error("the bundle holds a category that does not load")]
    Category(#[source] CategoryError),
}

impl Content {
    /// The bundle, to be signed with ES256 by the key of the first certificate in `x5c` (DER; without the root).
    pub fn prepare(&self, x5c: &[Vec<u8>]) -> jws::Unsigned {
        let chain: Vec<String> = x5c.iter().map(|der| encoding::base64(der)).collect();
        let header = members(json!({"alg": "ES256", "typ": TYPE, "x5c": chain}));
        let payload = serde_json::to_vec(self).expect("numbers, texts and P-256 keys are JSON");
        jws::Unsigned::new(&header, &payload)
    }

    /// The categories built in, and those it brings, value sets first.
    fn categories(&self) -> Result<Categories, CategoryError> {
        let mut categories = Categories::built_in();
        for (i, json) in self.value_sets.iter().enumerate() {
            categories.load_value_set(&format!("value set {i} of the bundle"), json)?;
        }
        for (i, json) in self.categories.iter().enumerate() {
            categories.load(&format!("category {i} of the bundle"), json)?;
        }
        Ok(categories)
    }
}

impl Bundle {
    /// Verifies a bundle against the deployment's root certificates and opens it. `seen` is the version of the newest bundle that this reader
    /// has used: an older one is refused, since it would bring back what was revoked. Status lists in it that do not verify are left out.
    pub fn open(
        text: &str,
        roots: &[x509::Certificate],
        provider: &dyn Provider,
        now: Timestamp,
        seen: Option<u64>,
    ) -> Result<Verified<Self>, BundleError> {
        let token = jws::Jws::parse(text.trim(), MAX_BUNDLE).map_err(BundleError::Jws)?;
        if !token.header().is_type(TYPE) || token.header().algorithm != Algorithm::Es256 {
            return Err(BundleError::Malformed);
        }
        let signer = x509::leaf_of_chain(&token.header().x5c, roots, now, provider).map_err(BundleError::Chain)?;
        if !signer.extended_key_usage.iter().any(|oid| oid == USAGE) {
            return Err(BundleError::Usage);
        }
        provider
            .verify(Algorithm::Es256, &signer.public_key, token.message(), token.signature())
            .map_err(|_| BundleError::Signature)?;
        let content: Content = json::parse(token.payload(), MAX_BUNDLE)
            .ok()
            .and_then(|value| serde_json::from_value(value).ok())
            .ok_or(BundleError::Malformed)?;
        if let Some(seen) = seen.filter(|seen| content.version < *seen) {
            return Err(BundleError::RolledBack {
                version: content.version,
                seen,
            });
        }
        if content.made_at > now.plus(CLOCK_SKEW) {
            return Err(BundleError::Future);
        }
        Self::read(&content, roots, provider).map(Verified::new)
    }

    fn read(content: &Content, trusted: &[x509::Certificate], provider: &dyn Provider) -> Result<Self, BundleError> {
        // Nothing in a bundle was known after it was made.
        let head = Head {
            read_at: content.head.read_at.min(content.made_at),
            ..content.head
        };
        let mut issuers = Registry::build(head, &content.issuers).map_err(BundleError::Events)?;
        let mut verifiers = Registry::build(head, &content.verifiers).map_err(BundleError::Events)?;
        for certificate in &content.certificates {
            let der = encoding::from_base64(certificate).map_err(|_| BundleError::Malformed)?;
            // A certificate that does not fit its issuer's key is left out; checks that need it say so.
            for registry in [&mut issuers, &mut verifiers] {
                let _ = registry.add_certificate(&der, provider);
            }
        }
        for profile in &content.profiles {
            issuers.add_profile(profile.as_bytes(), provider);
            verifiers.add_profile(profile.as_bytes(), provider);
        }
        let mut status = StatusLists::new();
        for List { uri, kind, token } in &content.status {
            let _ = match kind {
                ListKind::Token => status.add_token_list(uri, token, trusted, content.made_at, provider),
                ListKind::Bitstring => status.add_bitstring_list(uri, token, trusted, content.made_at, provider),
            };
        }
        let categories = content.categories().map_err(BundleError::Category)?;
        let mut anchors = content.anchors.clone();
        anchors.read_at = anchors.read_at.min(content.made_at);
        let roots = Roots::from(anchors);
        let (version, made_at) = (content.version, content.made_at);
        Ok(Self {
            version,
            made_at,
            issuers,
            verifiers,
            roots,
            status,
            categories,
        })
    }
}
