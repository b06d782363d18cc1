//! The ledger is a network that others run: anvil, whose blocks and fees the test makes.

#[path = "../../../ledger/tests/ledger/process.rs"]
mod process;

use crate::harness::{Later, TestApp, airline, configuration, initialise, laboratory, result};
use axum::http::StatusCode;
use process::Process;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use tempfile::TempDir;
use vidimus::app::{chain, deployment, keys::Keys};
use vidimus_core::{Address, time::Clock};
use vidimus_crypto::{Native, RootKey};
use vidimus_ledger::transaction::{Offer, offer};
use vidimus_store::{Missing, testing, transactions};

const GWEI: u128 = 1_000_000_000;

/// A running anvil, which makes a block of each transaction at once and one a second beside.
struct Anvil {
    process: Process,
    client: reqwest::Client,
}

impl Anvil {
    async fn start() -> Option<Self> {
        let client = reqwest::Client::new();
        let answers = async |url: &str| try_ask(&client, url, "eth_chainId", json!([])).await.is_some();
        let process = Process::start(testing::skip, 31_337, &[], answers).await?;
        Some(Self { process, client })
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = try_ask(&self.client, &self.process.url, method, params).await;
        let answer = answer.expect("anvil answers");
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn number(&self, method: &str, params: Value) -> u64 {
        let found = self.ask(method, params).await;
        u64::from_str_radix(&found.as_str().unwrap()[2..], 16).unwrap()
    }

    async fn fund(&self, account: &str) {
        self.ask("anvil_setBalance", json!([account, "0x56bc75e2d63100000"]))
            .await;
    }

    /// From now on it makes blocks only when it is told to.
    async fn stop(&self) {
        self.ask("evm_setAutomine", json!([false])).await;
        self.ask("evm_setIntervalMining", json!([0])).await;
    }

    /// Makes a block with this base fee.
    async fn block(&self, base_fee: u128) {
        self.ask("anvil_setNextBlockBaseFeePerGas", json!([format!("{base_fee:#x}")]))
            .await;
        self.ask("evm_mine", json!([])).await;
    }
}

async fn try_ask(client: &reqwest::Client, url: &str, method: &str, params: Value) -> Option<Value> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = client.post(url).json(&body).send().await.ok()?;
    answer.json().await.ok()
}

/// A deployment whose accounts can pay, with a laboratory and an airline.
struct Deployment {
    app: TestApp,
    anchorer: Address,
    laboratory: String,
    airline: String,
}

impl Deployment {
    async fn on(anvil: &Anvil, more: &str, clock: Arc<dyn Clock>) -> Self {
        let directory = TempDir::new().unwrap();
        let ledger = format!(
            "[ledger]\nmode = \"network\"\nchain_id = 31337\nrpc_url = \"{}\"\n{more}",
            anvil.process.url
        );
        let config = configuration(directory.path(), &ledger);
        initialise(&config).await;
        let provider = Arc::new(Native::new());
        let store = deployment::open_store(&config, provider.clone(), Missing::Refuse)
            .await
            .unwrap();
        let keys = Keys::derive(&RootKey::load(&config.root_key).unwrap());
        let facts = deployment::load(&store, &keys, &config, &provider, vidimus::clock::SystemClock.now())
            .await
            .unwrap();
        store.close().await;
        for account in [facts.operator, facts.anchorer] {
            anvil.fund(&account.to_string()).await;
        }
        let app = TestApp::opened(directory, config, clock).await;
        let authority = app.set_up().await;
        let profile = app.get("/v1/profile", Some(&authority)).await.expect(StatusCode::OK);
        // The authority cannot pay yet for taking the contracts over, and admits nobody meanwhile.
        let early = app
            .post("/v1/participants", Some(&authority), &laboratory("Laboratory"))
            .await;
        assert_eq!(
            (early.status, early.problem()),
            (StatusCode::SERVICE_UNAVAILABLE, "hand-over".to_owned())
        );
        anvil.fund(profile["account"].as_str().unwrap()).await;
        app.app.wake.authority.notify_one();
        app.until("the authority has the contracts", async || {
            chain::is_handed_over(&app.app).await.unwrap()
        })
        .await;
        let laboratory = app.admit(&authority, &laboratory("Laboratory")).await.key;
        let airline = app.admit(&authority, &airline("Danube Air")).await.key;
        Self {
            app,
            anchorer: facts.anchorer,
            laboratory,
            airline,
        }
    }

    /// Reports a result; gives the copy's id and its commitment.
    async fn report(&self, passport: &str) -> (String, String) {
        let made = self
            .app
            .post("/v1/results", Some(&self.laboratory), &result(passport))
            .await
            .expect(StatusCode::CREATED);
        let path = format!("/v1/certificates/{}", made["certificate"].as_str().unwrap());
        let view = self.app.get(&path, Some(&self.laboratory)).await.expect(StatusCode::OK);
        let commitment = view["copies"][0]["commitment"].as_str().unwrap().to_owned();
        (made["copies"][0]["id"].as_str().unwrap().to_owned(), commitment)
    }

    async fn anchored(&self, commitment: &str) -> Value {
        let path = format!("/v1/receipts/{commitment}");
        self.app
            .until("the receipt is there", async || {
                self.app.get(&path, None).await.status == StatusCode::OK
            })
            .await;
        self.app.get(&path, None).await.expect(StatusCode::OK)
    }

    /// Checks a paper copy at the airline: the verdict, and every reason.
    async fn check(&self, copy: &str) -> (String, BTreeSet<String>) {
        let path = format!("/v1/copies/{copy}/paper?form=text");
        let paper = self.app.get(&path, Some(&self.laboratory)).await.text();
        let (verdict, reasons) = self.app.check(&self.airline, &paper).await;
        (verdict, BTreeSet::from_iter(reasons))
    }

    /// The anchoring transaction that is under way, and the hashes of all that was signed for it.
    async fn under_way(&self) -> Option<(transactions::Outbound, Vec<vidimus_core::receipt::BlockHash>)> {
        let read = self.app.app.store.read(|tx| {
            let open = transactions::open(tx, 31_337, 100)?;
            let found = open
                .into_iter()
                .find(|outbound| outbound.call.purpose == "anchor" && outbound.raw.is_some());
            let Some(found) = found else { return Ok(None) };
            let offers = transactions::offers(tx, found.call.id)?;
            Ok::<_, vidimus_store::Error>(Some((found, offers)))
        });
        read.await.unwrap()
    }
}

fn offered(outbound: &transactions::Outbound) -> Offer {
    offer(outbound.raw.as_ref().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_anchor_that_blocks_pass_by_is_offered_more_for_and_is_mined_once() {
    let Some(anvil) = Anvil::start().await else { return };
    let most = 400 * GWEI;
    let rules = format!("max_fee_per_gas = {most}\nreplace_after_seconds = 1\n");
    let clock = Arc::new(Later::default());
    let laboratory = Deployment::on(&anvil, &rules, clock.clone()).await;
    let (first, commitment) = laboratory.report("P7000001").await;
    laboratory.anchored(&commitment).await;
    assert_eq!(laboratory.check(&first).await.0, "valid");
    let before = anvil
        .number(
            "eth_getTransactionCount",
            json!([laboratory.anchorer.to_string(), "latest"]),
        )
        .await;

    // No block takes it: gas gets dearer at once.
    anvil.stop().await;
    let (copy, commitment) = laboratory.report("P7000002").await;
    laboratory
        .app
        .until("the anchor is sent", async || {
            let sent = laboratory.under_way().await;
            sent.is_some_and(|(outbound, _)| outbound.state == transactions::State::Sent)
        })
        .await;
    let (sent, offers) = laboratory.under_way().await.unwrap();
    assert!(offers.is_empty() && offered(&sent).max_fee < 50 * GWEI, "{sent:?}");
    let dear = 100 * GWEI;
    // One block passes it by, a while after it was sent; another could take what replaces it.
    let app = &laboratory.app;
    app.until("the while is over", async || clock.now() > sent.updated.plus(1))
        .await;
    anvil.block(dear).await;
    app.until("more is offered", async || {
        let (now, _) = laboratory.under_way().await.unwrap();
        now.hash != sent.hash && now.state == transactions::State::Sent
    })
    .await;
    let (raised, offers) = laboratory.under_way().await.unwrap();
    assert_eq!((raised.nonce, &raised.call), (sent.nonce, &sent.call));
    let (less, more) = (offered(&sent), offered(&raised));
    // An eighth more of both, enough for the block that is next, and no more than the most.
    assert!(
        more.max_fee * 8 >= less.max_fee * 9 && more.priority_fee * 8 >= less.priority_fee * 9,
        "{less:?} {more:?}"
    );
    assert!(more.max_fee > dear && more.max_fee <= most, "{more:?}");
    assert!(
        offers.contains(&sent.hash.unwrap()) && offers.contains(&raised.hash.unwrap()),
        "both are kept"
    );

    // Dearer than the most that may be offered: it is raised to the most, and not beyond.
    laboratory
        .app
        .until("the most is offered", async || {
            anvil.block(1_000 * GWEI).await;
            let (now, _) = laboratory.under_way().await.unwrap();
            offered(&now).max_fee == most
        })
        .await;
    for _ in 0..3 {
        anvil.block(1_000 * GWEI).await;
    }
    // It gets cheaper, and a block takes it: one of all that were sent.
    let (_, offers) = laboratory.under_way().await.unwrap();
    laboratory
        .app
        .until("it is mined", async || {
            anvil.block(dear).await;
            laboratory.under_way().await.is_none()
        })
        .await;
    let receipt = laboratory.anchored(&commitment).await;
    let transaction = receipt["anchor"]["transaction"].as_str().unwrap().to_owned();
    let among = offers.iter().any(|hash| hash.to_string() == transaction);
    assert!(among, "{transaction} is none of {offers:?}");
    assert_eq!(laboratory.check(&copy).await.0, "valid");
    // The next one is offered what is usual then, and each commitment stands under one root of one transaction.
    anvil.ask("evm_setAutomine", json!([true])).await;
    let (_, commitment) = laboratory.report("P7000003").await;
    let last = laboratory.anchored(&commitment).await;
    assert_ne!(last["anchor"]["root"], receipt["anchor"]["root"]);
    let filter = json!([{"address": receipt["anchor"]["contract"], "fromBlock": "0x0", "toBlock": "latest"}]);
    let logs = anvil.ask("eth_getLogs", filter).await;
    let root = receipt["anchor"]["root"].as_str().unwrap().to_owned();
    let of_root = logs.as_array().unwrap().iter().filter(|log| {
        let topic = log["topics"][1].as_str().unwrap_or_default();
        topic.trim_start_matches("0x") == root.trim_start_matches("0x")
    });
    assert_eq!(of_root.count(), 1);
    let after = anvil
        .number(
            "eth_getTransactionCount",
            json!([laboratory.anchorer.to_string(), "latest"]),
        )
        .await;
    assert_eq!(after, before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stands_still_makes_what_is_known_of_it_old() {
    let Some(anvil) = Anvil::start().await else { return };
    let clock = Arc::new(Later::default());
    let laboratory = Deployment::on(&anvil, "", clock.clone()).await;
    let (copy, commitment) = laboratory.report("P7100001").await;
    laboratory.anchored(&commitment).await;
    assert_eq!(laboratory.check(&copy).await.0, "valid");

    anvil.stop().await;
    // The node answers all the time, and makes no block for longer than what a check leans on may be old.
    let day = 86_400;
    clock.by(day + 7_200);
    let app = &laboratory.app;
    app.until("it is seen to be old", async || {
        laboratory.check(&copy).await.0 == "undetermined"
    })
    .await;
    let (_, reasons) = laboratory.check(&copy).await;
    assert!(reasons.contains("registry_stale"), "{reasons:?}");
    let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
    assert_eq!(ready["status"], "degraded");
    let said = ready["parts"]["ledger"].as_str().unwrap();
    assert!(said.starts_with("stands still"), "{ready}");

    // One block of now, and all is well.
    let now = clock.now().0;
    anvil.ask("evm_setNextBlockTimestamp", json!([now])).await;
    anvil.ask("evm_mine", json!([])).await;
    app.until("it is known as of now", async || {
        laboratory.check(&copy).await.0 == "valid"
    })
    .await;
    clock.by(day + 7_202);
    let ready = app.get("/readyz", None).await.expect(StatusCode::OK);
    assert_eq!(ready["parts"]["ledger"], "ok");
}
