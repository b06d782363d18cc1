//! Another Vidimus's embedded ledger, as it is served to this one: in good moods and in bad ones.

use crate::harness::{TestApp, configuration, initialise};
use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use tempfile::TempDir;
use tokio::sync::Notify;
use vidimus::clock::SystemClock;
use vidimus_core::{Address, encoding::hex, time::Clock};
use vidimus_ledger::{
    Embedded, Genesis, Ledger,
    rpc::{self, Limits},
};

/// How it takes a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Answers,
    /// Says that it cannot now.
    Refuses,
    /// Closes the connection in the middle of its answer, and did nothing.
    BreaksOff,
    /// Does what it was asked; its answer is lost.
    LosesTheAnswer,
    /// Takes the question and never answers.
    Hangs,
    /// Answers, but each account has sent a thousand transactions more than it has.
    MakesUpNonces,
    /// Answers, but takes no transaction.
    TakesNoTransactions,
    /// Answers, but knows of no receipt yet: another node behind the same address, which is some blocks behind.
    HasNoReceipts,
    /// Answers, but has had enough questions for today where the history of a DID is read: of this identity, or of any.
    LimitsHistories(Option<Address>),
}

/// The mood, and how many questions are still answered before it counts.
type Moment = Arc<Mutex<(Mood, u64)>>;

pub struct Node {
    url: String,
    moment: Moment,
    hanging: Arc<Notify>,
    hidden: Arc<AtomicU64>,
    _folder: TempDir,
}

impl Node {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.redb");
        let ledger: Arc<dyn Ledger> =
            Arc::new(Embedded::open(&path, Genesis::default(), Arc::new(SystemClock)).unwrap());
        let moment = Moment::new(Mutex::new((Mood::Answers, 0)));
        let hanging = Arc::new(Notify::new());
        let hidden = Arc::new(AtomicU64::new(0));
        let (of_the_moment, hangs, hides) = (moment.clone(), hanging.clone(), hidden.clone());
        let limits = Limits {
            may_send: true,
            ..Limits::default()
        };
        let answer = move |body: Bytes| {
            let (ledger, mood) = (ledger.clone(), next(&of_the_moment));
            let (hangs, hides) = (hangs.clone(), hides.clone());
            async move {
                let handled = async || rpc::handle(&*ledger, limits, &body).await;
                match mood {
                    Mood::TakesNoTransactions if is_about(&body, "eth_sendRawTransaction") => {
                        StatusCode::SERVICE_UNAVAILABLE.into_response()
                    }
                    Mood::LimitsHistories(identity) if reads_history(&body, identity) => limited(&body),
                    Mood::Answers | Mood::TakesNoTransactions | Mood::LimitsHistories(_) => {
                        handled().await.into_response()
                    }
                    Mood::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    Mood::BreaksOff => broken_off(),
                    Mood::LosesTheAnswer => {
                        handled().await;
                        broken_off()
                    }
                    Mood::Hangs => {
                        hangs.notify_one();
                        std::future::pending::<Response>().await
                    }
                    Mood::MakesUpNonces => {
                        let mut answer: Value = serde_json::from_slice(&handled().await).unwrap();
                        if is_about(&body, "eth_getTransactionCount") {
                            let said = answer["result"].as_str().unwrap().trim_start_matches("0x").to_owned();
                            answer["result"] = json!(format!("{:#x}", u64::from_str_radix(&said, 16).unwrap() + 1_000));
                        }
                        answer.to_string().into_response()
                    }
                    Mood::HasNoReceipts => {
                        let mut answer: Value = serde_json::from_slice(&handled().await).unwrap();
                        if is_about(&body, "eth_getTransactionReceipt") {
                            hides.fetch_add(1, Ordering::SeqCst);
                            answer["result"] = Value::Null;
                        }
                        answer.to_string().into_response()
                    }
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            moment,
            hanging,
            hidden,
            _folder: folder,
        }
    }

    /// A deployment whose ledger it is, with nobody in it.
    pub async fn deployment(&self, clock: Arc<dyn Clock>) -> TestApp {
        let directory = TempDir::new().unwrap();
        let ledger = format!("[ledger]\nmode = \"network\"\nrpc_url = \"{}\"\n", self.url);
        let config = configuration(directory.path(), &ledger);
        initialise(&config).await;
        TestApp::opened(directory, config, clock).await
    }

    /// From now on it takes questions so.
    pub fn now(&self, mood: Mood) {
        self.after(0, mood);
    }

    /// It answers so many questions more, and takes what comes then so.
    pub fn after(&self, questions: u64, mood: Mood) {
        *self.moment.lock().unwrap() = (mood, questions);
    }

    /// How many of those are left that it still answers.
    pub fn left(&self) -> u64 {
        self.moment.lock().unwrap().1
    }

    /// How often it was asked for a receipt that it does not have.
    pub fn hidden(&self) -> u64 {
        self.hidden.load(Ordering::SeqCst)
    }

    /// Until it has a question that it never answers.
    pub async fn hanging(&self) {
        self.hanging.notified().await;
    }
}

fn next(moment: &Moment) -> Mood {
    let mut moment = moment.lock().unwrap();
    if moment.1 == 0 {
        return moment.0;
    }
    moment.1 -= 1;
    Mood::Answers
}

fn is_about(question: &[u8], method: &str) -> bool {
    serde_json::from_slice::<Value>(question).unwrap()["method"] == method
}

/// Whether a question is about what the DID registry logged of one identity in one block.
fn reads_history(question: &[u8], identity: Option<Address>) -> bool {
    let question: Value = serde_json::from_slice(question).unwrap();
    let filter = &question["params"][0];
    let word = identity.map_or(String::new(), |identity| hex(&identity.0));
    question["method"] == "eth_getLogs"
        && filter["fromBlock"] == filter["toBlock"]
        && filter["topics"]
            .to_string()
            .contains(&format!("{}{word}", "0".repeat(24)))
}

/// As those say it that sell access.
fn limited(question: &[u8]) -> Response {
    let question: Value = serde_json::from_slice(question).unwrap();
    let error = json!({"code": -32005, "message": "daily request count exceeded, request rate limited"});
    json!({"jsonrpc": "2.0", "id": question["id"], "error": error})
        .to_string()
        .into_response()
}

fn broken_off() -> Response {
    let cut = [Ok(Bytes::from_static(b"{\"jsonrpc\":")), Err(io::Error::other("cut"))];
    Body::from_stream(futures::stream::iter(cut)).into_response()
}
