//! The text of a machine's API key, `vk_<id>_<secret>`: 16 and 32 bytes in lower-case hexadecimal.

use crate::{Secret, encoding, id::ApiKeyId};
use std::str::FromStr;
use zeroize::Zeroizing;

/// An API key: which one, and what proves that it is the caller's.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Names its row.
    pub id: ApiKeyId,
    /// 256 random bits.
    pub secret: Secret<[u8; 32]>,
}

/// The text is not an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: expected vk_, 32 and 64 lower-case hexadecimal digits with _ between them")]
pub struct NotAnApiKey;

impl ApiKey {
    /// As its owner is shown it, once.
    pub fn text(&self) -> Secret<String> {
        let secret = Zeroizing::new(encoding::hex(self.secret.expose()));
        Secret::new(format!("vk_{}_{}", encoding::hex(self.id.as_bytes()), *secret))
    }
}

impl FromStr for ApiKey {
    type Err = NotAnApiKey;

    /// Only the one spelling that [`ApiKey::text`] writes.
    fn from_str(text: &str) -> Result<Self, NotAnApiKey> {
        let (id, secret) = text
            .strip_prefix("vk_")
            .and_then(|rest| rest.split_once('_'))
            .ok_or(NotAnApiKey)?;
        let exact = id.len() == 32 && secret.len() == 64 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if !exact {
            return Err(NotAnApiKey);
        }
        Ok(Self {
            id: ApiKeyId::from_bytes(encoding::from_hex_exact(id).map_err(|_| NotAnApiKey)?),
            secret: Secret::new(encoding::from_hex_exact(secret).map_err(|_| NotAnApiKey)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_a_key() {
        let good = format!("vk_{}_{}", "0a".repeat(16), "5f".repeat(32));
        let key: ApiKey = good.parse().unwrap();
        assert_eq!(*key.text().expose(), good);
        assert!(!format!("{key:?}").contains("5f5f"));
        for bad in [
            "",
            "vk_",
            "vk__",
            &good[3..],
            &good[..good.len() - 1],
            &good.to_uppercase(),
            &format!("{good}0"),
            &good.replace("5f", "zz"),
        ] {
            assert!(bad.parse::<ApiKey>().is_err(), "{bad}");
        }
    }
}
