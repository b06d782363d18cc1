//! What is to leave for addresses of others: a row for each, worked off by leases, so that several instances share them and one that dies
//! holds up nothing for longer than its lease.

use crate::{
    Error, Scope, Tx,
    events::{self, Event, Kind},
    value::{names, params},
};
use vidimus_core::{
    Timestamp,
    id::{DeliveryId, EventId, ParticipantId, SubscriptionId, WebhookId},
};

names! {
    /// Which way it leaves.
    pub enum Channel {
        /// An event, for a webhook.
        Webhook = "webhook",
        /// A message for a person, for the webhook of an issuer's gateway.
        Gateway = "gateway",
        /// A message for a person, by mail.
        Mail = "mail",
        /// A wake-up for a wallet, by a push service.
        Push = "push",
    }

    /// Where a delivery stands.
    pub enum State {
        /// It is to be tried (again).
        Waiting = "waiting",
        /// It arrived.
        Delivered = "delivered",
        /// It did not arrive in time, and is not tried any more.
        GivenUp = "given-up",
    }
}

/// A delivery that this process may try, until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id: the same for each try.
    pub id: DeliveryId,
    /// Which way.
    pub channel: Channel,
    /// Whose; none for wallets'.
    pub participant: Option<ParticipantId>,
    /// Id of the webhook, of the subscription, or of the issuer that has the mail sent.
    pub target: [u8; 16],
    /// What happened, for a webhook; none where it is not kept any more.
    pub event: Option<Event>,
    /// The sealed message, for a person.
    pub message: Option<Vec<u8>>,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When it was queued.
    pub created: Timestamp,
    /// Until when it is tried.
    pub expires: Timestamp,
}

/// A delivery to a webhook, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// What happened; none for a code.
    pub kind: Option<Kind>,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due: Timestamp,
    /// Why it did not arrive, in words without addresses.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created: Timestamp,
}

/// A message for a person, sealed for its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Id of the delivery.
    pub id: DeliveryId,
    /// `Gateway` or `Mail`.
    pub channel: Channel,
    /// The issuer that has it sent.
    pub participant: ParticipantId,
    /// The gateway's webhook, or the issuer.
    pub target: [u8; 16],
    /// The sealed message.
    pub ciphertext: Vec<u8>,
    /// Until when it is tried; then it is removed.
    pub expires: Timestamp,
}

const INSERT: &str = "INSERT INTO deliveries (id, channel, participant_id, target, event_id, message_ciphertext, state, attempts, due, \
     lease_until, expires, created, updated) VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 0, $7, 0, $8, $7, $7) ON CONFLICT (id) DO NOTHING";

/// Queues an event for a webhook; only [`events::number`] does.
pub(crate) fn queue_event(
    tx: &mut Tx<'_>,
    id: DeliveryId,
    participant: ParticipantId,
    webhook: WebhookId,
    event: EventId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), Error> {
    let none: Option<Vec<u8>> = None;
    tx.execute(
        INSERT,
        params![id, Channel::Webhook, participant, webhook, event, none, now, expires],
    )
    .map(drop)
}

/// Queues a wake-up; only [`crate::push::notify`] does.
pub(crate) fn queue_push(
    tx: &mut Tx<'_>,
    id: DeliveryId,
    subscription: SubscriptionId,
    now: Timestamp,
    expires: Timestamp,
) -> Result<(), Error> {
    let (nobody, no_event, none): (Option<ParticipantId>, Option<EventId>, Option<Vec<u8>>) = (None, None, None);
    tx.execute(
        INSERT,
        params![id, Channel::Push, nobody, subscription, no_event, none, now, expires],
    )
    .map(drop)
}

/// Queues a message for a person, in the transaction that it tells of.
pub fn queue_message(tx: &mut Tx<'_>, scope: &Scope, new: &Message, now: Timestamp) -> Result<(), Error> {
    scope.check(new.participant)?;
    let no_event: Option<EventId> = None;
    tx.execute(
        INSERT,
        params![
            new.id,
            new.channel,
            new.participant,
            new.target,
            no_event,
            new.ciphertext,
            now,
            new.expires
        ],
    )
    .map(drop)
}

/// Takes deliveries that are due, at most `most`, until `lease`; of one target at most `each` are taken at a time, by whomever. An attempt
/// counts when it begins.
pub fn claim(tx: &mut Tx<'_>, now: Timestamp, lease: Timestamp, each: u32, most: u32) -> Result<Vec<Claimed>, Error> {
    // What is taken already counts first for its target. The conditions stand twice: of two instances that read the same rows, the second finds them leased when it gets to them.
    let rows = tx.query(
        "UPDATE deliveries SET lease_until = $1, attempts = attempts + 1 WHERE id IN (\
           SELECT id FROM (\
             SELECT id, due, lease_until, ROW_NUMBER() OVER (\
               PARTITION BY target ORDER BY CASE WHEN lease_until > $2 THEN 0 ELSE 1 END, due, id\
             ) AS place FROM deliveries WHERE state = 'waiting' AND due <= $2 AND expires > $2\
           ) AS waiting WHERE place <= $3 AND lease_until <= $2 ORDER BY due, id LIMIT $4\
         ) AND state = 'waiting' AND due <= $2 AND lease_until <= $2 \
         RETURNING id, channel, participant_id, target, event_id, message_ciphertext, attempts, created, expires",
        params![lease, now, each, most],
    )?;
    let mut claimed = Vec::with_capacity(rows.len());
    for mut row in rows {
        let event = match row.take::<Option<EventId>>(4)? {
            None => None,
            Some(id) => events::find(tx, id)?,
        };
        claimed.push(Claimed {
            id: row.take(0)?,
            channel: row.take(1)?,
            participant: row.take(2)?,
            target: row.take(3)?,
            event,
            message: row.take(5)?,
            attempt: row.take(6)?,
            created: row.take(7)?,
            expires: row.take(8)?,
        });
    }
    Ok(claimed)
}

/// It arrived. What is nobody's to look at afterwards, messages and wake-ups, is removed.
pub fn delivered(tx: &mut Tx<'_>, id: DeliveryId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM deliveries WHERE id = $1 AND channel <> 'webhook'",
        params![id],
    )?;
    tx.execute(
        "UPDATE deliveries SET state = 'delivered', last_error = NULL, updated = $1 WHERE id = $2",
        params![now, id],
    )
    .map(drop)
}

/// It did not arrive at this attempt, and is tried again at `due`. Nothing where another process has tried it since.
pub fn put_off(
    tx: &mut Tx<'_>,
    id: DeliveryId,
    attempt: u32,
    due: Timestamp,
    error: &str,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE deliveries SET due = $1, lease_until = 0, last_error = $2, updated = $3 \
         WHERE id = $4 AND attempts = $5 AND state = 'waiting'",
        params![due, *error, now, id, attempt],
    )
    .map(drop)
}

/// What else waits for the same target waits until `due` too: one try is enough to find out.
pub fn put_off_others(tx: &mut Tx<'_>, target: &[u8; 16], due: Timestamp, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE deliveries SET due = $1 WHERE target = $2 AND state = 'waiting' AND due < $1 AND lease_until <= $3",
        params![due, target, now],
    )
    .map(drop)
}

/// Tries what waits for a target now.
pub fn hurry(tx: &mut Tx<'_>, target: &[u8; 16], now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE deliveries SET due = $1 WHERE target = $2 AND state = 'waiting' AND due > $1",
        params![now, target],
    )
    .map(drop)
}

/// It is not tried any more. Messages and wake-ups are removed.
pub fn give_up(tx: &mut Tx<'_>, id: DeliveryId, error: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM deliveries WHERE id = $1 AND channel <> 'webhook'",
        params![id],
    )?;
    tx.execute(
        "UPDATE deliveries SET state = 'given-up', last_error = $1, updated = $2 WHERE id = $3 AND state = 'waiting'",
        params![*error, now, id],
    )
    .map(drop)
}

/// Nothing that waits for a target is tried any more.
pub(crate) fn give_up_all(tx: &mut Tx<'_>, target: &[u8; 16], now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "DELETE FROM deliveries WHERE target = $1 AND state = 'waiting' AND channel <> 'webhook'",
        params![target],
    )?;
    tx.execute(
        "UPDATE deliveries SET state = 'given-up', updated = $1 WHERE target = $2 AND state = 'waiting'",
        params![now, target],
    )
    .map(drop)
}

/// Ends what was not delivered in time. How many.
pub fn expire(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    let removed = tx.execute(
        "DELETE FROM deliveries WHERE state = 'waiting' AND expires <= $1 AND lease_until <= $1 AND channel <> 'webhook'",
        params![now],
    )?;
    let ended = tx.execute(
        "UPDATE deliveries SET state = 'given-up', updated = $1 WHERE state = 'waiting' AND expires <= $1 AND lease_until <= $1",
        params![now],
    )?;
    Ok(removed + ended)
}

/// Removes all that is for a target.
pub(crate) fn forget(tx: &mut Tx<'_>, target: &[u8; 16]) -> Result<(), Error> {
    tx.execute("DELETE FROM deliveries WHERE target = $1", params![target])
        .map(drop)
}

/// The newest deliveries to a webhook, newest first.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, webhook: WebhookId, limit: u32) -> Result<Vec<Delivery>, Error> {
    tx.list(
        "SELECT d.id, e.kind, d.state, d.attempts, d.due, d.last_error, d.created FROM deliveries d \
         LEFT JOIN events e ON e.id = d.event_id \
         WHERE d.target = $1 AND (d.participant_id = $2 OR $2 IS NULL) ORDER BY d.created DESC, d.id LIMIT $3",
        params![webhook, scope.participant(), limit],
        |mut row| {
            Ok(Delivery {
                id: row.take(0)?,
                kind: row.take(1)?,
                state: row.take(2)?,
                attempts: row.take(3)?,
                due: row.take(4)?,
                last_error: row.take(5)?,
                created: row.take(6)?,
            })
        },
    )
}

/// When the next delivery is due; none when none waits.
pub fn next_due(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Error> {
    tx.query_exactly("SELECT MIN(due) FROM deliveries WHERE state = 'waiting'", &[])?
        .take(0)
}

/// Removes those that ended before a time.
pub fn sweep(tx: &mut Tx<'_>, before: Timestamp) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM deliveries WHERE state <> 'waiting' AND updated < $1",
        params![before],
    )
}
