//! Which account acts for a participant: the owner of its DID (ERC-1056). DID and registry entry stay under the account that it was admitted
//! with; rotating the account's key gives the DID another owner.

use crate::app::{App, deployment::public_key, error::Error};
use vidimus_core::{
    Address,
    id::{KeyId, ParticipantId},
};
use vidimus_store::{
    Scope,
    keys::{self as rows, State},
    participants::{Custody, Participant},
};

/// What rows of account keys are for.
pub const PURPOSE: &str = "account";

/// The account of an account key. Of a key that its owner keeps, the account is all that is known.
pub fn account_of(app: &App, key: &rows::Key) -> Option<Address> {
    match key.public.as_slice().try_into() {
        Ok(account) => Some(Address(account)),
        Err(_) => public_key(key)?.address(app.provider()),
    }
}

/// A participant's account keys, oldest first, each with its account.
pub async fn accounts(app: &App, participant: ParticipantId) -> Result<Vec<(rows::Key, Address)>, Error> {
    let scope = Scope::on_behalf_of(participant);
    let found = app
        .store
        .read(move |tx| rows::list(tx, &scope, Some(participant)))
        .await?;
    found
        .into_iter()
        .filter(|key| key.purpose == PURPOSE)
        .map(|key| {
            let account = account_of(app, &key).ok_or(Error::Internal("an account key without account"))?;
            Ok((key, account))
        })
        .collect()
}

/// The account that acts for a participant now, and its key's row.
pub async fn acting(app: &App, participant: ParticipantId) -> Result<(rows::Key, Address), Error> {
    accounts(app, participant)
        .await?
        .into_iter()
        .rfind(|(key, _)| key.state == State::Active)
        .ok_or(Error::Internal("a participant without account key"))
}

/// The row of the key that acts, among all of a participant's rows.
pub fn acting_of(rows: &[rows::Key]) -> Option<&rows::Key> {
    rows.iter()
        .rfind(|key| key.purpose == PURPOSE && key.state == State::Active)
}

/// Refuses what would cross a rotation of an account whose key is kept here: it would be signed by one account and come after the other took
/// over.
pub async fn require_settled(app: &App, participant: ParticipantId) -> Result<(), Error> {
    let begun = accounts(app, participant)
        .await?
        .iter()
        .any(|(key, _)| key.state == State::Pending && key.secret.is_some());
    if begun {
        return Err(under_way());
    }
    Ok(())
}

/// The refusal of what would cross a rotation.
pub fn under_way() -> Error {
    Error::conflict(
        "account-rotation",
        "the account's key is being rotated, or its DID is about to change",
        "try again in a few seconds, when the ledger has it",
    )
}

/// Brings the account keys of a participant to what the chain says of the owner of its DID. `keys` are its rows.
pub(super) async fn follow(
    app: &App,
    participant: &Participant,
    keys: &[&rows::Key],
    owner: Address,
) -> Result<(), Error> {
    let own: Vec<_> = keys
        .iter()
        .filter(|key| key.purpose == PURPOSE)
        .map(|key| (*key, account_of(app, key)))
        .collect();
    let is_owner = |(_, account): &&(&rows::Key, Option<Address>)| *account == Some(owner);
    let acting = own.iter().rfind(|(key, _)| key.state == State::Active);
    if acting.as_ref().is_some_and(is_owner) {
        return Ok(());
    }
    let mut changes = displaced(own.iter().map(|(key, account)| (*key, *account == Some(owner))));
    let new = match own.iter().rfind(is_owner) {
        Some((key, _)) => {
            changes.push((key.id, key.state, State::Active));
            None
        }
        None if participant.custody == Custody::Own => {
            let version = own.iter().map(|(key, _)| key.version).max().unwrap_or(0) + 1;
            Some(own_account(app, participant.id, owner, version, State::Active))
        }
        None => {
            tracing::error!(
                participant = %participant.id,
                "the DID of a participant whose keys are kept here belongs to an account that is not"
            );
            return Ok(());
        }
    };
    app.store
        .write(move |tx| {
            for (id, before, after) in &changes {
                rows::set_state(tx, *id, *before, *after)?;
            }
            match new.as_ref().map(|key| rows::insert(tx, key)) {
                // Another instance was faster.
                Some(Err(error)) if error.constraint() == Some("keys_version") => Ok(()),
                Some(inserted) => inserted,
                None => Ok(()),
            }
        })
        .await?;
    Ok(())
}

/// A participant's account key, known by its account alone.
pub fn own_account(app: &App, participant: ParticipantId, account: Address, version: u32, state: State) -> rows::Key {
    let now = app.now();
    rows::Key {
        id: KeyId::generate(&mut *app.entropy()),
        participant: Some(participant),
        purpose: PURPOSE.to_owned(),
        kind: rows::Kind::Secp256k1,
        version,
        public: account.0.to_vec(),
        secret: None,
        certificate: None,
        valid_from: now,
        valid_until: None,
        state,
        created: now,
    }
}

/// What becomes of the other account keys when one takes over: they act no more. Rotations that were begun before it can end no more.
pub(super) fn displaced<'k>(keys: impl Iterator<Item = (&'k rows::Key, bool)>) -> Vec<(KeyId, State, State)> {
    keys.filter(|(key, takes_over)| !takes_over && matches!(key.state, State::Active | State::Pending))
        .map(|(key, _)| (key.id, key.state, State::Retired))
        .collect()
}
