use super::{
    attribute::is_word,
    event::{Change, Event, unpadded},
};
use crate::{
    Did, Document, Ethr, KeyMaterial, Metadata, MethodType, Resolution, Service, VerificationMethod, base58,
    did::EthrKey,
};
use vidimus_core::{
    Address, Provider, SignatureError, Timestamp,
    encoding::{base64, hex},
};

const CONTEXTS: [&str; 3] = [
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/suites/secp256k1recovery-2020/v2",
    "https://w3id.org/security/v3-unstable",
];

/// Most bytes that are written in base58, which takes the square of their number: anybody may log what no key is, as long as a block. An RSA
/// key of 8192 bits has half of them.
const LONGEST_BASE58: usize = 2048;

/// Which version of a document is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest, with what is valid at this time.
    Now(Timestamp),
    /// As it stood after this block (`versionId`), which has this time.
    Block {
        /// Its number.
        number: u64,
        /// Its time.
        time: Timestamp,
    },
    /// As it stood at this time (`versionTime`).
    Time(Timestamp),
}

/// Builds the document of `did` from all of its registry's events, in the order of the chain. [`SignatureError::Key`] when the DID states a
/// key that is none.
pub fn resolve(did: &Ethr, events: &[Event], at: At, provider: &dyn Provider) -> Result<Resolution, SignatureError> {
    let identity = did.address(provider)?;
    let now = match at {
        At::Now(time) | At::Block { time, .. } | At::Time(time) => time,
    };
    let is_later = |event: &Event| match at {
        At::Now(_) => false,
        At::Block { number, .. } => event.block > number,
        At::Time(time) => event.time > time,
    };
    let mut state = State::new(Did::Ethr(*did).to_string(), did.chain_id, identity, now);
    let mut metadata = Metadata::default();
    for event in events.iter().filter(|event| is_meant(&event.change)) {
        if is_later(event) {
            metadata.next_version_id.get_or_insert_with(|| event.block.to_string());
            metadata.next_update.get_or_insert_with(|| event.time.to_rfc3339());
            continue;
        }
        metadata.version_id = Some(event.block.to_string());
        metadata.updated = Some(event.time.to_rfc3339());
        state.apply(&event.change);
        if state.deactivated() {
            break;
        }
    }
    metadata.deactivated = state.deactivated();
    Ok(Resolution {
        did_document: state.document(did, provider),
        did_document_metadata: metadata,
    })
}

/// The address with the mixed case that serves as its checksum (EIP-55).
pub fn checksum(address: &Address, provider: &dyn Provider) -> String {
    let digits = hex(&address.0);
    let hash = hex(&provider.keccak256(digits.as_bytes()));
    let cased = digits.bytes().zip(hash.bytes()).map(|(digit, nibble)| {
        char::from(if nibble >= b'8' {
            digit.to_ascii_uppercase()
        } else {
            digit
        })
    });
    ["0", "x"].into_iter().flat_map(str::chars).chain(cased).collect()
}

/// Names that are not UTF-8 are somebody else's use of the registry.
fn is_meant(change: &Change) -> bool {
    match change {
        Change::Owner { .. } => true,
        Change::Delegate {
            delegate_type: name, ..
        }
        | Change::Attribute { name, .. } => unpadded(name).is_some(),
    }
}

/// What an event is about: a later one about the same takes its place.
#[derive(PartialEq, Eq)]
struct Subject {
    attribute: bool,
    name: [u8; 32],
    value: Vec<u8>,
}

/// A key or service while the history is read. Numbers count every event, so that an id never passes to another key.
struct Entry {
    subject: Subject,
    part: Part,
}

enum Part {
    Key {
        number: u64,
        kind: String,
        material: Material,
        uses: Uses,
    },
    Service {
        number: u64,
        kind: String,
        endpoint: serde_json::Value,
    },
}

/// What a key is for.
#[derive(Clone, Copy)]
struct Uses {
    signs: bool,
    logs_in: bool,
    is_encrypted_to: bool,
}

impl Uses {
    /// Of the keys that the identity has by itself.
    const OWNER: Self = Self {
        signs: true,
        logs_in: true,
        is_encrypted_to: false,
    };
}

enum Material {
    Account(Address),
    Written(KeyMaterial),
}

struct State {
    did: String,
    chain_id: u64,
    identity: Address,
    now: Timestamp,
    owner: Address,
    keys: u64,
    services: u64,
    entries: Vec<Entry>,
}

impl State {
    fn new(did: String, chain_id: u64, identity: Address, now: Timestamp) -> Self {
        Self {
            did,
            chain_id,
            identity,
            now,
            owner: identity,
            keys: 0,
            services: 0,
            entries: Vec::new(),
        }
    }

    fn deactivated(&self) -> bool {
        self.owner == Address([0; 20])
    }

    fn apply(&mut self, change: &Change) {
        let is_valid = |valid_to: u64| valid_to > 0 && i64::try_from(valid_to).unwrap_or(i64::MAX) >= self.now.0;
        match change {
            Change::Owner { owner } => self.owner = *owner,
            Change::Delegate {
                delegate_type,
                delegate,
                valid_to,
            } => {
                let subject = Subject {
                    attribute: false,
                    name: *delegate_type,
                    value: delegate.0.to_vec(),
                };
                self.keys += 1;
                if is_valid(*valid_to) {
                    self.delegate(subject, *delegate);
                } else {
                    self.remove(&subject);
                }
            }
            Change::Attribute { name, value, valid_to } => {
                let subject = Subject {
                    attribute: true,
                    name: *name,
                    value: value.clone(),
                };
                let text = unpadded(name).unwrap_or_default();
                if is_valid(*valid_to) {
                    self.attribute(subject, text, value);
                } else {
                    self.keys += u64::from(text.starts_with("did/pub/"));
                    self.services += u64::from(text.starts_with("did/svc/"));
                    self.remove(&subject);
                }
            }
        }
    }

    fn delegate(&mut self, subject: Subject, delegate: Address) {
        let logs_in = match unpadded(&subject.name) {
            Some("sigAuth") => true,
            Some("veriKey") => false,
            _ => return,
        };
        let part = Part::Key {
            number: self.keys,
            kind: MethodType::RECOVERY.into(),
            material: Material::Account(delegate),
            uses: Uses {
                signs: true,
                logs_in,
                is_encrypted_to: false,
            },
        };
        self.put(subject, part);
    }

    fn attribute(&mut self, subject: Subject, name: &str, value: &[u8]) {
        // `did/(pub|svc)/algorithm[/purpose[/encoding]]`, each a word; anything else is somebody else's and is not counted.
        let parts: Vec<&str> = name.split('/').collect();
        let (["did", section, algorithm, rest @ ..], true) = (
            parts.as_slice(),
            parts.len() <= 5 && parts.iter().all(|part| is_word(part)),
        ) else {
            return;
        };
        let (purpose, encoding) = (rest.first().copied(), rest.get(1).copied());
        match *section {
            "pub" => {
                self.keys += 1;
                let material = match encoding {
                    None | Some("hex") => KeyMaterial::PublicKeyHex(hex(value)),
                    Some("base64") => KeyMaterial::PublicKeyBase64(base64(value)),
                    Some("base58") if value.len() > LONGEST_BASE58 => return,
                    Some("base58") => KeyMaterial::PublicKeyBase58(base58::encode(value)),
                    Some("pem") => match std::str::from_utf8(value) {
                        Ok(text) => KeyMaterial::PublicKeyPem(text.into()),
                        Err(_) => return,
                    },
                    Some(_) => KeyMaterial::Value(hex(value)),
                };
                let part = Part::Key {
                    number: self.keys,
                    kind: method_type(algorithm, purpose).into(),
                    material: Material::Written(material),
                    uses: Uses {
                        signs: purpose != Some("enc"),
                        logs_in: purpose == Some("sigAuth"),
                        is_encrypted_to: purpose == Some("enc"),
                    },
                };
                self.put(subject, part);
            }
            "svc" => {
                self.services += 1;
                let Ok(text) = std::str::from_utf8(value) else { return };
                let endpoint = serde_json::from_str(text).unwrap_or_else(|_| text.into());
                self.put(
                    subject,
                    Part::Service {
                        number: self.services,
                        kind: (*algorithm).into(),
                        endpoint,
                    },
                );
            }
            _ => {}
        }
    }

    fn put(&mut self, subject: Subject, part: Part) {
        match self.entries.iter_mut().find(|entry| entry.subject == subject) {
            Some(entry) => entry.part = part,
            None => self.entries.push(Entry { subject, part }),
        }
    }

    fn remove(&mut self, subject: &Subject) {
        self.entries.retain(|entry| entry.subject != *subject);
    }

    fn document(self, did: &Ethr, provider: &dyn Provider) -> Document {
        let id = self.did.as_str();
        let mut document = Document {
            context: CONTEXTS.map(String::from).to_vec(),
            id: id.into(),
            verification_method: Vec::new(),
            authentication: Vec::new(),
            assertion_method: Vec::new(),
            key_agreement: Vec::new(),
            service: Vec::new(),
        };
        if self.deactivated() {
            return document;
        }
        let account = |address: &Address| {
            KeyMaterial::BlockchainAccountId(format!("eip155:{}:{}", self.chain_id, checksum(address, provider)))
        };
        let owner = account(&self.owner);
        list(&mut document, "controller", MethodType::RECOVERY, owner, Uses::OWNER);
        if let EthrKey::PublicKey(key) = did.key
            && self.owner == self.identity
        {
            let material = KeyMaterial::PublicKeyHex(hex(&key));
            list(
                &mut document,
                "controllerKey",
                MethodType::SECP256K1,
                material,
                Uses::OWNER,
            );
        }
        for entry in self.entries {
            match entry.part {
                Part::Key {
                    number,
                    kind,
                    material,
                    uses,
                } => {
                    let material = match material {
                        Material::Account(address) => account(&address),
                        Material::Written(written) => written,
                    };
                    list(&mut document, &format!("delegate-{number}"), &kind, material, uses);
                }
                Part::Service { number, kind, endpoint } => document.service.push(Service {
                    id: format!("{id}#service-{number}"),
                    kind,
                    service_endpoint: endpoint,
                }),
            }
        }
        document
    }
}

/// Puts a key into a document, and its id under what it is for.
fn list(document: &mut Document, fragment: &str, kind: &str, material: KeyMaterial, uses: Uses) {
    let key = format!("{}#{fragment}", document.id);
    for (_, list) in [
        (uses.logs_in, &mut document.authentication),
        (uses.signs, &mut document.assertion_method),
        (uses.is_encrypted_to, &mut document.key_agreement),
    ]
    .into_iter()
    .filter(|(listed, _)| *listed)
    {
        list.push(key.clone());
    }
    document.verification_method.push(VerificationMethod {
        id: key,
        kind: MethodType(kind.into()),
        controller: document.id.clone(),
        material,
    });
}

/// The verification method's type: old pairs of algorithm and purpose have names of their own, any other algorithm is its own name.
fn method_type<'a>(algorithm: &'a str, purpose: Option<&str>) -> &'a str {
    match (algorithm, purpose) {
        ("Secp256k1", Some("veriKey" | "sigAuth")) => MethodType::SECP256K1,
        ("Ed25519", Some("veriKey" | "sigAuth")) => MethodType::ED25519,
        ("RSA", Some("veriKey")) => MethodType::RSA,
        ("X25519", Some("enc")) => MethodType::X25519,
        _ => algorithm,
    }
}
