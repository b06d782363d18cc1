//! Codes reach people by mail and by an issuer's gateway, against a mail server of the test's own; nothing of them stays or is logged.

use crate::{
    canary::Finds,
    harness::{Later, Participant, TestApp, configuration, initialise, laboratory, result},
    receiver::{Authority, Receiver},
    wallets::traveller::{Traveller, Wallet},
};
use axum::{http::StatusCode, response::IntoResponse};
use axum_server::{
    accept::Accept,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use vidimus::app::channel::{self, Code, Contact, Language};
use vidimus_core::{Secret, id::ParticipantId};
use vidimus_store::{Scope, deliveries};

/// What a mail server was told in one session.
#[derive(Debug, Clone, Default)]
struct Session {
    tls: bool,
    login: Option<String>,
    hello: String,
    to: String,
    mail: String,
}

/// A mail server; it refuses as many recipients as the test says, with what it says.
struct MailServer {
    port: u16,
    taken: Arc<Mutex<Vec<Session>>>,
    refusals: Arc<Mutex<Vec<&'static str>>>,
}

impl MailServer {
    async fn start(tls: Option<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::<Mutex<Vec<Session>>>::default();
        let refusals = Arc::<Mutex<Vec<&'static str>>>::default();
        let (kept, answers) = (taken.clone(), refusals.clone());
        let tls = tls.map(|config| RustlsConfig::from_config(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, answers, tls) = (kept.clone(), answers.clone(), tls.clone());
                tokio::spawn(async move {
                    if let Ok(Some(session)) = serve(stream, tls, &answers).await {
                        kept.lock().unwrap().push(session);
                    }
                });
            }
        });
        Self { port, taken, refusals }
    }

    fn taken(&self) -> Vec<Session> {
        self.taken.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<RustlsConfig>,
    refusals: &Mutex<Vec<&'static str>>,
) -> io::Result<Option<Session>> {
    let mut plain = BufReader::new(stream);
    plain.write_all(b"220 mail.example ESMTP\r\n").await?;
    let mut session = Session::default();
    if !talk(&mut plain, &mut session, tls.is_some(), refusals).await? {
        return Ok(Some(session).filter(|session| !session.mail.is_empty()));
    }
    let acceptor = RustlsAcceptor::new(tls.expect("only then it is offered"));
    let (stream, ()) = acceptor.accept(plain.into_inner(), ()).await?;
    session.tls = true;
    talk(&mut BufReader::new(stream), &mut session, false, refusals).await?;
    Ok(Some(session).filter(|session| !session.mail.is_empty()))
}

/// Until the client ends it, or (`true`) wants TLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    session: &mut Session,
    starttls: bool,
    refusals: &Mutex<Vec<&'static str>>,
) -> io::Result<bool> {
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let line = line.trim_end();
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                line.clone_into(&mut session.hello);
                let last = if starttls {
                    "250 STARTTLS\r\n"
                } else {
                    "250 AUTH PLAIN\r\n"
                };
                format!("250-mail.example\r\n{last}")
            }
            "STARTTLS" if starttls => {
                stream.write_all(b"220 go ahead\r\n").await?;
                return Ok(true);
            }
            "AUTH" => {
                session.login = Some(line.to_owned());
                "235 yes\r\n".to_owned()
            }
            "RCPT" => match refusals.lock().unwrap().pop() {
                // As servers do, with the address in it.
                Some(refusal) => format!("{refusal} {line}\r\n"),
                None => {
                    line.clone_into(&mut session.to);
                    "250 ok\r\n".to_owned()
                }
            },
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n").await?;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await?;
                    if line == ".\r\n" || line.is_empty() {
                        break;
                    }
                    session.mail.push_str(&line);
                }
                "250 taken\r\n".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(false);
            }
            _ => "250 ok\r\n".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn deployment(more: &str, authority: &Authority) -> (TestApp, Arc<Later>) {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("authority.pem"), authority.pem()).unwrap();
    let config = configuration(
        directory.path(),
        &format!("[outside]\nloopback = true\nauthorities = \"authority.pem\"\n{more}"),
    );
    initialise(&config).await;
    let clock = Arc::new(Later::default());
    (TestApp::opened(directory, config, clock.clone()).await, clock)
}

/// Sends a code, as what makes one does.
async fn send(
    app: &TestApp,
    issuer: &Participant,
    to: &str,
    code: &str,
    language: Language,
) -> Result<(), vidimus::app::Error> {
    let issuer: ParticipantId = issuer.id.parse().unwrap();
    let code = Code {
        issuer,
        contact: &Contact::parse(to).unwrap(),
        code: &Secret::new(code.to_owned()),
        expires: app.app.now().plus(600),
        language,
    };
    let prepared = channel::prepare(&app.app, Scope::system(), &code).await?;
    app.app.store.write(move |tx| prepared.queue(tx)).await?;
    app.app.wake.deliveries.notify_one();
    Ok(())
}

async fn waits(app: &TestApp) -> bool {
    app.app.store.read(deliveries::next_due).await.unwrap().is_some()
}

/// What is logged in this thread, all of it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The person needs the link, which the laboratory shows, and the code, which the laboratory never sees.
#[tokio::test(flavor = "multi_thread")]
async fn an_offer_s_code_goes_to_the_person_alone() {
    let server = MailServer::start(None).await;
    let mail = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"codes@lab.example\"\n",
        server.port
    );
    let (app, _) = deployment(&mail, &Authority::new()).await;
    let authority = app.set_up().await;
    let lab = app.admit(&authority, &laboratory("Laboratory")).await;
    let reported = app.post("/v1/results", Some(&lab.key), &result("P1234567")).await;
    let reported = reported.expect(StatusCode::CREATED);
    for (to, status, problem) in [
        ("anna", StatusCode::UNPROCESSABLE_ENTITY, "contact"),
        ("+436641234567", StatusCode::CONFLICT, "no-second-channel"),
    ] {
        let body = json!({"result": reported["result"], "send_code": {"to": to}});
        let refused = app.post("/v1/offers", Some(&lab.key), &body).await;
        assert_eq!((refused.status, refused.problem().as_str()), (status, problem));
    }
    let offers = app.get("/v1/offers", Some(&lab.key)).await.expect(StatusCode::OK);
    assert_eq!(offers["items"], json!([]), "nothing that nobody can claim");
    let body = json!({"result": reported["result"], "send_code": {"to": "anna@example.org", "language": "de"}});
    let offer = app.post("/v1/offers", Some(&lab.key), &body).await;
    let offer = offer.expect(StatusCode::CREATED);
    assert_eq!(offer.get("tx_code"), None);
    app.until("the code is there", async || server.taken().len() == 1).await;
    let session = server.taken().remove(0);
    assert_eq!(session.to, "RCPT TO:<anna@example.org>");
    let (_, body) = session.mail.split_once("\r\n\r\n").unwrap();
    let code = body
        .strip_prefix("Ihr Code lautet ")
        .unwrap()
        .split('.')
        .next()
        .unwrap();
    assert_eq!(code.len(), 8);
    let traveller = Traveller::new();
    let wallet = Wallet::of_offer(&app, &offer).await;
    let tokens = wallet.pre_authorized(&app, &traveller, Some(code)).await;
    let claimed = wallet
        .claim(&app, &traveller, &tokens, "sars-cov-2-naat.dc+sd-jwt", 1)
        .await;
    claimed.expect(StatusCode::OK);
}

/// On one thread, so that everything that is logged on the way is seen.
#[tokio::test]
async fn a_code_comes_by_mail_and_nothing_of_it_is_logged_or_stays() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = MailServer::start(None).await;
    let mail = format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"Labor <codes@lab.example>\"\n",
        server.port
    );
    let (app, clock) = deployment(&mail, &Authority::new()).await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    // Twice not now, then it is taken.
    *server.refusals.lock().unwrap() = vec!["451 4.2.1 later", "452 4.3.1 full"];
    send(&app, &laboratory, "qzmailqz@example.org", "QZCODE99QZ", Language::En)
        .await
        .unwrap();
    app.until("it was refused for now", async || {
        server.refusals.lock().unwrap().len() == 1
    })
    .await;
    clock.by(30);
    app.until("it was refused for now again", async || {
        server.refusals.lock().unwrap().is_empty()
    })
    .await;
    // While it waits it is sealed.
    let mut finds = Finds::default();
    crate::canary::search_files(&mut finds, "the data directory", &app.app.config.data_dir);
    clock.by(90);
    app.until("it is taken", async || server.taken().len() == 1).await;
    app.until("nothing waits", async || !waits(&app).await).await;
    send(&app, &laboratory, "qzmailqz@example.org", "QZCODE99QZ", Language::De)
        .await
        .unwrap();
    app.until("it is taken", async || server.taken().len() == 2).await;
    // One that is refused for good is not tried again.
    server.refusals.lock().unwrap().push("550 5.1.1 nobody here");
    send(&app, &laboratory, "qzmailqz@example.org", "QZCODE99QZ", Language::De)
        .await
        .unwrap();
    app.until("it is refused", async || server.refusals.lock().unwrap().is_empty())
        .await;
    app.until("nothing waits", async || !waits(&app).await).await;

    let taken = server.taken();
    assert_eq!(taken.len(), 2);
    for (session, [subject, text]) in taken.iter().zip([
        ["Subject: Your code", "Your code is QZCODE99QZ. It is valid until "],
        ["Subject: Ihr Code", "Ihr Code lautet QZCODE99QZ. Er gilt bis "],
    ]) {
        assert_eq!(session.to, "RCPT TO:<qzmailqz@example.org>");
        assert_eq!(session.hello, "EHLO vidimus.invalid", "not this machine's name");
        let (headers, body) = session.mail.split_once("\r\n\r\n").unwrap();
        for header in [
            subject,
            "From: Labor <codes@lab.example>",
            "To: qzmailqz@example.org",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(headers.lines().any(|line| line == header), "{header}: {headers}");
        }
        assert!(body.starts_with(text) && body.trim_end().ends_with(" UTC."), "{body}");
        assert_eq!(body.trim_end().lines().count(), 1, "{body}");
        assert!(!session.mail.contains("Laboratory"), "no name of who is concerned");
    }
    let log = log.0.lock().unwrap().clone();
    assert!(
        log.windows(25).any(|window| window == b"a code was not sent by ma"),
        "the log is there"
    );
    finds.search("the log", &log);
    crate::canary::search_files(&mut finds, "the data directory", &app.app.config.data_dir);
    assert!(finds.0.is_empty(), "{}", finds.0.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_leaves_under_tls_or_not_at_all() {
    let authority = Authority::new();
    let mail = |port: u16| {
        format!(
            "[mail]\nhost = \"localhost\"\nport = {port}\nuser = \"codes\"\npassword = \"geheim\"\nfrom = \"codes@lab.example\"\n"
        )
    };
    let server = MailServer::start(Some(authority.server("localhost"))).await;
    let (app, _) = deployment(&mail(server.port), &authority).await;
    let key = app.set_up().await;
    let laboratory = app.admit(&key, &laboratory("Laboratory")).await;
    send(&app, &laboratory, "anna@example.org", "493817", Language::De)
        .await
        .unwrap();
    app.until("it is taken", async || server.taken().len() == 1).await;
    let session = &server.taken()[0];
    assert!(session.tls);
    assert!(
        session
            .login
            .as_deref()
            .is_some_and(|login| login.starts_with("AUTH PLAIN "))
    );

    // Servers that offer no TLS, or somebody else's certificate, are not told anything.
    for tls in [None, Some(Authority::new().server("localhost"))] {
        let server = MailServer::start(tls).await;
        let (app, clock) = deployment(&mail(server.port), &authority).await;
        let key = app.set_up().await;
        let laboratory = app.admit(&key, &crate::harness::laboratory("Laboratory")).await;
        send(&app, &laboratory, "anna@example.org", "493817", Language::De)
            .await
            .unwrap();
        let tried = async || {
            let count = "SELECT MAX(attempts) FROM deliveries WHERE last_error IS NOT NULL";
            let rows = app
                .app
                .store
                .read(move |tx| vidimus_store::testing::query(tx, count, &[]))
                .await
                .unwrap();
            rows.into_iter().next().unwrap().take::<Option<u32>>(0).unwrap()
        };
        app.until("it was tried", async || tried().await.is_some()).await;
        // When the code is not valid any more, it is not kept.
        clock.by(601);
        app.until("nothing waits", async || !waits(&app).await).await;
        assert!(server.taken().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_s_gateway_carries_what_mail_cannot() {
    let gateway = Receiver::plain(|_, _| StatusCode::OK.into_response()).await;
    let (app, _) = deployment("", &Authority::new()).await;
    let authority = app.set_up().await;
    let lab = app.admit(&authority, &laboratory("Laboratory")).await;
    let other = app.admit(&authority, &laboratory("Other")).await;
    let url = format!("http://127.0.0.1:{}/sms", gateway.port);
    let codes = json!({"url": url, "purpose": "codes"});
    app.post("/v1/webhooks", Some(&lab.key), &codes)
        .await
        .expect(StatusCode::CREATED);
    let refused = send(&app, &other, "+436641234567", "493817", Language::De)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, vidimus::app::Error::Conflict(problem) if problem.name == "no-second-channel"),
        "{refused}"
    );
    for contact in ["+436641234567", "anna@example.org"] {
        send(&app, &lab, contact, "493817", Language::De).await.unwrap();
    }
    app.until("both arrive", async || gateway.requests().len() == 2).await;
    for request in gateway.requests() {
        assert!(request.header("webhook-signature").starts_with("v1,"));
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "code");
        let text = body["data"]["text"].as_str().unwrap();
        assert!(text.starts_with("Ihr Code lautet 493817. Er gilt bis "), "{text}");
        assert!(["+436641234567", "anna@example.org"].contains(&body["data"]["to"].as_str().unwrap()));
    }
    app.until("nothing is kept", async || !waits(&app).await).await;
    // Nobody is sent more than they can want.
    let mut refused = None;
    for _ in 0..12 {
        refused = send(&app, &lab, "+436641234567", "493817", Language::De).await.err();
    }
    let refused = refused.unwrap();
    assert!(
        matches!(&refused, vidimus::app::Error::Forbidden(problem) if problem.name == "too-many-codes"),
        "{refused}"
    );
}
