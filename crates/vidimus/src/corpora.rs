//! The committed corpora of this crate's parsers of outside bytes.

mod fuzz;
#[path = "../../../fuzz/src/run.rs"]
mod run;

use crate::{
    app::{
        channel::Contact,
        reading::{read_cursor, write_cursor},
    },
    http::{edge::client_address, extract},
    outside::{Network, Rules, Target},
};
use vidimus_core::{Timestamp, id::ResultId};

#[test]
fn the_corpus_of_nested_bodies_is_what_makes_it() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let maps = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)).into_bytes();
    run::seeds(
        "service_depth",
        |data| !extract::deeper_than(data, 64),
        &[
            ("nothing", Vec::new()),
            ("flat", br#"{"name": "x", "list": [1, -2.5e3, true, null]}"#.to_vec()),
            ("lists-64", lists(64)),
            ("maps-64", maps(64)),
            ("side-by-side", format!("[{}[]]", "[[]],".repeat(80)).into_bytes()),
            (
                "brackets-in-a-text",
                format!(r#"{{"a": "{}"}}"#, "[{".repeat(80)).into_bytes(),
            ),
            (
                "quotation-mark-in-a-text",
                format!(r#"{{"a": "\"{}", "b": []}}"#, "[".repeat(80)).into_bytes(),
            ),
            (
                "backslashes-in-a-text",
                format!(r#"{{"a\\": "\\\\\"{}\u005b", "b": []}}"#, "[".repeat(80)).into_bytes(),
            ),
            ("member-twice", br#"{"a": [[[[]]]], "a": 1}"#.to_vec()),
            ("closed-too-often", [&b"]]]]}}}}"[..], &lists(3)].concat()),
            ("text-without-end", format!("\"{}", "[".repeat(80)).into_bytes()),
            ("no-utf-8", b"[\"\xff[\", [\xfe]]".to_vec()),
        ],
        &[
            ("lists-65", lists(65)),
            ("maps-65", maps(65)),
            ("lists-200", lists(200)),
            (
                "after-a-backslash",
                format!(r#"["\\",{}]"#, "[".repeat(80)).into_bytes(),
            ),
            ("without-end", vec![b'['; 5000]),
            ("lists-and-maps", r#"[{"a":"#.repeat(33).into_bytes()),
            (
                "member-twice-the-deep-one-first",
                format!(r#"{{"a": {}, "a": 1}}"#, String::from_utf8(lists(64)).unwrap()).into_bytes(),
            ),
        ],
    );
}

#[test]
fn the_corpus_of_refused_bodies_is_what_makes_it() {
    let digest = "0".repeat(64);
    run::seeds(
        "service_refusal",
        |data| extract::parse::<fuzz::Body>(data).is_ok(),
        &[
            ("name", br#"{"name": "Anna"}"#.to_vec()),
            (
                "all",
                format!(r#"{{"name": "Anna", "kind": "visa", "count": 7, "pair": [true, 1.5], "digest": "{digest}"}}"#)
                    .into(),
            ),
            ("list", br#"["Anna", "passport", null, null, null]"#.to_vec()),
        ],
        &[
            ("nothing", Vec::new()),
            ("no-json", b"geheim".to_vec()),
            ("cut", br#"{"name": "geheim"#.to_vec()),
            ("longer", br#"{"name": "Anna"} geheim"#.to_vec()),
            ("no-name", b"{}".to_vec()),
            ("name-twice", br#"{"name": "geheim", "name": "geheim"}"#.to_vec()),
            ("name-a-list", br#"{"name": ["geheim"]}"#.to_vec()),
            ("name-a-number", br#"{"name": 1701}"#.to_vec()),
            ("member-unknown", br#"{"name": "x", "geheim": 1}"#.to_vec()),
            (
                "member-that-speaks-like-us",
                br#"{"name": "x", "a`, expected geheim": 1}"#.to_vec(),
            ),
            ("kind-unknown", br#"{"name": "x", "kind": "geheim"}"#.to_vec()),
            (
                "kind-that-speaks-like-us",
                br#"{"name": "x", "kind": "a, expected geheim at line 1 column 2"}"#.to_vec(),
            ),
            ("kind-a-map", br#"{"name": "x", "kind": {"geheim": 1}}"#.to_vec()),
            ("kind-a-list", br#"{"name": "x", "kind": ["geheim"]}"#.to_vec()),
            (
                "kind-with-content",
                br#"{"name": "x", "kind": {"visa": "geheim"}}"#.to_vec(),
            ),
            ("count-too-large", br#"{"name": "x", "count": 1701}"#.to_vec()),
            ("count-negative", br#"{"name": "x", "count": -1}"#.to_vec()),
            (
                "count-a-text",
                br#"{"name": "x", "count": "geheim, expected geheim"}"#.to_vec(),
            ),
            ("pair-of-one", br#"{"name": "x", "pair": [true]}"#.to_vec()),
            ("pair-of-texts", br#"{"name": "x", "pair": ["geheim", 1]}"#.to_vec()),
            (
                "digest-no-digest",
                br#"{"name": "x", "digest": "geheim, expected geheim"}"#.to_vec(),
            ),
            ("text", br#""geheim, expected x""#.to_vec()),
            ("list-too-short", br#"["geheim"]"#.to_vec()),
        ],
    );
}

#[test]
fn the_corpus_of_cursors_is_what_makes_it() {
    let cursor = |time: i64, id: u8| write_cursor(Timestamp(time), &[id; 16]);
    let one = cursor(1_772_452_800, 7);
    run::seeds(
        "service_cursor",
        |data| std::str::from_utf8(data).is_ok_and(|text| read_cursor(text).is_ok()),
        &[
            ("one", one.clone().into()),
            ("before-1970", cursor(-1, 0).into()),
            ("last-of-all", cursor(i64::MAX, 0xff).into()),
        ],
        &[
            ("nothing", Vec::new()),
            ("cut", one[..one.len() - 1].into()),
            ("time-alone", one[..11].into()),
            ("longer", format!("{one}AAAA").into()),
            ("padded", format!("{one}=").into()),
            ("white-space", format!("{one} ").into()),
            ("another-alphabet", one.replace('_', "/").replacen('B', "+", 1).into()),
            ("id", ResultId::from_bytes([7; 16]).to_string().into()),
            ("sql", b"' OR 1=1 --".to_vec()),
            ("no-utf-8", vec![0xff; 32]),
        ],
    );
}

#[test]
fn the_corpus_of_forwarded_addresses_is_what_makes_it() {
    run::seeds(
        "service_client",
        |data| {
            let (peer, values) = fuzz::connection(data);
            let found = client_address(peer, &fuzz::headers(&values), &fuzz::proxies());
            Some(found) != peer.map(|peer| peer.to_canonical()) && peer.is_some()
        },
        &[
            ("one-proxy", b"10.0.0.1\n203.0.113.5".to_vec()),
            ("two-proxies", b"10.0.0.1\n203.0.113.5, 10.0.0.2".to_vec()),
            ("two-headers", b"10.0.0.1\n192.0.2.1\n203.0.113.5, fd00::1".to_vec()),
            (
                "made-up-by-the-client",
                b"10.0.0.1\n10.0.0.2, 192.0.2.1, 203.0.113.5".to_vec(),
            ),
            ("version-6", b"fd00::1\n2001:db8::5".to_vec()),
            ("mapped", b"::ffff:10.0.0.1\n::ffff:203.0.113.5".to_vec()),
            ("nonsense-in-front", b"10.0.0.1\nunknown, 203.0.113.5".to_vec()),
            ("proxies-alone", b"10.0.0.1\n10.0.0.2".to_vec()),
        ],
        &[
            ("nobody", Vec::new()),
            ("no-header", b"10.0.0.1".to_vec()),
            ("no-proxy", b"203.0.113.9\n203.0.113.5".to_vec()),
            ("no-proxy-says-it-is-one", b"203.0.113.9\n10.0.0.1".to_vec()),
            ("nonsense", b"10.0.0.1\nunknown".to_vec()),
            ("nonsense-behind", b"10.0.0.1\n203.0.113.5, unknown".to_vec()),
            ("empty-header", b"10.0.0.1\n".to_vec()),
            ("comma-behind", b"10.0.0.1\n203.0.113.5,".to_vec()),
            ("with-a-port", b"10.0.0.1\n203.0.113.5:443".to_vec()),
            ("in-brackets", b"10.0.0.1\n[2001:db8::5]".to_vec()),
            ("no-ascii", b"10.0.0.1\n203.0.113.5, \xff".to_vec()),
        ],
    );
}

#[test]
fn the_corpus_of_contacts_is_what_makes_it() {
    run::seeds(
        "service_contact",
        |data| std::str::from_utf8(data).is_ok_and(|text| Contact::parse(text).is_ok()),
        &[
            ("number", b"+436641234567".to_vec()),
            ("address", b"anna@example.org".to_vec()),
            ("with-a-plus", b"anna+code@mail.example.org".to_vec()),
        ],
        &[
            ("nothing", Vec::new()),
            ("no-country", b"06641234567".to_vec()),
            ("country-zero", b"+0436641234567".to_vec()),
            ("too-long", b"+1234567890123456".to_vec()),
            ("spaces", b"+43 664 1234567".to_vec()),
            ("no-host", b"anna@".to_vec()),
            ("no-name", b"@example.org".to_vec()),
            ("two", b"anna@example.org,berta@example.org".to_vec()),
            ("header", b"anna@example.org\r\nBcc: berta@example.org".to_vec()),
            ("display-name", b"Anna <anna@example.org>".to_vec()),
            ("null", b"anna@example.org\0".to_vec()),
            ("no-ascii", b"anna@ex\xc3\xa4mple.org".to_vec()),
        ],
    );
}

#[test]
fn the_corpus_of_networks_is_what_makes_it() {
    run::seeds(
        "service_network",
        |data| std::str::from_utf8(data).is_ok_and(|text| text.parse::<Network>().is_ok()),
        &[
            ("private", b"10.0.0.0/8".to_vec()),
            ("one", b"192.168.7.1".to_vec()),
            ("version-6", b"fd00:1::/32".to_vec()),
            ("everything", b"0.0.0.0/0".to_vec()),
            ("everything-6", b"::/0".to_vec()),
        ],
        &[
            ("nothing", Vec::new()),
            ("bits-behind", b"10.0.0.1/8".to_vec()),
            ("too-long", b"10.0.0.0/33".to_vec()),
            ("negative", b"10.0.0.0/-8".to_vec()),
            ("signed", b"10.0.0.0/+8".to_vec()),
            ("two", b"10.0.0.0/8/8".to_vec()),
            ("name", b"lab.example/8".to_vec()),
            ("mask", b"10.0.0.0/255.0.0.0".to_vec()),
            ("white-space", b"10.0.0.0/8 ".to_vec()),
        ],
    );
}

#[test]
fn the_corpus_of_addresses_of_others_is_what_makes_it() {
    run::seeds(
        "service_outside",
        |data| std::str::from_utf8(data).is_ok_and(|text| Target::parse(text, &Rules::default()).is_ok()),
        &[
            ("plain", b"https://receiver.example/hook?token=1".to_vec()),
            ("port", b"https://receiver.example:8443/".to_vec()),
            ("capitals", b"HTTPS://Receiver.Example/".to_vec()),
            ("version-4", b"https://8.8.8.8/".to_vec()),
            ("version-6", b"https://[2606:4700::1111]/".to_vec()),
        ],
        &[
            ("nothing", Vec::new()),
            ("http", b"http://receiver.example/".to_vec()),
            ("loopback", b"https://127.0.0.1/".to_vec()),
            ("short", b"https://127.1/".to_vec()),
            ("decimal", b"https://2130706433/".to_vec()),
            ("hexadecimal", b"https://0x7f000001/".to_vec()),
            ("octal", b"https://0177.0.0.1/".to_vec()),
            ("metadata", b"https://169.254.169.254/latest".to_vec()),
            ("mapped", b"https://[::ffff:10.0.0.1]/".to_vec()),
            ("nat64", b"https://[64:ff9b::a00:1]/".to_vec()),
            ("local-6", b"https://[fe80::1]/".to_vec()),
            ("user", b"https://user:secret@receiver.example/".to_vec()),
            ("user-in-front", b"https://receiver.example@10.0.0.1/".to_vec()),
            ("fragment", b"https://receiver.example/#x".to_vec()),
            ("newline", b"https://receiver.example/\r\nHost: x".to_vec()),
            ("file", b"file:///etc/passwd".to_vec()),
            ("port-zero", b"https://receiver.example:0/".to_vec()),
            ("wide-digits", b"https://\xef\xbc\x91\xef\xbc\x90.0.0.1/".to_vec()),
        ],
    );
}
