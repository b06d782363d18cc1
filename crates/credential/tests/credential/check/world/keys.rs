//! Keys made from their names.

use super::*;

/// A key made from its name.
pub struct TestKey {
    pub name: String,
    pub secret: [u8; 32],
    public: PublicKey,
    inner: Inner,
}

pub(super) enum Inner {
    Secp256k1(SigningKey),
    P256(p256::ecdsa::SigningKey),
}

impl TestKey {
    pub fn account(name: &str) -> Self {
        let name = format!("{name}-account");
        let secret = derive(&name);
        let key = SigningKey::from_bytes(KeyKind::Secp256k1, &secret).unwrap();
        Self {
            name,
            secret,
            public: key.public_key().clone(),
            inner: Inner::Secp256k1(key),
        }
    }
    pub fn p256(name: &str) -> Self {
        let name = format!("{name}-p256");
        let secret = derive(&name);
        let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_encoded_point(false);
        let public = PublicKey::P256(point.as_bytes().try_into().unwrap());
        Self {
            name,
            secret,
            public,
            inner: Inner::P256(key),
        }
    }
    pub fn address(&self) -> Address {
        self.public.address(&*PROVIDER).unwrap()
    }
    pub fn did(&self) -> String {
        did(&self.address())
    }
    pub fn file(&self) -> Value {
        json!({
            "comment": "TEST KEY, published: whoever trusts it trusts everybody",
            "name": self.name,
            "private": vidimus_core::encoding::hex(&self.secret),
            "public": self.public,
        })
    }
}

impl Signer for TestKey {
    fn algorithms(&self) -> &[Algorithm] {
        match &self.inner {
            Inner::Secp256k1(_) => &[Algorithm::Es256k, Algorithm::Es256kR],
            Inner::P256(_) => &[Algorithm::Es256],
        }
    }
    fn public_key(&self) -> &PublicKey {
        &self.public
    }
    fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.inner {
            Inner::Secp256k1(key) => key.sign(algorithm, message),
            Inner::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

pub fn did(address: &Address) -> String {
    format!("did:ethr:{CHAIN:#x}:{address}")
}

pub(super) fn derive(name: &str) -> [u8; 32] {
    PROVIDER.sha256(&[b"vidimus TEST KEY ", name.as_bytes()]).0
}

/// Bytes from a name.
pub struct Seeded(String, u64);

impl Seeded {
    pub fn new(name: &str) -> Self {
        Self(name.to_owned(), 0)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, into: &mut [u8]) {
        for byte in into {
            let block = PROVIDER.sha256(&[b"seed", self.0.as_bytes(), &(self.1 / 32).to_be_bytes()]);
            *byte = block.0[usize::try_from(self.1 % 32).unwrap()];
            self.1 += 1;
        }
    }
}
