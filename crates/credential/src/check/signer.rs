//! Whose key signed a copy, and whether that key was good for it.

use super::{
    Context, Registry,
    registry::{KeyRecord, Participant},
    trust::{Signer, Usage},
};
use crate::{
    Format,
    format::{
        KeyHint, Parsed,
        sd_jwt_vc::{self, issuer_metadata::Key},
    },
    x509::{self, CertificateError},
};
use vidimus_core::{Algorithm, Digest, PublicKey, Timestamp, reason::Reason};

/// Who signed, as far as a trusted record says so.
#[derive(Debug, Clone)]
pub(super) enum Who<'a> {
    /// An issuer of the registry.
    Own(&'a Registry, &'a Participant),
    /// A document signer of the caller's trust list.
    Foreign(&'a Signer),
    /// An issuer with a certificate that leads to this authority of the caller's trust list, or, without one, that stands in the list itself.
    Certified(Box<Signer>, Option<&'a x509::Certificate>),
    /// An issuer whose keys the caller's trust list has under this `iss`.
    Known(&'a str, &'a [Key]),
    /// Nobody that is known.
    Unknown,
}

impl Who<'_> {
    /// Whether it is somebody whom the trust list has and the registry does not.
    pub(super) const fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign(_) | Self::Certified(..) | Self::Known(..))
    }
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
    match best {
        Some(found) if found.0 != Reason::SignatureInvalid => return found,
        other => best = other,
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

/// An SD-JWT VC: by its certificate, first the registry's, then one that an authority of the trust list certified; or by the keys that the trust
/// list has of its `iss`. Whatever the header brings is only taken for what the registry or the trust list know.
pub(super) fn of_sd_jwt_vc<'a>(
    copy: &Parsed,
    content: &sd_jwt_vc::Content,
    digest: &Digest,
    times: Times,
    context: &Context<'a>,
) -> (Reason, Who<'a>) {
    let mut refused = None;
    if let Some(der) = content.chain.first() {
        let fingerprint = context.provider.sha256(&[der]);
        let read;
        // The registry's are read already.
        let leaf = match context
            .registry
            .and_then(|registry| registry.certificate_by(&fingerprint))
        {
            Some(leaf) => leaf,
            None => match x509::Certificate::from_der(der) {
                Ok(leaf) => {
                    read = leaf;
                    &read
                }
                Err(_) => return (Reason::KeyUnknown, Who::Unknown),
            },
        };
        if let Some(found) = registered(copy, (leaf, fingerprint), digest, times, context) {
            return found;
        }
        match certified(copy, content, digest, context) {
            Some((Reason::KeyUnknown, _)) | None => {}
            Some((Reason::KeyExpired, who)) => refused = Some((Reason::KeyExpired, who)),
            Some(found) => return found,
        }
    }
    let known = content
        .issuer
        .as_deref()
        .and_then(|issuer| context.trust?.issuer(issuer));
    if let Some((issuer, keys)) = known {
        let mut reason = Reason::KeyUnknown;
        for key in named(keys, content.kid.as_deref()) {
            reason = verify(copy, digest, &key.key, context);
            if reason == Reason::SignatureOk {
                break;
            }
        }
        return (reason, Who::Known(issuer, keys));
    }
    refused.unwrap_or_else(|| match (context.registry, context.trust) {
        (None, None) => (Reason::KeyUnavailable, Who::Unknown),
        (Some(registry), _) => (absent(registry, context), Who::Unknown),
        (None, Some(_)) => (Reason::KeyUnknown, Who::Unknown),
    })
}

/// The participant that registered exactly this certificate; several may, and one whose key is good comes first.
fn registered<'a>(
    copy: &Parsed,
    (leaf, fingerprint): (&x509::Certificate, Digest),
    digest: &Digest,
    times: Times,
    context: &Context<'a>,
) -> Option<(Reason, Who<'a>)> {
    let registry = context.registry?;
    let mut best = None;
    for (participant, record) in registry.by_kid(&fingerprint.0[..8]) {
        if record.keys.certificate != Some(fingerprint) || record.keys.p256.as_ref() != Some(&leaf.public_key) {
            continue;
        }
        let reason = match verify(copy, digest, &leaf.public_key, context) {
            Reason::SignatureOk => match in_time(participant, &leaf.public_key, times, context) {
                Reason::SignatureOk => certificate_permits(leaf, None, times, context),
                other => other,
            },
            other => other,
        };
        best.get_or_insert((reason, Who::Own(registry, participant)));
        if reason == Reason::SignatureOk {
            best = Some((reason, Who::Own(registry, participant)));
        }
    }
    best
}

/// An issuer that an authority of the trust list certified, or whose certificate stands there, now.
fn certified<'a>(
    copy: &Parsed,
    content: &sd_jwt_vc::Content,
    digest: &Digest,
    context: &Context<'a>,
) -> Option<(Reason, Who<'a>)> {
    let anchors = context.trust?.anchors();
    if anchors.is_empty() {
        return None;
    }
    let (leaf, anchor, fits) = match anchors.listed(&content.chain) {
        // Who listed it said that it issues.
        Some(leaf) if !leaf.is_valid_at(context.now) => return Some((Reason::KeyExpired, Who::Unknown)),
        Some(leaf) => (leaf.clone(), None, !leaf.names_another_use()),
        None => match x509::path_to_anchor(&content.chain, &anchors.authorities, context.now, context.provider) {
            Ok((leaf, anchor)) => {
                let fits = !leaf.names_another_use() && !leaf.signs_status_lists_alone();
                (leaf, Some(anchor), fits)
            }
            Err(CertificateError::Validity) => return Some((Reason::KeyExpired, Who::Unknown)),
            Err(_) => return Some((Reason::KeyUnknown, Who::Unknown)),
        },
    };
    let reason = match verify(copy, digest, &leaf.public_key, context) {
        Reason::SignatureOk if leaf.digital_signature == Some(false) || !fits => Reason::KeyUsage,
        other => other,
    };
    let signer = Signer {
        digest: leaf.fingerprint(context.provider),
        certificate: leaf,
        country: None,
    };
    Some((reason, Who::Certified(Box::new(signer), anchor)))
}

/// The keys that a `kid` may mean.
pub(super) fn named<'a>(keys: &'a [Key], kid: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
    keys.iter().filter(move |key| match (kid, key.id.as_deref()) {
        (Some(kid), Some(id)) => kid == id,
        _ => true,
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

/// The one algorithm that goes with this kind of key, among those that issuers by certificate and their signers of lists use.
pub(super) const fn algorithm_of(key: &PublicKey) -> Option<Algorithm> {
    match key {
        PublicKey::P256(_) => Some(Algorithm::Es256),
        PublicKey::Rsa(_) => Some(Algorithm::Ps256),
        PublicKey::Ed25519(_) => Some(Algorithm::EdDsa),
        PublicKey::Secp256k1(_) => None,
    }
}

/// With the one algorithm that goes with this kind of key.
fn verify(copy: &Parsed, digest: &Digest, key: &PublicKey, context: &Context<'_>) -> Reason {
    let algorithm = match algorithm_of(key) {
        Some(Algorithm::EdDsa) if copy.format != Format::SdJwtVc => return Reason::AlgorithmNotAllowed,
        Some(algorithm) if copy.algorithm == algorithm => algorithm,
        _ => return Reason::AlgorithmNotAllowed,
    };
    let verified = match algorithm {
        // Signs messages and no digests of them.
        Algorithm::EdDsa => context.provider.verify(algorithm, key, &copy.message, &copy.signature),
        _ => context.provider.verify_digest(algorithm, key, digest, &copy.signature),
    };
    match verified {
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
