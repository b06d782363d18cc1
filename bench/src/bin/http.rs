//! Issuing over HTTP, durable and queued for its anchor, against the floor servers in turn; and memory after many certificates.
//!
//! `BENCH_SECONDS` (4) for each measurement, `BENCH_CERTIFICATES` (100 000) for the memory.

use serde_json::{Value, json};
use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use vidimus_bench::{
    row,
    service::{self, Failure, Figures, Load, Server, Vidimus},
};
use vidimus_core::{Algorithm, Signer, Timestamp};
use vidimus_credential::card::HolderCard;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SealingKey, SigningKey};

struct Target<'a> {
    url: String,
    key: Option<&'a str>,
    server: &'a Server,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Certificates that our server acknowledged.
static ISSUED: AtomicU64 = AtomicU64::new(0);

async fn load(target: &Target<'_>, card: &Arc<String>, load: Load) -> Result<Figures, Failure> {
    let (card, url, key) = (card.clone(), target.url.clone(), target.key.map(str::to_owned));
    let figures = service::load(target.server, load, move |client| {
        let (card, url, key) = (card.clone(), url.clone(), key.clone());
        async move {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let body = report(number, &card).to_string();
            let mut request = client.post(&url).header("content-type", "application/json").body(body);
            request = request.header("idempotency-key", format!("bench-{number}"));
            if let Some(key) = &key {
                request = request.bearer_auth(key);
            }
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    answer.bytes().await.is_ok() && status == 201
                }
                Err(_) => false,
            }
        }
    })
    .await?;
    if target.key.is_some() {
        ISSUED.fetch_add(figures.done, Ordering::Relaxed);
    }
    Ok(figures)
}

fn now() -> Timestamp {
    Timestamp(service::now())
}

fn report(number: u64, card: &str) -> Value {
    json!({
        "claims": {
            "person": {"family_name": "Musterfrau", "given_name": "Gabriele", "birth_date": "1998-02-26"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": now().plus(-3_600).to_rfc3339(), "result": "260415000", "test_name": "TaqPath COVID-19 RT-PCR",
                "testing_centre": "Labor Donauraum GmbH", "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": format!("B{number:09}")},
        "formats": ["vc-jwt-1.1"],
        "card": card,
    })
}

fn card() -> Result<String, Failure> {
    let native = Native::new();
    let account = SigningKey::generate(KeyKind::Secp256k1, &mut OsEntropy);
    let signing = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let sealing = SealingKey::generate(&mut OsEntropy);
    let address = account
        .public_key()
        .address(&native)
        .ok_or("an account has an address")?;
    let card = HolderCard {
        did: format!("did:ethr:0x56494d:{address}"),
        signing_key: signing.public_key().clone(),
        sealing_key: sealing.public_key().0,
        issued_at: now(),
    };
    let unsigned = card.prepare(&signing.sign(Algorithm::Es256, &card.possession_message())?);
    let signature = account.sign(Algorithm::Es256k, unsigned.message())?;
    Ok(unsigned.finish(&signature))
}

fn start_floor(directory: &Path) -> Result<(Server, String), Failure> {
    service::start(Command::new(service::programs()?.join("floor")).arg(directory))
}

/// Veramo under Node, where it is installed (`bench/run` does).
fn start_veramo() -> Result<(Server, String), Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !here.join("node_modules/@veramo").is_dir() {
        return Err("its packages are not installed: run `npm ci` in bench/".into());
    }
    service::start(Command::new("node").arg(here.join("veramo.mjs")))
}

/// Ours, the floor with the same work, and the bare floor, in turn.
async fn against_floors(
    targets: &[Target<'_>; 3],
    card: &Arc<String>,
    connections: usize,
    seconds: f64,
) -> Result<(), Failure> {
    let of = of(connections, seconds, u64::MAX);
    let [ours, same, bare] = service::in_turn(targets.each_ref(), async |target| load(target, card, of).await).await?;
    println!();
    let with = format!("{connections} connections");
    row(
        &format!("HTTP issue, {with}: certificates/s"),
        None,
        ours.rate,
        &format!("p99 {:.0} ms", ours.p99),
    );
    row(
        &format!("floor with the same work, {with}: requests/s"),
        None,
        same.rate,
        &format!("p99 {:.0} ms", same.p99),
    );
    row(
        &format!("bare group commit, {with}: requests/s"),
        None,
        bare.rate,
        &format!("p99 {:.0} ms", bare.p99),
    );
    row(
        &format!("issue : floor, {with}"),
        Some(('>', 0.8)),
        ours.rate / same.rate,
        "",
    );
    row(
        &format!("issue : floor by the server's processor time, {with}"),
        None,
        ours.per_cpu / same.per_cpu,
        "",
    );
    row(
        &format!("issue : bare group commit, {with}"),
        None,
        ours.rate / bare.rate,
        "",
    );
    row(
        &format!("p99, issue : floor, {with}"),
        Some(('<', 2.0)),
        ours.p99 / same.p99,
        "",
    );
    row(
        &format!("failed requests, {with}"),
        Some(('<', 0.0)),
        ours.failed as f64,
        "",
    );
    row(
        &format!("certificates a second of processor time, {with}"),
        None,
        ours.per_cpu,
        "",
    );
    Ok(())
}

/// Certificates for each second of the server's processor time, ours (sealed, durable, queued) against Veramo's (signed only).
async fn against_veramo(ours: &Target<'_>, card: &Arc<String>, seconds: f64) -> Result<(), Failure> {
    let (veramo, url) = match start_veramo() {
        Ok(started) => started,
        Err(error) => {
            println!("SKIPPED: Veramo is not measured: {error}");
            return Ok(());
        }
    };
    let theirs = Target {
        url: format!("{url}/issue"),
        key: None,
        server: &veramo,
    };
    let of = of(64, seconds, u64::MAX);
    let [ours, theirs] = service::in_turn([ours, &theirs], async |target| {
        let figures = load(target, card, of).await?;
        if figures.failed > 0 {
            return Err("a server did not issue".into());
        }
        Ok(figures)
    })
    .await?;
    let (ours, theirs) = (ours.per_cpu, theirs.per_cpu);
    println!();
    let veramo = "Veramo 7.0.1: certificates a second of processor time";
    row(veramo, None, theirs, "ES256K, nothing kept");
    row(
        "issue : Veramo by the server's processor time",
        Some(('>', 20.0)),
        ours / theirs,
        "",
    );
    Ok(())
}

/// Memory after many certificates, and whether a certificate costs then what one of the first thousands did (`early`, a second of processor time).
async fn after_many(ours: &Target<'_>, card: &Arc<String>, early: f64) -> Result<(), Failure> {
    let left = service::number("BENCH_CERTIFICATES", 100_000).saturating_sub(ISSUED.load(Ordering::Relaxed));
    load(ours, card, of(64, 7_200.0, left)).await?;
    let late = load(ours, card, of(64, 600.0, FEW)).await?;
    println!();
    let (_, resident) = ours.server.used();
    row(
        "resident memory after that many certificates, MiB",
        None,
        resident,
        &format!("{} certificates", ISSUED.load(Ordering::Relaxed)),
    );
    row(
        "processor time per certificate, late : early",
        Some(('<', 1.2)),
        early / late.per_cpu,
        &format!("the last {FEW} against certificates 1000 to {}", 1_000 + FEW),
    );
    Ok(())
}

fn of(connections: usize, seconds: f64, most: u64) -> Load {
    Load {
        connections,
        seconds,
        most,
    }
}

/// How many certificates tell what one costs.
const FEW: u64 = 5_000;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let seconds = service::number("BENCH_SECONDS", 4) as f64;
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (floor, floor_url) = start_floor(there.path())?;
    let vidimus = Vidimus::start(here.path()).await?;
    let card = Arc::new(card()?);
    let targets = [
        Target {
            url: format!("{}/v1/results", vidimus.url),
            key: Some(&vidimus.laboratory),
            server: &vidimus.server,
        },
        Target {
            url: format!("{floor_url}/issue"),
            key: None,
            server: &floor,
        },
        Target {
            url: format!("{floor_url}/bare"),
            key: None,
            server: &floor,
        },
    ];
    let first = load(&targets[0], &card, of(64, 60.0, 1_000)).await?;
    if first.failed > 0 {
        return Err("the server does not issue".into());
    }
    let early = load(&targets[0], &card, of(64, 600.0, FEW)).await?.per_cpu;
    for connections in [64, 400] {
        against_floors(&targets, &card, connections, seconds).await?;
    }
    against_veramo(&targets[0], &card, seconds).await?;
    after_many(&targets[0], &card, early).await
}
