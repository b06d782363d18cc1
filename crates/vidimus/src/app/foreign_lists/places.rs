//! Places for asking others: whoever is slow to answer holds up no more than their share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vidimus_core::id::ParticipantId;

/// Places in all.
const ALL: usize = 8;
/// Of them, on one host.
const OF_A_HOST: usize = 3;
/// Of them, by one caller.
const OF_A_CALLER: usize = 2;

/// Places, and the shares in them.
#[derive(Debug)]
pub struct Places {
    all: Arc<Semaphore>,
    shares: Mutex<HashMap<Share, Arc<Semaphore>>>,
}

/// Who has no more than a part of the places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Share {
    Caller(ParticipantId),
    Host(String),
}

impl Share {
    const fn size(&self) -> usize {
        match self {
            Self::Caller(_) => OF_A_CALLER,
            Self::Host(_) => OF_A_HOST,
        }
    }
}

/// A place that is held.
#[derive(Debug)]
pub struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(ALL)),
            shares: Mutex::default(),
        }
    }
}

impl Places {
    /// A place, when there is one. The shares come first: who waits for more than theirs keeps nobody else waiting.
    pub async fn take(&self, caller: Option<ParticipantId>, host: &str) -> Place {
        let mut permits = Vec::new();
        for share in caller
            .map(Share::Caller)
            .into_iter()
            .chain([Share::Host(host.to_owned())])
        {
            permits.push(acquire(self.share(share)).await);
        }
        permits.push(acquire(self.all.clone()).await);
        Place { _permits: permits }
    }

    fn share(&self, share: Share) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        // Who holds or waits for a part of a share holds it too.
        shares.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let size = share.size();
        shares
            .entry(share)
            .or_insert_with(|| Arc::new(Semaphore::new(size)))
            .clone()
    }
}

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    semaphore.acquire_owned().await.expect("nobody closes it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    fn participant() -> ParticipantId {
        ParticipantId::generate(&mut vidimus_crypto::OsEntropy)
    }

    /// A place that is there at once.
    fn now(places: &Places, caller: Option<ParticipantId>, host: &str) -> Option<Place> {
        places.take(caller, host).now_or_never()
    }

    #[test]
    fn a_caller_has_its_share_whatever_hosts_it_names() {
        let (places, caller) = (Places::default(), participant());
        let held: Vec<_> = (0..20)
            .map_while(|host| now(&places, Some(caller), &format!("{host}.example")))
            .collect();
        assert_eq!(held.len(), OF_A_CALLER);
        assert!(now(&places, Some(participant()), "0.example").is_some());
        drop(held);
        assert!(now(&places, Some(caller), "0.example").is_some());
    }

    #[test]
    fn a_host_has_its_share_whoever_names_it() {
        let places = Places::default();
        let held: Vec<_> = (0..20)
            .map_while(|_| now(&places, Some(participant()), "slow.example"))
            .collect();
        assert_eq!(held.len(), OF_A_HOST);
        assert!(now(&places, None, "slow.example").is_none());
        assert!(now(&places, None, "other.example").is_some());
    }

    #[test]
    fn who_gave_up_or_is_done_leaves_nothing_behind() {
        let places = Places::default();
        let held: Vec<_> = (0..20)
            .map_while(|host| now(&places, None, &format!("{host}.example")))
            .collect();
        assert_eq!(held.len(), ALL);
        assert!(now(&places, None, "late.example").is_none());
        drop(held);
        let _one = now(&places, None, "0.example").unwrap();
        assert_eq!(places.shares.lock().unwrap().len(), 1);
    }
}
