//! Ciphertext as the tables keep it.

use vidimus_core::Transcript;

/// A secret under a key-encryption key. The store only keeps it; `vidimus-crypto` makes and opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Which key-encryption key.
    pub kek_id: String,
    /// Its version.
    pub kek_version: u32,
    /// The nonce.
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wrapped({}/{})", self.kek_id, self.kek_version)
    }
}

/// The associated data that binds a ciphertext to its table, row and column, so that it cannot be moved to another.
pub fn binding(table: &str, row: &[u8], column: &str) -> Vec<u8> {
    Transcript::new("vidimus/column/v1")
        .field(table.as_bytes())
        .field(row)
        .field(column.as_bytes())
        .into_bytes()
}
