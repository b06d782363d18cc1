//! The text of a DID and of a DID URL (DID Core 1.0 §3).

use crate::base58;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};
use vidimus_core::{
    Address, Provider, PublicKey, SignatureError, Timestamp,
    encoding::{from_base64url, from_hex_exact, hex},
};

/// The longest DID or DID URL that is read: did:jwk carries a whole key.
const LONGEST: usize = 4096;

/// The text is not a DID of a method known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DidError {
    /// Not `did:method:identifier`.
    #[error("not a DID")]
    Syntax,
    /// A DID of a method that is not known here.
    #[error("a DID of another method than ethr, key, web and jwk")]
    Method,
    /// The identifier is not one of its method.
    #[error("not a valid did:{0}")]
    Identifier(&'static str),
}

/// A decentralised identifier. Equal DIDs are equal values, whatever the case of hexadecimal digits they were written with.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Did {
    /// An Ethereum account, or the account of a key, on one chain (ERC-1056).
    Ethr(Ethr),
    /// did:key: the multibase text of a multicodec public key.
    Key(String),
    /// did:web: a document on a web server.
    Web(Web),
    /// did:jwk: a JSON Web Key in base64url.
    Jwk(String),
}

/// A did:ethr, without the prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ethr {
    /// EIP-155 chain id. Written as hexadecimal digits; mainnet, 1, is not written.
    pub chain_id: u64,
    /// Whose it is.
    pub key: EthrKey,
}

/// What a did:ethr names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EthrKey {
    /// An account.
    Address(Address),
    /// A compressed secp256k1 key, which names its account.
    PublicKey([u8; 33]),
}

/// A did:web, without the prefix.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Web {
    /// Host name in lower case, and port where there is one.
    pub authority: String,
    /// Segments of the path; none for the document under `.well-known`.
    pub path: Vec<String>,
}

impl Did {
    /// The did:ethr of an account.
    pub const fn ethr(chain_id: u64, address: Address) -> Self {
        Self::Ethr(Ethr {
            chain_id,
            key: EthrKey::Address(address),
        })
    }
    /// As a did:ethr.
    pub const fn as_ethr(&self) -> Option<&Ethr> {
        if let Self::Ethr(ethr) = self { Some(ethr) } else { None }
    }
    /// The DID URL of a part of its document, such as `#controller`.
    pub fn with_fragment(&self, fragment: &str) -> DidUrl {
        DidUrl {
            did: self.clone(),
            path: String::new(),
            query: None,
            fragment: Some(fragment.into()),
        }
    }
}

impl Ethr {
    /// The account: the identity in ERC-1056. Fails for the text of a public key that is no point on the curve.
    pub fn address(&self, provider: &dyn Provider) -> Result<Address, SignatureError> {
        match self.key {
            EthrKey::Address(address) => Ok(address),
            EthrKey::PublicKey(compressed) => provider
                .decompress(&compressed)?
                .address(provider)
                .ok_or(SignatureError::Key),
        }
    }
    /// The key that the text itself states; `None` where it states an account.
    pub fn public_key(&self, provider: &dyn Provider) -> Result<Option<PublicKey>, SignatureError> {
        match self.key {
            EthrKey::Address(_) => Ok(None),
            EthrKey::PublicKey(compressed) => provider.decompress(&compressed).map(Some),
        }
    }

    fn parse(text: &str) -> Result<Self, DidError> {
        const INVALID: DidError = DidError::Identifier("ethr");
        let (network, identifier) = match text.rsplit_once(':') {
            Some((network, identifier)) => (Some(network), identifier),
            None => (None, text),
        };
        let chain_id = match network {
            None | Some("mainnet") => 1,
            Some(network) => {
                let digits = network.strip_prefix("0x").ok_or(INVALID)?;
                // `from_str_radix` would take a sign; a chain id has one spelling, without leading zeros.
                if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(INVALID);
                }
                u64::from_str_radix(digits, 16).map_err(|_| INVALID)?
            }
        };
        let digits = identifier.strip_prefix("0x").ok_or(INVALID)?;
        let key = match digits.len() {
            40 => EthrKey::Address(Address(from_hex_exact(digits).map_err(|_| INVALID)?)),
            66 => {
                let key: [u8; 33] = from_hex_exact(digits).map_err(|_| INVALID)?;
                if !matches!(key[0], 2 | 3) {
                    return Err(INVALID);
                }
                EthrKey::PublicKey(key)
            }
            _ => return Err(INVALID),
        };
        Ok(Self { chain_id, key })
    }
}

impl Web {
    /// Where the document is (did:web §2.5.2). Fetch it only through a client that refuses addresses inside.
    pub fn document_url(&self) -> String {
        if self.path.is_empty() {
            format!("https://{}/.well-known/did.json", self.authority)
        } else {
            format!("https://{}/{}/did.json", self.authority, self.path.join("/"))
        }
    }

    fn parse(text: &str) -> Result<Self, DidError> {
        const INVALID: DidError = DidError::Identifier("web");
        let mut parts = text.split(':');
        let authority = parts.next().ok_or(INVALID)?.to_ascii_lowercase();
        let (host, port) = match authority.split_once("%3a") {
            Some((host, port)) => (
                host,
                Some(
                    port.parse::<u16>()
                        .ok()
                        .filter(|_| !port.starts_with('+'))
                        .ok_or(INVALID)?,
                ),
            ),
            None => (authority.as_str(), None),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        // A name, never an address: its last label is not a number.
        let named = host.len() <= 253
            && host.split('.').all(label)
            && host
                .rsplit('.')
                .next()
                .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
        let path: Vec<String> = parts.map(str::to_owned).collect();
        let plain = |segment: &String| {
            !matches!(segment.as_str(), "" | "." | "..")
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        if !named || !path.iter().all(plain) {
            return Err(INVALID);
        }
        let authority = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self { authority, path })
    }
}

impl FromStr for Did {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        if text.len() > LONGEST {
            return Err(DidError::Syntax);
        }
        let rest = text.strip_prefix("did:").ok_or(DidError::Syntax)?;
        let (method, identifier) = rest.split_once(':').ok_or(DidError::Syntax)?;
        match method {
            "ethr" => Ethr::parse(identifier).map(Self::Ethr),
            "web" => Web::parse(identifier).map(Self::Web),
            "key" if identifier.strip_prefix('z').is_some_and(base58::is_text) => Ok(Self::Key(identifier.into())),
            "jwk" if is_jwk(identifier) => Ok(Self::Jwk(identifier.into())),
            "key" => Err(DidError::Identifier("key")),
            "jwk" => Err(DidError::Identifier("jwk")),
            _ if !method.is_empty()
                && method
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) =>
            {
                Err(DidError::Method)
            }
            _ => Err(DidError::Syntax),
        }
    }
}

fn is_jwk(text: &str) -> bool {
    from_base64url(text)
        .ok()
        .and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok())
        .is_some_and(|jwk| jwk.get("kty").is_some_and(serde_json::Value::is_string) && jwk.get("d").is_none())
}

impl fmt::Display for Ethr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.chain_id != 1 {
            write!(f, "0x{:x}:", self.chain_id)?;
        }
        match self.key {
            EthrKey::Address(address) => address.fmt(f),
            EthrKey::PublicKey(key) => write!(f, "0x{}", hex(&key)),
        }
    }
}

impl fmt::Display for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority.replace(':', "%3A"))?;
        self.path.iter().try_for_each(|segment| write!(f, ":{segment}"))
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ethr(ethr) => write!(f, "did:ethr:{ethr}"),
            Self::Key(text) => write!(f, "did:key:{text}"),
            Self::Web(web) => write!(f, "did:web:{web}"),
            Self::Jwk(text) => write!(f, "did:jwk:{text}"),
        }
    }
}

/// A DID with a path, query or fragment: what a `kid` or a verification method's id is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DidUrl {
    /// The DID.
    pub did: Did,
    /// The path with its leading slash, or empty.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// The fragment without its number sign.
    pub fragment: Option<String>,
}

impl DidUrl {
    /// The value of a query parameter, as it stands there.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .as_deref()?
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
    /// `versionId`: for did:ethr a block number.
    pub fn version_id(&self) -> Option<u64> {
        self.parameter("versionId")?.parse().ok()
    }
    /// `versionTime` (DID Core 1.0 §3.2.1): RFC 3339.
    pub fn version_time(&self) -> Option<Timestamp> {
        let text = self.parameter("versionTime")?.replace("%3A", ":").replace("%3a", ":");
        Timestamp::parse_rfc3339(&text).ok()
    }
}

impl FromStr for DidUrl {
    type Err = DidError;
    fn from_str(text: &str) -> Result<Self, DidError> {
        if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DidError::Syntax);
        }
        let (rest, fragment) = match text.split_once('#') {
            Some((rest, fragment)) if fragment.contains('#') || fragment.is_empty() || rest.is_empty() => {
                return Err(DidError::Syntax);
            }
            Some((rest, fragment)) => (rest, Some(fragment.to_owned())),
            None => (text, None),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        let (did, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            did: did.parse()?,
            path: path.into(),
            query,
            fragment,
        })
    }
}

impl fmt::Display for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.did, self.path)?;
        if let Some(query) = &self.query {
            write!(f, "?{query}")?;
        }
        self.fragment.iter().try_for_each(|fragment| write!(f, "#{fragment}"))
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
as_text!(Did, DidUrl, Ethr, Web);

impl fmt::Debug for EthrKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::PublicKey(key) => f.write_str(&hex(key)),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
serde_as_text!(Did, DidUrl);
