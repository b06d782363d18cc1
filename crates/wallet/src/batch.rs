//! Certificates from issuers by OpenID4VCI: copies of one certificate, each bound to a key of its own.
//!
//! Copies say the same and cannot be linked to each other, except by who sees one of them twice. So a copy is shown to one verifier, as long as
//! there are unused ones. That is also what stands in for an identifier of the holder: where a presentation has to name one (`jwt_vc_json`), it is
//! the key of the copy, and a verifier meets the same copy, and so the same name, again, and no other verifier does.

use crate::{
    Held, PrivateKey, WalletError,
    issuer::{self, IssuerKeys, SignedBy, Source},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Algorithm, Commitment, Digest, Provider, PublicKey, Receipt, Salt, Timestamp, encoding};
use vidimus_credential::{
    check::Envelope,
    format::sd_jwt_vc,
    jws::Jws,
    sd_jwt::{SdJwt, key_binding},
    x509::Certificate,
};

/// The longest copy that is kept.
pub const MAX_COPY: usize = 256 << 10;
/// The most certificates of this kind that are kept.
pub const MAX_BATCHES: usize = 1_000;
/// Certificates that were received under the holder's own DID ([`Wallet::held`](crate::Wallet::held)) answer requests too: their numbers there are counted from here.
pub const RECEIVED: u32 = 1 << 31;

/// The number among those that were received, where it is one of these.
pub(crate) fn received(number: u32) -> Option<usize> {
    number
        .checked_sub(RECEIVED)
        .and_then(|number| usize::try_from(number).ok())
}

/// How it is written, by the identifiers that wallets and verifiers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// SD-JWT VC.
    #[serde(rename = "dc+sd-jwt")]
    SdJwtVc,
    /// W3C Verifiable Credential as a JWT.
    #[serde(rename = "jwt_vc_json")]
    JwtVcJson,
}

impl Form {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SdJwtVc => "dc+sd-jwt",
            Self::JwtVcJson => "jwt_vc_json",
        }
    }
}

/// What an issuance says of the copies that it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The Credential Issuer Identifier.
    pub issuer: String,
    /// What the issuer calls itself.
    pub issuer_name: Option<String>,
    /// The credential configuration.
    pub configuration: String,
    /// What the issuer calls this kind of certificate.
    pub title: Option<String>,
}

/// Where a certificate stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Validity {
    /// From this time on.
    NotYet {
        /// When it begins.
        from: Timestamp,
    },
    /// It is valid, until it is told otherwise.
    Valid,
    /// It is valid; this many whole days are left.
    Until {
        /// Its last second.
        until: Timestamp,
        /// Whole days from now to then.
        days: i64,
    },
    /// It was valid until then.
    Expired {
        /// Its last second.
        until: Timestamp,
    },
}

impl Validity {
    /// Whether it may be shown.
    pub const fn is_valid(self) -> bool {
        matches!(self, Self::Valid | Self::Until { .. })
    }
    pub(crate) fn at(now: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        match (from, until) {
            (_, Some(until)) if until < now => Self::Expired { until },
            (Some(from), _) if from > now => Self::NotYet { from },
            (_, Some(until)) => Self::Until {
                until,
                days: until.since(now) / 86_400,
            },
            _ => Self::Valid,
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet { from } => write!(f, "not valid before {from}"),
            Self::Valid => f.write_str("valid"),
            Self::Until { days: 0, .. } => f.write_str("expires within a day"),
            Self::Until { days: 1, .. } => f.write_str("expires in a day"),
            Self::Until { days, .. } => write!(f, "expires in {days} days"),
            Self::Expired { until } => write!(f, "expired on {until}"),
        }
    }
}

/// One copy, its key, and whom it was shown to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    envelope: Envelope,
    key: PrivateKey,
    digest: Digest,
    /// Digests of the verifiers that saw it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shown_to: Vec<Digest>,
}

impl Copy {
    /// The copy with its salt, receipt and counter-signature, as far as they are there.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
    /// The key in it: P-256.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
    /// SHA-256 of the issuer-signed bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// Whether nobody has seen it.
    pub fn is_unused(&self) -> bool {
        self.shown_to.is_empty()
    }
    fn was_shown_to(&self, verifier: &Digest) -> bool {
        self.shown_to.contains(verifier)
    }
    fn is_only_of(&self, verifier: &Digest) -> bool {
        self.shown_to.as_slice() == std::slice::from_ref(verifier)
    }
}

/// The copies of one certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    id: u32,
    form: Form,
    /// `vct`, or the types.
    types: Vec<String>,
    issuer: String,
    #[serde(default)]
    signed_by: SignedBy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer_name: Option<String>,
    configuration: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid_until: Option<Timestamp>,
    copies: Vec<Copy>,
}

/// Which copy is shown next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Its place.
    pub copy: usize,
    /// Whether another verifier has seen it: the two can tell that it is one holder.
    pub linkable: bool,
}

impl Batch {
    pub(crate) fn new(
        id: u32,
        origin: &Origin,
        signed_by: SignedBy,
        copies: Vec<(String, Read, PrivateKey)>,
        now: Timestamp,
    ) -> Result<Self, WalletError> {
        let (_, first, _) = copies.first().ok_or(WalletError::NoCopies)?;
        let Read {
            form,
            types,
            valid_from,
            valid_until,
            ..
        } = first.clone();
        if copies
            .iter()
            .any(|(_, read, _)| read.form != form || read.types != types)
        {
            return Err(WalletError::Mixed);
        }
        let copies = copies.into_iter().map(|(text, read, key)| Copy {
            envelope: Envelope::new(text),
            key,
            digest: read.digest,
            shown_to: Vec::new(),
        });
        Ok(Self {
            id,
            form,
            types,
            issuer: origin.issuer.clone(),
            signed_by,
            issuer_name: origin.issuer_name.clone(),
            configuration: origin.configuration.clone(),
            title: origin.title.clone(),
            received_at: now,
            valid_from,
            valid_until,
            copies: copies.collect(),
        })
    }

    /// What was received under the holder's DID, as far as it can answer a request: one copy, whose key is the account's. Nobody vouches for it here.
    pub(crate) fn of_held(number: usize, held: &Held, account: &PrivateKey, read: &Read) -> Option<Self> {
        let copy = Copy {
            envelope: held.envelope().clone(),
            key: account.clone(),
            digest: held.digest(),
            shown_to: Vec::new(),
        };
        Some(Self {
            id: u32::try_from(number).ok()?.checked_add(RECEIVED)?,
            form: read.form,
            types: read.types.clone(),
            issuer: held.issuer().to_owned(),
            signed_by: SignedBy::default(),
            issuer_name: None,
            configuration: String::new(),
            title: Some(held.category().to_owned()),
            received_at: held.received_at(),
            valid_from: read.valid_from,
            valid_until: read.valid_until,
            copies: vec![copy],
        })
    }

    /// Its number; it keeps it.
    pub fn id(&self) -> u32 {
        self.id
    }
    /// How it is written.
    pub fn form(&self) -> Form {
        self.form
    }
    /// `vct`, or the types.
    pub fn types(&self) -> &[String] {
        &self.types
    }
    /// The Credential Issuer Identifier it came from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
    /// What the issuer calls itself. Its own word.
    pub fn issuer_name(&self) -> Option<&str> {
        self.issuer_name.as_deref()
    }
    /// The credential configuration, by which new copies are asked for.
    pub fn configuration(&self) -> &str {
        &self.configuration
    }
    /// What it is called: by the issuer, or by its type.
    pub fn title(&self) -> &str {
        let kind = || self.types.last().map_or("certificate", String::as_str);
        self.title.as_deref().unwrap_or_else(kind)
    }
    /// Whose signature its copies were verified to have.
    pub fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }
    /// When it came in.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }
    /// Where it stands in time.
    pub fn validity(&self, now: Timestamp) -> Validity {
        Validity::at(now, self.valid_from, self.valid_until)
    }
    /// Until when it is valid, if it says so.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }
    /// The copies.
    pub fn copies(&self) -> &[Copy] {
        &self.copies
    }
    /// How many copies nobody has seen. At 0, new ones keep verifiers from comparing.
    pub fn unused(&self) -> usize {
        self.copies.iter().filter(|copy| copy.is_unused()).count()
    }

    /// The copy that this verifier sees next. An unused one first, where copies name their holder by a key (`dc+sd-jwt`) anew for each presentation;
    /// where the presentation names its holder, the one that this verifier knows. Then one that no other verifier knows; then any.
    pub fn next(&self, verifier: &Digest) -> Next {
        let find = |fits: &dyn Fn(&Copy) -> bool| self.copies.iter().position(fits);
        let unused = || find(&Copy::is_unused);
        let known = || find(&|copy| copy.is_only_of(verifier));
        let alone = match self.form {
            Form::SdJwtVc => unused().or_else(known),
            Form::JwtVcJson => known().or_else(unused),
        };
        match alone {
            Some(copy) => Next { copy, linkable: false },
            None => {
                let least = (0..self.copies.len()).min_by_key(|at| self.copies[*at].shown_to.len());
                Next {
                    copy: least.unwrap_or_default(),
                    linkable: true,
                }
            }
        }
    }

    pub(crate) fn mark(&mut self, copy: usize, verifier: Digest) {
        if let Some(copy) = self.copies.get_mut(copy)
            && !copy.was_shown_to(&verifier)
        {
            copy.shown_to.push(verifier);
        }
    }

    /// Keeps what leads from a copy to its anchor, if it does.
    pub fn add_evidence(
        &mut self,
        digest: &Digest,
        salt: Salt,
        receipt: Receipt,
        provider: &dyn Provider,
    ) -> Result<(), WalletError> {
        let copy = self.copies.iter_mut().find(|copy| copy.digest == *digest);
        let copy = copy.ok_or(WalletError::Receipt)?;
        let commitment = Commitment::derive(provider, &salt, digest);
        receipt
            .verify(provider, &commitment)
            .map_err(|_| WalletError::Receipt)?;
        copy.envelope.salt = Some(salt);
        copy.envelope.receipt = Some(receipt);
        Ok(())
    }

    pub(crate) fn set_counter_signature(&mut self, copy: usize, text: String) {
        if let Some(copy) = self.copies.get_mut(copy) {
            copy.envelope.counter_signature = Some(text);
        }
    }
}

/// What is read of a copy when it comes, and again when it is shown.
#[derive(Clone)]
pub(crate) struct Read {
    pub(crate) form: Form,
    pub(crate) types: Vec<String>,
    /// Everything it says, disclosures in their places: where claims paths begin.
    pub(crate) claims: Value,
    /// Authority key identifiers of the issuer's chain, which is not verified here.
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) holder: Option<PublicKey>,
    pub(crate) digest: Digest,
    pub(crate) valid_from: Option<Timestamp>,
    pub(crate) valid_until: Option<Timestamp>,
}

impl Read {
    /// Reads a copy that comes in, and verifies its signature: with the certificate that it brings in `x5c`, or with one of the keys that were found for
    /// its issuer. Whether that key is anybody's to trust is another question ([`Wallet::vouches_for`](crate::Wallet::vouches_for)).
    pub(crate) fn verified(
        text: &str,
        found: &[IssuerKeys],
        provider: &dyn Provider,
    ) -> Result<(Self, SignedBy), WalletError> {
        let read = Self::copy(text, provider)?;
        let source = Source::of(text)?;
        if source == Source::Certificate {
            return Ok((read, SignedBy::default()));
        }
        let signed = text.split('~').next().unwrap_or_default();
        let jws = Jws::parse(signed, MAX_COPY).map_err(|_| WalletError::Unreadable)?;
        let by = issuer::verify(&jws, &source, found, provider)?;
        Ok((read, by))
    }

    /// Reads a copy. A signature that it brings the key for in `x5c` must verify.
    pub(crate) fn copy(text: &str, provider: &dyn Provider) -> Result<Self, WalletError> {
        if text.len() > MAX_COPY {
            return Err(WalletError::Unreadable);
        }
        if text.contains('~') {
            Self::sd_jwt(text, provider)
        } else {
            Self::vc_jwt(text, provider)
        }
    }

    fn sd_jwt(text: &str, provider: &dyn Provider) -> Result<Self, WalletError> {
        let unreadable = |_| WalletError::Unreadable;
        let parsed = sd_jwt_vc::parse(text).map_err(WalletError::Format)?;
        let read = SdJwt::parse(text).map_err(unreadable)?;
        // Nobody but the holder binds a copy.
        if read.bound().is_some() {
            return Err(WalletError::Unreadable);
        }
        let vidimus_credential::format::Content::SdJwtVc(content) = &parsed.content else {
            return Err(WalletError::Unreadable);
        };
        content.show(provider).map_err(WalletError::Format)?;
        let claims = read.process(provider).map_err(unreadable)?.claims;
        let jws = read.jws();
        Ok(Self {
            form: Form::SdJwtVc,
            types: vec![content.vct.clone()],
            authorities: signer(jws, provider)?,
            holder: key_binding::holder_key(&claims).ok(),
            digest: provider.sha256(&[jws.message()]),
            valid_from: content.valid_from,
            valid_until: content.valid_until,
            claims: claims.into(),
        })
    }

    fn vc_jwt(text: &str, provider: &dyn Provider) -> Result<Self, WalletError> {
        let jws = Jws::parse(text, MAX_COPY).map_err(|_| WalletError::Unreadable)?;
        let mut payload = jws.claims().map_err(|_| WalletError::Unreadable)?;
        let date = |name: &str| match payload.get(name) {
            None => Ok(None),
            Some(value) => numeric_date(value).map(Some).ok_or(WalletError::Unreadable),
        };
        let (valid_from, valid_until) = (date("nbf")?, date("exp")?);
        let of_sub = payload.get("sub").and_then(Value::as_str).and_then(did_key);
        let holder = of_sub.or_else(|| key_binding::holder_key(&payload).ok());
        // In the data model's version 1.1 the credential stands in a claim of its own.
        let credential = match payload.shift_remove("vc") {
            Some(Value::Object(credential)) => credential,
            Some(_) => return Err(WalletError::Unreadable),
            None => payload,
        };
        Ok(Self {
            form: Form::JwtVcJson,
            types: types(&credential).ok_or(WalletError::Unreadable)?,
            authorities: signer(&jws, provider)?,
            holder,
            digest: provider.sha256(&[jws.message()]),
            valid_from,
            valid_until,
            claims: credential.into(),
        })
    }
}

/// Verifies with the certificate in `x5c`, where there is one. The authorities that its chain names.
fn signer(jws: &Jws<'_>, provider: &dyn Provider) -> Result<Vec<Vec<u8>>, WalletError> {
    let header = jws.header();
    let chain = header.x5c.iter().map(|der| Certificate::from_der(der));
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|_| WalletError::Unreadable)?;
    if let Some(leaf) = chain.first() {
        let (algorithm, key): (Algorithm, &PublicKey) = (header.algorithm, &leaf.public_key);
        let fits = key.fits(algorithm);
        let verified = fits && provider.verify(algorithm, key, jws.message(), jws.signature()).is_ok();
        if !verified {
            return Err(WalletError::IssuerSignature);
        }
    }
    Ok(chain.into_iter().filter_map(|one| one.authority_key_id).collect())
}

/// The types as a query names them: as they stand there, and, for the terms of the contexts that are known here, as IRIs.
fn types(credential: &Map<String, Value>) -> Option<Vec<String>> {
    const BASE: [&str; 2] = [
        "https://www.w3.org/2018/credentials/v1",
        "https://www.w3.org/ns/credentials/v2",
    ];
    let texts = |value: &Value| -> Option<Vec<String>> {
        match value {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(list) if list.len() <= 32 => list.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    };
    let names = texts(credential.get("type")?)?;
    let contexts: Vec<&str> = match credential.get("@context") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    let mut all = names.clone();
    for name in &names {
        if name == "VerifiableCredential" && contexts.iter().any(|context| BASE.contains(context)) {
            all.push("https://www.w3.org/2018/credentials#VerifiableCredential".to_owned());
        }
        if name == "VidimusCertificate" {
            let ours = contexts
                .iter()
                .filter(|context| context.ends_with("/contexts/certificate/v1"));
            all.extend(ours.map(|context| format!("{context}#{name}")));
        }
    }
    Some(all)
}

/// A NumericDate (RFC 7519 §2), its fraction cut off.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    const LATEST: f64 = 253_402_300_799.0;
    let seconds = value.as_f64().filter(|seconds| (0.0..=LATEST).contains(seconds))?;
    #[allow(clippy::cast_possible_truncation, reason = "within the years up to 9999")]
    Some(Timestamp(seconds as i64))
}

/// The key that a `did:jwk` is.
pub(crate) fn did_key(did: &str) -> Option<PublicKey> {
    let text = did.split('#').next()?.strip_prefix("did:jwk:")?;
    let bytes = encoding::from_base64url(text)
        .ok()
        .filter(|bytes| bytes.len() <= 1024)?;
    let jwk = vidimus_credential::json::parse(&bytes, 1024).ok()?;
    if jwk.get("d").is_some() {
        return None;
    }
    PublicKey::from_jwk(&jwk)
}
