//! Whom a check without a server believes beside a deployment's own issuers.

use crate::{
    app::trusted::Trusted,
    causes::with_causes,
    cli::{Exit, Failure, client::read, client::read_text},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use vidimus_core::Timestamp;
use vidimus_credential::check::{ForeignList, TrustList};
use vidimus_crypto::Native;

/// Issuers of others, and what is known of their certificates' status.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OthersArguments {
    /// Certificates of others: their issuers, PEM or JSON. Its age is that of the file. With --purpose the server checks, and knows the
    /// deployment's own categories; without, nobody is asked.
    #[arg(long, value_name = "FILE")]
    pub(super) trust_list: Option<PathBuf>,
    /// Offline: a directory with whom you trust, in the form of a server's `[trust]`: certificates and JWK sets in `issuers/` (who issues SD-JWT VCs) and
    /// `status/` (who signs status lists of theirs).
    #[arg(long, value_name = "DIR", conflicts_with = "purpose")]
    pub(super) trust: Option<PathBuf>,
    /// Offline: a status list of others, as it came from the address that the certificate names; may be given again. It was fetched when the file says.
    #[arg(long, value_name = "FILE", conflicts_with = "purpose")]
    pub(super) status_list: Vec<PathBuf>,
}

impl OthersArguments {
    /// Whether a check without a server knows anybody by these.
    pub(super) fn is_given(&self) -> bool {
        self.trust_list.is_some() || self.trust.is_some()
    }

    /// Reads all of it; what does not read is refused, since a check without it would say something else.
    pub(super) fn read(&self, now: Timestamp) -> Result<Option<TrustList>, Failure> {
        if !self.is_given() {
            return match self.status_list.first() {
                None => Ok(None),
                Some(_) => Err(Failure::new(
                    Exit::Usage,
                    "--status-list goes with --trust or --trust-list",
                )),
            };
        }
        let refused = |path: &Path, error: String| Failure::new(Exit::Usage, format!("{}: {error}", path.display()));
        let mut list = match &self.trust_list {
            Some(path) => TrustList::parse(&read(path)?, fetched_at(path, now), &Native::new())
                .map_err(|error| refused(path, error.to_string()))?,
            None => TrustList::new(now),
        };
        if let Some(directory) = &self.trust {
            Trusted::add_all(directory, &mut list).map_err(|error| refused(directory, error.to_string()))?;
        }
        for path in &self.status_list {
            let kept = ForeignList::read_by_its_name(&read_text(path)?, fetched_at(path, now))
                .map_err(|error| refused(path, with_causes(&error)))?;
            list.add_status_list(kept.uri().to_owned(), Some(Arc::new(kept)));
        }
        Ok(Some(list))
    }
}

/// When a file was fetched: what it says itself, and not later than now.
pub(super) fn fetched_at(path: &Path, now: Timestamp) -> Timestamp {
    std::fs::metadata(path)
        .and_then(|file| file.modified())
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(now, |since| Timestamp(i64::try_from(since.as_secs()).unwrap_or(now.0)))
        .min(now)
}
