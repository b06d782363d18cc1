//! Servers that are measured, and the load that is put on them.

use crate::median;
use reqwest::Client;
use serde_json::{Value, json};
use std::{
    future::Future,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Whatever goes wrong ends a benchmark.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A server, stopped when this is dropped.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// User and system time used, in seconds, and resident memory in MiB.
    pub fn used(&self) -> (f64, f64) {
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

/// What a load did.
pub struct Figures {
    /// Operations a second.
    pub rate: f64,
    /// Milliseconds in which 99 of 100 were done.
    pub p99: f64,
    /// Operations that failed.
    pub failed: u64,
    /// Operations that did not.
    pub done: u64,
    /// Operations for each second of the server's processor time.
    pub per_cpu: f64,
}

impl Figures {
    /// The medians of several.
    pub fn median_of(several: Vec<Self>) -> Self {
        let of = |figure: fn(&Self) -> f64| median(several.iter().map(figure).collect());
        Self {
            rate: of(|f| f.rate),
            p99: of(|f| f.p99),
            failed: several.iter().map(|f| f.failed).sum(),
            done: several.iter().map(|f| f.done).sum(),
            per_cpu: of(|f| f.per_cpu),
        }
    }
}

/// How much load: so many at once, for so many seconds, at most so many operations.
#[derive(Clone, Copy)]
pub struct Load {
    /// At once.
    pub connections: usize,
    /// Seconds.
    pub seconds: f64,
    /// The most operations.
    pub most: u64,
}

/// Does an operation again and again. It says whether it worked.
pub async fn load<O, F>(server: &Server, load: Load, operation: O) -> Result<Figures, Failure>
where
    O: Fn(Client) -> F + Clone + Send + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let client = client(load.connections)?;
    let (before, _) = server.used();
    let (start, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..load.connections {
        let (client, sent, operation) = (client.clone(), sent.clone(), operation.clone());
        tasks.push(tokio::spawn(async move {
            let (mut times, mut failed) = (Vec::new(), 0_u64);
            while start.elapsed().as_secs_f64() < load.seconds && sent.fetch_add(1, Ordering::Relaxed) < load.most {
                let begun = Instant::now();
                if operation(client.clone()).await {
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
    let (after, _) = server.used();
    times.sort_by(f64::total_cmp);
    Ok(Figures {
        rate: times.len() as f64 / elapsed,
        p99: times.get(times.len() * 99 / 100).copied().unwrap_or(f64::INFINITY),
        failed,
        done: times.len() as u64,
        per_cpu: times.len() as f64 / (after - before).max(0.01),
    })
}

/// The medians of what each of `targets` did under a load, measured in turn; the first round warms up.
pub async fn in_turn<T, const N: usize>(
    targets: [T; N],
    mut measure: impl AsyncFnMut(&T) -> Result<Figures, Failure>,
) -> Result<[Figures; N], Failure> {
    let mut all = [const { Vec::new() }; N];
    for round in 0..4 {
        for (place, target) in targets.iter().enumerate() {
            let figures = measure(target).await?;
            if round > 0 {
                all[place].push(figures);
            }
        }
    }
    Ok(all.map(Figures::median_of))
}

/// A client with so many connections.
pub fn client(connections: usize) -> Result<Client, Failure> {
    Ok(Client::builder()
        .pool_max_idle_per_host(connections)
        .timeout(Duration::from_secs(30))
        .build()?)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("a time")
}

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Where the programs are.
pub fn programs() -> Result<PathBuf, Failure> {
    Ok(std::env::current_exe()?
        .parent()
        .ok_or("a program is in a directory")?
        .to_owned())
}

/// Starts a server whose first line of output is its address.
pub fn start(command: &mut Command) -> Result<(Server, String), Failure> {
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

/// The program itself, with a laboratory and an airline.
pub struct Vidimus {
    /// It.
    pub server: Server,
    /// Where it is.
    pub url: String,
    /// API key of a laboratory.
    pub laboratory: String,
    /// API key of an airline.
    pub airline: String,
    /// The airline's id.
    pub airline_id: String,
    /// API key of the authority.
    pub authority: String,
}

impl Vidimus {
    /// Starts it in a new directory.
    pub async fn start(directory: &Path) -> Result<Self, Failure> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let text = format!(
            "data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{url}\"\n\
             [server.limits]\naddress_requests_per_minute = 100000000\nkey_requests_per_minute = 100000000\nattested_keys_per_minute = 1000000000\n[log]\nlevel = \"warn\"\n"
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
        let authority = set_up["api_key"].as_str().ok_or("an API key")?.to_owned();
        let (mut keys, mut ids) = (Vec::new(), Vec::new());
        for body in [
            json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": ["sars-cov-2-naat"]}),
            json!({"role": "verifier", "name": "Danube Air", "country": "AT", "url": "https://danube-air.example",
                "attributes": ["family_name", "result"], "purposes": ["boarding"]}),
        ] {
            let admitted = ask("/v1/participants", Some(&authority), body).await?;
            ids.push(admitted["participant"]["id"].as_str().ok_or("an id")?.to_owned());
            let key = admitted["api_key"].as_str().ok_or("an API key")?.to_owned();
            until_active(&client, &url, &key).await?;
            keys.push(key);
        }
        let [laboratory, airline] = <[String; 2]>::try_from(keys).expect("two");
        Ok(Self {
            server,
            url,
            laboratory,
            airline,
            airline_id: ids.pop().ok_or("an id")?,
            authority,
        })
    }
}

async fn until_active(client: &Client, url: &str, key: &str) -> Result<(), Failure> {
    for _ in 0..100 {
        let asked = client.get(format!("{url}/v1/profile")).bearer_auth(key);
        let profile: Value = asked.send().await?.json().await?;
        if profile["status"] == "active" {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("a participant was not admitted".into())
}
