//! Issuing over HTTP, durable and queued for its anchor, against the floor servers in turn; and memory after many certificates.
//!
//! `BENCH_SECONDS` (4) for each measurement, `BENCH_CERTIFICATES` (100 000) for the memory.

use reqwest::Client;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use vidimus_bench::{median, row};
use vidimus_core::{Algorithm, Signer, Timestamp};
use vidimus_credential::card::HolderCard;
use vidimus_crypto::{KeyKind, Native, OsEntropy, SealingKey, SigningKey};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// User and system time used, in seconds, and resident memory in MiB.
    fn used(&self) -> (f64, f64) {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", self.0.id())).unwrap_or_default();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |place: usize| {
            fields
                .get(place)
                .and_then(|text| text.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        let resident = read("status")
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse::<f64>()
                    .ok()
            })
            .unwrap_or(0.0);
        ((ticks(11) + ticks(12)) / 100.0, resident / 1024.0)
    }
}

struct Target<'a> {
    url: String,
    key: Option<&'a str>,
    server: &'a Server,
}

struct Figures {
    rate: f64,
    p99: f64,
    failed: u64,
    /// Requests for each second of the server's processor time.
    per_cpu: f64,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Certificates that our server acknowledged.
static ISSUED: AtomicU64 = AtomicU64::new(0);

async fn load(
    target: &Target<'_>,
    card: &Arc<String>,
    connections: usize,
    seconds: f64,
    most: u64,
) -> Result<Figures, Failure> {
    let client = Client::builder()
        .pool_max_idle_per_host(connections)
        .timeout(Duration::from_secs(30))
        .build()?;
    let (before, _) = target.server.used();
    let (start, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (client, card, url) = (client.clone(), card.clone(), target.url.clone());
        let (key, sent) = (target.key.map(str::to_owned), sent.clone());
        tasks.push(tokio::spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0_u64);
            while start.elapsed().as_secs_f64() < seconds && sent.fetch_add(1, Ordering::Relaxed) < most {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let body = report(number, &card).to_string();
                let mut request = client.post(&url).header("content-type", "application/json").body(body);
                request = request.header("idempotency-key", format!("bench-{number}"));
                if let Some(key) = &key {
                    request = request.bearer_auth(key);
                }
                let begun = Instant::now();
                let answer = match request.send().await {
                    Ok(answer) => {
                        let status = answer.status();
                        answer.bytes().await.is_ok() && status == 201
                    }
                    Err(_) => false,
                };
                if answer {
                    times.push(begun.elapsed().as_secs_f64() * 1000.0);
                } else {
                    failed += 1;
                }
            }
            (times, failed)
        }));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    for task in tasks {
        let (some, lost) = task.await?;
        times.extend(some);
        failed += lost;
    }
    let elapsed = start.elapsed().as_secs_f64();
    let (after, _) = target.server.used();
    times.sort_by(f64::total_cmp);
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or(f64::INFINITY);
    if target.key.is_some() {
        ISSUED.fetch_add(times.len() as u64, Ordering::Relaxed);
    }
    let count = times.len() as f64;
    Ok(Figures {
        rate: count / elapsed,
        p99,
        failed,
        per_cpu: count / (after - before).max(0.01),
    })
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(now.as_secs()).expect("a time"))
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

fn programs() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?
        .parent()
        .ok_or("a program is in a directory")?
        .to_owned())
}

fn start_floor(directory: &Path) -> Result<(Server, String), Failure> {
    start(Command::new(programs()?.join("floor")).arg(directory))
}

/// Veramo under Node, where it is installed (`bench/run` does).
fn start_veramo() -> Result<(Server, String), Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !here.join("node_modules/@veramo").is_dir() {
        return Err("its packages are not installed: run `npm ci` in bench/".into());
    }
    start(Command::new("node").arg(here.join("veramo.mjs")))
}

/// Starts a server whose first line of output is its address.
fn start(command: &mut Command) -> Result<(Server, String), Failure> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().ok_or("its output")?;
    let server = Server(child);
    let mut url = String::new();
    BufReader::new(output).read_line(&mut url)?;
    if url.is_empty() {
        return Err("it ended before it said its address".into());
    }
    Ok((server, url.trim().to_owned()))
}

async fn start_vidimus(directory: &Path) -> Result<(Server, String, String), Failure> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let url = format!("http://127.0.0.1:{port}");
    let text = format!(
        "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{url}\"\n\
         [server.limits]\naddress_requests_per_minute = 100000000\nkey_requests_per_minute = 100000000\n[log]\nlevel = \"warn\"\n"
    );
    std::fs::write(directory.join("vidimus.toml"), text)?;
    let program = programs()?.join("server");
    let made = Command::new(&program).current_dir(directory).arg("init").output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into());
    }
    let log = std::fs::File::create(directory.join("serve.log"))?;
    let mut child = Command::new(&program)
        .current_dir(directory)
        .args(["--json", "serve"])
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("its output")?).read_line(&mut line)?;
    let server = Server(child);
    let link: Value = serde_json::from_str(&line)?;
    let client = Client::new();
    let ask = async |path: &str, key: Option<&str>, body: Value| -> Result<Value, Failure> {
        let mut request = client.post(format!("{url}{path}")).json(&body);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        Ok(request.send().await?.error_for_status()?.json().await?)
    };
    let body = json!({"token": link["setup"]["token"], "name": "Ministry of Health", "country": "AT"});
    // The listener is there before the answer to it is.
    let mut tries = 0;
    let set_up = loop {
        match ask("/v1/setup", None, body.clone()).await {
            Ok(set_up) => break set_up,
            Err(_) if tries < 50 => tries += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let body = json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": ["sars-cov-2-naat"]});
    let admitted = ask("/v1/participants", set_up["api_key"].as_str(), body).await?;
    let key = admitted["api_key"].as_str().ok_or("an API key")?.to_owned();
    for _ in 0..100 {
        let profile: Value = client
            .get(format!("{url}/v1/profile"))
            .bearer_auth(&key)
            .send()
            .await?
            .json()
            .await?;
        if profile["status"] == "active" {
            return Ok((server, url, key));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the laboratory was not admitted".into())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Ours, the floor with the same work, and the bare floor, in turn.
async fn against_floors(
    targets: &[Target<'_>; 3],
    card: &Arc<String>,
    connections: usize,
    seconds: f64,
) -> Result<(), Failure> {
    let mut all: [Vec<Figures>; 3] = Default::default();
    for round in 0..4 {
        for (place, target) in targets.iter().enumerate() {
            let figures = load(target, card, connections, seconds, u64::MAX).await?;
            if round > 0 {
                all[place].push(figures);
            }
        }
    }
    let [ours, same, bare] = all.map(|figures| Figures {
        rate: median(figures.iter().map(|f| f.rate).collect()),
        p99: median(figures.iter().map(|f| f.p99).collect()),
        failed: figures.iter().map(|f| f.failed).sum(),
        per_cpu: median(figures.iter().map(|f| f.per_cpu).collect()),
    });
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
    let mut all: [Vec<f64>; 2] = Default::default();
    for round in 0..4 {
        for (place, target) in [ours, &theirs].into_iter().enumerate() {
            let figures = load(target, card, 64, seconds, u64::MAX).await?;
            if figures.failed > 0 {
                return Err("a server did not issue".into());
            }
            // The first round warms up.
            if round > 0 {
                all[place].push(figures.per_cpu);
            }
        }
    }
    let [ours, theirs] = all.map(median);
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
    let left = number("BENCH_CERTIFICATES", 100_000).saturating_sub(ISSUED.load(Ordering::Relaxed));
    load(ours, card, 64, 7_200.0, left).await?;
    let late = load(ours, card, 64, 600.0, FEW).await?;
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

/// How many certificates tell what one costs.
const FEW: u64 = 5_000;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let seconds = number("BENCH_SECONDS", 4) as f64;
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (floor, floor_url) = start_floor(there.path())?;
    let (vidimus, vidimus_url, key) = start_vidimus(here.path()).await?;
    let card = Arc::new(card()?);
    let targets = [
        Target {
            url: format!("{vidimus_url}/v1/results"),
            key: Some(&key),
            server: &vidimus,
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
    let first = load(&targets[0], &card, 64, 60.0, 1_000).await?;
    if first.failed > 0 {
        return Err("the server does not issue".into());
    }
    let early = load(&targets[0], &card, 64, 600.0, FEW).await?.per_cpu;
    for connections in [64, 400] {
        against_floors(&targets, &card, connections, seconds).await?;
    }
    against_veramo(&targets[0], &card, seconds).await?;
    after_many(&targets[0], &card, early).await
}
