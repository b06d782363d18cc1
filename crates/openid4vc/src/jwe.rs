//! Compact JWE (RFC 7516 §3.1, §7.1) with `ECDH-ES` on P-256, direct (RFC 7518 §4.6), and `A128GCM` or `A256GCM` (§5.3): what both protocols
//! and HAIP 1.0 §5 ask for.
//!
//! Encrypting is to everybody who has the public key: what is decrypted here says nothing about who wrote it.

use serde_json::{Map, Value};
use std::fmt;
use vidimus_core::{Encryption, Entropy, Provider, PublicKey, Secret, SecretBytes, encoding};
use vidimus_credential::{
    format,
    json::{self, JsonError},
};

/// The longest header that is read, in bytes of JSON.
pub const MAX_HEADER: usize = 8 << 10;
/// The longest `apu` or `apv` that is read, in bytes.
pub const MAX_PARTY_INFO: usize = 512;

/// The one key agreement: its JOSE name.
pub const ECDH_ES: &str = "ECDH-ES";

/// Why a JWE is not made, read or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// Longer than the caller allows.
    #[error("the encrypted message is longer than {0} bytes")]
    TooLarge(usize),
    /// Not exactly five parts separated by full stops.
    #[error("a compact JWE has five parts")]
    Parts,
    /// A part is not base64url without padding, or its length is not what the algorithm has.
    #[error("{0} of the JWE is malformed")]
    Part(&'static str),
    /// The header is not the JSON it must be.
    #[error("the JWE's header is not readable")]
    Header(#[source] JsonError),
    /// A header parameter is missing or has the wrong form.
    #[error("the JWE's header parameter {0} is missing or has the wrong form")]
    Parameter(&'static str),
    /// `alg` is not `ECDH-ES`.
    #[error("the JWE's key agreement is not ECDH-ES")]
    Algorithm,
    /// `enc` is neither `A128GCM` nor `A256GCM`, or not one the caller allows.
    #[error("the JWE's content encryption is not one that is accepted")]
    Encryption,
    /// The header asks for an extension (`crit`): none is implemented, so all are refused (RFC 7516 §4.1.13).
    #[error("the JWE's header asks for an extension that is not implemented")]
    Critical,
    /// `zip` where the caller does not allow it, or not `DEF`.
    #[error("the JWE is compressed where that is not allowed")]
    Compression,
    /// A public key that is none on P-256: the recipient's, or the ephemeral one (`epk`).
    #[error("the {0} key is not a key on P-256")]
    Key(&'static str),
    /// A JWK that is not for this: `kty`, `crv`, `use` or `alg` says something else.
    #[error("the JWK is not one to encrypt to with ECDH-ES on P-256")]
    Jwk,
    /// It does not open: encrypted to another key, or changed. Deliberately not told apart.
    #[error("the JWE does not open with this key")]
    Open,
    /// It opened, and what is inside is no deflate stream, or larger than allowed.
    #[error("the JWE's content does not decompress within its bound")]
    Inflate,
    /// The entropy source gave no key within several tries: it is broken.
    #[error("the entropy source gives no key")]
    Entropy,
}

/// A private key on P-256: its scalar, big-endian. Whoever reads it opens what is encrypted to its public half.
pub type PrivateKey = Secret<[u8; 32]>;

/// Content encryption algorithms (RFC 7518 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContentEncryption {
    /// AES-128 in Galois/Counter Mode.
    A128Gcm,
    /// AES-256 in Galois/Counter Mode.
    A256Gcm,
}

impl ContentEncryption {
    /// Both, the preferred one first (HAIP 1.0 §5).
    pub const ALL: [Self; 2] = [Self::A256Gcm, Self::A128Gcm];

    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }
    /// From the JOSE name; `None` for all others.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
    /// Bytes of its key.
    pub const fn key_length(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm => 32,
        }
    }
}

/// Whom to encrypt to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// A P-256 key.
    pub key: PublicKey,
    /// Its identifier, which is copied into the header.
    pub kid: Option<String>,
}

impl Recipient {
    /// From a JWK (RFC 7517): kind EC on P-256, `alg` is `ECDH-ES` (OpenID4VP 1.0 §8.3, OpenID4VCI 1.0 §8.2 ask for it), `use`, where there is one, `enc`.
    pub fn from_jwk(jwk: &Value) -> Result<Self, JweError> {
        let says = |name: &str| jwk.get(name).and_then(Value::as_str);
        let for_encryption = jwk.get("use").is_none_or(|usage| usage == "enc");
        if says("alg") != Some(ECDH_ES) || !for_encryption {
            return Err(JweError::Jwk);
        }
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(JweError::Jwk),
        };
        match PublicKey::from_jwk(jwk) {
            Some(key @ PublicKey::P256(_)) => Ok(Self { key, kid }),
            _ => Err(JweError::Jwk),
        }
    }

    /// The first key of a JWK Set that [`Self::from_jwk`] takes; others are passed over (RFC 7517 §5).
    pub fn from_jwks(jwks: &Value) -> Option<Self> {
        let keys = jwks.get("keys")?.as_array()?;
        keys.iter().find_map(|jwk| Self::from_jwk(jwk).ok())
    }

    /// As the JWK that [`Self::from_jwk`] reads.
    pub fn to_jwk(&self) -> Value {
        let mut jwk = self.key.to_jwk().expect("a P-256 key has a JWK form");
        jwk["use"] = "enc".into();
        jwk["alg"] = ECDH_ES.into();
        if let Some(kid) = &self.kid {
            jwk["kid"] = kid.as_str().into();
        }
        jwk
    }
}

/// A fresh private key.
pub fn generate_key(crypto: &dyn Encryption, entropy: &mut dyn Entropy) -> Result<PrivateKey, JweError> {
    // One draw in 2³² is no scalar.
    for _ in 0..4 {
        let mut scalar = zeroize::Zeroizing::new([0; 32]);
        entropy.fill(&mut *scalar);
        let private = Secret::new(*scalar);
        if crypto.p256_public(&private).is_some() {
            return Ok(private);
        }
    }
    Err(JweError::Entropy)
}

/// What a header says beside algorithms and keys. All of it is bound to the content: authenticated with it, and, the party infos, part of the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// `apu`: what the sender is known by, decoded.
    pub apu: Option<Vec<u8>>,
    /// `apv`: what the recipient is known by, decoded.
    pub apv: Option<Vec<u8>>,
    /// `typ`.
    pub typ: Option<String>,
    /// `cty`.
    pub cty: Option<String>,
    /// `zip`: whether the content is compressed (`DEF`). Compressing what an attacker can partly choose shows how long the rest is.
    pub compressed: bool,
}

/// Encrypts `plaintext` to `recipient`, with a fresh ephemeral key.
pub fn encrypt(
    recipient: &Recipient,
    encryption: ContentEncryption,
    parameters: &Parameters,
    plaintext: &[u8],
    crypto: &dyn Encryption,
    entropy: &mut dyn Entropy,
) -> Result<String, JweError> {
    let ephemeral = generate_key(crypto, entropy)?;
    let mut nonce = [0; 12];
    entropy.fill(&mut nonce);
    let epk = crypto.p256_public(&ephemeral).ok_or(JweError::Key("ephemeral"))?;
    let header = write_header(recipient, encryption, parameters, &epk);
    let shared = crypto
        .p256_agree(&ephemeral, &recipient.key)
        .ok_or(JweError::Key("recipient's"))?;
    let key = derive_key(
        &shared,
        encryption,
        parameters.apu.as_deref().unwrap_or_default(),
        parameters.apv.as_deref().unwrap_or_default(),
        crypto,
    );
    let deflated;
    let content = if parameters.compressed {
        deflated = zeroize::Zeroizing::new(format::deflate_raw(plaintext));
        &deflated[..]
    } else {
        plaintext
    };
    let sealed = crypto
        .seal_gcm(&key, &nonce, header.as_bytes(), content)
        .expect("the key has the length of its algorithm");
    let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG);
    Ok(format!(
        "{header}..{}.{}.{}",
        encoding::base64url(&nonce),
        encoding::base64url(ciphertext),
        encoding::base64url(tag)
    ))
}

const TAG: usize = 16;

fn write_header(
    recipient: &Recipient,
    encryption: ContentEncryption,
    parameters: &Parameters,
    epk: &PublicKey,
) -> String {
    let mut header = Map::new();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            header.insert(name.to_owned(), value.into());
        }
    };
    put("alg", Some(ECDH_ES.into()));
    put("enc", Some(encryption.name().into()));
    put("kid", recipient.kid.clone());
    put("apu", parameters.apu.as_deref().map(encoding::base64url));
    put("apv", parameters.apv.as_deref().map(encoding::base64url));
    put("typ", parameters.typ.clone());
    put("cty", parameters.cty.clone());
    put("zip", parameters.compressed.then(|| "DEF".into()));
    header.insert("epk".into(), epk.to_jwk().expect("a P-256 key has a JWK form"));
    encoding::base64url(Value::Object(header).to_string().as_bytes())
}

/// The content encryption key of direct `ECDH-ES`: one round of Concat KDF with SHA-256 (RFC 7518 §4.6.2, NIST SP 800-56A §5.8.1) over the shared
/// secret.
pub fn derive_key(
    shared: &Secret<[u8; 32]>,
    encryption: ContentEncryption,
    apu: &[u8],
    apv: &[u8],
    provider: &(impl Provider + ?Sized),
) -> SecretBytes {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("a header is short").to_be_bytes();
    let name = encryption.name().as_bytes();
    let bits = u32::try_from(encryption.key_length() * 8)
        .expect("128 or 256")
        .to_be_bytes();
    let digest = provider.sha256(&[
        &1_u32.to_be_bytes(),
        shared.expose(),
        &length(name),
        name,
        &length(apu),
        apu,
        &length(apv),
        apv,
        &bits,
    ]);
    SecretBytes::new(digest.0[..encryption.key_length()].to_vec())
}

/// A compact JWE that was read and not opened. Its header is whoever's wrote it.
#[derive(Clone)]
pub struct Jwe<'a> {
    kid: Option<String>,
    encryption: ContentEncryption,
    parameters: Parameters,
    epk: PublicKey,
    authenticated: &'a str,
    nonce: [u8; 12],
    sealed: Vec<u8>,
}

impl fmt::Debug for Jwe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwe")
            .field("kid", &self.kid)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

impl<'a> Jwe<'a> {
    /// Reads `token`, of at most `max_bytes`.
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, JweError> {
        if token.len() > max_bytes {
            return Err(JweError::TooLarge(max_bytes));
        }
        let mut parts = token.split('.');
        let mut next = || parts.next().ok_or(JweError::Parts);
        let (authenticated, encrypted_key, nonce, ciphertext, tag) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(JweError::Parts);
        }
        if authenticated.len() > MAX_HEADER / 3 * 4 + 4 {
            return Err(JweError::Header(JsonError::TooLarge(MAX_HEADER)));
        }
        let decode = |part, text| encoding::from_base64url(text).map_err(|_| JweError::Part(part));
        let header = json::parse_object(&decode("the header", authenticated)?, MAX_HEADER).map_err(JweError::Header)?;
        let (kid, encryption, parameters, epk) = read_header(&header)?;
        // Direct key agreement has no encrypted key (RFC 7516 §5.2 step 10).
        if !encrypted_key.is_empty() {
            return Err(JweError::Part("the encrypted key"));
        }
        let nonce = decode("the nonce", nonce)?
            .try_into()
            .map_err(|_| JweError::Part("the nonce"))?;
        let mut sealed = decode("the ciphertext", ciphertext)?;
        let tag = decode("the tag", tag)?;
        if tag.len() != TAG {
            return Err(JweError::Part("the tag"));
        }
        sealed.extend_from_slice(&tag);
        Ok(Self {
            kid,
            encryption,
            parameters,
            epk,
            authenticated,
            nonce,
            sealed,
        })
    }

    /// `kid`: which of the recipient's keys it claims to be encrypted to.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
    /// `enc`.
    pub fn encryption(&self) -> ContentEncryption {
        self.encryption
    }
    /// The rest of the header that is used.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
    /// Whether `typ` names `application/` and `name` (compared as RFC 7515 §4.1.9 asks).
    pub fn is_type(&self, name: &str) -> bool {
        let typ = self.parameters.typ.as_deref().unwrap_or_default();
        let bare = match typ.get(..12) {
            Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
            _ => typ,
        };
        bare.eq_ignore_ascii_case(name)
    }

    /// Opens it. Content that is compressed is refused, unless `inflate` says to how many bytes it may come.
    pub fn decrypt(
        &self,
        private: &PrivateKey,
        inflate: Option<usize>,
        crypto: &dyn Encryption,
    ) -> Result<SecretBytes, JweError> {
        if self.parameters.compressed && inflate.is_none() {
            return Err(JweError::Compression);
        }
        let shared = crypto
            .p256_agree(private, &self.epk)
            .ok_or(JweError::Key("ephemeral"))?;
        let party = |info: &'_ Option<Vec<u8>>| info.clone().unwrap_or_default();
        let key = derive_key(
            &shared,
            self.encryption,
            &party(&self.parameters.apu),
            &party(&self.parameters.apv),
            crypto,
        );
        let content = crypto
            .open_gcm(&key, &self.nonce, self.authenticated.as_bytes(), &self.sealed)
            .ok_or(JweError::Open)?;
        match inflate {
            Some(max) if self.parameters.compressed => format::inflate_raw(content.expose(), max)
                .map(SecretBytes::new)
                .ok_or(JweError::Inflate),
            _ => Ok(content),
        }
    }
}

type Header = (Option<String>, ContentEncryption, Parameters, PublicKey);

fn read_header(header: &Map<String, Value>) -> Result<Header, JweError> {
    if header.contains_key("crit") {
        return Err(JweError::Critical);
    }
    let text = |name: &'static str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(JweError::Parameter(name)),
    };
    if text("alg")?.as_deref() != Some(ECDH_ES) {
        return Err(JweError::Algorithm);
    }
    let encryption = text("enc")?
        .and_then(|name| ContentEncryption::from_name(&name))
        .ok_or(JweError::Encryption)?;
    let party = |name: &'static str| match text(name)? {
        None => Ok(None),
        Some(text) => encoding::from_base64url(&text)
            .ok()
            .filter(|bytes| bytes.len() <= MAX_PARTY_INFO)
            .map(Some)
            .ok_or(JweError::Parameter(name)),
    };
    let compressed = match text("zip")?.as_deref() {
        None => false,
        Some("DEF") => true,
        Some(_) => return Err(JweError::Compression),
    };
    let epk = match header.get("epk").and_then(PublicKey::from_jwk) {
        Some(key @ PublicKey::P256(_)) => key,
        _ => return Err(JweError::Parameter("epk")),
    };
    let parameters = Parameters {
        apu: party("apu")?,
        apv: party("apv")?,
        typ: text("typ")?,
        cty: text("cty")?,
        compressed,
    };
    Ok((text("kid")?, encryption, parameters, epk))
}
