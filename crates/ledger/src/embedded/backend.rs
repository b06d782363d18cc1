//! A storage that keeps what is written in memory, over one that is only read.

use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

const PAGE: u64 = 4096;

/// Reads from `below`; what is written goes to memory and is forgotten when this is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    below: Box<dyn StorageBackend>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    len: Option<u64>,
    /// Page number → its bytes.
    written: BTreeMap<u64, Vec<u8>>,
}

impl Scratch {
    pub(super) fn over(below: Box<dyn StorageBackend>) -> Self {
        Self {
            below,
            state: RwLock::new(State {
                len: None,
                written: BTreeMap::new(),
            }),
        }
    }

    fn read_below(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let len = self.below.len()?;
        let there = usize::try_from(len.saturating_sub(offset))
            .unwrap_or(usize::MAX)
            .min(out.len());
        if there > 0 {
            self.below.read(offset, &mut out[..there])?;
        }
        out[there..].fill(0);
        Ok(())
    }
}

impl StorageBackend for Scratch {
    fn len(&self) -> io::Result<u64> {
        match self.state.read().unwrap_or_else(PoisonError::into_inner).len {
            Some(len) => Ok(len),
            None => self.below.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_below(offset, out)?;
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let end = offset + out.len() as u64;
        for (page, bytes) in state.written.range(offset / PAGE..=end / PAGE) {
            let start = page * PAGE;
            let (from, to) = (start.max(offset), (start + PAGE).min(end));
            if from < to {
                out[(from - offset) as usize..(to - offset) as usize]
                    .copy_from_slice(&bytes[(from - start) as usize..(to - start) as usize]);
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.state.write().unwrap_or_else(PoisonError::into_inner).len = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let end = offset + data.len() as u64;
        let mut at = offset;
        while at < end {
            let page = at / PAGE;
            let to = ((page + 1) * PAGE).min(end);
            let bytes = match state.written.entry(page) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let mut bytes = vec![0; PAGE as usize];
                    self.read_below(page * PAGE, &mut bytes)?;
                    unknown.insert(bytes)
                }
            };
            bytes[(at - page * PAGE) as usize..(to - page * PAGE) as usize]
                .copy_from_slice(&data[(at - offset) as usize..(to - offset) as usize]);
            at = to;
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.below.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;

    proptest! {
        #[test]
        fn it_reads_like_a_file_and_leaves_what_is_below_alone(
            writes in proptest::collection::vec((0..20_000_u64, proptest::collection::vec(any::<u8>(), 1..9_000)), 1..8),
            reads in proptest::collection::vec((0..28_000_u64, 1..9_000_usize), 1..8),
        ) {
            let below: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
            let memory = InMemoryBackend::new();
            memory.set_len(10_000).unwrap();
            memory.write(0, &below).unwrap();
            let scratch = Scratch::over(Box::new(memory));
            let mut model = below.clone();
            scratch.set_len(30_000).unwrap();
            model.resize(30_000, 0);
            for (offset, data) in &writes {
                scratch.write(*offset, data).unwrap();
                model[*offset as usize..*offset as usize + data.len()].copy_from_slice(data);
            }
            for (offset, len) in reads {
                let mut out = vec![0xee; len];
                let read = scratch.read(offset, &mut out);
                let there = model.get(offset as usize..offset as usize + len);
                prop_assert_eq!(read.is_ok(), there.is_some());
                if let Some(there) = there {
                    prop_assert_eq!(&out, there);
                }
            }
            let mut untouched = vec![0; 10_000];
            scratch.below.read(0, &mut untouched).unwrap();
            prop_assert_eq!(untouched, below);
            prop_assert_eq!(scratch.below.len().unwrap(), 10_000);
        }
    }
}
