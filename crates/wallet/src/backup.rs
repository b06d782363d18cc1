//! A backup of the whole wallet, under a key that exists on paper alone.
//!
//! The file may lie anywhere: it is the wallet's content under AES-256-GCM with a random key of 256 bits, which was made for it and is not kept. The key is the
//! printed code. Whoever has both is the holder; who has one has nothing.
//!
//! A code is 13 groups of five characters out of Crockford's 32 (no I, L, O and U). Four of each group are 20 bits; the fifth checks them, and which
//! group it is, so that a slip of the pen is found where it was made. 13 × 20 bits are the key and four zero bits.
//!
//! The file: the magic bytes, a byte for the version (1), the nonce of 12 bytes, and the ciphertext with its tag. Magic and version are authenticated.
//! Inside: the length in four bytes, big-endian, the wallet as JSON, and zeros up to a multiple of 4096 bytes, so that the size says little.

use crate::Wallet;
use std::fmt;
use vidimus_core::{Encryption, Entropy, Secret, SecretBytes};
use zeroize::Zeroizing;

/// The first bytes of a backup.
pub const MAGIC: &[u8; 15] = b"VIDIMUS-BACKUP\0";
/// The version that is written.
pub const VERSION: u8 = 1;
/// Groups of a code.
pub const GROUPS: usize = 13;
/// The largest backup that is read.
pub const LARGEST: usize = 64 << 20;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PAD: usize = 4096;
const HEADER: usize = MAGIC.len() + 1;
const NONCE: usize = 12;
const TAG: usize = 16;

/// Why a backup does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Not that many groups of five.
    #[error("a code has {GROUPS} groups of five letters and digits; this has {0} characters")]
    Length(usize),
    /// A character that is in no code.
    #[error("group {0} of the code has a character that is in no code: look at it again")]
    Character(usize),
    /// A group that is not as it was printed.
    #[error("group {0} of the code is mistyped: look at it again")]
    Group(usize),
    /// Every group is right, and the whole is none.
    #[error("this is no code of a backup")]
    Code,
    /// The file is none.
    #[error("this file is no backup of a wallet")]
    File,
    /// Made by a newer program.
    #[error("this backup has version {0}, which this program does not read: use a newer one")]
    Version(u8),
    /// Another code, or the file was altered.
    #[error("the code is not that of this file, or the file was altered")]
    Open,
    /// It opens, and what is in it is no wallet.
    #[error("the backup opens, but holds no wallet that this program reads")]
    Content,
}

/// The key of a backup. `Debug` hides it; `Display` is what is printed.
#[derive(Clone)]
pub struct Code(Secret<[u8; 32]>);

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Code {
    fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self(Secret::new(*bytes))
    }

    /// Reads a code as somebody typed it: with any spaces and hyphens, in capitals or not, with O for 0 and I or L for 1.
    pub fn parse(text: &str) -> Result<Self, BackupError> {
        let typed: Zeroizing<Vec<char>> = Zeroizing::new(
            text.chars()
                .filter(|one| !one.is_whitespace() && *one != '-')
                .take(1_000)
                .collect(),
        );
        if typed.len() != GROUPS * 5 {
            return Err(BackupError::Length(typed.len()));
        }
        let mut bits = Zeroizing::new([0_u8; GROUPS * 20]);
        for (place, group) in typed.chunks(5).enumerate() {
            let mut values = Zeroizing::new([0_u8; 5]);
            for (value, one) in values.iter_mut().zip(group) {
                *value = value_of(*one).ok_or(BackupError::Character(place + 1))?;
            }
            if check(place, &values[..4]) != values[4] {
                return Err(BackupError::Group(place + 1));
            }
            for (at, value) in values[..4].iter().enumerate() {
                for bit in 0..5 {
                    bits[place * 20 + at * 5 + bit] = value >> (4 - bit) & 1;
                }
            }
        }
        if bits[256..].iter().any(|bit| *bit != 0) {
            return Err(BackupError::Code);
        }
        let mut key = Zeroizing::new([0_u8; 32]);
        for (at, bit) in bits[..256].iter().enumerate() {
            key[at / 8] |= bit << (7 - at % 8);
        }
        Ok(Self(Secret::new(*key)))
    }

    /// The groups, to be written down.
    pub fn groups(&self) -> Vec<Zeroizing<String>> {
        let key = self.0.expose();
        let bit = |at: usize| key.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
        (0..GROUPS)
            .map(|place| {
                let mut values = Zeroizing::new([0_u8; 5]);
                for at in 0..4 {
                    let first = place * 20 + at * 5;
                    values[at] = (first..first + 5).fold(0, |value, at| value << 1 | bit(at));
                }
                values[4] = check(place, &values[..4]);
                let text = values.iter().map(|value| char::from(ALPHABET[usize::from(*value)]));
                Zeroizing::new(text.collect())
            })
            .collect()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, group) in self.groups().iter().enumerate() {
            if place > 0 {
                f.write_str("-")?;
            }
            f.write_str(group)?;
        }
        Ok(())
    }
}

fn value_of(one: char) -> Option<u8> {
    let one = match one.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        one => one,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == one)?;
    u8::try_from(at).ok()
}

/// The check character of a group: a weighted sum in GF(2⁵), so that any one character that is wrong and any two that are swapped are found, plus the place
/// of the group, so that groups that are swapped are.
fn check(place: usize, values: &[u8]) -> u8 {
    let start = u8::try_from(place).expect("13 groups");
    values.iter().fold(start, |sum, value| times_two(sum ^ value))
}

/// x·2 in GF(2⁵) over x⁵ + x² + 1.
fn times_two(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 0x20 == 0 {
        doubled
    } else {
        (doubled ^ 0x25) & 0x1f
    }
}

/// Seals a wallet under a new key. The code is shown once, printed, and kept nowhere else.
pub fn seal(wallet: &Wallet, crypto: &dyn Encryption, entropy: &mut dyn Entropy) -> (Vec<u8>, Code) {
    let code = Code::generate(entropy);
    let json = Zeroizing::new(serde_json::to_vec(wallet).expect("a wallet is text, numbers and lists of them"));
    let length = u32::try_from(json.len()).expect("a wallet is less than 4 GiB");
    let mut plain = Zeroizing::new(Vec::with_capacity((json.len() + 4).next_multiple_of(PAD)));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(&json);
    let padded = plain.len().next_multiple_of(PAD);
    plain.resize(padded, 0);
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce);
    let mut file = MAGIC.to_vec();
    file.push(VERSION);
    let sealed = crypto
        .seal_gcm(&code.key(), &nonce, &file, &plain)
        .expect("AES-256-GCM takes a key of 32 bytes");
    file.extend_from_slice(&nonce);
    file.extend_from_slice(&sealed);
    (file, code)
}

/// Opens a backup.
pub fn open(file: &[u8], code: &Code, crypto: &dyn Encryption) -> Result<Wallet, BackupError> {
    if file.len() > LARGEST || !file.starts_with(MAGIC) || file.len() < HEADER + NONCE + TAG {
        return Err(BackupError::File);
    }
    if file[MAGIC.len()] != VERSION {
        return Err(BackupError::Version(file[MAGIC.len()]));
    }
    let (header, rest) = file.split_at(HEADER);
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(BackupError::File)?;
    let plain = crypto
        .open_gcm(&code.key(), nonce, header, sealed)
        .ok_or(BackupError::Open)?;
    let (length, rest) = plain.expose().split_first_chunk::<4>().ok_or(BackupError::Content)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| BackupError::Content)?;
    let json = rest.get(..length).ok_or(BackupError::Content)?;
    serde_json::from_slice(json).map_err(|_| BackupError::Content)
}

impl Code {
    fn key(&self) -> SecretBytes {
        SecretBytes::new(self.0.expose().to_vec())
    }
}
