//! Reports and further copies under an idempotency key: what is sent again is answered again, or taken up where a crash left it.

use crate::app::{App, error::Error, once::in_progress};
use serde::Serialize;
use vidimus_core::{
    Digest, Timestamp, Transcript,
    id::{CertificateId, ParticipantId},
};
use vidimus_store::{copies as copy_rows, idempotency};

/// How long an idempotency key is kept.
const KEPT: i64 = 2 * 86_400;
/// How long a request may be at work before a retry takes it over.
const LEASE: i64 = 30;

/// Where a request stands.
pub(super) enum Begun {
    /// To be signed, with the places the copies got.
    New(Vec<copy_rows::Intent>),
    Resumed(CertificateId),
    Done(CertificateId),
}

/// An idempotency key and what was sent with it.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    pub(super) key: String,
    request: Digest,
}

impl Retry {
    /// `operation` and `object` are part of what a key stands for: the same body for another object is another request.
    pub(super) fn new(
        app: &App,
        key: Option<&str>,
        operation: &str,
        object: &[u8],
        request: &impl Serialize,
    ) -> Result<Option<Self>, Error> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(
                "idempotency-key",
                "Idempotency-Key: 1 to 255 printable ASCII characters",
                "send a random one, such as a UUID, and the same one again when you retry",
            ));
        }
        let body = serde_json::to_vec(request).map_err(|_| Error::Internal("a request does not serialise"))?;
        let text = Transcript::new("vidimus/request/v1")
            .field(operation.as_bytes())
            .field(object)
            .field(&body)
            .into_bytes();
        // Keyed: the digest of a request that is about a person must not be searchable.
        let request = Digest(app.keys.credential_hash("idempotency", &text));
        Ok(Some(Self {
            key: key.to_owned(),
            request,
        }))
    }
}

/// Looks the idempotency key up; `None` where the request is new and is to be done.
pub(super) fn begin(
    tx: &mut vidimus_store::Tx<'_>,
    issuer: ParticipantId,
    retry: Option<&Retry>,
    certificate: CertificateId,
    now: Timestamp,
) -> Result<Option<Begun>, Error> {
    let Some(retry) = retry else { return Ok(None) };
    let reference = certificate.as_bytes();
    let (lease, expires) = (now.plus(LEASE), now.plus(KEPT));
    let id = |bytes: &[u8]| -> Result<CertificateId, Error> {
        bytes
            .try_into()
            .map(CertificateId::from_bytes)
            .map_err(|_| Error::Internal("an idempotency key leads nowhere"))
    };
    match idempotency::begin(tx, issuer, &retry.key, &retry.request, reference, now, lease, expires)? {
        idempotency::Begin::New => Ok(None),
        idempotency::Begin::Resumed { reference } => Ok(Some(Begun::Resumed(id(&reference)?))),
        idempotency::Begin::Done { response } => Ok(Some(Begun::Done(id(&response)?))),
        idempotency::Begin::Running { until } => Err(in_progress(until.since(now))),
        idempotency::Begin::Mismatch => Err(Error::conflict(
            "idempotency-key-reused",
            "this Idempotency-Key was sent with another request",
            "use a new key for a new request",
        )),
    }
}
