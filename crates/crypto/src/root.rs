//! The root key: the one secret that a deployment's operator keeps outside the data directory.

use crate::{BlindIndexKey, DataKey, Error, KeyEncryptionKey, file, native::sha256};
use aws_lc_rs::{constant_time, hkdf};
use std::{fmt, path::Path};
use vidimus_core::{
    Entropy, Secret, Transcript,
    encoding::{from_hex_exact, hex},
};
use zeroize::Zeroizing;

const HEADER: &str = "vidimus root key, version 1";
const WARNING: &str =
    "# Whoever reads this file reads everything that this deployment protects. Without it nothing can be read.";

/// What a key derived from the root key is for. Two purposes never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Wraps participants' and the deployment's signing and sealing keys.
    ParticipantKeys,
    /// Wraps persons' data keys.
    PersonKeys,
    /// Encrypts what belongs to the deployment itself.
    DeploymentData,
    /// Finds persons again without storing who they are.
    BlindIndex,
    /// Hashes API keys, setup links and other bearer secrets.
    Credentials,
    /// Protects sessions.
    Session,
    /// Encrypts backups.
    Backup,
    /// Salts and authenticates audit entries.
    Audit,
}

impl Purpose {
    /// The name that goes into derivation and ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ParticipantKeys => "participant-keys",
            Self::PersonKeys => "person-keys",
            Self::DeploymentData => "deployment-data",
            Self::BlindIndex => "blind-index",
            Self::Credentials => "credentials",
            Self::Session => "session",
            Self::Backup => "backup",
            Self::Audit => "audit",
        }
    }
}

/// 32 random bytes from which every other key of a deployment is derived (HKDF-SHA256, RFC 5869) or under which it is wrapped. Whoever reads
/// it, and the database, reads all. Wiped when dropped.
#[derive(Clone)]
pub struct RootKey(Secret<[u8; 32]>);

impl RootKey {
    /// A new root key. Only `vidimus init` makes one.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(Secret::new(*bytes))
    }

    /// Writes the key into a new file that only its owner may read, durable when this returns. Never overwrites.
    pub fn create(&self, path: &Path) -> Result<(), Error> {
        file::create_private(path, self.to_text().as_bytes()).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Error::RootKeyExists(path.into())
            }
            other => other,
        })
    }

    /// Reads the key back. Refuses a file that others may read or write, and one that was changed.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let (bytes, mode) = file::read_private(path, 4096).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Error::RootKeyMissing(path.into())
            }
            other => other,
        })?;
        if mode & 0o077 != 0 {
            return Err(Error::RootKeyPermissions {
                path: path.into(),
                mode,
            });
        }
        Self::from_text(&bytes).map_err(|reason| Error::RootKeyDamaged {
            path: path.into(),
            reason,
        })
    }

    /// Header, a warning, `key:` in hexadecimal, and `checksum:`, which tells a damaged key from another one.
    fn to_text(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(hex(self.0.expose()));
        let mut text = Zeroizing::new(String::with_capacity(512));
        for part in [
            HEADER,
            "\n",
            WARNING,
            "\nkey: ",
            &key,
            "\nchecksum: ",
            &self.checksum(),
            "\n",
        ] {
            text.push_str(part);
        }
        text
    }

    fn from_text(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        match lines.next() {
            Some(HEADER) => {}
            Some(line) if line.starts_with("vidimus root key, version") => {
                return Err("it is of a version that this program does not know");
            }
            _ => return Err("its first line is not that of a root key"),
        }
        let mut field = |name: &str| lines.next().and_then(|line| line.strip_prefix(name)).map(str::trim);
        let key = field("key:").ok_or("the key is missing")?;
        let key = Zeroizing::new(from_hex_exact::<32>(key).map_err(|_| "the key does not have 64 hexadecimal digits")?);
        let root = Self(Secret::new(*key));
        let checksum = field("checksum:").ok_or("the checksum is missing")?;
        if checksum != root.checksum() {
            return Err("key and checksum do not fit together");
        }
        if lines.next().is_some() {
            return Err("there is more in it than a root key");
        }
        Ok(root)
    }

    fn checksum(&self) -> String {
        hex(&sha256(&[b"vidimus/root-key/checksum/v1", self.0.expose()])[..8])
    }

    /// A value to be stored with the data; [`Self::verify_check_value`] tells by it whether this root key belongs to that data.
    pub fn check_value(&self) -> [u8; 32] {
        *self.derive("check-value", 0)
    }

    /// Refuses to go on with a root key that the data was not made with.
    pub fn verify_check_value(&self, stored: &[u8]) -> Result<(), Error> {
        constant_time::verify_slices_are_equal(&self.check_value(), stored).map_err(|_| Error::RootKeyWrong)
    }

    /// Eight hexadecimal digits that name this root key in the ids of the keys derived from it. They tell nothing about it.
    pub fn id(&self) -> String {
        hex(&self.derive("id", 0)[..4])
    }

    /// The key-encryption key for a purpose; a rotation takes the next version.
    pub fn key_encryption_key(&self, purpose: Purpose, version: u32) -> KeyEncryptionKey {
        let id = format!("{}.{}", purpose.name(), self.id());
        KeyEncryptionKey::new(id, version, &self.derive_for("wrap", purpose, version))
    }

    /// The key of blind indices for a purpose. A new version means that every index is made again.
    pub fn blind_index_key(&self, purpose: Purpose, version: u32) -> BlindIndexKey {
        BlindIndexKey::new(&self.derive_for("index", purpose, version))
    }

    /// A key that encrypts directly, for what is not large or many: backups, sessions, the deployment's own settings.
    pub fn data_key(&self, purpose: Purpose, version: u32) -> DataKey {
        DataKey::from_array(&self.derive_for("data", purpose, version))
    }

    fn derive_for(&self, use_: &str, purpose: Purpose, version: u32) -> Zeroizing<[u8; 32]> {
        self.derive(&format!("{use_}/{}", purpose.name()), version)
    }

    fn derive(&self, label: &str, version: u32) -> Zeroizing<[u8; 32]> {
        let info = Transcript::new("vidimus/root-key/derive/v1")
            .field(label.as_bytes())
            .number(version.into())
            .into_bytes();
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, &[])
            .extract(self.0.expose())
            .expand(&[&info], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut *key))
            .expect("HKDF-SHA256 gives up to 8160 bytes");
        key
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey({})", self.id())
    }
}
