//! What member states really issued: `eu-digital-green-certificates/dgc-testdata`, which is outside this repository.

use super::*;
use vidimus_credential::category::{DccError, Strictness, transliteration::transliterate};

/// Each payload, with what its file says of the schema.
fn payloads() -> Option<Vec<(String, Value, Option<bool>)>> {
    let files = crate::support::dgc_testdata()?.into_iter();
    let payload = |(name, file): (String, Value)| {
        let expected = file["EXPECTEDRESULTS"]["EXPECTEDSCHEMAVALIDATION"].as_bool();
        file["JSON"].is_object().then(|| (name, file["JSON"].clone(), expected))
    };
    Some(files.filter_map(payload).collect())
}

#[test]
fn issuers_payloads_pass_the_schema_and_become_claims_as_the_set_expects() {
    let Some(payloads) = payloads() else { return };
    let categories = Categories::built_in();
    let (mut read, mut refused, mut codes) = (0, Vec::new(), 0);
    for (name, payload, expected) in &payloads {
        match categories.from_dcc(payload, Strictness::Lenient) {
            Ok(dcc) => {
                assert_ne!(*expected, Some(false), "{name} is not to pass");
                let category = categories.category(&dcc.category).unwrap();
                assert_eq!(category.validate_foreign(&dcc.claims), Ok(()), "{name}");
                assert!(category.validity(&dcc.claims, NOW).is_ok(), "{name}");
                // Every code that occurs is in the value sets; only constraints may be broken.
                if let Err(violations) = category.validate(&dcc.claims) {
                    assert!(
                        violations.iter().all(|v| v.code == "constraint"),
                        "{name}: {violations:?}"
                    );
                    codes += 1;
                }
                read += 1;
            }
            Err(DccError::SeveralEntries) => {
                assert_eq!(*expected, Some(false), "{name} is to pass");
                refused.push(name.clone());
            }
            Err(e) => panic!("{name}: {e:?}"),
        }
    }
    println!(
        "dgc-testdata: {} payloads, {read} read, {} with several entries: {refused:?}; {codes} break a constraint of ours",
        payloads.len(),
        refused.len()
    );
    assert_eq!((payloads.len(), read, refused.len()), (86, 85, 1));
}

#[test]
fn issuers_transliterate_as_we_do_but_for_these() {
    let Some(payloads) = payloads() else { return };
    let (mut same, mut other) = (0, std::collections::BTreeSet::new());
    for (_, payload, _) in &payloads {
        for (key, zone) in [("fn", "fnt"), ("gn", "gnt")] {
            let (Some(text), Some(zone)) = (payload["nam"][key].as_str(), payload["nam"][zone].as_str()) else {
                continue;
            };
            match transliterate(text) {
                Ok(ours) if ours == zone => same += 1,
                _ => drop(other.insert(text.to_owned())),
            }
        }
    }
    println!("dgc-testdata: {same} names transliterated alike; otherwise: {other:?}");
    // Digits are in no name; and `mäel` was sent with `MAEL`, though the table has `AE` for `ä`.
    assert_eq!(
        other.iter().map(String::as_str).collect::<Vec<_>>(),
        ["PREZIME01", "TEST01", "mäel"]
    );
    assert_eq!(same, 161);
}
