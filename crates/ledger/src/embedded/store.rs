//! The file: its tables, its rows, and how it is opened.

use crate::error::{FatalError, LedgerError, Result};
use crate::eth::{Address, B256, Bytes, U256};
use alloy::consensus::Header;
use alloy::primitives::{KECCAK256_EMPTY, Log, keccak256};
use alloy::rlp::{Decodable, Encodable};
use redb::{
    Builder, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{path::Path, sync::Arc};

/// Raised with every change that an older program would misread.
pub(super) const FORMAT: u64 = 1;

/// "format" (8 bytes, big-endian) and "genesis" (JSON).
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Block number → hash ‖ RLP header.
pub(super) const HEADERS: TableDefinition<u64, &[u8]> = TableDefinition::new("headers");
/// Block hash → number.
pub(super) const NUMBERS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("numbers");
/// (block, index) → sender ‖ EIP-2718 bytes.
pub(super) const BODIES: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("bodies");
/// (block, index) → [`StoredReceipt`].
pub(super) const RECEIPTS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("receipts");
/// Transaction hash → (block, index).
pub(super) const LOCATIONS: TableDefinition<&[u8; 32], (u64, u32)> = TableDefinition::new("locations");
/// The newest state, flat: address → [`Account`].
pub(super) const ACCOUNTS: TableDefinition<&[u8; 20], &[u8; 104]> = TableDefinition::new("accounts");
/// The newest state, flat: address ‖ slot → value. Zeros are not stored.
pub(super) const STORAGE: TableDefinition<&[u8; 52], &[u8; 32]> = TableDefinition::new("storage");
/// Code hash → code.
pub(super) const CODES: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("codes");
/// Node hash → RLP node, of the account trie and of all storage tries, of every block: history is never cut.
pub(super) const NODES: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("nodes");
/// (sender, nonce) → EIP-2718 bytes, of transactions that were acknowledged but wait for an earlier nonce.
pub(super) const WAITING: TableDefinition<(&[u8; 20], u64), &[u8]> = TableDefinition::new("waiting");
/// Transaction hash → its key in [`WAITING`].
pub(super) const WAITING_HASHES: TableDefinition<&[u8; 32], (&[u8; 20], u64)> = TableDefinition::new("waiting_hashes");

/// An account as the file keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
    pub(super) storage_root: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK256_EMPTY,
            storage_root: alloy::consensus::constants::EMPTY_ROOT_HASH,
        }
    }
}

impl Account {
    pub(super) fn encode(&self) -> [u8; 104] {
        let mut row = [0; 104];
        row[..8].copy_from_slice(&self.nonce.to_be_bytes());
        row[8..40].copy_from_slice(&self.balance.to_be_bytes::<32>());
        row[40..72].copy_from_slice(self.code_hash.as_slice());
        row[72..].copy_from_slice(self.storage_root.as_slice());
        row
    }
    pub(super) fn decode(row: &[u8; 104]) -> Self {
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&row[..8]);
        Self {
            nonce: u64::from_be_bytes(nonce),
            balance: U256::from_be_slice(&row[8..40]),
            code_hash: B256::from_slice(&row[40..72]),
            storage_root: B256::from_slice(&row[72..]),
        }
    }
}

/// What a receipt holds beyond what the transaction and its block say. The bloom filter is computed when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredReceipt {
    pub(super) success: bool,
    pub(super) gas_used: u64,
    pub(super) cumulative_gas_used: u64,
    /// Index within the block of its first log.
    pub(super) first_log: u32,
    pub(super) logs: Vec<Log>,
}

impl StoredReceipt {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = vec![u8::from(self.success)];
        row.extend_from_slice(&self.gas_used.to_be_bytes());
        row.extend_from_slice(&self.cumulative_gas_used.to_be_bytes());
        row.extend_from_slice(&self.first_log.to_be_bytes());
        self.logs.encode(&mut row);
        row
    }
    pub(super) fn decode(row: &[u8]) -> Result<Self> {
        let fixed: &[u8; 21] = row.first_chunk().ok_or_else(|| damaged("a receipt is cut"))?;
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&fixed[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        Ok(Self {
            success: fixed[0] == 1,
            gas_used: word(1),
            cumulative_gas_used: word(9),
            first_log: u32::from_be_bytes([fixed[17], fixed[18], fixed[19], fixed[20]]),
            logs: Vec::<Log>::decode(&mut &row[21..]).map_err(|_| damaged("a receipt's logs do not decode"))?,
        })
    }
}

/// A header with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) hash: B256,
    pub(super) header: Header,
}

impl Sealed {
    pub(super) fn new(header: Header) -> Self {
        Self {
            hash: header.hash_slow(),
            header,
        }
    }
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = self.hash.to_vec();
        self.header.encode(&mut row);
        row
    }
    /// Checks the header against the hash: a flipped bit is found when it is read.
    fn decode(row: &[u8]) -> Result<Self> {
        let (hash, rlp) = row.split_at_checked(32).ok_or_else(|| damaged("a header is cut"))?;
        if keccak256(rlp).as_slice() != hash {
            return Err(damaged("a header does not have its hash"));
        }
        let header = Header::decode(&mut &*rlp).map_err(|_| damaged("a header does not decode"))?;
        Ok(Self {
            hash: B256::from_slice(hash),
            header,
        })
    }
}

pub(super) fn storage_key(account: Address, slot: U256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(account.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

pub(super) fn damaged(what: impl Into<String>) -> LedgerError {
    FatalError::Damaged(what.into()).into()
}

/// Any error of the file while it is read.
pub(super) fn unreadable(error: impl Into<redb::Error>) -> LedgerError {
    damaged(error.into().to_string())
}

/// All tables at one moment: what a reader sees does not change while it reads.
pub(super) struct View {
    pub(super) headers: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) numbers: ReadOnlyTable<&'static [u8; 32], u64>,
    pub(super) bodies: ReadOnlyTable<(u64, u32), &'static [u8]>,
    pub(super) receipts: ReadOnlyTable<(u64, u32), &'static [u8]>,
    pub(super) locations: ReadOnlyTable<&'static [u8; 32], (u64, u32)>,
    pub(super) accounts: ReadOnlyTable<&'static [u8; 20], &'static [u8; 104]>,
    pub(super) storage: ReadOnlyTable<&'static [u8; 52], &'static [u8; 32]>,
    pub(super) codes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    pub(super) nodes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    pub(super) waiting: ReadOnlyTable<(&'static [u8; 20], u64), &'static [u8]>,
    pub(super) waiting_hashes: ReadOnlyTable<&'static [u8; 32], (&'static [u8; 20], u64)>,
}

impl View {
    pub(super) fn new(database: &Database) -> Result<Self> {
        let read = database.begin_read().map_err(unreadable)?;
        Ok(Self {
            headers: read.open_table(HEADERS).map_err(unreadable)?,
            numbers: read.open_table(NUMBERS).map_err(unreadable)?,
            bodies: read.open_table(BODIES).map_err(unreadable)?,
            receipts: read.open_table(RECEIPTS).map_err(unreadable)?,
            locations: read.open_table(LOCATIONS).map_err(unreadable)?,
            accounts: read.open_table(ACCOUNTS).map_err(unreadable)?,
            storage: read.open_table(STORAGE).map_err(unreadable)?,
            codes: read.open_table(CODES).map_err(unreadable)?,
            nodes: read.open_table(NODES).map_err(unreadable)?,
            waiting: read.open_table(WAITING).map_err(unreadable)?,
            waiting_hashes: read.open_table(WAITING_HASHES).map_err(unreadable)?,
        })
    }

    pub(super) fn head(&self) -> Result<Sealed> {
        let last = self.headers.last().map_err(unreadable)?;
        Sealed::decode(last.ok_or_else(|| damaged("there is no block"))?.1.value())
    }

    pub(super) fn header(&self, number: u64) -> Result<Option<Sealed>> {
        let row = self.headers.get(number).map_err(unreadable)?;
        row.map(|row| Sealed::decode(row.value())).transpose()
    }

    pub(super) fn number(&self, hash: B256) -> Result<Option<u64>> {
        Ok(self.numbers.get(&hash.0).map_err(unreadable)?.map(|n| n.value()))
    }

    pub(super) fn location(&self, hash: B256) -> Result<Option<(u64, u32)>> {
        Ok(self.locations.get(&hash.0).map_err(unreadable)?.map(|at| at.value()))
    }

    pub(super) fn account(&self, address: Address) -> Result<Option<Account>> {
        let row = self.accounts.get(&address.into_array()).map_err(unreadable)?;
        Ok(row.map(|row| Account::decode(row.value())))
    }

    pub(super) fn slot(&self, account: Address, slot: U256) -> Result<U256> {
        let row = self.storage.get(&storage_key(account, slot)).map_err(unreadable)?;
        Ok(row.map_or(U256::ZERO, |row| U256::from_be_bytes(*row.value())))
    }

    pub(super) fn code(&self, hash: B256) -> Result<Bytes> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytes::new());
        }
        let row = self
            .codes
            .get(&hash.0)
            .map_err(unreadable)?
            .ok_or_else(|| damaged("a contract's code is missing"))?;
        if keccak256(row.value()) != hash {
            return Err(damaged("a contract's code does not have its hash"));
        }
        Ok(Bytes::copy_from_slice(row.value()))
    }

    pub(super) fn node(&self, hash: B256) -> Result<Option<Vec<u8>>> {
        let Some(row) = self.nodes.get(&hash.0).map_err(unreadable)? else {
            return Ok(None);
        };
        if keccak256(row.value()) != hash {
            return Err(damaged("a trie node does not have its hash"));
        }
        Ok(Some(row.value().to_vec()))
    }

    /// The receipts of a block, in order.
    pub(super) fn receipts_of(&self, number: u64) -> Result<Vec<StoredReceipt>> {
        let rows = self
            .receipts
            .range((number, 0)..=(number, u32::MAX))
            .map_err(unreadable)?;
        rows.map(|row| StoredReceipt::decode(row.map_err(unreadable)?.1.value()))
            .collect()
    }
}

/// Opens what `backend` holds, making the tables when it is empty. Returns whether it was.
pub(super) fn open(backend: impl StorageBackend) -> Result<Database> {
    let database = builder().create_with_backend(backend).map_err(cannot_open)?;
    let write = database.begin_write().map_err(|e| FatalError::Open(e.to_string()))?;
    let fresh = create_tables(&write).map_err(|e| FatalError::Open(e.to_string()))?;
    if fresh {
        write.commit().map_err(|e| FatalError::CommitFailed(e.to_string()))?;
    } else {
        write.abort().map_err(|e| FatalError::Open(e.to_string()))?;
    }
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(128 << 20);
    builder
}

fn create_tables(write: &WriteTransaction) -> std::result::Result<bool, redb::Error> {
    let fresh = write.list_tables()?.next().is_none();
    if fresh {
        write.open_table(META)?;
        write.open_table(HEADERS)?;
        write.open_table(NUMBERS)?;
        write.open_table(BODIES)?;
        write.open_table(RECEIPTS)?;
        write.open_table(LOCATIONS)?;
        write.open_table(ACCOUNTS)?;
        write.open_table(STORAGE)?;
        write.open_table(CODES)?;
        write.open_table(NODES)?;
        write.open_table(WAITING)?;
        write.open_table(WAITING_HASHES)?;
    }
    Ok(fresh)
}

fn cannot_open(error: redb::DatabaseError) -> LedgerError {
    use redb::{DatabaseError as E, StorageError as S};
    match error {
        E::DatabaseAlreadyOpen => FatalError::Open("another process has it open".into()),
        E::Storage(S::Io(cause)) if cause.kind() == std::io::ErrorKind::InvalidData => {
            FatalError::Damaged("it is not a ledger file, or its first page is damaged".into())
        }
        E::Storage(S::Io(cause)) => FatalError::Open(cause.to_string()),
        other => FatalError::Damaged(other.to_string()),
    }
    .into()
}

/// Reads the whole file and checks every page that is in use, without writing to it.
///
/// What is found damaged stays as it is: left to itself the file's own recovery would quietly fall back to the commit before,
/// and acknowledged blocks would be gone. After a crash (not a clean close) that fallback is right, since the last commit may
/// be torn, and was not acknowledged then.
pub(super) fn check(path: &Path) -> Result<()> {
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|e| FatalError::Open(format!("{}: {e}", path.display())))?;
    let file = redb::backends::FileBackend::new(file).map_err(cannot_open)?;
    let recovered = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&recovered);
    let mut builder = builder();
    builder.set_repair_callback(move |_| seen.store(true, Ordering::Relaxed));
    let mut database = builder
        .create_with_backend(super::backend::Scratch::over(Box::new(file)))
        .map_err(cannot_open)?;
    if recovered.load(Ordering::Relaxed) {
        // Recovery has just checked every page itself.
        return Ok(());
    }
    match database.check_integrity() {
        Ok(true) => Ok(()),
        Ok(false) => Err(damaged("pages in use do not have their checksums")),
        Err(error) => Err(damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::LogData;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_account_reads_back_as_written(nonce: u64, balance: [u8; 32], code: [u8; 32], root: [u8; 32]) {
            let account = Account {
                nonce,
                balance: U256::from_be_bytes(balance),
                code_hash: B256::new(code),
                storage_root: B256::new(root),
            };
            prop_assert_eq!(Account::decode(&account.encode()), account);
        }

        #[test]
        fn a_receipt_reads_back_as_written_and_a_cut_one_is_refused(
            success: bool, gas_used: u64, cumulative_gas_used: u64, first_log: u32,
            logs in proptest::collection::vec((any::<[u8; 20]>(), 0..5_usize, any::<Vec<u8>>()), 0..4),
            cut in 0..10_000_usize,
        ) {
            let log = |(address, topics, data): ([u8; 20], usize, Vec<u8>)| Log {
                address: Address::new(address),
                data: LogData::new_unchecked(vec![B256::repeat_byte(7); topics.min(4)], data.into()),
            };
            let receipt = StoredReceipt {
                success,
                gas_used,
                cumulative_gas_used,
                first_log,
                logs: logs.into_iter().map(log).collect(),
            };
            let row = receipt.encode();
            prop_assert_eq!(StoredReceipt::decode(&row).unwrap(), receipt);
            prop_assert!(StoredReceipt::decode(&row[..cut % row.len()]).is_err());
        }
    }

    #[test]
    fn a_header_that_was_tampered_with_is_refused() {
        let mut row = Sealed::new(Header {
            number: 5,
            ..Header::default()
        })
        .encode();
        assert_eq!(Sealed::decode(&row).unwrap().header.number, 5);
        for at in [0, 31, 32, row.len() - 1] {
            row[at] ^= 1;
            assert!(Sealed::decode(&row).is_err(), "byte {at}");
            row[at] ^= 1;
        }
        assert!(Sealed::decode(&row[..20]).is_err());
    }
}
