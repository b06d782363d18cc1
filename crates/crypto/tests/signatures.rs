//! The provider against `vectors/crypto/signatures.json`, and signing keys against published signatures.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::{bytes, text, vectors};
use proptest::prelude::*;
use vidimus_core::{
    Address, Algorithm, Provider, PublicKey, SignError, SignatureError, Signer,
    encoding::{from_base64url, from_hex, hex},
};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};

const KINDS: [KeyKind; 3] = [KeyKind::Secp256k1, KeyKind::P256, KeyKind::Ed25519];

fn key(kind: &str, bytes: Vec<u8>) -> PublicKey {
    match kind {
        "p256" => PublicKey::P256(bytes.try_into().unwrap()),
        "secp256k1" => PublicKey::Secp256k1(bytes.try_into().unwrap()),
        "ed25519" => PublicKey::Ed25519(bytes.try_into().unwrap()),
        "rsa" => PublicKey::Rsa(bytes),
        other => panic!("{other}"),
    }
}

#[test]
fn every_vector_ends_as_it_says() {
    let native = Native::new();
    let vectors = vectors("signatures.json");
    let cases = vectors["cases"].as_array().unwrap();
    let mut rejected = 0;
    for case in cases {
        let algorithm = Algorithm::from_name(text(&case["algorithm"])).unwrap();
        let key = key(text(&case["key"]["kind"]), bytes(&case["key"]["bytes"]));
        let expected = match text(&case["expected"]) {
            "valid" => Ok(()),
            "invalid" => Err(SignatureError::Invalid),
            "key" => Err(SignatureError::Key),
            other => panic!("{other}"),
        };
        let (message, signature) = (bytes(&case["message"]), bytes(&case["signature"]));
        // Twice: the second time the key is a kept one.
        for _ in 0..2 {
            let verdict = native.verify(algorithm, &key, &message, &signature);
            assert_eq!(verdict, expected, "{}", case["name"]);
        }
        rejected += usize::from(expected.is_err());
    }
    assert!(
        rejected > 80 && cases.len() - rejected > 15,
        "more rejects than accepts, and both"
    );
}

#[test]
fn an_account_verifies_what_its_key_would() {
    let vectors = vectors("signatures.json");
    let mut seen = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let algorithm = Algorithm::from_name(text(&case["algorithm"])).unwrap();
        if text(&case["key"]["kind"]) != "secp256k1" || text(&case["expected"]) == "key" {
            continue;
        }
        let key = key("secp256k1", bytes(&case["key"]["bytes"]));
        let (message, signature) = (bytes(&case["message"]), bytes(&case["signature"]));
        // A new provider recovers; one that has seen the account compares with its key. Both agree.
        let fresh = Native::new();
        let account = key.address(&fresh).unwrap();
        let expected = fresh.verify(algorithm, &key, &message, &signature);
        assert_eq!(
            fresh.verify_account(algorithm, &account, &message, &signature),
            expected,
            "{}",
            case["name"]
        );
        assert_eq!(
            fresh.verify_account(algorithm, &account, &message, &signature),
            expected,
            "{}",
            case["name"]
        );
        let stranger = Address([7; 20]);
        assert_eq!(
            fresh.verify_account(algorithm, &stranger, &message, &signature),
            Err(SignatureError::Invalid),
            "{}",
            case["name"]
        );
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256] {
        let verdict = Native::new().verify_account(algorithm, &Address([7; 20]), b"", &[0; 64]);
        assert_eq!(verdict, Err(SignatureError::Key));
    }
}

#[test]
fn the_jws_of_rfc_7515_appendix_a_3_verifies() {
    let key = PublicKey::from_jwk(&serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }))
    .unwrap();
    let input = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        from_base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
            .unwrap();
    assert_eq!(Native::new().verify(Algorithm::Es256, &key, input, &signature), Ok(()));
}

#[test]
fn keys_sign_as_published() {
    // The deterministic signature (RFC 6979) that Bitcoin's libraries test by.
    let mut one = [0; 32];
    one[31] = 1;
    let key = SigningKey::from_bytes(KeyKind::Secp256k1, &one).unwrap();
    assert_eq!(
        hex(&key.sign(Algorithm::Es256k, b"Satoshi Nakamoto").unwrap()),
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    );
    assert_eq!(
        key.public_key().address(&Native::new()).unwrap().to_string(),
        "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    );
    // RFC 8032 §7.1, test 2.
    let seed = from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
    let key = SigningKey::from_bytes(KeyKind::Ed25519, &seed).unwrap();
    assert_eq!(
        hex(key.public_key().as_bytes()),
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    assert_eq!(
        hex(&key.sign(Algorithm::EdDsa, &[0x72]).unwrap()),
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
    // RFC 6979 A.2.5: the key; aws-lc-rs draws its nonces, so the signature is another each time.
    let scalar = from_hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap();
    let key = SigningKey::from_bytes(KeyKind::P256, &scalar).unwrap();
    assert_eq!(
        hex(key.public_key().as_bytes()),
        "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    );
}

#[test]
fn keccak_is_ethereums_and_sha256_concatenates() {
    let native = Native::new();
    assert_eq!(
        hex(&native.keccak256(b"")),
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    );
    assert_eq!(
        native.sha256(&[b"a", b"", b"bc"]).to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn a_key_signs_with_its_own_algorithms_only() {
    let native = Native::new();
    for kind in KINDS {
        let key = SigningKey::generate(kind, &mut OsEntropy);
        for algorithm in [
            Algorithm::Es256,
            Algorithm::Es256k,
            Algorithm::Es256kR,
            Algorithm::EdDsa,
            Algorithm::Ps256,
        ] {
            let signature = key.sign(algorithm, b"message");
            if key.algorithms().contains(&algorithm) {
                assert_eq!(
                    native.verify(algorithm, key.public_key(), b"message", &signature.unwrap()),
                    Ok(())
                );
            } else {
                assert_eq!(signature, Err(SignError::Algorithm(algorithm)));
                assert!(!key.public_key().fits(algorithm));
            }
        }
    }
}

#[test]
fn bytes_that_are_no_key_are_refused() {
    // The group orders, and one above.
    let p256 = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let secp256k1 = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    for (kind, order) in [(KeyKind::P256, p256), (KeyKind::Secp256k1, secp256k1)] {
        for bytes in [
            from_hex(order).unwrap(),
            vec![0; 32],
            vec![0xff; 32],
            vec![1; 31],
            vec![1; 33],
            Vec::new(),
        ] {
            assert!(
                SigningKey::from_bytes(kind, &bytes).is_err(),
                "{kind:?} {}",
                hex(&bytes)
            );
        }
        let mut last = from_hex(order).unwrap();
        last[31] -= 1;
        assert!(SigningKey::from_bytes(kind, &last).is_ok());
    }
    assert!(SigningKey::from_bytes(KeyKind::Ed25519, &[1; 31]).is_err());
}

#[test]
fn a_private_key_reads_back_and_never_prints() {
    for kind in KINDS {
        let key = SigningKey::generate(kind, &mut OsEntropy);
        let bytes = key.expose_bytes();
        let again = SigningKey::from_bytes(kind, bytes.expose()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(again.kind(), kind);
        assert_eq!(KeyKind::from_name(kind.name()), Some(kind));
        assert!(!format!("{key:?} {bytes:?}").contains(&hex(bytes.expose())));
    }
}

#[test]
fn a_digest_is_signed_as_ethereum_asks() {
    let key = SigningKey::from_bytes(KeyKind::Secp256k1, &[0x46; 32]).unwrap();
    let native = Native::new();
    // The account and the transaction of EIP-155's example.
    assert_eq!(
        key.public_key().address(&native).unwrap().to_string(),
        "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"
    );
    let hash = from_hex("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53").unwrap();
    let signature = key.sign_digest(&hash.try_into().unwrap()).unwrap();
    assert_eq!(
        hex(&signature),
        "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa63627667cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d8300"
    );
    let other = SigningKey::from_bytes(KeyKind::P256, &[0x46; 32]).unwrap();
    assert_eq!(
        other.sign_digest(&[0; 32]),
        Err(SignError::Algorithm(Algorithm::Es256kR))
    );
}

#[test]
fn compressed_points_are_decompressed_or_refused() {
    let native = Native::new();
    let one = from_hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap();
    let key = native.decompress(&one.clone().try_into().unwrap()).unwrap();
    assert_eq!(
        key.address(&native).unwrap().to_string(),
        "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    );
    // x = 5 is on no point of secp256k1.
    let mut none = [0; 33];
    (none[0], none[32]) = (2, 5);
    assert_eq!(native.decompress(&none), Err(SignatureError::Key));
    let mut tag: [u8; 33] = one.try_into().unwrap();
    tag[0] = 4;
    assert_eq!(native.decompress(&tag), Err(SignatureError::Key));
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_near_it(
        seed in prop::array::uniform32(1u8..), message in prop::collection::vec(any::<u8>(), 0..100), flip in any::<u16>()
    ) {
        let native = Native::new();
        for kind in KINDS {
            let key = SigningKey::from_bytes(kind, &seed);
            prop_assume!(key.is_ok());
            let key = key.unwrap();
            for &algorithm in key.algorithms() {
                let signature = key.sign(algorithm, &message).unwrap();
                prop_assert_eq!(native.verify(algorithm, key.public_key(), &message, &signature), Ok(()));
                if algorithm == Algorithm::Es256kR {
                    let signature = signature.clone().try_into().unwrap();
                    prop_assert_eq!(&native.recover(&message, &signature).unwrap(), key.public_key());
                }
                let mut near = signature.clone();
                let bit = usize::from(flip) % (near.len() * 8);
                near[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(native.verify(algorithm, key.public_key(), &message, &near).is_err());
                let mut other = message.clone();
                other.push(0);
                prop_assert!(native.verify(algorithm, key.public_key(), &other, &signature).is_err());
            }
        }
    }
}
