//! Where wallets' sessions want to be woken (RFC 8030). An endpoint is a capability of one device, so it is sealed; who owns a subscription is
//! known only by the hash of a token that the wallet's session has.

use crate::{
    Error, Tx, deliveries,
    value::{Row, params},
};
use vidimus_core::{
    Digest, Timestamp,
    id::{DeliveryId, SubscriptionId},
};

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose: a hash.
    pub owner: Digest,
    /// Keyed hash of the endpoint, to know it again.
    pub endpoint_hash: Digest,
    /// The endpoint, sealed for this row.
    pub endpoint: Vec<u8>,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is used.
    pub expires: Timestamp,
}

fn read(mut row: Row) -> Result<Subscription, Error> {
    Ok(Subscription {
        id: row.take(0)?,
        owner: row.take(1)?,
        endpoint_hash: row.take(2)?,
        endpoint: row.take(3)?,
        created: row.take(4)?,
        expires: row.take(5)?,
    })
}

/// Records a subscription; the same endpoint again lasts as long as this one. The newest `most` of an owner are kept.
pub fn insert(tx: &mut Tx<'_>, new: &Subscription, most: u32) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO push_subscriptions (id, owner_key, endpoint_hash, endpoint_ciphertext, created, expires) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner_key, endpoint_hash) DO UPDATE SET expires = $6",
        params![
            new.id,
            new.owner,
            new.endpoint_hash,
            new.endpoint,
            new.created,
            new.expires
        ],
    )?;
    let spare: Vec<SubscriptionId> = tx.list(
        "SELECT id FROM push_subscriptions WHERE owner_key = $1 ORDER BY created DESC, id LIMIT 1000",
        params![new.owner],
        |mut row| row.take(0),
    )?;
    for id in spare
        .into_iter()
        .filter(|id| *id != new.id)
        .skip(most.saturating_sub(1) as usize)
    {
        remove(tx, id)?;
    }
    Ok(())
}

/// A subscription.
pub fn find(tx: &mut Tx<'_>, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    tx.find(
        "SELECT id, owner_key, endpoint_hash, endpoint_ciphertext, created, expires FROM push_subscriptions WHERE id = $1",
        params![id],
        read,
    )
}

/// Removes a subscription with what was to be sent there.
pub fn remove(tx: &mut Tx<'_>, id: SubscriptionId) -> Result<(), Error> {
    tx.execute("DELETE FROM push_subscriptions WHERE id = $1", params![id])?;
    deliveries::forget(tx, id.as_bytes())
}

/// Removes all subscriptions of an owner. How many.
pub fn remove_all(tx: &mut Tx<'_>, owner: &Digest) -> Result<u64, Error> {
    let all: Vec<SubscriptionId> = of(tx, owner)?;
    for id in &all {
        remove(tx, *id)?;
    }
    Ok(all.len() as u64)
}

fn of(tx: &mut Tx<'_>, owner: &Digest) -> Result<Vec<SubscriptionId>, Error> {
    tx.list(
        "SELECT id FROM push_subscriptions WHERE owner_key = $1 ORDER BY created, id LIMIT 1000",
        params![owner],
        |mut row| row.take(0),
    )
}

/// Wakes an owner: queues an empty message for each of its subscriptions, in the transaction of what it is woken for. `notice` is random and
/// made before; it tells one waking from another. How many were queued.
pub fn notify(
    tx: &mut Tx<'_>,
    owner: &Digest,
    notice: &[u8; 16],
    now: Timestamp,
    expires: Timestamp,
) -> Result<u64, Error> {
    let all = of(tx, owner)?;
    for id in &all {
        let digest = tx.provider().sha256(&[notice, id.as_bytes()]);
        let delivery = DeliveryId::from_bytes(digest.0[..16].try_into().expect("a digest has 32 bytes"));
        deliveries::queue_push(tx, delivery, *id, now, expires)?;
    }
    Ok(all.len() as u64)
}

/// Removes subscriptions that have expired.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM push_subscriptions WHERE expires <= $1", params![now])
}
