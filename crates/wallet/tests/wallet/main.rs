//! The holder's engine from outside: what a wallet takes in, keeps, shows and refuses.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it was made")]

mod backup;
mod batches;
mod consent;
mod issuers;
mod left;
mod vectors;
mod world;

use serde_json::{Map, json};
use vidimus_core::{
    Algorithm, Commitment, Receipt, Salt, Signer as _, Timestamp, id::CopyId, merkle::Tree, receipt::Anchor,
    receipt::BlockHash,
};
use vidimus_credential::{
    CategoryId, Person, Statement,
    card::HolderCard,
    check::{Envelope, Expected},
    countersign::CounterSignature,
    format::vc_jwt::{self, Version},
    presentation::Presentation,
};
use vidimus_crypto::{KeyKind, Native, SealingKey, SigningKey};
use vidimus_wallet::{PrivateKey, Wallet, WalletError};

const NOW: Timestamp = Timestamp(1_800_000_000);
const CHAIN: u64 = 5_654_861;

struct Traveller {
    account: SigningKey,
    signing: SigningKey,
    wallet: Wallet,
}

impl Traveller {
    /// With keys that are the same in every run.
    fn new(seed: u8) -> Self {
        let keys = [[seed; 32], [seed + 1; 32], [seed + 2; 32]];
        let account = SigningKey::from_bytes(KeyKind::Secp256k1, &keys[0]).unwrap();
        let signing = SigningKey::from_bytes(KeyKind::P256, &keys[1]).unwrap();
        let wallet = Wallet::new(CHAIN, &account, keys.map(PrivateKey::new), &Native::new()).unwrap();
        Self {
            account,
            signing,
            wallet,
        }
    }
    fn receive(&mut self, envelope: Envelope) -> Result<usize, WalletError> {
        self.wallet
            .receive(envelope, "https://lab.example", &Native::new(), NOW)
    }
}

/// A certificate that the laboratory issued to `holder`; `number` tells copies apart.
fn certificate(holder: Option<&str>, number: u8) -> Envelope {
    let issuer = SigningKey::from_bytes(KeyKind::Secp256k1, &[9; 32]).unwrap();
    let did = format!(
        "did:ethr:{CHAIN:#x}:{}",
        issuer.public_key().address(&Native::new()).unwrap()
    );
    let statement = Statement {
        id: CopyId::from_bytes([number; 16]),
        category: CategoryId::new("sars-cov-2-naat").unwrap(),
        issuer: did.clone(),
        issuer_country: "AT".into(),
        holder: holder.map(str::to_owned),
        person: Person {
            family_name: "Musterfrau".into(),
            given_name: "Gabriele".into(),
            family_name_transliterated: "MUSTERFRAU".into(),
            given_name_transliterated: "GABRIELE".into(),
            birth_date: "1998-02-26".into(),
        },
        claims: Map::from_iter([("result".to_owned(), json!("260415000"))]),
        issued_at: NOW,
        valid_from: NOW,
        valid_until: NOW.plus(3 * 86_400),
        status: None,
    };
    let kid = format!("{did}#controller");
    let unsigned = vc_jwt::prepare(
        &statement,
        Version::V1_1,
        &vc_jwt::context_url("https://x.example"),
        Algorithm::Es256k,
        &kid,
    )
    .unwrap();
    let signature = issuer.sign(Algorithm::Es256k, unsigned.message()).unwrap();
    Envelope {
        salt: Some(Salt::from_bytes([number; 32])),
        ..Envelope::new(unsigned.finish(&signature))
    }
}

/// A receipt that leads from these commitments to a root; for the one at `index`.
fn receipt(commitments: &[Commitment], index: u64) -> Receipt {
    let tree = Tree::build(&Native::new(), commitments);
    let anchor = Anchor {
        chain_id: CHAIN,
        contract: vidimus_core::Address([1; 20]),
        root: tree.root(),
        transaction: BlockHash([2; 32]),
        block_number: 7,
        block_hash: BlockHash([3; 32]),
        time: NOW,
    };
    Receipt {
        version: 1,
        proof: tree.prove(index).unwrap(),
        anchor,
    }
}

fn request() -> Expected {
    Expected {
        nonce: "a nonce".into(),
        audience: "did:ethr:0x1:airline".into(),
        purpose: Some("boarding".into()),
    }
}

#[test]
fn an_identity_is_its_keys_and_its_card_proves_them() {
    let traveller = Traveller::new(1);
    let address = traveller.account.public_key().address(&Native::new()).unwrap();
    assert_eq!(traveller.wallet.did(), format!("did:ethr:0x56494d:{address}"));
    let sealing = SealingKey::from_bytes(traveller.wallet.sealing_key().expose())
        .unwrap()
        .public_key()
        .0;
    let card = traveller
        .wallet
        .card(&traveller.account, &traveller.signing, sealing, NOW)
        .unwrap();
    let read = HolderCard::verify(&card, &Native::new(), NOW).unwrap();
    assert_eq!((read.did.as_str(), read.sealing_key), (traveller.wallet.did(), sealing));
    assert_eq!(&read.signing_key, traveller.signing.public_key());
    // A card whose account key is another's does not verify: whoever makes it must hold the keys.
    let other = Traveller::new(20);
    let forged = traveller
        .wallet
        .card(&other.account, &traveller.signing, sealing, NOW)
        .unwrap();
    assert!(HolderCard::verify(&forged, &Native::new(), NOW).is_err());
    assert!(matches!(
        traveller
            .wallet
            .card(&traveller.account, &traveller.account, sealing, NOW),
        Err(WalletError::Keys)
    ));
}

#[test]
fn what_comes_in_is_whole_and_the_holders_own() {
    let mut traveller = Traveller::new(1);
    let did = traveller.wallet.did().to_owned();
    assert_eq!(traveller.receive(certificate(Some(&did), 1)).unwrap(), 1);
    assert_eq!(traveller.receive(certificate(Some(&did), 2)).unwrap(), 2);
    assert!(matches!(
        traveller.receive(certificate(Some(&did), 1)),
        Err(WalletError::Held(1))
    ));
    let other = Traveller::new(20).wallet.did().to_owned();
    assert!(matches!(
        traveller.receive(certificate(Some(&other), 3)),
        Err(WalletError::OtherHolder)
    ));
    assert!(matches!(
        traveller.receive(certificate(None, 3)),
        Err(WalletError::OtherHolder)
    ));
    let whole = certificate(Some(&did), 4).copy;
    for length in [0, 1, whole.len() / 3, whole.rfind('.').unwrap()] {
        assert!(
            matches!(
                traveller.receive(Envelope::new(&whole[..length])),
                Err(WalletError::Format(_))
            ),
            "{length}"
        );
    }
    assert_eq!(traveller.wallet.held().len(), 2);
    let held = traveller.wallet.get(1).unwrap();
    assert_eq!(
        (held.category(), held.valid_until()),
        ("sars-cov-2-naat", NOW.plus(3 * 86_400))
    );
    for number in [0, 3, usize::MAX] {
        assert!(matches!(traveller.wallet.get(number), Err(WalletError::NoSuch(_))));
    }
    let digest = traveller.wallet.get(1).unwrap().digest();
    assert_eq!(traveller.wallet.remove(1).unwrap().digest(), digest);
    assert_ne!(
        traveller.wallet.get(1).unwrap().digest(),
        digest,
        "the second is the first now"
    );
    assert!(matches!(traveller.wallet.remove(2), Err(WalletError::NoSuch(2))));
}

#[test]
fn only_a_receipt_that_leads_from_the_copy_is_kept() {
    let mut traveller = Traveller::new(1);
    let did = traveller.wallet.did().to_owned();
    for number in [1, 2] {
        traveller.receive(certificate(Some(&did), number)).unwrap();
    }
    let commitments: Vec<_> = traveller
        .wallet
        .held()
        .iter()
        .map(|held| held.commitment().unwrap())
        .collect();
    let (first, second) = (receipt(&commitments, 0), receipt(&commitments, 1));
    let provider = Native::new();
    assert!(matches!(
        traveller.wallet.add_receipt(1, second.clone(), &provider),
        Err(WalletError::Receipt)
    ));
    let mut altered = first.clone();
    altered.anchor.root.0[0] ^= 1;
    assert!(matches!(
        traveller.wallet.add_receipt(1, altered, &provider),
        Err(WalletError::Receipt)
    ));
    assert!(traveller.wallet.get(1).unwrap().envelope().receipt.is_none());
    traveller.wallet.add_receipt(1, first.clone(), &provider).unwrap();
    assert_eq!(traveller.wallet.get(1).unwrap().envelope().receipt, Some(first));

    // A receipt that comes with the copy is held to the same; without a salt there is nothing to hold it to.
    let mut with = Traveller::new(1);
    let envelope = certificate(Some(&did), 2);
    let wrong = Envelope {
        receipt: Some(receipt(&commitments, 0)),
        ..envelope.clone()
    };
    assert!(matches!(with.receive(wrong), Err(WalletError::Receipt)));
    let unsalted = Envelope {
        salt: None,
        receipt: Some(second.clone()),
        ..envelope.clone()
    };
    assert!(matches!(with.receive(unsalted), Err(WalletError::NoSalt)));
    with.receive(Envelope {
        receipt: Some(second),
        ..envelope
    })
    .unwrap();
}

#[test]
fn a_counter_signature_is_made_once_and_is_the_holders() {
    let mut traveller = Traveller::new(1);
    let did = traveller.wallet.did().to_owned();
    traveller.receive(certificate(Some(&did), 1)).unwrap();
    let signed = traveller.wallet.counter_sign(1, &traveller.account, NOW).unwrap();
    let again = traveller
        .wallet
        .counter_sign(1, &traveller.account, NOW.plus(60))
        .unwrap();
    assert_eq!(signed, again);
    let held = traveller.wallet.get(1).unwrap();
    assert_eq!(held.envelope().counter_signature.as_deref(), Some(signed.as_str()));
    let read = CounterSignature::parse(&signed).unwrap();
    read.verify(&did, &held.digest(), &Native::new(), NOW).unwrap();
    assert!(
        read.verify(&did, &vidimus_core::Digest([0; 32]), &Native::new(), NOW)
            .is_err()
    );
    assert!(matches!(
        traveller.wallet.counter_sign(2, &traveller.account, NOW),
        Err(WalletError::NoSuch(2))
    ));
}

#[test]
fn a_presentation_answers_one_request_for_a_minute_and_is_recorded_without_values() {
    let mut traveller = Traveller::new(1);
    let did = traveller.wallet.did().to_owned();
    traveller.receive(certificate(Some(&did), 1)).unwrap();
    let text = traveller
        .wallet
        .present(&[1], &request(), &traveller.account, NOW)
        .unwrap();
    let shown = Presentation::parse(&text).unwrap();
    assert_eq!(shown.holder, did);
    shown.verify_holder(&Native::new(), NOW).unwrap();
    assert_eq!(shown.audience, ["did:ethr:0x1:airline"]);
    assert_eq!(
        (shown.nonce.as_deref(), shown.purpose.as_deref()),
        (Some("a nonce"), Some("boarding"))
    );
    assert_eq!(shown.expires_at, Some(NOW.plus(60)));
    assert_eq!(shown.envelopes, [traveller.wallet.get(1).unwrap().envelope().clone()]);
    let recorded = serde_json::to_string(traveller.wallet.shown()).unwrap();
    for value in ["Musterfrau", "1998", "260415000", "a nonce"] {
        assert!(!recorded.contains(value), "{value}: {recorded}");
    }
    assert!(recorded.contains("airline") && recorded.contains("sars-cov-2-naat"));
    // What is not held is not shown, and nothing is recorded of it.
    let missing = traveller.wallet.present(&[1, 2], &request(), &traveller.account, NOW);
    assert!(matches!(missing, Err(WalletError::NoSuch(2))));
    assert_eq!(traveller.wallet.shown().len(), 1);
    // The record outlives the certificate.
    traveller.wallet.remove(1).unwrap();
    assert_eq!(traveller.wallet.shown().len(), 1);
}

#[test]
fn a_wallet_survives_being_written_and_read_and_tells_nothing_when_printed() {
    let mut traveller = Traveller::new(1);
    let did = traveller.wallet.did().to_owned();
    traveller.receive(certificate(Some(&did), 1)).unwrap();
    traveller.wallet.counter_sign(1, &traveller.account, NOW).unwrap();
    traveller
        .wallet
        .present(&[1], &request(), &traveller.account, NOW)
        .unwrap();
    let written = serde_json::to_string(&traveller.wallet).unwrap();
    let read: Wallet = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    assert_eq!(read.account_key().expose(), traveller.wallet.account_key().expose());
    let printed = format!("{read:?}");
    let key = "01".repeat(32);
    assert!(
        written.contains(&key),
        "the key is in what is written, which is only ever written encrypted"
    );
    for secret in [key.as_str(), "Musterfrau", "eyJ"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
    let newer = written.replacen("\"version\":1", "\"version\":1,\"later\":true", 1);
    assert!(
        serde_json::from_str::<Wallet>(&newer).is_err(),
        "what a newer program wrote is not cut down silently"
    );
}

#[test]
fn a_participant_s_keys_take_another_account_under_the_same_did() {
    let mut laboratory = Traveller::new(40);
    let did = laboratory.wallet.did().to_owned();
    let next = SigningKey::from_bytes(KeyKind::Secp256k1, &[50; 32]).unwrap();
    laboratory.wallet.add_account_key(PrivateKey::new([50; 32]));
    let sealing = SealingKey::from_bytes(&[42; 32]).unwrap().public_key().0;
    let card = laboratory
        .wallet
        .account_card(&next, &laboratory.signing, sealing, &Native::new(), NOW)
        .unwrap();
    let card = HolderCard::verify(&card, &Native::new(), NOW).unwrap();
    let account = next.public_key().address(&Native::new()).unwrap();
    assert_eq!(
        card.did,
        format!("did:ethr:{CHAIN:#x}:{account}"),
        "of the account that signs it"
    );
    assert_eq!(laboratory.wallet.did(), did, "the DID stays");

    let kept = serde_json::to_string(&laboratory.wallet).unwrap();
    let read: Wallet = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.later_account_keys()[0].expose(), &[50; 32]);
    assert_eq!(read.account_key().expose(), &[40; 32], "the key before stays");
    let holder = serde_json::to_string(&Traveller::new(40).wallet).unwrap();
    assert!(!holder.contains("later"), "a holder's file is as it was");
}

#[test]
fn a_participant_s_keys_are_renewed_and_those_before_stay() {
    let mut laboratory = Traveller::new(40);
    let did = laboratory.wallet.did().to_owned();
    let before = *laboratory.wallet.signing_key().expose();
    let holder = serde_json::to_string(&laboratory.wallet).unwrap();
    assert!(!holder.contains("earlier"), "a holder's file is as it was");
    for byte in [60, 62] {
        let keys = [byte, byte + 1].map(|byte| PrivateKey::new([byte; 32]));
        let [signing, sealing] = keys;
        laboratory.wallet.renew_keys(signing, sealing);
    }
    let kept = serde_json::to_string(&laboratory.wallet).unwrap();
    let read: Wallet = serde_json::from_str(&kept).unwrap();
    assert_eq!(read.did(), did);
    assert_eq!(read.signing_key().expose(), &[62; 32], "the newest is on cards");
    assert_eq!(read.sealing_key().expose(), &[63; 32]);
    let earlier: Vec<_> = read
        .earlier_keys()
        .iter()
        .map(|keys| keys.signing_key().expose())
        .collect();
    assert_eq!(earlier, [&before, &[60; 32]], "oldest first");
    assert_eq!(read.earlier_keys()[1].sealing_key().expose(), &[61; 32]);
    let printed = format!("{read:?}");
    for byte in [60, 61, 62, 63] {
        let digits = vidimus_core::encoding::hex(&[byte; 32]);
        assert!(
            kept.contains(&digits) && !printed.contains(&digits),
            "written, never printed"
        );
    }
    let damaged = kept.replacen("\"earlier\":[{", "\"earlier\":[{\"x\":1,", 1);
    assert!(damaged != kept && serde_json::from_str::<Wallet>(&damaged).is_err());
}
