//! Merkle batches, the embedded ledger, gas.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use vidimus_bench::{median, row};
use vidimus_core::{Address, Commitment, Provider, Timestamp, merkle::Tree, time::Clock};
use vidimus_crypto::Native;
use vidimus_ledger::{
    Embedded, Genesis, Ledger,
    contracts::{Contract, address_created, anchors},
    convert,
    embedded::DEFAULT_CHAIN_ID,
    transaction::{Fields, Signed, sender_of},
};

const CERTIFICATES: u64 = 1_000_000;

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Timestamp(i64::try_from(now.as_secs()).expect("before the year 292 billion"))
    }
}

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    merkle();
    ledger().await
}

fn merkle() {
    let provider = Native::new();
    let entries: Vec<_> = (0..CERTIFICATES)
        .map(|n| Commitment::from_bytes(provider.sha256(&[&n.to_be_bytes()]).0))
        .collect();
    let seconds = |count: usize| {
        median(
            (0..3)
                .map(|_| {
                    let start = Instant::now();
                    black_box(Tree::build(&provider, &entries[..count]).root());
                    start.elapsed().as_secs_f64()
                })
                .collect(),
        )
    };
    let (small, large) = (seconds(1_000), seconds(entries.len()));
    println!();
    row("Merkle batch of 1 000 000, seconds", Some(('<', 1.1)), large, "");
    let flat = (large / entries.len() as f64) / (small / 1_000.0);
    row("time per leaf, batch of 10⁶ : batch of 10³", Some(('<', 1.2)), flat, "");
    let tree = Tree::build(&provider, &entries);
    let proof = tree.prove(123_456).expect("it is there");
    row(
        "bytes of a proof in a batch of 1 000 000",
        Some(('<', 32.0 * 20.0)),
        (proof.path.len() * 32) as f64,
        "",
    );
    proof
        .verify(&provider, &entries[123_456], &tree.root())
        .expect("it leads to the root");
}

struct Account {
    secret: [u8; 32],
    address: Address,
    nonce: u64,
}

impl Account {
    fn new(number: u32) -> Self {
        let mut secret = [7; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let address = sender_of(&secret).expect("a key");
        Self {
            secret,
            address,
            nonce: 0,
        }
    }
    fn sign(&mut self, to: Option<Address>, data: Vec<u8>, gas_limit: u64) -> Signed {
        let fields = Fields {
            chain_id: DEFAULT_CHAIN_ID,
            nonce: self.nonce,
            gas_limit,
            max_fee: 0,
            priority_fee: 0,
            to,
            value: 0,
            data,
        };
        self.nonce += 1;
        fields.prepare().sign_with_secret(&self.secret).expect("it signs")
    }
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Certificates in the batch of an anchor.
const BATCH: u64 = 100_000;

async fn ledger() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let ledger = Embedded::open(&folder.path().join("ledger"), Genesis::default(), Arc::new(Wall))?;
    let mut authority = Account::new(0);
    let creation = Contract::Anchors.creation_code(authority.address);
    let contract = address_created(authority.address, 0);
    let created = authority.sign(None, creation, 6_000_000);
    ledger.submit(&created.raw).await?;
    let allowed = authority.sign(Some(contract), anchors::set_anchorer(authority.address, true), 500_000);
    ledger.submit(&allowed.raw).await?;
    gas(&ledger, contract, &mut authority).await?;
    many_transfers(&ledger).await?;
    transfers_one_by_one(&ledger).await?;
    many_anchors(&ledger, contract, &mut authority).await?;
    ledger.audit()?;
    Ok(())
}

async fn gas(ledger: &Embedded, contract: Address, authority: &mut Account) -> Outcome<()> {
    let provider = Native::new();
    let mut used = Vec::new();
    for turn in 0..10_u64 {
        let root = provider.sha256(&[&turn.to_be_bytes()]);
        let anchored = authority.sign(Some(contract), anchors::anchor(root, BATCH), 500_000);
        ledger.submit(&anchored.raw).await?;
        let receipt = wait(ledger, &anchored).await?;
        assert!(receipt.status(), "an anchor does not revert");
        used.push(receipt.gas_used as f64);
    }
    let gas = median(used);
    row("gas of an anchor, whatever the batch", Some(('<', 50_000.0)), gas, "");
    row(
        "gas per certificate, batch of 100 000",
        Some(('<', 0.50)),
        gas / BATCH as f64,
        "EAS 227 066, a hash per person 43 608",
    );
    Ok(())
}

async fn many_transfers(ledger: &Embedded) -> Outcome<()> {
    let mut accounts: Vec<_> = (1..=40).map(Account::new).collect();
    let rounds = 100;
    let mut raw = Vec::new();
    for _ in 0..rounds {
        for account in &mut accounts {
            let to = account.address;
            raw.push(account.sign(Some(to), Vec::new(), 21_000).raw);
        }
    }
    let (count, before) = (raw.len() as f64, ledger.head().await?.number);
    let rate = rate_of_waiting(ledger, &raw).await?;
    let blocks = ledger.head().await?.number - before;
    row(
        "ledger, durable transactions/s, 1 000 waiting",
        None,
        rate,
        &format!("{count} transfers in {blocks} blocks"),
    );
    Ok(())
}

async fn transfers_one_by_one(ledger: &Embedded) -> Outcome<()> {
    let mut alone = Account::new(99);
    let start = Instant::now();
    for _ in 0..200 {
        let to = alone.address;
        let signed = alone.sign(Some(to), Vec::new(), 21_000);
        ledger.submit(&signed.raw).await?;
    }
    row(
        "ledger, durable transactions/s, one after the other",
        None,
        200.0 / start.elapsed().as_secs_f64(),
        "a block each",
    );
    Ok(())
}

async fn many_anchors(ledger: &Embedded, contract: Address, authority: &mut Account) -> Outcome<()> {
    let provider = Native::new();
    let mut issuers: Vec<_> = (200..240).map(Account::new).collect();
    for issuer in &issuers {
        let allow = authority.sign(Some(contract), anchors::set_anchorer(issuer.address, true), 500_000);
        ledger.submit(&allow.raw).await?;
    }
    let mut raw = Vec::new();
    for round in 0..50_u64 {
        for (place, issuer) in issuers.iter_mut().enumerate() {
            let root = provider.sha256(&[&round.to_be_bytes(), &(place as u64).to_be_bytes()]);
            raw.push(issuer.sign(Some(contract), anchors::anchor(root, BATCH), 100_000).raw);
        }
    }
    let anchors = rate_of_waiting(ledger, &raw).await?;
    row("ledger, durable anchors/s, 1 000 waiting", None, anchors, "");
    row(
        "certificates per 15 s block that anchors carry",
        Some(('>', 100_000.0)),
        anchors * 15.0 * BATCH as f64,
        "of the ledger alone",
    );
    Ok(())
}

/// How many transactions a second become durable while 1 000 of them wait at a time.
async fn rate_of_waiting(ledger: &Embedded, raw: &[Vec<u8>]) -> Outcome<f64> {
    let start = Instant::now();
    for chunk in raw.chunks(1_000) {
        for answer in ledger.submit_all(chunk.to_vec()).await {
            answer?;
        }
    }
    Ok(raw.len() as f64 / start.elapsed().as_secs_f64())
}

async fn wait(ledger: &Embedded, signed: &Signed) -> Outcome<vidimus_ledger::eth::TransactionReceipt> {
    for _ in 0..1_000 {
        if let Some(receipt) = ledger.receipt(convert::to_hash(signed.hash)).await? {
            return Ok(receipt);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    Err("a transaction is not mined".into())
}
