//! What the targets of `vidimus-identity`'s parsers do with their bytes.

use std::collections::HashSet;
use vidimus_core::{Address, Provider, Timestamp, encoding::from_hex};
use vidimus_crypto::Native;
use vidimus_identity::{
    Did, DidUrl, Document, Relationship, Resolution,
    ethr::{self, At, AttributeName, Change, Event},
};

/// An entry's name, which is its target's and its corpus's, and the entry.
pub type Entry = (&'static str, fn(&[u8]));

/// All entries.
pub const ENTRIES: &[Entry] = &[("attribute", attribute), ("did", did), ("did_document", did_document)];

/// Most events of one input.
const EVENTS: usize = 500;

/// DIDs and DID URLs: what reads is written in one way, and that way reads as the same.
pub fn did(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(did) = text.parse::<Did>() {
        assert_eq!(did.to_string().parse::<Did>().ok().as_ref(), Some(&did));
        if let Some(ethr) = did.as_ethr() {
            let provider: &dyn Provider = &Native::new();
            let _ = ethr.address(provider);
        }
    }
    if let Ok(url) = text.parse::<DidUrl>() {
        assert_eq!(url.to_string().parse::<DidUrl>().ok(), Some(url));
    }
}

/// An attribute's name as the contract has it: what reads and fits when written in full reads as the same.
pub fn attribute(data: &[u8]) {
    let Some(bytes) = name(data) else { return };
    if let Ok(name) = AttributeName::decode(&bytes) {
        assert_eq!(name.to_string().parse().ok().as_ref(), Some(&name));
        match name.encode() {
            Ok(written) => assert_eq!(AttributeName::decode(&written).ok(), Some(name)),
            // `did/pub/…/veriKey` without its encoding may be 32 bytes already.
            Err(_) => assert!(name.to_string().len() > 32),
        }
    }
}

/// The document of a did:ethr made from events, which anybody may emit: see [`read`] for the text they are in.
pub fn did_document(data: &[u8]) {
    let _ = makes_document(data);
}

/// [`did_document`]; whether there is one.
pub fn makes_document(data: &[u8]) -> bool {
    let Some((did, at, events)) = std::str::from_utf8(data).ok().and_then(read) else {
        return false;
    };
    let (Some(ethr), provider) = (did.as_ethr(), &Native::new()) else {
        return false;
    };
    let Ok(made) = ethr::resolve(ethr, &events, at, provider) else {
        return false;
    };
    let document = &made.did_document;
    assert_eq!(document.id, did.to_string());
    assert!(document.verification_method.len() <= events.len() + 2);
    assert!(document.service.len() <= events.len());
    assert_eq!(
        document.verification_method.is_empty(),
        made.did_document_metadata.deactivated
    );
    let mut ids = HashSet::new();
    let methods = document.verification_method.iter().map(|method| &method.id);
    for id in methods.chain(document.service.iter().map(|service| &service.id)) {
        assert!(ids.insert(id), "an id names one thing");
    }
    let listed = [
        &document.authentication,
        &document.assertion_method,
        &document.key_agreement,
    ];
    assert!(listed.into_iter().flatten().all(|id| ids.contains(id)));
    for relationship in [Relationship::Authentication, Relationship::AssertionMethod] {
        assert!(document.keys(relationship, provider).len() <= document.verification_method.len());
    }
    let written = serde_json::to_vec(&made).expect("a document is JSON");
    assert!(
        written.len() <= 4096 + 768 * events.len() + 8 * data.len(),
        "bounded by what it is made from"
    );
    let mut back: Resolution = serde_json::from_slice(&written).expect("what is written reads");
    // A service's numbers may be beyond what a float says exactly.
    back.did_document.service.clone_from(&document.service);
    assert_eq!(back, made);
    let _: Document = made.did_document.with_multibase(provider);
    true
}

/// Line 1 is the DID; line 2 `now TIME`, `time TIME` or `block NUMBER TIME`; each further line an event: `BLOCK TIME owner ADDRESS`,
/// `BLOCK TIME delegate NAME ADDRESS VALID_TO`, `BLOCK TIME attribute NAME HEX VALID_TO`. A name that begins with `0x` is hexadecimal.
fn read(text: &str) -> Option<(Did, At, Vec<Event>)> {
    let mut lines = text.lines();
    let did = lines.next()?.parse().ok()?;
    let at = match *lines.next()?.split(' ').collect::<Vec<_>>() {
        ["now", time] => At::Now(Timestamp(time.parse().ok()?)),
        ["time", time] => At::Time(Timestamp(time.parse().ok()?)),
        ["block", number, time] => At::Block {
            number: number.parse().ok()?,
            time: Timestamp(time.parse().ok()?),
        },
        _ => return None,
    };
    let events = lines.take(EVENTS).map(event).collect::<Option<_>>()?;
    Some((did, at, events))
}

fn event(line: &str) -> Option<Event> {
    let words: Vec<_> = line.split(' ').collect();
    let [block, time, words @ ..] = words.as_slice() else {
        return None;
    };
    let address = |text: &str| text.parse::<Address>().ok();
    let bytes32 = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => name(&from_hex(digits).ok()?),
        None => name(text.as_bytes()),
    };
    let change = match *words {
        ["owner", owner] => Change::Owner { owner: address(owner)? },
        ["delegate", kind, delegate, valid_to] => Change::Delegate {
            delegate_type: bytes32(kind)?,
            delegate: address(delegate)?,
            valid_to: valid_to.parse().ok()?,
        },
        ["attribute", kind, value, valid_to] => Change::Attribute {
            name: bytes32(kind)?,
            value: from_hex(value).ok()?,
            valid_to: valid_to.parse().ok()?,
        },
        _ => return None,
    };
    Some(Event {
        block: block.parse().ok()?,
        time: Timestamp(time.parse().ok()?),
        previous_change: 0,
        change,
    })
}

fn name(bytes: &[u8]) -> Option<[u8; 32]> {
    let mut padded = [0; 32];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(padded)
}
