//! What is left for a verifier, and by whom: so much, and no more.

use super::*;
use axum::extract::ConnectInfo;

/// A client at this address leaves something sealed for the airline.
pub async fn leave(app: &TestApp, airline: &Participant, from: &str) -> crate::harness::Answer {
    let address: std::net::SocketAddr = from.parse().unwrap();
    let body = json!({"verifier": airline.id, "payload": "c2VhbGVk"}).to_string();
    let request = Request::post("/v1/left-presentations")
        .header(header::CONTENT_TYPE, "application/json")
        .extension(ConnectInfo(address))
        .body(Body::from(body));
    app.send(request.unwrap()).await
}

pub async fn one_sender_does_not_fill_a_verifier_s_box(app: TestApp) {
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline()).await;
    for from in ["192.0.2.7:4000", "[2001:db8:1:2::7]:4000"] {
        for count in 0..200 {
            assert_eq!(leave(&app, &airline, from).await.status, StatusCode::CREATED, "{count}");
        }
        let more = leave(&app, &airline, from).await;
        assert_eq!(
            (more.status, more.problem().as_str()),
            (StatusCode::FORBIDDEN, "left-limit")
        );
    }
    let neighbour = leave(&app, &airline, "[2001:db8:1:2:ffff::1]:9").await;
    assert_eq!(neighbour.problem(), "left-limit", "a subscriber has a whole network");
    for from in ["192.0.2.8:4000", "[2001:db8:1:3::7]:4000"] {
        assert_eq!(leave(&app, &airline, from).await.status, StatusCode::CREATED, "{from}");
    }
    let page = app.get("/v1/left-presentations?limit=500", Some(&airline.key)).await;
    assert_eq!(page.expect(StatusCode::OK)["items"].as_array().unwrap().len(), 402);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_senders_together_leave_so_many_in_a_day() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let airline = app.admit(&authority, &airline()).await;
    let now = app.app.now();
    app.app
        .store
        .write(move |tx| {
            (0..49_999).try_for_each(|_| vidimus_store::limits::hit(tx, "left-all", &[], 86_400, now).map(drop))
        })
        .await
        .unwrap();
    assert_eq!(leave(&app, &airline, "192.0.2.7:1").await.status, StatusCode::CREATED);
    let more = leave(&app, &airline, "192.0.2.8:1").await;
    assert_eq!(
        (more.status, more.problem().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "left-capacity")
    );
}
