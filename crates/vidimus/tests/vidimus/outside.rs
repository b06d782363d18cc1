//! The client for addresses that others chose, against real listeners: what must not be reached is not connected to, what comes back is
//! bounded, and nothing of the machine goes along.

use crate::receiver::{Authority, Receiver};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{FutureExt as _, StreamExt as _};
use reqwest::header::HeaderValue;
use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use vidimus::outside::{Error, Lookup, Outside, Request, Rules};

/// A resolver that knows these names; whatever is asked of it is kept.
fn knows(names: &[(&str, &[&str])]) -> Lookup {
    let known: HashMap<String, Vec<IpAddr>> = names
        .iter()
        .map(|(name, addresses)| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            ((*name).to_owned(), addresses)
        })
        .collect();
    Arc::new(move |name| {
        let found = known.get(&name).cloned();
        async move { found.ok_or(io::Error::from(io::ErrorKind::NotFound)) }.boxed()
    })
}

/// Everybody's client, but that loopback counts as a network of one's own, and the test's authority is trusted.
fn near(authority: &Authority, names: &[(&str, &[&str])]) -> Outside {
    let rules = Rules {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        loopback: false,
        authorities: authority.pem(),
    };
    Outside::with_lookup(rules, knows(names)).unwrap()
}

const HERE: &[(&str, &[&str])] = &[("receiver.example", &["127.0.0.1"]), ("other.example", &["127.0.0.1"])];

async fn get(outside: &Outside, url: &str) -> Result<vidimus::outside::Answer, Error> {
    outside.send(Request::get(outside.target(url)?)).await
}

#[tokio::test]
async fn addresses_that_lead_inside_are_refused_as_they_are_written() {
    let outside = Outside::with_lookup(Rules::default(), knows(&[])).unwrap();
    for url in [
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0.0.1/x",
        "https://0177.0.0.1/x",
        "https://0.0.0.0/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/x",
        "https://224.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[fd00:ec2::254]/x",
        "https://[fe80::1]/x",
    ] {
        assert_eq!(outside.target(url).unwrap_err(), Error::Inside, "{url}");
    }
    for url in [
        "http://example.com/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "http://localhost/x",
        "http://127.0.0.1/x",
    ] {
        let error = outside.target(url).unwrap_err();
        assert!(matches!(error, Error::Scheme | Error::Url), "{url}: {error}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    for url in [
        "",
        "/x",
        "https://",
        "example.com",
        "https://user@example.com/",
        "https://user:geheim@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com/\n",
        "https://exa mple.com/",
        "data:text/plain,x",
        &long,
    ] {
        let error = outside.target(url).unwrap_err();
        assert!(matches!(error, Error::Url | Error::Scheme), "{url}: {error}");
    }
    let target = outside.target("https://example.com/geheim?token=geheim").unwrap();
    assert!(!format!("{target:?}").contains("geheim"));
}

#[tokio::test]
async fn names_that_lead_inside_are_not_connected_to() {
    let authority = Authority::new();
    let receiver = Receiver::tls(&authority, "receiver.example", |_, _| StatusCode::OK.into_response()).await;
    let names: &[(&str, &[&str])] = &[
        ("receiver.example", &["127.0.0.1"]),
        ("metadata.example", &["169.254.169.254"]),
        ("mapped.example", &["::ffff:127.0.0.1"]),
        ("several.example", &["10.0.0.1", "fd00::1", "127.0.0.1"]),
        ("none.example", &[]),
    ];
    let rules = Rules {
        authorities: authority.pem(),
        ..Rules::default()
    };
    let outside = Outside::with_lookup(rules, knows(names)).unwrap();
    for name in [
        "receiver.example",
        "metadata.example",
        "mapped.example",
        "several.example",
    ] {
        let url = format!("https://{name}:{}/x?token=geheim", receiver.port);
        let error = get(&outside, &url).await.unwrap_err();
        assert_eq!(error, Error::Inside, "{name}");
        assert!(!error.to_string().contains("geheim"));
    }
    for name in ["none.example", "unknown.example"] {
        let url = format!("https://{name}:{}/", receiver.port);
        assert_eq!(get(&outside, &url).await.unwrap_err(), Error::Unresolved, "{name}");
    }
    assert_eq!(receiver.connections(), 0);
    // The same address, where the configuration allows its network.
    let url = format!("https://receiver.example:{}/x", receiver.port);
    assert_eq!(get(&near(&authority, HERE), &url).await.unwrap().status, StatusCode::OK);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn loopback_is_reached_where_the_configuration_says_so_and_nothing_else_by_http() {
    let receiver = Receiver::plain(|_, _| "here".into_response()).await;
    let rules = Rules {
        loopback: true,
        ..Rules::default()
    };
    let outside = Outside::with_lookup(
        rules,
        knows(&[("localhost", &["127.0.0.1"]), ("receiver.example", &["127.0.0.1"])]),
    )
    .unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let answer = get(&outside, &format!("http://{host}:{}/", receiver.port))
            .await
            .unwrap();
        assert_eq!(&answer.body[..], b"here");
    }
    for url in ["http://receiver.example/", "http://10.0.0.1/", "http://8.8.8.8/"] {
        assert_eq!(outside.target(url).unwrap_err(), Error::Scheme, "{url}");
    }
    assert_eq!(outside.target("https://10.0.0.1/").unwrap_err(), Error::Inside);
}

#[tokio::test]
async fn a_certificate_of_nobody_or_of_another_host_is_not_trusted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let receiver = Receiver::tls(&stranger, "receiver.example", |_, _| StatusCode::OK.into_response()).await;
    let url = format!("https://receiver.example:{}/", receiver.port);
    assert_eq!(get(&near(&authority, HERE), &url).await.unwrap_err(), Error::Connect);
    let other = Receiver::tls(&authority, "another.example", |_, _| StatusCode::OK.into_response()).await;
    let url = format!("https://receiver.example:{}/", other.port);
    assert_eq!(get(&near(&authority, HERE), &url).await.unwrap_err(), Error::Connect);
    assert_eq!(receiver.requests().len() + other.requests().len(), 0);
}

#[tokio::test]
async fn redirects_are_followed_only_where_asked_and_never_into_the_network() {
    let authority = Authority::new();
    let target = Receiver::tls(&authority, "other.example", |_, _| "arrived".into_response()).await;
    let inside = Receiver::plain(|_, _| "inside".into_response()).await;
    let (there, in_there) = (target.port, inside.port);
    let receiver = Receiver::tls(&authority, "receiver.example", move |path, _| {
        let to = match path {
            "/away" => format!("https://other.example:{there}/"),
            "/literal" => format!("https://10.0.0.1:{in_there}/"),
            "/plain" => format!("http://127.0.0.1:{in_there}/"),
            "/name" => "https://inside.example/".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            "/nowhere" => return StatusCode::FOUND.into_response(),
            _ => "/loop".to_owned(),
        };
        (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
    })
    .await;
    let outside = near(&authority, &[HERE, &[("inside.example", &["192.168.0.1"])]].concat());
    let at = |path: &str| {
        let target = outside.target(&format!("https://receiver.example:{}{path}", receiver.port));
        Request::get(target.unwrap()).header(header::AUTHORIZATION, HeaderValue::from_static("Bearer geheim"))
    };
    assert_eq!(outside.send(at("/away")).await.unwrap_err(), Error::Redirect);
    let answer = outside.send(at("/away").following(1)).await.unwrap();
    assert_eq!(&answer.body[..], b"arrived");
    let arrived = &target.requests()[0];
    for name in [header::AUTHORIZATION, header::REFERER, header::COOKIE] {
        assert!(!arrived.headers.contains_key(&name), "{name} went along");
    }
    for (path, error) in [
        ("/literal", Error::Inside),
        ("/plain", Error::Redirect),
        ("/name", Error::Inside),
        ("/file", Error::Redirect),
        ("/nowhere", Error::Redirect),
        ("/loop", Error::Redirect),
    ] {
        assert_eq!(outside.send(at(path).following(5)).await.unwrap_err(), error, "{path}");
    }
    let before = target.requests().len();
    let url = outside
        .target(&format!("https://receiver.example:{}/away", receiver.port))
        .unwrap();
    let sent = outside.send(Request::post(url, "geheim").following(5)).await;
    assert_eq!(sent.unwrap_err(), Error::Redirect);
    assert_eq!(target.requests().len(), before, "what was sent is not sent elsewhere");
    assert_eq!(inside.connections(), 0);
}

/// A body that never ends, as fast as it is taken or one byte at a time.
fn endless(slow: bool) -> Response {
    let chunks = futures::stream::repeat(()).then(move |()| async move {
        if slow {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok::<_, io::Error>(Bytes::from_static(b"x"));
        }
        Ok(Bytes::from(vec![b'x'; 16 * 1024]))
    });
    Body::from_stream(chunks).into_response()
}

#[tokio::test]
async fn what_comes_back_is_bounded_in_size_and_time() {
    let authority = Authority::new();
    let receiver = Receiver::tls(&authority, "receiver.example", |path, _| match path {
        "/endless" => endless(false),
        "/slow" => endless(true),
        "/declared" => vec![b'x'; 101].into_response(),
        _ => vec![b'x'; 100].into_response(),
    })
    .await;
    let outside = near(&authority, HERE);
    let at = |path: &str| {
        let target = outside.target(&format!("https://receiver.example:{}{path}", receiver.port));
        Request::get(target.unwrap()).at_most(100)
    };
    assert_eq!(outside.send(at("/right")).await.unwrap().body.len(), 100);
    assert_eq!(outside.send(at("/declared")).await.unwrap_err(), Error::TooLarge);
    assert_eq!(outside.send(at("/endless")).await.unwrap_err(), Error::TooLarge);
    let answer = outside.send(at("/endless").status_only()).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    let slow = at("/slow").within(Duration::from_millis(300));
    assert_eq!(outside.send(slow).await.unwrap_err(), Error::Timeout);
    // Somebody who takes the connection and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = outside.target(&format!(
        "https://receiver.example:{}/",
        silent.local_addr().unwrap().port()
    ));
    let asked = Request::get(target.unwrap()).within(Duration::from_millis(300));
    assert_eq!(outside.send(asked).await.unwrap_err(), Error::Timeout);
}

#[tokio::test]
async fn nothing_of_the_machine_goes_along_and_each_request_looks_at_the_name_anew() {
    let authority = Authority::new();
    let receiver = Receiver::tls(&authority, "receiver.example", |_, _| {
        let cookie = [
            (header::SET_COOKIE, "session=1"),
            (header::CONTENT_TYPE, "Application/JSON; charset=utf-8"),
        ];
        (cookie, "{}").into_response()
    })
    .await;
    // First as it should be, then rebound to what must not be reached.
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let rebinding: Lookup = Arc::new(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let address: IpAddr = if *count <= 2 { "127.0.0.1" } else { "169.254.169.254" }
            .parse()
            .unwrap();
        async move { Ok(vec![address]) }.boxed()
    });
    let rules = Rules {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        loopback: false,
        authorities: authority.pem(),
    };
    let outside = Outside::with_lookup(rules, rebinding).unwrap();
    let url = format!("https://receiver.example:{}/path?query=1", receiver.port);
    for _ in 0..2 {
        assert_eq!(get(&outside, &url).await.unwrap().media_type(), "application/json");
    }
    assert_eq!(get(&outside, &url).await.unwrap_err(), Error::Inside);
    assert_eq!(*asked.lock().unwrap(), 3);
    for request in receiver.requests() {
        let names = |headers: &HeaderMap| {
            let mut names: Vec<_> = headers.keys().map(|name| name.to_string()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&request.headers), ["accept", "host", "user-agent"]);
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("vidimus/"));
    }
}
