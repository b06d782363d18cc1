//! Rates: token buckets in memory, one per API key and one per client address. Per instance on purpose: they protect this process.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};
use vidimus_core::Timestamp;

/// Buckets kept at once. Above that the full ones are forgotten, then all: memory stays bounded whoever asks.
const MOST: usize = 65_536;

/// Token buckets, each refilled evenly to `per_minute` and holding a quarter of a minute's worth (at least 20 tokens, so that small limits
/// allow a burst).
#[derive(Debug)]
pub struct Buckets<K> {
    per_minute: u64,
    burst: u64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Sixtieths of a token, so that a refill by the second is a whole number.
    tokens: u64,
    at: Timestamp,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets that allow `per_minute` on the average.
    pub fn new(per_minute: u32) -> Self {
        let per_minute = u64::from(per_minute);
        Self {
            per_minute,
            burst: (per_minute / 4).max(per_minute.min(20)) * 60,
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes one token; or says in how many seconds there will be one.
    pub fn take(&self, key: K, now: Timestamp) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.level(*bucket, now) < self.burst);
            if buckets.len() >= MOST {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: self.burst,
            at: now,
        });
        let level = self.level(*bucket, now);
        *bucket = Bucket {
            tokens: level.saturating_sub(60),
            at: now,
        };
        if level >= 60 {
            return Ok(());
        }
        bucket.tokens = level;
        Err((60 - level).div_ceil(self.per_minute))
    }

    /// What is in the bucket now. A clock that went back refills nothing.
    fn level(&self, bucket: Bucket, now: Timestamp) -> u64 {
        let seconds = u64::try_from(now.since(bucket.at)).unwrap_or(0);
        bucket
            .tokens
            .saturating_add(seconds.saturating_mul(self.per_minute))
            .min(self.burst)
    }
}

/// The client's address for counting: IPv6 by its /64, which one subscriber holds whole.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_says_when_and_refills() {
        let buckets = Buckets::new(60);
        let start = Timestamp(1_000);
        for _ in 0..20 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(1));
        assert_eq!(buckets.take("b", start), Ok(()), "another caller is not held up");
        assert_eq!(
            buckets.take("a", Timestamp(900)),
            Err(1),
            "a clock that went back refills nothing"
        );
        assert_eq!(buckets.take("a", Timestamp(901)), Ok(()));
        assert_eq!(buckets.take("a", Timestamp(901)), Err(1));
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = Buckets::new(60);
        for key in 0..(MOST + 10) {
            let _ = buckets.take(key, Timestamp(0));
        }
        assert!(buckets.buckets.lock().unwrap().len() <= MOST);
    }

    #[test]
    fn an_ipv6_subscriber_is_one() {
        let at = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2:3::4"), at("2001:db8:1:2:ffff::"));
        assert_ne!(at("2001:db8:1:2::"), at("2001:db8:1:3::"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
