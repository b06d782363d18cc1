//! Who takes part: set up, admitted, changed, suspended, revoked. What counts is the registry on the chain; the functions here keep keys and
//! names, and send (or prepare) the authority's transactions.

use crate::app::{
    App, api_keys,
    chain::{self, Call},
    deployment::{kind, public_key},
    error::{Error, Place, Problem},
    principal::{Principal, Role},
    requests::{Admission, Custody, Grants, KeyView, ParticipantChange, ParticipantView, Setup},
};
use vidimus_core::{
    Address, Digest, PublicKey, Signer, Timestamp,
    encoding::base64,
    id::{KeyId, ParticipantId},
};
use vidimus_credential::{
    CategoryId,
    card::HolderCard,
    check::{
        Registry,
        registry::{Grant, Participant as Entry, Standing},
    },
};
use vidimus_crypto::{
    KeyKind, SealingKey, SigningKey,
    ca::{Authority, DocumentGroup, Subject, Validity},
};
use vidimus_ledger::contracts::{issuers, registry, verifiers};
use vidimus_store::{
    Scope, audit, keys as key_rows,
    participants::{self as rows, State},
};

/// How long a document signer's or an access certificate holds: two years.
const SIGNER_VALIDITY: i64 = 2 * 365 * 86_400;
/// How long the first API key of a participant holds.
const FIRST_KEY_DAYS: u32 = 90;
/// Makes the authority, and hands the contracts over to it.
pub async fn create_authority(app: &App, setup: Setup) -> Result<ParticipantChange, Error> {
    let hash = crate::app::setup::token_hash(app, &setup.token);
    let profile = Profile::new(&setup.name, &setup.country, None)?;
    let made = Made::new(app, setup.card.as_deref(), &profile, rows::Role::Authority, None)?;
    let mut participant = made.participant(app, rows::Role::Authority, &profile, "{}".into());
    // The authority is in no registry: it is in force from the moment it exists.
    participant.state = State::Active;
    let permissions = api_keys::permissions_of(Role::Authority);
    let key = api_keys::make(
        app,
        &mut *app.entropy(),
        participant.id,
        "first",
        permissions,
        FIRST_KEY_DAYS,
    );
    let (row, secret) = (key.row, key.text.expose().clone());
    let mut plan = chain::Plan::default();
    if made.custody == rows::Custody::Own {
        for contract in [app.contracts.issuers, app.contracts.verifiers, app.contracts.anchors] {
            let call = Call::new(contract, registry::accept_authority(), "accept-authority");
            plan.prepare(app, participant.account, call).await?;
        }
    }
    let (record, keys, now) = (participant.clone(), made.keys, app.now());
    let entry = app.audit_entry(Some(participant.id), "set-up", participant.id.as_bytes());
    app.store
        .write(move |tx| {
            crate::app::setup::use_link(tx, &hash, now)?;
            rows::insert(tx, &record)?;
            for key in &keys {
                key_rows::insert(tx, key)?;
            }
            vidimus_store::api_keys::insert(tx, &Scope::authenticated(record.id), &row)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, participant.id).await?;
    change.api_key = Some(secret);
    plan.send(app, &mut change).await;
    // The authority is there, whatever the ledger does now; a job goes on where this stops.
    if let Err(error) = chain::hand_over(app).await {
        tracing::warn!(%error, "the contracts are handed over when the ledger answers");
    }
    Ok(change)
}

/// Admits an issuer or a verifier.
pub async fn admit(app: &App, caller: &Principal, admission: Admission) -> Result<ParticipantChange, Error> {
    let profile = Profile::new(&admission.name, &admission.country, admission.url.as_deref())?;
    let (role, permits) = match admission.role {
        Role::Issuer => {
            let categories = known_categories(app, &admission.categories)?;
            refuse_lists(
                &[
                    ("/attributes", &admission.attributes),
                    ("/purposes", &admission.purposes),
                ],
                "an issuer",
            )?;
            (rows::Role::Issuer, serde_json::json!({ "categories": categories }))
        }
        Role::Verifier => {
            names("/attributes", &admission.attributes)?;
            names("/purposes", &admission.purposes)?;
            refuse_lists(&[("/categories", &admission.categories)], "a verifier")?;
            (
                rows::Role::Verifier,
                serde_json::json!({ "attributes": admission.attributes, "purposes": admission.purposes }),
            )
        }
        Role::Authority => {
            return Err(Error::invalid(
                "one-authority",
                "a deployment has one authority",
                "admit an `issuer` or a `verifier`",
            ));
        }
    };
    let authority = authority(app).await?;
    let made = Made::new(app, admission.card.as_deref(), &profile, role, Some(&authority))?;
    let participant = made.participant(app, role, &profile, permits.to_string());
    let permissions = api_keys::permissions_of(admission.role);
    let first_key = api_keys::make(
        app,
        &mut *app.entropy(),
        participant.id,
        "first",
        permissions,
        FIRST_KEY_DAYS,
    );
    let keys = made.registry_keys(app);
    let calldata = match admission.role {
        Role::Issuer => issuers::approve(
            participant.account,
            participant.profile_digest,
            &keys,
            &admission.categories,
        ),
        _ => verifiers::approve(
            participant.account,
            participant.profile_digest,
            &keys,
            &admission.attributes,
            &admission.purposes,
        ),
    };
    let contract = chain::registry_of(app, admission.role);
    let mut plan = chain::Plan::default();
    plan.as_authority(app, Call::new(contract, calldata, "approve")).await?;
    if admission.role == Role::Issuer {
        let key = made.account_key.as_ref();
        chain::announce_signing_key(app, participant.account, key, &made.signing, &mut plan).await?;
    }
    let (queued, now) = (plan.queued(), app.now());
    let (record, rows_of_keys, api_key) = (participant.clone(), made.keys.clone(), first_key.row);
    let entry = app.audit_entry(Some(caller.participant), "admit", participant.id.as_bytes());
    app.store
        .write(move |tx| {
            rows::insert(tx, &record).map_err(|error| match error.constraint() {
                Some("participants_account") => Error::conflict(
                    "already-admitted",
                    "the account of this card is admitted in this role already",
                    "change the participant that is there, or use other keys",
                ),
                _ => error.into(),
            })?;
            for key in &rows_of_keys {
                key_rows::insert(tx, key)?;
            }
            vidimus_store::api_keys::insert(tx, &Scope::authenticated(record.id), &api_key)?;
            chain::enqueue(tx, &queued, now)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, participant.id).await?;
    plan.send(app, &mut change).await;
    change.api_key = Some(first_key.text.expose().clone());
    Ok(change)
}

/// Everybody who takes part, as the registry has them.
pub async fn list(app: &App, role: Option<Role>) -> Result<Vec<ParticipantView>, Error> {
    let role = role.map(row_role);
    let found = app.store.read(move |tx| rows::list(tx, role)).await?;
    let mut views = Vec::with_capacity(found.len());
    for participant in found {
        views.push(view(app, participant).await?);
    }
    Ok(views)
}

/// One participant.
pub async fn get(app: &App, id: ParticipantId) -> Result<ParticipantView, Error> {
    view(app, find(app, id).await?).await
}

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

/// Gives a participant new signing and sealing keys. `card` is needed where it keeps its keys itself; the account must be the same.
pub async fn rotate_keys(
    app: &App,
    caller: &Principal,
    id: ParticipantId,
    card: Option<&str>,
) -> Result<ParticipantChange, Error> {
    let participant = find(app, id).await?;
    if participant.role == rows::Role::Authority {
        return Err(not_in_a_registry());
    }
    let profile = Profile::of(&participant)?;
    let authority = authority(app).await?;
    let own = participant.custody == rows::Custody::Own;
    if own != card.is_some() {
        return Err(Error::invalid(
            "custody",
            "a card is given exactly where the participant keeps its own keys",
            if own {
                "send a card with the new keys"
            } else {
                "send no card: the server makes the new keys"
            },
        ));
    }
    let mut made = Made::new(app, card, &profile, participant.role, Some(&authority))?;
    if own && made.account != participant.account {
        return Err(Error::invalid(
            "other-account",
            "the card is of another account",
            "sign the card with the account the participant was admitted with",
        ));
    }
    let scope = Scope::system();
    let before = app.store.read(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
    let version = before.iter().map(|key| key.version).max().unwrap_or(0) + 1;
    made.keys.retain(|key| key.purpose != "account");
    for key in &mut made.keys {
        key.participant = Some(id);
        key.version = version;
        // In force once the registry holds it: `chain::activate`.
        key.state = key_rows::State::Pending;
    }
    let calldata = registry::rotate_keys(participant.account, &made.registry_keys(app));
    let mut plan = chain::Plan::default();
    plan.as_authority(
        app,
        Call::new(registry_contract(app, &participant), calldata, "rotate-keys"),
    )
    .await?;
    if participant.role == rows::Role::Issuer {
        let account_key = if own {
            None
        } else {
            Some(chain::account_key(app, participant.account).await?)
        };
        let key = account_key.as_deref();
        chain::announce_signing_key(app, participant.account, key, &made.signing, &mut plan).await?;
    }
    let (keys, queued, now) = (made.keys, plan.queued(), app.now());
    let entry = app.audit_entry(Some(caller.participant), "rotate-keys", id.as_bytes());
    app.store
        .write(move |tx| {
            for key in &keys {
                key_rows::insert(tx, key)?;
            }
            chain::enqueue(tx, &queued, now)?;
            audit::append(tx, &entry)?;
            Ok::<_, Error>(())
        })
        .await?;
    let mut change = change(app, id).await?;
    plan.send(app, &mut change).await;
    Ok(change)
}

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
    let (queued, now) = (plan.queued(), app.now());
    let entry = app.audit_entry(Some(caller.participant), operation, participant.id.as_bytes());
    app.store
        .write(move |tx| {
            chain::enqueue(tx, &queued, now)?;
            audit::append(tx, &entry).map(drop)
        })
        .await?;
    let mut change = change(app, participant.id).await?;
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
        .read(move |tx| rows::find(tx, id))
        .await?
        .ok_or(Error::NotFound("participant"))
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

async fn view(app: &App, participant: rows::Participant) -> Result<ParticipantView, Error> {
    let scope = Scope::system();
    let id = participant.id;
    let keys = app.store.read(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
    let standing = entry(app, &participant)?;
    let granted = with_entry(app, &participant, |entry| {
        let (mut categories, mut attributes, mut purposes) = (Vec::new(), Vec::new(), Vec::new());
        for grant in entry.grants() {
            match grant {
                Grant::Category(name) => categories.push(name.clone()),
                Grant::Attribute(name) => attributes.push(name.clone()),
                Grant::Purpose(name) => purposes.push(name.clone()),
            }
        }
        [categories, attributes, purposes]
    });
    let [categories, attributes, purposes] =
        granted.unwrap_or_else(|| ["categories", "attributes", "purposes"].map(|list| permits(&participant, list)));
    let profile = Profile::of(&participant)?;
    Ok(ParticipantView {
        id: participant.id.to_string(),
        role: role(participant.role),
        did: participant.did.clone(),
        account: participant.account.to_string(),
        name: participant.name.clone(),
        country: participant.country.clone(),
        url: profile.address,
        status: match participant.role {
            rows::Role::Authority => "active",
            _ => standing_name(standing),
        }
        .to_owned(),
        custody: match participant.custody {
            rows::Custody::Wrapped => Custody::Wrapped,
            rows::Custody::Own => Custody::Own,
        },
        categories,
        attributes,
        purposes,
        keys: keys.iter().map(key_view).collect(),
    })
}

fn key_view(key: &key_rows::Key) -> KeyView {
    let jwk = public_key(key).and_then(|key| key.to_jwk()).unwrap_or_else(
        || serde_json::json!({"crv": "X25519", "kty": "OKP", "x": vidimus_core::encoding::base64url(&key.public)}),
    );
    KeyView {
        id: key.id.to_string(),
        purpose: key.purpose.clone(),
        version: if key.purpose == "account" { 0 } else { key.version },
        jwk,
        certificate: key.certificate.as_deref().map(base64),
    }
}

const fn standing_name(standing: Option<Standing>) -> &'static str {
    match standing {
        None => "pending",
        Some(Standing::Active) => "active",
        Some(Standing::Suspended) => "suspended",
        Some(Standing::Revoked) => "revoked",
    }
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

fn permits(participant: &rows::Participant, list: &str) -> Vec<String> {
    serde_json::from_str::<serde_json::Value>(&participant.permits)
        .ok()
        .and_then(|value| serde_json::from_value(value.get(list)?.clone()).ok())
        .unwrap_or_default()
}

/// The deployment's certificate authority.
async fn authority(app: &App) -> Result<Authority, Error> {
    let row = app.key(app.facts.authority_key).await?;
    let wrapped = row
        .secret
        .as_ref()
        .ok_or(Error::Internal("the certificate authority's key has no secret"))?;
    // Made anew for each use, so that the most powerful key is not kept in memory.
    let key = app.keys.unwrap_signing_key(row.id, KeyKind::P256, wrapped)?;
    Ok(Authority::load(key, &app.facts.authority_certificate)?)
}

/// A public profile, as it is digested into the registry.
#[derive(Debug, Clone)]
struct Profile {
    name: String,
    country: String,
    address: Option<String>,
}

impl Profile {
    fn new(name: &str, country: &str, address: Option<&str>) -> Result<Self, Error> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "name",
                "/name: a name has 1 to 64 characters",
                "give the organisation's name",
            ));
        }
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Error::invalid(
                "country",
                "/country: a country is two upper-case letters (ISO 3166-1 alpha-2)",
                "give the code, such as `DE`",
            ));
        }
        if address.is_some_and(|address| address.len() > 256 || !address.starts_with("https://")) {
            return Err(Error::invalid(
                "url",
                "/url: a web address begins with https:// and has at most 256 characters",
                "give the organisation's address, or none",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            country: country.to_owned(),
            address: address.map(str::to_owned),
        })
    }

    fn of(participant: &rows::Participant) -> Result<Self, Error> {
        let value: serde_json::Value = serde_json::from_str(&participant.profile)
            .map_err(|_| Error::Internal("a participant's profile is not JSON"))?;
        Ok(Self {
            name: participant.name.clone(),
            country: participant.country.clone(),
            address: value
                .get("address")
                .and_then(|address| address.as_str())
                .map(str::to_owned),
        })
    }

    fn to_json(&self) -> String {
        let mut value = serde_json::json!({ "name": self.name, "country": self.country });
        if let Some(address) = &self.address {
            value["address"] = serde_json::json!(address);
        }
        value.to_string()
    }
}

/// The keys of a new participant, made here or named by its card.
struct Made {
    id: ParticipantId,
    account: Address,
    custody: rows::Custody,
    signing: PublicKey,
    sealing: [u8; 32],
    certificate: Option<Vec<u8>>,
    keys: Vec<key_rows::Key>,
    /// Where it was made here.
    account_key: Option<SigningKey>,
}

impl Made {
    fn new(
        app: &App,
        card: Option<&str>,
        profile: &Profile,
        role: rows::Role,
        authority: Option<&Authority>,
    ) -> Result<Self, Error> {
        let now = app.now();
        let mut entropy = app.entropy();
        let id = ParticipantId::generate(&mut entropy);
        let key = |purpose: &str, kind: key_rows::Kind, public: &[u8]| key_rows::Key {
            id: KeyId::generate(&mut app.entropy()),
            participant: Some(id),
            purpose: purpose.to_owned(),
            kind,
            version: 1,
            public: public.to_vec(),
            secret: None,
            certificate: None,
            valid_from: now,
            valid_until: None,
            state: key_rows::State::Active,
            created: now,
        };
        let (account, custody, signing, sealing, mut keys, account_key) = match card {
            Some(card) => {
                let card = HolderCard::verify(card, app.provider(), now).map_err(bad_card)?;
                let account = account_of(app, &card.did)?;
                let keys = vec![
                    key("account", key_rows::Kind::Secp256k1, &account.0),
                    key("signing", key_rows::Kind::P256, card.signing_key.as_bytes()),
                    key("sealing", key_rows::Kind::X25519, &card.sealing_key),
                ];
                (
                    account,
                    rows::Custody::Own,
                    card.signing_key.clone(),
                    card.sealing_key,
                    keys,
                    None,
                )
            }
            None => {
                let account_key = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
                let signing_key = SigningKey::generate(KeyKind::P256, &mut entropy);
                let sealing_key = SealingKey::generate(&mut entropy);
                let account = account_key
                    .public_key()
                    .address(app.provider())
                    .ok_or(Error::Internal("an account key"))?;
                let mut keys = Vec::new();
                for (purpose, signing) in [("account", &account_key), ("signing", &signing_key)] {
                    let mut row = key(purpose, kind(signing.kind()), signing.public_key().as_bytes());
                    row.secret = Some(app.keys.wrap_key(row.id, &signing.expose_bytes(), &mut entropy));
                    keys.push(row);
                }
                let mut row = key("sealing", key_rows::Kind::X25519, &sealing_key.public_key().0);
                row.secret = Some(app.keys.wrap_key(row.id, &sealing_key.expose_bytes(), &mut entropy));
                keys.push(row);
                (
                    account,
                    rows::Custody::Wrapped,
                    signing_key.public_key().clone(),
                    sealing_key.public_key().0,
                    keys,
                    Some(account_key),
                )
            }
        };
        let certificate = match authority {
            None => None,
            Some(authority) => {
                let certificate = certify(app, authority, &signing, profile, &did(app, account), role, now)?;
                let row = keys
                    .iter_mut()
                    .find(|key| key.purpose == "signing")
                    .expect("made above");
                row.certificate = Some(certificate.clone());
                row.valid_until = Some(now.plus(SIGNER_VALIDITY));
                Some(certificate)
            }
        };
        Ok(Self {
            id,
            account,
            custody,
            signing,
            sealing,
            certificate,
            keys,
            account_key,
        })
    }

    fn participant(&self, app: &App, role: rows::Role, profile: &Profile, permits: String) -> rows::Participant {
        let text = profile.to_json();
        let now = app.now();
        rows::Participant {
            id: self.id,
            role,
            did: did(app, self.account),
            account: self.account,
            name: profile.name.clone(),
            country: profile.country.clone(),
            profile_digest: Digest(crate::app::keys::profile_digest(app.provider(), &text)),
            profile: text,
            permits,
            custody: self.custody,
            state: State::Pending,
            created: now,
            updated: now,
        }
    }

    fn registry_keys(&self, app: &App) -> registry::Keys {
        let point = self.signing.as_bytes();
        let half = |range: std::ops::Range<usize>| -> [u8; 32] { point[range].try_into().expect("an SEC1 point") };
        registry::Keys {
            p256_x: half(1..33),
            p256_y: half(33..65),
            x25519: self.sealing,
            certificate: self
                .certificate
                .as_deref()
                .map_or([0; 32], |der| vidimus_core::Provider::sha256(&*app.provider, &[der]).0),
        }
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
                "make the card for this deployment (`vidimus wallet card --chain-id …`)",
            )
        })
}

/// The refusal of a card.
pub fn bad_card(error: vidimus_credential::card::CardError) -> Error {
    Error::invalid(
        "card",
        format!("the card is refused: {error}"),
        "make a new card with `vidimus wallet card`",
    )
}

fn certify(
    app: &App,
    authority: &Authority,
    key: &PublicKey,
    profile: &Profile,
    did: &str,
    role: rows::Role,
    now: Timestamp,
) -> Result<Vec<u8>, Error> {
    let subject = Subject {
        common_name: profile.name.clone(),
        organization: Some(profile.name.clone()),
        country: Some(profile.country.clone()),
    };
    let validity = Validity {
        not_before: now.plus(-300),
        not_after: now.plus(SIGNER_VALIDITY),
    };
    // An issuer's signer may sign every group: what it may issue is the registry's to say, changes there, and is checked there. A certificate
    // that said less would be wrong with the first grant after it.
    let groups: &[DocumentGroup] = match role {
        rows::Role::Issuer => &[DocumentGroup::Test, DocumentGroup::Vaccination, DocumentGroup::Recovery],
        _ => &[],
    };
    let certificate = if groups.is_empty() {
        let host: Vec<String> = profile
            .address
            .iter()
            .filter_map(|url| {
                url.strip_prefix("https://")?
                    .split(['/', ':'])
                    .next()
                    .map(str::to_owned)
            })
            .collect();
        authority.issue_access(
            key,
            &subject,
            &host,
            &[did.to_owned()],
            validity,
            now,
            &mut *app.entropy(),
        )
    } else {
        authority.issue_document_signer(key, &subject, groups, validity, now, &mut *app.entropy())
    };
    Ok(certificate?)
}

fn known_categories(app: &App, categories: &[String]) -> Result<Vec<String>, Error> {
    names("/categories", categories)?;
    let mut places = Vec::new();
    for (place, name) in categories.iter().enumerate() {
        let known = CategoryId::new(name.as_str()).is_ok_and(|id| app.categories.category(&id).is_some());
        if !known {
            places.push(Place {
                pointer: format!("/categories/{place}"),
                code: "unknown-category".into(),
                message: "there is no such category".to_owned(),
            });
        }
    }
    if places.is_empty() {
        return Ok(categories.to_vec());
    }
    let mut problem = Problem::new(
        "unknown-category",
        "a category is not one of this deployment's",
        "name categories that `GET /v1/categories` lists",
    );
    problem.places = places;
    Err(Error::Invalid(problem))
}

/// Names as the registry takes them: at least one, each 1 to 64 bytes of lower-case letters, digits, `-`, `_` and `.`, none twice.
fn names(pointer: &str, list: &[String]) -> Result<(), Error> {
    let fits = |name: &String| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
    };
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort();
    sorted.dedup();
    if list.is_empty() || list.len() > 64 || sorted.len() != list.len() || !list.iter().all(fits) {
        return Err(Error::invalid(
            "names",
            format!(
                "{pointer}: 1 to 64 different names are needed, each of 1 to 64 lower-case letters, digits, `-`, `_`, `.`"
            ),
            "correct the list",
        ));
    }
    Ok(())
}

fn refuse_lists(lists: &[(&str, &Vec<String>)], whom: &str) -> Result<(), Error> {
    match lists.iter().find(|(_, list)| !list.is_empty()) {
        None => Ok(()),
        Some((pointer, _)) => Err(Error::invalid(
            "wrong-role",
            format!("{pointer}: {whom} is not admitted for these"),
            "leave the list out",
        )),
    }
}

/// Reasons are codes, so that no text about a person gets onto the chain.
pub fn code(pointer: &str, text: &str) -> Result<(), Error> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        return Ok(());
    }
    Err(Error::invalid(
        "reason",
        format!("{pointer}: a reason is a code of 1 to 64 lower-case letters, digits and hyphens"),
        "use a code such as `accreditation-lost`; never text about a person",
    ))
}
