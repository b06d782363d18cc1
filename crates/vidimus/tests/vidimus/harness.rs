//! A whole deployment in a temporary directory, asked through its real router.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vidimus::{
    app::{App, deployment, setup},
    clock::SystemClock,
    config::{Config, Database},
    http::{self, Guard},
};

use vidimus_core::{Timestamp, time::Clock};
use vidimus_store::testing::Place;

/// Runs tests that take a deployment on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$name($crate::harness::TestApp::new().await).await;
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn postgresql() {
                let Some(app) = $crate::harness::TestApp::postgres().await else { return };
                super::$name(app).await;
            }
        }
    )*};
}
pub(crate) use on_both;

/// A deployment with its jobs running.
pub struct TestApp {
    pub app: Arc<App>,
    pub guard: Arc<Guard>,
    _directory: TempDir,
    router: Router,
    stop: CancellationToken,
    jobs: Mutex<Option<vidimus::jobs::Jobs>>,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An answer, its body read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} is not JSON ({error}): {}", self.status, self.text()))
    }
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The stable name of the problem.
    pub fn problem(&self) -> String {
        let kind = self
            .headers
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{}: {}",
            self.status,
            self.text()
        );
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        for member in ["title", "detail", "next"] {
            assert!(
                document[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {document}"
            );
        }
        let id = self.headers["x-request-id"].to_str().unwrap();
        assert_eq!(document["instance"], format!("urn:uuid:{id}"));
        document["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:vidimus:error:")
            .unwrap()
            .to_owned()
    }
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }
    /// The body without what tells one occurrence from another.
    pub fn comparable(&self) -> (StatusCode, Value) {
        let mut body = self.json();
        body.as_object_mut().unwrap().remove("instance");
        (self.status, body)
    }
}

/// A configuration in `directory`; `more` is added to it.
pub fn configuration(directory: &Path, more: &str) -> Config {
    let text = format!("data_dir = \"data\"\nroot_key = \"keys/root.key\"\n[anchor]\ninterval_seconds = 1\n{more}");
    Config::parse(&text, Path::new("test.toml"), directory, []).expect("a test's configuration")
}

/// The address of a PostgreSQL database as a configuration file has it.
pub fn postgres_url(place: &Place) -> String {
    let vidimus_store::Config::Postgres { url, .. } = &place.config else {
        unreachable!("a PostgreSQL place")
    };
    let of = |name: &str| {
        let pair = url
            .split(' ')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap().replace('/', "%2F")
    };
    format!("postgresql://{}@{}/{}", of("user"), of("host"), of("dbname"))
}

/// What `vidimus init` does.
pub async fn initialise(config: &Config) {
    for made in [&config.data_dir, &config.blobs.path] {
        std::fs::create_dir_all(made).unwrap();
    }
    std::fs::create_dir_all(config.root_key.parent().unwrap()).unwrap();
    deployment::init(config, "Test", "AT", SystemClock.now()).await.unwrap();
}

/// The time, so much later.
#[derive(Default)]
pub struct Later(AtomicI64);

impl Later {
    pub fn by(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for Later {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.0.load(Ordering::SeqCst))
    }
}

impl TestApp {
    /// On SQLite.
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// On PostgreSQL; `None` where it is not installed.
    pub async fn postgres() -> Option<Self> {
        Self::postgres_with("").await
    }

    /// On PostgreSQL, with more configuration.
    pub async fn postgres_with(more: &str) -> Option<Self> {
        let place = vidimus_store::testing::postgres()?;
        let vidimus_store::Config::Postgres { url, .. } = &place.config else {
            unreachable!("a PostgreSQL place")
        };
        let database = Database::Postgres(vidimus_core::Secret::new(url.clone()));
        Some(Self::made(more, Some(database)).await)
    }

    /// With more configuration.
    pub async fn with(more: &str) -> Self {
        Self::made(more, None).await
    }

    /// On SQLite; nothing is anchored within a test.
    pub async fn slow_to_anchor() -> Self {
        Self::changed("", None, |config| config.anchor.interval_seconds = 3_600).await
    }

    async fn made(more: &str, database: Option<Database>) -> Self {
        Self::changed(more, database, |_| {}).await
    }

    async fn changed(more: &str, database: Option<Database>, change: impl FnOnce(&mut Config)) -> Self {
        let directory = TempDir::new().unwrap();
        let mut config = configuration(directory.path(), more);
        change(&mut config);
        config.database = database.unwrap_or(config.database);
        initialise(&config).await;
        Self::opened(directory, config, Arc::new(SystemClock)).await
    }

    /// Opens what was initialised.
    pub async fn opened(directory: TempDir, config: Config, clock: Arc<dyn Clock>) -> Self {
        let app = Arc::new(App::open(Arc::new(config), clock).await.unwrap());
        let stop = CancellationToken::new();
        let jobs = vidimus::jobs::start(app.clone(), stop.clone());
        let guard = Guard::new(app.clone());
        Self {
            router: http::router(&guard),
            app,
            guard,
            _directory: directory,
            stop,
            jobs: Mutex::new(Some(jobs)),
        }
    }

    /// Ends the jobs: what the ledger has from now on is not seen as final until somebody reads it.
    pub async fn end_jobs(&self) {
        self.stop.cancel();
        let jobs = self.jobs.lock().unwrap().take();
        jobs.expect("they are ended once").join().await;
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router does not fail");
        let (parts, body) = response.into_parts();
        // A stream has no end to wait for.
        let streams = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let body = if streams { Body::empty() } else { body };
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request whose answer is a stream.
    pub async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("the router does not fail")
    }

    /// Sends a request, JSON where there is a body.
    pub async fn ask(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str, key: Option<&str>) -> Answer {
        self.ask(Method::GET, path, key, None).await
    }

    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Answer {
        self.ask(Method::POST, path, key, Some(body)).await
    }

    /// Makes the authority and gives its API key.
    pub async fn set_up(&self) -> String {
        let link = setup::make_link(&self.app).await.unwrap();
        let body = json!({"token": link.token.expose(), "name": "Ministry of Health", "country": "AT"});
        let made = self.post("/v1/setup", None, &body).await.expect(StatusCode::CREATED);
        made["api_key"].as_str().unwrap().to_owned()
    }

    /// Admits a participant and waits until the ledger has it.
    pub async fn admit(&self, authority: &str, admission: &Value) -> Participant {
        // The contracts may still be on their way to the authority: as the answer says, again then.
        let mut answer = self.post("/v1/participants", Some(authority), admission).await;
        self.until("the contracts are handed over", async || {
            if answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.problem() == "hand-over" {
                answer = self.post("/v1/participants", Some(authority), admission).await;
            }
            answer.status != StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
        let made = answer.expect(StatusCode::CREATED);
        let key = made["api_key"].as_str().unwrap().to_owned();
        let id = made["participant"]["id"].as_str().unwrap().to_owned();
        self.until("the admission is on the ledger", async || {
            let profile = self.get("/v1/profile", Some(&key)).await.expect(StatusCode::OK);
            profile["status"] == "active"
        })
        .await;
        Participant { id, key }
    }

    /// What an airline is told of an input: the verdict, and every reason.
    pub async fn check(&self, airline: &str, input: &str) -> (String, Vec<String>) {
        let body = json!({"input": input, "purpose": "boarding"});
        let answer = self.post("/v1/checks", Some(airline), &body).await;
        let answer = answer.expect(StatusCode::OK);
        let reasons = answer["tests"].as_array().unwrap().iter();
        (
            answer["verdict"].as_str().unwrap().to_owned(),
            reasons
                .map(|test| test["reason"].as_str().unwrap().to_owned())
                .collect(),
        )
    }

    /// Waits for what jobs do, at most 30 seconds.
    pub async fn until(&self, what: &str, there: impl AsyncFnMut() -> bool) {
        crate::program::until_async(what, Duration::from_secs(30), there).await;
    }
}

/// An admitted participant.
pub struct Participant {
    pub id: String,
    pub key: String,
}

/// A laboratory's admission.
pub fn laboratory(name: &str) -> Value {
    json!({"role": "issuer", "name": name, "country": "AT", "categories": ["sars-cov-2-naat"]})
}

/// An airline's admission.
pub fn airline(name: &str) -> Value {
    json!({"role": "verifier", "name": name, "country": "AT", "attributes": ["family_name"], "purposes": ["boarding"]})
}

/// A laboratory's report of a negative test of the person with this passport, on paper.
pub fn result(passport: &str) -> Value {
    let now = vidimus_core::time::Clock::now(&SystemClock);
    json!({
        "claims": {
            "person": {"family_name": "Musterfrau", "given_name": "Gabriele", "birth_date": "1998-02-26"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": now.plus(-3_600).to_rfc3339(),
                "result": "260415000",
                "test_name": "TaqPath COVID-19 RT-PCR",
                "testing_centre": "Labor Donauraum GmbH",
                "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": passport},
        "formats": ["hcert"],
    })
}
