use super::event::{padded, unpadded};
use std::fmt;

/// The name of an ERC-1056 attribute, as did:ethr reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeName {
    /// `did/pub/<algorithm>/<purpose>/<encoding>`: a key.
    PublicKey {
        /// `Secp256k1`, `Ed25519`, `X25519`, `RSA`, `Multikey`, `JsonWebKey2020`, or another.
        algorithm: String,
        /// What for.
        purpose: PublicKeyPurpose,
        /// How the document shows it.
        encoding: Encoding,
    },
    /// `did/svc/<type>`: a service.
    Service(String),
}

/// What a key of an attribute is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKeyPurpose {
    /// Signs statements.
    VeriKey,
    /// Signs statements and logs in.
    SigAuth,
    /// Is encrypted to.
    Enc,
}

/// How the document shows an attribute's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `publicKeyHex`; also what no encoding stands for.
    Hex,
    /// `publicKeyBase64`.
    Base64,
    /// `publicKeyBase58`.
    Base58,
    /// `publicKeyPem`; the value is the text.
    Pem,
}

/// Not an attribute name of did:ethr, or too long for the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an attribute name of did:ethr of at most 32 bytes")]
pub struct AttributeError;

impl AttributeName {
    /// The attribute under which an issuer's P-256 key stands, so that ES256 certificates verify by its did:ethr. Its value is the uncompressed
    /// point, [`PublicKey::P256`](vidimus_core::PublicKey::P256)'s 65 bytes.
    pub fn p256_issuer_key() -> Self {
        Self::PublicKey {
            algorithm: "Multikey".into(),
            purpose: PublicKeyPurpose::VeriKey,
            encoding: Encoding::Hex,
        }
    }

    /// The attribute under which an X25519 sealing key stands; its value is the key's 32 bytes.
    pub fn sealing_key() -> Self {
        Self::PublicKey {
            algorithm: "X25519".into(),
            purpose: PublicKeyPurpose::Enc,
            encoding: Encoding::Base64,
        }
    }

    /// As the contract takes it.
    pub fn encode(&self) -> Result<[u8; 32], AttributeError> {
        let text = self.to_string();
        Self::parse(&text)?;
        padded(&text).ok_or(AttributeError)
    }

    /// The inverse of [`Self::encode`].
    pub fn decode(bytes: &[u8; 32]) -> Result<Self, AttributeError> {
        Self::parse(unpadded(bytes).ok_or(AttributeError)?)
    }

    fn parse(text: &str) -> Result<Self, AttributeError> {
        let mut parts = text.strip_prefix("did/").ok_or(AttributeError)?.split('/');
        let section = parts.next();
        let name = parts
            .next()
            .filter(|name| is_word(name))
            .ok_or(AttributeError)?
            .to_owned();
        let attribute = match section {
            Some("pub") => Self::PublicKey {
                algorithm: name,
                purpose: match parts.next() {
                    Some("veriKey") => PublicKeyPurpose::VeriKey,
                    Some("sigAuth") => PublicKeyPurpose::SigAuth,
                    Some("enc") => PublicKeyPurpose::Enc,
                    _ => return Err(AttributeError),
                },
                encoding: match parts.next() {
                    None | Some("hex") => Encoding::Hex,
                    Some("base64") => Encoding::Base64,
                    Some("base58") => Encoding::Base58,
                    Some("pem") => Encoding::Pem,
                    Some(_) => return Err(AttributeError),
                },
            },
            Some("svc") => Self::Service(name),
            _ => return Err(AttributeError),
        };
        if parts.next().is_some() {
            Err(AttributeError)
        } else {
            Ok(attribute)
        }
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicKey {
                algorithm,
                purpose,
                encoding,
            } => {
                let purpose = match purpose {
                    PublicKeyPurpose::VeriKey => "veriKey",
                    PublicKeyPurpose::SigAuth => "sigAuth",
                    PublicKeyPurpose::Enc => "enc",
                };
                let encoding = match encoding {
                    Encoding::Hex => "hex",
                    Encoding::Base64 => "base64",
                    Encoding::Base58 => "base58",
                    Encoding::Pem => "pem",
                };
                write!(f, "did/pub/{algorithm}/{purpose}/{encoding}")
            }
            Self::Service(kind) => write!(f, "did/svc/{kind}"),
        }
    }
}

/// `\w+` of JavaScript.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl std::str::FromStr for AttributeName {
    type Err = AttributeError;
    fn from_str(text: &str) -> Result<Self, AttributeError> {
        Self::parse(text)
    }
}
