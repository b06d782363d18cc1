//! What a check is made with.

use super::*;

/// Everything a check is made with, as the files hold it.
#[derive(Clone)]
pub struct Setup {
    pub now: Timestamp,
    pub head: Head,
    /// The registry, with these issuers in it.
    pub labs: Option<Vec<&'static Lab>>,
    /// Whether the document signers' certificates are at hand.
    pub certificates: bool,
    pub anchors: Option<Anchors>,
    pub status: Vec<(List, Timestamp)>,
    pub trusted: Vec<Vec<u8>>,
    pub trust_list: Option<(Value, Timestamp)>,
    pub issuers: Option<Issuers>,
    pub policy: Option<Policy>,
    pub expected: Option<Expected>,
}

impl Setup {
    /// All at hand and fresh, a request of the airline's; no anchors yet.
    pub fn new() -> Self {
        Self {
            now: now(),
            head: head(),
            labs: Some(vec![&LABS.lab]),
            certificates: true,
            anchors: Some(Anchors {
                from_block: 0,
                chain_id: CHAIN,
                contract: ANCHORS,
                block_number: 900,
                read_at: now().plus(-300),
                roots: Vec::new(),
            }),
            status: vec![(
                token_list_of(&DEPLOYMENT, now().plus(-600), None, None),
                now().plus(-60),
            )],
            trusted: vec![DEPLOYMENT.authority.certificate().to_vec()],
            trust_list: None,
            issuers: None,
            policy: None,
            expected: Some(request()),
        }
    }

    /// The copy with salt, receipt and counter-signature, anchored a minute after it was signed; its root is known to the ledger from now on.
    pub fn anchor(&mut self, copy: &str) -> Envelope {
        let parsed = vidimus_credential::format::parse(copy).unwrap();
        self.counter_signed(copy, parsed.statement().unwrap().issued_at.plus(60))
    }

    /// The same, anchored at `time`.
    pub fn counter_signed(&mut self, copy: &str, time: Timestamp) -> Envelope {
        let envelope = self.anchor_at(copy, time);
        Envelope {
            counter_signature: Some(TRAVELLER.countersign(copy)),
            ..envelope
        }
    }

    /// The copy with salt and receipt, anchored at `time`.
    pub fn anchor_at(&mut self, copy: &str, time: Timestamp) -> Envelope {
        let (envelope, root) = receipt(copy, time);
        self.anchors.as_mut().unwrap().roots.push(root);
        envelope
    }
}

/// A copy third among five, and the root they are under.
pub fn receipt(copy: &str, time: Timestamp) -> (Envelope, Root) {
    let digest = digest_of(copy);
    let salt = Salt::from_bytes(PROVIDER.sha256(&[b"salt", &digest.0]).0);
    let other = |n: u8| Commitment::from_bytes(PROVIDER.sha256(&[b"other", &[n], &digest.0]).0);
    let own = Commitment::derive(&*PROVIDER, &salt, &digest);
    let tree = Tree::build(&*PROVIDER, &[other(0), other(1), own, other(3), other(4)]);
    let anchor = Anchor {
        chain_id: CHAIN,
        contract: ANCHORS,
        root: tree.root(),
        transaction: BlockHash(PROVIDER.sha256(&[b"transaction", &digest.0]).0),
        block_number: 800,
        block_hash: BlockHash([0xb0; 32]),
        time,
    };
    let receipt = Receipt {
        version: 1,
        proof: tree.prove(2).unwrap(),
        anchor: anchor.clone(),
    };
    let envelope = Envelope {
        salt: Some(salt),
        receipt: Some(receipt),
        ..Envelope::new(copy)
    };
    (envelope, Root { anchor, size: 5 })
}
