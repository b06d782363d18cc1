//! Whom the operator trusts beside this deployment's own participants: certificates and JWK sets in a directory, one for each role, read again
//! when they change.
//!
//! Whoever can write there decides whose wallets, issuers and verifiers are believed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use vidimus_core::{PublicKey, Timestamp};
use vidimus_credential::{check::TrustList, format::sd_jwt_vc::issuer_metadata::Key, json, x509::Certificate};

/// The largest file that is read.
const MAX_FILE: u64 = 4 << 20;
/// The most files of one role.
const MAX_FILES: usize = 1_000;
/// How long what was read is taken without looking again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What somebody is trusted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Attests wallets and their keys.
    Attester,
    /// Says who people are.
    Identity,
    /// Issues certificates of other deployments.
    Issuer,
    /// Signs status lists of other deployments and issuers.
    Status,
    /// Asks for presentations. A server asks none of others; wallets do.
    Verifier,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Attester,
        Self::Identity,
        Self::Issuer,
        Self::Status,
        Self::Verifier,
    ];

    /// Its directory.
    pub const fn directory(self) -> &'static str {
        match self {
            Self::Attester => "attesters",
            Self::Identity => "identity",
            Self::Issuer => "issuers",
            Self::Status => "status",
            Self::Verifier => "verifiers",
        }
    }
}

/// Who is trusted in one role.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    /// Certificates: trust anchors, or the signers themselves.
    pub certificates: Vec<Certificate>,
    /// Keys, each with its `kid` and whose it is.
    pub keys: Vec<TrustedKey>,
}

impl Anchors {
    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.keys.is_empty()
    }
}

/// A key that is trusted as such.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// Whose: the `issuer` that the file names, or the file's name without ending.
    pub owner: String,
    /// Its `kid`.
    pub kid: Option<String>,
    /// The key.
    pub key: PublicKey,
}

impl TrustedKey {
    fn as_key(&self) -> Key {
        Key {
            id: self.kid.clone(),
            key: self.key.clone(),
        }
    }
}

/// Why a file is not used. It names the file and no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not used until it is mended: {cause}")]
pub struct TrustError {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// The directory, and what was last read of it.
#[derive(Debug)]
pub struct Trusted {
    directory: Option<PathBuf>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    looked_at: Option<Timestamp>,
    state: Vec<(PathBuf, u64, Option<std::time::SystemTime>)>,
    anchors: [Arc<Anchors>; 5],
}

impl Trusted {
    /// For a directory, or none. Nothing is read before it is asked for.
    pub fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            kept: Mutex::default(),
        }
    }

    /// Who is trusted in a role now. A file that cannot be read or used is left out, and said in the log once each time it changes.
    pub fn anchors(&self, role: Role, now: Timestamp) -> Arc<Anchors> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = &self.directory {
            let wait = i64::try_from(LOOK_AGAIN.as_secs()).expect("seconds");
            if kept.looked_at.is_none_or(|at| now.since(at).abs() >= wait) {
                kept.look(directory, now);
            }
        }
        kept.anchors[role as usize].clone()
    }

    /// Issuers of others whose SD-JWT VCs are believed, and who signs status lists of theirs: by certificate and by key. None where there are none.
    pub fn list(&self, now: Timestamp) -> Option<TrustList> {
        let (issuers, status) = (self.anchors(Role::Issuer, now), self.anchors(Role::Status, now));
        if issuers.is_empty() && status.is_empty() {
            return None;
        }
        let mut list = TrustList::new(now);
        add_to(&mut list, &issuers, &status);
        Some(list)
    }

    /// Whom a directory has in a role, once. A file that cannot be used is an error here.
    pub fn role(directory: &Path, role: Role) -> Result<Anchors, TrustError> {
        let mut anchors = Anchors::default();
        for (path, size, _) in files(&directory.join(role.directory())) {
            read(&path, size, &mut anchors)?;
        }
        Ok(anchors)
    }

    /// Adds whom a directory has to a list, once. A file that cannot be used is an error here, and so is a directory without issuers.
    pub fn add_all(directory: &Path, list: &mut TrustList) -> Result<(), TrustError> {
        let (issuers, status) = (
            Self::role(directory, Role::Issuer)?,
            Self::role(directory, Role::Status)?,
        );
        if issuers.is_empty() && status.is_empty() {
            return Err(TrustError {
                path: directory.display().to_string(),
                cause: "it has nobody: certificates and JWK sets belong into `issuers` and `status` in it",
            });
        }
        add_to(list, &issuers, &status);
        Ok(())
    }
}

fn add_to(list: &mut TrustList, issuers: &Anchors, status: &Anchors) {
    for certificate in &issuers.certificates {
        list.add_authority(certificate.clone());
    }
    let mut keys: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
    for trusted in &issuers.keys {
        keys.entry(&trusted.owner).or_default().push(trusted.as_key());
    }
    for (issuer, keys) in keys {
        list.add_issuer(issuer, keys);
    }
    for certificate in &status.certificates {
        list.add_status_signer(certificate.clone());
    }
    list.add_status_keys(status.keys.iter().map(TrustedKey::as_key).collect());
}

impl Kept {
    fn look(&mut self, directory: &Path, now: Timestamp) {
        self.looked_at = Some(now);
        let state: Vec<_> = Role::ALL
            .iter()
            .flat_map(|role| files(&directory.join(role.directory())))
            .collect();
        if state == self.state {
            return;
        }
        for role in Role::ALL {
            let mut anchors = Anchors::default();
            let own = directory.join(role.directory());
            for (path, size, _) in state.iter().filter(|(path, ..)| path.starts_with(&own)) {
                if let Err(error) = read(path, *size, &mut anchors) {
                    tracing::warn!(role = role.directory(), %error, "a file of the trust directory is not used");
                }
            }
            self.anchors[role as usize] = Arc::new(anchors);
        }
        self.state = state;
    }
}

/// The files of a role, in the order of their names.
fn files(directory: &Path) -> Vec<(PathBuf, u64, Option<std::time::SystemTime>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        // Links are followed: a mounted secret is one.
        let Ok(metadata) = std::fs::metadata(entry.path()) else {
            continue;
        };
        if !hidden && metadata.is_file() && found.len() < MAX_FILES {
            found.push((entry.path(), metadata.len(), metadata.modified().ok()));
        }
    }
    found.sort();
    found
}

fn read(path: &Path, size: u64, anchors: &mut Anchors) -> Result<(), TrustError> {
    let failed = |cause| TrustError {
        path: path.display().to_string(),
        cause,
    };
    if size > MAX_FILE {
        return Err(failed("it is larger than 4 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|_| failed("it cannot be read"))?;
    if bytes.first() == Some(&b'{') {
        let owner = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        anchors.keys.extend(keys(&bytes, &owner).map_err(failed)?);
        return Ok(());
    }
    let certificates = certificates(&bytes).map_err(failed)?;
    anchors.certificates.extend(certificates);
    Ok(())
}

/// The keys of a JWK set (RFC 7517 §5), which may stand with its `issuer` (JWT VC Issuer Metadata, SD-JWT VC draft 13 §5). Keys of other kinds are
/// passed over, an empty set is a mistake.
fn keys(bytes: &[u8], file: &str) -> Result<Vec<TrustedKey>, &'static str> {
    let document = json::parse(bytes, bytes.len()).map_err(|_| "it is not readable JSON")?;
    let owner = document["issuer"].as_str().unwrap_or(file);
    let set = document.get("jwks").unwrap_or(&document);
    let list = set["keys"].as_array().ok_or("it is no JWK set: `keys` is missing")?;
    let keys: Vec<_> = list
        .iter()
        .filter_map(|jwk| {
            Some(TrustedKey {
                owner: owner.to_owned(),
                kid: jwk["kid"].as_str().map(str::to_owned),
                key: PublicKey::from_jwk(jwk)?,
            })
        })
        .collect();
    if keys.is_empty() {
        Err("it holds no key that is known here")
    } else {
        Ok(keys)
    }
}

/// One certificate as DER, or any number as PEM.
fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, &'static str> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let unreadable = "it holds a certificate that cannot be read";
    let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.contains(BEGIN)) else {
        return Certificate::from_der(bytes)
            .map(|one| vec![one])
            .map_err(|_| "it is neither a certificate (PEM, DER) nor a JWK set");
    };
    let mut found = Vec::new();
    for part in text.split(BEGIN).skip(1) {
        let (body, _) = part.split_once(END).ok_or(unreadable)?;
        let pem = format!("{BEGIN}{body}{END}");
        found.push(Certificate::from_text(&pem).map_err(|_| unreadable)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_772_000_000);
    const JWKS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "a",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

    #[test]
    fn what_changes_is_read_again_and_what_is_broken_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("issuers");
        std::fs::create_dir(&place).unwrap();
        let trusted = Trusted::new(Some(directory.path().to_owned()));
        let count = |now| trusted.anchors(Role::Issuer, now).keys.len();
        assert_eq!(count(NOW), 0);
        std::fs::write(place.join("https___issuer.example.json"), JWKS).unwrap();
        assert_eq!(count(NOW), 0, "not looked at twice within two seconds");
        assert_eq!(count(NOW.plus(2)), 1);
        let named = format!(r#"{{"issuer": "https://other.example/x", "jwks": {JWKS}}}"#);
        std::fs::write(place.join("other.json"), named).unwrap();
        let both = trusted.anchors(Role::Issuer, NOW.plus(50));
        assert_eq!(both.keys[1].owner, "https://other.example/x");
        std::fs::remove_file(place.join("other.json")).unwrap();
        let anchors = trusted.anchors(Role::Issuer, NOW.plus(60));
        assert_eq!(anchors.keys[0].owner, "https___issuer.example");
        assert_eq!(anchors.keys[0].kid.as_deref(), Some("a"));
        assert_eq!(
            trusted.anchors(Role::Verifier, NOW.plus(2)).keys.len(),
            0,
            "each role has its own"
        );
        for broken in [
            "{",
            "{}",
            r#"{"keys": []}"#,
            r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#,
            "-----BEGIN CERTIFICATE-----",
            "x",
            "",
        ] {
            std::fs::write(place.join("broken.pem"), broken).unwrap();
            let anchors = trusted.anchors(Role::Issuer, NOW.plus(100));
            assert_eq!((anchors.keys.len(), anchors.certificates.len()), (1, 0), "{broken}");
        }
        std::fs::remove_file(place.join("https___issuer.example.json")).unwrap();
        assert_eq!(count(NOW.plus(200)), 0);
    }

    #[test]
    fn without_a_directory_nobody_is_trusted() {
        for directory in [None, Some(PathBuf::from("/nonexistent"))] {
            let anchors = Trusted::new(directory).anchors(Role::Attester, NOW);
            assert!(anchors.keys.is_empty() && anchors.certificates.is_empty());
        }
    }
}
