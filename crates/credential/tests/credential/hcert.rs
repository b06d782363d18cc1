//! HCERT: the laboratory prints, a member state's scanner reads; member states print, we read.

use crate::support::{NOW, key, public};
use ciborium::Value as Cbor;
use proptest::prelude::*;
use serde_json::{Value, json};
use vidimus_core::{Algorithm, Provider, PublicKey, Signer, Timestamp, encoding};
use vidimus_credential::{
    StatusReference,
    format::{
        self, FormatError, KeyHint, Unsigned,
        hcert::{self, Content, Sign1},
        qr::{MAX_CHARACTERS, QrCode},
    },
    x509::Certificate,
};
use vidimus_crypto::{KeyKind, Native};

const KID: [u8; 8] = [0xd9, 0x19, 0x37, 0x5f, 0xc1, 0xe7, 0xb6, 0xb2];

fn dcc() -> Value {
    json!({
        "ver": "1.3.0",
        "nam": {"fn": "Musterfrau-Gößinger", "fnt": "MUSTERFRAU<GOESSINGER", "gn": "Gabriele", "gnt": "GABRIELE"},
        "dob": "1998-02-26",
        "t": [{"tg": "840539006", "tt": "LP6464-4", "sc": "2026-03-01T06:00:00Z", "tr": "260415000", "tc": "Testing centre Vienna 1",
            "co": "AT", "is": "Ministry of Health, Austria", "ci": "URN:UVCI:01:AT:71EE2559DE38C6BF7304FB65A1A451EC#3"}]
    })
}

fn content() -> Content {
    Content {
        issuer_country: Some("AT".into()),
        issued_at: NOW,
        expires_at: NOW.plus(180 * 86_400),
        dcc: dcc(),
        status: Some(StatusReference {
            token_list: "https://health.example/status/1".into(),
            bitstring_list: None,
            suspension_list: None,
            index: 90_001,
        }),
    }
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

fn map(members: Vec<(i64, Cbor)>) -> Cbor {
    Cbor::Map(members.into_iter().map(|(k, v)| (Cbor::from(k), v)).collect())
}

/// A COSE_Sign1 as a foreign issuer may write it.
fn sign1(protected: Cbor, unprotected: Cbor, payload: Cbor) -> Cbor {
    Cbor::Array(vec![
        Cbor::Bytes(cbor(&protected)),
        unprotected,
        Cbor::Bytes(cbor(&payload)),
        Cbor::Bytes(vec![1; 64]),
    ])
}

fn es256() -> Cbor {
    map(vec![(1, Cbor::from(-7))])
}

fn payload() -> Vec<(i64, Cbor)> {
    let dcc = Cbor::Map(vec![(Cbor::from("ver"), Cbor::from("1.3.0"))]);
    vec![
        (4, Cbor::from(2_000_000_000)),
        (6, Cbor::from(1_900_000_000)),
        (-260, map(vec![(1, dcc)])),
    ]
}

fn read(cose: &Cbor) -> Result<Content, FormatError> {
    hcert::parse_cose(&cbor(cose)).map(|parsed| match parsed.content {
        format::Content::Hcert(content) => *content,
        format::Content::Statement(_) | format::Content::SdJwtVc(_) => panic!("an HCERT has no statement"),
    })
}

#[test]
fn what_the_laboratory_prints_reads_back_verifies_and_fits_the_qr_code() {
    let native = Native::new();
    let key = key(KeyKind::P256, 5);
    let unsigned = Unsigned::Hcert(hcert::prepare(&content(), KID).unwrap());
    assert_eq!(
        Unsigned::from_message(vidimus_credential::Format::Hcert, unsigned.message().to_vec()),
        Ok(unsigned.clone())
    );
    let digest = unsigned.digest(&native);
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let text = unsigned.finish(&signature);
    let parsed = format::parse(&text).unwrap();
    assert_eq!(parsed.content, format::Content::Hcert(Box::new(content())));
    assert_eq!(
        (parsed.algorithm, &parsed.key),
        (Algorithm::Es256, &KeyHint::Bytes(KID.into()))
    );
    assert_eq!(parsed.digest(&native), digest);
    assert_eq!(
        native.verify(Algorithm::Es256, &public(&key), &parsed.message, &parsed.signature),
        Ok(())
    );
    assert_eq!(format::parse(&format!(" {text}\n")), Ok(parsed));
    let code = QrCode::new(&text).unwrap();
    assert!(code.version() <= 20, "version {}", code.version());
}

/// Numbers that look random, the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

/// What the laboratory promises to draw is judged before copy, place and signature are known.
#[test]
fn what_is_said_to_fit_a_code_fits_it_whatever_is_random_in_it() {
    let mut noise = Noise(1);
    let greek: Vec<char> = ('Α'..='Ω').chain('α'..='ω').chain('ἀ'..='Ἇ').collect();
    let (mut fitting, mut longest, mut worst) = (0, 0, 0_i64);
    for round in 0..400_usize {
        let letters = &greek[..[24, 49, greek.len()][round % 3]];
        let mut of = |count: usize| -> String {
            let letter = |_| letters[usize::try_from(noise.next() % letters.len() as u64).unwrap()];
            (0..count).map(letter).collect()
        };
        let (name, centre, test) = (of(80), of(round / 5), of(80));
        let with = |copy: [u8; 16], place: u64, list: u64| {
            let mut content = content();
            content.dcc["nam"]["fn"] = json!(name);
            content.dcc["nam"]["gn"] = json!(test);
            content.dcc["t"][0]["nm"] = json!(test.chars().rev().collect::<String>());
            content.dcc["t"][0]["tc"] = json!(centre);
            content.dcc["t"][0]["ci"] = json!(format!("URN:UVCI:01:AT:{}#3", encoding::hex(&copy).to_uppercase()));
            let status = content.status.as_mut().unwrap();
            (status.index, status.token_list) = (place, format!("https://health.example/v1/status/{list}/token"));
            hcert::prepare(&content, KID).unwrap()
        };
        let some = [
            1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,
        ];
        let promised = with(some, (1 << 20) - 1, 987_654).is_drawable();
        fitting += usize::from(promised);
        for _ in 0..20 {
            let (copy, place) = (noise.bytes(), noise.next() % (1 << 20));
            let text = with(copy, place, noise.next() % 900_000).finish(&noise.bytes::<64>());
            if promised {
                assert!(text.len() <= MAX_CHARACTERS, "{} characters", text.len());
                longest = longest.max(text.len());
            } else {
                worst = worst.max(MAX_CHARACTERS as i64 - text.len() as i64);
            }
        }
    }
    println!("{fitting} of 400 fit, with up to {longest} characters; refused with {worst} to spare");
    assert!((50..350).contains(&fitting));
    assert!(
        longest > MAX_CHARACTERS - 40 && worst < 80,
        "the promise is not far from the truth"
    );
}

#[test]
fn what_is_made_is_deterministic_and_tagged() {
    let (one, other) = (
        hcert::prepare(&content(), KID).unwrap(),
        hcert::prepare(&content(), KID).unwrap(),
    );
    assert_eq!(one.message(), other.message());
    let cose = hcert::decompress(&hcert::decode(&one.finish(&[1; 64])).unwrap()).unwrap();
    assert_eq!(cose[0], 0xd2, "tag 18");
    let sign1 = Sign1::parse(&cose).unwrap();
    let claims: Cbor = ciborium::from_reader(&sign1.payload[..]).unwrap();
    let keys: Vec<i128> = claims
        .as_map()
        .unwrap()
        .iter()
        .map(|(k, _)| k.as_integer().unwrap().into())
        .collect();
    assert_eq!(keys, [1, 4, 6, 65535, -260], "bytewise order");
    assert_eq!(cbor(&claims), sign1.payload);
}

#[test]
fn what_cannot_be_an_hcert_is_not_prepared() {
    for (content, error) in [
        (
            Content {
                issuer_country: None,
                ..content()
            },
            FormatError::Claim("iss"),
        ),
        (
            Content {
                dcc: json!([]),
                ..content()
            },
            FormatError::Claim("hcert"),
        ),
        (
            Content {
                dcc: json!("x"),
                ..content()
            },
            FormatError::Claim("hcert"),
        ),
    ] {
        assert_eq!(hcert::prepare(&content, KID), Err(error));
    }
    let message = hcert::prepare(&content(), KID).unwrap().message().to_vec();
    for at in 0..message.len() {
        let mut changed = message.clone();
        changed[at] ^= 0x80;
        if let Ok(unsigned) = hcert::Unsigned::from_message(&changed) {
            assert_eq!(unsigned.message(), changed);
        }
        assert!(hcert::Unsigned::from_message(&message[..at]).is_err());
    }
}

#[test]
fn the_rfcs_own_messages_verify() {
    let native = Native::new();
    let point = |x: &str, y: &str| {
        let mut point = [4; 65];
        point[1..33].copy_from_slice(&encoding::from_hex(x).unwrap());
        point[33..].copy_from_slice(&encoding::from_hex(y).unwrap());
        PublicKey::P256(point)
    };
    let cases = [
        // RFC 8392 appendix A.3, key of A.2.3.
        (
            "d28443a10126a104524173796d6d657472696345434453413235365850a70175636f61703a2f2f61732e6578616d706c652e636f6d02656572696b77\
             037818636f61703a2f2f6c696768742e6578616d706c652e636f6d041a5612aeb0051a5610d9f0061a5610d9f007420b7158405427c1ff28d23fbad1\
             f29c4c7c6a555e601d6fa29f9179bc3d7438bacaca5acd08c8d4d4f96131680c429a01f85951ecee743a52b9b63632c57209120e1c9e30",
            point(
                "143329cce7868e416927599cf65a34f3ce2ffda55a7eca69ed8919a394d42f0f",
                "60f7f1a780d8a783bfb7a2dd6b2796e8128dbbcef9d3d168db9529971a36e7b9",
            ),
            &b"AsymmetricECDSA256"[..],
        ),
        // RFC 9052 appendix C.2.1, key "11" of C.7.1.
        (
            "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a\
             91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36",
            point(
                "bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff",
                "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e",
            ),
            &b"11"[..],
        ),
    ];
    for (text, key, kid) in cases {
        let bytes = encoding::from_hex(&text.replace(' ', "")).unwrap();
        let read = Sign1::parse(&bytes).unwrap();
        assert_eq!(read.kid.as_deref(), Some(kid));
        assert_eq!(
            native.verify(Algorithm::Es256, &key, &read.message, &read.signature),
            Ok(())
        );
        assert!(hcert::parse_cose(&bytes).is_err(), "signed, but no health certificate");
    }
}

#[test]
fn what_the_eu_s_validators_accept_is_accepted() {
    let plain = sign1(es256(), map(vec![]), map(payload()));
    let tagged = |tag, inner| Cbor::Tag(tag, Box::new(inner));
    let expected = read(&plain).unwrap();
    assert_eq!(
        (expected.issuer_country.clone(), expected.expires_at),
        (None, Timestamp(2_000_000_000))
    );
    assert_eq!(read(&tagged(18, plain.clone())), Ok(expected.clone()));
    assert_eq!(read(&tagged(61, tagged(18, plain.clone()))), Ok(expected.clone()));
    // Algorithm and kid in the unprotected header, with an empty protected one of either form.
    let unprotected = map(vec![(1, Cbor::from(-7)), (4, Cbor::from(&KID[..]))]);
    let mut moved = sign1(map(vec![]), unprotected.clone(), map(payload()));
    assert_eq!(read(&moved), Ok(expected.clone()));
    moved.as_array_mut().unwrap()[0] = Cbor::Bytes(vec![]);
    assert_eq!(read(&moved), Ok(expected.clone()));
    assert_eq!(Sign1::parse(&cbor(&moved)).unwrap().kid, Some(KID.to_vec()));
    // The protected kid wins.
    let both = sign1(
        map(vec![(1, Cbor::from(-7)), (4, Cbor::from(&b"foo"[..]))]),
        unprotected,
        map(payload()),
    );
    assert_eq!(Sign1::parse(&cbor(&both)).unwrap().kid.as_deref(), Some(&b"foo"[..]));
    let mut fractional = payload();
    fractional[0].1 = Cbor::from(2_000_000_000.75);
    fractional[1].1 = tagged(1, Cbor::from(1_900_000_000));
    assert_eq!(read(&sign1(es256(), map(vec![]), map(fractional))), Ok(expected));
}

#[test]
fn what_is_not_a_health_certificate_is_refused() {
    let with = |change: fn(&mut Vec<(i64, Cbor)>)| {
        let mut claims = payload();
        change(&mut claims);
        read(&sign1(es256(), map(vec![]), map(claims)))
    };
    type Change = fn(&mut Vec<(i64, Cbor)>);
    let changes: [(Change, FormatError); 13] = [
        (|c| drop(c.remove(0)), FormatError::Claim("exp")),
        (|c| drop(c.remove(1)), FormatError::Claim("iat")),
        (|c| drop(c.remove(2)), FormatError::Claim("hcert")),
        (|c| c[0].1 = Cbor::from("2030"), FormatError::Claim("exp")),
        (|c| c[0].1 = Cbor::from(f64::NAN), FormatError::Claim("exp")),
        (|c| c[0].1 = Cbor::from(u64::MAX), FormatError::Claim("exp")),
        (|c| c[0].1 = Cbor::from(1e300), FormatError::Claim("exp")),
        (|c| c[2].1 = Cbor::Bytes(vec![0xa0]), FormatError::Claim("hcert")),
        (|c| c[2].1 = map(vec![(2, map(vec![]))]), FormatError::Claim("hcert")),
        (|c| c.push((1, Cbor::from(43))), FormatError::Claim("iss")),
        (|c| c.push((65535, Cbor::from(1))), FormatError::Claim("status")),
        (
            |c| c.push((4, Cbor::from(9_000_000_000_i64))),
            FormatError::Cbor("a map has a key twice"),
        ),
        (
            |c| c[2].1 = map(vec![(1, map(vec![(1, Cbor::Null)]))]),
            FormatError::Cbor("a map's key is not a text"),
        ),
    ];
    for (change, error) in changes {
        assert_eq!(with(change), Err(error));
    }
    let header = |protected, unprotected| read(&sign1(protected, unprotected, map(payload()))).unwrap_err();
    for algorithm in [-8, -35, -36, -38, -47, -257, 5, 0, -65_535] {
        let error = header(map(vec![(1, Cbor::from(algorithm))]), map(vec![]));
        assert!(
            matches!(error, FormatError::Algorithm | FormatError::Cbor("not a COSE_Sign1")),
            "{algorithm} {error}"
        );
    }
    assert_eq!(header(map(vec![]), map(vec![])), FormatError::Algorithm);
    assert_eq!(
        header(
            map(vec![(1, Cbor::from(-7)), (2, Cbor::Array(vec![Cbor::from(4)]))]),
            map(vec![])
        ),
        FormatError::Cbor("a critical header parameter is not implemented")
    );
    assert_eq!(
        header(map(vec![(1, Cbor::from(-7)), (1, Cbor::from(-37))]), map(vec![])),
        FormatError::Cbor("not a COSE_Sign1")
    );
    assert_eq!(
        header(es256(), map(vec![(4, Cbor::from(1)), (4, Cbor::from(2))])),
        FormatError::Cbor("a map has a key twice")
    );
    let good = sign1(es256(), map(vec![]), map(payload()));
    let mut detached = good.clone();
    detached.as_array_mut().unwrap()[2] = Cbor::Null;
    let mut short = good.clone();
    short.as_array_mut().unwrap().pop();
    for cose in [
        detached,
        short,
        Cbor::Tag(98, Box::new(good.clone())),
        Cbor::Tag(18, Box::new(Cbor::Tag(18, Box::new(good.clone())))),
        Cbor::Tag(18, Box::new(Cbor::Tag(61, Box::new(good.clone())))),
        Cbor::from(5),
        map(vec![]),
    ] {
        assert!(matches!(read(&cose), Err(FormatError::Cbor(_))), "{cose:?}");
    }
    assert!(hcert::parse_cose(&[cbor(&good), vec![0]].concat()).is_err());
    assert_eq!(
        hcert::parse_cose(&vec![0; hcert::MAX_INFLATED + 1]),
        Err(FormatError::TooLarge)
    );
}

#[test]
fn the_text_around_it_is_strict() {
    let deflated = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    // RFC 9285 §4.3 and §4.4.
    assert_eq!(hcert::decode("HC1:%69 VD92EX0").unwrap(), b"Hello!!");
    for text in [
        "HC1:A",
        "HC1:AAAA",
        "HC1:::",
        "HC1::::",
        "HC1:GGW",
        "HC1:aa",
        "HC1:_0",
        "HC1:%69 VD92EX",
        "HC1:É",
    ] {
        assert_eq!(hcert::decode(text), Err(FormatError::Base45), "{text}");
    }
    for text in [
        "",
        "HC1",
        "HC2:%69 VD92EX0",
        "HL0:%69 VD92EX0",
        "hc1:%69 VD92EX0",
        "%69 VD92EX0",
    ] {
        assert_eq!(hcert::decode(text), Err(FormatError::Unknown), "{text}");
    }
    let wrap = |bytes: &[u8]| format!("HC1:{}", base45::encode(bytes));
    let cose = cbor(&sign1(es256(), map(vec![]), map(payload())));
    assert!(hcert::parse(&wrap(&deflated(&cose))).is_ok());
    for bytes in [
        &cose[..],
        &[],
        &deflated(&cose)[1..],
        &[&deflated(&cose)[..], &[0]].concat(),
    ] {
        assert_eq!(hcert::parse(&wrap(bytes)), Err(FormatError::Compression));
    }
    assert_eq!(
        hcert::parse(&wrap(&deflated(&vec![0; 20 << 20]))),
        Err(FormatError::TooLarge)
    );
    assert_eq!(
        hcert::parse(&format!("HC1:{}", "0".repeat(70_000))),
        Err(FormatError::TooLarge)
    );
    assert!(hcert::parse(&wrap(&deflated(&vec![0x81; 60_000]))).is_err());
}

#[test]
fn no_flipped_character_makes_another_certificate() {
    let native = Native::new();
    let key = key(KeyKind::P256, 5);
    let unsigned = hcert::prepare(&content(), KID).unwrap();
    let signature = key.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let message = unsigned.message().to_vec();
    let text = unsigned.finish(&signature);
    let mut same = 0;
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        let Ok(parsed) = format::parse(std::str::from_utf8(&bytes).unwrap()) else {
            continue;
        };
        if (&parsed.message, &parsed.signature) == (&message, &signature) {
            same += 1;
            continue;
        }
        let verified = native.verify(Algorithm::Es256, &public(&key), &parsed.message, &parsed.signature);
        assert!(verified.is_err(), "character {at}");
    }
    // DEFLATE can say one thing in several ways, such as by another distance to the same bytes: about one text of sixty has such a place.
    assert!(same < 5, "{same} flips make no difference");
}

#[test]
fn what_member_states_printed_reads_and_verifies() {
    let Some(samples) = crate::support::dgc_testdata() else {
        return;
    };
    let native = Native::new();
    let (mut verified, mut compared) = (0, 0);
    for (path, sample) in &samples {
        let expected = |step: &str| sample["EXPECTEDRESULTS"][step].as_bool();
        let text = sample["PREFIX"].as_str().unwrap();
        let parsed = hcert::parse(text);
        for (step, error) in [
            ("EXPECTEDUNPREFIX", FormatError::Unknown),
            ("EXPECTEDB45DECODE", FormatError::Base45),
            ("EXPECTEDCOMPRESSION", FormatError::Compression),
        ] {
            if expected(step) == Some(false) {
                assert_eq!(parsed.as_ref().unwrap_err(), &error, "{path}");
            }
        }
        if expected("EXPECTEDDECODE") == Some(false) {
            assert!(parsed.is_err(), "{path}");
        }
        let certificate = Certificate::from_text(sample["TESTCTX"]["CERTIFICATE"].as_str().unwrap()).unwrap();
        let known = |hint: &KeyHint| *hint == KeyHint::Bytes(certificate.kid(&native).to_vec());
        if let Some(expected) = expected("EXPECTEDVERIFY") {
            let verifies = parsed.as_ref().is_ok_and(|parsed| {
                known(&parsed.key)
                    && certificate.public_key.fits(parsed.algorithm)
                    && native
                        .verify(
                            parsed.algorithm,
                            &certificate.public_key,
                            &parsed.message,
                            &parsed.signature,
                        )
                        .is_ok()
            });
            assert_eq!(verifies, expected, "{path}: {:?}", parsed.as_ref().err());
            verified += 1;
        }
        if let (Ok(parsed), Some(true), Some(json)) = (&parsed, expected("EXPECTEDVALIDJSON"), sample.get("JSON")) {
            let format::Content::Hcert(content) = &parsed.content else {
                panic!("an HCERT has no statement")
            };
            // Its JSON has another time of day than its QR code: 12:34:56Z beside 14:34:56Z.
            assert_eq!(content.dcc == *json, path != "FR/2DCode/raw/test_pcr_ok.json", "{path}");
            compared += 1;
        }
    }
    println!(
        "{} samples: {verified} with a signature verdict as expected, {compared} with the JSON as given but for one",
        samples.len()
    );
    assert_eq!((samples.len(), verified, compared), (113, 87, 75));
}

fn any_payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(|n| Value::from(f64::from(n) + 0.5)),
        "[ -~ßé]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,5}", inner, 0..5)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_payload_reads_back(payload in any_payload(), index in proptest::option::of(any::<u64>()), times in any::<[i64; 2]>()) {
        let content = Content {
            issued_at: Timestamp(times[0]),
            expires_at: Timestamp(times[1]),
            dcc: json!({ "x": payload }),
            status: index.map(|index| StatusReference { index, ..content().status.unwrap() }),
            ..content()
        };
        let unsigned = hcert::prepare(&content, KID).unwrap();
        prop_assert_eq!(&hcert::Unsigned::from_message(unsigned.message()).unwrap(), &unsigned);
        let parsed = hcert::parse(&unsigned.finish(&[7; 64])).unwrap();
        prop_assert_eq!(parsed.content, format::Content::Hcert(Box::new(content)));
    }

    #[test]
    fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(hcert::parse_cose(&bytes).is_err());
    }

    #[test]
    fn reading_a_spoiled_message_is_total(at in any::<prop::sample::Index>(), with in proptest::collection::vec(any::<u8>(), 0..6)) {
        let text = hcert::prepare(&content(), KID).unwrap().finish(&[1; 64]);
        let mut cose = hcert::decompress(&hcert::decode(&text).unwrap()).unwrap();
        let at = at.index(cose.len());
        cose.splice(at..(at + 3).min(cose.len()), with);
        if let Ok(parsed) = hcert::parse_cose(&cose) {
            prop_assert!(parsed.message.len() <= cose.len() + 32);
        }
    }
}
