//! What the targets of `vidimus-wallet`'s parsers do with their bytes.

use vidimus_wallet::request;

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("presentation_request", presentation_request)];

/// What a verifier asks a holder to show: bounded, without what would move a terminal's cursor, and read again as the same.
pub fn presentation_request(data: &[u8]) {
    if let Ok(read) = request::read(data) {
        let texts = [Some(&read.nonce), Some(&read.audience), read.purpose.as_ref()];
        for text in texts.into_iter().flatten() {
            assert!(!text.is_empty() && text.len() <= request::LONGEST);
            assert!(!text.chars().any(char::is_control));
        }
        let written = serde_json::to_vec(&read).expect("a request is JSON");
        assert_eq!(request::read(&written).ok(), Some(read));
    }
}
