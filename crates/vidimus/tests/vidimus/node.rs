//! Another Vidimus's embedded ledger, as it is served to this one: in good moods and in bad ones.

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::{
    io,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::sync::Notify;
use vidimus::clock::SystemClock;
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
}

/// The mood, and how many questions are still answered before it counts.
type Moment = Arc<Mutex<(Mood, u64)>>;

pub struct Node {
    pub url: String,
    moment: Moment,
    hanging: Arc<Notify>,
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
        let (of_the_moment, hangs) = (moment.clone(), hanging.clone());
        let limits = Limits {
            may_send: true,
            ..Limits::default()
        };
        let answer = move |body: Bytes| {
            let (ledger, mood, hangs) = (ledger.clone(), next(&of_the_moment), hangs.clone());
            async move {
                match mood {
                    Mood::Answers => rpc::handle(&*ledger, limits, &body).await.into_response(),
                    Mood::Refuses => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                    Mood::BreaksOff => broken_off(),
                    Mood::LosesTheAnswer => {
                        rpc::handle(&*ledger, limits, &body).await;
                        broken_off()
                    }
                    Mood::Hangs => {
                        hangs.notify_one();
                        std::future::pending::<Response>().await
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
            _folder: folder,
        }
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

fn broken_off() -> Response {
    let cut = [Ok(Bytes::from_static(b"{\"jsonrpc\":")), Err(io::Error::other("cut"))];
    Body::from_stream(futures::stream::iter(cut)).into_response()
}
