//! Counter-signatures: the holder's word that it has a copy, brought by whoever has it, kept for its issuer.

use super::{App, error::Error, events};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vidimus_core::PublicKey;
use vidimus_credential::countersign::{CounterSignature, CounterSignatureError};
use vidimus_store::{
    audit, copies,
    events::{self as event_rows, Kind},
};

/// The holder's word that it has a copy.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCounterSignature {
    /// A compact JWS of type `vidimus-countersignature+jwt` over the digest of the copy.
    pub counter_signature: String,
    /// The key in the copy's `cnf`, as JWK, where the copy names no DID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub key: Option<PublicKey>,
}

impl std::fmt::Debug for NewCounterSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewCounterSignature(…)")
    }
}

/// A counter-signature that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CounterSigned {
    /// Id of the copy.
    pub copy: String,
    /// When its holder signed, RFC 3339.
    pub signed_at: String,
}

/// Takes a counter-signature. The first is kept; another by the same holder changes nothing.
pub async fn take(app: &App, new: &NewCounterSignature) -> Result<CounterSigned, Error> {
    let word = CounterSignature::parse(&new.counter_signature).map_err(refused)?;
    let (digest, now) = (word.digest, app.now());
    let found = app.store.get(move |tx| copies::find_by_digest(tx, &digest)).await?;
    let copy = found.ok_or(Error::NotFound("copy"))?;
    let holder = copy.holder.as_deref().ok_or_else(|| {
        Error::conflict(
            "no-holder",
            "this copy names no holder, so nobody can sign receipt of it",
            "counter-sign a copy that is bound to keys",
        )
    })?;
    let verified = match &new.key {
        // The name is of this key alone.
        Some(key) if word.holder == holder => word.verify_by_key(key, &digest, app.provider()),
        Some(_) => Err(CounterSignatureError::Holder),
        None => word.verify(holder, &digest, app.provider(), now),
    };
    verified.map_err(refused)?;
    let signed_at = word.signed_at;
    if signed_at > now.plus(FUTURE) {
        return Err(Error::invalid(
            "counter-signature",
            "the counter-signature is of the future",
            "set the clock of the wallet right, and sign anew",
        ));
    }
    let (id, holder) = (copy.id, holder.to_owned());
    let text = new.counter_signature.clone().into_bytes();
    let event = events::event(app, copy.participant, Kind::CounterSigned, id.as_bytes());
    let entry = app.audit_entry(Some(copy.participant), "counter-sign", id.as_bytes());
    app.store
        .write(move |tx| {
            if copies::counter_sign(tx, id, &holder, &text)? {
                event_rows::append(tx, &event)?;
                audit::append(tx, &entry)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    app.wake.events.notify_one();
    Ok(CounterSigned {
        copy: id.to_string(),
        signed_at: signed_at.to_rfc3339(),
    })
}

/// How far a wallet's clock may be ahead, in seconds.
const FUTURE: i64 = 300;

fn refused(error: CounterSignatureError) -> Error {
    match error {
        CounterSignatureError::Holder => Error::forbidden(
            "other-holder",
            "the copy is another holder's: only whom it names can sign receipt of it",
            "sign with the key that the copy is bound to, and name it where the copy names no DID",
        ),
        error => Error::invalid(
            "counter-signature",
            error.to_string(),
            "sign the digest of the copy with the key that it is bound to",
        ),
    }
}
