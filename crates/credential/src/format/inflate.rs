//! Bounded compression.

/// The container of a deflate stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Encoding {
    /// RFC 1950.
    Zlib,
    /// RFC 1952.
    Gzip,
}

/// Inflates at most `max` bytes.
pub(crate) fn inflate(bytes: &[u8], encoding: Encoding, max: usize) -> Result<Vec<u8>, InflateError> {
    todo!("{}{encoding:?}{max}", bytes.len())
}

/// Deflates.
pub(crate) fn deflate(bytes: &[u8], encoding: Encoding) -> Vec<u8> {
    todo!("{}{encoding:?}", bytes.len())
}

/// Why bytes do not inflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InflateError {
    /// Inflates to more than allowed.
    #[error("inflates to more than allowed")]
    TooLarge,
    /// Not one complete stream.
    #[error("not one complete stream")]
    Corrupt,
}
