//! Foreign issuers that a caller trusts: document signers of HCERTs, as a national or EU trust list holds them, and issuers of SD-JWT VCs, by who
//! certifies them or by their keys; and who signs status lists of theirs.

mod vidimus;

use super::ForeignList;
use crate::{format::sd_jwt_vc::issuer_metadata::Key, x509};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};
use vidimus_core::{Digest, Provider, Timestamp, encoding};

/// The most bytes a trust list may have; the EU's holds some thousand certificates of a kilobyte each.
pub const MAX_TRUST_LIST: usize = 16 << 20;

/// The most certificates under one `kid`. Eight bytes can collide by chance, not that often: more is somebody who wants each of them tried.
const MOST_OF_A_KID: usize = 16;

/// A document signer of somebody else.
#[derive(Debug, Clone)]
pub struct Signer {
    /// Its certificate.
    pub certificate: x509::Certificate,
    /// SHA-256 of the certificate's DER.
    pub digest: Digest,
    /// ISO 3166-1 alpha-2 code of the country that the list puts it under, or that its certificate names.
    pub country: Option<String>,
}

/// Certificates that are trusted in one role.
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors {
    /// Authorities: whoever they certify for it is trusted.
    pub authorities: Vec<x509::Certificate>,
    /// Those who sign themselves; they certify nobody.
    pub signers: Vec<x509::Certificate>,
}

impl TrustAnchors {
    /// Trusts this certificate: as an authority where it is one, else for what it signs itself.
    pub fn add(&mut self, certificate: x509::Certificate) {
        if certificate.is_authority {
            self.authorities.push(certificate);
        } else {
            self.signers.push(certificate);
        }
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.signers.is_empty()
    }
    /// The listed signer that is the leaf of an `x5c`.
    pub fn listed(&self, x5c: &[Vec<u8>]) -> Option<&x509::Certificate> {
        let leaf = x5c.first()?;
        self.signers.iter().find(|signer| signer.der() == leaf)
    }
    fn len(&self) -> usize {
        self.authorities.len() + self.signers.len()
    }
}

/// Document signers by `kid`; authorities over issuers of SD-JWT VCs, and keys of such issuers by their `iss`; signers of status lists, and the lists
/// that were fetched.
///
/// The list gives trust as it stands: who fetched it verified its own signature, or chose to trust its source.
#[derive(Debug, Clone)]
pub struct TrustList {
    read_at: Timestamp,
    signers: HashMap<Vec<u8>, Vec<Signer>>,
    count: usize,
    anchors: TrustAnchors,
    issuers: HashMap<String, Vec<Key>>,
    status: TrustAnchors,
    status_keys: Vec<Key>,
    status_lists: HashMap<String, Option<Arc<ForeignList>>>,
}

/// Why a trust list is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustListError {
    /// Larger than [`MAX_TRUST_LIST`].
    #[error("the trust list is larger than {MAX_TRUST_LIST} bytes")]
    TooLarge,
    /// Not one of the forms that [`TrustList::parse`] reads.
    #[error("not a trust list: expected PEM, or JSON with X.509 certificates in base64")]
    Malformed,
    /// `sd_jwt_vc` or `status_signers` has a member that does not read, or too many.
    #[error("the trust list's member {0} does not read")]
    Member(&'static str),
    /// It reads, but holds no certificate that can be used.
    #[error("the trust list holds no certificate that can be used")]
    Empty,
}

impl TrustList {
    /// A list without entries, known at `read_at`.
    pub fn new(read_at: Timestamp) -> Self {
        Self {
            read_at,
            signers: HashMap::new(),
            count: 0,
            anchors: TrustAnchors::default(),
            issuers: HashMap::new(),
            status: TrustAnchors::default(),
            status_keys: Vec::new(),
            status_lists: HashMap::new(),
        }
    }

    /// Trusts whoever this authority certifies to issue SD-JWT VCs (`x5c`); one that is no authority issues itself.
    pub fn add_authority(&mut self, authority: x509::Certificate) {
        self.anchors.add(authority);
    }

    /// Trusts these keys to sign SD-JWT VCs of the issuer whose `iss` this is, as its metadata have them
    /// ([`issuer_metadata`](crate::format::sd_jwt_vc::issuer_metadata)). What was known of it before is forgotten.
    pub fn add_issuer(&mut self, issuer: impl Into<String>, keys: Vec<Key>) {
        self.issuers.insert(issuer.into(), keys);
    }

    /// Trusts this certificate with status lists of all foreign issuers: whoever it certifies for signing them, or, where it is no authority, itself. An
    /// issuer's own lists need none ([`ForeignList`]).
    pub fn add_status_signer(&mut self, certificate: x509::Certificate) {
        self.status.add(certificate);
    }

    /// Trusts these keys with status lists of all foreign issuers.
    pub fn add_status_keys(&mut self, keys: Vec<Key>) {
        self.status_keys.extend(keys);
    }

    /// Trusts whom another list trusts with status lists.
    pub fn add_status_signers_of(&mut self, other: &Self) {
        self.status.authorities.extend_from_slice(&other.status.authorities);
        self.status.signers.extend_from_slice(&other.status.signers);
        self.status_keys.extend_from_slice(&other.status_keys);
    }

    /// Has what was fetched at `uri` at hand; `None`: what came is no status list. Whether it counts is judged by each check.
    pub fn add_status_list(&mut self, uri: impl Into<String>, list: Option<Arc<ForeignList>>) {
        let signed = |list: &Option<Arc<ForeignList>>| list.as_ref().map(|list| list.issued_at());
        let kept = self.status_lists.entry(uri.into()).or_default();
        if signed(&list) >= signed(kept) {
            *kept = list;
        }
    }

    /// Takes this list in place of one that may be newer.
    pub fn put_status_list(&mut self, uri: impl Into<String>, list: Arc<ForeignList>) {
        self.status_lists.insert(uri.into(), Some(list));
    }

    /// The authorities over issuers of SD-JWT VCs, and issuers by certificate.
    pub fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// Who signs status lists of foreign issuers, by certificate.
    pub fn status_signers(&self) -> &TrustAnchors {
        &self.status
    }

    /// Who signs status lists of foreign issuers, by key.
    pub fn status_keys(&self) -> &[Key] {
        &self.status_keys
    }

    /// What is at hand of this status list: nothing, something that is none, or the list.
    pub fn status_list(&self, uri: &str) -> Option<Option<&ForeignList>> {
        self.status_lists.get(uri).map(Option::as_deref)
    }

    /// The trusted keys of the issuer with this `iss`, and its name as it is kept here.
    pub fn issuer(&self, issuer: &str) -> Option<(&str, &[Key])> {
        let (name, keys) = self.issuers.get_key_value(issuer)?;
        Some((name, keys))
    }

    /// Whether any issuer of SD-JWT VCs is trusted.
    pub fn has_issuers(&self) -> bool {
        !self.anchors.is_empty() || !self.issuers.is_empty()
    }

    /// Takes in a certificate under the `kid` that the HCERT specification gives it, the first 8 bytes of SHA-256 of its DER, and under `kid` if the
    /// list names another. `false` when it does not read.
    pub fn add(&mut self, der: &[u8], kid: Option<&[u8]>, country: Option<&str>, provider: &dyn Provider) -> bool {
        let Ok(certificate) = x509::Certificate::from_der(der) else {
            return false;
        };
        let digest = provider.sha256(&[der]);
        let own = &digest.0[..8];
        let signer = Signer {
            certificate,
            digest,
            country: country.map(str::to_owned),
        };
        for kid in [Some(own), kid.filter(|kid| *kid != own)].into_iter().flatten() {
            let signers = self.signers.entry(kid.to_vec()).or_default();
            if signers.len() < MOST_OF_A_KID && signers.iter().all(|known| known.digest != digest) {
                signers.push(signer.clone());
            }
        }
        self.count += 1;
        true
    }

    /// Reads a trust list in any of the forms in use: PEM; a JSON array of base64 DER, or of `{kid, rawData, country, …}` as the EU gateway
    /// gives them; `{"certificates": […]}` as several national backends wrap it; `{"dsc_trust_list": {"AT": {"keys": [{"kid", "x5c"}]}}}` or a
    /// plain JWK set with `x5c`. Entries that are not document signers, or do not read, are left out.
    ///
    /// An object may say beside them who issues SD-JWT VCs and who signs status lists of such issuers. That form is ours, and read strictly:
    /// ```json
    /// { "sd_jwt_vc": { "authorities": ["MII…"], "issuers": [{ "issuer": "https://…", "jwks": { "keys": [] } }] },
    ///   "status_signers": { "certificates": ["MII…"], "jwks": { "keys": [] } } }
    /// ```
    pub fn parse(bytes: &[u8], read_at: Timestamp, provider: &dyn Provider) -> Result<Self, TrustListError> {
        if bytes.len() > MAX_TRUST_LIST {
            return Err(TrustListError::TooLarge);
        }
        let mut list = Self::new(read_at);
        let text = std::str::from_utf8(bytes)
            .map_err(|_| TrustListError::Malformed)?
            .trim();
        if text.contains("-----BEGIN CERTIFICATE-----") {
            for block in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
                let body = block.split("-----END CERTIFICATE-----").next().unwrap_or_default();
                list.add_base64(body, None, None, provider);
            }
        } else {
            let mut value: Value = serde_json::from_str(text).map_err(|_| TrustListError::Malformed)?;
            vidimus::take(&mut value, &mut list)?;
            list.read(&value, None, provider, 0);
        }
        if list.is_empty() {
            Err(TrustListError::Empty)
        } else {
            Ok(list)
        }
    }

    /// When the list was fetched.
    pub fn read_at(&self) -> Timestamp {
        self.read_at
    }
    /// Number of issuers taken in: document signers, and authorities and issuers of SD-JWT VCs.
    pub fn len(&self) -> usize {
        self.count + self.anchors.len() + self.issuers.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Signers under a `kid`. Eight bytes can collide: each has to be tried.
    pub fn find(&self, kid: &[u8]) -> &[Signer] {
        self.signers.get(kid).map_or(&[], Vec::as_slice)
    }

    fn add_base64(&mut self, text: &str, kid: Option<&[u8]>, country: Option<&str>, provider: &dyn Provider) {
        let text: String = text.split_ascii_whitespace().collect();
        if let Ok(der) = encoding::from_base64(&text) {
            self.add(&der, kid, country, provider);
        }
    }

    fn read(&mut self, value: &Value, country: Option<&str>, provider: &dyn Provider, depth: u8) {
        if depth > 5 {
            return;
        }
        match value {
            Value::String(text) => self.add_base64(text, None, country, provider),
            Value::Array(entries) => {
                for entry in entries {
                    self.read(entry, country, provider, depth + 1);
                }
            }
            Value::Object(entry) => {
                let text = |name: &str| entry.get(name).and_then(Value::as_str);
                if text("certificateType").is_some_and(|kind| kind != "DSC") {
                    return;
                }
                let kid = text("kid").and_then(read_kid);
                let country = text("country").or(country);
                let chain = entry
                    .get("x5c")
                    .and_then(Value::as_array)
                    .and_then(|chain| chain.first());
                let der = text("rawData").or_else(|| chain.and_then(Value::as_str));
                if let Some(der) = der {
                    self.add_base64(der, kid.as_deref(), country, provider);
                    return;
                }
                for (name, inner) in entry {
                    let country = if is_country(name) { Some(name.as_str()) } else { country };
                    if inner.is_array() || inner.is_object() {
                        self.read(inner, country, provider, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_country(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|b| b.is_ascii_uppercase())
}

/// Lists write a `kid` in base64, in its URL form, with and without padding.
fn read_kid(text: &str) -> Option<Vec<u8>> {
    let plain: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    encoding::from_base64url(&plain).ok()
}

/// What a document signer may sign: the EU's extended key usages (Annex IV, 1.3.6.1.4.1.1847.2021.1.x), and the arc with a zero too many that
/// the first certificates carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Test certificates (`…1`).
    Test,
    /// Vaccination certificates (`…2`).
    Vaccination,
    /// Recovery certificates (`…3`).
    Recovery,
}

impl Usage {
    const fn oids(self) -> [&'static str; 2] {
        match self {
            Self::Test => x509::usage::TEST,
            Self::Vaccination => x509::usage::VACCINATION,
            Self::Recovery => x509::usage::RECOVERY,
        }
    }

    /// Whether a document signer with these extended key usages may sign this. One that names none of the three may sign all of them.
    pub fn permitted(self, certificate: &x509::Certificate) -> bool {
        let names = |usage: Self| {
            certificate
                .extended_key_usage
                .iter()
                .any(|oid| usage.oids().contains(&oid.as_str()))
        };
        names(self) || ![Self::Test, Self::Vaccination, Self::Recovery].into_iter().any(names)
    }

    /// Which of the three a DCC payload needs: by its member `t`, `v` or `r`.
    pub fn of_payload(payload: &Value) -> Option<Self> {
        let has = |name: &str| {
            payload
                .get(name)
                .and_then(Value::as_array)
                .is_some_and(|entries| !entries.is_empty())
        };
        match (has("t"), has("v"), has("r")) {
            (true, false, false) => Some(Self::Test),
            (false, true, false) => Some(Self::Vaccination),
            (false, false, true) => Some(Self::Recovery),
            _ => None,
        }
    }
}
