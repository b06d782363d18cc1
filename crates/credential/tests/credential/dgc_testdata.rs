//! The EU's test data: coded positive and negative cases, and member states' own samples. Each file says what each step should give.
//!
//! The data is not part of this repository: `VIDIMUS_FOREIGN` says where it is (`dgc-testdata` below it). Differences are listed, with
//! their reasons, in `docs/divergences.md`; an unexplained one fails the test.

#![allow(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

use crate::support::{dgc_testdata, tell};
use serde_json::Value;
use std::collections::BTreeMap;
use vidimus_core::{
    Timestamp,
    encoding::{from_base64, from_hex},
    reason::{Reason, Test},
};
use vidimus_credential::{
    category::{Categories, DccError, Strictness},
    check::{Context, Policy, StatusLists, TrustList, check_bytes},
    format::{Content, FormatError, hcert},
};
use vidimus_crypto::Native;

/// What a file gives otherwise than it says it should, and why that is right here. `docs/divergences.md` says the same in words.
const EXPLAINED: &[(&str, &str)] = &[
    // The file's own COSE says other times (14:34:56Z) than its JSON (12:34:56Z): what was signed counts.
    ("FR/2DCode/raw/test_pcr_ok.json", "VALIDJSON"),
    ("FR/2DCode/raw/test_pcr_ok.json", "VALIDOBJECT"),
];

#[test]
fn every_file_gives_its_expected_results_step_by_step() {
    let Some(files) = dgc_testdata() else { return };
    let (mut steps, mut pictures, mut differences) = (0, 0, Vec::new());
    for (name, file) in &files {
        let found = Steps::of(file);
        for (step, expected) in expectations(file) {
            let Some(result) = found.0.get(step.as_str()) else {
                assert_eq!(step, "PICTUREDECODE", "{name}: a step that is not known");
                pictures += 1;
                continue;
            };
            match (expected, result) {
                (true, Ok(())) | (false, Err(_)) => steps += 1,
                (true, Err(why)) => differences.push((name.clone(), step, why.clone())),
                (false, Ok(())) => differences.push((name.clone(), step, "passed, and should not".to_owned())),
            }
        }
    }
    tell(&format!(
        "COUNTED: dgc-testdata: {} files, {steps} steps as expected, {} differences (explained in docs/divergences.md); \
         {pictures} files name a picture that the set does not hold",
        files.len(),
        differences.len()
    ));
    let mut unexplained = Vec::new();
    for (name, step, why) in &differences {
        println!("  {name} {step}: {why}");
        if !EXPLAINED.contains(&(name.as_str(), step.as_str())) {
            unexplained.push(format!("{name} {step}: {why}"));
        }
    }
    assert!(
        unexplained.is_empty(),
        "not explained in docs/divergences.md:\n{}",
        unexplained.join("\n")
    );
    assert_eq!(
        EXPLAINED.len(),
        differences.len(),
        "an explanation for what is no difference any more"
    );
}

/// `EXPECTED…` without the word; one issuer writes `EXPTECTEDEXPIRED`.
fn expectations(file: &Value) -> Vec<(String, bool)> {
    let members = file["EXPECTEDRESULTS"].as_object().unwrap();
    members
        .iter()
        .map(|(name, value)| {
            let step = name.trim_start_matches("EXPECTED").trim_start_matches("EXPTECTED");
            (step.to_owned(), value.as_bool().unwrap())
        })
        .collect()
}

/// How each step ended.
struct Steps(BTreeMap<&'static str, Result<(), String>>);

impl Steps {
    fn of(file: &Value) -> Self {
        let text = |name: &str| file[name].as_str();
        let prefixed = text("PREFIX").expect("every file has the QR code's text");
        let mut steps = BTreeMap::new();
        if let Some(picture) = text("2DCODE") {
            let read = read_picture(&from_base64(picture).unwrap());
            steps.insert(
                "PICTUREDECODE",
                read.and_then(|read| same("the text", read.as_str(), prefixed)),
            );
        }
        steps.insert(
            "UNPREFIX",
            match prefixed.strip_prefix(hcert::PREFIX) {
                Some(rest) => text("BASE45").map_or(Ok(()), |expected| same("base45", rest, expected)),
                None => Err("no HC1:".to_owned()),
            },
        );
        // A step after one that failed starts from what the file says the step before gives.
        let hex = |name: &str| text(name).and_then(|text| from_hex(text).ok());
        let compressed = hcert::decode(prefixed).map_err(|e| e.to_string());
        steps.insert(
            "B45DECODE",
            match (&compressed, hex("COMPRESSED")) {
                (Ok(found), Some(expected)) => same("bytes", found, &expected),
                (found, _) => found.as_ref().map(drop).map_err(Clone::clone),
            },
        );
        let compressed = compressed.ok().or_else(|| hex("COMPRESSED"));
        let cose = compressed.map_or(Err("nothing to inflate".to_owned()), |bytes| {
            hcert::decompress(&bytes).map_err(|e| e.to_string())
        });
        steps.insert(
            "COMPRESSION",
            match (&cose, hex("COSE")) {
                (Ok(found), Some(expected)) => same("COSE", found, &expected),
                (found, _) => found.as_ref().map(drop).map_err(Clone::clone),
            },
        );
        let cose = cose.ok().or_else(|| hex("COSE"));
        let parsed = cose.map_or(Err("nothing to decode".to_owned()), |bytes| {
            hcert::parse_cose(&bytes).map_err(|e| e.to_string())
        });
        let content = parsed.as_ref().ok().and_then(|parsed| match &parsed.content {
            Content::Hcert(content) => Some(content.as_ref().clone()),
            Content::Statement(_) | Content::SdJwtVc(_) => None,
        });
        let decoded = parsed.as_ref().map(drop).map_err(Clone::clone);
        let json = match (&content, file["JSON"].as_object()) {
            (Some(content), Some(_)) => same_json(&content.dcc, &file["JSON"]),
            (Some(_), None) => Ok(()),
            (None, _) => decoded.clone(),
        };
        steps.insert("DECODE", decoded);
        steps.insert("VALIDJSON", json.clone());
        steps.insert("VALIDOBJECT", json);
        let content = content.ok_or_else(|| "nothing was decoded".to_owned());
        steps.insert(
            "SCHEMAVALIDATION",
            content.clone().and_then(|content| {
                match Categories::built_in().from_dcc(&content.dcc, Strictness::Lenient) {
                    Ok(_) | Err(DccError::UnknownEntry(_)) => Ok(()),
                    Err(error) => Err(error.to_string()),
                }
            }),
        );
        let clock = clock(file);
        let expired = content.and_then(|content| {
            if clock < content.issued_at {
                Err("not issued yet".to_owned())
            } else if clock > content.expires_at {
                Err("expired".to_owned())
            } else {
                Ok(())
            }
        });
        steps.insert("EXPIRED", expired.clone());
        steps.insert("EXPIRATIONCHECK", expired);
        steps.insert("ENCODE", encode(&file["JSON"], clock));
        let signature = signature(file, prefixed, clock);
        steps.insert(
            "VERIFY",
            match signature.clone() {
                Ok(Reason::SignatureOk | Reason::KeyUsage | Reason::KeyExpired) => Ok(()),
                Ok(other) => Err(other.code().to_owned()),
                Err(why) => Err(why),
            },
        );
        steps.insert(
            "KEYUSAGE",
            match signature {
                Ok(Reason::KeyUsage) => Err("key_usage".to_owned()),
                _ => Ok(()),
            },
        );
        Self(steps)
    }
}

/// The payload as a certificate of ours, and read back: the same JSON.
fn encode(json: &Value, clock: Timestamp) -> Result<(), String> {
    let content = hcert::Content {
        issuer_country: Some("AT".to_owned()),
        issued_at: clock,
        expires_at: clock.plus(86_400),
        dcc: json.clone(),
        status: None,
    };
    let text = |error: FormatError| error.to_string();
    let unsigned = hcert::prepare(&content, [7; 8]).map_err(text)?;
    match hcert::parse(&unsigned.finish(&[1; 64])).map_err(text)?.content {
        Content::Hcert(read) if read.dcc.is_object() => same_json(&read.dcc, json),
        Content::Hcert(_) | Content::Statement(_) | Content::SdJwtVc(_) => Err("no payload was encoded".to_owned()),
    }
}

/// The signature test of a whole check, with the file's own signing certificate as the trust list.
fn signature(file: &Value, text: &str, clock: Timestamp) -> Result<Reason, String> {
    let provider = Native::new();
    let certificate = file["TESTCTX"]["CERTIFICATE"].as_str().ok_or("no certificate")?;
    let mut trust = TrustList::new(clock);
    let der = from_base64(certificate).map_err(|e| e.to_string())?;
    if !trust.add(&der, None, None, &provider) {
        return Err("the certificate does not read".to_owned());
    }
    let (categories, status) = (Categories::built_in(), StatusLists::new());
    let context = Context {
        now: clock,
        provider: &provider,
        categories: &categories,
        registry: None,
        status: &status,
        roots: None,
        trust: Some(&trust),
        policy: Policy::default(),
        expected: None,
    };
    let report = check_bytes(text.as_bytes(), &context);
    report
        .test(Test::Signature)
        .map(|result| result.reason)
        .ok_or_else(|| format!("{:?}", report.reasons()))
}

/// The validation clock; one issuer writes offsets without a colon.
fn clock(file: &Value) -> Timestamp {
    let text = file["TESTCTX"]["VALIDATIONCLOCK"].as_str().unwrap();
    Timestamp::parse_rfc3339(text)
        .or_else(|_| {
            let (front, minutes) = text.split_at(text.len() - 2);
            Timestamp::parse_rfc3339(&format!("{front}:{minutes}"))
        })
        .expect("a clock")
}

fn read_picture(png: &[u8]) -> Result<String, String> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut pixels).map_err(|e| e.to_string())?;
    let samples = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        let pixel = &pixels[(y * width + x) * samples..][..samples];
        // A transparent pixel is white paper.
        match pixel {
            [.., 0] if samples == 2 || samples == 4 => 255,
            _ => pixel[0],
        }
    });
    let grids = image.detect_grids();
    let grid = grids.first().ok_or("no QR code in the picture")?;
    grid.decode().map(|(_, text)| text).map_err(|e| e.to_string())
}

fn same<T: PartialEq + ?Sized>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} differ"))
    }
}

/// The same JSON, whatever the order of members and the spelling of numbers.
fn same_json(found: &Value, expected: &Value) -> Result<(), String> {
    let equal = match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, value)| b.get(name).is_some_and(|other| same_json(value, other).is_ok()))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b).is_ok())
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    };
    if equal {
        Ok(())
    } else {
        Err("the JSON differs".to_owned())
    }
}
