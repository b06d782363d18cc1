//! Revoking one certificate: all its copies, at once, for good.

use crate::app::{
    App, copies,
    error::Error,
    participants::code,
    principal::Principal,
    requests::{CertificateView, Revocation},
};
use vidimus_core::id::CertificateId;
use vidimus_store::{audit, certificates, results, status};

/// Revokes a certificate of the caller's. From the commit on every check on this server says so; others learn it from the status lists.
pub async fn revoke(
    app: &App,
    caller: &Principal,
    id: CertificateId,
    request: Revocation,
) -> Result<CertificateView, Error> {
    code("/reason", &request.reason)?;
    let scope = caller.scope();
    let now = app.now();
    let entry = app.audit_entry(Some(caller.participant), "revoke", id.as_bytes());
    app.store
        .write(move |tx| {
            let found = certificates::find(tx, &scope, id)?.ok_or(Error::NotFound("certificate"))?;
            if !matches!(found.state, certificates::State::Valid | certificates::State::Suspended) {
                return Err(Error::conflict(
                    "not-valid",
                    format!("this certificate is {} already", found.state.name()),
                    "nothing is left to do",
                ));
            }
            let reason = Some(request.reason.as_str());
            if !certificates::set_state(tx, &scope, id, found.state, certificates::State::Revoked, reason, now)? {
                return Err(Error::conflict(
                    "changed-meanwhile",
                    "this certificate was changed by another request at the same time",
                    "read it, and try again if it is still valid",
                ));
            }
            results::end(tx, &scope, found.result, results::State::Withdrawn)?;
            status::set_of_certificate(tx, id, status::REVOKED, reason, now)?;
            audit::append(tx, &entry)?;
            Ok(())
        })
        .await?;
    copies::view(app, &scope, id).await
}
