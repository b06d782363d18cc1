//! What the targets of `vidimus-core`'s parsers do with their bytes.

use vidimus_core::ApiKey;

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("api_key", api_key)];

/// An API key as a caller presents it: one spelling, and nothing of it in what is logged.
pub fn api_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = text.parse::<ApiKey>() {
        assert_eq!(key.text().expose(), text);
        assert!(!format!("{key:?}").contains(&text[36..]), "the secret is hidden");
    }
}
