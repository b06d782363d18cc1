//! What a suspended verifier, and wallets that its requests lead to, could learn from time: answers to one kind of request that are the same byte for
//! byte, whatever there is to be told. Asked in turn over one connection; for each kind the slowest probe's median to the fastest's.
//!
//! `BENCH_ROUNDS` (1 500) answers to each probe.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vidimus_bench::{
    row,
    service::{self, Failure, Vidimus},
};

/// Nothing has this id.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// What is asked: a path, an API key, and a body for what is posted.
#[derive(Clone)]
struct Probe {
    path: String,
    key: Option<String>,
    body: Option<String>,
    kind: &'static str,
}

impl Probe {
    fn get(path: String, key: Option<&str>) -> Self {
        let key = key.map(str::to_owned);
        Self {
            path,
            key,
            body: None,
            kind: "",
        }
    }

    fn json(path: &str, key: &str, body: &Value) -> Self {
        let (path, key) = (path.to_owned(), Some(key.to_owned()));
        Self {
            path,
            key,
            body: Some(body.to_string()),
            kind: "application/json",
        }
    }

    fn form(path: String, body: String) -> Self {
        Self {
            path,
            key: None,
            body: Some(body),
            kind: "application/x-www-form-urlencoded",
        }
    }

    /// The status, and the time until the answer was read.
    async fn send(&self, client: &Client, url: &str) -> Result<(StatusCode, Duration), Failure> {
        let address = format!("{url}{}", self.path);
        let mut request = match &self.body {
            None => client.get(address),
            Some(body) => client
                .post(address)
                .header("content-type", self.kind)
                .body(body.clone()),
        };
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let start = Instant::now();
        let answer = request.send().await?;
        let status = answer.status();
        answer.bytes().await?;
        Ok((status, start.elapsed()))
    }
}

/// An airline's request for attributes.
fn asks(attributes: &[&str]) -> Value {
    json!({
        "purpose": "boarding", "retention_seconds": 0,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": attributes}],
    })
}

/// Medians in microseconds, in the probes' order; all have to be refused alike.
async fn measure(client: &Client, url: &str, probes: &[Probe]) -> Result<Vec<f64>, Failure> {
    let rounds = usize::try_from(service::number("BENCH_ROUNDS", 1_500))?;
    let mut times = vec![Vec::with_capacity(rounds); probes.len()];
    let mut refused = None;
    for round in 0..rounds {
        // Another one goes first each time.
        for place in (0..probes.len()).map(|place| (place + round) % probes.len()) {
            let (status, time) = probes[place].send(client, url).await?;
            if !status.is_client_error() || *refused.get_or_insert(status) != status {
                return Err(format!("{}: {status}", probes[place].path).into());
            }
            times[place].push(time.as_secs_f64() * 1e6);
        }
    }
    Ok(times.into_iter().map(vidimus_bench::median).collect())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let directory = tempfile::tempdir()?;
    let Vidimus {
        server,
        url,
        airline,
        airline_id,
        authority,
        ..
    } = Vidimus::start(directory.path()).await?;
    let client = service::client(1)?;
    let post = async |path: &str, key: &str, body: &Value| {
        let request = client.post(format!("{url}{path}")).bearer_auth(key).json(body);
        request.send().await?.error_for_status()?.json::<Value>().await
    };
    let mut ids = Vec::new();
    for fetched in [false, true] {
        let made = post("/v1/presentations", &airline, &asks(&["family_name", "result"])).await?;
        let id = made["id"].as_str().ok_or("an id")?.to_owned();
        if fetched {
            let address = format!("{url}/presentations/{id}/request");
            client.get(address).send().await?.error_for_status()?;
        }
        ids.push(id);
    }
    let [made, fetched] = [&ids[0], &ids[1]];
    let suspended = json!({"reason": "accreditation-lost"});
    post(
        &format!("/v1/participants/{airline_id}/suspend"),
        &authority,
        &suspended,
    )
    .await?;
    // Until the chain says so.
    for _ in 0..200 {
        let probe = Probe::get(format!("/v1/presentations/{made}"), Some(&airline));
        if probe.send(&client, &url).await?.0 == StatusCode::FORBIDDEN {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let whole = |id: &str| format!("/presentations/{id}/request");
    let kinds = [
        (
            "a suspended verifier asks",
            vec![
                Probe::json("/v1/presentations", &airline, &asks(&["family_name"])),
                Probe::json("/v1/presentations", &airline, &asks(&["birth_date"])),
                Probe::json("/v1/presentations", &airline, &asks(&["no_such_name"])),
            ],
        ),
        (
            "it reads",
            vec![
                Probe::get(format!("/v1/presentations/{made}"), Some(&airline)),
                Probe::get(format!("/v1/presentations/{fetched}"), Some(&airline)),
                Probe::get(format!("/v1/presentations/{NOBODY}"), Some(&airline)),
            ],
        ),
        (
            "it checks",
            vec![
                Probe::json("/v1/checks", &airline, &json!({"certificate": "HC1:NCFOXN"})),
                Probe::json(
                    "/v1/checks",
                    &airline,
                    &json!({"certificate": "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"}),
                ),
            ],
        ),
        (
            "wallets fetch its requests",
            vec![Probe::get(whole(made), None), Probe::get(whole(fetched), None)],
        ),
        (
            "wallets answer them",
            vec![
                Probe::form(
                    format!("/presentations/{made}/response"),
                    "error=access_denied".to_owned(),
                ),
                Probe::form(
                    format!("/presentations/{fetched}/response"),
                    "error=access_denied".to_owned(),
                ),
                Probe::form(
                    format!("/presentations/{NOBODY}/response"),
                    "error=access_denied".to_owned(),
                ),
            ],
        ),
    ];
    println!();
    // Whoever has the random id of a request knows that there is one.
    let none = vec![Probe::get(whole(made), None), Probe::get(whole(NOBODY), None)];
    let kinds = kinds.map(|(name, probes)| (name, probes, Some(('<', 1.1))));
    let known = ("wallets fetch one that there is, and none", none, None);
    for (name, probes, goal) in kinds.into_iter().chain([known]) {
        let medians = measure(&client, &url, &probes).await?;
        let least = medians.iter().copied().fold(f64::INFINITY, f64::min);
        let most = medians.iter().copied().fold(0.0, f64::max);
        let note = format!("{} probes, {least:.0} to {most:.0} µs", probes.len());
        row(&format!("{name}: slowest refusal : fastest"), goal, most / least, &note);
    }
    drop(server);
    Ok(())
}
