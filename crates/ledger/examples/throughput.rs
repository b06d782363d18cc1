//! Durable transactions a second: signs transfers of many senders beforehand, then pushes them through the embedded ledger.
//!
//! `cargo run --release -p vidimus-ledger --example throughput -- [TRANSACTIONS] [AT-ONCE] [FILE]`

use std::sync::Arc;
use std::time::Instant;
use vidimus_core::{Timestamp, time::Clock};
use vidimus_ledger::eth::U256;
use vidimus_ledger::transaction::{Fields, sender_of};
use vidimus_ledger::{Embedded, Genesis, Ledger, convert};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000)
    }
}

fn secret(number: u64) -> [u8; 32] {
    let mut secret = [7; 32];
    secret[24..].copy_from_slice(&number.to_be_bytes());
    secret
}

#[tokio::main]
#[allow(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (count, at_once) = (argument(1, 20_000)?, argument(2, 1_000)?);
    let file = arguments.get(3).map_or_else(
        || std::env::temp_dir().join(format!("vidimus-throughput-{}", std::process::id())),
        std::path::PathBuf::from,
    );
    const SENDERS: usize = 50;
    let mut genesis = Genesis::default();
    for number in 0..SENDERS {
        let sender = convert::to_address(sender_of(&secret(number as u64))?);
        genesis = genesis.funded(sender, U256::from(u128::MAX));
    }
    let chain_id = genesis.chain_id;
    let mut bundles: Vec<Vec<Vec<u8>>> = Vec::new();
    for index in 0..count {
        let fields = Fields {
            chain_id,
            nonce: (index / SENDERS) as u64,
            gas_limit: 21_000,
            max_fee: 0,
            priority_fee: 0,
            to: Some(vidimus_core::Address([(index % 251) as u8; 20])),
            value: 1,
            data: Vec::new(),
        };
        let signed = fields.prepare().sign_with_secret(&secret((index % SENDERS) as u64))?;
        if index % at_once == 0 {
            bundles.push(Vec::with_capacity(at_once));
        }
        if let Some(bundle) = bundles.last_mut() {
            bundle.push(signed.raw);
        }
    }
    let ledger = Arc::new(Embedded::open(&file, genesis, Arc::new(Fixed))?);
    let start = Instant::now();
    for bundle in bundles {
        for result in ledger.submit_all(bundle).await {
            result?;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let blocks = ledger.head().await?.number;
    println!(
        "{count} transactions in {blocks} blocks, {:.0} a second, durable",
        count as f64 / seconds
    );
    drop(ledger);
    if arguments.len() <= 3 {
        std::fs::remove_file(file)?;
    }
    Ok(())
}
