//! HCERTs that do not read.

use super::{Add, *};
use ciborium::Value as Cbor;
use flate2::{Compression, write::ZlibEncoder};
use std::io::Write;

pub fn cases(add: Add<'_>) {
    use Reason::*;
    let lab = &LABS.lab;
    let good = hcert_of(&hcert_content(&statement(lab)), lab.kid(2), &lab.keys[1].0);
    let compressed = base45::decode(&good[4..]).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::ZlibDecoder::new(&compressed[..]), &mut bytes).unwrap();
    let message: Cbor = ciborium::from_reader(&bytes[..]).unwrap();
    let Cbor::Tag(18, inner) = &message else {
        panic!("a COSE_Sign1")
    };
    let parts = inner.as_array().unwrap();
    let (protected, payload) = (parts[0].as_bytes().unwrap(), parts[2].as_bytes().unwrap());
    let empty = || Cbor::Map(Vec::new());
    let pack = |bytes: &[u8]| text_of(&zlib(bytes));
    add(
        "hcert-no-prefix",
        "Base45 without HC1: in front.",
        UnsupportedFormat,
        &|_| good[4..].into(),
    );
    add("hcert-hc2", "A version to come.", UnsupportedFormat, &|_| {
        good.replacen("HC1:", "HC2:", 1).into()
    });
    add(
        "hcert-lower-case",
        "The prefix in lower case.",
        UnsupportedFormat,
        &|_| good.replacen("HC1:", "hc1:", 1).into(),
    );
    add("hcert-empty", "The prefix alone.", Malformed, &|_| "HC1:".into());
    add(
        "hcert-base45-character",
        "A character that base45 does not have.",
        Malformed,
        &|_| format!("{good}_").into(),
    );
    add(
        "hcert-base45-length",
        "A single character left over.",
        Malformed,
        &|_| {
            let mut text = good.clone();
            while text[4..].len() % 3 != 1 {
                text.pop();
            }
            text.into()
        },
    );
    add(
        "hcert-base45-overflow",
        "Three characters that stand for more than two bytes.",
        Malformed,
        &|_| "HC1:GGW:::".into(),
    );
    add("hcert-cut", "The first half of a QR code.", Malformed, &|_| {
        good[..4 + (good.len() - 4) / 6 * 3].into()
    });
    add("hcert-oversized", "More text than a QR code holds.", TooLarge, &|_| {
        repeat("HC1:", "000", 40_000, "")
    });
    add("hcert-not-compressed", "COSE without zlib.", Malformed, &|_| {
        text_of(&bytes)
    });
    add("hcert-zlib-cut", "A zlib stream without its end.", Malformed, &|_| {
        text_of(&compressed[..compressed.len() - 5])
    });
    add(
        "hcert-zlib-checksum",
        "A zlib stream whose checksum is wrong.",
        Malformed,
        &|_| {
            let mut broken = compressed.clone();
            *broken.last_mut().unwrap() ^= 1;
            text_of(&broken)
        },
    );
    add(
        "hcert-zlib-trailing",
        "Something after the end of the zlib stream.",
        Malformed,
        &|_| text_of(&[compressed.as_slice(), b"more"].concat()),
    );
    add(
        "hcert-zlib-bomb",
        "Ten megabytes of zeros in a few characters.",
        TooLarge,
        &|_| text_of(&zlib(&vec![0; 10 << 20])),
    );
    add("hcert-cbor-cut", "CBOR that ends too early.", Malformed, &|_| {
        pack(&bytes[..bytes.len() - 3])
    });
    add(
        "hcert-cbor-trailing",
        "Something after the end of the CBOR.",
        Malformed,
        &|_| pack(&[bytes.as_slice(), &[0]].concat()),
    );
    add(
        "hcert-cbor-length-lie",
        "A text that says it has four gigabytes.",
        Malformed,
        &|_| pack(&[0xd2, 0x84, 0x5b, 0, 0, 0, 1, 0, 0, 0, 0]),
    );
    add("hcert-cbor-deep", "Lists within lists.", Malformed, &|_| {
        pack(&[&[0xd2][..], &[0x81; 5_000], &[0x00]].concat())
    });
    add(
        "hcert-cbor-not-cose",
        "CBOR, but no signed message.",
        Malformed,
        &|_| pack(&cbor(&Cbor::Text("hello".to_owned()))),
    );
    add(
        "hcert-cose-three-parts",
        "A message without its signature.",
        Malformed,
        &|_| pack(&cbor(&Cbor::Tag(18, Box::new(Cbor::Array(parts[..3].to_vec()))))),
    );
    add(
        "hcert-cose-detached",
        "The payload is somewhere else.",
        Malformed,
        &|_| {
            let mut parts = parts.clone();
            parts[2] = Cbor::Null;
            pack(&cbor(&Cbor::Tag(18, Box::new(Cbor::Array(parts)))))
        },
    );
    add(
        "hcert-cose-mac",
        "A message authentication code instead of a signature.",
        Malformed,
        &|_| pack(&cbor(&Cbor::Tag(17, inner.clone()))),
    );
    let header = |entries: Vec<(i64, Cbor)>| {
        cbor(&Cbor::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Cbor::from(key), value))
                .collect(),
        ))
    };
    let kid = || Cbor::Bytes(lab.kid(2).to_vec());
    add("hcert-alg-hmac", "HMAC claimed.", AlgorithmNotAllowed, &|_| {
        pack(&cose(&header(vec![(1, Cbor::from(5)), (4, kid())]), empty(), payload))
    });
    add("hcert-alg-absent", "No algorithm.", AlgorithmNotAllowed, &|_| {
        pack(&cose(&header(vec![(4, kid())]), empty(), payload))
    });
    add(
        "hcert-crit",
        "A critical parameter that nobody knows.",
        Malformed,
        &|_| {
            let crit = Cbor::Array(vec![Cbor::from(99)]);
            pack(&cose(
                &header(vec![(1, Cbor::from(-7)), (4, kid()), (2, crit), (99, Cbor::from(1))]),
                empty(),
                payload,
            ))
        },
    );
    add(
        "hcert-header-twice",
        "Two algorithms in the header.",
        Malformed,
        &|_| {
            pack(&cose(
                &header(vec![(1, Cbor::from(-7)), (1, Cbor::from(-7)), (4, kid())]),
                empty(),
                payload,
            ))
        },
    );
    let claims: Cbor = ciborium::from_reader(&payload[..]).unwrap();
    add("hcert-claims-twice", "Two expiry times.", Malformed, &|_| {
        let mut entries = claims.as_map().unwrap().clone();
        entries.push((Cbor::from(4), Cbor::from(4_000_000_000_u64)));
        pack(&cose(protected, empty(), &cbor(&Cbor::Map(entries))))
    });
    add("hcert-claims-not-a-map", "Claims that are a list.", Malformed, &|_| {
        pack(&cose(protected, empty(), &cbor(&Cbor::Array(vec![claims.clone()]))))
    });
    for (name, says, key) in [
        ("hcert-without-exp", "It never ends.", 4),
        ("hcert-without-iat", "It was never signed.", 6),
        ("hcert-without-payload", "A signed message about nothing.", -260),
    ] {
        add(name, says, Malformed, &|_| {
            let mut entries = claims.as_map().unwrap().clone();
            entries.retain(|(name, _)| *name != Cbor::from(key));
            pack(&cose(protected, empty(), &cbor(&Cbor::Map(entries))))
        });
    }
    add(
        "hcert-status-garbled",
        "A status that is not understood is not an absent one.",
        Malformed,
        &|_| {
            let mut entries = claims.as_map().unwrap().clone();
            for (name, value) in &mut entries {
                if *name == Cbor::from(65_535) {
                    *value = Cbor::Text("none".to_owned());
                }
            }
            pack(&cose(protected, empty(), &cbor(&Cbor::Map(entries))))
        },
    );
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text_of(bytes: &[u8]) -> Input {
    format!("HC1:{}", base45::encode(bytes)).into()
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// A COSE_Sign1 of these parts, signed by the laboratory.
fn cose(protected: &[u8], unprotected: Cbor, payload: &[u8]) -> Vec<u8> {
    let structure = Cbor::Array(vec![
        Cbor::Text("Signature1".to_owned()),
        Cbor::Bytes(protected.to_vec()),
        Cbor::Bytes(Vec::new()),
        Cbor::Bytes(payload.to_vec()),
    ]);
    let signature = LABS.lab.keys[1].0.sign(Algorithm::Es256, &cbor(&structure)).unwrap();
    let parts = vec![
        Cbor::Bytes(protected.to_vec()),
        unprotected,
        Cbor::Bytes(payload.to_vec()),
        Cbor::Bytes(signature),
    ];
    cbor(&Cbor::Tag(18, Box::new(Cbor::Array(parts))))
}
