//! Foreign document signers with RSA keys. PS256 takes a random salt, so what they signed is kept in `vectors/keys/TEST-RSA.json`, where
//! `vectors/keys/rsa.py` puts it.

use super::*;
use ciborium::Value as Cbor;
use std::{fs, io::Write as _, path::PathBuf};
use vidimus_core::encoding::from_base64;

/// `alg` of PS256 in COSE (RFC 8230 §2).
const PS256: i64 = -37;

/// A signer of the file.
pub struct RsaSigner {
    name: &'static str,
    pub certificate: Vec<u8>,
}

/// 2048 bits, in a trust list.
pub static FOREIGN_RSA: LazyLock<RsaSigner> = LazyLock::new(|| RsaSigner::named("foreign-rsa"));
/// 1024 bits: nobody should trust it.
pub static SMALL_RSA: LazyLock<RsaSigner> = LazyLock::new(|| RsaSigner::named("foreign-rsa-small"));

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/keys/TEST-RSA.json")
}

fn file() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

impl RsaSigner {
    fn named(name: &'static str) -> Self {
        let certificate = from_base64(file()["keys"][name]["certificate"].as_str().unwrap()).unwrap();
        Self { name, certificate }
    }

    /// What the file has for this message. One that it does not have is left there to be signed.
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let (mut file, message) = (file(), base64(message));
        let entries = file["signatures"].as_array_mut().unwrap();
        let found = entries
            .iter()
            .find(|entry| entry["key"] == self.name && entry["message"] == message.as_str())
            .map(|entry| from_base64(entry["signature"].as_str().unwrap()).unwrap());
        if let Some(signature) = found.filter(|signature| !signature.is_empty()) {
            return signature;
        }
        if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
            entries.push(json!({"key": self.name, "message": message, "signature": ""}));
            fs::write(path(), serde_json::to_string_pretty(&file).unwrap() + "\n").unwrap();
            eprintln!("run vectors/keys/rsa.py, then again");
            return Vec::new();
        }
        panic!(
            "TEST-RSA.json lacks a signature: run with VIDIMUS_WRITE_VECTORS=1, then vectors/keys/rsa.py, then again"
        );
    }

    /// An HCERT with PS256 under `kid`.
    pub fn hcert(&self, content: &hcert::Content, kid: [u8; 8]) -> String {
        ps256_hcert(content, kid, |message| self.sign(message))
    }

    pub fn kid(&self) -> [u8; 8] {
        kid(&self.certificate)
    }

    /// Its entry of a trust list.
    pub fn entry(&self) -> Value {
        json!({
            "certificateType": "DSC", "country": "FR", "kid": base64(&self.kid()), "rawData": base64(&self.certificate),
        })
    }
}

/// An HCERT that says PS256, with any signature.
pub fn ps256_hcert(content: &hcert::Content, kid: [u8; 8], sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let es256 = hcert::prepare(content, kid).unwrap().finish(&[]);
    let cose = hcert::decompress(&hcert::decode(&es256).unwrap()).unwrap();
    let cose: Cbor = ciborium::from_reader(cose.as_slice()).unwrap();
    let payload = cose.as_tag().unwrap().1.as_array().unwrap()[2].clone();
    let header = vec![
        (Cbor::from(1), Cbor::from(PS256)),
        (Cbor::from(4), Cbor::Bytes(kid.to_vec())),
    ];
    let protected = Cbor::Bytes(written(&Cbor::Map(header)));
    let message = written(&Cbor::Array(vec![
        Cbor::from("Signature1"),
        protected.clone(),
        Cbor::Bytes(Vec::new()),
        payload.clone(),
    ]));
    let signature = Cbor::Bytes(sign(&message));
    let parts = vec![protected, Cbor::Map(Vec::new()), payload, signature];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    zlib.write_all(&written(&Cbor::Tag(18, Box::new(Cbor::Array(parts)))))
        .unwrap();
    format!("HC1:{}", base45::encode(zlib.finish().unwrap()))
}

fn written(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The trust list with the P-256 signer, and these.
pub fn foreign_with(signers: &[&RsaSigner]) -> Value {
    let (_, _, mut list) = foreign();
    let certificates = list["certificates"].as_array_mut().unwrap();
    certificates.extend(signers.iter().map(|signer| signer.entry()));
    list
}
