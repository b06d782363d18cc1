//! Keys of participants: revoked when they leaked, rotated, and what that means for what they sign.

use crate::{
    harness::{Participant, TestApp, airline, laboratory, on_both, result},
    holder::Holder,
};
use axum::http::StatusCode;
use serde_json::{Value, json};
use vidimus::app::{chain, copies::SEAL_INFO};
use vidimus_core::{
    Address, Algorithm, Signer as _, Timestamp,
    encoding::{base64url, from_base64, from_base64url, hex},
    id::KeyId,
    time::Clock as _,
};
use vidimus_credential::check::bundle::Bundle;
use vidimus_crypto::envelope;
use vidimus_identity::{Did, ethr};
use vidimus_ledger::{
    await_mined,
    contracts::{dids, registry},
    convert, eth,
    transaction::Fields,
};
use vidimus_store::{Scope, keys as key_rows};

on_both!(
    what_a_leaked_key_signs_is_refused_and_what_an_anchor_proves_older_stays,
    an_account_gets_a_new_key_and_the_old_one_acts_no_more,
    an_account_that_gave_its_did_away_is_not_admitted,
    the_authority_s_account_takes_the_contracts_with_it,
    the_keys_that_are_shown_are_the_keys_that_are_revoked,
    nothing_is_signed_with_keys_that_the_ledger_may_have_replaced,
    a_certificate_names_the_did_whichever_account_acts,
    own_keys_are_not_registered_twice_and_a_copy_is_signed_once,
);

fn now() -> Timestamp {
    vidimus::clock::SystemClock.now()
}

/// A deployment with its authority's API key, a laboratory and an airline.
struct Scene {
    app: TestApp,
    authority: String,
    laboratory: Participant,
    airline: Participant,
}

impl Scene {
    async fn of(app: TestApp) -> Self {
        let authority = app.set_up().await;
        let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
        let airline = app.admit(&authority, &airline("Airline")).await;
        Self {
            app,
            authority,
            laboratory,
            airline,
        }
    }

    async fn profile(&self, of: &str) -> Value {
        self.app.get("/v1/profile", Some(of)).await.expect(StatusCode::OK)
    }

    /// The laboratory's key of this purpose that stands at this state; its version.
    async fn version_at(&self, purpose: &str, state: &str) -> Option<u64> {
        let profile = self.profile(&self.laboratory.key).await;
        let keys = profile["keys"].as_array().unwrap().clone();
        let found = keys
            .iter()
            .find(|key| key["purpose"] == purpose && key["state"] == state);
        found.map(|key| key["version"].as_u64().unwrap())
    }

    /// The P-256 keys of the laboratory's DID document.
    async fn document_keys(&self) -> Vec<Value> {
        let profile = self.profile(&self.laboratory.key).await;
        let (account, did) = (profile["account"].as_str().unwrap(), profile["did"].as_str().unwrap());
        let app = &self.app.app;
        let latest = eth::BlockId::latest();
        let history = dids::history(&*app.ledger, app.contracts.dids, account.parse().unwrap(), latest, 100);
        let events: Vec<_> = history
            .await
            .unwrap()
            .into_iter()
            .filter_map(|placed| match placed.event {
                dids::DidEvent::AttributeChanged {
                    name,
                    value,
                    valid_to,
                    previous,
                    ..
                } => Some(ethr::Event {
                    block: placed.at.block_number,
                    time: now(),
                    previous_change: previous,
                    change: ethr::Change::Attribute { name, value, valid_to },
                }),
                _ => None,
            })
            .collect();
        let Did::Ethr(did) = did.parse().unwrap() else {
            panic!("did:ethr")
        };
        let resolved = ethr::resolve(&did, &events, ethr::At::Now(now()), &*app.provider).unwrap();
        let document = serde_json::to_value(&resolved.did_document).unwrap();
        let methods = document["verificationMethod"].as_array().unwrap().iter();
        methods
            .filter(|method| method["id"].as_str().unwrap().contains("delegate"))
            .cloned()
            .collect()
    }

    async fn report(&self, body: &Value) -> crate::harness::Answer {
        self.app.post("/v1/results", Some(&self.laboratory.key), body).await
    }

    /// A certificate on paper: the text of its code, and when it was anchored.
    async fn paper(&self, passport: &str) -> (String, i64) {
        let mut body = result(passport);
        body["wait"] = json!(true);
        let made = self.report(&body).await.expect(StatusCode::CREATED);
        let copy = &made["copies"][0];
        let path = format!("/v1/copies/{}/paper?form=text", copy["id"].as_str().unwrap());
        let text = self.app.get(&path, Some(&self.laboratory.key)).await.text();
        let path = format!("/v1/receipts/{}", copy["commitment"].as_str().unwrap());
        let receipt = self.app.get(&path, None).await.expect(StatusCode::OK);
        (text, receipt["anchor"]["time"].as_i64().unwrap())
    }

    /// A certificate for a traveller, signed with the laboratory's account: its envelope, opened.
    async fn digital(&self, passport: &str) -> String {
        self.signed_with("ES256K", passport).await
    }

    /// A certificate for a traveller: its envelope, opened.
    async fn signed_with(&self, algorithm: &str, passport: &str) -> String {
        let holder = Holder::new();
        let mut body = result(passport);
        body["wait"] = json!(true);
        body["formats"] = json!(["vc-jwt-1.1"]);
        body["algorithm"] = json!(algorithm);
        body["card"] = json!(holder.card);
        let made = self.report(&body).await.expect(StatusCode::CREATED);
        let content = made["copies"][0]["content_id"].as_str().unwrap().to_owned();
        let sealed = self.app.get(&format!("/ipfs/{content}?format=raw"), None).await.body;
        let opened = envelope::open(&holder.sealing, SEAL_INFO, &[], &sealed).unwrap();
        String::from_utf8(opened.expose().clone()).unwrap()
    }

    /// The airline's check: the verdict, and every reason.
    async fn check(&self, input: &str) -> (String, Vec<String>) {
        self.app.check(&self.airline.key, input).await
    }

    #[track_caller]
    fn says((verdict, reasons): (String, Vec<String>), expected: &str, reason: &str) {
        assert_eq!(verdict, expected, "{reasons:?}");
        assert!(reasons.iter().any(|said| said == reason), "{reason}: {reasons:?}");
    }
}

async fn what_a_leaked_key_signs_is_refused_and_what_an_anchor_proves_older_stays(app: TestApp) {
    let scene = Scene::of(app).await;
    let (app, authority) = (&scene.app, Some(scene.authority.as_str()));
    let (before, anchored) = scene.paper("P1000001").await;
    let theft = anchored + 1;
    app.until("the key is stolen", async || now().0 > theft).await;
    let (after, later) = scene.paper("P1000002").await;
    assert!(later >= theft);
    for paper in [&before, &after] {
        Scene::says(scene.check(paper).await, "valid", "signature_ok");
    }

    let revoke = |version: u32| format!("/v1/participants/{}/keys/{version}/revoke", scene.laboratory.id);
    let body = |from: i64| json!({ "from": from });
    let by_itself = app.post(&revoke(1), Some(&scene.laboratory.key), &body(theft)).await;
    assert_eq!(
        by_itself.problem(),
        "role-not-allowed",
        "the contract takes the authority's word"
    );
    let future = app.post(&revoke(1), authority, &body(now().0 + 3_600)).await;
    assert_eq!(future.problem(), "revoked-from");
    assert_eq!(
        app.post(&revoke(9), authority, &body(theft)).await.status,
        StatusCode::NOT_FOUND
    );
    let revoked = app
        .post(&revoke(1), authority, &body(theft))
        .await
        .expect(StatusCode::OK);
    assert_eq!(revoked["transactions"].as_array().unwrap().len(), 2);
    app.until("the revocation is on the ledger", async || {
        scene.version_at("signing", "revoked").await == Some(1)
    })
    .await;
    Scene::says(scene.check(&before).await, "valid", "signature_ok");
    Scene::says(scene.check(&after).await, "invalid", "key_revoked");
    let again = app.post(&revoke(1), authority, &body(theft)).await;
    assert_eq!(again.problem(), "key-revoked-already");

    // Those who know nothing of our registry do not find the key in the laboratory's DID document any more.
    app.until("the key has left the document", async || {
        scene.document_keys().await.is_empty()
    })
    .await;

    // The laboratory is told what to ask for, and issues again when it has it.
    let refused = scene.report(&result("P1000003")).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::CONFLICT, "key-revoked")
    );
    assert!(refused.json()["next"].as_str().unwrap().contains("rotate"));
    let rotate = format!("/v1/participants/{}/keys", scene.laboratory.id);
    app.post(&rotate, authority, &json!({})).await.expect(StatusCode::OK);
    app.until("the new keys are on the ledger", async || {
        scene.version_at("signing", "active").await == Some(2)
    })
    .await;
    app.until("the new key is in the document", async || {
        scene.document_keys().await.len() == 1
    })
    .await;
    // The document counts the revocation between the two keys, the registry does not: a certificate names the key as the document has it.
    let named = scene.signed_with("ES256", "P1000004").await;
    let named: Value = serde_json::from_str(&named).unwrap();
    let header = named["copy"].as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&from_base64url(header).unwrap()).unwrap();
    assert_eq!(header["kid"], scene.document_keys().await[0]["id"]);
    assert!(header["kid"].as_str().unwrap().ends_with("#delegate-3"), "{header}");
    let (new, _) = scene.paper("P1000003").await;
    Scene::says(scene.check(&new).await, "valid", "signature_ok");
    Scene::says(scene.check(&after).await, "invalid", "key_revoked");

    // Found out later: the theft was earlier. Nothing can make it later again.
    let earlier = app.post(&revoke(1), authority, &body(anchored)).await;
    earlier.expect(StatusCode::OK);
    app.until("the earlier theft is on the ledger", async || {
        scene.check(&before).await.0 == "invalid"
    })
    .await;
    assert_eq!(
        app.post(&revoke(1), authority, &body(theft)).await.problem(),
        "key-revoked-already"
    );
}

/// A transaction of `from`, signed with its key that is kept here; whether it succeeded.
pub async fn acts(app: &TestApp, from: Address, to: Address, data: Vec<u8>) -> bool {
    let app = &app.app;
    let key = chain::account_key(app, from).await.unwrap();
    let fees = app.ledger.fees().await.unwrap();
    let account = convert::to_address(from);
    let fields = Fields {
        chain_id: app.facts.chain,
        nonce: app.ledger.nonce(account, eth::BlockId::pending()).await.unwrap(),
        gas_limit: chain::CALL_GAS,
        max_fee: fees.max_fee,
        priority_fee: fees.priority_fee,
        to: Some(to),
        value: 0,
        data,
    };
    let signed = fields.prepare().sign(from, |hash| key.sign_digest(hash)).unwrap();
    app.ledger.submit(&signed.raw).await.unwrap();
    let mined = await_mined(&*app.ledger, signed.hash, chain::PATIENCE).await.unwrap();
    mined.success
}

async fn an_account_gets_a_new_key_and_the_old_one_acts_no_more(app: TestApp) {
    let scene = Scene::of(app).await;
    let app = &scene.app;
    let before = scene.digital("P1000001").await;
    let profile = scene.profile(&scene.laboratory.key).await;
    let identity: Address = profile["account"].as_str().unwrap().parse().unwrap();
    let id = scene.laboratory.id.parse().unwrap();
    assert_eq!(chain::accounts::acting(&app.app, id).await.unwrap().1, identity);

    // The laboratory itself may; the airline does not even find it.
    let path = format!("/v1/participants/{}/account", scene.laboratory.id);
    let foreign = app.post(&path, Some(&scene.airline.key), &json!({})).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let card = json!({"card": "x"});
    let custody = app.post(&path, Some(&scene.laboratory.key), &card).await;
    assert_eq!(custody.problem(), "custody");
    app.post(&path, Some(&scene.laboratory.key), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("the new account is on the ledger", async || {
        scene.version_at("account", "retired").await.is_some()
    })
    .await;
    let (_, account) = chain::accounts::acting(&app.app, id).await.unwrap();
    assert_ne!(account, identity);
    let contract = app.app.contracts.dids;
    let owner = dids::owner(&*app.app.ledger, contract, identity, eth::BlockId::latest()).await;
    assert_eq!(owner.unwrap(), account);
    assert_eq!(scene.profile(&scene.laboratory.key).await["did"], profile["did"]);

    // It issues on, under the same DID; what the old key signed stays good.
    let after = scene.digital("P1000002").await;
    for copy in [&before, &after] {
        let (_, reasons) = scene.check(copy).await;
        assert!(reasons.iter().any(|reason| reason == "signature_ok"), "{reasons:?}");
        assert!(reasons.iter().any(|reason| reason == "issuer_ok"), "{reasons:?}");
    }
    let rotate = format!("/v1/participants/{}/keys", scene.laboratory.id);
    app.post(&rotate, Some(&scene.authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("the new account announces new keys", async || {
        scene.version_at("signing", "active").await == Some(2)
    })
    .await;

    // Whoever checks offline, and whoever reads the chain anew, sees the same.
    let bundle = app.get("/v1/bundle", None).await.text();
    let provider = &*app.app.provider;
    let bundle = Bundle::open(&bundle, &app.app.roots, provider, now().plus(5), None).unwrap();
    let issuer = bundle.issuers.resolve(profile["did"].as_str().unwrap()).unwrap();
    assert_eq!((issuer.account(), issuer.accounts().len()), (Some(account), 2));
    let (read, again) = chain::rebuild(&app.app).await.unwrap();
    assert_eq!(read, again);
    assert_eq!(chain::accounts::acting(&app.app, id).await.unwrap().1, account);

    // The old key, in a thief's hands: neither by a transaction nor by a signature.
    let change = dids::Change::Owner(identity);
    assert!(!acts(app, identity, contract, change.calldata(identity)).await);
    let nonce = dids::nonce(&*app.app.ledger, contract, identity, eth::BlockId::latest()).await;
    let old = chain::account_key(&app.app, identity).await.unwrap();
    let hash = change.hash(contract, nonce.unwrap(), identity);
    let body = json!({
        "identity": identity.to_string(),
        "change": {"kind": "change_owner", "owner": identity.to_string()},
        "signature": hex(&old.sign_digest(&hash).unwrap()),
    });
    assert_eq!(app.post("/v1/dids/changes", None, &body).await.problem(), "did-change");

    // And a second time, by the authority.
    app.post(&path, Some(&scene.authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    app.until("another account is on the ledger", async || {
        chain::accounts::acting(&app.app, id).await.unwrap().1 != account
    })
    .await;
    let again = scene.digital("P1000003").await;
    let (_, reasons) = scene.check(&again).await;
    assert!(reasons.iter().any(|reason| reason == "signature_ok"), "{reasons:?}");
}

async fn an_account_that_gave_its_did_away_is_not_admitted(app: TestApp) {
    let authority = app.set_up().await;
    let holder = Holder::new();
    let identity = holder.account.public_key().address(&*app.app.provider).unwrap();
    let owner = Address([0x22; 20]);
    let hash = dids::Change::Owner(owner).hash(app.app.contracts.dids, 0, identity);
    let body = json!({
        "identity": identity.to_string(),
        "change": {"kind": "change_owner", "owner": owner.to_string()},
        "signature": hex(&holder.account.sign_digest(&hash).unwrap()),
    });
    app.post("/v1/dids/changes", None, &body)
        .await
        .expect(StatusCode::ACCEPTED);
    let mut admission = laboratory("Laboratory");
    admission["card"] = json!(holder.card);
    app.until("the change is on the ledger", async || {
        let latest = eth::BlockId::latest();
        let found = dids::owner(&*app.app.ledger, app.app.contracts.dids, identity, latest).await;
        found.unwrap() == owner
    })
    .await;
    let refused = app.post("/v1/participants", Some(&authority), &admission).await;
    assert_eq!(refused.problem(), "did-given-away");
}

async fn the_authority_s_account_takes_the_contracts_with_it(app: TestApp) {
    let scene = Scene::of(app).await;
    let app = &scene.app;
    let profile = scene.profile(&scene.authority).await;
    let old: Address = profile["account"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/participants/{}/account", profile["id"].as_str().unwrap());
    app.post(&path, Some(&scene.authority), &json!({}))
        .await
        .expect(StatusCode::OK);
    let id = profile["id"].as_str().unwrap().parse().unwrap();
    app.until("the contracts are handed over", async || {
        chain::accounts::acting(&app.app, id).await.unwrap().1 != old
    })
    .await;
    let (_, account) = chain::accounts::acting(&app.app, id).await.unwrap();
    for contract in app.app.contracts.governed() {
        let held_by = registry::authority(&*app.app.ledger, contract, eth::BlockId::latest()).await;
        assert_eq!(held_by.unwrap(), account);
    }
    app.admit(&scene.authority, &laboratory("Another laboratory")).await;
    let laboratory = scene.profile(&scene.laboratory.key).await;
    let issuer: Address = laboratory["account"].as_str().unwrap().parse().unwrap();
    let suspend = registry::suspend(issuer, "fraud");
    assert!(!acts(app, old, app.app.contracts.issuers, suspend.clone()).await);
    assert!(acts(app, account, app.app.contracts.issuers, suspend).await);
}

/// A rotation that was begun and never came to the ledger: the rows of its keys alone.
async fn abandon_rotation(scene: &Scene) {
    let id = scene.laboratory.id.parse().unwrap();
    let store = &scene.app.app.store;
    let rows = store.read(move |tx| key_rows::list(tx, &Scope::system(), Some(id)));
    let rows: Vec<_> = rows.await.unwrap();
    let begun: Vec<_> = rows
        .into_iter()
        .filter(|key| key.purpose != "account")
        .map(|key| key_rows::Key {
            id: KeyId::generate(&mut *scene.app.app.entropy()),
            version: 2,
            public: key.public.iter().rev().copied().collect(),
            state: key_rows::State::Pending,
            ..key
        })
        .collect();
    let written = store.write(move |tx| begun.iter().try_for_each(|key| key_rows::insert(tx, key)));
    written.await.unwrap();
}

async fn the_keys_that_are_shown_are_the_keys_that_are_revoked(app: TestApp) {
    let scene = Scene::of(app).await;
    let (app, authority) = (&scene.app, Some(scene.authority.as_str()));
    abandon_rotation(&scene).await;
    let profile = scene.profile(&scene.laboratory.key).await;
    let mut pending = profile["keys"].as_array().unwrap().iter();
    let pending = pending.find(|key| key["state"] == "pending").unwrap();
    assert_eq!(pending["version"], Value::Null, "the ledger has no such keys");
    // What came to nothing keeps nobody from issuing.
    scene.report(&result("P1000001")).await.expect(StatusCode::CREATED);

    let rotate = format!("/v1/participants/{}/keys", scene.laboratory.id);
    app.post(&rotate, authority, &json!({})).await.expect(StatusCode::OK);
    app.until("the new keys are on the ledger", async || {
        scene.version_at("signing", "retired").await == Some(1)
    })
    .await;
    assert_eq!(scene.version_at("signing", "active").await, Some(2));
    let path = format!("/v1/participants/{}/keys/2/revoke", scene.laboratory.id);
    app.post(&path, authority, &json!({})).await.expect(StatusCode::OK);
    app.until("the revocation is on the ledger", async || {
        scene.version_at("signing", "revoked").await.is_some()
    })
    .await;
    assert_eq!(scene.version_at("signing", "revoked").await, Some(2));
    assert_eq!(scene.version_at("signing", "retired").await, Some(1));
}

async fn nothing_is_signed_with_keys_that_the_ledger_may_have_replaced(app: TestApp) {
    let scene = Scene::of(app).await;
    let (app, authority) = (&scene.app, Some(scene.authority.as_str()));
    app.end_jobs().await;
    chain::catch_up(&app.app).await.unwrap();
    let holder = Holder::new();
    let mut digital = result("P1000002");
    digital["formats"] = json!(["vc-jwt-1.1"]);
    digital["algorithm"] = json!("ES256K");
    digital["card"] = json!(holder.card);

    let path = format!("/v1/participants/{}", scene.laboratory.id);
    let rotated = app.post(&format!("{path}/keys"), authority, &json!({})).await;
    rotated.expect(StatusCode::OK);
    let refused = scene.report(&result("P1000001")).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::CONFLICT, "key-rotation")
    );
    scene.report(&digital).await.expect(StatusCode::CREATED);
    app.until("the ledger has the new keys", async || {
        chain::catch_up(&app.app).await.unwrap();
        scene.report(&result("P1000001")).await.status == StatusCode::CREATED
    })
    .await;

    let rotated = app.post(&format!("{path}/account"), authority, &json!({})).await;
    rotated.expect(StatusCode::OK);
    let mut another = digital.clone();
    another["document"]["number"] = json!("P1000003");
    let refused = scene.report(&another).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::CONFLICT, "account-rotation")
    );
    scene.report(&result("P1000004")).await.expect(StatusCode::CREATED);
    app.until("the ledger has the new account", async || {
        chain::catch_up(&app.app).await.unwrap();
        scene.report(&another).await.status == StatusCode::CREATED
    })
    .await;
}

async fn a_certificate_names_the_did_whichever_account_acts(app: TestApp) {
    let scene = Scene::of(app).await;
    let (app, authority) = (&scene.app, Some(scene.authority.as_str()));
    let path = format!("/v1/participants/{}/keys", scene.airline.id);
    app.post(&path, authority, &json!({})).await.expect(StatusCode::OK);
    let profile = scene.profile(&scene.airline.key).await;
    let did = profile["did"].as_str().unwrap();
    let keys = profile["keys"].as_array().unwrap().iter();
    let certificates: Vec<_> = keys.filter_map(|key| key["certificate"].as_str()).collect();
    assert_eq!(certificates.len(), 2);
    for certificate in certificates {
        let der = from_base64(certificate).unwrap();
        assert!(der.windows(did.len()).any(|part| part == did.as_bytes()), "{did}");
    }
}

async fn own_keys_are_not_registered_twice_and_a_copy_is_signed_once(app: TestApp) {
    let authority = app.set_up().await;
    let laboratory_keys = Holder::new();
    let mut admission = laboratory("Laboratory");
    admission["card"] = json!(laboratory_keys.card);
    let admitted = app.admit(&authority, &admission).await;
    let rotate = format!("/v1/participants/{}/keys", admitted.id);
    let same = json!({"card": laboratory_keys.card});
    let refused = app.post(&rotate, Some(&authority), &same).await;
    assert_eq!(
        (refused.status, refused.problem().as_str()),
        (StatusCode::CONFLICT, "same-keys")
    );

    let mut body = result("P1000001");
    body["formats"] = json!(["vc-jwt-1.1"]);
    body["algorithm"] = json!("ES256K");
    body["card"] = json!(Holder::new().card);
    let made = app.post("/v1/results", Some(&admitted.key), &body).await;
    let made = made.expect(StatusCode::CREATED);
    let copy = &made["copies"][0];
    let message = from_base64url(copy["to_sign"]["message"].as_str().unwrap()).unwrap();
    let signature = laboratory_keys.account.sign(Algorithm::Es256k, &message).unwrap();
    let path = format!("/v1/copies/{}/signature", copy["id"].as_str().unwrap());
    let signed = json!({"signature": base64url(&signature)});
    let send = || app.post(&path, Some(&admitted.key), &signed);
    let answers = tokio::join!(send(), send(), send(), send());
    let mut statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status];
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [StatusCode::OK, StatusCode::CONFLICT]);
    let audit = app.get("/v1/audit", Some(&authority)).await.expect(StatusCode::OK);
    let entries = audit["items"].as_array().unwrap().iter();
    assert_eq!(entries.filter(|entry| entry["operation"] == "sign-copy").count(), 1);
}
