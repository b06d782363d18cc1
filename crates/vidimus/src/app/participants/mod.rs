//! Who takes part: set up, admitted, changed, suspended, revoked. What counts is the registry on the chain; the functions here keep keys and
//! names, and send (or prepare) the authority's transactions.

mod account;
mod admission;
mod keys;
mod made;
mod profile;
mod standing;
mod terms;
mod view;

pub use account::rotate_account;
pub use admission::{Admitted, admit, create_authority, recall};
pub use keys::{revoke_keys, rotate_keys};
pub use profile::profile_json;
pub use standing::{change_grants, resume, revoke, suspend};
pub use terms::code;
pub use view::{get, list};

use crate::app::{
    App,
    chain::{self, Call},
    error::{Error, Problem},
    principal::{Principal, Role},
    requests::ParticipantChange,
};
use vidimus_core::{Address, id::ParticipantId};
use vidimus_credential::check::{
    Registry,
    registry::{Grant, Participant as Entry, Standing},
};
use vidimus_store::{Tx, audit, participants as rows};

fn registry_contract(app: &App, participant: &rows::Participant) -> Address {
    match participant.role {
        rows::Role::Issuer => app.contracts.issuers,
        _ => app.contracts.verifiers,
    }
}

/// Records a change of the authority's, with the calls that carry it out, and sends them.
async fn carry_out(
    app: &App,
    caller: &Principal,
    participant: &rows::Participant,
    operation: &'static str,
    calls: Vec<Vec<u8>>,
) -> Result<ParticipantChange, Error> {
    let mut plan = chain::Plan::default();
    for calldata in calls {
        plan.as_authority(app, Call::new(registry_contract(app, participant), calldata, operation))
            .await?;
    }
    carry_out_plan(app, caller, participant, operation, plan).await
}

/// Records a change, with all that carries it out, and sends it.
async fn carry_out_plan(
    app: &App,
    caller: &Principal,
    participant: &rows::Participant,
    operation: &'static str,
    plan: chain::Plan,
) -> Result<ParticipantChange, Error> {
    record(app, caller, participant.id, operation, plan, |_| Ok(())).await
}

/// [`carry_out_plan`], where rows of ours change too: `rows` writes them in the same transaction.
async fn record(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    operation: &'static str,
    plan: chain::Plan,
    rows: impl Fn(&mut Tx<'_>) -> Result<(), Error> + Send + Sync + 'static,
) -> Result<ParticipantChange, Error> {
    let (queued, now) = (plan.queued(), app.now());
    let entry = app.audit_entry(Some(caller.participant), operation, id.as_bytes());
    app.store
        .write(move |tx| {
            rows(tx)?;
            chain::enqueue(tx, &queued, now)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, id).await?;
    plan.send(app, &mut change).await;
    Ok(change)
}

async fn change(app: &App, id: ParticipantId) -> Result<ParticipantChange, Error> {
    Ok(ParticipantChange {
        participant: get(app, id).await?,
        api_key: None,
        transactions: Vec::new(),
        prepared: Vec::new(),
    })
}

/// A participant's row.
pub async fn find(app: &App, id: ParticipantId) -> Result<rows::Participant, Error> {
    app.store
        .get(move |tx| rows::find(tx, id))
        .await?
        .ok_or(Error::NotFound("participant"))
}

/// Names of the attributes that a verifier is registered for now; none where it is not in good standing.
pub fn attributes_of(registry: &Registry, verifier: &rows::Participant) -> Vec<String> {
    let Ok(entry) = in_good_standing(registry, verifier) else {
        return Vec::new();
    };
    entry
        .grants()
        .filter_map(|grant| match grant {
            Grant::Attribute(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// The authority's row.
pub async fn authority_row(app: &App) -> Result<rows::Participant, Error> {
    let found = app.store.read(|tx| rows::list(tx, Some(rows::Role::Authority))).await?;
    found.into_iter().next().ok_or_else(|| {
        Error::NotReady(Problem::new(
            "not-set-up",
            "this deployment has no authority yet",
            "open the setup link that `serve` printed, or make one with `vidimus setup-link`",
        ))
    })
}

/// A participant's entry in its registry, if it may act on it now.
pub fn in_good_standing<'r>(registry: &'r Registry, participant: &rows::Participant) -> Result<&'r Entry, Error> {
    let Some(entry) = registry.participant(&participant.account) else {
        return Err(Error::forbidden(
            "pending",
            "the ledger does not have your admission yet",
            "wait a few seconds; if it lasts, ask the authority",
        ));
    };
    match entry.standing() {
        Standing::Active => Ok(entry),
        Standing::Suspended => Err(Error::forbidden(
            "suspended",
            "your admission is suspended",
            "ask the authority",
        )),
        Standing::Revoked => Err(Error::forbidden(
            "revoked",
            "your admission was revoked",
            "ask the authority",
        )),
    }
}

/// Where the participant stands in its registry; none while the ledger does not have it.
fn entry(app: &App, participant: &rows::Participant) -> Result<Option<Standing>, Error> {
    Ok(with_entry(app, participant, |entry| entry.standing()))
}

fn with_entry<T>(app: &App, participant: &rows::Participant, read: impl FnOnce(&Entry) -> T) -> Option<T> {
    let registries = app.registries();
    let registry = match participant.role {
        rows::Role::Issuer => &registries.issuers,
        rows::Role::Verifier => &registries.verifiers,
        rows::Role::Authority => return None,
    };
    registry.participant(&participant.account).map(read)
}

/// A card is given exactly where the participant keeps its keys itself.
fn refuse_custody(participant: &rows::Participant, card: Option<&str>) -> Result<(), Error> {
    let own = participant.custody == rows::Custody::Own;
    if own == card.is_some() {
        return Ok(());
    }
    Err(Error::invalid(
        "custody",
        "a card is given exactly where the participant keeps its own keys",
        if own {
            "send a card with the new keys"
        } else {
            "send no card: the server makes the new keys"
        },
    ))
}

fn pending() -> Error {
    Error::conflict(
        "pending",
        "the ledger does not have the participant's admission yet",
        "wait a few seconds, or send the transaction that was prepared for the authority's own keys",
    )
}

fn not_in_a_registry() -> Error {
    Error::invalid(
        "authority",
        "the authority is in no registry",
        "name an issuer or a verifier",
    )
}

/// The store's name of a role.
pub const fn row_role(role: Role) -> rows::Role {
    match role {
        Role::Authority => rows::Role::Authority,
        Role::Issuer => rows::Role::Issuer,
        Role::Verifier => rows::Role::Verifier,
    }
}

/// The application's name of a role.
pub const fn role(role: rows::Role) -> Role {
    match role {
        rows::Role::Authority => Role::Authority,
        rows::Role::Issuer => Role::Issuer,
        rows::Role::Verifier => Role::Verifier,
    }
}

/// The DID of an account on this deployment's chain.
pub fn did(app: &App, account: Address) -> String {
    format!("did:ethr:{:#x}:{account}", app.facts.chain)
}

/// The account of a did:ethr on this deployment's chain.
pub fn account_of(app: &App, did: &str) -> Result<Address, Error> {
    did.strip_prefix(&format!("did:ethr:{:#x}:", app.facts.chain))
        .and_then(|address| address.parse::<Address>().ok())
        .filter(|address| address.to_string() == did[did.len() - 42..])
        .ok_or_else(|| {
            Error::invalid(
                "other-chain",
                format!("the card's DID is not on this deployment's chain ({})", app.facts.chain),
                "make keys for this deployment's chain (`vidimus keys new --chain-id NUMBER`) and give their card (`vidimus keys card`)",
            )
        })
}

/// The refusal of a card.
pub fn bad_card(error: vidimus_credential::card::CardError) -> Error {
    Error::invalid(
        "card",
        format!("the card is refused: {error}"),
        "make a new card with `vidimus wallet card`, or with `vidimus keys card` for keys that a participant keeps itself",
    )
}
