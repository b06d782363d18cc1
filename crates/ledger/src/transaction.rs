//! EIP-1559 transactions: prepared here, signed wherever the key lives, finished here.
//!
//! [`Fields::prepare`] → [`Unsigned::hash`] → (the key's owner signs the 32 bytes) → [`Unsigned::finish`]. Where the key is at
//! hand, [`Unsigned::sign`] takes a closure and [`Unsigned::sign_with_secret`] the secret itself.

use crate::{convert, error::CallerError};
use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope, transaction::SignerRecoverable};
use alloy::eips::eip2718::Encodable2718;
use alloy::primitives::{Bytes, Signature, TxKind, U256};
use alloy::signers::{SignerSync, local::PrivateKeySigner};
use vidimus_core::{Address, receipt::BlockHash};

/// What a transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The sender's nonce.
    pub nonce: u64,
    /// Most gas it may use.
    pub gas_limit: u64,
    /// Most it pays for gas, wei per gas.
    pub max_fee: u128,
    /// Tip, wei per gas.
    pub priority_fee: u128,
    /// The contract or account called; `None` creates a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: u128,
    /// Calldata, or creation code.
    pub data: Vec<u8>,
}

/// A transaction whose hash is still to be signed.
#[derive(Debug, Clone)]
pub struct Unsigned {
    transaction: TxEip1559,
    hash: [u8; 32],
}

/// A signed transaction, ready to be stored and submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The EIP-2718 bytes. Store them before sending: resending must be byte-identical.
    pub raw: Vec<u8>,
    /// Its hash, known before it is mined.
    pub hash: BlockHash,
    /// Who signed.
    pub sender: Address,
}

/// What a transaction offers for gas, wei per gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The most it pays.
    pub max_fee: u128,
    /// The tip within that.
    pub priority_fee: u128,
}

impl Offer {
    /// The least that nodes take in place of this: an eighth more of both (go-ethereum and anvil ask for a tenth), and at least one wei.
    fn raised(self) -> Self {
        let raised = |fee: u128| fee.saturating_add(fee.div_ceil(8).max(1));
        Self {
            max_fee: raised(self.max_fee),
            priority_fee: raised(self.priority_fee),
        }
    }

    /// What to offer in place of this while the chain asks for `now`: enough for nodes to take it, and for the chain as it stands. `None`
    /// where that is more than `most`, and where gas costs nothing: the price is not what keeps the transaction back.
    pub fn instead(self, now: Self, most: u128) -> Option<Self> {
        let least = self.raised();
        if now.max_fee == 0 || least.max_fee > most || least.priority_fee > most {
            return None;
        }
        let max_fee = least.max_fee.max(now.max_fee).max(least.priority_fee).min(most);
        Some(Self {
            max_fee,
            priority_fee: least.priority_fee.max(now.priority_fee).min(max_fee),
        })
    }
}

/// Why a signature does not finish a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// Not r ‖ s ‖ v with v one of 0, 1, 27, 28, or no public key can be recovered, or s is high (EIP-2).
    #[error("not a recoverable secp256k1 signature over the transaction's hash")]
    Signature,
    /// A valid signature of someone else.
    #[error("signed by {found}, not by {expected}")]
    OtherSigner {
        /// Who should have signed.
        expected: Address,
        /// Who did.
        found: Address,
    },
    /// The secret is not a secp256k1 scalar.
    #[error("not a secp256k1 secret key")]
    Secret,
    /// The key's owner did not sign.
    #[error("the key did not sign")]
    Refused,
}

impl Fields {
    /// Fixes the fields and computes the hash to sign.
    pub fn prepare(self) -> Unsigned {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_per_gas: self.max_fee,
            max_priority_fee_per_gas: self.priority_fee,
            to: self
                .to
                .map_or(TxKind::Create, |to| TxKind::Call(convert::to_address(to))),
            value: U256::from(self.value),
            access_list: Default::default(),
            input: Bytes::from(self.data),
        };
        let hash = transaction.signature_hash().0;
        Unsigned { transaction, hash }
    }
}

impl Unsigned {
    /// The 32 bytes to sign (Keccak-256 already: sign them as they are).
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The bytes whose Keccak-256 is [`hash`](Self::hash): `0x02 ‖ rlp(…)` without a signature (EIP-1559). For whoever holds the
    /// key to see what is signed.
    pub fn encoded(&self) -> Vec<u8> {
        self.transaction.encoded_for_signing()
    }

    /// Reads the bytes of [`encoded`](Self::encoded) back, so that whoever signs sees and hashes the transaction itself instead of trusting
    /// a hash that came with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CallerError> {
        let malformed = |text: &str| CallerError::Malformed(text.to_owned());
        let mut rest = bytes
            .strip_prefix(&[2])
            .ok_or_else(|| malformed("not an EIP-1559 transaction"))?;
        let transaction = <TxEip1559 as alloy::rlp::Decodable>::decode(&mut rest)
            .map_err(|error| CallerError::Malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed("bytes after the transaction"));
        }
        let hash = transaction.signature_hash().0;
        Ok(Self { transaction, hash })
    }

    /// The chain it is for.
    pub fn chain_id(&self) -> u64 {
        self.transaction.chain_id
    }

    /// The contract or account that it calls.
    pub fn to(&self) -> Option<Address> {
        self.transaction.to.to().copied().map(convert::from_address)
    }

    /// What it says, for whoever holds the key to judge. `None` where it sends more than anybody has.
    pub fn fields(&self) -> Option<Fields> {
        let transaction = &self.transaction;
        Some(Fields {
            chain_id: transaction.chain_id,
            nonce: transaction.nonce,
            gas_limit: transaction.gas_limit,
            max_fee: transaction.max_fee_per_gas,
            priority_fee: transaction.max_priority_fee_per_gas,
            to: self.to(),
            value: transaction.value.try_into().ok()?,
            data: transaction.input.to_vec(),
        })
    }

    /// Wei that it sends along.
    pub fn value(&self) -> U256 {
        self.transaction.value
    }

    /// The address that a contract created by this transaction will have when `sender` signs it.
    pub fn contract(&self, sender: Address) -> Address {
        convert::from_address(convert::to_address(sender).create(self.transaction.nonce))
    }

    /// Puts a 65-byte signature (r ‖ s ‖ v, v = 0, 1, 27 or 28) to it and checks that `sender` made it.
    pub fn finish(self, signature: &[u8; 65], sender: Address) -> Result<Signed, SigningError> {
        let signature = Signature::from_raw_array(signature).map_err(|_| SigningError::Signature)?;
        let envelope = TxEnvelope::from(self.transaction.into_signed(signature));
        let found = envelope
            .recover_signer()
            .map(convert::from_address)
            .map_err(|_| SigningError::Signature)?;
        if found != sender {
            return Err(SigningError::OtherSigner {
                expected: sender,
                found,
            });
        }
        Ok(Signed {
            raw: envelope.encoded_2718(),
            hash: convert::from_hash(*envelope.tx_hash()),
            sender,
        })
    }

    /// Signs through `sign_hash`, which is given the hash and returns r ‖ s ‖ v.
    pub fn sign<E>(
        self,
        sender: Address,
        sign_hash: impl FnOnce(&[u8; 32]) -> Result<[u8; 65], E>,
    ) -> Result<Signed, SigningError> {
        let signature = sign_hash(&self.hash).map_err(|_| SigningError::Refused)?;
        self.finish(&signature, sender)
    }

    /// Signs with the 32 bytes of a secp256k1 secret, which the caller keeps and wipes.
    pub fn sign_with_secret(self, secret: &[u8; 32]) -> Result<Signed, SigningError> {
        let key = PrivateKeySigner::from_slice(secret).map_err(|_| SigningError::Secret)?;
        let signature = key
            .sign_hash_sync(&self.hash.into())
            .map_err(|_| SigningError::Refused)?;
        self.finish(&signature.as_bytes(), convert::from_address(key.address()))
    }
}

/// The address of a secp256k1 secret.
pub fn sender_of(secret: &[u8; 32]) -> Result<Address, SigningError> {
    let key = PrivateKeySigner::from_slice(secret).map_err(|_| SigningError::Secret)?;
    Ok(convert::from_address(key.address()))
}

/// The hash and sender of raw signed bytes, without asking any chain.
pub fn inspect(raw: &[u8]) -> Result<Signed, CallerError> {
    use alloy::eips::eip2718::Decodable2718;
    let envelope = TxEnvelope::decode_2718_exact(raw).map_err(|error| CallerError::Malformed(error.to_string()))?;
    let sender = envelope.recover_signer().map_err(|_| CallerError::Signature)?;
    Ok(Signed {
        raw: raw.to_vec(),
        hash: convert::from_hash(*envelope.tx_hash()),
        sender: convert::from_address(sender),
    })
}

/// What raw signed bytes offer for gas: at most, and as a tip, wei per gas. `None` when they are no transaction.
pub fn offer(raw: &[u8]) -> Option<Offer> {
    use alloy::consensus::Transaction as _;
    use alloy::eips::eip2718::Decodable2718;
    let envelope = TxEnvelope::decode_2718_exact(raw).ok()?;
    let max_fee = envelope.max_fee_per_gas();
    Some(Offer {
        max_fee,
        priority_fee: envelope.max_priority_fee_per_gas().unwrap_or(max_fee),
    })
}

/// Whom raw signed bytes call; `None` when they create a contract or are no transaction.
pub fn recipient(raw: &[u8]) -> Option<Address> {
    use alloy::consensus::Transaction as _;
    use alloy::eips::eip2718::Decodable2718;
    TxEnvelope::decode_2718_exact(raw).ok()?.to().map(convert::from_address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_replaces_a_transaction_is_an_eighth_more_and_never_above_the_most() {
        let of = |max_fee, priority_fee| Offer { max_fee, priority_fee };
        let calm = of(1, 0);
        // Nodes refuse less than a tenth more of either.
        assert_eq!(of(800, 80).instead(calm, 10_000), Some(of(900, 90)));
        assert_eq!(of(801, 81).instead(calm, 10_000), Some(of(902, 92)));
        assert_eq!(of(3, 0).instead(calm, 10_000), Some(of(4, 1)));
        // The chain asks for more than that.
        assert_eq!(of(800, 80).instead(of(5_000, 300), 10_000), Some(of(5_000, 300)));
        // As far as the most goes, as long as nodes take it.
        assert_eq!(of(800, 80).instead(of(5_000, 300), 1_000), Some(of(1_000, 300)));
        assert_eq!(of(800, 80).instead(of(5_000, 4_000), 1_000), Some(of(1_000, 1_000)));
        assert_eq!(of(800, 80).instead(of(5_000, 300), 900), Some(of(900, 300)));
        assert_eq!(of(800, 80).instead(of(5_000, 300), 899), None);
        // Where gas is free, a tip would only be refused: the account has nothing.
        assert_eq!(of(0, 0).instead(of(0, 0), 1_000), None);
        assert_eq!(of(u128::MAX, 1).instead(of(1, 1), u128::MAX), Some(of(u128::MAX, 2)));
    }

    #[test]
    fn what_signed_bytes_offer_is_read_back() {
        let signed = fields().prepare().sign_with_secret(&SECRET).unwrap();
        let expected = Offer {
            max_fee: 7,
            priority_fee: 1,
        };
        assert_eq!(offer(&signed.raw), Some(expected));
        assert_eq!(offer(b"no transaction"), None);
    }

    const SECRET: [u8; 32] = [3; 32];

    fn fields() -> Fields {
        Fields {
            chain_id: 5,
            nonce: 9,
            gas_limit: 21_000,
            max_fee: 7,
            priority_fee: 1,
            to: Some(Address([4; 20])),
            value: 11,
            data: vec![1, 2, 3],
        }
    }

    fn raw_signature(secret: &[u8; 32], hash: &[u8; 32]) -> [u8; 65] {
        let key = PrivateKeySigner::from_slice(secret).unwrap();
        key.sign_hash_sync(&(*hash).into()).unwrap().as_bytes()
    }

    #[test]
    fn signing_elsewhere_gives_the_same_bytes_as_signing_here() {
        let sender = sender_of(&SECRET).unwrap();
        let here = fields().prepare().sign_with_secret(&SECRET).unwrap();
        let unsigned = fields().prepare();
        let mut signature = raw_signature(&SECRET, unsigned.hash());
        let there = unsigned.clone().finish(&signature, sender).unwrap();
        assert_eq!(here, there);
        // v is told as 0 or 1 by some, as 27 or 28 by others.
        signature[64] = if signature[64] >= 27 {
            signature[64] - 27
        } else {
            signature[64] + 27
        };
        assert_eq!(unsigned.clone().finish(&signature, sender).unwrap(), here);
        let closure = unsigned
            .sign(sender, |hash| Ok::<_, ()>(raw_signature(&SECRET, hash)))
            .unwrap();
        assert_eq!(closure, here);
        assert_eq!(inspect(&here.raw).unwrap(), here);
    }

    #[test]
    fn a_signature_that_is_not_the_senders_is_refused() {
        let sender = sender_of(&SECRET).unwrap();
        let unsigned = fields().prepare();
        let signature = raw_signature(&SECRET, unsigned.hash());
        let other = raw_signature(&[4; 32], unsigned.hash());
        assert_eq!(
            unsigned.clone().finish(&other, sender),
            Err(SigningError::OtherSigner {
                expected: sender,
                found: sender_of(&[4; 32]).unwrap()
            })
        );
        let other_hash = raw_signature(&SECRET, &[9; 32]);
        assert!(unsigned.clone().finish(&other_hash, sender).is_err());
        let refusals = [
            [0; 65],
            [0xff; 65],
            {
                let mut bad = signature;
                bad[64] = 5;
                bad
            },
            {
                // The same signature with s on the other side: valid ECDSA, but not for a transaction (EIP-2).
                let high = Signature::from_raw_array(&signature).unwrap();
                let order: U256 = alloy::uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
                Signature::new(high.r(), order - high.s(), !high.v()).as_bytes()
            },
        ];
        for bad in refusals {
            assert_eq!(unsigned.clone().finish(&bad, sender), Err(SigningError::Signature));
        }
        assert_eq!(
            unsigned.sign(sender, |_| Err::<[u8; 65], _>("locked")),
            Err(SigningError::Refused)
        );
        assert_eq!(fields().prepare().sign_with_secret(&[0; 32]), Err(SigningError::Secret));
    }

    #[test]
    fn a_creation_knows_its_contract() {
        let unsigned = Fields {
            to: None,
            nonce: 0,
            ..fields()
        }
        .prepare();
        let sender: Address = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0".parse().unwrap();
        // The known example of CREATE: sender 0x6ac7…, nonce 0.
        assert_eq!(
            unsigned.contract(sender).to_string(),
            "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d"
        );
    }
}
