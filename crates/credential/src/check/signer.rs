//! Whose key signed a copy, and whether that key was good for it.

use super::{
    Context, Registry,
    registry::{KeyRecord, Participant},
    trust::{Signer, Usage},
};
use crate::{
    format::{KeyHint, Parsed},
    x509,
};
use vidimus_core::{Algorithm, Digest, PublicKey, Timestamp, reason::Reason};

/// Who signed, as far as a trusted record says so.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'a> {
    /// An issuer of the registry.
    Own(&'a Registry, &'a Participant),
    /// A document signer of the caller's trust list.
    Foreign(&'a Signer),
    /// Nobody that is known.
    Unknown,
}

/// When a copy was signed, as far as that can be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// What the issuer signed, but not later than the anchor.
    pub(super) signed_at: Timestamp,
    /// The time of the proven anchor.
    pub(super) anchored_at: Option<Timestamp>,
}

/// A VC: the issuer by its DID, then the key that the record binds to the algorithm.
pub(super) fn of_vc<'a>(
    copy: &Parsed,
    digest: &Digest,
    issuer: &str,
    times: Times,
    context: &Context<'a>,
) -> (Reason, Who<'a>) {
    let Some(registry) = context.registry else {
        return (Reason::KeyUnavailable, Who::Unknown);
    };
    let Some(participant) = registry.resolve(issuer) else {
        return (absent(registry, context), Who::Unknown);
    };
    let who = Who::Own(registry, participant);
    // The header's `kid` is a hint within the issuer's own document and nothing else: it is never fetched, opened or looked up elsewhere.
    let kid_fits = match &copy.key {
        KeyHint::Kid(kid) => kid.strip_prefix(issuer).unwrap_or(kid).strip_prefix('#').is_some() || kid == issuer,
        KeyHint::Bytes(_) => false,
        KeyHint::None => true,
    };
    if !kid_fits {
        return (Reason::KeyUnknown, who);
    }
    let reason = match copy.algorithm {
        algorithm @ (Algorithm::Es256k | Algorithm::Es256kR) => {
            let mut reason = Reason::SignatureInvalid;
            for record in participant.accounts().iter().rev() {
                let verified =
                    context
                        .provider
                        .verify_account_digest(algorithm, &record.account, digest, &copy.signature);
                if verified.is_ok() {
                    reason = held(record.from, record.until, times, context);
                }
                // An account may have owned the DID more than once.
                if reason == Reason::SignatureOk {
                    break;
                }
            }
            reason
        }
        Algorithm::Es256 => {
            let mut reason = Reason::KeyUnknown;
            for record in participant.keys().iter().rev() {
                let Some(key) = &record.keys.p256 else { continue };
                reason = match context
                    .provider
                    .verify_digest(Algorithm::Es256, key, digest, &copy.signature)
                {
                    Ok(()) => in_time(participant, key, times, context),
                    Err(_) => Reason::SignatureInvalid,
                };
                if reason != Reason::SignatureInvalid {
                    break;
                }
            }
            reason
        }
        Algorithm::EdDsa | Algorithm::Ps256 => Reason::AlgorithmNotAllowed,
    };
    (reason, who)
}

/// An HCERT: document signers by `kid`, first the registry's, then the trust list's.
pub(super) fn of_hcert<'a>(
    copy: &Parsed,
    digest: &Digest,
    usage: Option<Usage>,
    times: Times,
    context: &Context<'a>,
) -> (Reason, Who<'a>) {
    let kid = match &copy.key {
        KeyHint::Bytes(kid) => kid.as_slice(),
        KeyHint::Kid(_) | KeyHint::None => return (Reason::KeyUnknown, Who::Unknown),
    };
    let mut best = None;
    if let Some(registry) = context.registry {
        for (participant, record) in registry.by_kid(kid) {
            let Some(key) = &record.keys.p256 else { continue };
            let reason = match verify(copy, digest, key, context) {
                Reason::SignatureOk => match registry.certificate(record) {
                    Some(certificate) => match in_time(participant, key, times, context) {
                        Reason::SignatureOk => certificate_permits(certificate, usage, times, context),
                        other => other,
                    },
                    None => Reason::KeyUnavailable,
                },
                other => other,
            };
            let found = (reason, Who::Own(registry, participant));
            match best {
                _ if reason == Reason::SignatureOk => return found,
                // Whose key verifies has signed it, and that key is not good; another who names the same may still be.
                Some((before, _)) if before != Reason::SignatureInvalid => {}
                _ => best = Some(found),
            }
        }
    }
    // What a key of the registry signed is not the trust list's to make good.
    if let Some(found) = best.filter(|(reason, _)| *reason != Reason::SignatureInvalid) {
        return found;
    }
    for signer in context.trust.into_iter().flat_map(|trust| trust.find(kid)) {
        let reason = match verify(copy, digest, &signer.certificate.public_key, context) {
            Reason::SignatureOk => certificate_permits(&signer.certificate, usage, times, context),
            other => other,
        };
        if reason != Reason::SignatureInvalid {
            return (reason, Who::Foreign(signer));
        }
        best = Some((reason, Who::Foreign(signer)));
    }
    best.unwrap_or_else(|| match (context.registry, context.trust) {
        (None, None) => (Reason::KeyUnavailable, Who::Unknown),
        (Some(registry), _) => (absent(registry, context), Who::Unknown),
        (None, Some(_)) => (Reason::KeyUnknown, Who::Unknown),
    })
}

/// What it means that a registry does not hold a key: nothing, when the registry is too old.
fn absent(registry: &Registry, context: &Context<'_>) -> Reason {
    let stale = context.now.since(registry.head().read_at) > context.policy.registry_max_age;
    if stale {
        Reason::KeyUnavailable
    } else {
        Reason::KeyUnknown
    }
}

/// With the one algorithm that goes with this kind of key in an HCERT.
fn verify(copy: &Parsed, digest: &Digest, key: &PublicKey, context: &Context<'_>) -> Reason {
    let algorithm = match key {
        PublicKey::P256(_) => Algorithm::Es256,
        PublicKey::Rsa(_) => Algorithm::Ps256,
        PublicKey::Secp256k1(_) | PublicKey::Ed25519(_) => return Reason::AlgorithmNotAllowed,
    };
    if copy.algorithm != algorithm {
        return Reason::AlgorithmNotAllowed;
    }
    match context.provider.verify_digest(algorithm, key, digest, &copy.signature) {
        Ok(()) => Reason::SignatureOk,
        Err(_) => Reason::SignatureInvalid,
    }
}

/// Whether this key of the participant counted when the copy was signed. It may stand under several versions: it held while any of them did,
/// and is revoked from the earliest time that any of them is, for whoever has the key has it under every version.
fn in_time(participant: &Participant, key: &PublicKey, times: Times, context: &Context<'_>) -> Reason {
    let versions = || {
        let keys = participant.keys().iter();
        keys.filter(|record| record.keys.p256.as_ref() == Some(key))
    };
    if let Some(from) = versions().filter_map(|record| record.revoked_from).min() {
        match times.anchored_at {
            Some(anchored_at) if anchored_at < from => {}
            Some(_) => return Reason::KeyRevoked,
            None if times.signed_at >= from => return Reason::KeyRevoked,
            None => return Reason::KeyRevokedSince,
        }
    }
    let holds = |record: &KeyRecord| held(Some(record.from), record.until, times, context) == Reason::SignatureOk;
    if versions().any(holds) {
        Reason::SignatureOk
    } else {
        Reason::KeyExpired
    }
}

/// Whether a key that held from then until then was in force when the copy was signed.
fn held(from: Option<Timestamp>, until: Option<Timestamp>, times: Times, context: &Context<'_>) -> Reason {
    let skew = context.policy.clock_skew;
    let early = from.is_some_and(|from| times.signed_at.plus(skew) < from);
    let late = until.is_some_and(|until| times.signed_at > until.plus(skew));
    if early || late {
        Reason::KeyExpired
    } else {
        Reason::SignatureOk
    }
}

/// Whether the document signer's certificate was in its time, and is one for this kind of certificate.
fn certificate_permits(
    certificate: &x509::Certificate,
    usage: Option<Usage>,
    times: Times,
    context: &Context<'_>,
) -> Reason {
    let skew = context.policy.clock_skew;
    let early = times.signed_at.plus(skew) < certificate.not_before;
    if early || times.signed_at > certificate.not_after {
        return Reason::KeyExpired;
    }
    if certificate.digital_signature == Some(false) || usage.is_some_and(|usage| !usage.permitted(certificate)) {
        return Reason::KeyUsage;
    }
    Reason::SignatureOk
}
