//! The first commit of a copy: its place in the status list, and how it is to be made.

use crate::app::{
    App,
    copies::Plan,
    error::{Error, Problem},
    keys::place,
};
use vidimus_core::{
    Timestamp,
    id::{CertificateId, CopyId, ParticipantId},
};
use vidimus_crypto::DataKey;
use vidimus_store::{Scope, copies as copy_rows, status};

/// Candidates drawn for a place in the status list.
const CANDIDATES: usize = 8;

/// Intents as the first commit records them, with the places drawn for each.
pub(super) struct Planned {
    intent: copy_rows::Intent,
    candidates: Vec<u64>,
}

pub(super) fn intents(
    app: &App,
    certificate: CertificateId,
    participant: ParticipantId,
    plans: &[Plan],
    data_key: &DataKey,
    now: Timestamp,
) -> Result<Vec<Planned>, Error> {
    plans
        .iter()
        .map(|plan| {
            let id = CopyId::generate(&mut *app.entropy());
            let plain = serde_json::to_vec(plan).map_err(|_| Error::Internal("a plan does not serialise"))?;
            let prepared = data_key.seal(&place("copies", id.as_bytes(), "prepared"), &plain, &mut *app.entropy());
            let candidates = (0..CANDIDATES)
                .map(|_| u64::from_be_bytes(app.random()) % crate::app::deployment::STATUS_PLACES)
                .collect();
            let intent = copy_rows::Intent {
                id,
                participant,
                certificate,
                format: plan.format.name().to_owned(),
                holder: plan.holder.clone(),
                status_list: 0,
                status_index: 0,
                prepared: Some(prepared),
                created: now,
            };
            Ok(Planned { intent, candidates })
        })
        .collect()
}

/// The same, each under the name that its row has the holder under: what the signed bytes say is the plan's.
pub(super) fn named(mut planned: Vec<Planned>, names: Vec<Option<String>>) -> Vec<Planned> {
    for (planned, name) in planned.iter_mut().zip(names) {
        planned.intent.holder = name;
    }
    planned
}

pub(super) fn intend(
    tx: &mut vidimus_store::Tx<'_>,
    scope: &Scope,
    planned: &[Planned],
) -> Result<Vec<copy_rows::Intent>, Error> {
    let mut intents = Vec::with_capacity(planned.len());
    let list = status::newest_list(tx)?.ok_or(Error::Internal("there is no status list"))?;
    for Planned { intent, candidates } in planned {
        let place = status::reserve(tx, list.list, candidates, intent.id, intent.created)?;
        let place = place.ok_or_else(|| {
            Error::NotReady(Problem::new(
                "status-list-full",
                "the status list has no free place left for this certificate",
                "try again; if it lasts, ask the operator",
            ))
        })?;
        let intent = copy_rows::Intent {
            status_list: list.list,
            status_index: place,
            ..intent.clone()
        };
        copy_rows::intend(tx, scope, &intent)?;
        intents.push(intent);
    }
    Ok(intents)
}

/// An intent as its row has it now.
pub(super) fn as_row(intent: copy_rows::Intent) -> copy_rows::Copy {
    copy_rows::Copy {
        id: intent.id,
        participant: intent.participant,
        certificate: intent.certificate,
        format: intent.format,
        holder: intent.holder,
        state: copy_rows::State::Intent,
        status_list: intent.status_list,
        status_index: intent.status_index,
        prepared: intent.prepared,
        key: None,
        digest: None,
        commitment: None,
        salt_nonce: None,
        salt_ciphertext: None,
        payload: None,
        content: None,
        counter_signature: None,
        created: intent.created,
        issued_at: None,
    }
}
