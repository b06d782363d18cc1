//! What the targets of `vidimus-store`'s parsers do with their bytes.

use vidimus_store::blobs::ContentId;

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("content_id", content_id)];

/// A blob's name: one spelling, of one length, which is no path.
pub fn content_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = text.parse::<ContentId>() {
        assert_eq!(id.to_string(), text);
        assert_eq!(text.len(), 59, "b and 36 bytes in base32");
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        );
    }
}
