//! Files that a password opens: Argon2id (RFC 9106) and AES-256-GCM.
//!
//! Layout: `VIDIMUS\0` ‖ version (1) ‖ memory in KiB (4) ‖ passes (4) ‖ lanes (4) ‖ salt (16) ‖ key check (16) ‖ nonce (12) ‖ ciphertext with tag ‖
//! first 8 bytes of SHA-256 of all before; numbers big-endian. Argon2id gives 64 bytes: 32 for AES, 16 for the key check, the rest unused. The
//! associated data of the ciphertext is everything up to the nonce. The checksum tells damage from a wrong password without a secret; the key
//! check tells a wrong password from a ciphertext that was changed with its checksum made to fit. Neither makes guessing easier than the tag does.

use crate::{
    Error,
    aead::{Cipher, NONCE},
    native::sha256,
};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time;
use std::fmt;
use vidimus_core::{Entropy, Secret, SecretBytes};
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"VIDIMUS\0";
const VERSION: u8 = 1;
const SALT: usize = 16;
const CHECK: usize = 16;
const HEADER: usize = MAGIC.len() + 1 + 12 + SALT + CHECK;
const SUM: usize = 8;
const TAG: usize = 16;

/// What opening a file costs, and so what each guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106 §4, second recommendation: 64 MiB, 3 passes, 4 lanes.
    pub const RECOMMENDED: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// The most that a file may ask for: 1 GiB, or 4 GiB written in all passes together.
    const MOST: Self = Self {
        memory: 1024 * 1024,
        passes: 32,
        lanes: 16,
    };

    fn params(self) -> Result<Params, Error> {
        let work = u64::from(self.memory) * u64::from(self.passes);
        if self.memory > Self::MOST.memory
            || self.passes > Self::MOST.passes
            || self.lanes > Self::MOST.lanes
            || work > 4 * 1024 * 1024
        {
            return Err(Error::PasswordFileCost);
        }
        Params::new(self.memory, self.passes, self.lanes, Some(64))
            .map_err(|_| Error::PasswordFileDamaged("its cost parameters are none"))
    }
}

/// A file while it is open: the key that its password gave, so that saving again costs no further derivation. Whoever reads it reads the
/// file, also later versions saved from it.
pub struct PasswordFile {
    cost: Cost,
    salt: [u8; SALT],
    check: [u8; CHECK],
    key: Secret<[u8; 32]>,
}

impl PasswordFile {
    /// For a new file, or a new password.
    pub fn create(password: &SecretBytes, cost: Cost, entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut salt = [0; SALT];
        entropy.fill(&mut salt);
        Self::derive(password, cost, salt)
    }

    /// Opens `file`. [`Error::Password`] when the file is whole and the password is another one.
    pub fn open(file: &[u8], password: &SecretBytes) -> Result<(Self, SecretBytes), Error> {
        let damaged = Error::PasswordFileDamaged;
        if !file.starts_with(MAGIC) {
            return Err(damaged("it does not begin as one of ours"));
        }
        let version = *file.get(MAGIC.len()).ok_or(damaged("it is too short"))?;
        if version != VERSION {
            return Err(Error::Version {
                what: "a password file",
                version,
            });
        }
        if file.len() < HEADER + NONCE + TAG + SUM {
            return Err(damaged("it is too short"));
        }
        let (body, sum) = file.split_at(file.len() - SUM);
        if sha256(&[body])[..SUM] != *sum {
            return Err(damaged("its checksum does not fit"));
        }
        let (header, rest) = body.split_at(HEADER);
        let number = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        let cost = Cost {
            memory: number(9),
            passes: number(13),
            lanes: number(17),
        };
        let salt = header[21..21 + SALT].try_into().expect("as many bytes");
        let unlocked = Self::derive(password, cost, salt)?;
        constant_time::verify_slices_are_equal(&unlocked.check, &header[HEADER - CHECK..])
            .map_err(|_| Error::Password)?;
        let (nonce, ciphertext) = rest.split_first_chunk().expect("the length was checked");
        let content = Cipher::new(unlocked.key.expose())
            .open(nonce, header, ciphertext)
            .map_err(|_| damaged("its content was changed"))?;
        Ok((unlocked, content))
    }

    /// The file's bytes with this content. Write them with [`replace_private`](crate::file::replace_private).
    pub fn seal(&self, content: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut file = Vec::with_capacity(HEADER + NONCE + content.len() + TAG + SUM);
        file.extend_from_slice(MAGIC);
        file.push(VERSION);
        for number in [self.cost.memory, self.cost.passes, self.cost.lanes] {
            file.extend_from_slice(&number.to_be_bytes());
        }
        file.extend_from_slice(&self.salt);
        file.extend_from_slice(&self.check);
        let (nonce, ciphertext) = Cipher::new(self.key.expose()).seal(&file, content, entropy);
        file.extend_from_slice(&nonce);
        file.extend_from_slice(&ciphertext);
        let sum = sha256(&[&file]);
        file.extend_from_slice(&sum[..SUM]);
        file
    }

    fn derive(password: &SecretBytes, cost: Cost, salt: [u8; SALT]) -> Result<Self, Error> {
        let params = cost.params()?;
        let mut bytes = Zeroizing::new([0; 64]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.expose(), &salt, &mut *bytes)
            .map_err(|_| Error::PasswordFileDamaged("its cost parameters are none"))?;
        let (key, rest) = bytes.split_first_chunk().expect("64 bytes");
        let (check, _) = rest.split_first_chunk().expect("32 bytes");
        Ok(Self {
            cost,
            salt,
            check: *check,
            key: Secret::new(*key),
        })
    }
}

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordFile")
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
