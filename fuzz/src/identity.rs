//! What the targets of `vidimus-identity`'s parsers do with their bytes.

use vidimus_core::Provider;
use vidimus_crypto::Native;
use vidimus_identity::{Did, DidUrl};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("did", did)];

/// DIDs and DID URLs: what reads is written in one way, and that way reads as the same.
pub fn did(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(did) = text.parse::<Did>() {
        assert_eq!(did.to_string().parse::<Did>().ok().as_ref(), Some(&did));
        if let Some(ethr) = did.as_ethr() {
            let provider: &dyn Provider = &Native::new();
            let _ = ethr.address(provider);
        }
    }
    if let Ok(url) = text.parse::<DidUrl>() {
        assert_eq!(url.to_string().parse::<DidUrl>().ok(), Some(url));
    }
}
