//! Connections that break while a traveller claims: whatever is lost, the same command goes on from there.

use super::{
    claiming::{asked, offered},
    place::{Deployment, text},
    proxy::{Lost, Proxy},
};
use crate::server::{Api, free_port};
use serde_json::{Value, json};
use vidimus_core::SecretBytes;
use vidimus_core::Signer as _;
use vidimus_crypto::{KeyKind, OsEntropy, PasswordFile, SigningKey};

/// A deployment that its wallets reach through a proxy, with a wallet that trusts it.
fn behind_a_proxy() -> (Proxy, Deployment, Api) {
    let port = free_port();
    let proxy = Proxy::before(port);
    let server = Deployment::known_as(&proxy.url, port);
    server.with_participants();
    server.ask(&["wallet", "new"]).json();
    server.ask(&["wallet", "trust", &proxy.url, "--loopback"]).json();
    let api = Api::new(server.url.clone());
    (proxy, server, api)
}

fn held(server: &Deployment) -> (usize, usize) {
    let list = server.ask(&["wallet", "list"]).json();
    let copies = list["claimed"].as_array().unwrap().iter();
    let copies = copies.map(|batch| usize::try_from(batch["copies"].as_u64().unwrap()).unwrap());
    (
        copies.sum(),
        usize::try_from(list["waiting"].as_u64().unwrap()).unwrap(),
    )
}

/// A code counts once, and whether the one who brings it again is the same is not known to the server: where the answer to it is lost, it is lost.
fn counts_once(path: &str) -> bool {
    path.ends_with("/token")
}

#[tokio::test]
async fn an_offer_is_claimed_by_the_second_call_whichever_message_was_lost() {
    let (proxy, server, api) = behind_a_proxy();
    let mut broken = Vec::new();
    for lost in [Lost::Request, Lost::Answer] {
        for at in 0.. {
            let passport = format!("P{lost:?}{at}");
            let offer = offered(&server, &api, &passport, json!({"formats": ["dc+sd-jwt"]})).await;
            let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
            let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"];
            let (before, _) = held(&server);
            proxy.lose(at, lost);
            let first = server.ask(&claim);
            let Some(path) = proxy.heal() else {
                assert_eq!(first.code, 0, "{}", first.err);
                break;
            };
            assert_eq!(first.code, 5, "{lost:?} of {path}: {}{}", first.out, first.err);
            let second = server.ask(&claim);
            if lost == Lost::Answer && counts_once(&path) {
                second.refused(4, &["ask the issuer for another"]);
                continue;
            }
            second.json();
            assert_eq!(held(&server), (before + 2, 0), "{lost:?} of {path}");
            broken.push(path);
        }
    }
    for step in ["/token", "/nonce", "/credential", "/notification"] {
        let times = broken.iter().filter(|path| path.ends_with(step)).count();
        assert_eq!(times, if counts_once(step) { 1 } else { 2 }, "{step}: {broken:?}");
    }
}

#[tokio::test]
async fn new_copies_come_with_the_second_call_whichever_message_was_lost() {
    let (proxy, server, api) = behind_a_proxy();
    let offer = offered(&server, &api, "P1234567", json!({"formats": ["dc+sd-jwt"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "1"];
    server.ask(&claim).json();
    let refresh = ["wallet", "refresh", "--loopback", "--copies", "1"];
    let mut broken = Vec::new();
    for lost in [Lost::Request, Lost::Answer] {
        for at in 0.. {
            let request = asked(&server, &api).await;
            let answer = ["wallet", "request", &text(&request, "/link"), "--loopback", "--yes"];
            server.ask(&answer).json();
            let (before, _) = held(&server);
            proxy.lose(at, lost);
            let first = server.ask(&refresh);
            let Some(path) = proxy.heal() else {
                assert_eq!(first.code, 0, "{}", first.err);
                break;
            };
            server.ask(&refresh).json();
            assert_eq!(held(&server), (before + 1, 0), "{lost:?} of {path}");
            broken.push(path);
        }
    }
    for step in ["/token", "/nonce", "/credential", "/notification"] {
        let times = broken.iter().filter(|path| path.ends_with(step)).count();
        assert_eq!(times, 2, "{step}: {broken:?}");
    }
}

/// What its holder's patience makes of a wallet: the time that the issuer named is over.
fn later(server: &Deployment) {
    let path = server.path("wallet.vidimus");
    let passphrase = SecretBytes::new(b"correct horse battery".to_vec());
    let (file, content) = PasswordFile::open(&std::fs::read(&path).unwrap(), &passphrase).unwrap();
    let mut wallet: Value = serde_json::from_slice(content.expose()).unwrap();
    let waits = &mut wallet["pending"][0]["issuance"]["state"]["Wait"]["until"];
    assert!(waits.is_number(), "it waits");
    *waits = json!(0);
    std::fs::write(path, file.seal(&serde_json::to_vec(&wallet).unwrap(), &mut OsEntropy)).unwrap();
}

#[tokio::test]
async fn a_certificate_that_is_still_to_come_is_fetched_when_it_is_there() {
    let (proxy, server, api) = behind_a_proxy();
    let laboratory = server.read("issuer.key").trim().to_owned();
    let body = json!({"category": "sars-cov-2-naat", "formats": ["dc+sd-jwt"]});
    let mut links = Vec::new();
    for passport in ["P1000001", "P2000002"] {
        let offer = api.post(Some(&laboratory), "/v1/offers", &body).await;
        let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
        let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"];
        let waits = server.ask(&claim).json();
        assert_eq!((&waits["claimed"], waits["waiting"].as_u64()), (&json!([]), Some(1)));
        let refresh = ["wallet", "refresh", "--loopback"];
        // Before the issuer's time nobody is asked; after it, it is told to wait again.
        proxy.lose(0, Lost::Request);
        assert_eq!(server.ask(&refresh).json()["waiting"], 1);
        assert_eq!(proxy.heal(), None);
        later(&server);
        assert_eq!(server.ask(&refresh).json()["waiting"], 1);
        let mut report = crate::harness::result(passport);
        report["offer"] = offer["id"].clone();
        api.post(Some(&laboratory), "/v1/results", &report).await;
        later(&server);
        if passport == "P2000002" {
            // The issuer gave it, and the answer was lost: with the token it is asked for anew.
            proxy.lose(0, Lost::Answer);
            assert_eq!(server.ask(&refresh).code, 5);
            assert!(proxy.heal().unwrap().ends_with("/deferred-credential"));
        }
        let came = server.ask(&refresh).json();
        assert_eq!(
            (came["claimed"][0]["copies"].as_u64(), came["waiting"].as_u64()),
            (Some(2), Some(0))
        );
        links.push(link);
    }
    assert_eq!(held(&server), (4, 0));
    server
        .ask(&["wallet", "offer", &links[0], "--loopback", "--code", "12345678"])
        .refused(4, &[]);
}

/// An issuer that insists on keys that somebody attests: said by the proxy, looked at by the server.
#[tokio::test]
async fn keys_are_attested_where_the_issuer_insists() {
    let port = free_port();
    let proxy = Proxy::before(port);
    let server = Deployment::known_as(&proxy.url, port);
    server.with_participants();
    server.ask(&["wallet", "new"]).json();
    let api = Api::new(server.url.clone());
    proxy.change(|path, body| {
        if !path.contains("/.well-known/openid-credential-issuer") {
            return body;
        }
        let mut metadata: Value = serde_json::from_str(&body).unwrap();
        for (_, configuration) in metadata["credential_configurations_supported"].as_object_mut().unwrap() {
            configuration["proof_types_supported"]["jwt"]["key_attestations_required"] = json!({});
        }
        metadata.to_string()
    });
    let offer = offered(&server, &api, "P1234567", json!({"formats": ["dc+sd-jwt"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"];
    // Nobody attests it: nothing is lost by that, and the same command goes on.
    server.ask(&claim).refused(2, &["--provider"]);
    let claimed = server.ask(&[&claim[..], &["--provider", &proxy.url]].concat()).json();
    assert_eq!(claimed["claimed"][0]["copies"], 2, "one attestation for two keys");
}

/// Copies that bring no certificate are verified with the keys that their issuer publishes. That these are not there is no word on the copies.
#[tokio::test]
async fn what_cannot_be_verified_yet_waits_and_is_lost_by_nothing_but_its_holder_s_word() {
    let (proxy, server, api) = behind_a_proxy();
    let registry = "/v1/registry/issuers";
    let refresh = ["wallet", "refresh", "--loopback"];
    let request = asked(&server, &api).await;
    for (at, (status, body)) in [(404, "{}"), (410, "{}"), (200, r#"{"items": []}"#), (200, "no JSON")]
        .into_iter()
        .enumerate()
    {
        let offer = offered(
            &server,
            &api,
            &format!("P100000{at}"),
            json!({"formats": ["jwt_vc_json"]}),
        )
        .await;
        let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
        let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"];
        let (before, _) = held(&server);
        proxy.instead(registry, status, body);
        let told = [
            "wallet refresh",
            "kept as w1",
            "`vidimus wallet remove` with this number",
            "shown to nobody",
        ];
        server.ask(&claim).refused(5, &told);
        server.ask(&claim).refused(5, &told);
        server.ask(&refresh).refused(5, &told);
        assert_eq!(held(&server), (before, 1), "{status} {body}");
        let pending = &server.ask(&["wallet", "list"]).json()["pending"][0];
        assert_eq!(
            (&pending["number"], &pending["verified"]),
            (&json!("w1"), &json!(false))
        );
        if before == 0 {
            // Nothing of it is shown.
            let answer = ["wallet", "request", &text(&request, "/link"), "--loopback", "--yes"];
            assert_ne!(server.ask(&answer).code, 0);
        }
        proxy.whole();
        if at == 1 {
            // Its holder does not want to wait.
            server.ask(&["wallet", "remove", "w2"]).refused(4, &["w2"]);
            server.ask(&["wallet", "remove", "w1"]).json();
            assert_eq!(server.ask(&refresh).json()["waiting"], 0);
            assert_eq!(held(&server), (before, 0));
            continue;
        }
        let came = server.ask(&refresh).json();
        assert_eq!(came["claimed"][0]["copies"], 2, "{came}");
        assert_eq!(held(&server), (before + 2, 0));
    }
    // Where the key is there and did not sign, there is nothing to wait for.
    let other = json!(SigningKey::generate(KeyKind::P256, &mut OsEntropy).public_key());
    proxy.change(move |path, body| {
        if !path.ends_with(registry) {
            return body;
        }
        let mut all: Value = serde_json::from_str(&body).unwrap();
        let issuers = all["items"].as_array_mut().unwrap().iter_mut();
        for key in issuers.flat_map(|issuer| issuer["keys"].as_array_mut().unwrap()) {
            if key["purpose"] != "sealing" {
                key["jwk"] = other.clone();
            }
        }
        all.to_string()
    });
    let offer = offered(&server, &api, "P2000000", json!({"formats": ["jwt_vc_json"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    let (before, _) = held(&server);
    server
        .ask(&["wallet", "offer", &link, "--loopback", "--code", &code])
        .refused(4, &["does not verify"]);
    assert_eq!(held(&server), (before, 0));
}

/// The code of an offer counts once: what its tokens can be renewed with is kept before anything else is asked for.
#[tokio::test]
async fn what_copies_can_be_had_with_is_kept_when_it_comes() {
    let (proxy, server, api) = behind_a_proxy();
    let offer = offered(&server, &api, "P1234567", json!({"formats": ["dc+sd-jwt"]})).await;
    let (link, code) = (text(&offer, "/link"), text(&offer, "/tx_code/code"));
    let claim = ["wallet", "offer", &link, "--loopback", "--code", &code, "--copies", "2"];
    proxy.instead("/credential", 400, r#"{"error": "credential_request_denied"}"#);
    server.ask(&claim).refused(4, &["credential_request_denied"]);
    assert_eq!(held(&server), (0, 0), "the issuer ended it");
    proxy.whole();
    server.ask(&claim).refused(4, &[]);
    let came = server.ask(&["wallet", "refresh", "--loopback", "--copies", "2"]).json();
    assert_eq!(came["claimed"][0]["copies"], 2, "{came}");
    assert_eq!(held(&server), (2, 0));
    assert_eq!(
        server.ask(&["wallet", "refresh", "--loopback"]).json()["claimed"],
        json!([])
    );
}
