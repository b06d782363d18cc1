//! What follows from its key alone and takes time to make.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Makes each value once. Everything is forgotten when there are too many.
#[derive(Debug)]
pub struct Memo<K, V> {
    most: usize,
    made: Mutex<HashMap<K, Arc<V>>>,
}

impl<K: Eq + Hash, V> Memo<K, V> {
    /// That keeps so many values at most.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            made: Mutex::default(),
        }
    }

    /// The value of `key`. What cannot be made is tried again the next time.
    pub fn get<E>(&self, key: K, make: impl FnOnce(&K) -> Result<V, E>) -> Result<Arc<V>, E> {
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made().get(&key) {
            return Ok(known.clone());
        }
        let value = Arc::new(make(&key)?);
        let mut made = made();
        if made.len() >= self.most {
            made.clear();
        }
        made.insert(key, value.clone());
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_until_there_are_too_many() {
        let memo = Memo::new(2);
        let get = |key: u8, value: Result<u8, ()>| memo.get(key, |_| value).map(|value| *value);
        assert_eq!(get(1, Err(())), Err(()));
        assert_eq!(get(1, Ok(10)), Ok(10), "what failed is tried again");
        assert_eq!(get(1, Ok(11)), Ok(10));
        assert_eq!(get(2, Ok(20)), Ok(20));
        assert_eq!(get(3, Ok(30)), Ok(30));
        assert_eq!(get(3, Ok(31)), Ok(30));
        assert_eq!(get(1, Ok(12)), Ok(12), "forgotten with the others");
    }
}
