//! The primitives of JWE: ECDH on P-256 against RFC 7518's example, AES-GCM against NIST's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::json;
use vidimus_core::{
    Encryption as _, PublicKey, Secret, SecretBytes,
    encoding::{from_base64url, hex},
};
use vidimus_crypto::Native;

fn scalar(text: &str) -> Secret<[u8; 32]> {
    Secret::new(from_base64url(text).unwrap().try_into().unwrap())
}

fn point(x: &str, y: &str) -> PublicKey {
    PublicKey::from_jwk(&json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})).unwrap()
}

/// RFC 7518 Appendix C: both sides come to the same Z.
#[test]
fn ecdh_gives_the_published_secret() {
    let alice = scalar("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let bob = scalar("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let (alices, bobs) = (
        point(
            "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
            "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        ),
        point(
            "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
            "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        ),
    );
    let native = Native::new();
    assert_eq!(native.p256_public(&alice), Some(alices.clone()));
    assert_eq!(native.p256_public(&bob), Some(bobs.clone()));
    let z = "9e56d91d817135d372834283bf84269cfb316ea3da806a48f6daa7798cfe90c4";
    assert_eq!(hex(native.p256_agree(&alice, &bobs).unwrap().expose()), z);
    assert_eq!(hex(native.p256_agree(&bob, &alices).unwrap().expose()), z);
}

#[test]
fn what_is_no_key_agrees_on_nothing() {
    let native = Native::new();
    let key = scalar("VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw");
    let good = native.p256_public(&key).unwrap();
    for scalar in [[0; 32], [0xff; 32]] {
        assert!(native.p256_public(&Secret::new(scalar)).is_none());
        assert!(native.p256_agree(&Secret::new(scalar), &good).is_none());
    }
    let mut off = [0; 65];
    off.copy_from_slice(good.as_bytes());
    off[64] ^= 1;
    assert!(
        native.p256_agree(&key, &PublicKey::P256(off)).is_none(),
        "not on the curve"
    );
    assert!(native.p256_agree(&key, &PublicKey::P256([4; 65])).is_none());
    assert!(native.p256_agree(&key, &PublicKey::Secp256k1(off)).is_none());
    assert!(native.p256_agree(&key, &PublicKey::Ed25519([9; 32])).is_none());
}

/// The GCM specification's test cases 2 and 14: one block of zeros under a key of zeros.
#[test]
fn gcm_gives_the_published_ciphertext_and_opens_nothing_else() {
    let native = Native::new();
    for (length, sealed) in [
        (16, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"),
        (32, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
    ] {
        let key = SecretBytes::new(vec![0; length]);
        let made = native.seal_gcm(&key, &[0; 12], b"", &[0; 16]).unwrap();
        assert_eq!(hex(&made), sealed);
        assert_eq!(native.open_gcm(&key, &[0; 12], b"", &made).unwrap().expose(), &[0; 16]);
        for place in 0..made.len() {
            let mut wrong = made.clone();
            wrong[place] ^= 1;
            assert!(native.open_gcm(&key, &[0; 12], b"", &wrong).is_none());
        }
        assert!(native.open_gcm(&key, &[0; 12], b"aad", &made).is_none());
        assert!(native.open_gcm(&key, &[1; 12], b"", &made).is_none());
        assert!(native.open_gcm(&key, &[0; 12], b"", &made[..15]).is_none());
    }
    assert!(
        native
            .seal_gcm(&SecretBytes::new(vec![0; 24]), &[0; 12], b"", b"")
            .is_none()
    );
}
