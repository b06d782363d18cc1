//! `vidimus demo`: one certificate from the laboratory's result to the airline's check, and what forgers, thieves and replays meet.
//!
//! A real deployment in a directory of its own, asked over HTTP by the same functions that the other commands use. Every step states what must
//! come of it; one that gives anything else ends the demo with a failure.

use super::{
    Exit, Failure, Output, checking,
    client::{Server, idempotency_key, text, write},
    clock, init, issuing, participants,
    wallet::{Open, expected},
};
use crate::{
    app::{App, setup},
    http::{self, Guard},
    jobs,
};
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use vidimus_core::{
    Algorithm, Entropy as _, Secret, SecretBytes, Signer as _,
    encoding::{base64url, from_base64url, hex},
};
use vidimus_credential::presentation::Draft;
use vidimus_crypto::OsEntropy;

/// What the laboratory's system sends: an HL7 FHIR R4 bundle. Its times are brought to today.
const FHIR: &str = include_str!("../../../../vectors/samples/fhir/pcr-negative.json");
const SAMPLED: &str = "2025-03-02T09:15:00+01:00";
const REPORTED: [&str; 2] = ["2025-03-02T17:45:00+01:00", "2025-03-02T18:00:00+01:00"];

const CATEGORY: &str = "sars-cov-2-naat";
const PURPOSE: &str = "boarding";
const VC: &str = "vc-jwt-1.1";
const HCERT: &str = "hcert";

/// Show it all: one certificate from the laboratory's result to the airline's check, each step told.
///
/// Makes a deployment in a directory of its own, serves it on a free port of this machine, and plays authority, laboratory, traveller, airline,
/// forger and thief over HTTP. Ends with 0 only if every step gave what it must.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vidimus demo
  vidimus demo --home ./demo --keep      keeps the directory, and serves until it is stopped")]
pub struct Arguments {
    /// Directory for everything; it is kept. Without it a temporary one is used and removed.
    #[arg(long, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Go on serving at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

/// What was told so far.
struct Story {
    output: Output,
    steps: Vec<Value>,
}

impl Story {
    /// Tells a step that gave what it must; `facts` are ids and the like.
    fn done(&mut self, sentence: &str, facts: &[(&str, String)]) {
        let number = self.steps.len() + 1;
        if !self.output.json {
            let mut shown = format!("{number:>2}. ✓ {sentence}");
            for (name, value) in facts {
                shown.push_str(&format!("\n        {name:<12} {value}"));
            }
            self.output.answer(&shown, &Value::Null);
        }
        let facts: serde_json::Map<_, _> = facts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        self.steps
            .push(json!({"step": number, "done": sentence, "facts": facts}));
    }
}

/// What a step gave against what it must give.
fn must(what: &str, holds: bool, found: impl std::fmt::Display) -> Result<(), Failure> {
    if holds {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Internal,
        format!("the demo stops: {what}, but it gave: {found}"),
    ))
}

/// A check must give this verdict, and this reason among those of its tests.
fn must_check(what: &str, answer: &Value, verdict: &str, reason: &str) -> Result<String, Failure> {
    let found = answer["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|test| test["reason"] == reason);
    must(what, answer["verdict"] == verdict && found.is_some(), answer)?;
    let sentence =
        found.and_then(|test| serde_json::from_value::<vidimus_core::reason::Reason>(test["reason"].clone()).ok());
    Ok(sentence.map(|reason| reason.text().to_owned()).unwrap_or_default())
}

pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let start = clock().now();
    let home = Home::make(arguments.home.as_deref(), arguments.keep)?;
    let mut story = Story {
        output,
        steps: Vec::new(),
    };
    let served = Served::start(&home.path, &mut story).await?;
    let told = tell(&served, &home.path, &mut story).await;
    if told.is_ok() {
        let seconds = clock().now().0 - start.0;
        let mut shown = format!(
            "\nAll {} steps gave what they must, in {seconds} s.\n",
            story.steps.len()
        );
        shown.push_str(&whats_next(&served.url, &home, arguments.keep));
        output.answer(
            &shown,
            &json!({"steps": story.steps, "seconds": seconds, "url": served.url, "home": home.kept()}),
        );
        if arguments.keep {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    served.stop().await;
    told
}

fn whats_next(url: &str, home: &Home, keep: bool) -> String {
    let path = home.path.display();
    if keep {
        return format!(
            "\nWhat next, while it serves (Ctrl-C stops it):\n  {url}/openapi.json        the API\n  \
             {url}/v1/registry/issuers    who may issue\n  vidimus category list --url {url}\n  \
             files, keys and the certificate's QR code are in {path}"
        );
    }
    match home.kept() {
        Some(_) => format!("\nWhat next: everything is in {path}; serve it again with\n  vidimus --config {path}/vidimus.toml serve"),
        None => "\nWhat next:\n  ./run demo --home ./demo --keep   the same, kept and served, to look around in\n  \
                 ./run                             a deployment of your own\n  ./run --help                      all that there is"
            .into(),
    }
}

/// Where the demo lives; a temporary one goes with it.
struct Home {
    path: PathBuf,
    temporary: bool,
}

impl Home {
    fn make(named: Option<&Path>, keep: bool) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            None => {
                let mut random = [0; 8];
                OsEntropy.fill(&mut random);
                std::env::temp_dir().join(format!("vidimus-demo-{}", hex(&random)))
            }
        };
        if path.join("vidimus.toml").exists() {
            let text = format!(
                "there is a deployment in {} already: name another directory with --home",
                path.display()
            );
            return Err(Failure::new(Exit::Refused, text));
        }
        init::private_directory(&path)?;
        Ok(Self {
            path,
            temporary: named.is_none() && !keep,
        })
    }

    fn kept(&self) -> Option<&Path> {
        (!self.temporary).then_some(self.path.as_path())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// The deployment while it serves.
struct Served {
    url: String,
    token: Secret<String>,
    app: Arc<App>,
    jobs: jobs::Jobs,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), http::server::Error>>,
}

impl Served {
    async fn start(home: &Path, story: &mut Story) -> Result<Self, Failure> {
        let unavailable = |error: std::io::Error| Failure::unavailable(&error);
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(unavailable)?;
        listener.set_nonblocking(true).map_err(unavailable)?;
        let address = listener.local_addr().map_err(unavailable)?;
        let path = home.join("vidimus.toml");
        let text = format!(
            "# Made by `vidimus demo`.\ndata_dir = \"data\"\nroot_key = \"keys/root.key\"\n\n\
             [server]\nlisten = \"{address}\"\n\n[anchor]\ninterval_seconds = 1\n"
        );
        write(&path, text.as_bytes())?;
        let config = init::make(&init::Arguments::named("Vidimus demo", "AT"), &path).await?;
        story.done(
            "A deployment was made: root key, certificate authority, database.",
            &[("directory", home.display().to_string())],
        );
        let app = Arc::new(
            App::open(Arc::new(config), clock())
                .await
                .map_err(|error| Failure::setup(&error))?,
        );
        let token = setup::make_link(&app).await?.token;
        let stop = CancellationToken::new();
        let jobs = jobs::start(app.clone(), stop.clone());
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(http::server::serve(Guard::new(app.clone()), listener, None, stopped));
        let url = format!("http://{address}");
        story.done(
            "It serves, with its own ledger, and waits for its authority.",
            &[("address", url.clone())],
        );
        Ok(Self {
            url,
            token,
            app,
            jobs,
            stop,
            server,
        })
    }

    async fn stop(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.jobs.join()).await;
        let _ = tokio::time::timeout(Duration::from_secs(10), self.server).await;
        self.app.close().await;
    }

    fn anonymous(&self) -> Result<Server, Failure> {
        Server::new(&self.url, None)
    }

    fn with_key(&self, change: &Value) -> Result<Server, Failure> {
        Server::new(&self.url, Some(Secret::new(text(change, "/api_key"))))
    }
}

/// Who takes part.
struct Cast<'a> {
    home: &'a Path,
    anyone: Server,
    laboratory: Server,
    airline: Server,
    airline_did: String,
}

async fn tell(served: &Served, home: &Path, story: &mut Story) -> Result<(), Failure> {
    let cast = admit(served, home, story).await?;
    let mut wallet = Open::create(&home.join("traveller.wallet"), &passphrase(), served.app.facts.chain)?;
    story.done(
        "A traveller's wallet made an identity: three key pairs; no server and no chain was asked.",
        &[("DID", wallet.wallet.did().to_owned())],
    );
    let issued = issue(&cast, &wallet, story).await?;
    receive(&cast, &issued, &mut wallet, story).await?;
    let shown = board(&cast, &mut wallet, story).await?;
    attack(&cast, &wallet, &shown, served.app.facts.chain, story).await?;
    let root = offline(&cast, &mut wallet, story).await?;
    paper(&cast, &issued, story).await?;
    revoke(&cast, &issued, &mut wallet, &root, story).await
}

async fn admit<'a>(served: &Served, home: &'a Path, story: &mut Story) -> Result<Cast<'a>, Failure> {
    let anyone = served.anonymous()?;
    let body = json!({"token": served.token.expose(), "name": "Ministry of Health", "country": "AT"});
    let made = anyone.post("/v1/setup", &body).await?;
    let authority = served.with_key(&made)?;
    story.done(
        "The one-time link made the authority.",
        &[("Ministry", text(&made, "/participant/did"))],
    );
    let body = json!({"role": "issuer", "name": "Labor Donauraum", "country": "AT", "categories": [CATEGORY]});
    let laboratory = authority.post("/v1/participants", &body).await?;
    let attributes = [
        "family_name",
        "given_name",
        "birth_date",
        "result",
        "sampled_at",
        "valid_until",
    ];
    let body = json!({"role": "verifier", "name": "Danube Air", "country": "AT", "attributes": attributes, "purposes": [PURPOSE]});
    let airline = authority.post("/v1/participants", &body).await?;
    for admitted in [&laboratory, &airline] {
        let participant = participants::until_active(&authority, &text(admitted, "/participant/id")).await?;
        must(
            "an admission is on the ledger",
            participant["status"] == "active",
            &participant["status"],
        )?;
    }
    story.done(
        "The authority admitted a laboratory for one category and an airline for six attributes; the ledger has both.",
        &[
            ("laboratory", text(&laboratory, "/participant/did")),
            ("airline", text(&airline, "/participant/did")),
        ],
    );
    Ok(Cast {
        home,
        anyone,
        laboratory: served.with_key(&laboratory)?,
        airline: served.with_key(&airline)?,
        airline_did: text(&airline, "/participant/did"),
    })
}

/// The demo's wallets live as long as it does; with a kept directory their passphrases are beyond recall on purpose.
fn passphrase() -> SecretBytes {
    let mut random = [0; 32];
    OsEntropy.fill(&mut random);
    Secret::new(hex(&random).into_bytes())
}

async fn issue(cast: &Cast<'_>, wallet: &Open, story: &mut Story) -> Result<Value, Failure> {
    let now = clock().now();
    let (sampled, reported) = (now.plus(-5 * 3_600).to_rfc3339(), now.plus(-3_600).to_rfc3339());
    let fhir = REPORTED.iter().fold(FHIR.replace(SAMPLED, &sampled), |fhir, old| {
        fhir.replace(old, &reported)
    });
    let fhir: Value = serde_json::from_str(&fhir).map_err(|_| Failure::new(Exit::Internal, "the sample is JSON"))?;
    let body = json!({"fhir": fhir, "card": wallet.card()?, "formats": [VC, HCERT], "wait": true});
    let issued = cast.laboratory.create("/v1/results", &body, &idempotency_key()).await?;
    must("the copies are anchored", issuing::anchored(&issued), &issued)?;
    story.done(
        "The laboratory reported a negative PCR test (HL7 FHIR); it was signed, sealed for the traveller and anchored.",
        &[
            ("certificate", text(&issued, "/certificate")),
            ("as VC-JWT", text(issuing::copy_of(&issued, VC)?, "/content_id")),
            ("as HCERT", text(issuing::copy_of(&issued, HCERT)?, "/content_id")),
        ],
    );
    Ok(issued)
}

async fn receive(cast: &Cast<'_>, issued: &Value, wallet: &mut Open, story: &mut Story) -> Result<(), Failure> {
    for format in [VC, HCERT] {
        let content = text(issuing::copy_of(issued, format)?, "/content_id");
        let sealed = cast.anyone.bytes(&format!("/ipfs/{content}?format=raw")).await?;
        wallet.receive(&sealed, cast.anyone.url())?;
    }
    wallet.fetch_receipts(&cast.anyone).await?;
    let missing = wallet
        .wallet
        .held()
        .iter()
        .filter(|held| held.envelope().receipt.is_none())
        .count();
    must("every receipt came", missing == 0, format!("{missing} missing"))?;
    let account = wallet.signers()?.account;
    let signed = wallet.wallet.counter_sign(1, &account, clock().now());
    signed.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    wallet.save()?;
    let facts = [("holds", "a VC-JWT and an HCERT, each with its receipt".into())];
    story.done(
        "The wallet fetched both by content id, opened them with its key, and counter-signed.",
        &facts,
    );
    Ok(())
}

/// A request and the wallet's answer to it.
async fn present(cast: &Cast<'_>, wallet: &mut Open) -> Result<String, Failure> {
    let request = cast
        .airline
        .post("/v1/presentation-requests", &json!({"purpose": PURPOSE}))
        .await?;
    answer(wallet, &request)
}

fn answer(wallet: &mut Open, request: &Value) -> Result<String, Failure> {
    let account = wallet.signers()?.account;
    let shown = wallet
        .wallet
        .present(&[1], &expected(request)?, &account, clock().now());
    wallet.save()?;
    shown.map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}

async fn check(cast: &Cast<'_>, input: &str) -> Result<Value, Failure> {
    cast.airline
        .post("/v1/checks", &json!({"input": input, "purpose": PURPOSE}))
        .await
}

async fn board(cast: &Cast<'_>, wallet: &mut Open, story: &mut Story) -> Result<String, Failure> {
    let shown = present(cast, wallet).await?;
    story.done(
        "The airline asked, with a nonce; the wallet answered with a presentation that holds for a minute.",
        &[],
    );
    let answer = check(cast, &shown).await?;
    must_check("the presentation checks as valid", &answer, "valid", "nonce_ok")?;
    must(
        "the result is among the attributes",
        !answer["attributes"]["result"].is_null(),
        &answer,
    )?;
    let mut facts = vec![
        ("verdict", "VALID: every required test passed".to_owned()),
        ("issuer", text(&answer, "/issuer")),
    ];
    for name in ["family_name", "given_name", "birth_date", "result", "sampled_at"] {
        let words = checking::words(&answer, name).map_or_else(String::new, |words| format!(" ({words})"));
        facts.push((name, text(&answer["attributes"], &format!("/{name}")) + &words));
    }
    story.done(
        "The airline checked it: valid. It sees the attributes it was admitted for, and no others.",
        &facts,
    );
    Ok(shown)
}

async fn attack(cast: &Cast<'_>, wallet: &Open, shown: &str, chain: u64, story: &mut Story) -> Result<(), Failure> {
    let internal = |_| Failure::new(Exit::Internal, "a certificate that was issued reads");
    let envelope = wallet.wallet.held()[0].envelope();
    let forged = json!({"copy": forge(&envelope.copy)?, "salt": envelope.salt, "receipt": envelope.receipt});
    let answer = check(cast, &forged.to_string()).await?;
    let reason = must_check(
        "a forged certificate is invalid",
        &answer,
        "invalid",
        "signature_invalid",
    )?;
    must(
        "nothing of a forged certificate is shown",
        answer["attributes"] == json!({}),
        &answer,
    )?;
    story.done(
        "A forger changed one byte, a digit of the birth date: invalid.",
        &[("reason", reason)],
    );

    let thief = Open::create(&cast.home.join("thief.wallet"), &passphrase(), chain)?;
    let request = cast
        .airline
        .post("/v1/presentation-requests", &json!({"purpose": PURPOSE}))
        .await?;
    let draft = Draft {
        holder: thief.wallet.did(),
        audience: &text(&request, "/audience"),
        nonce: &text(&request, "/nonce"),
        purpose: Some(PURPOSE),
        issued_at: clock().now(),
        expires_at: clock().now().plus(60),
        envelopes: std::slice::from_ref(envelope),
        card: None,
    };
    let unsigned = draft.prepare(Algorithm::Es256k);
    let signature = thief
        .signers()?
        .account
        .sign(Algorithm::Es256k, unsigned.message())
        .map_err(internal)?;
    let answer = check(cast, &unsigned.finish(&signature)).await?;
    let reason = must_check(
        "a stolen certificate is invalid",
        &answer,
        "invalid",
        "holder_binding_invalid",
    )?;
    story.done(
        "A thief showed the traveller's certificate from another wallet: invalid.",
        &[("reason", reason)],
    );

    let answer = check(cast, shown).await?;
    let reason = must_check("a presentation works once", &answer, "invalid", "nonce_mismatch")?;
    story.done(
        "The traveller's own presentation, shown a second time: refused.",
        &[("reason", reason)],
    );
    Ok(())
}

/// The certificate with another digit in the year of birth.
fn forge(copy: &str) -> Result<String, Failure> {
    let internal = || Failure::new(Exit::Internal, "the demo's certificate is a JWT with a date of birth");
    let mut parts: Vec<&str> = copy.split('.').collect();
    let payload = from_base64url(parts.get(1).ok_or_else(internal)?).map_err(|_| internal())?;
    let payload = String::from_utf8(payload).map_err(|_| internal())?;
    let altered = payload.replacen("1987-05-14", "1986-05-14", 1);
    must("the forger finds the date of birth", altered != payload, "no such date")?;
    let altered = base64url(altered.as_bytes());
    parts[1] = &altered;
    Ok(parts.join("."))
}

async fn offline(cast: &Cast<'_>, wallet: &mut Open, story: &mut Story) -> Result<PathBuf, Failure> {
    let (bundle, root) = (cast.home.join("bundle.jwt"), cast.home.join("root.pem"));
    checking::fetch_root(&cast.anyone, &root).await?;
    checking::fetch_bundle(&cast.anyone, &bundle, &root).await?;
    let answer = check_offline(cast, wallet, &root, 1)?;
    must_check("it checks as valid offline", &answer, "valid", "receipt_ok")?;
    let age = text(&answer, "/bundle/age");
    story.done(
        "A gate without a network checked another presentation with a bundle and the root certificate: valid.",
        &[(
            "bundle",
            format!("version {}, {age} s old", text(&answer, "/bundle/version")),
        )],
    );
    Ok(root)
}

/// A check by a gate that reaches nobody: a request of its own, the bundle, the root.
fn check_offline(cast: &Cast<'_>, wallet: &mut Open, root: &Path, number: u8) -> Result<Value, Failure> {
    let path = cast.home.join(format!("request-{number}.json"));
    let request = checking::local_request(&cast.airline_did, PURPOSE);
    write(&path, request.to_string().as_bytes())?;
    let shown = answer(wallet, &request)?;
    checking::offline(shown.as_bytes(), &cast.home.join("bundle.jwt"), root, Some(&path), &[])
}

async fn paper(cast: &Cast<'_>, issued: &Value, story: &mut Story) -> Result<(), Failure> {
    let path = format!("/v1/results/{}/copies", text(issued, "/result"));
    let view = cast
        .laboratory
        .create(&path, &json!({"formats": [HCERT]}), &idempotency_key())
        .await?;
    let copies = || view["copies"].as_array().into_iter().flatten();
    let paper = copies()
        .find(|copy| copy["content_id"].is_null())
        .map(|copy| text(copy, "/id"))
        .unwrap_or_default();
    must("there is a paper copy", !paper.is_empty(), &view)?;
    let certificate = format!("/v1/certificates/{}", text(issued, "/certificate"));
    let anchored = async {
        while !issuing::anchored(&cast.laboratory.get(&certificate).await?) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, Failure>(())
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), anchored).await;
    must(
        "the paper copy is anchored within 20 s",
        in_time.is_ok(),
        "still waiting",
    )?;
    in_time.unwrap_or(Ok(()))?;
    let draw = async |form: &str| {
        cast.laboratory
            .bytes(&format!("/v1/copies/{paper}/paper?form={form}"))
            .await
    };
    let (svg, png, qr) = (draw("svg").await?, draw("png").await?, draw("text").await?);
    must(
        "the SVG is one",
        svg.starts_with(b"<?xml") || svg.starts_with(b"<svg"),
        "something else",
    )?;
    must("the PNG is one", png.starts_with(b"\x89PNG"), "something else")?;
    write(&cast.home.join("paper.svg"), &svg)?;
    write(&cast.home.join("paper.png"), &png)?;
    let qr = String::from_utf8_lossy(&qr).into_owned();
    let answer = check(cast, &qr).await?;
    must_check("paper checks as valid", &answer, "valid", "receipt_ok")?;
    story.done(
        "A paper copy was drawn as a QR code, and the text in it checked: valid.",
        &[
            (
                "QR code",
                format!("{}, and paper.png", cast.home.join("paper.svg").display()),
            ),
            ("text", format!("{}…", &qr[..qr.len().min(40)])),
        ],
    );
    Ok(())
}

async fn revoke(
    cast: &Cast<'_>,
    issued: &Value,
    wallet: &mut Open,
    root: &Path,
    story: &mut Story,
) -> Result<(), Failure> {
    let path = format!("/v1/certificates/{}/revoke", text(issued, "/certificate"));
    let view = cast.laboratory.post(&path, &json!({"reason": "error"})).await?;
    must(
        "the certificate is revoked",
        view["status"] == "revoked",
        &view["status"],
    )?;
    story.done(
        "The laboratory found an error and revoked the certificate.",
        &[("certificate", text(&view, "/certificate"))],
    );
    let shown = present(cast, wallet).await?;
    let reason = must_check(
        "a revoked certificate is invalid",
        &check(cast, &shown).await?,
        "invalid",
        "revoked",
    )?;
    story.done("The airline checked once more: invalid.", &[("reason", reason)]);
    checking::fetch_bundle(&cast.anyone, &cast.home.join("bundle.jwt"), root).await?;
    let answer = check_offline(cast, wallet, root, 2)?;
    let reason = must_check(
        "a revoked certificate is invalid offline",
        &answer,
        "invalid",
        "revoked",
    )?;
    story.done(
        "So did the gate without a network, once it had a fresh bundle: invalid.",
        &[("reason", reason)],
    );
    Ok(())
}
