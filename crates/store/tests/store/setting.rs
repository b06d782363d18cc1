//! What the tests share: a deployment with its authority and a laboratory.

use std::sync::Arc;
use vidimus_core::{
    Commitment, Digest, Entropy, Timestamp,
    id::{CertificateId, CopyId, ParticipantId, ResultId},
};
use vidimus_crypto::{Native, OsEntropy};
use vidimus_store::{
    Error, Scope, Store, Wrapped, certificates, copies, participants, persons, results, status,
    testing::{self, Place},
    value::{Column, Param},
};

pub const NOW: Timestamp = Timestamp(1_772_000_000);
pub const CHAIN: u64 = 5_654_861;

/// Runs a test on both databases.
macro_rules! on_both {
    ($($(#[$attribute:meta])* async fn $name:ident($setting:ident: Setting) $body:block)*) => {$(
        mod $name {
            use super::*;
            async fn run($setting: $crate::setting::Setting) $body
            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn sqlite() {
                run($crate::setting::Setting::new(vidimus_store::testing::sqlite()).await).await;
            }
            $(#[$attribute])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn postgresql() {
                let Some(place) = vidimus_store::testing::postgres() else { return };
                run($crate::setting::Setting::new(place).await).await;
            }
        }
    )*};
}
pub(crate) use on_both;

pub struct Setting {
    pub store: Store,
    pub place: Place,
    pub laboratory: ParticipantId,
}

impl Setting {
    pub async fn new(place: Place) -> Self {
        let store = open(&place).await.expect("an empty database opens");
        let laboratory = ParticipantId::from_bytes(random());
        store
            .write(move |tx| {
                participants::insert(tx, &participant(laboratory, participants::Role::Issuer))?;
                status::open_list(tx, 1, 1 << 20, NOW)?;
                Ok::<_, Error>(())
            })
            .await
            .expect("the laboratory is admitted");
        Self {
            store,
            place,
            laboratory,
        }
    }

    pub fn scope(&self) -> Scope {
        Scope::authenticated(self.laboratory)
    }

    /// Another handle on the same database, as another process would have.
    pub async fn again(&self) -> Store {
        open(&self.place).await.expect("it opens again")
    }

    /// One number out of the database.
    pub async fn number(&self, statement: &'static str) -> i64 {
        number(&self.store, statement).await
    }

    pub async fn do_it(&self, statement: &'static str) -> Result<u64, Error> {
        self.store.write(move |tx| testing::execute(tx, statement, &[])).await
    }

    /// A person, a result and a certificate.
    pub async fn certificate(&self) -> CertificateId {
        let (person, id, result) = (
            digest(),
            CertificateId::from_bytes(random()),
            ResultId::from_bytes(random()),
        );
        let (scope, participant) = (self.scope(), self.laboratory);
        let key = wrapped();
        self.store
            .write(move |tx| {
                persons::ensure(tx, &person, &key, NOW)?;
                results::insert(tx, &scope, &result_of(result, participant, person))?;
                certificates::insert(tx, &scope, &certificate_of(id, participant, result, person))
            })
            .await
            .expect("a certificate is recorded");
        id
    }

    /// A signed copy, waiting for the chain.
    pub async fn copy(&self, certificate: CertificateId) -> copies::Signed {
        let (scope, intent, signed) = (self.scope(), self.intent(certificate), signed());
        let signed = copies::Signed {
            id: intent.id,
            ..signed
        };
        let done = signed.clone();
        self.store
            .write(move |tx| {
                copies::intend(tx, &scope, &intent)?;
                assert!(copies::complete(tx, &scope, &signed, CHAIN, NOW)?);
                Ok::<_, Error>(())
            })
            .await
            .expect("a copy is recorded");
        done
    }

    pub fn intent(&self, certificate: CertificateId) -> copies::Intent {
        copies::Intent {
            id: CopyId::from_bytes(random()),
            participant: self.laboratory,
            certificate,
            format: "vc+jwt".into(),
            holder: Some("did:ethr:0x56494d:0x00000000000000000000000000000000000000aa".into()),
            status_list: 1,
            status_index: 7,
            prepared: None,
            created: NOW,
        }
    }
}

pub async fn open(place: &Place) -> Result<Store, Error> {
    Store::open(place.config.clone(), provider()).await
}

pub fn provider() -> Arc<Native> {
    Arc::new(Native::new())
}

pub async fn number(store: &Store, statement: &'static str) -> i64 {
    let rows = store
        .read(move |tx| testing::query(tx, statement, &[]))
        .await
        .expect("it reads");
    rows.into_iter().next().expect("one row").take(0).expect("a number")
}

pub async fn column<T: Column + Send + 'static>(store: &Store, statement: &'static str) -> Vec<T> {
    store
        .read(move |tx| {
            testing::query(tx, statement, &[])?
                .into_iter()
                .map(|mut row| row.take(0))
                .collect::<Result<_, Error>>()
        })
        .await
        .expect("it reads")
}

pub async fn insert(store: &Store, statement: &'static str, value: i64) -> Result<u64, Error> {
    store
        .write(move |tx| testing::execute(tx, statement, &[Param::Int(value)]))
        .await
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsEntropy.fill(&mut bytes);
    bytes
}

pub fn digest() -> Digest {
    Digest(random())
}

pub fn wrapped() -> Wrapped {
    Wrapped {
        kek_id: "person".into(),
        kek_version: 1,
        nonce: random::<12>().into(),
        ciphertext: random::<48>().into(),
    }
}

pub fn participant(id: ParticipantId, role: participants::Role) -> participants::Participant {
    participants::Participant {
        id,
        role,
        did: "did:ethr:0x56494d:0x00000000000000000000000000000000000000ff".into(),
        account: vidimus_core::Address(random()),
        name: "Labor Berlin".into(),
        country: "DE".into(),
        profile: "{}".into(),
        profile_digest: digest(),
        permits: "[]".into(),
        custody: participants::Custody::Wrapped,
        state: participants::State::Active,
        created: NOW,
        updated: NOW,
    }
}

pub fn result_of(id: ResultId, participant: ParticipantId, person: Digest) -> results::ResultRecord {
    results::ResultRecord {
        id,
        participant,
        person,
        category: "sars-cov-2-naat".into(),
        uniqueness: Digest([7; 32]),
        nonce: Some(random::<12>().into()),
        body: Some(random::<64>().into()),
        state: results::State::Live,
        created: NOW,
    }
}

pub fn certificate_of(
    id: CertificateId,
    participant: ParticipantId,
    result: ResultId,
    person: Digest,
) -> certificates::Certificate {
    certificates::Certificate {
        id,
        participant,
        result,
        person,
        category: "sars-cov-2-naat".into(),
        uniqueness: Digest([7; 32]),
        state: certificates::State::Valid,
        reason: None,
        replaced_by: None,
        valid_from: NOW,
        valid_until: NOW.plus(72 * 3600),
        created: NOW,
        updated: NOW,
    }
}

pub fn signed() -> copies::Signed {
    copies::Signed {
        id: CopyId::from_bytes(random()),
        key: None,
        digest: digest(),
        commitment: Commitment::from_bytes(random()),
        salt_nonce: random::<12>().into(),
        salt_ciphertext: random::<48>().into(),
        payload: Some(random::<200>().into()),
        content: Some(format!("b{}", digest())),
        issued_at: NOW,
    }
}
