//! Wrong answers and fetches: counted, until there were too many.

use super::*;
use crate::events::Stream;
use vidimus_crypto::KeyKind;

pub async fn who_saw_the_link_does_not_spoil_the_request(app: TestApp) {
    let world = world(&app).await;
    let (first, second) = (
        ask(&app, &world.airline, &asked()).await,
        ask(&app, &world.airline, &asked()).await,
    );
    for (view, wrong) in [(&first, 4), (&second, 5)] {
        let incoming = received(&app, &wallet(), view).await.unwrap();
        for count in 1..=wrong {
            let nothing = presentation(&app, &world, &incoming, &[], Map::new());
            let refused = answer(&app, &incoming, nothing).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{count}");
            assert_eq!(read(&app, &world, view).await["wrong_answers"], count);
        }
        let right = presentation(&app, &world, &incoming, &names(), Map::new());
        let last = answer(&app, &incoming, right).await;
        let settled = read(&app, &world, view).await;
        if wrong < 5 {
            assert_eq!(last.status, StatusCode::OK);
            assert_eq!(
                (
                    settled["state"].as_str(),
                    settled["answer"]["error"].as_str(),
                    &settled["wrong_answers"]
                ),
                (Some("answered"), None, &json!(4)),
                "{settled}"
            );
        } else {
            assert_eq!(last.problem(), "not-found", "it has failed");
            assert_eq!(
                (settled["state"].as_str(), settled["answer"]["error"].as_str()),
                (Some("failed"), Some("no_match")),
                "{settled}"
            );
        }
    }
    let mut stream = Stream::open(&app, &world.airline.key, Some(0)).await;
    for view in [&first, &second] {
        let told = stream.next().await.unwrap();
        assert_eq!(
            (told.kind.as_str(), told.object.as_str()),
            ("presentation.answered", view["id"].as_str().unwrap()),
            "each once, when it is over"
        );
    }
}

/// A certificate with all that is asked for, by an issuer of the onlooker's own.
pub async fn what_anybody_can_sign_is_no_answer(app: TestApp) {
    let world = world(&app).await;
    let view = ask(&app, &world.airline, &asked()).await;
    let incoming = received(&app, &wallet(), &view).await.unwrap();
    let held = SdJwt::parse(&world.copy).unwrap();
    let (header, payload) = (held.jws().header_members(), held.jws().claims().unwrap());
    let forger = SigningKey::generate(KeyKind::P256, &mut OsEntropy);
    let unsigned = vidimus_credential::jws::Unsigned::new(&header, Value::Object(payload).to_string().as_bytes());
    let signature = forger.sign(Algorithm::Es256, unsigned.message()).unwrap();
    let rest = world.copy.split_once('~').unwrap().1;
    let copy = format!("{}~{rest}", unsigned.finish(&signature));
    let forged = World { copy, ..world };
    let text = presentation(&app, &forged, &incoming, &names(), Map::new());
    assert_eq!(answer(&app, &incoming, text).await.status, StatusCode::BAD_REQUEST);
    let open = read(&app, &forged, &view).await;
    assert_eq!(
        (
            open["state"].as_str(),
            open["answer"]["verdict"].as_str(),
            &open["wrong_answers"]
        ),
        (Some("fetched"), Some("invalid"), &json!(1)),
        "{open}"
    );
    assert_eq!(open["answer"]["credentials"][0]["attributes"], json!({}));
}

pub async fn of_two_answers_at_once_one_is_taken(app: TestApp) {
    let world = world(&app).await;
    for wrong in [false, true] {
        let view = ask(&app, &world.airline, &asked()).await;
        let incoming = received(&app, &wallet(), &view).await.unwrap();
        let right = || presentation(&app, &world, &incoming, &names(), Map::new());
        let other = if wrong {
            presentation(&app, &world, &incoming, &[], Map::new())
        } else {
            right()
        };
        let (one, two) = tokio::join!(answer(&app, &incoming, right()), answer(&app, &incoming, other));
        let taken = [&one, &two].iter().filter(|told| told.status == StatusCode::OK).count();
        assert_eq!(taken, 1, "{} {}", one.status, two.status);
        if wrong {
            assert_eq!(one.status, StatusCode::OK, "the right one");
            // Before the right one it is counted, after it there is no such request.
            assert!([StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&two.status));
        }
        let settled = read(&app, &world, &view).await;
        assert_eq!(settled["state"], "answered");
        assert_eq!(
            settled["wrong_answers"],
            u8::from(two.status == StatusCode::BAD_REQUEST),
            "{settled}"
        );
    }
}

pub async fn a_request_is_fetched_a_few_times_until_it_is_answered(app: TestApp) {
    let world = world(&app).await;
    let mut body = asked();
    body["post"] = true.into();
    let (first, second) = (
        ask(&app, &world.airline, &body).await,
        ask(&app, &world.airline, &body).await,
    );
    let path = |view: &Value| format!("/presentations/{}/request", view["id"].as_str().unwrap());
    let post = async |view: &Value, nonce: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path(view))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        app.send(request.body(Body::from(format!("wallet_nonce={nonce}"))).unwrap())
            .await
    };
    for count in 0..9 {
        let object = post(&first, &format!("nonce-{count}")).await;
        assert_eq!(object.status, StatusCode::OK);
        let claims = vidimus_credential::jws::Jws::parse(&object.text(), 64 << 10)
            .unwrap()
            .claims();
        assert_eq!(
            claims.unwrap()["wallet_nonce"],
            format!("nonce-{count}"),
            "each has its own"
        );
    }
    let incoming = received(&app, &wallet(), &first).await.unwrap();
    assert_eq!(read(&app, &world, &first).await["fetches"], 10);
    assert_eq!(post(&first, "one-more").await.problem(), "not-found");
    assert_eq!(
        app.get(&path(&first), None).await.problem(),
        "not-found",
        "by get neither"
    );
    let text = presentation(&app, &world, &incoming, &names(), Map::new());
    answer(&app, &incoming, text).await.expect(StatusCode::OK);

    let incoming = received(&app, &wallet(), &second).await.unwrap();
    let text = presentation(&app, &world, &incoming, &names(), Map::new());
    answer(&app, &incoming, text).await.expect(StatusCode::OK);
    assert_eq!(post(&second, "late").await.problem(), "not-found", "it is answered");
    assert_eq!(read(&app, &world, &second).await["fetches"], 1);
}
