//! Status lists: the authority publishes, the airline looks up.

use crate::support::{NOW, key, public};
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{Algorithm, Signer, encoding::base64url};
use vidimus_credential::{
    jws::Unsigned,
    status::{
        Bits, MIN_ENTRIES, SigningHeader, Status, StatusError,
        bitstring::{self, BitstringList, Purpose},
        token_list::{self, TokenList},
    },
};
use vidimus_crypto::{KeyKind, Native};

const URI: &str = "https://health.example/status/1";
const HEADER: SigningHeader<'_> = SigningHeader {
    algorithm: Algorithm::Es256,
    kid: Some("status-1"),
    x5c: &[],
};

fn token_terms() -> token_list::Terms {
    token_list::Terms {
        uri: URI.into(),
        issued_at: NOW,
        expires_at: Some(NOW.plus(86_400)),
        ttl: Some(300),
    }
}

fn bitstring_terms() -> bitstring::Terms {
    bitstring::Terms {
        uri: format!("{URI}/revocation"),
        issuer: "did:ethr:0x56494d:0x00112233445566778899aabbccddeeff00112233".into(),
        valid_from: NOW,
        valid_until: Some(NOW.plus(86_400)),
        ttl: Some(300),
    }
}

fn foreign(header: Value, payload: Value) -> String {
    Unsigned::new(header.as_object().unwrap(), payload.to_string().as_bytes()).finish(&[0; 64])
}

fn token_of(bits: u64, list: &str) -> String {
    foreign(
        json!({"alg": "ES256", "typ": "statuslist+jwt"}),
        json!({"sub": URI, "iat": NOW.0, "status_list": {"bits": bits, "lst": list}}),
    )
}

#[test]
fn the_airline_sees_what_the_authority_set_in_all_three_lists() {
    let signer = key(KeyKind::P256, 3);
    let native = Native::new();
    let mut bits = Bits::new(0).unwrap();
    assert_eq!(bits.entries(), MIN_ENTRIES);
    bits.set(0, Status::Revoked).unwrap();
    bits.set(90_001, Status::Suspended).unwrap();
    bits.set(131_071, Status::Revoked).unwrap();
    bits.set(5, Status::Revoked).unwrap();
    bits.set(5, Status::Valid).unwrap();
    let finish = |unsigned: Unsigned| {
        let signature = signer.sign(Algorithm::Es256, unsigned.message()).unwrap();
        unsigned.finish(&signature)
    };
    let token = finish(token_list::prepare(&bits, &token_terms(), &HEADER).unwrap());
    let list = TokenList::parse(&token).unwrap();
    assert_eq!((&list.terms, list.entries()), (&token_terms(), MIN_ENTRIES));
    assert_eq!(list.signed.verify(&native, Algorithm::Es256, &public(&signer)), Ok(()));
    let read = |purpose| {
        let token = finish(bitstring::prepare(&bits, purpose, &bitstring_terms(), &HEADER).unwrap());
        let list = BitstringList::parse(&token).unwrap();
        assert_eq!(
            (&list.terms, list.purpose, list.entries()),
            (&bitstring_terms(), purpose, MIN_ENTRIES)
        );
        assert_eq!(list.signed.verify(&native, Algorithm::Es256, &public(&signer)), Ok(()));
        list
    };
    let (revoked, suspended) = (read(Purpose::Revocation), read(Purpose::Suspension));
    for (index, status) in [
        (0, Status::Revoked),
        (1, Status::Valid),
        (5, Status::Valid),
        (90_001, Status::Suspended),
        (131_071, Status::Revoked),
    ] {
        assert_eq!(bits.status(index), Ok(status));
        assert_eq!(list.status(index), Ok(status));
        assert_eq!(revoked.is_set(index), Ok(status == Status::Revoked), "{index}");
        assert_eq!(suspended.is_set(index), Ok(status == Status::Suspended), "{index}");
    }
    for index in [MIN_ENTRIES, u64::MAX] {
        let outside = StatusError::Index {
            index,
            entries: MIN_ENTRIES,
        };
        assert_eq!(bits.status(index), Err(outside));
        assert_eq!(bits.set(index, Status::Revoked), Err(outside));
        assert_eq!(list.status(index), Err(outside));
        assert_eq!(revoked.is_set(index), Err(outside));
    }
}

#[test]
fn the_draft_s_own_examples_read_as_it_says() {
    // draft-ietf-oauth-status-list §4.1.
    let one = TokenList::parse(&token_of(1, "eNrbuRgAAhcBXQ")).unwrap();
    let expected = [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1];
    assert_eq!(one.entries(), 16);
    for (index, value) in expected.into_iter().enumerate() {
        assert_eq!(one.status(index as u64), Ok(Status::from_value(value)), "{index}");
    }
    let two = TokenList::parse(&token_of(2, "eNo76fITAAPfAgc")).unwrap();
    for (index, value) in [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3].into_iter().enumerate() {
        assert_eq!(two.status(index as u64), Ok(Status::from_value(value)), "{index}");
    }
    assert_eq!(two.status(3), Ok(Status::Other(3)));
    assert_eq!(two.status(12), Err(StatusError::Index { index: 12, entries: 12 }));
}

#[test]
fn the_w3c_s_own_example_reads_as_it_says() {
    // Bitstring Status List 1.0, example of a status list credential: 131 072 entries, none set.
    let list = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA";
    let token = bitstring_of(|_| {}, list);
    let read = BitstringList::parse(&token).unwrap();
    assert_eq!(read.entries(), 131_072);
    assert_eq!(read.status(94_567), Ok(Status::Valid));
    assert_eq!(read.terms.ttl, Some(300));
}

fn bitstring_of(change: impl FnOnce(&mut Value), list: &str) -> String {
    let mut credential = json!({
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": URI,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": "did:example:12345",
        "validFrom": "2021-04-05T14:27:40Z",
        "credentialSubject": {"id": format!("{URI}#list"), "type": "BitstringStatusList", "statusPurpose": "revocation", "encodedList": list, "ttl": 300_000}
    });
    change(&mut credential);
    foreign(json!({"alg": "ES256", "typ": "vc+jwt"}), credential)
}

#[test]
fn a_status_list_that_is_not_one_is_refused() {
    let good = "eNrbuRgAAhcBXQ";
    for bits in [0, 3, 5, 16, u64::MAX] {
        assert_eq!(
            TokenList::parse(&token_of(bits, good)).unwrap_err(),
            StatusError::Claim("bits")
        );
    }
    for list in ["", "eNrbuRgAAhcBXA", "eNrbuRgA", "eNrbuRgAAhcBXQAA", "eNrb=", "H4sI"] {
        assert_eq!(
            TokenList::parse(&token_of(1, list)).unwrap_err(),
            StatusError::Compression,
            "{list}"
        );
    }
    for typ in ["JWT", "statuslist+cwt", "vc+jwt", ""] {
        let payload = json!({"sub": URI, "iat": 1, "status_list": {"bits": 1, "lst": good}});
        let token = foreign(json!({"alg": "ES256", "typ": typ}), payload);
        assert_eq!(TokenList::parse(&token).unwrap_err(), StatusError::Type, "{typ}");
    }
    for (name, payload) in [
        ("sub", json!({"iat": 1, "status_list": {"bits": 1, "lst": good}})),
        (
            "sub",
            json!({"sub": 7, "iat": 1, "status_list": {"bits": 1, "lst": good}}),
        ),
        ("iat", json!({"sub": URI, "status_list": {"bits": 1, "lst": good}})),
        (
            "exp",
            json!({"sub": URI, "iat": 1, "exp": "soon", "status_list": {"bits": 1, "lst": good}}),
        ),
        (
            "ttl",
            json!({"sub": URI, "iat": 1, "ttl": 0, "status_list": {"bits": 1, "lst": good}}),
        ),
        ("status_list", json!({"sub": URI, "iat": 1})),
        ("bits", json!({"sub": URI, "iat": 1, "status_list": []})),
        ("lst", json!({"sub": URI, "iat": 1, "status_list": {"bits": 1}})),
    ] {
        let token = foreign(json!({"alg": "ES256", "typ": "statuslist+jwt"}), payload);
        assert_eq!(TokenList::parse(&token).unwrap_err(), StatusError::Claim(name));
    }
    assert_eq!(
        token_list::prepare(
            &Bits::new(0).unwrap(),
            &token_terms(),
            &SigningHeader {
                algorithm: Algorithm::Ps256,
                ..HEADER
            }
        ),
        Err(StatusError::Algorithm)
    );
}

#[test]
fn a_bitstring_list_that_is_not_one_is_refused() {
    let good = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA";
    type Change = fn(&mut Value);
    let changes: [(Change, StatusError); 10] = [
        (
            |c| c["@context"] = json!(["https://www.w3.org/2018/credentials/v1"]),
            StatusError::Type,
        ),
        (|c| c["type"] = json!(["VerifiableCredential"]), StatusError::Type),
        (
            |c| c["credentialSubject"]["type"] = json!("StatusList2021"),
            StatusError::Type,
        ),
        (
            |c| c["credentialSubject"]["statusPurpose"] = json!("message"),
            StatusError::Claim("statusPurpose"),
        ),
        (
            |c| c["credentialSubject"]["statusPurpose"] = json!(["revocation", "suspension"]),
            StatusError::Claim("statusPurpose"),
        ),
        (
            |c| c["credentialSubject"]["statusSize"] = json!(2),
            StatusError::Claim("statusSize"),
        ),
        (|c| c["credentialSubject"]["ttl"] = json!(-1), StatusError::Claim("ttl")),
        (|c| c["validFrom"] = json!("yesterday"), StatusError::Claim("validFrom")),
        (|c| c["issuer"] = json!(5), StatusError::Claim("issuer")),
        (
            |c| c["credentialSubject"]["encodedList"] = json!("zH4sI"),
            StatusError::Claim("encodedList"),
        ),
    ];
    for (change, error) in changes {
        assert_eq!(BitstringList::parse(&bitstring_of(change, good)).unwrap_err(), error);
    }
    // Fewer than 131 072 entries: a verifier must refuse it (§3.2).
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &[0; 16_383]).unwrap();
    let small = format!("u{}", base64url(&encoder.finish().unwrap()));
    assert_eq!(
        BitstringList::parse(&bitstring_of(|_| {}, &small)).unwrap_err(),
        StatusError::TooFew(131_064)
    );
}

#[test]
fn bombs_are_given_up_on() {
    let zeros = vec![0; (16 << 20) + 1];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zlib, &zeros).unwrap();
    assert_eq!(
        TokenList::parse(&token_of(1, &base64url(&zlib.finish().unwrap()))).unwrap_err(),
        StatusError::TooLarge
    );
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &zeros).unwrap();
    let list = format!("u{}", base64url(&gzip.finish().unwrap()));
    assert_eq!(
        BitstringList::parse(&bitstring_of(|_| {}, &list)).unwrap_err(),
        StatusError::TooLarge
    );
    assert_eq!(Bits::new(u64::MAX).unwrap_err(), StatusError::TooLarge);
}

#[test]
fn a_table_from_the_store_is_one_of_ours_or_refused() {
    let mut bits = Bits::new(MIN_ENTRIES + 1).unwrap();
    assert_eq!(bits.entries(), MIN_ENTRIES + 4);
    bits.set(7, Status::Suspended).unwrap();
    assert_eq!(Bits::from_bytes(bits.as_bytes().to_vec()), Ok(bits.clone()));
    assert_eq!(Bits::from_bytes(vec![0; 10]), Err(StatusError::TooFew(40)));
    for value in [0b11, 0b1100, 0b11_0000, 0b1100_0000] {
        let mut bytes = bits.as_bytes().to_vec();
        bytes[999] = value;
        assert_eq!(Bits::from_bytes(bytes), Err(StatusError::Value));
    }
    assert_eq!(bits.set(1, Status::Other(3)), Err(StatusError::Value));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_table_reads_back(changes in proptest::collection::vec((0..MIN_ENTRIES, 0_u8..3), 0..50)) {
        let mut bits = Bits::new(0).unwrap();
        let mut expected = std::collections::BTreeMap::new();
        for (index, value) in changes {
            bits.set(index, Status::from_value(value)).unwrap();
            expected.insert(index, Status::from_value(value));
        }
        let token = token_list::prepare(&bits, &token_terms(), &HEADER).unwrap().finish(&[0; 64]);
        let list = TokenList::parse(&token).unwrap();
        let bit = |purpose| {
            let token = bitstring::prepare(&bits, purpose, &bitstring_terms(), &HEADER).unwrap().finish(&[0; 64]);
            BitstringList::parse(&token).unwrap()
        };
        let (revoked, suspended) = (bit(Purpose::Revocation), bit(Purpose::Suspension));
        for (index, status) in expected {
            prop_assert_eq!(list.status(index), Ok(status));
            prop_assert_eq!(revoked.is_set(index), Ok(status == Status::Revoked));
            prop_assert_eq!(suspended.is_set(index), Ok(status == Status::Suspended));
        }
    }
}
