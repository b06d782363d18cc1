//! What happened to a participant's objects: kinds, ids and times, no personal data. Appending is one row without a lock; numbers are given
//! afterwards, so that whoever reads by number misses nothing.

use crate::{
    Error, Scope, Tx, deliveries,
    value::{Row, names, params},
    webhooks,
};
use vidimus_core::{
    Timestamp,
    id::{DeliveryId, EventId, ParticipantId},
};

names! {
    /// What happened.
    pub enum Kind {
        /// A wallet has claimed an offer. Object: the offer.
        OfferClaimed = "offer.claimed",
        /// A copy was issued to a wallet. Object: the copy.
        CredentialIssued = "credential.issued",
        /// What a wallet waits for can be fetched. Object: the claim.
        CredentialReady = "credential.ready",
        /// A wallet says that it keeps a copy. Object: the claim.
        CredentialAccepted = "credential.accepted",
        /// A wallet says that it could not keep it. Object: the claim.
        CredentialFailed = "credential.failed",
        /// A wallet says that its holder does not want it. Object: the claim.
        CredentialDeleted = "credential.deleted",
        /// A presentation was answered. Object: the presentation.
        PresentationAnswered = "presentation.answered",
        /// A presentation was declined. Object: the presentation.
        PresentationDeclined = "presentation.declined",
        /// A presentation was not answered in time. Object: the presentation.
        PresentationExpired = "presentation.expired",
        /// A holder has signed receipt. Object: the copy.
        CounterSigned = "copy.counter-signed",
        /// A wallet waits for a copy that the issuer signs with its own key. Object: the copy.
        CopyToSign = "copy.to-sign",
        /// The participant is suspended. Object: the participant, as for the next two.
        RegistrationSuspended = "registration.suspended",
        /// The participant is not suspended any more.
        RegistrationResumed = "registration.resumed",
        /// The participant is revoked.
        RegistrationRevoked = "registration.revoked",
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::OfferClaimed,
        Self::CredentialIssued,
        Self::CredentialReady,
        Self::CredentialAccepted,
        Self::CredentialFailed,
        Self::CredentialDeleted,
        Self::PresentationAnswered,
        Self::PresentationDeclined,
        Self::PresentationExpired,
        Self::CounterSigned,
        Self::CopyToSign,
        Self::RegistrationSuspended,
        Self::RegistrationResumed,
        Self::RegistrationRevoked,
    ];
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Its id: random, or made of what it tells where that may be seen twice.
    pub id: EventId,
    /// Whom it is told to: who owns the object.
    pub participant: ParticipantId,
    /// What.
    pub kind: Kind,
    /// The object's id.
    pub object: [u8; 16],
    /// When.
    pub time: Timestamp,
}

impl Event {
    /// What happens to an object once, and is the only thing of its kind: told again it is the same event.
    pub fn once(participant: ParticipantId, kind: Kind, object: [u8; 16], time: Timestamp) -> Self {
        Self {
            id: EventId::from_bytes(object),
            participant,
            kind,
            object,
            time,
        }
    }
}

/// An event with its place among its participant's: counted from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// Its place.
    pub sequence: u64,
    /// What happened.
    pub event: Event,
}

macro_rules! append {
    () => {
        "INSERT INTO events (id, participant_id, kind, object, time, arrival) \
         SELECT $1, $2, $3, $4, $5, COALESCE(MAX(arrival), 0) + 1 FROM events WHERE participant_id = $2 AND sequence IS NULL \
         ON CONFLICT (id) DO NOTHING"
    };
}

/// Appends an event, in the transaction of what it tells. Appending it again changes nothing.
pub fn append(tx: &mut Tx<'_>, event: &Event) -> Result<(), Error> {
    // After what is there: what happens later comes later. Of what happens at once, either may come first.
    tx.execute(
        append!(),
        params![event.id, event.participant, event.kind, event.object, event.time],
    )
    .map(drop)
}

macro_rules! unnumbered {
    () => {
        "SELECT DISTINCT participant_id FROM events WHERE sequence IS NULL LIMIT 1000"
    };
}

/// Participants with events that have no number yet.
pub fn unnumbered(tx: &mut Tx<'_>) -> Result<Vec<ParticipantId>, Error> {
    tx.list(unnumbered!(), &[], |mut row| row.take(0))
}

macro_rules! waiting {
    () => {
        "SELECT id, kind FROM events WHERE participant_id = $1 AND sequence IS NULL ORDER BY arrival, id LIMIT $2"
    };
}

/// Numbers events of a participant, at most so many, and queues them for its webhooks until `expires`. How many it were. Instances wait for
/// each other here.
pub fn number(
    tx: &mut Tx<'_>,
    participant: ParticipantId,
    most: u32,
    now: Timestamp,
    expires: Timestamp,
) -> Result<u64, Error> {
    let mut last: u64 = tx
        .query_exactly(
            "INSERT INTO event_heads (participant_id, last) VALUES ($1, 0) \
             ON CONFLICT (participant_id) DO UPDATE SET last = event_heads.last RETURNING last",
            params![participant],
        )?
        .take(0)?;
    // Read after the lock is held: what another instance has numbered meanwhile is numbered.
    let waiting: Vec<(EventId, Kind)> = tx.list(waiting!(), params![participant, most], |mut row| {
        Ok((row.take(0)?, row.take(1)?))
    })?;
    let listening = webhooks::listening(tx, participant)?;
    for (event, kind) in &waiting {
        last += 1;
        tx.execute("UPDATE events SET sequence = $1 WHERE id = $2", params![last, event])?;
        for (webhook, kinds) in &listening {
            if kinds.contains(kind) {
                // The same for each try, so that a webhook is told once however often this runs.
                let digest = tx.provider().sha256(&[event.as_bytes(), webhook.as_bytes()]);
                let id = DeliveryId::from_bytes(digest.0[..16].try_into().expect("a digest has 32 bytes"));
                deliveries::queue_event(tx, id, participant, *webhook, *event, now, expires)?;
            }
        }
    }
    tx.execute(
        "UPDATE event_heads SET last = $1 WHERE participant_id = $2",
        params![last, participant],
    )?;
    Ok(waiting.len() as u64)
}

fn read(mut row: Row) -> Result<Event, Error> {
    Ok(Event {
        id: row.take(0)?,
        participant: row.take(1)?,
        kind: row.take(2)?,
        object: row.take(3)?,
        time: row.take(4)?,
    })
}

/// A participant's events after a place, in their order.
pub fn after(
    tx: &mut Tx<'_>,
    scope: &Scope,
    participant: ParticipantId,
    sequence: u64,
    limit: u32,
) -> Result<Vec<Numbered>, Error> {
    scope.check(participant)?;
    tx.list(
        "SELECT id, participant_id, kind, object, time, sequence FROM events \
         WHERE participant_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
        params![participant, sequence, limit],
        |mut row| {
            Ok(Numbered {
                sequence: row.take(5)?,
                event: read(row)?,
            })
        },
    )
}

/// The place of a participant's newest event; 0 before the first.
pub fn last(tx: &mut Tx<'_>, scope: &Scope, participant: ParticipantId) -> Result<u64, Error> {
    scope.check(participant)?;
    let row = tx.query_one(
        "SELECT last FROM event_heads WHERE participant_id = $1",
        params![participant],
    )?;
    row.map_or(Ok(0), |mut row| row.take(0))
}

/// An event, whoever's: for what delivers it.
pub(crate) fn find(tx: &mut Tx<'_>, id: EventId) -> Result<Option<Event>, Error> {
    tx.find(
        "SELECT id, participant_id, kind, object, time FROM events WHERE id = $1",
        params![id],
        read,
    )
}

/// Removes numbered events from before a time.
pub fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM events WHERE time < $1 AND sequence IS NOT NULL",
        params![before],
    )
}

#[cfg(test)]
mod tests {
    use crate::{Store, testing, value::Param};
    use std::sync::Arc;
    use vidimus_crypto::Native;

    /// Every event that ever was would be looked at for each new one.
    #[tokio::test]
    async fn what_has_a_number_is_not_looked_at_again() {
        const ANY: [Param<'_>; 5] = [Param::Null; 5];
        let place = testing::sqlite();
        let store = Store::open(place.config, Arc::new(Native::new())).await.unwrap();
        let plans: [(&str, usize); 3] = [
            (concat!("EXPLAIN QUERY PLAN ", unnumbered!()), 0),
            (concat!("EXPLAIN QUERY PLAN ", waiting!()), 2),
            (concat!("EXPLAIN QUERY PLAN ", append!()), 5),
        ];
        for (statement, count) in plans {
            let plan = store.read(move |tx| testing::query(tx, statement, &ANY[..count]));
            let plan: String = plan.await.unwrap().remove(0).take(3).unwrap();
            assert!(plan.contains("USING INDEX events_unnumbered"), "{statement}: {plan}");
        }
    }
}
