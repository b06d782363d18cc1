//! What a participant is admitted for, and where it stands.

use super::{
    carry_out, entry, find, not_in_a_registry, pending,
    terms::{code, known_categories, names, refuse_lists},
    view::standing_name,
};
use crate::app::{
    App,
    error::Error,
    principal::Principal,
    requests::{Grants, ParticipantChange},
};
use vidimus_core::{Address, id::ParticipantId};
use vidimus_credential::check::registry::Standing;
use vidimus_ledger::contracts::{issuers, registry, verifiers};
use vidimus_store::participants as rows;

/// Changes what a participant is admitted for.
pub async fn change_grants(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    grants: Grants,
) -> Result<ParticipantChange, Error> {
    let participant = find(app, id).await?;
    let account = participant.account;
    let mut calls = Vec::new();
    match participant.role {
        rows::Role::Issuer => {
            let lists = [
                ("/grant_attributes", &grants.grant_attributes),
                ("/withdraw_attributes", &grants.withdraw_attributes),
                ("/grant_purposes", &grants.grant_purposes),
                ("/withdraw_purposes", &grants.withdraw_purposes),
            ];
            refuse_lists(&lists, "an issuer")?;
            if !grants.grant_categories.is_empty() {
                let categories = known_categories(app, &grants.grant_categories)?;
                calls.push(issuers::grant(account, &categories));
            }
            if !grants.withdraw_categories.is_empty() {
                calls.push(issuers::withdraw(account, &grants.withdraw_categories));
            }
        }
        rows::Role::Verifier => {
            let lists = [
                ("/grant_categories", &grants.grant_categories),
                ("/withdraw_categories", &grants.withdraw_categories),
            ];
            refuse_lists(&lists, "a verifier")?;
            let changes: [(&str, &Vec<String>, Calldata); 4] = [
                (
                    "/grant_attributes",
                    &grants.grant_attributes,
                    verifiers::grant_attributes,
                ),
                (
                    "/withdraw_attributes",
                    &grants.withdraw_attributes,
                    verifiers::withdraw_attributes,
                ),
                ("/grant_purposes", &grants.grant_purposes, verifiers::grant_purposes),
                (
                    "/withdraw_purposes",
                    &grants.withdraw_purposes,
                    verifiers::withdraw_purposes,
                ),
            ];
            for (pointer, list, calldata) in changes {
                if !list.is_empty() {
                    names(pointer, list)?;
                    calls.push(calldata(account, list));
                }
            }
        }
        rows::Role::Authority => return Err(not_in_a_registry()),
    }
    if calls.is_empty() {
        return Err(Error::invalid(
            "nothing-to-do",
            "no list was given",
            "name what to grant or to withdraw",
        ));
    }
    carry_out(app, caller, &participant, "change-grants", calls).await
}

/// Makes the calldata that changes a list of names.
type Calldata = fn(Address, &[String]) -> Vec<u8>;

/// Suspends a participant.
pub async fn suspend(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    reason: &str,
) -> Result<ParticipantChange, Error> {
    let calldata = |account| registry::suspend(account, reason);
    move_standing(app, caller, id, "suspend", Some(reason), &[Standing::Active], calldata).await
}

/// Ends a suspension.
pub async fn resume(app: &App, caller: &Principal, id: ParticipantId) -> Result<ParticipantChange, Error> {
    move_standing(
        app,
        caller,
        id,
        "resume",
        None,
        &[Standing::Suspended],
        registry::resume,
    )
    .await
}

/// Revokes a participant, for good.
pub async fn revoke(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    reason: &str,
) -> Result<ParticipantChange, Error> {
    let calldata = |account| registry::revoke(account, reason);
    let from = [Standing::Active, Standing::Suspended];
    move_standing(app, caller, id, "revoke", Some(reason), &from, calldata).await
}

async fn move_standing(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    operation: &'static str,
    reason: Option<&str>,
    from: &[Standing],
    calldata: impl FnOnce(Address) -> Vec<u8>,
) -> Result<ParticipantChange, Error> {
    if let Some(reason) = reason {
        code("/reason", reason)?;
    }
    let participant = find(app, id).await?;
    let standing = entry(app, &participant)?.ok_or_else(pending)?;
    if !from.contains(&standing) {
        return Err(Error::conflict(
            "wrong-standing",
            format!("the participant is {}", standing_name(Some(standing))),
            "read the participant; what was revoked stays revoked",
        ));
    }
    carry_out(
        app,
        caller,
        &participant,
        operation,
        vec![calldata(participant.account)],
    )
    .await
}
