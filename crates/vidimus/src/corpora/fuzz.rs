//! What is done with the bytes of the corpora of this crate's parsers. They have no target of libFuzzer, which would have to build the whole
//! service: the corpora and their changes run in the tests.

use crate::{
    app::{
        channel::Contact,
        reading::{read_cursor, write_cursor},
    },
    http::{
        edge::client_address,
        extract::{deeper_than, parse, refusal},
    },
    outside::{Network, Rules, Target, is_outside},
};
use axum::http::{HeaderMap, HeaderValue};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use std::{cell::Cell, fmt, net::IpAddr};
use vidimus_core::Digest;

/// An entry's name, which is its corpus's, and the entry.
pub(super) type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub(super) const ENTRIES: &[Entry] = &[
    ("service_client", client),
    ("service_contact", contact),
    ("service_cursor", cursor),
    ("service_depth", depth),
    ("service_network", network),
    ("service_outside", outside),
    ("service_refusal", body),
];

/// Notes the deepest place that serde comes to, also in what turns out to be no JSON.
#[derive(Clone, Copy)]
struct Deepest<'a> {
    here: usize,
    deepest: &'a Cell<usize>,
}

impl Deepest<'_> {
    fn within(self) -> Self {
        let here = self.here + 1;
        self.deepest.set(self.deepest.get().max(here));
        Self { here, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Deepest<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Deepest<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let within = self.within();
        while items.next_element_seed(within)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let within = self.within();
        while members.next_key::<serde::de::IgnoredAny>()?.is_some() {
            members.next_value_seed(within)?;
        }
        Ok(())
    }
}

/// A body before it is read: what is let through never nests deeper, and what is JSON is let through when it does not.
fn depth(data: &[u8]) {
    let deepest = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_slice(data);
    let seed = Deepest {
        here: 0,
        deepest: &deepest,
    };
    let is_json = seed.deserialize(&mut reader).and_then(|()| reader.end()).is_ok();
    let deepest = deepest.get();
    for limit in (0..130).chain([usize::MAX]) {
        let refused = deeper_than(data, limit);
        assert!(
            refused || deepest <= limit,
            "{deepest} levels come through a limit of {limit}"
        );
        assert!(
            !is_json || refused == (deepest > limit),
            "{deepest} levels, a limit of {limit}"
        );
    }
    let refused = parse::<serde_json::Value>(data).is_err();
    assert!(refused || (is_json && deepest <= 64));
}

/// A body with members of every kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only whether it reads is of interest")]
pub(super) struct Body {
    name: String,
    kind: Option<Kind>,
    count: Option<u8>,
    pair: Option<(bool, f32)>,
    digest: Option<Digest>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Passport,
    Visa,
}

/// Sentences that a refusal of [`Body`] may be, but for the place.
const SENTENCES: [&str; 9] = [
    "missing field `name`",
    "duplicate field `name`",
    "duplicate field `kind`",
    "duplicate field `count`",
    "duplicate field `pair`",
    "duplicate field `digest`",
    "a member is not known here, expected one of `name`, `kind`, `count`, `pair`, `digest`",
    "a value is not among those known, expected `passport` or `visa`",
    "a value does not have the form it needs",
];

/// What a value may be said to be instead.
const EXPECTED: [&str; 12] = [
    "unit",
    "32 bytes as hexadecimal text",
    "a string",
    "u8",
    "a boolean",
    "f32",
    "a tuple of size 2",
    "enum Kind",
    "string or map",
    "map with a single key",
    "struct Body",
    "struct Body with 5 elements",
];

/// A body that is refused: the refusal is one of few sentences, whatever the body says.
fn body(data: &[u8]) {
    let Err(error) = serde_json::from_slice::<Body>(data) else {
        assert!(parse::<Body>(data).is_ok(), "such a body does not nest");
        return;
    };
    assert!(parse::<Body>(data).is_err());
    let said = refusal(&error);
    let place = format!(" (line {}, column {})", error.line(), error.column());
    let sentence = said.strip_suffix(&place).expect("it says where");
    let known = SENTENCES.contains(&sentence)
        || sentence == "the body is not JSON"
        || sentence
            .strip_prefix("a value has the wrong type, expected ")
            .is_some_and(|expected| EXPECTED.contains(&expected));
    assert!(known, "a refusal of another kind: {sentence}");
}

/// A cursor: one spelling only.
fn cursor(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok((created, id)) = read_cursor(text)
    {
        assert_eq!(write_cursor(created, &id), text);
    }
}

/// Proxies that the deployment trusts.
const PROXIES: [&str; 3] = ["10.0.0.1", "10.0.0.2", "fd00::1"];

pub(super) fn proxies() -> Vec<IpAddr> {
    PROXIES.iter().map(|text| text.parse().expect("an address")).collect()
}

/// The address that a connection comes from, and `X-Forwarded-For` as often as there are lines.
pub(super) fn connection(data: &[u8]) -> (Option<IpAddr>, Vec<HeaderValue>) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let peer = lines
        .next()
        .and_then(|line| std::str::from_utf8(line).ok()?.parse().ok());
    let values = lines.filter_map(|line| HeaderValue::from_bytes(line).ok());
    (peer, values.collect())
}

pub(super) fn headers(values: &[HeaderValue]) -> HeaderMap {
    values
        .iter()
        .map(|value| (axum::http::HeaderName::from_static("x-forwarded-for"), value.clone()))
        .collect()
}

/// The client's address: the connection's own or one that was forwarded, and nobody in front of who is not trusted has a say.
fn client(data: &[u8]) {
    let (peer, values) = connection(data);
    let proxies = proxies();
    let found = client_address(peer, &headers(&values), &proxies);
    let own = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    let forwarded: Vec<IpAddr> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical())
        .collect();
    assert!(found == own || forwarded.contains(&found), "{found} is nobody's");
    assert!(
        proxies.contains(&own) || found == own,
        "who is no proxy forwards nothing"
    );
    assert_eq!(client_address(peer, &headers(&values), &[]), own, "nobody is trusted");
    let before: Vec<_> = std::iter::once(HeaderValue::from_static("192.0.2.7, 10.0.0.1"))
        .chain(values.iter().cloned())
        .collect();
    assert!(
        proxies.contains(&found) || client_address(peer, &headers(&before), &proxies) == found,
        "a header in front of what the proxies wrote changes nothing"
    );
}

/// A contact is what was written, and nothing that a mail server would take for more than one address.
fn contact(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Contact::parse(text) {
        Ok(contact) => {
            assert_eq!(contact.as_text(), text);
            assert!(text.len() <= 254 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
            assert!(!format!("{contact:?}").contains(text));
        }
        Err(error) => assert!(text.len() < 8 || !error.to_string().contains(text)),
    }
}

/// A network is its text, and has its own first address in it.
fn network(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(network) = text.parse::<Network>() {
        let shown = network.to_string();
        assert_eq!(shown.parse(), Ok(network));
        let first = shown.split('/').next().and_then(|first| first.parse().ok());
        assert!(network.contains(first.expect("an address stands in front")));
    }
}

/// An address of others is https, has no user, and is outside where it is literal; it reads again as itself.
fn outside(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let rules = Rules::default();
    match Target::parse(text, &rules) {
        Ok(target) => {
            assert!(target.as_str().starts_with("https://") && !target.origin().contains('@'));
            let literal: Option<IpAddr> = target.host().trim_matches(['[', ']']).parse().ok();
            assert!(literal.is_none_or(is_outside), "{literal:?}");
            assert!(Target::parse(target.as_str(), &rules).is_ok_and(|again| again == target));
        }
        Err(error) => assert!(text.len() < 20 || !error.to_string().contains(text)),
    }
}
