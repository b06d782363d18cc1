//! Where participants want to be told. Whoever reads this table knows who listens to what; addresses and the secrets that sign are sealed.

use crate::{
    Error, Scope, Tx, deliveries,
    events::Kind,
    value::{Row, names, params},
};
use vidimus_core::{
    Timestamp,
    id::{ParticipantId, WebhookId},
};

names! {
    /// What a webhook is for.
    pub enum Purpose {
        /// It is told what happened.
        Events = "events",
        /// It carries codes to people: an issuer's gateway for short messages.
        Codes = "codes",
    }

    /// Whether a webhook is used.
    pub enum State {
        /// It is.
        Active = "active",
        /// It has failed for too long, or said that it is gone.
        Disabled = "disabled",
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose.
    pub participant: ParticipantId,
    /// What for.
    pub purpose: Purpose,
    /// What it is told.
    pub kinds: Vec<Kind>,
    /// Address and secret, sealed for this row.
    pub target: Vec<u8>,
    /// Whether it is used.
    pub state: State,
    /// Since when nothing arrives.
    pub failing_since: Option<Timestamp>,
    /// Why, in words without addresses.
    pub last_error: Option<String>,
    /// When something last arrived.
    pub last_success: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, participant_id, purpose, kinds, target_ciphertext, state, failing_since, last_error, last_success, created ",
            "FROM webhooks ",
            $rest
        )
    };
}

fn read(mut row: Row) -> Result<Webhook, Error> {
    Ok(Webhook {
        id: row.take(0)?,
        participant: row.take(1)?,
        purpose: row.take(2)?,
        kinds: kinds(&row.take::<String>(3)?)?,
        target: row.take(4)?,
        state: row.take(5)?,
        failing_since: row.take(6)?,
        last_error: row.take(7)?,
        last_success: row.take(8)?,
        created: row.take(9)?,
    })
}

fn kinds(names: &str) -> Result<Vec<Kind>, Error> {
    let kind = |name| Kind::from_name(name).ok_or_else(|| Error::corrupt("webhooks"));
    names.split_ascii_whitespace().map(kind).collect()
}

/// Records a webhook. `false`, and nothing done, when the participant has `most` already.
pub fn insert(tx: &mut Tx<'_>, scope: &Scope, new: &Webhook, most: u32) -> Result<bool, Error> {
    scope.check(new.participant)?;
    let names: Vec<_> = new.kinds.iter().map(|kind| kind.name()).collect();
    let rows = tx.execute(
        "INSERT INTO webhooks (id, participant_id, purpose, kinds, target_ciphertext, state, created) \
         SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM webhooks WHERE participant_id = $2) < $8",
        params![
            new.id,
            new.participant,
            new.purpose,
            names.join(" "),
            new.target,
            new.state,
            new.created,
            most
        ],
    )?;
    Ok(rows == 1)
}

/// A participant's webhooks, oldest first.
pub fn list(tx: &mut Tx<'_>, scope: &Scope, participant: ParticipantId) -> Result<Vec<Webhook>, Error> {
    scope.check(participant)?;
    tx.list(
        columns!("WHERE participant_id = $1 ORDER BY created, id LIMIT 1000"),
        params![participant],
        read,
    )
}

/// A webhook in scope.
pub fn find(tx: &mut Tx<'_>, scope: &Scope, id: WebhookId) -> Result<Option<Webhook>, Error> {
    tx.find(
        columns!("WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)"),
        params![id, scope.participant()],
        read,
    )
}

/// The participant's newest webhook that carries codes and is used.
pub fn for_codes(tx: &mut Tx<'_>, scope: &Scope, participant: ParticipantId) -> Result<Option<WebhookId>, Error> {
    scope.check(participant)?;
    tx.find(
        "SELECT id FROM webhooks WHERE participant_id = $1 AND purpose = 'codes' AND state = 'active' \
         ORDER BY created DESC, id LIMIT 1",
        params![participant],
        |mut row| row.take(0),
    )
}

/// The webhooks that are told of a participant's events, with what they are told.
pub(crate) fn listening(tx: &mut Tx<'_>, participant: ParticipantId) -> Result<Vec<(WebhookId, Vec<Kind>)>, Error> {
    tx.list(
        "SELECT id, kinds FROM webhooks WHERE participant_id = $1 AND purpose = 'events' AND state = 'active'",
        params![participant],
        |mut row| Ok((row.take(0)?, kinds(&row.take::<String>(1)?)?)),
    )
}

/// Removes a webhook in scope with all that was to be sent there; `false` when there is none.
pub fn remove(tx: &mut Tx<'_>, scope: &Scope, id: WebhookId) -> Result<bool, Error> {
    let rows = tx.execute(
        "DELETE FROM webhooks WHERE id = $1 AND (participant_id = $2 OR $2 IS NULL)",
        params![id, scope.participant()],
    )?;
    if rows == 1 {
        deliveries::forget(tx, id.as_bytes())?;
    }
    Ok(rows == 1)
}

/// Replaces address and secret of a webhook in scope; `false`, and nothing done, where they are not `before` any more.
pub fn retarget(tx: &mut Tx<'_>, scope: &Scope, id: WebhookId, before: &[u8], target: &[u8]) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE webhooks SET target_ciphertext = $1 WHERE id = $2 AND target_ciphertext = $3 AND (participant_id = $4 OR $4 IS NULL)",
        params![*target, id, *before, scope.participant()],
    )?;
    Ok(rows == 1)
}

/// Something arrived: it is used (again).
pub fn arrived(tx: &mut Tx<'_>, id: WebhookId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE webhooks SET state = 'active', failing_since = NULL, last_error = NULL, last_success = $1 WHERE id = $2",
        params![now, id],
    )
    .map(drop)
}

/// Something did not arrive. Since when nothing does.
pub fn failed(tx: &mut Tx<'_>, id: WebhookId, error: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    tx.find(
        "UPDATE webhooks SET failing_since = COALESCE(failing_since, $1), last_error = $2 WHERE id = $3 RETURNING failing_since",
        params![now, *error, id],
        |mut row| row.take(0),
    )
}

/// It is not used any more; what waits for it is given up. `false` when it was not used before.
pub fn disable(tx: &mut Tx<'_>, id: WebhookId, now: Timestamp) -> Result<bool, Error> {
    let rows = tx.execute(
        "UPDATE webhooks SET state = 'disabled' WHERE id = $1 AND state = 'active'",
        params![id],
    )?;
    if rows == 1 {
        deliveries::give_up_all(tx, id.as_bytes(), now)?;
    }
    Ok(rows == 1)
}
