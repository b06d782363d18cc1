//! Whole issuings by OpenID4VCI and checks by OpenID4VP over HTTP, durable, against a floor server in turn; and memory for open sessions.
//!
//! An issuing: a laboratory reports a result and offers it; a wallet reads the offer, gets a token for the code (DPoP), a nonce, and a
//! `dc+sd-jwt` for a new key. A check: an airline asks, a wallet fetches the signed request, shows two attributes encrypted (`direct_post.jwt`),
//! and the airline reads the answer. The client does the same for both servers, on the same machine.
//!
//! `BENCH_SECONDS` (4) for each measurement, `BENCH_SESSIONS` (100 000) for the memory.

use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value, json};
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
use vidimus_core::{Algorithm, Signer, Timestamp, encoding};
use vidimus_credential::sd_jwt::{ClaimPath, SdJwt, key_binding};
use vidimus_crypto::{KeyKind, Native, OsEntropy, SigningKey};
use vidimus_openid4vc::{
    jwe::{self, ContentEncryption, Parameters, Recipient},
    oauth::{Form, Identifier, Opaque, dpop},
    vci::proof::{Draft, KeyName},
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:pre-authorized_code";
const CONFIGURATION: &str = "sars-cov-2-naat.dc+sd-jwt";

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static NUMBER: AtomicU64 = AtomicU64::new(0);
/// What was shown first when something did not work.
static SAID: AtomicU64 = AtomicU64::new(0);

/// A server, and whom to be there.
#[derive(Clone)]
struct Place {
    url: String,
    laboratory: String,
    airline: String,
}

/// A copy and its key.
struct Held {
    copy: String,
    key: SigningKey,
}

/// A wallet and its tools.
struct Wallet {
    native: Native,
    dpop: SigningKey,
}

impl Wallet {
    fn new() -> Self {
        Self {
            native: Native::new(),
            dpop: key(),
        }
    }

    fn proof(&self, url: &str, token: Option<&Opaque>) -> Result<String, Failure> {
        let draft = dpop::Draft {
            request: dpop::Request { method: "POST", url },
            token,
            nonce: None,
            now: now(),
        };
        Ok(draft.sign(&self.dpop, Algorithm::Es256, &self.native, &mut OsEntropy)?)
    }
}

fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256, &mut OsEntropy)
}

fn now() -> Timestamp {
    Timestamp(service::now())
}

fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, Failure> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| format!("no {pointer} in {value}").into())
}

async fn body(request: RequestBuilder) -> Result<String, Failure> {
    let answer = request.send().await?;
    let (status, path) = (answer.status(), answer.url().path().to_owned());
    let body = answer.text().await?;
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{path}: {status}: {body}").into())
    }
}

async fn json_of(request: RequestBuilder) -> Result<Value, Failure> {
    Ok(serde_json::from_str(&body(request).await?)?)
}

/// A parameter of a link.
fn parameter(link: &str, name: &str) -> Result<String, Failure> {
    let (_, query) = link.split_once('?').ok_or("a link with a query")?;
    let form = Form::parse(query.as_bytes())?;
    Ok(form.get(name).ok_or("its parameter")?.to_owned())
}

/// From the result to the certificate in the wallet.
async fn issuing(client: &Client, place: &Place, wallet: &Wallet) -> Result<Held, Failure> {
    let Place { url, laboratory, .. } = place;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let reported = client.post(format!("{url}/v1/results")).bearer_auth(laboratory);
    let reported = json_of(reported.json(&report(number))).await?;
    let offered = client.post(format!("{url}/v1/offers")).bearer_auth(laboratory);
    let offered = json_of(offered.json(&json!({"result": reported["result"], "formats": ["dc+sd-jwt"]}))).await?;

    let offer = json_of(client.get(parameter(text(&offered, "/link")?, "credential_offer_uri")?)).await?;
    let issuer = Identifier::new(text(&offer, "/credential_issuer")?)?;
    let endpoint = |name: &str| format!("{issuer}/{name}");
    let form = Form::new()
        .with("grant_type", GRANT)
        .with(
            "pre-authorized_code",
            text(&offer["grants"][GRANT], "/pre-authorized_code")?,
        )
        .with("tx_code", text(&offered, "/tx_code/code")?);
    let request = client
        .post(endpoint("token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("DPoP", wallet.proof(&endpoint("token"), None)?);
    let tokens = json_of(request.body(form.encode())).await?;
    let token = Opaque::new(text(&tokens, "/access_token")?);
    let nonce = json_of(client.post(endpoint("nonce"))).await?;
    let key = key();
    let draft = Draft {
        issuer: &issuer,
        nonce: Some(text(&nonce, "/c_nonce")?),
        client_id: None,
        key_attestation: None,
        issued_at: now(),
    };
    let proof = draft.sign(&key, Algorithm::Es256, KeyName::Jwk)?;
    let request = client
        .post(endpoint("credential"))
        .header("authorization", format!("DPoP {}", token.expose()))
        .header("DPoP", wallet.proof(&endpoint("credential"), Some(&token))?);
    let asked = json!({"credential_configuration_id": CONFIGURATION, "proofs": {"jwt": [proof]}});
    let claimed = json_of(request.json(&asked)).await?;
    Ok(Held {
        copy: text(&claimed, "/credentials/0/credential")?.to_owned(),
        key,
    })
}

fn report(number: u64) -> Value {
    json!({
        "claims": {
            "person": {"family_name": "Musterfrau", "given_name": "Gabriele", "birth_date": "1998-02-26"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": now().plus(-3_600).to_rfc3339(), "result": "260415000", "test_name": "TaqPath COVID-19 RT-PCR",
                "testing_centre": "Labor Donauraum GmbH", "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": format!("W{number:09}")},
        "formats": [],
    })
}

/// An airline's request.
async fn ask(client: &Client, place: &Place) -> Result<Value, Failure> {
    let asked = json!({
        "purpose": "boarding", "retention_seconds": 0,
        "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name", "result"]}],
    });
    let request = client
        .post(format!("{}/v1/presentations", place.url))
        .bearer_auth(&place.airline);
    json_of(request.json(&asked)).await
}

/// From the request to its answer.
async fn check(client: &Client, place: &Place, wallet: &Wallet, held: &Held) -> Result<(), Failure> {
    let view = ask(client, place).await?;
    let object = body(client.get(parameter(text(&view, "/link")?, "request_uri")?)).await?;
    let payload = object.split('.').nth(1).ok_or("a signed request")?;
    let request: Value = serde_json::from_slice(&encoding::from_base64url(payload)?)?;

    let read = SdJwt::parse(&held.copy)?;
    let processed = read.process(&wallet.native)?;
    let shown = processed.choose(&[ClaimPath::of(["family_name"]), ClaimPath::of(["claims", "result"])])?;
    let draft = key_binding::Draft {
        audience: text(&request, "/client_id")?,
        nonce: text(&request, "/nonce")?,
        issued_at: now(),
        more: Map::new(),
    };
    let unsigned = draft.prepare(read.present(&shown), Algorithm::Es256, &wallet.native);
    let signature = held.key.sign(Algorithm::Es256, unsigned.message())?;
    let query = text(&request, "/dcql_query/credentials/0/id")?;
    let mut response = json!({"vp_token": {query: [unsigned.finish(&signature)]}});
    if let Some(state) = request.get("state") {
        response["state"] = state.clone();
    }
    let recipient = Recipient::from_jwks(&request["client_metadata"]["jwks"]).ok_or("a key to encrypt to")?;
    let encrypted = jwe::encrypt(
        &recipient,
        ContentEncryption::A256Gcm,
        &Parameters::default(),
        response.to_string().as_bytes(),
        &wallet.native,
        &mut OsEntropy,
    )?;
    let posted = client
        .post(text(&request, "/response_uri")?)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Form::new().with("response", &encrypted).encode());
    body(posted).await?;
    let read = client
        .get(format!("{}/v1/presentations/{}", place.url, text(&view, "/id")?))
        .bearer_auth(&place.airline);
    let read = json_of(read).await?;
    let name = text(&read, "/answer/credentials/0/attributes/family_name")?;
    if read["answer"]["verdict"] == "valid" && name == "Musterfrau" {
        Ok(())
    } else {
        Err(format!("not valid: {read}").into())
    }
}

/// Whether it worked; the first failures are shown.
fn worked<T>(result: Result<T, Failure>) -> bool {
    if let Err(error) = &result
        && SAID.fetch_add(1, Ordering::Relaxed) < 3
    {
        eprintln!("{error}");
    }
    result.is_ok()
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Issuing,
    Check,
}

async fn load(
    what: What,
    server: &Server,
    place: &Place,
    wallet: &Arc<Wallet>,
    held: &Arc<Held>,
    load: Load,
) -> Result<Figures, Failure> {
    let (place, wallet, held) = (Arc::new(place.clone()), wallet.clone(), held.clone());
    service::load(server, load, move |client| {
        let (place, wallet, held) = (place.clone(), wallet.clone(), held.clone());
        async move {
            match what {
                What::Issuing => worked(issuing(&client, &place, &wallet).await),
                What::Check => worked(check(&client, &place, &wallet, &held).await),
            }
        }
    })
    .await
}

struct Side {
    server: Server,
    place: Place,
    /// Anchored, and known to nobody else.
    held: Arc<Held>,
}

/// Ours and the floor, in turn.
async fn against_floor(what: What, sides: [&Side; 2], wallet: &Arc<Wallet>, connections: usize) -> Result<(), Failure> {
    let seconds = service::number("BENCH_SECONDS", 4) as f64;
    let of = Load {
        connections,
        seconds,
        most: u64::MAX,
    };
    let [ours, floor] = service::in_turn(sides, async |side| {
        load(what, &side.server, &side.place, wallet, &side.held, of).await
    })
    .await?;
    let (name, many) = match what {
        What::Issuing => ("OpenID4VCI issuings", connections),
        What::Check => ("OpenID4VP checks", connections),
    };
    println!();
    row(
        &format!("{name}/s, {many} at once"),
        None,
        ours.rate,
        &format!("p99 {:.1} ms", ours.p99),
    );
    row(
        &format!("floor, {many} at once: {name}/s"),
        None,
        floor.rate,
        &format!("p99 {:.1} ms", floor.p99),
    );
    row(
        &format!("{name} : floor, {many} at once"),
        Some(('>', 0.7)),
        ours.rate / floor.rate,
        "",
    );
    row(
        &format!("{name} : floor by the server's processor time, {many} at once"),
        None,
        ours.per_cpu / floor.per_cpu,
        &format!("{:.0} a second of processor time", ours.per_cpu),
    );
    row(
        &format!("p99, {name} : floor, {many} at once"),
        None,
        ours.p99 / floor.p99,
        "",
    );
    row(
        &format!("failed {name}, {many} at once"),
        Some(('<', 0.0)),
        (ours.failed + floor.failed) as f64,
        "",
    );
    Ok(())
}

/// Memory before and with that many requests that wait for their wallets.
async fn memory(side: &Side) -> Result<(), Failure> {
    let sessions = service::number("BENCH_SESSIONS", 100_000);
    let (_, before) = side.server.used();
    let place = Arc::new(side.place.clone());
    let of = Load {
        connections: 64,
        seconds: 7_200.0,
        most: sessions,
    };
    let opened = service::load(&side.server, of, move |client| {
        let place = place.clone();
        async move { worked(ask(&client, &place).await) }
    })
    .await?;
    let (_, with) = side.server.used();
    println!();
    row(
        "requests that wait for a wallet",
        None,
        opened.done as f64,
        &format!("{:.0}/s", opened.rate),
    );
    row("failed requests", Some(('<', 0.0)), opened.failed as f64, "");
    row(
        "resident memory for them, MiB",
        Some(('<', 50.0)),
        with - before,
        &format!("{before:.0} MiB before, {with:.0} with them"),
    );
    Ok(())
}

async fn side(server: Server, place: Place, wallet: &Wallet) -> Result<Side, Failure> {
    let client = service::client(1)?;
    let held = Arc::new(issuing(&client, &place, wallet).await?);
    // The copy is anchored before it is checked: its evidence is asked for until it is there.
    let mut last = None;
    for _ in 0..200 {
        match check(&client, &place, wallet, &held).await {
            Ok(()) => return Ok(Side { server, place, held }),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(last.unwrap_or_else(|| "no check".into()))
}

fn start_floor(directory: &Path) -> Result<(Server, Place), Failure> {
    let program = service::programs()?.join("wallet_floor");
    let (server, url) = service::start(Command::new(program).arg(directory))?;
    let key = "floor".to_owned();
    let place = Place {
        url,
        laboratory: key.clone(),
        airline: key,
    };
    Ok((server, place))
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let vidimus = Vidimus::start(here.path()).await?;
    let wallet = Arc::new(Wallet::new());
    let place = Place {
        url: vidimus.url,
        laboratory: vidimus.laboratory,
        airline: vidimus.airline,
    };
    let ours = side(vidimus.server, place, &wallet).await?;
    let (server, place) = start_floor(there.path())?;
    let floor = side(server, place, &wallet).await?;
    for what in [What::Issuing, What::Check] {
        for connections in [1, 64, 400] {
            against_floor(what, [&ours, &floor], &wallet, connections).await?;
        }
    }
    memory(&ours).await
}
