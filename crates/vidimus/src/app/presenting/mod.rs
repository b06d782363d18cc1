//! Asking wallets for presentations by OpenID4VP 1.0: a verifier says what it wants to see and what for, a wallet shows it, the verifier reads
//! the verdict and what it is registered for.
//!
//! A verifier asks for no more than its entry in the registry permits: a request beyond it is refused when it is made, and what is shown is held
//! against the entry again when it comes. Whoever is suspended in between reads nothing.

mod answer;
pub mod ask;
mod left;
pub mod views;

pub use answer::{Told, confirm, respond};
pub use left::{check_left, leave, list_left, read_left, remove_left};

use crate::app::{
    App, copies::keys, error::Error, keys::place, memo::Memo, participants, principal::Principal, reading::Page,
};
use ask::Client as Wanted;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use vidimus_core::{Algorithm, Signer as _, encoding, id::PresentationId};
use vidimus_credential::x509::CertificateError;
use vidimus_crypto::SigningKey;
use vidimus_openid4vc::{
    jwe::PrivateKey,
    oauth::Endpoint,
    vp::{Client, RequestUriPost, Session},
};
use vidimus_store::{
    Scope,
    events::{self, Event, Kind},
    keys as key_rows,
    participants::{self as participant_rows, Participant},
    presentations::{self, Presentation, State},
};
use views::{PresentationPage, PresentationView};

/// How often a request is given out.
const MOST_FETCHES: u32 = 10;

/// What is kept of a request, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    session: Session,
    /// The private half of its encryption key, hexadecimal.
    key: Option<String>,
    /// How the verifier is known.
    client: Wanted,
    /// Attributes that it asked for, by credential query.
    attributes: Vec<(String, Vec<String>)>,
}

impl Kept {
    fn private(&self) -> Result<Option<PrivateKey>, Error> {
        let read = |text: &String| {
            encoding::from_hex_exact(text)
                .map(PrivateKey::new)
                .map_err(|_| Error::Internal("a kept encryption key does not read"))
        };
        self.key.as_ref().map(read).transpose()
    }
}

fn request_place(id: PresentationId) -> vidimus_core::Transcript {
    place("presentations", id.as_bytes(), "request")
}

fn answer_place(id: PresentationId) -> vidimus_core::Transcript {
    place("presentations", id.as_bytes(), "answer")
}

/// Verifiers as their certificates name them, by certificate: reading one takes longer than the rest of a request.
pub(super) type Clients = Memo<(Wanted, Vec<Vec<u8>>), Client>;

/// How a verifier signs its requests: what names it, and the key behind that.
struct Asker {
    client: Arc<Client>,
    signer: Arc<SigningKey>,
    algorithm: Algorithm,
}

/// The verifier's own rows, for a wallet that its request leads to.
const fn scope_of(verifier: &Participant) -> Scope {
    crate::app::wallets::scope_of(verifier)
}

/// What takes a key that the verifier has, and not this server.
fn own_keys() -> Error {
    Error::conflict(
        "own-keys",
        "you keep your keys yourself, so this server can neither sign requests for you nor open what was left for you",
        "sign requests with a verifier of your own; open what was left with `vidimus presentation left open ID --keys FILE --purpose NAME`, or send \
         what you opened; or be admitted with keys that are kept here",
    )
}

async fn asker(app: &App, verifier: &Participant, wanted: Wanted) -> Result<Asker, Error> {
    let scope = scope_of(verifier);
    if wanted == Wanted::DecentralizedIdentifier {
        let id = verifier.id;
        let rows = app.store.get(move |tx| key_rows::list(tx, &scope, Some(id))).await?;
        let row = crate::app::chain::accounts::acting_of(&rows)
            .filter(|row| row.secret.is_some())
            .ok_or_else(own_keys)?;
        let client = Client::did(&verifier.did, &format!("{}#controller", verifier.did))
            .map_err(|_| Error::Internal("a participant's DID is none"))?;
        return Ok(Asker {
            client: Arc::new(client),
            signer: keys::signer(app, row)?,
            algorithm: Algorithm::Es256k,
        });
    }
    let (signer, chain) = keys::document_signer(app, scope, verifier)
        .await?
        .ok_or_else(own_keys)?;
    let unusable = |_: CertificateError| {
        Error::conflict(
            "access-certificate",
            "your access certificate does not name this deployment's host",
            "ask the authority to renew your keys (`vidimus participant rotate-keys`)",
        )
    };
    let client = app.askers.get((wanted, chain), |(wanted, chain)| match wanted {
        Wanted::X509SanDns => Client::x509_san_dns(&host(app)?, chain.clone()).map_err(unusable),
        _ => Client::x509_hash(chain.clone(), app.provider()).map_err(unusable),
    })?;
    debug_assert!(signer.algorithms().contains(&Algorithm::Es256));
    Ok(Asker {
        client,
        signer,
        algorithm: Algorithm::Es256,
    })
}

/// The host that wallets answer to.
fn host(app: &App) -> Result<String, Error> {
    let url = Endpoint::new(app.url("/")).map_err(|_| Error::Internal("the public address is none"))?;
    let host = url.url().host_str().map(str::to_owned);
    host.ok_or(Error::Internal("the public address has no host"))
}

fn endpoint(app: &App, id: PresentationId, name: &str) -> Endpoint {
    Endpoint::new(app.url(&format!("/presentations/{id}/{name}")))
        .expect("the public address and a path are an address")
}

/// Ends requests that were not answered in time, and tells their verifiers.
pub async fn lapse(app: &App) -> Result<(), Error> {
    let now = app.now();
    if !app.store.read(move |tx| presentations::has_lapsed(tx, now)).await? {
        return Ok(());
    }
    app.store
        .write(move |tx| {
            for (id, verifier) in presentations::lapse(tx, now)? {
                let event = Event::once(verifier, Kind::PresentationExpired, *id.as_bytes(), now);
                events::append(tx, &event)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    app.wake.events.notify_one();
    Ok(())
}

fn opened(app: &App, row: &Presentation) -> Result<Kept, Error> {
    let sealed = row.request.as_deref().ok_or(Error::NotFound("presentation"))?;
    let plain = app.keys.open(&request_place(row.id), sealed)?;
    serde_json::from_slice(plain.expose()).map_err(|_| Error::Internal("a kept request does not read"))
}

/// The signed request object, for a wallet that has its address: by `get`, or with what the wallet says of itself. Until it is answered, and a
/// few times: a wallet whose connection broke, or a holder who begins anew, asks again.
pub async fn fetch(app: &App, id: PresentationId, wallet: &RequestUriPost) -> Result<String, Error> {
    let (now, registries) = (app.now(), app.registries());
    let missing = || Error::NotFound("presentation");
    let (row, verifier) = app
        .store
        .write(move |tx| {
            let row = presentations::open(tx, id, now)?.ok_or_else(missing)?;
            let verifier = participant_rows::find(tx, row.participant)?.ok_or_else(missing)?;
            // Before anything is noted: whoever may not ask does not learn either that somebody would have answered.
            participants::in_good_standing(&registries.verifiers, &verifier).map_err(|_| missing())?;
            let given = presentations::fetch(tx, id, MOST_FETCHES, now)?;
            given.then_some((row, verifier)).ok_or_else(missing)
        })
        .await?;
    let kept = opened(app, &row)?;
    let asker = asker(app, &verifier, kept.client).await?;
    let key = (&*asker.signer as &dyn vidimus_core::Signer, asker.algorithm);
    kept.session
        .request_object(&asker.client, key, wallet, now, &*app.provider, &mut *app.entropy())
        .map_err(ask::refused)
}

fn view(app: &App, row: &Presentation, answer: Option<Value>) -> PresentationView {
    let over = row.expires <= app.now() && matches!(row.state, State::Made | State::Fetched);
    PresentationView {
        id: row.id.to_string(),
        purpose: row.purpose.clone(),
        state: if over { "expired" } else { row.state.name() }.to_owned(),
        link: None,
        session: None,
        fetches: row.fetches,
        wrong_answers: row.wrong_answers,
        answer,
        created: row.created.to_rfc3339(),
        expires: row.expires.to_rfc3339(),
    }
}

/// What came of a request; none while the same device's browser has not come back ([`confirm`]).
fn answer_of(app: &App, row: &Presentation) -> Result<Option<Value>, Error> {
    let Some(sealed) = row.answer.as_deref() else {
        return Ok(None);
    };
    let plain = app.keys.open(&answer_place(row.id), sealed)?;
    serde_json::from_slice(plain.expose())
        .map(Some)
        .map_err(|_| Error::Internal("a kept answer does not read"))
}

/// One of the caller's requests, with its answer.
pub async fn read(app: &App, caller: &Principal, id: PresentationId) -> Result<PresentationView, Error> {
    // Whoever may not ask now does not read what was answered to it before.
    participants::in_good_standing(&app.registries().verifiers, &caller.row)?;
    let scope = caller.scope();
    let found = app.store.get(move |tx| presentations::find(tx, &scope, id)).await?;
    let row = found.ok_or(Error::NotFound("presentation"))?;
    let answer = match row.response_code_hash {
        Some(_) => None,
        None => answer_of(app, &row)?,
    };
    Ok(view(app, &row, answer))
}

/// The caller's requests, without answers.
pub async fn list(
    app: &App,
    caller: &Principal,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<PresentationPage, Error> {
    participants::in_good_standing(&app.registries().verifiers, &caller.row)?;
    let scope = caller.scope();
    let page = Page::new(cursor, limit)?;
    let after = page
        .after
        .map(|(created, id)| (created, PresentationId::from_bytes(id)));
    let mut rows = app
        .store
        .read(move |tx| presentations::list(tx, &scope, after, page.rows()))
        .await?;
    let next = page.cut(&mut rows, |row| (row.created, *row.id.as_bytes()));
    let items = rows.iter().map(|row| view(app, row, None)).collect();
    Ok(PresentationPage { items, next })
}

/// Takes a request back: nobody can answer it any more.
pub async fn withdraw(app: &App, caller: &Principal, id: PresentationId) -> Result<PresentationView, Error> {
    let (scope, now) = (caller.scope(), app.now());
    let found = app
        .store
        .write(move |tx| {
            presentations::withdraw(tx, &scope, id, now)?;
            presentations::find(tx, &scope, id)
        })
        .await?;
    Ok(view(app, &found.ok_or(Error::NotFound("presentation"))?, None))
}
