//! Presentations that holders leave for a verifier, sealed to its key; who left them is not known. They are opened for their verifier alone, when
//! it asks: here where this server keeps its keys, else by the verifier itself. How many come from one address, and from the network around it,
//! is counted for a day, by keyed hashes, so that one sender does not fill a verifier's box.

use super::{
    own_keys,
    views::{CheckLeft, Leave, LeftPage, LeftView},
};
use crate::app::{
    App, checks,
    error::{Error, Problem},
    participants,
    principal::Principal,
    reading::Page,
    requests::CheckAnswer,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vidimus_core::{
    Timestamp,
    encoding::{base64url, from_base64url},
    id::{ParticipantId, PresentationId},
    reason::Reason,
};
use vidimus_credential::check::Report;
use vidimus_crypto::envelope;
use vidimus_store::{
    keys as key_rows,
    left_presentations::{self as rows, Left},
    limits,
    participants::{Custody, Role},
    requests,
};
use vidimus_wallet::left::{self, INFO, KEPT_SECONDS};

/// The largest that is taken.
const MAX_PAYLOAD: usize = left::LARGEST;
/// How long senders are counted: a day.
const SECONDS: i64 = 86_400;
/// How many are kept for one verifier at once.
const MOST: u32 = 10_000;
/// How many one address leaves in a day, for whichever verifiers: people behind one address share it.
const PER_DAY: u64 = 200;
/// How many one network leaves in a day: who holds one has thousands of addresses, and all of them fill neither a verifier's box nor what all have.
const NETWORK_PER_DAY: u64 = 2_000;
/// How many are left in a day by all.
const ALL_PER_DAY: u64 = 50_000;

/// Leaves one, for a client at `address`. Whether there is such a verifier is no secret; a payload says nothing about who left it.
pub async fn leave(app: &App, address: IpAddr, leave: Leave) -> Result<LeftView, Error> {
    let payload = from_base64url(&leave.payload)
        .ok()
        .filter(|payload| (1..=MAX_PAYLOAD).contains(&payload.len()));
    let payload = payload.ok_or_else(|| {
        Error::invalid(
            "left-payload",
            format!("/payload: base64url of 1 to {MAX_PAYLOAD} bytes"),
            "seal the presentation to the verifier's key",
        )
    })?;
    let verifier: ParticipantId = leave.verifier.parse().map_err(|_| Error::NotFound("verifier"))?;
    let row = participants::find(app, verifier)
        .await
        .map_err(|_| Error::NotFound("verifier"))?;
    if row.role != Role::Verifier || participants::in_good_standing(&app.registries().verifiers, &row).is_err() {
        return Err(Error::NotFound("verifier"));
    }
    let now = app.now();
    count(app, address, now).await?;
    let left = Left {
        id: PresentationId::generate(&mut *app.entropy()),
        participant: verifier,
        payload,
        created: now,
        expires: now.plus(KEPT_SECONDS),
    };
    let shown = view(&left, false);
    if app.store.write(move |tx| rows::insert(tx, &left, MOST)).await? {
        Ok(shown)
    } else {
        Err(Error::conflict(
            "verifier-full",
            "this verifier has more presentations waiting than are kept",
            "show it in another way, or try again later",
        ))
    }
}

/// Counts one more of this address, of its network, and of all.
async fn count(app: &App, address: IpAddr, now: Timestamp) -> Result<(), Error> {
    let hash = |purpose, of: IpAddr| app.keys.credential_hash(purpose, of.to_string().as_bytes());
    let shares = [
        ("left", hash("left-sender", address), PER_DAY),
        ("left-network", hash("left-network", network(address)), NETWORK_PER_DAY),
    ];
    let refused = app
        .store
        .write(move |tx| {
            // What one is refused does not use up what others have.
            for (kind, who, most) in shares {
                if limits::hit(tx, kind, &who, SECONDS, now)? > most {
                    return Ok(Some(Error::forbidden(
                        "left-limit",
                        "as many presentations as one client, or one network, may leave in a day were left from this address",
                        "show it in another way, or wait a day",
                    )));
                }
            }
            let all = limits::hit(tx, "left-all", &[], SECONDS, now)?;
            Ok::<_, Error>((all > ALL_PER_DAY).then(|| {
                Error::NotReady(Problem::new(
                    "left-capacity",
                    "as many presentations as this deployment keeps in a day were left",
                    "show it in another way, or wait a day",
                ))
            }))
        })
        .await?;
    refused.map_or(Ok(()), Err)
}

/// The network around an address, as holders of addresses are given them: the first 48 bits of IPv6, 24 of IPv4.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
    }
}

fn view(left: &Left, whole: bool) -> LeftView {
    LeftView {
        id: left.id.to_string(),
        payload: whole.then(|| base64url(&left.payload)),
        created: left.created.to_rfc3339(),
        expires: left.expires.to_rfc3339(),
    }
}

/// What was left for the caller, without payloads.
pub async fn list_left(
    app: &App,
    caller: &Principal,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<LeftPage, Error> {
    participants::in_good_standing(&app.registries().verifiers, &caller.row)?;
    let scope = caller.scope();
    let page = Page::new(cursor, limit)?;
    let after = page
        .after
        .map(|(created, id)| (created, PresentationId::from_bytes(id)));
    let mut found = app
        .store
        .read(move |tx| rows::list(tx, &scope, after, page.rows()))
        .await?;
    let next = page.cut(&mut found, |row| (row.created, *row.id.as_bytes()));
    Ok(LeftPage {
        items: found.iter().map(|left| view(left, false)).collect(),
        next,
    })
}

/// One of them.
pub async fn read_left(app: &App, caller: &Principal, id: PresentationId) -> Result<LeftView, Error> {
    participants::in_good_standing(&app.registries().verifiers, &caller.row)?;
    let (scope, now) = (caller.scope(), app.now());
    let found = app.store.get(move |tx| rows::find(tx, &scope, id, now)).await?;
    Ok(view(&found.ok_or(Error::NotFound("presentation"))?, true))
}

/// Removes one.
pub async fn remove_left(app: &App, caller: &Principal, id: PresentationId) -> Result<(), Error> {
    let scope = caller.scope();
    let removed = app.store.write(move |tx| rows::remove(tx, &scope, id)).await?;
    removed.then_some(()).ok_or(Error::NotFound("presentation"))
}

/// Checks one, as often as its verifier asks: its nonce is the holder's own and is not used up by this. What does not open, or holds no presentation,
/// is malformed, and that is all that is said of it.
pub async fn check_left(
    app: &App,
    caller: &Principal,
    id: PresentationId,
    asked: CheckLeft,
) -> Result<CheckAnswer, Error> {
    let wanted = checks::admitted(app, caller, &asked.purpose)?.wanted(asked.attributes)?;
    require_opener(caller.row.custody, asked.opened.is_some())?;
    let (scope, now, owner) = (caller.scope(), app.now(), caller.participant);
    let found = app.store.get(move |tx| {
        let Some(left) = rows::find(tx, &scope, id, now)? else {
            return Ok(None);
        };
        let keys = key_rows::list(tx, &scope, Some(owner))?;
        Ok::<_, vidimus_store::Error>(Some((left, keys)))
    });
    let (row, keys) = found.await?.ok_or(Error::NotFound("presentation"))?;
    let opened = match asked.opened {
        Some(opened) => Ok(opened),
        None => open(app, keys, &row.payload),
    };
    let report = match opened.and_then(|left| left.to_check(&caller.row.did, Some(&asked.purpose))) {
        Err(reason) => Report::refused(reason, now),
        // An answer to a request of the verifier's own is checked once, and not here.
        Ok((_, expected)) if is_asked_with(app, caller, &expected.nonce).await? => {
            Report::refused(Reason::NonceMismatch, now)
        }
        Ok((input, expected)) => {
            let policy = left::Left::policy(checks::policy(app), row.created, now);
            let trust = checks::trusted_here(app, now);
            checks::evaluate(app, input, Some(&expected), trust, policy, now).await?
        }
    };
    checks::keep(app, caller, &report, &wanted, now).await
}

async fn is_asked_with(app: &App, caller: &Principal, nonce: &str) -> Result<bool, Error> {
    let (scope, hash) = (caller.scope(), app.provider().sha256(&[nonce.as_bytes()]));
    Ok(app.store.get(move |tx| requests::has(tx, &scope, &hash)).await?)
}

/// Whoever has the keys opens what was left.
fn require_opener(custody: Custody, opened: bool) -> Result<(), Error> {
    match (custody, opened) {
        (Custody::Own, true) | (Custody::Wrapped, false) => Ok(()),
        (Custody::Own, false) => Err(own_keys()),
        (Custody::Wrapped, true) => Err(Error::invalid(
            "left-opened",
            "/opened: this server keeps your keys, and opens it itself",
            "leave `opened` out",
        )),
    }
}

/// Opens what was sealed to one of these keys, newest first: a holder may know one that was replaced since.
fn open(app: &App, mut keys: Vec<key_rows::Key>, payload: &[u8]) -> Result<left::Left, Reason> {
    keys.retain(|key| key.purpose == "sealing");
    keys.sort_by_key(|key| std::cmp::Reverse(key.version));
    for key in keys {
        let Some(wrapped) = &key.secret else { continue };
        let key = match app.keys.sealing_key(key.id, wrapped) {
            Ok(key) => key,
            // Another may fit.
            Err(error) => {
                tracing::error!(key = %key.id, error = %crate::causes::with_causes(&error), "a kept sealing key does not open");
                continue;
            }
        };
        if let Ok(plain) = envelope::open(&key, INFO, &[], payload) {
            return left::Left::read(plain.expose());
        }
    }
    Err(Reason::Malformed)
}
