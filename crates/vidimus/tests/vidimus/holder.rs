//! A traveller's keys, as the service sees them: a signed card.

use vidimus::clock::SystemClock;
use vidimus_core::{Algorithm, Signer, time::Clock};
use vidimus_credential::card::HolderCard;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SealingKey, SigningKey};

/// The chain of an embedded ledger, as a DID names it.
const CHAIN: &str = "0x56494d";

pub struct Holder {
    pub account: SigningKey,
    pub sealing: SealingKey,
    pub card: String,
}

impl Holder {
    pub fn new() -> Self {
        let mut entropy = OsEntropy;
        let account = SigningKey::generate(KeyKind::Secp256k1, &mut entropy);
        let sealing = SealingKey::generate(&mut entropy);
        Self {
            card: card(&account, &sealing),
            account,
            sealing,
        }
    }

    /// A card of the same account with other keys.
    pub fn card_of_other_keys(&self) -> String {
        card(&self.account, &SealingKey::generate(&mut OsEntropy))
    }
}

/// A card with a new signing key.
fn card(account: &SigningKey, sealing: &SealingKey) -> String {
    let signing = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let address = account.public_key().address(&Native::new()).unwrap();
    let card = HolderCard {
        did: format!("did:ethr:{CHAIN}:{address}"),
        signing_key: signing.public_key().clone(),
        sealing_key: sealing.public_key().0,
        issued_at: SystemClock.now(),
    };
    let possession = signing.sign(Algorithm::Es256, &card.possession_message()).unwrap();
    let unsigned = card.prepare(&possession);
    let signature = account.sign(Algorithm::Es256k, unsigned.message()).unwrap();
    unsigned.finish(&signature)
}
