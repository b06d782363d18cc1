//! What a node says of a block, held against the block's hash.

use crate::error::{FatalError, LedgerError, Result};
use crate::eth::{B256, Block, BlockId, BlockNumberOrTag, BlockTransactions, Log, TransactionReceipt, keccak256};
use alloy::consensus::{Header, ReceiptEnvelope, proofs};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::b256;
use alloy::rlp;

/// What Besu and GoQuorum write where other chains have a mix hash: their extra data holds signatures that the hash leaves out.
const BYZANTINE: B256 = b256!("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365");
/// Most bytes of such extra data that are looked at.
const EXTRA: usize = 64 << 10;

pub(super) const fn unproven(what: &'static str) -> LedgerError {
    LedgerError::Fatal(FatalError::Unproven(what))
}

/// That a block is the one asked for, and hashes to its hash.
pub(super) fn block(at: BlockId, block: &Block) -> Result<()> {
    let header = &block.header;
    let asked = match at {
        BlockId::Hash(hash) => header.hash == hash.block_hash,
        BlockId::Number(BlockNumberOrTag::Number(number)) => header.number == number,
        BlockId::Number(_) => true,
    };
    if !asked {
        return Err(unproven("another block than it was asked for"));
    }
    if hashes(&header.inner).any(|hash| hash == header.hash) {
        Ok(())
    } else {
        Err(unproven("a block's hash"))
    }
}

/// The hashes a header may have: its own, and those of QBFT and IBFT 2.0, without the committed seals.
fn hashes(header: &Header) -> impl Iterator<Item = B256> {
    let byzantine = (header.mix_hash == BYZANTINE && header.extra_data.len() <= EXTRA)
        .then(|| unsealed(&header.extra_data))
        .flatten()
        .into_iter()
        .flatten()
        .map(|extra| {
            Header {
                extra_data: extra.into(),
                ..header.clone()
            }
            .hash_slow()
        });
    std::iter::once(header.hash_slow()).chain(byzantine)
}

/// Extra data `[vanity, validators, vote, round, seals…]` as it is hashed: round 0 and no seals (QBFT), and neither (IBFT 2.0).
fn unsealed(extra: &[u8]) -> Option<[Vec<u8>; 2]> {
    let mut rest = extra;
    let list = rlp::Header::decode(&mut rest).ok().filter(|header| header.list)?;
    let content = rest.get(..list.payload_length)?;
    let mut after = content;
    for _ in 0..3 {
        let item = rlp::Header::decode(&mut after).ok()?;
        after = after.get(item.payload_length..)?;
    }
    let kept = &content[..content.len() - after.len()];
    let listed = |more: &[u8]| {
        let mut out = Vec::new();
        let header = rlp::Header {
            list: true,
            payload_length: kept.len() + more.len(),
        };
        header.encode(&mut out);
        out.extend_from_slice(kept);
        out.extend_from_slice(more);
        out
    };
    Some([listed(&[0x80, 0xc0]), listed(&[])])
}

/// That these are all receipts of the block with this header, as they were made.
pub(super) fn receipts(header: &Header, receipts: &[TransactionReceipt]) -> Result<()> {
    let plain: Vec<_> = receipts.iter().map(consensus).collect();
    if proofs::calculate_receipt_root(&plain) == header.receipts_root {
        Ok(())
    } else {
        Err(unproven("a block's receipts"))
    }
}

pub(super) fn consensus(receipt: &TransactionReceipt) -> ReceiptEnvelope {
    receipt.inner.clone().map_logs(|log| log.inner)
}

/// A block whose header hashes to its hash, and whose transactions and receipts are the header's.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) hash: B256,
    number: u64,
    time: u64,
    transactions: Vec<B256>,
    receipts: Vec<ReceiptEnvelope>,
}

impl Proven {
    /// `block` is one with its transactions.
    pub(super) fn new(hash: B256, found: Block, given: Vec<TransactionReceipt>) -> Result<Self> {
        block(BlockId::hash(hash), &found)?;
        receipts(&found.header.inner, &given)?;
        let BlockTransactions::Full(transactions) = found.transactions else {
            return Err(unproven("a block without its transactions"));
        };
        // The node names a hash with each; what counts is that of the bytes.
        let raw: Vec<Vec<u8>> = transactions
            .iter()
            .map(|transaction| transaction.inner.inner().encoded_2718())
            .collect();
        if proofs::ordered_trie_root_encoded(&raw) != found.header.transactions_root || raw.len() != given.len() {
            return Err(unproven("a block's transactions"));
        }
        Ok(Self {
            hash,
            number: found.header.number,
            time: found.header.timestamp,
            transactions: raw.iter().map(keccak256).collect(),
            receipts: given.iter().map(consensus).collect(),
        })
    }

    /// That a receipt is the block's for this transaction. Where it stands is taken from the block.
    pub(super) fn settle_receipt(&self, hash: B256, receipt: &mut TransactionReceipt) -> Result<()> {
        let place = self.transactions.iter().position(|found| *found == hash);
        let place = place.ok_or(unproven("that a transaction is in a block"))?;
        if self.receipts.get(place) != Some(&consensus(receipt)) {
            return Err(unproven("what became of a transaction"));
        }
        receipt.transaction_hash = hash;
        receipt.transaction_index = Some(place as u64);
        receipt.block_number = Some(self.number);
        Ok(())
    }

    /// That a log is the block's at its place. Its transaction and its time are taken from the block.
    pub(super) fn settle_log(&self, log: &mut Log) -> Result<()> {
        let invented = unproven("that a contract logged something");
        let mut index = log.log_index.ok_or(invented.clone())?;
        for (place, receipt) in self.receipts.iter().enumerate() {
            let logs = receipt.logs();
            let Some(found) = usize::try_from(index).ok().and_then(|index| logs.get(index)) else {
                index -= logs.len() as u64;
                continue;
            };
            if *found != log.inner {
                return Err(invented);
            }
            log.transaction_hash = self.transactions.get(place).copied();
            log.transaction_index = Some(place as u64);
            log.block_number = Some(self.number);
            log.block_timestamp = Some(self.time);
            return Ok(());
        }
        Err(invented)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Address, Bytes, hex};

    fn extra(round: u8, seals: &[&[u8]]) -> Vec<u8> {
        let mut content = Vec::new();
        rlp::Encodable::encode(&B256::ZERO, &mut content);
        rlp::Encodable::encode(&vec![Address::repeat_byte(7)], &mut content);
        content.push(0xc0);
        rlp::Encodable::encode(&round, &mut content);
        rlp::Encodable::encode(
            &seals
                .iter()
                .map(|seal| Bytes::copy_from_slice(seal))
                .collect::<Vec<_>>(),
            &mut content,
        );
        let mut out = Vec::new();
        let header = rlp::Header {
            list: true,
            payload_length: content.len(),
        };
        header.encode(&mut out);
        out.extend(content);
        out
    }

    fn header(extra: Vec<u8>) -> Header {
        Header {
            mix_hash: BYZANTINE,
            extra_data: extra.into(),
            ..Header::default()
        }
    }

    #[test]
    fn a_qbft_block_hashes_without_its_round_and_seals() {
        let sealed = header(extra(3, &[&[1; 65], &[2; 65]]));
        let signed_over = header(extra(0, &[])).hash_slow();
        assert!(hashes(&sealed).any(|hash| hash == signed_over));
        // Another validator, or another chain's mix hash, is another block.
        let other = Header {
            beneficiary: Address::repeat_byte(1),
            ..sealed.clone()
        };
        assert!(!hashes(&other).any(|hash| hash == signed_over));
        let plain = Header {
            mix_hash: B256::ZERO,
            ..sealed
        };
        assert_eq!(hashes(&plain).count(), 1);
    }

    #[test]
    fn extra_data_that_is_no_list_has_no_other_hash() {
        for bytes in [
            "",
            "80",
            "c0",
            "c180",
            "c3808080ff",
            "f8",
            "f8ff",
            "ffffffffffffffffffff",
            "c5c28080c281",
        ] {
            let header = header(hex::decode(bytes).unwrap());
            assert!(hashes(&header).count() <= 3, "{bytes}");
            assert_eq!(hashes(&header).next(), Some(header.hash_slow()));
        }
    }
}
