//! Proofs that an account stands in a state as a node says (EIP-1186), held against the state root of a header.

use super::verify::unproven;
use crate::error::Result;
use crate::eth::{Address, B256, Bytes, keccak256};
use alloy::consensus::{TrieAccount, constants::EMPTY_ROOT_HASH};
use alloy::rlp::{Decodable, Header};

const WHAT: &str = "which nonce an account has";

/// The nonce of an account in the state with this root; 0 where the proof shows that it is not there.
pub(super) fn nonce(root: B256, account: Address, proof: &[Bytes]) -> Result<u64> {
    let found = match leaf(root, keccak256(account), proof) {
        Ok(Some(value)) => TrieAccount::decode(&mut &value[..]).map(|account| account.nonce),
        Ok(None) => Ok(0),
        Err(error) => Err(error),
    };
    found.map_err(|_| unproven(WHAT))
}

/// What a trie has under a key of 32 bytes, `None` where it has nothing. Values are longer than a hash, so each node is named by its own.
fn leaf(root: B256, key: B256, proof: &[Bytes]) -> alloy::rlp::Result<Option<Vec<u8>>> {
    const WRONG: alloy::rlp::Error = alloy::rlp::Error::Custom("a proof that proves nothing");
    if root == EMPTY_ROOT_HASH {
        return Ok(None);
    }
    let nibbles = |bytes: &[u8]| -> Vec<u8> { bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect() };
    let key = nibbles(&key.0);
    let mut rest = &key[..];
    let mut named = root;
    for node in proof {
        if keccak256(node) != named {
            return Err(WRONG);
        }
        let mut payload = Header::decode_bytes(&mut &node[..], true)?;
        let mut items = Vec::new();
        while !payload.is_empty() {
            // A node within a node does not occur where values are longer than a hash, and reads as a failure.
            items.push(Header::decode_bytes(&mut payload, false)?);
        }
        let child = match items[..] {
            [path, child] => {
                let path = nibbles(path);
                let (is_leaf, odd) = path.first().map(|flag| (flag & 2 != 0, flag & 1 != 0)).ok_or(WRONG)?;
                let path = path.get(if odd { 1 } else { 2 }..).ok_or(WRONG)?;
                rest = match rest.strip_prefix(path) {
                    Some([]) if is_leaf => return Ok(Some(child.to_vec())),
                    Some(rest) if !is_leaf => rest,
                    _ => return Ok(None),
                };
                child
            }
            _ if items.len() == 17 => {
                let (nibble, after) = rest.split_first().ok_or(WRONG)?;
                rest = after;
                items[usize::from(*nibble)]
            }
            _ => return Err(WRONG),
        };
        if child.is_empty() {
            return Ok(None);
        }
        named = B256::try_from(child).map_err(|_| WRONG)?;
    }
    Err(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_proof_fails() {
        let account = Address::repeat_byte(1);
        // The empty state is one node, 0x80, whose hash is known.
        assert_eq!(nonce(EMPTY_ROOT_HASH, account, &[]).unwrap(), 0);
        for bytes in [
            "",
            "c0",
            "c180",
            "c3808080",
            "c28080",
            "c22080",
            "f8ff",
            "ffffffffffffffffff",
            "d1",
        ] {
            let node = Bytes::from(alloy::primitives::hex::decode(bytes).unwrap());
            let root = keccak256(&node);
            assert!(
                nonce(root, account, std::slice::from_ref(&node)).is_err() || bytes == "c28080" || bytes == "c22080",
                "{bytes}"
            );
            assert!(nonce(B256::repeat_byte(1), account, &[node]).is_err(), "another root");
        }
        assert!(nonce(B256::repeat_byte(1), account, &[]).is_err());
    }
}
