//! A view of a registry contract: who was admitted for what, when, with which keys, rebuilt from the contract's events in order.
//!
//! One type serves both contracts, issuers and verifiers; they differ in what is granted ([`Grant`]). The whole history is kept, because a
//! check asks about the time of signing, not only about now.

use crate::x509;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use vidimus_core::{Address, Digest, Provider, PublicKey, Timestamp, receipt::BlockHash};

/// What a registry admits a participant for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// An issuer may issue this category.
    Category(String),
    /// A verifier may ask for this attribute.
    Attribute(String),
    /// A verifier may ask for this purpose.
    Purpose(String),
}

/// A participant's keys beside its account, as `IParticipants.Keys` holds them; absent where the contract has zeros.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The P-256 signing key (ES256; VC-JWT and HCERT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p256: Option<PublicKey>,
    /// The X25519 sealing key, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x25519: Option<Digest>,
    /// SHA-256 of the DER of the P-256 key's X.509 certificate. Its first 8 bytes are the `kid` of an HCERT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Digest>,
}

/// What one event of a registry contract says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Admitted; SHA-256 of its public profile.
    Approved(Digest),
    /// Another profile.
    ProfileChanged(Digest),
    /// May do this from now on.
    Granted(Grant),
    /// May no longer.
    Withdrawn(Grant),
    /// New keys; versions count from 1. Older versions stay valid for what they signed before.
    KeysRotated {
        /// Version of the new keys.
        version: u32,
        /// The keys.
        keys: Keys,
    },
    /// Keys of this version are not to be trusted for anything signed at or after `from`.
    KeysRevoked {
        /// Version of the revoked keys.
        version: u32,
        /// From when.
        from: Timestamp,
    },
    /// Suspended, with a code that says why.
    Suspended(String),
    /// Active again.
    Resumed,
    /// Out for good, with a code that says why.
    Revoked(String),
    /// Its DID has another owner (ERC-1056), whose account key signs from now on: the owner before said so on the chain. Zero: nobody's,
    /// for ever.
    OwnerChanged(Address),
}

/// An event of a registry contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Whom it is about.
    pub participant: Address,
    /// Number of the block that holds it.
    pub block: u64,
    /// That block's timestamp.
    pub time: Timestamp,
    /// What changed.
    pub change: Change,
}

/// How far a view of the chain reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Number of the last block that was read.
    pub block_number: u64,
    /// Its hash.
    pub block_hash: BlockHash,
    /// Its timestamp.
    pub block_time: Timestamp,
    /// When somebody who asked the ledger found this block to be its last. The age of the view counts from here: a chain where nothing
    /// happens makes no blocks.
    pub read_at: Timestamp,
}

/// What a participant says publicly about itself. Its SHA-256, over the bytes as they are served, stands in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2 code of its country.
    pub country: String,
    /// Its web page or postal address, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Where a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Admitted.
    Active,
    /// Not for the time being.
    Suspended,
    /// Never again.
    Revoked,
}

/// One version of a participant's keys and the time it holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Counted from 1.
    pub version: u32,
    /// The keys.
    pub keys: Keys,
    /// When the registry took them in.
    pub from: Timestamp,
    /// When the next version replaced them.
    pub until: Option<Timestamp>,
    /// From when on nothing signed with them is to be trusted.
    pub revoked_from: Option<Timestamp>,
}

impl KeyRecord {
    /// The `kid` of HCERTs signed with these keys: the first 8 bytes of SHA-256 of the document signer's DER.
    pub fn kid(&self) -> Option<[u8; 8]> {
        self.keys.certificate.map(|digest| first8(&digest))
    }
}

/// An account that owns a participant's DID, and the time it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountRecord {
    /// The account, whose secp256k1 key signs ES256K and ES256K-R.
    pub account: Address,
    /// Since when; none for the account that the DID itself names, which owns it from the beginning.
    pub from: Option<Timestamp>,
    /// When it was handed over to another.
    pub until: Option<Timestamp>,
}

/// A participant and its whole history.
#[derive(Debug, Clone)]
pub struct Participant {
    address: Address,
    did: String,
    accounts: Vec<AccountRecord>,
    profile: Digest,
    standing: Vec<(Timestamp, Standing)>,
    keys: Vec<KeyRecord>,
    grants: Vec<(Grant, Vec<Interval>)>,
}

/// From (inclusive) until (exclusive; open if none).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Participant {
    /// The account it was admitted under, which its DID names. It stays when the key is rotated: [`Self::account`] is who signs.
    pub fn address(&self) -> Address {
        self.address
    }
    /// The account that owns its DID now; none where it was given up.
    pub fn account(&self) -> Option<Address> {
        self.accounts
            .last()
            .filter(|record| record.until.is_none())
            .map(|record| record.account)
    }
    /// Every account that owned its DID since it was admitted, oldest first.
    pub fn accounts(&self) -> &[AccountRecord] {
        &self.accounts
    }
    /// `did:ethr:0x<chain id>:0x<address>`.
    pub fn did(&self) -> &str {
        &self.did
    }
    /// SHA-256 of its public profile.
    pub fn profile(&self) -> Digest {
        self.profile
    }
    /// Where it stands now.
    pub fn standing(&self) -> Standing {
        self.standing
            .last()
            .map_or(Standing::Revoked, |(_, standing)| *standing)
    }
    /// When it was first admitted.
    pub fn admitted_at(&self) -> Timestamp {
        self.standing[0].0
    }
    /// Where it stood at `time`; `None` before it was admitted.
    pub fn standing_at(&self, time: Timestamp) -> Option<Standing> {
        self.standing
            .iter()
            .rev()
            .find(|(since, _)| *since <= time)
            .map(|(_, standing)| *standing)
    }
    /// Whether it held `grant` at `time`.
    pub fn held(&self, grant: &Grant, time: Timestamp) -> bool {
        self.intervals(|candidate| candidate == grant)
            .any(|interval| interval.from <= time && interval.until.is_none_or(|until| time < until))
    }
    /// Whether it was admitted for the category at `time`. Allocates nothing.
    pub fn admitted_for(&self, category: &str, time: Timestamp) -> bool {
        self.intervals(|grant| matches!(grant, Grant::Category(name) if name == category))
            .any(|interval| interval.from <= time && interval.until.is_none_or(|until| time < until))
    }
    /// What it may do now.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants
            .iter()
            .filter(|(_, intervals)| intervals.last().is_some_and(|interval| interval.until.is_none()))
            .map(|(grant, _)| grant)
    }
    /// All versions of its keys, oldest first.
    pub fn keys(&self) -> &[KeyRecord] {
        &self.keys
    }
    fn intervals(&self, wanted: impl Fn(&Grant) -> bool) -> impl Iterator<Item = &Interval> {
        self.grants
            .iter()
            .filter(move |(grant, _)| wanted(grant))
            .flat_map(|(_, intervals)| intervals)
    }
}

/// What the registry's events do to it. `None`: that does not follow from what happened before.
impl Participant {
    fn grant(&mut self, grant: &Grant, time: Timestamp) -> Option<()> {
        let interval = Interval {
            from: time,
            until: None,
        };
        match self.grants.iter_mut().find(|(known, _)| known == grant) {
            // Twice without a withdrawal between: one withdrawal would leave the other in force.
            Some((_, intervals)) if intervals.last().is_some_and(|last| last.until.is_none()) => return None,
            Some((_, intervals)) => intervals.push(interval),
            None => self.grants.push((grant.clone(), vec![interval])),
        }
        Some(())
    }
    fn withdraw(&mut self, grant: &Grant, time: Timestamp) -> Option<()> {
        let (_, intervals) = self.grants.iter_mut().find(|(known, _)| known == grant)?;
        let open = intervals.last_mut().filter(|interval| interval.until.is_none())?;
        open.until = Some(time);
        Some(())
    }
    fn rotate(&mut self, version: u32, keys: &Keys, time: Timestamp) -> Option<&KeyRecord> {
        if self.keys.last().map_or(0, |record| record.version) >= version {
            return None;
        }
        if let Some(before) = self.keys.last_mut() {
            before.until = Some(time);
        }
        self.keys.push(KeyRecord {
            version,
            keys: keys.clone(),
            from: time,
            until: None,
            revoked_from: None,
        });
        self.keys.last()
    }
    fn revoke_keys(&mut self, version: u32, from: Timestamp) -> Option<()> {
        let record = self.keys.iter_mut().find(|record| record.version == version)?;
        // Revoking again can only widen it: nobody makes a key trusted again by a later event.
        record.revoked_from = Some(record.revoked_from.map_or(from, |before| before.min(from)));
        Some(())
    }
    fn stand(&mut self, standing: Standing, time: Timestamp) -> Option<()> {
        if self.standing() == Standing::Revoked {
            return None;
        }
        self.standing.push((time, standing));
        Some(())
    }
    fn hand_over(&mut self, owner: Address, time: Timestamp) {
        // Zero gives a DID up for ever, whatever is said of it later (ERC-1056): resolvers read no further either.
        if self.account().is_none() {
            return;
        }
        if let Some(before) = self.accounts.last_mut() {
            before.until.get_or_insert(time);
        }
        if owner != Address([0; 20]) {
            self.accounts.push(AccountRecord {
                account: owner,
                from: Some(time),
                until: None,
            });
        }
    }
}

/// An event does not follow from the ones before: the list is cut, out of order or not a registry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event in block {block} does not follow from the registry's earlier events")]
pub struct EventError {
    /// Block of the event that does not fit.
    pub block: u64,
}

/// Why a certificate is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It does not read as an X.509 certificate.
    #[error("not an X.509 certificate")]
    Malformed,
    /// The registry names it beside another key than the one it holds.
    #[error("the certificate's key is not the key that the registry names beside it")]
    Key,
}

/// A registry contract's state and history, as of [`Head`].
#[derive(Debug, Clone)]
pub struct Registry {
    head: Head,
    last: u64,
    participants: HashMap<Address, Participant>,
    by_kid: HashMap<[u8; 8], Vec<(Address, u32)>>,
    certificates: HashMap<Digest, x509::Certificate>,
    profiles: HashMap<Digest, Profile>,
}

impl Registry {
    /// A registry in which nothing has happened.
    pub fn new(head: Head) -> Self {
        Self {
            head,
            last: 0,
            participants: HashMap::new(),
            by_kid: HashMap::new(),
            certificates: HashMap::new(),
            profiles: HashMap::new(),
        }
    }

    /// Rebuilds a registry from all its events, in their order.
    pub fn build<'a>(head: Head, events: impl IntoIterator<Item = &'a Event>) -> Result<Self, EventError> {
        let mut registry = Self::new(head);
        for event in events {
            registry.apply(event)?;
        }
        Ok(registry)
    }

    /// Takes in the next event. The contract has checked who may do what; only the order is checked here.
    pub fn apply(&mut self, event: &Event) -> Result<(), EventError> {
        let wrong = EventError { block: event.block };
        if event.block < self.last {
            return Err(wrong);
        }
        self.last = event.block;
        if let Change::Approved(profile) = event.change {
            return self.admit(event.participant, profile, event.time).ok_or(wrong);
        }
        self.change(event).ok_or(wrong)
    }

    /// `None` where it was admitted before.
    fn admit(&mut self, address: Address, profile: Digest, time: Timestamp) -> Option<()> {
        let participant = Participant {
            address,
            did: format!("did:ethr:{:#x}:{address}", self.head.chain_id),
            accounts: vec![AccountRecord {
                account: address,
                from: None,
                until: None,
            }],
            profile,
            standing: vec![(time, Standing::Active)],
            keys: Vec::new(),
            grants: Vec::new(),
        };
        self.participants.insert(address, participant).is_none().then_some(())
    }

    /// What happens to a participant that is there; `None` where that does not follow from what is known of it.
    fn change(&mut self, event: &Event) -> Option<()> {
        let participant = self.participants.get_mut(&event.participant)?;
        let time = event.time;
        match &event.change {
            Change::Approved(_) => return None,
            Change::ProfileChanged(profile) => participant.profile = *profile,
            Change::Granted(grant) => participant.grant(grant, time)?,
            Change::Withdrawn(grant) => participant.withdraw(grant, time)?,
            Change::KeysRotated { version, keys } => {
                if let Some(kid) = participant.rotate(*version, keys, time)?.kid() {
                    self.by_kid.entry(kid).or_default().push((event.participant, *version));
                }
            }
            Change::KeysRevoked { version, from } => participant.revoke_keys(*version, *from)?,
            Change::Suspended(_) => participant.stand(Standing::Suspended, time)?,
            Change::Resumed => participant.stand(Standing::Active, time)?,
            Change::Revoked(_) => participant.stand(Standing::Revoked, time)?,
            Change::OwnerChanged(owner) => participant.hand_over(*owner, time),
        }
        Some(())
    }

    /// Moves the head forward: the ledger was asked again. `head` is of the same chain.
    pub fn advance(&mut self, head: Head) {
        debug_assert_eq!(head.chain_id, self.head.chain_id, "a registry stays on its chain");
        self.head = head;
    }

    /// Takes in a document signer's certificate. What no participant names is kept for later; it gives no trust by itself.
    pub fn add_certificate(&mut self, der: &[u8], provider: &dyn Provider) -> Result<Digest, CertificateError> {
        let certificate = x509::Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        let digest = provider.sha256(&[der]);
        for (address, version) in self.by_kid.get(&first8(&digest)).into_iter().flatten() {
            let named = self.participants[address]
                .keys
                .iter()
                .find(|record| record.version == *version);
            let same = |record: &KeyRecord| {
                record.keys.certificate != Some(digest) || record.keys.p256.as_ref() == Some(&certificate.public_key)
            };
            if !named.is_none_or(same) {
                return Err(CertificateError::Key);
            }
        }
        self.certificates.insert(digest, certificate);
        Ok(digest)
    }

    /// A document signer's certificate that was taken in, by the SHA-256 of its DER.
    pub fn certificate_by(&self, fingerprint: &Digest) -> Option<&x509::Certificate> {
        self.certificates.get(fingerprint)
    }

    /// Takes in a public profile, as the bytes that are served. `false`: not a profile.
    pub fn add_profile(&mut self, bytes: &[u8], provider: &dyn Provider) -> bool {
        let Ok(profile) = serde_json::from_slice(bytes) else {
            return false;
        };
        self.profiles.insert(provider.sha256(&[bytes]), profile);
        true
    }

    /// How far it reaches.
    pub fn head(&self) -> &Head {
        &self.head
    }
    /// A participant by its account.
    pub fn participant(&self, address: &Address) -> Option<&Participant> {
        self.participants.get(address)
    }
    /// All participants, in no particular order.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.participants.values()
    }
    /// A participant by its DID; `None` for another method, another chain, or nobody. Case matters: there is one spelling.
    pub fn resolve(&self, did: &str) -> Option<&Participant> {
        let address = did.rsplit(':').next()?.parse().ok()?;
        self.participants
            .get(&address)
            .filter(|participant| participant.did == did)
    }
    /// Those who named a certificate with this `kid`, with the version of the keys. Eight bytes collide on purpose: each has to be tried.
    pub fn by_kid(&self, kid: &[u8]) -> impl Iterator<Item = (&Participant, &KeyRecord)> {
        let named = <[u8; 8]>::try_from(kid).ok().and_then(|kid| self.by_kid.get(&kid));
        named.into_iter().flatten().filter_map(|(address, version)| {
            let participant = self.participants.get(address)?;
            Some((
                participant,
                participant.keys.iter().find(|record| record.version == *version)?,
            ))
        })
    }
    /// The document signer's certificate of a version of keys, if it is at hand and really holds that key.
    pub fn certificate(&self, record: &KeyRecord) -> Option<&x509::Certificate> {
        let certificate = self.certificates.get(&record.keys.certificate?)?;
        (record.keys.p256.as_ref() == Some(&certificate.public_key)).then_some(certificate)
    }
    /// What a participant says about itself, if its profile is at hand.
    pub fn profile(&self, participant: &Participant) -> Option<&Profile> {
        self.profiles.get(&participant.profile)
    }
}

fn first8(digest: &Digest) -> [u8; 8] {
    let mut kid = [0; 8];
    kid.copy_from_slice(&digest.0[..8]);
    kid
}
