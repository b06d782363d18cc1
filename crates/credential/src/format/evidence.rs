//! The evidence of a paper copy: its salt and its receipt, as the text of a second code beside the certificate's.
//!
//! An HCERT has no room for them, and they come after the signature. The text is `VE1:` and base45 (RFC 9285) of one deterministic CBOR map
//! (RFC 8949 §4.2.1) with small numbers for keys: 1 salt, 2 index, 3 size and 4 path of the proof (the path's digests one after the other), 5
//! chain, 6 contract, 7 root, 8 transaction, 9 block number, 10 block hash and 11 time of the anchor. A receipt has one text, and a text that
//! is spelled in any other way is refused. For batches of up to 2^17 it fits a QR code of version 20. It says nothing about a person.

use super::{FormatError, cbor};
use ciborium::Value as Cbor;
use vidimus_core::{
    Address, Digest, Receipt, Salt, Timestamp,
    merkle::Proof,
    receipt::{Anchor, BlockHash},
};

/// What the text begins with: version 1.
pub const PREFIX: &str = "VE1:";
/// The longest text that is read: a path of [`MAX_PATH`] digests, in base45.
pub const MAX_EVIDENCE: usize = 2_048;
/// The longest path: that of the largest batch there can be.
pub const MAX_PATH: usize = 32;

const DIGEST: usize = 32;

/// What leads from a copy to its anchor. Whether it belongs to a copy is the check's to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The salt of the copy's commitment.
    pub salt: Salt,
    /// The commitment's receipt.
    pub receipt: Receipt,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evidence")
            .field("root", &self.receipt.anchor.root)
            .finish_non_exhaustive()
    }
}

impl Evidence {
    /// The text of the second code.
    pub fn to_text(&self) -> String {
        let Receipt { proof, anchor, .. } = &self.receipt;
        let path: Vec<u8> = proof.path.iter().flat_map(|digest| digest.0).collect();
        let members = [
            Cbor::Bytes(self.salt.as_bytes().to_vec()),
            Cbor::from(proof.index),
            Cbor::from(proof.size),
            Cbor::Bytes(path),
            Cbor::from(anchor.chain_id),
            Cbor::Bytes(anchor.contract.0.to_vec()),
            Cbor::Bytes(anchor.root.0.to_vec()),
            Cbor::Bytes(anchor.transaction.0.to_vec()),
            Cbor::from(anchor.block_number),
            Cbor::Bytes(anchor.block_hash.0.to_vec()),
            Cbor::from(anchor.time.0),
        ];
        let map = (1_i64..).map(Cbor::from).zip(members).collect();
        format!("{PREFIX}{}", base45::encode(cbor::write(Cbor::Map(map))))
    }

    /// Reads the text of a second code, within [`MAX_EVIDENCE`] and [`MAX_PATH`]; only as [`Self::to_text`] spells it.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(FormatError::Unknown)?;
        if text.len() > MAX_EVIDENCE {
            return Err(FormatError::TooLarge);
        }
        let bytes = base45::decode(encoded).map_err(|_| FormatError::Base45)?;
        let value = cbor::read(&bytes).map_err(FormatError::Cbor)?;
        let members = value.as_map().ok_or(FormatError::Cbor("the evidence is not a map"))?;
        let member = |key, name| cbor::member(members, key).ok_or(FormatError::Claim(name));
        let number = |key, name| {
            let found = member(key, name)?.as_integer();
            found
                .and_then(|number| u64::try_from(number).ok())
                .ok_or(FormatError::Claim(name))
        };
        let path = member(4, "path")?.as_bytes().ok_or(FormatError::Claim("path"))?;
        let (digests, rest) = path.as_chunks::<DIGEST>();
        if !rest.is_empty() || digests.len() > MAX_PATH {
            return Err(FormatError::Claim("path"));
        }
        let time = member(11, "time")?.as_integer();
        let time = time
            .and_then(|time| i64::try_from(time).ok())
            .ok_or(FormatError::Claim("time"))?;
        let read = Self {
            salt: Salt::from_bytes(fixed(member(1, "salt")?, "salt")?),
            receipt: Receipt {
                version: 1,
                proof: Proof {
                    index: number(2, "index")?,
                    size: number(3, "size")?,
                    path: digests.iter().copied().map(Digest).collect(),
                },
                anchor: Anchor {
                    chain_id: number(5, "chain")?,
                    contract: Address(fixed(member(6, "contract")?, "contract")?),
                    root: Digest(fixed(member(7, "root")?, "root")?),
                    transaction: BlockHash(fixed(member(8, "transaction")?, "transaction")?),
                    block_number: number(9, "block")?,
                    block_hash: BlockHash(fixed(member(10, "block hash")?, "block hash")?),
                    time: Timestamp(time),
                },
            },
        };
        if read.to_text() == text {
            Ok(read)
        } else {
            Err(FormatError::Cbor("evidence that is spelled otherwise than it is made"))
        }
    }
}

/// Exactly as many bytes as the type has.
fn fixed<const N: usize>(value: &Cbor, name: &'static str) -> Result<[u8; N], FormatError> {
    value
        .as_bytes()
        .and_then(|bytes| bytes.as_slice().try_into().ok())
        .ok_or(FormatError::Claim(name))
}
