//! A disk in memory that remembers what was written when, and fails on demand.

use redb::{BackendError, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was done to the disk, in order.
#[derive(Debug, Clone)]
pub enum Step {
    Write(u64, Vec<u8>),
    Resize(u64),
    Sync,
    /// Not the disk's: the test notes that so many transactions are acknowledged by now.
    Acknowledged(usize),
}

/// Which operation fails; from then on everything fails, as a dying disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Write(usize),
    Sync(usize),
}

#[derive(Debug, Default)]
struct Inner {
    bytes: Vec<u8>,
    /// The bytes at the last successful sync.
    synced: Vec<u8>,
    steps: Vec<Step>,
    fault: Option<Fault>,
    writes: usize,
    syncs: usize,
    broken: bool,
}

/// Clones share the disk.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            synced: bytes.clone(),
            bytes,
            ..Inner::default()
        })))
    }
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub fn bytes(&self) -> Vec<u8> {
        self.inner().bytes.clone()
    }
    pub fn synced(&self) -> Vec<u8> {
        self.inner().synced.clone()
    }
    pub fn steps(&self) -> Vec<Step> {
        self.inner().steps.clone()
    }
    pub fn note(&self, acknowledged: usize) {
        self.inner().steps.push(Step::Acknowledged(acknowledged));
    }
    /// Counts from now.
    pub fn fail_at(&self, fault: Fault) {
        let mut inner = self.inner();
        (inner.writes, inner.syncs, inner.fault) = (0, 0, Some(fault));
    }
    pub fn is_broken(&self) -> bool {
        self.inner().broken
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken, as the test wants it")
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().bytes.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner();
        let from = offset as usize;
        let there = inner
            .bytes
            .get(from..from + out.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = self.inner();
        if inner.broken {
            return Err(broken());
        }
        inner.bytes.resize(len as usize, 0);
        inner.steps.push(Step::Resize(len));
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner();
        inner.broken |= inner.fault == Some(Fault::Sync(inner.syncs));
        inner.syncs += 1;
        if inner.broken {
            return Err(broken());
        }
        inner.synced = inner.bytes.clone();
        inner.steps.push(Step::Sync);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.broken |= inner.fault == Some(Fault::Write(inner.writes));
        inner.writes += 1;
        if inner.broken {
            return Err(broken());
        }
        let from = offset as usize;
        let there = inner
            .bytes
            .get_mut(from..from + data.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        there.copy_from_slice(data);
        inner.steps.push(Step::Write(offset, data.to_vec()));
        Ok(())
    }
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }
    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
