//! What participants and everybody read: the issuer's own results, sealed payloads, the audit log.

use crate::app::{App, copies, error::Error, principal::Principal, requests::CertificateView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vidimus_core::{
    Timestamp,
    encoding::{base64url, from_base64url, hex},
    id::{CertificateId, ResultId},
};
use vidimus_store::{
    audit::{self, Verdict},
    blobs::ContentId,
    certificates, copies as copy_rows, results,
};

/// Rows in one page, when the caller does not say.
const PAGE: u32 = 50;
/// Rows in one page at most.
const LARGEST_PAGE: u32 = 500;

/// A result, as its issuer sees it. No personal data.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResultView {
    /// Its id.
    pub result: String,
    /// Its category.
    pub category: String,
    /// `live`, `replaced`, `withdrawn` or `erased`.
    pub state: String,
    /// When it was reported, RFC 3339.
    pub reported: String,
    /// Its certificate, while that is valid or suspended.
    pub certificate: Option<CertificateView>,
}

/// A page of results, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResultPage {
    /// The results.
    pub items: Vec<ResultView>,
    /// Cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// The caller's results after `cursor`.
pub async fn list_results(
    app: &App,
    caller: &Principal,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<ResultPage, Error> {
    let scope = caller.scope();
    let page = Page::new(cursor, limit)?;
    let after = page.after.map(|(created, id)| (created, ResultId::from_bytes(id)));
    let mut rows = app
        .store
        .read(move |tx| results::list(tx, &scope, after, page.rows()))
        .await?;
    let next = page.cut(&mut rows, |row| (row.created, *row.id.as_bytes()));
    let items = rows.iter().map(|row| view(row, None)).collect();
    Ok(ResultPage { items, next })
}

/// One of the caller's results, with its certificate.
pub async fn result(app: &App, caller: &Principal, id: ResultId) -> Result<ResultView, Error> {
    let scope = caller.scope();
    let found = app
        .store
        .read(move |tx| {
            let Some(row) = results::find(tx, &scope, id)? else {
                return Ok(None);
            };
            let certificate = certificates::find_by_result(tx, &scope, id)?;
            Ok::<_, vidimus_store::Error>(Some((row, certificate.map(|certificate| certificate.id))))
        })
        .await?;
    let (row, certificate) = found.ok_or(Error::NotFound("result"))?;
    let certificate = match certificate {
        Some(id) => Some(copies::view(app, &scope, id).await?),
        None => None,
    };
    Ok(view(&row, certificate))
}

/// One of the caller's certificates.
pub async fn certificate(app: &App, caller: &Principal, id: CertificateId) -> Result<CertificateView, Error> {
    copies::view(app, &caller.scope(), id).await
}

fn view(row: &results::ResultRecord, certificate: Option<CertificateView>) -> ResultView {
    ResultView {
        result: row.id.to_string(),
        category: row.category.clone(),
        state: row.state.name().to_owned(),
        reported: row.created.to_rfc3339(),
        certificate,
    }
}

/// A page that is asked for, of rows in the order (created, id).
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The last row of the page before.
    pub after: Option<(Timestamp, [u8; 16])>,
    limit: u32,
}

impl Page {
    /// From `cursor`, which the page before gave, and the rows that are wanted.
    pub fn new(cursor: Option<&str>, limit: Option<u32>) -> Result<Self, Error> {
        Ok(Self {
            after: cursor.map(read_cursor).transpose()?,
            limit: limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE),
        })
    }
    /// Rows to ask for: one more than are shown tells whether there is another page.
    pub const fn rows(&self) -> u32 {
        self.limit + 1
    }
    /// Cuts the rows that were found to the page, and gives the cursor of the next one.
    pub fn cut<T>(&self, rows: &mut Vec<T>, place: impl Fn(&T) -> (Timestamp, [u8; 16])) -> Option<String> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        rows.last().filter(|_| more).map(|row| {
            let (created, id) = place(row);
            write_cursor(created, &id)
        })
    }
}

pub(crate) fn write_cursor(created: Timestamp, id: &[u8; 16]) -> String {
    base64url(&[&created.0.to_be_bytes()[..], id].concat())
}

pub(crate) fn read_cursor(text: &str) -> Result<(Timestamp, [u8; 16]), Error> {
    let parts = from_base64url(text).ok().and_then(|bytes| {
        let (created, id) = bytes.split_first_chunk::<8>()?;
        Some((Timestamp(i64::from_be_bytes(*created)), id.try_into().ok()?))
    });
    parts.ok_or_else(|| {
        Error::invalid(
            "cursor",
            "this is not a cursor",
            "give `next` of the page before, or none",
        )
    })
}

/// A sealed payload by its content id: from the blob store, or from the row while it is not published yet. It opens only for its holder.
pub async fn sealed(app: &App, id: &str) -> Result<bytes::Bytes, Error> {
    let missing = || Error::NotFound("blob");
    let content: ContentId = id.parse().map_err(|_| missing())?;
    match app.blobs.get(content).await {
        Ok(Some(bytes)) => return Ok(bytes),
        Ok(None) => {}
        // The row has the same bytes.
        Err(error) => tracing::warn!(cause = %error, "a blob does not read"),
    }
    let text = content.to_string();
    let copy = app
        .store
        .get(move |tx| copy_rows::find_by_content(tx, &text))
        .await?
        .ok_or_else(missing)?;
    let payload = copy
        .payload
        .filter(|payload| app.blobs.id(payload) == content)
        .ok_or_else(missing)?;
    Ok(payload.into())
}

/// An entry of the audit log: ids and salted digests only.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Counted from 1 without gaps.
    pub sequence: u64,
    /// When, RFC 3339.
    pub time: String,
    /// The participant that did it; none for the deployment itself.
    pub actor: Option<String>,
    /// What was done.
    pub operation: String,
    /// To what: the id's bytes, hexadecimal.
    pub object: String,
    /// Salted digest of the details.
    pub details: String,
    /// Hash of the entry before.
    pub previous: String,
    /// Hash of this entry.
    pub hash: String,
}

/// A page of the audit log, in order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub items: Vec<AuditEntry>,
    /// Give it as `after` for the next page; none on the last.
    pub next: Option<u64>,
}

/// Whether the audit log is what was written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdict {
    /// Whether every entry follows from the one before.
    pub whole: bool,
    /// Number of entries, when it is whole.
    pub entries: Option<u64>,
    /// Hash of the last entry, when it is whole. Keep it elsewhere: a log that was cut off shows by it.
    pub head: Option<String>,
    /// The first entry that does not follow, when it is not whole.
    pub broken_at: Option<u64>,
}

/// Entries of the audit log after a sequence number.
pub async fn audit_entries(app: &App, after: u64, limit: Option<u32>) -> Result<AuditPage, Error> {
    let limit = limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let mut rows = app.store.read(move |tx| audit::list(tx, after, limit + 1)).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|row| row.sequence);
    let items = rows.into_iter().map(|row| AuditEntry {
        sequence: row.sequence,
        time: row.event.time.to_rfc3339(),
        actor: row.event.actor.map(|actor| actor.to_string()),
        operation: row.event.operation,
        object: hex(&row.event.object),
        details: row.event.details.to_string(),
        previous: row.previous.to_string(),
        hash: row.hash.to_string(),
    });
    Ok(AuditPage {
        items: items.collect(),
        next,
    })
}

/// Walks the whole audit log.
pub async fn verify_audit(app: &App) -> Result<AuditVerdict, Error> {
    Ok(match app.store.read(audit::verify).await? {
        Verdict::Whole(head) => AuditVerdict {
            whole: true,
            entries: Some(head.sequence),
            head: Some(head.hash.to_string()),
            broken_at: None,
        },
        Verdict::Broken { sequence } => AuditVerdict {
            whole: false,
            entries: None,
            head: None,
            broken_at: Some(sequence),
        },
    })
}
