//! Certificates of another country at the airline's check: whom the operator trusts decides, and what the country says of their status.

use crate::{
    foreign::{Country, REVOKED, list_by, list_of, pem, signed_permit},
    harness::{Participant, TestApp, airline},
    receiver::Receiver,
};
use axum::{
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tempfile::TempDir;
use vidimus_core::{Signer as _, encoding::base64};

const TYPE: &str = "application/statuslist+jwt";

/// What the country's server answers at a path.
#[derive(Clone)]
struct Page {
    path: String,
    status: StatusCode,
    kind: String,
    body: String,
}

/// The country's server.
#[derive(Clone, Default)]
struct Served(Arc<Mutex<Vec<Page>>>);

impl Served {
    fn set(&self, path: &str, status: StatusCode, kind: &str, body: String) {
        let mut all = self.0.lock().unwrap();
        all.retain(|page| page.path != path);
        all.push(Page {
            path: path.to_owned(),
            status,
            kind: kind.to_owned(),
            body,
        });
    }
    fn list(&self, path: &str, token: String) {
        self.set(path, StatusCode::OK, TYPE, token);
    }
    fn answer(&self, path: &str) -> Response {
        let found = self.0.lock().unwrap().iter().find(|page| page.path == path).cloned();
        let Some(page) = found else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let response = Response::builder()
            .status(page.status)
            .header(header::CONTENT_TYPE, page.kind);
        match page.status.is_redirection() {
            true => response.header(header::LOCATION, page.body).body(Body::empty()),
            false => response.body(Body::from(page.body)),
        }
        .unwrap()
    }
}

/// An airline, a country that nobody trusts yet, and its server.
struct Gate {
    app: TestApp,
    authority: String,
    airline: Participant,
    country: Country,
    trust: TempDir,
    served: Served,
    server: Receiver,
}

impl Gate {
    async fn new() -> Self {
        let trust = TempDir::new().unwrap();
        for role in ["issuers", "status"] {
            std::fs::create_dir(trust.path().join(role)).unwrap();
        }
        let more = format!(
            "[trust]\ndirectory = {:?}\n[outside]\nloopback = true\n",
            trust.path().display().to_string()
        );
        let app = TestApp::with(&more).await;
        let authority = app.set_up().await;
        let served = Served::default();
        let answers = served.clone();
        Self {
            airline: app.admit(&authority, &airline("Danube Air")).await,
            country: Country::new(),
            server: Receiver::plain(move |path, _| answers.answer(path)).await,
            app,
            authority,
            trust,
            served,
        }
    }

    /// With the country's authority trusted.
    async fn trusting() -> Self {
        let gate = Self::new().await;
        std::fs::write(gate.file("issuers/country.pem"), gate.country.root_pem()).unwrap();
        gate
    }

    fn file(&self, name: &str) -> PathBuf {
        self.trust.path().join(name)
    }

    /// Where the country serves a list.
    fn uri(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.server.port)
    }

    async fn check(&self, copy: &str) -> Value {
        let body = json!({"input": copy, "purpose": "boarding"});
        let answer = self.app.post("/v1/checks", Some(&self.airline.key), &body).await;
        answer.expect(StatusCode::OK)
    }

    /// Verdict, and the reasons of issuer and status.
    async fn verdict(&self, copy: &str) -> [String; 3] {
        let answer = self.check(copy).await;
        let reason = |test: &str| test_of(&answer, test)["reason"].as_str().unwrap().to_owned();
        [
            answer["verdict"].as_str().unwrap().to_owned(),
            reason("issuer"),
            reason("status"),
        ]
    }

    /// Looked at again until the directory was read anew.
    async fn until(&self, what: &str, copy: &str, wanted: [&str; 3]) {
        self.app.until(what, async || self.verdict(copy).await == wanted).await;
    }
}

fn test_of<'a>(answer: &'a Value, test: &str) -> &'a Value {
    let all = answer["tests"].as_array().unwrap();
    all.iter().find(|one| one["test"] == test).unwrap()
}

#[tokio::test]
async fn a_certificate_that_was_revoked_at_home_is_revoked_here() {
    let gate = Gate::trusting().await;
    let uri = gate.uri("/lists/1");
    gate.served.list("/lists/1", gate.country.list(&uri, Some(300)));
    let good = gate.country.permit(&uri, 5);
    let answer = gate.check(&good).await;
    assert_eq!(answer["verdict"], "valid", "{answer}");
    let status = test_of(&answer, "status");
    assert_eq!(
        (status["reason"].as_str(), status["required"].as_bool()),
        (Some("status_ok"), Some(true))
    );
    assert!((5..60).contains(&status["age"].as_i64().unwrap()), "{status}");
    let revoked = gate.country.permit(&uri, REVOKED);
    assert_eq!(gate.verdict(&revoked).await, ["invalid", "issuer_trusted", "revoked"]);
    // Both from one list, that was fetched once and whole: nothing says whose certificate it was for.
    let requests = gate.server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!((requests[0].path.as_str(), requests[0].body.len()), ("/lists/1", 0));
    assert_eq!(requests[0].header("accept"), TYPE);
    assert!(requests[0].headers.get("referer").is_none() && requests[0].headers.get("cookie").is_none());
}

#[tokio::test]
async fn a_list_is_fetched_again_when_it_is_due_and_never_replaced_by_an_older_one() {
    let gate = Gate::trusting().await;
    let uri = gate.uri("/lists/1");
    let before = list_of(&gate.country.lists, &uri, Some(1), &[], 10);
    gate.served.list("/lists/1", before.clone());
    let copy = gate.country.permit(&uri, 5);
    assert_eq!(gate.verdict(&copy).await[0], "valid");
    gate.app
        .until("a second has passed", async || {
            let now = list_by(&gate.country.lists, &uri, Some(1), &[5]);
            gate.served.list("/lists/1", now);
            gate.verdict(&copy).await == ["invalid", "issuer_trusted", "revoked"]
        })
        .await;
    // Whoever serves the earlier list again revives nothing.
    gate.served.list("/lists/1", before);
    let asked = gate.server.requests().len();
    gate.app
        .until("it was asked for again", async || {
            assert_eq!(gate.verdict(&copy).await[2], "revoked");
            gate.server.requests().len() > asked
        })
        .await;
    assert_eq!(gate.verdict(&copy).await[2], "revoked");
}

#[tokio::test]
async fn without_its_list_a_certificate_is_not_valid() {
    let gate = Gate::trusting().await;
    let missing = ["undetermined", "issuer_trusted", "status_missing"];
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = closed.local_addr().unwrap().port();
    drop(closed);
    let list = |path: &str| gate.country.list(&gate.uri(path), None);
    gate.served.set("/html", StatusCode::OK, "text/html", list("/html"));
    gate.served.set("/gone", StatusCode::GONE, TYPE, list("/gone"));
    gate.served
        .set("/inside", StatusCode::FOUND, TYPE, "http://10.0.0.1/list".into());
    gate.served.set("/circle", StatusCode::FOUND, TYPE, gate.uri("/circle"));
    gate.served
        .set("/large", StatusCode::OK, TYPE, "x".repeat((16 << 20) + 1));
    let own = gate.app.app.url("/v1/status/1/token");
    for uri in [
        gate.uri("/none"),
        gate.uri("/html"),
        gate.uri("/gone"),
        gate.uri("/inside"),
        gate.uri("/circle"),
        gate.uri("/large"),
        format!("http://127.0.0.1:{nobody}/lists/1"),
        "https://10.0.0.1/lists/1".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
        "lists/1".to_owned(),
        own,
    ] {
        assert_eq!(gate.verdict(&gate.country.permit(&uri, 5)).await, missing, "{uri}");
    }
    // What did not come is not asked for at once again.
    let asked = gate.server.requests().len();
    assert_eq!(gate.verdict(&gate.country.permit(&gate.uri("/gone"), 5)).await, missing);
    assert_eq!(gate.server.requests().len(), asked);
    // What is no such list says nothing good either.
    gate.served.list("/other", list("/lists/1"));
    gate.served.list("/cut", list("/cut")[..500].to_owned());
    for path in ["/other", "/cut"] {
        let copy = gate.country.permit(&gate.uri(path), 5);
        let invalid = ["invalid", "issuer_trusted", "status_invalid"];
        assert_eq!(gate.verdict(&copy).await, invalid, "{path}");
    }
    // One that needs a status and names none.
    let copy = gate
        .country
        .permit_with(|claims| claims["vct"] = json!("https://health.example/v1/types/sars-cov-2-naat"));
    let answer = gate.check(&copy).await;
    assert_ne!(answer["verdict"], "valid");
    assert_eq!(test_of(&answer, "status")["reason"], "status_absent");
}

#[tokio::test]
async fn nobody_is_asked_about_what_no_trusted_issuer_signed() {
    let gate = Gate::trusting().await;
    let uri = gate.uri("/lists/1");
    gate.served.list("/lists/1", gate.country.list(&uri, None));
    let status = |claims: &mut Value| claims["status"] = json!({"status_list": {"idx": 5, "uri": uri}});
    let stranger = Country::new().permit_with(status);
    let expired = gate.country.permit_with(|claims| {
        status(claims);
        claims["exp"] = json!(crate::foreign::now().plus(-1));
    });
    let by_lists = signed_permit(&gate.country.lists, status);
    let mut altered = gate.country.permit_with(status);
    let place = altered.len() - 10;
    let swap = if altered.as_bytes()[place] == b'A' { "B" } else { "A" };
    altered.replace_range(place..=place, swap);
    for (what, copy) in [
        ("of a stranger", stranger),
        ("expired", expired),
        ("by who signs lists", by_lists),
        ("altered", altered),
    ] {
        assert_eq!(gate.check(&copy).await["verdict"], "invalid", "{what}");
    }
    assert_eq!(gate.server.connections(), 0);
    assert_eq!(gate.verdict(&gate.country.permit_with(status)).await[0], "valid");
    assert_eq!(gate.server.connections(), 1);
}

#[tokio::test]
async fn who_is_dropped_into_the_directory_or_taken_out_counts_without_a_restart() {
    let gate = Gate::new().await;
    let (uri, other) = (gate.uri("/lists/1"), Country::new());
    gate.served.list("/lists/1", list_by(&other.lists, &uri, None, &[]));
    let copy = gate.country.permit(&uri, 5);
    let unknown = ["invalid", "issuer_unknown", "status_missing"];
    assert_eq!(gate.verdict(&copy).await, unknown);
    std::fs::write(gate.file("issuers/country.pem"), gate.country.root_pem()).unwrap();
    let unknown_list = ["undetermined", "issuer_trusted", "status_missing"];
    gate.until(
        "the authority counts; who signed its list does not",
        &copy,
        unknown_list,
    )
    .await;
    // By the authority over signers of lists, by the signer's certificate, and by its key.
    let jwks = json!({"keys": [other.lists.0.public_key()]}).to_string();
    for (name, content) in [
        ("status/lists.pem", other.root_pem()),
        ("status/lists.pem", pem(&other.lists.1)),
        ("status/lists.json", jwks),
    ] {
        std::fs::write(gate.file(name), content).unwrap();
        let valid = ["valid", "issuer_trusted", "status_ok"];
        gate.until("the signer of lists counts", &copy, valid).await;
        std::fs::remove_file(gate.file(name)).unwrap();
        gate.until("it does not any more", &copy, unknown_list).await;
    }
    // A signer of lists is trusted with lists and nothing else.
    std::fs::write(gate.file("status/lists.pem"), other.root_pem()).unwrap();
    let theirs = other.permit(&uri, 5);
    gate.until(
        "the signer of lists counts",
        &copy,
        ["valid", "issuer_trusted", "status_ok"],
    )
    .await;
    assert_eq!(gate.verdict(&theirs).await[0], "invalid");
    std::fs::remove_file(gate.file("issuers/country.pem")).unwrap();
    gate.until(
        "nobody is trusted any more",
        &copy,
        ["invalid", "issuer_unknown", "status_missing"],
    )
    .await;
    // An issuer's own certificate.
    std::fs::write(gate.file("issuers/office.pem"), pem(&gate.country.issuer.1)).unwrap();
    gate.until("the issuer counts", &copy, ["valid", "issuer_trusted", "status_ok"])
        .await;
}

#[tokio::test]
async fn many_checks_at_once_fetch_a_list_once() {
    let gate = Gate::trusting().await;
    let uri = gate.uri("/lists/1");
    gate.served.list("/lists/1", gate.country.list(&uri, None));
    let copies: Vec<String> = (10..30).map(|place| gate.country.permit(&uri, place)).collect();
    let verdicts = futures::future::join_all(copies.iter().map(|copy| gate.verdict(copy))).await;
    assert!(verdicts.iter().all(|verdict| verdict[0] == "valid"), "{verdicts:?}");
    assert_eq!(gate.server.requests().len(), 1);
}

/// A host that takes connections and never answers.
async fn silent() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, taken)
}

/// A newer list whose signer nobody knows takes nothing back.
#[tokio::test]
async fn what_a_known_signer_said_holds_against_an_unknown_one() {
    let gate = Gate::trusting().await;
    let uri = gate.uri("/lists/1");
    let known = list_of(&gate.country.lists, &uri, Some(1), &[5], 10);
    gate.served.list("/lists/1", known);
    let (revoked, good) = (gate.country.permit(&uri, 5), gate.country.permit(&uri, 6));
    assert_eq!(gate.verdict(&revoked).await, ["invalid", "issuer_trusted", "revoked"]);
    let asked = gate.server.requests().len();
    gate.served
        .list("/lists/1", list_by(&Country::new().lists, &uri, Some(300), &[]));
    gate.app
        .until("the other list was fetched", async || {
            assert_eq!(gate.verdict(&revoked).await[2], "revoked");
            gate.server.requests().len() > asked
        })
        .await;
    assert_eq!(gate.verdict(&revoked).await, ["invalid", "issuer_trusted", "revoked"]);
    assert_eq!(gate.verdict(&good).await[0], "valid");
}

#[tokio::test]
async fn a_slow_host_that_one_airline_trusts_holds_up_nobody_else() {
    let gate = Gate::trusting().await;
    let (slow, good) = (Country::new(), Country::new());
    let other = gate.app.admit(&gate.authority, &airline("Adria Wings")).await;
    let by_own_list = async |of: &Country, caller: &Participant, uri: &str| {
        let list = json!({"sd_jwt_vc": {"authorities": [base64(&of.authority)]}}).to_string();
        let body = json!({"input": of.permit(uri, 5), "purpose": "boarding", "trust_list": list});
        let answer = gate.app.post("/v1/checks", Some(&caller.key), &body).await;
        let answer = answer.expect(StatusCode::OK);
        let status = test_of(&answer, "status")["reason"].as_str().unwrap().to_owned();
        [answer["verdict"].as_str().unwrap().to_owned(), status]
    };
    let (port, taken) = silent().await;
    let many: Vec<String> = (0..12).map(|list| format!("http://127.0.0.1:{port}/{list}")).collect();
    let slowly = many.iter().map(|uri| Box::pin(by_own_list(&slow, &gate.airline, uri)));
    let mut slowly = futures::future::join_all(slowly);
    let mut theirs = Box::pin(async {
        gate.app
            .until("the slow host is asked", async || taken.load(Ordering::SeqCst) >= 2)
            .await;
        // A list of the operator's, and one that another airline trusts.
        let (first, second) = (gate.uri("/lists/1"), gate.uri("/lists/2"));
        gate.served.list("/lists/1", gate.country.list(&first, None));
        gate.served.list("/lists/2", good.list(&second, None));
        assert_eq!(gate.verdict(&gate.country.permit(&first, 5)).await[0], "valid");
        assert_eq!(by_own_list(&good, &other, &second).await, ["valid", "status_ok"]);
    });
    // Whose list does not come, or whose turn does not, is told so.
    let all = tokio::select! {
        biased;
        () = &mut theirs => {
            assert_eq!(taken.load(Ordering::SeqCst), 2, "one airline asks two hosts at a time");
            slowly.await
        }
        // On a machine that is slow itself. That the others go without nothing is all that is seen then.
        all = &mut slowly => {
            theirs.await;
            all
        }
    };
    assert!(
        all.iter().all(|one| *one == ["undetermined", "status_missing"]),
        "{all:?}"
    );
}
