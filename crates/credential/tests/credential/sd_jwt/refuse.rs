//! What must be refused, each with its own error. `vectors/sd-jwt/reject.json` is written from here with `VIDIMUS_WRITE_VECTORS=1`.

use super::*;
use vidimus_credential::sd_jwt::{MAX_DISCLOSURES, MAX_SD_JWT};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/sd-jwt/reject.json");

struct Case {
    name: &'static str,
    says: &'static str,
    payload: Value,
    disclosures: Vec<String>,
    error: &'static str,
}

fn case(name: &'static str, says: &'static str, payload: Value, disclosures: &[&str], error: &'static str) -> Case {
    let disclosures = disclosures.iter().map(|text| (*text).to_owned()).collect();
    Case {
        name,
        says,
        payload,
        disclosures,
        error,
    }
}

fn cases() -> Vec<Case> {
    let name = disclosure(&json!(["c2FsdA", "family_name", "Möbius"]));
    let other = disclosure(&json!(["c2FsdDI", "family_name", "Moebius"]));
    let element = disclosure(&json!(["c2FsdDM", "DE"]));
    let (n, o, e) = (digest(&name), digest(&other), digest(&element));
    let one = |content: Value| {
        let text = disclosure(&content);
        let digest = digest(&text);
        (text, json!({"_sd": [digest]}))
    };
    let mut cases = vec![
        case(
            "orphan",
            "a disclosure whose digest stands nowhere",
            json!({"_sd": [o]}),
            &[&name],
            "Orphan",
        ),
        case(
            "orphan-without-digests",
            "a disclosure beside a payload that conceals nothing",
            json!({"a": 1}),
            &[&name],
            "Orphan",
        ),
        case(
            "twice",
            "the same disclosure twice",
            json!({"_sd": [n]}),
            &[&name, &name],
            "Twice",
        ),
        case(
            "digest-twice-in-one-list",
            "a digest twice in one _sd",
            json!({"_sd": [n, n]}),
            &[&name],
            "Repeated",
        ),
        case(
            "digest-twice-in-two-lists",
            "a digest in two objects",
            json!({"_sd": [n], "a": {"_sd": [n]}}),
            &[&name],
            "Repeated",
        ),
        case(
            "digest-in-list-and-element",
            "a digest for a member and for an element",
            json!({"_sd": [n], "a": [{"...": n}]}),
            &[],
            "Repeated",
        ),
        case(
            "decoy-twice",
            "a digest that belongs to nothing, twice",
            json!({"_sd": [n, n]}),
            &[],
            "Repeated",
        ),
        case(
            "decoy-twice-in-an-array",
            "an element that belongs to nothing, twice",
            json!({"a": [{"...": e}, {"...": e}]}),
            &[],
            "Repeated",
        ),
        case(
            "name-taken",
            "a disclosure names a claim that is in the clear",
            json!({"family_name": "Doe", "_sd": [n]}),
            &[&name],
            "Taken",
        ),
        case(
            "name-taken-by-another",
            "two disclosures name one claim",
            json!({"_sd": [n, o]}),
            &[&name, &other],
            "Taken",
        ),
        case(
            "member-for-element",
            "the disclosure of a member stands for an element",
            json!({"a": [{"...": n}]}),
            &[&name],
            "Kind",
        ),
        case(
            "element-for-member",
            "the disclosure of an element stands for a member",
            json!({"_sd": [e]}),
            &[&element],
            "Kind",
        ),
        case("sd-text", "_sd is a text", json!({"_sd": n}), &[], "Digests"),
        case(
            "sd-object",
            "_sd is an object",
            json!({"_sd": {"a": n}}),
            &[],
            "Digests",
        ),
        case(
            "sd-of-numbers",
            "_sd holds a number",
            json!({"_sd": [1]}),
            &[],
            "Digests",
        ),
        case("sd-null", "_sd is null", json!({"_sd": null}), &[], "Digests"),
        case(
            "sd-nested-text",
            "_sd is a text, deeper",
            json!({"a": [{"_sd": n}]}),
            &[],
            "Digests",
        ),
        case(
            "element-with-more",
            "an element's digest beside another member",
            json!({"a": [{"...": e, "b": 1}]}),
            &[&element],
            "Element",
        ),
        case(
            "element-with-sd",
            "an element's digest beside _sd",
            json!({"a": [{"...": e, "_sd": []}]}),
            &[&element],
            "Element",
        ),
        case(
            "element-number",
            "an element's digest is a number",
            json!({"a": [{"...": 1}]}),
            &[],
            "Element",
        ),
        case(
            "element-list",
            "an element's digest is a list",
            json!({"a": [{"...": [e]}]}),
            &[&element],
            "Element",
        ),
        case(
            "element-at-the-top",
            "... stands in the payload itself",
            json!({"...": e}),
            &[&element],
            "Element",
        ),
        case(
            "element-in-an-object",
            "... stands in an object that is no element",
            json!({"a": {"...": e}}),
            &[&element],
            "Element",
        ),
        case(
            "hash-unknown",
            "_sd_alg names another algorithm",
            json!({"_sd_alg": "sha-512", "_sd": [n]}),
            &[&name],
            "Hash",
        ),
        case(
            "hash-weak",
            "_sd_alg names a weak algorithm",
            json!({"_sd_alg": "md5"}),
            &[],
            "Hash",
        ),
        case(
            "hash-upper-case",
            "_sd_alg in another case",
            json!({"_sd_alg": "SHA-256"}),
            &[],
            "Hash",
        ),
        case(
            "hash-number",
            "_sd_alg is a number",
            json!({"_sd_alg": 256}),
            &[],
            "Hash",
        ),
        case("hash-null", "_sd_alg is null", json!({"_sd_alg": null}), &[], "Hash"),
        case(
            "hash-nested",
            "_sd_alg beneath the top",
            json!({"a": {"_sd_alg": "sha-256"}}),
            &[],
            "Nested",
        ),
        case("empty", "an empty disclosure", json!({}), &[""], "Disclosure"),
        case(
            "not-base64url",
            "a disclosure in base64 with padding",
            json!({}),
            &["WyJhIiwgImIiXQ=="],
            "Disclosure",
        ),
        case(
            "not-json",
            "a disclosure of something else",
            json!({}),
            &["aGVsbG8"],
            "Disclosure",
        ),
    ];
    for (name, says, content, error) in [
        (
            "one-part",
            "a disclosure of a salt alone",
            json!(["c2FsdA"]),
            "Disclosure",
        ),
        (
            "four-parts",
            "a disclosure of four parts",
            json!(["c2FsdA", "a", 1, 2]),
            "Disclosure",
        ),
        ("no-parts", "a disclosure of nothing", json!([]), "Disclosure"),
        (
            "an-object",
            "a disclosure that is an object",
            json!({"salt": "a"}),
            "Disclosure",
        ),
        (
            "salt-number",
            "a salt that is a number",
            json!([1, "a", 2]),
            "Disclosure",
        ),
        (
            "salt-null",
            "an element whose salt is null",
            json!([null, 2]),
            "Disclosure",
        ),
        (
            "name-number",
            "a name that is a number",
            json!(["c2FsdA", 1, 2]),
            "Disclosure",
        ),
        (
            "names-sd",
            "a disclosure names _sd",
            json!(["c2FsdA", "_sd", ["a"]]),
            "Reserved",
        ),
        (
            "names-element",
            "a disclosure names ...",
            json!(["c2FsdA", "...", "a"]),
            "Reserved",
        ),
        (
            "names-hash",
            "a disclosure names _sd_alg",
            json!(["c2FsdA", "_sd_alg", "none"]),
            "Reserved",
        ),
        (
            "sd-in-a-disclosure",
            "_sd of the wrong form in what is disclosed",
            json!(["c2FsdA", "a", {"_sd": "b"}]),
            "Digests",
        ),
        (
            "element-in-a-disclosure",
            "... where it must not be in what is disclosed",
            json!(["c2FsdA", "a", {"...": "b"}]),
            "Element",
        ),
        (
            "hash-in-a-disclosure",
            "_sd_alg in what is disclosed",
            json!(["c2FsdA", "a", {"_sd_alg": "sha-256"}]),
            "Nested",
        ),
    ] {
        let (text, payload) = one(content);
        cases.push(case(name, says, payload, &[&text], error));
    }
    // What holds it is not shown.
    let inner = disclosure(&json!(["aW5uZXI", "country", "DE"]));
    let outer = disclosure(&json!(["b3V0ZXI", "address", {"_sd": [digest(&inner)]}]));
    let holds = json!({"_sd": [digest(&outer)]});
    cases.push(case(
        "without-parent",
        "a part without what holds it",
        holds.clone(),
        &[&inner],
        "Orphan",
    ));
    // Two disclosures that each hold the digest of the same third.
    let second = disclosure(&json!(["b3V0ZXIy", "home", {"_sd": [digest(&inner)]}]));
    let both = json!({"_sd": [digest(&outer), digest(&second)]});
    cases.push(case(
        "shared-part",
        "two disclosures hold one digest",
        both,
        &[&inner, &outer, &second],
        "Repeated",
    ));
    let taken = disclosure(&json!(["dGFrZW4", "address", {"country": "FR", "_sd": [digest(&inner)]}]));
    let payload = json!({"_sd": [digest(&taken)]});
    cases.push(case(
        "name-taken-inside",
        "a claim is there already inside what is disclosed",
        payload,
        &[&taken, &inner],
        "Taken",
    ));
    // Each disclosure holds the next.
    let mut text = disclosure(&json!(["ZGVlcA", "a", {}]));
    let mut deep = vec![text.clone()];
    for _ in 0..70 {
        text = disclosure(&json!(["ZGVlcA", "a", {"_sd": [digest(&text)]}]));
        deep.push(text.clone());
    }
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    cases.push(case(
        "deep",
        "disclosures within disclosures, 71 deep",
        json!({"_sd": [digest(&text)]}),
        &deep,
        "TooDeep",
    ));
    cases
}

#[test]
fn each_is_refused_for_its_own_reason() {
    let cases = cases();
    let mut names: Vec<_> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "a name stands for one case");
    for case in &cases {
        assert_eq!(
            read_parts(&case.payload, &case.disclosures),
            Err(case.error.to_owned()),
            "{}",
            case.name
        );
    }
}

#[test]
fn the_file_says_the_same() {
    let cases: Vec<Value> = cases()
        .into_iter()
        .map(|case| {
            json!({
                "name": case.name, "says": case.says, "payload": case.payload, "disclosures": case.disclosures, "error": case.error,
            })
        })
        .collect();
    let file = json!({
        "comment": "Payloads and disclosures that must be refused (RFC 9901 §7.1), and why, by the names of crates/credential/src/sd_jwt/read.rs.",
        "cases": cases,
    });
    let text = serde_json::to_string_pretty(&file).unwrap() + "\n";
    if std::env::var_os("VIDIMUS_WRITE_VECTORS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(PATH).unwrap(),
        text,
        "write it anew with VIDIMUS_WRITE_VECTORS=1"
    );
}

#[test]
fn texts_that_are_no_sd_jwt() {
    let jwt = unsigned(&Map::new());
    let (header, _) = jwt.split_once('.').unwrap();
    let none = base64url(br#"{"alg":"none"}"#);
    for (text, error) in [
        (String::new(), "Form"),
        (jwt.clone(), "Form"),
        ("~".to_owned(), "Jws"),
        (format!("~{jwt}~"), "Jws"),
        (format!(" {jwt}~"), "Jws"),
        (format!("{header}.e30~"), "Jws"),
        (format!("{none}.e30.~"), "Jws"),
        (format!("{header}.W10.~"), "Jws"),
        (format!("{jwt}~~"), "Disclosure"),
        (format!("{jwt}~~~"), "Disclosure"),
        ("~".repeat(MAX_SD_JWT + 1), "TooLarge"),
        (format!("{jwt}{}", "~".repeat(MAX_DISCLOSURES + 2)), "TooMany"),
        (format!("{jwt}{}", "~".repeat(MAX_DISCLOSURES + 1)), "Disclosure"),
    ] {
        assert_eq!(read(&text), Err(error.to_owned()), "{}", &text[..text.len().min(80)]);
    }
    assert_eq!(read(&format!("{jwt}~")), Ok(json!({})));
    // Not its JSON serialization either.
    assert_eq!(read("{\"payload\":\"e30\",\"signature\":\"\"}"), Err("Form".to_owned()));
}

#[test]
fn what_looks_odd_and_is_allowed() {
    let element = disclosure(&json!(["c2FsdDM", "DE"]));
    let e = digest(&element);
    for (payload, disclosures, expected) in [
        (json!({"_sd": []}), vec![], json!({})),
        (json!({"_sd": ["not a digest"]}), vec![], json!({})),
        (json!({"_sd": [""]}), vec![], json!({})),
        (json!({"a": {"_sd": ["x"]}}), vec![], json!({"a": {}})),
        (json!({"a": [{"...": "x"}]}), vec![], json!({"a": []})),
        (
            json!({"a": [[{"...": e}], 1]}),
            vec![element.clone()],
            json!({"a": [["DE"], 1]}),
        ),
        (
            json!({"_SD": 1, "_sd_": 2, "..": 3, "....": 4}),
            vec![],
            json!({"_SD": 1, "_sd_": 2, "..": 3, "....": 4}),
        ),
    ] {
        assert_eq!(read_parts(&payload, &disclosures), Ok(expected), "{payload}");
    }
}
