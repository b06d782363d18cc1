//! Nonces and challenges that carry their own time: who asks for a million of them costs the database nothing.
//!
//! A nonce is time ‖ random ‖ tag, the tag under a key of the deployment and bound to what it is for and whose it is. It counts for
//! [`LIFETIME`]; what may be used only once is remembered when it is used ([`use_once`]).

use super::Site;
use crate::app::App;
use vidimus_core::{Digest, Provider as _, Timestamp, encoding};
use vidimus_store::{Tx, seen};

/// Seconds that a nonce counts.
pub const LIFETIME: i64 = 300;

/// What a nonce is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Proofs of keys (OpenID4VCI §7).
    Credential,
    /// Proofs of possession of client attestations.
    Attestation,
    /// DPoP proofs (RFC 9449 §8).
    Dpop,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Attestation => "attestation",
            Self::Dpop => "dpop",
        }
    }
}

const RANDOM: usize = 16;
const TAG: usize = 16;

fn tag(app: &App, site: &Site, kind: Kind, head: &[u8]) -> [u8; TAG] {
    let mut message = head.to_vec();
    message.extend_from_slice(site.issuer.id.as_bytes());
    let full = app.keys.credential_hash(kind.name(), &message);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&full[..TAG]);
    tag
}

/// A new one.
pub fn make(app: &App, site: &Site, kind: Kind) -> String {
    let mut bytes = app.now().0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&app.random::<RANDOM>());
    let tag = tag(app, site, kind, &bytes);
    bytes.extend_from_slice(&tag);
    encoding::base64url(&bytes)
}

/// Whether it is one of this issuer's, of this kind, that still counts.
pub fn is_known(app: &App, site: &Site, kind: Kind, text: &str) -> bool {
    made_at(app, site, kind, text).is_some_and(|made| {
        let age = app.now().since(made);
        (0..=LIFETIME).contains(&age)
    })
}

fn made_at(app: &App, site: &Site, kind: Kind, text: &str) -> Option<Timestamp> {
    let bytes = encoding::from_base64url(text).ok()?;
    if bytes.len() != 8 + RANDOM + TAG {
        return None;
    }
    let (head, claimed) = bytes.split_at(8 + RANDOM);
    let genuine: bool = subtle::ConstantTimeEq::ct_eq(tag(app, site, kind, head).as_slice(), claimed).into();
    let time: [u8; 8] = head[..8].try_into().ok()?;
    genuine.then(|| Timestamp(i64::from_be_bytes(time)))
}

/// The hash under which a nonce or the id of a proof is remembered.
pub fn hash(app: &App, parts: &[&str]) -> Digest {
    let bytes: Vec<&[u8]> = parts
        .iter()
        .flat_map(|part| [part.as_bytes(), b"\0".as_slice()])
        .collect();
    app.provider.sha256(&bytes)
}

/// Uses a value up, in the transaction of what it is used for. `false` where it was used before.
pub fn use_once(
    tx: &mut Tx<'_>,
    kind: &'static str,
    hash: &Digest,
    until: Timestamp,
) -> Result<bool, vidimus_store::Error> {
    seen::first(tx, kind, hash, until.plus(1))
}
