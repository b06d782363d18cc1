//! The authorization matrix, walked on the real router: every operation, every role, own and foreign.

use crate::harness::{Participant, TestApp, airline, laboratory};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vidimus::{
    app::principal::{Permission, Role},
    http::operation::{Access, BodyLimit, Object, Operation, Row},
};
use vidimus_store::testing;

/// JSON-RPC's code for a method that the caller may not use.
const NOT_ALLOWED: i64 = -32_004;
const MISSING: &str = "00000000-0000-4000-8000-000000000000";

/// Who asks.
struct Caller {
    name: &'static str,
    role: Option<Role>,
    permissions: Vec<Permission>,
    key: Option<String>,
}

impl Caller {
    fn may(&self, row: &Row) -> bool {
        let has = |permission| self.permissions.contains(&permission);
        match row.access {
            Access::Anybody | Access::Rpc => true,
            Access::Only(roles, permission) => self.role.is_some_and(|role| roles.contains(&role)) && has(permission),
            Access::Metrics => has(Permission::Operate),
        }
    }
}

/// The path of a row, each parameter filled in.
fn path(row: &Row, ids: &BTreeMap<&str, String>) -> String {
    let mut path = String::new();
    for segment in row.path.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => path.push_str(ids.get(name).unwrap_or_else(|| panic!("no value for {{{name}}}"))),
            None => path.push_str(segment),
        }
    }
    path
}

/// Ids of things that are not there.
fn missing() -> BTreeMap<&'static str, String> {
    let id = || MISSING.to_owned();
    BTreeMap::from([
        ("participant", id()),
        ("version", "1".to_owned()),
        ("api_key", id()),
        ("result", id()),
        ("certificate", id()),
        ("copy", id()),
        ("issuer", id()),
        ("offer", id()),
        ("presentation", id()),
        ("left", id()),
        ("reference", "no-such-reference".to_owned()),
        ("category", "no-such-category".to_owned()),
        ("commitment", "00".repeat(32)),
        (
            "content_id",
            "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy".to_owned(),
        ),
        ("list", "999".to_owned()),
        ("purpose", "revocation".to_owned()),
        ("webhook", id()),
    ])
}

async fn ask(app: &TestApp, row: &Row, path: &str, key: Option<&str>, body: &Value) -> crate::harness::Answer {
    let body = (row.body != BodyLimit::Empty).then_some(body);
    app.ask(row.method.clone(), path, key, body).await
}

async fn limited_key(app: &TestApp, of: &Participant, permission: &str) -> String {
    let body = json!({"permissions": [permission], "days": 1, "label": "limited"});
    let made = app
        .post("/v1/api-keys", Some(&of.key), &body)
        .await
        .expect(StatusCode::CREATED);
    made["secret"].as_str().unwrap().to_owned()
}

async fn walk(app: TestApp) {
    use Permission::{Admin, Check, Issue, Operate, Read};
    let authority = Participant {
        id: String::new(),
        key: app.set_up().await,
    };
    let laboratory = app.admit(&authority.key, &laboratory("Laboratory")).await;
    let airline = app.admit(&authority.key, &airline("Airline")).await;
    let caller = |name, role, permissions: &[Permission], key: &str| Caller {
        name,
        role: Some(role),
        permissions: permissions.to_vec(),
        key: Some(key.to_owned()),
    };
    let (a, i, v) = (Role::Authority, Role::Issuer, Role::Verifier);
    let callers = [
        Caller {
            name: "anonymous",
            role: None,
            permissions: Vec::new(),
            key: None,
        },
        caller("authority", a, &[Read, Admin, Operate], &authority.key),
        caller(
            "authority, reading",
            a,
            &[Read],
            &limited_key(&app, &authority, "read").await,
        ),
        caller(
            "authority, administering",
            a,
            &[Admin],
            &limited_key(&app, &authority, "admin").await,
        ),
        caller("issuer", i, &[Read, Issue, Admin, Operate], &laboratory.key),
        caller(
            "issuer, reading",
            i,
            &[Read],
            &limited_key(&app, &laboratory, "read").await,
        ),
        caller(
            "issuer, issuing",
            i,
            &[Issue],
            &limited_key(&app, &laboratory, "issue").await,
        ),
        caller("verifier", v, &[Read, Check, Admin, Operate], &airline.key),
        caller(
            "verifier, checking",
            v,
            &[Check],
            &limited_key(&app, &airline, "check").await,
        ),
        caller("operator", v, &[Operate], &limited_key(&app, &airline, "operate").await),
    ];
    let (mut allowed, mut denied) = (0, 0);
    for operation in Operation::ALL {
        let row = operation.row();
        for caller in &callers {
            let answer = ask(&app, &row, &path(&row, &missing()), caller.key.as_deref(), &json!({})).await;
            let what = format!("{operation:?} by {}: {} {}", caller.name, answer.status, answer.text());
            let refused = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if caller.may(&row) {
                assert!(!refused, "must be allowed: {what}");
                assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{what}");
                allowed += 1;
            } else {
                let expected = match (&caller.key, &caller.role, row.access) {
                    (None, ..) => (StatusCode::UNAUTHORIZED, "no-api-key"),
                    (_, Some(role), Access::Only(roles, _)) if !roles.contains(role) => {
                        (StatusCode::FORBIDDEN, "role-not-allowed")
                    }
                    _ => (StatusCode::FORBIDDEN, "permission-missing"),
                };
                assert_eq!(
                    (answer.status, answer.problem().as_str()),
                    expected,
                    "must be denied: {what}"
                );
                denied += 1;
            }
        }
    }
    assert_eq!(allowed + denied, Operation::ALL.len() * callers.len());
    // Who may read the ledger may not therefore write to it: the guard answers before the ledger looks at the transaction.
    let send = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x02"]});
    let mut senders = 0;
    for caller in &callers {
        let answer = app.ask(Method::POST, "/rpc", caller.key.as_deref(), Some(&send)).await;
        let may = caller.permissions.contains(&Permission::Operate);
        let code = answer.expect(StatusCode::OK)["error"]["code"].as_i64().unwrap();
        assert_eq!(code != NOT_ALLOWED, may, "{}: {code}", caller.name);
        senders += usize::from(may);
    }
    assert!(senders > 0 && senders < callers.len());
    assert!(denied > allowed / 2, "{allowed} allowed, {denied} denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_lets_in_whom_its_row_names_and_nobody_else() {
    walk(TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds_on_postgresql() {
    match TestApp::postgres().await {
        Some(app) => walk(app).await,
        None => testing::skip("the matrix on PostgreSQL: it is not installed"),
    }
}

/// What the owner and the stranger send: right in form, so that the object is looked for.
fn body(operation: Operation) -> Value {
    match operation {
        Operation::ConfirmPresentation => json!({"response_code": "x", "session": "y"}),
        Operation::AddCopies => json!({"formats": ["hcert"]}),
        Operation::RevokeCertificate => json!({"reason": "error"}),
        Operation::RotateAccount | Operation::RotateWebhook => json!({}),
        Operation::CheckLeftPresentation => json!({"purpose": "boarding"}),
        Operation::SignCopy => json!({"signature": "AA"}),
        _ => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_s_answers_like_what_is_not_there() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let (owner, stranger) = (
        app.admit(&authority, &laboratory("Owner")).await,
        app.admit(&authority, &laboratory("Stranger")).await,
    );
    let reported = app
        .post("/v1/results", Some(&owner.key), &crate::harness::result("P1234567"))
        .await;
    let certificate = reported.expect(StatusCode::CREATED);
    let spare = json!({"permissions": ["read"], "days": 1});
    let spare = app
        .post("/v1/api-keys", Some(&owner.key), &spare)
        .await
        .expect(StatusCode::CREATED);
    let webhook = json!({"url": "https://receiver.example/"});
    let webhook = app
        .post("/v1/webhooks", Some(&owner.key), &webhook)
        .await
        .expect(StatusCode::CREATED);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut there = missing();
    there.insert("participant", owner.id.clone());
    there.insert("result", text(&certificate["result"]));
    there.insert("certificate", text(&certificate["certificate"]));
    there.insert("copy", text(&certificate["copies"][0]["id"]));
    there.insert("api_key", text(&spare["id"]));
    let offer = app
        .post(
            "/v1/offers",
            Some(&owner.key),
            &json!({"result": certificate["result"]}),
        )
        .await
        .expect(StatusCode::CREATED);
    there.insert("offer", text(&offer["id"]));
    there.insert("webhook", text(&webhook["id"]));

    let (asker, other) = (
        app.admit(&authority, &crate::harness::airline("Asker")).await,
        app.admit(&authority, &crate::harness::airline("Other")).await,
    );
    let asked =
        json!({"purpose": "boarding", "credentials": [{"category": "sars-cov-2-naat", "attributes": ["family_name"]}]});
    let asked = app
        .post("/v1/presentations", Some(&asker.key), &asked)
        .await
        .expect(StatusCode::CREATED);
    let left = json!({"verifier": asker.id, "payload": "AAAA"});
    let left = app
        .post("/v1/left-presentations", None, &left)
        .await
        .expect(StatusCode::CREATED);
    there.insert("presentation", text(&asked["id"]));
    there.insert("left", text(&left["id"]));
    // Who has the object of an operation, and who of the same role has not.
    let parties = |access: Access| match access {
        Access::Only(roles, _) if !roles.contains(&Role::Issuer) => (&asker, &other),
        _ => (&owner, &stranger),
    };

    let own: Vec<_> = Operation::ALL
        .iter()
        .filter(|operation| operation.row().object == Object::Own)
        .collect();
    assert!(own.len() >= 6);
    for &&operation in &own {
        let row = operation.row();
        let Access::Only(..) = row.access else {
            panic!("{operation:?}: objects with owners, open to anybody")
        };
        let (_, stranger) = parties(row.access);
        let foreign = ask(&app, &row, &path(&row, &there), Some(&stranger.key), &body(operation)).await;
        let absent = ask(
            &app,
            &row,
            &path(&row, &missing()),
            Some(&stranger.key),
            &body(operation),
        )
        .await;
        assert_eq!(
            foreign.status,
            StatusCode::NOT_FOUND,
            "{operation:?}: {}",
            foreign.text()
        );
        assert_eq!(foreign.comparable(), absent.comparable(), "{operation:?}");
        let names = |answer: &crate::harness::Answer| answer.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&foreign), names(&absent), "{operation:?}");
    }
    // Nothing of it has touched what is the owner's: they find it all. What ends something comes last.
    let ends = [
        Operation::RevokeCertificate,
        Operation::RotateAccount,
        Operation::RevokeApiKey,
        Operation::RemoveWebhook,
        Operation::RemoveLeftPresentation,
    ];
    let (last, first): (Vec<_>, Vec<_>) = own.into_iter().partition(|operation| ends.contains(operation));
    for &operation in first.into_iter().chain(last) {
        let row = operation.row();
        let (owner, _) = parties(row.access);
        let mine = ask(&app, &row, &path(&row, &there), Some(&owner.key), &body(operation)).await;
        assert_ne!(mine.status, StatusCode::NOT_FOUND, "{operation:?}: {}", mine.text());
        assert!(!mine.status.is_server_error(), "{operation:?}: {}", mine.text());
    }
    assert_eq!(
        app.get("/v1/profile", Some(spare["secret"].as_str().unwrap()))
            .await
            .problem(),
        "api-key-not-accepted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_no_more_than_it_has_and_ends_with_its_participant() {
    let app = TestApp::new().await;
    let authority = app.set_up().await;
    let laboratory = app.admit(&authority, &laboratory("Laboratory")).await;
    let admin = limited_key(&app, &laboratory, "admin").await;
    let more = json!({"permissions": ["issue"], "days": 1});
    assert_eq!(
        app.post("/v1/api-keys", Some(&admin), &more).await.problem(),
        "permission-beyond-own"
    );
    let check = json!({"permissions": ["check"], "days": 1});
    let path = format!("/v1/participants/{}/api-keys", laboratory.id);
    assert_eq!(
        app.post(&path, Some(&authority), &check).await.problem(),
        "permission-beyond-role"
    );
    app.post(&path, Some(&authority), &more)
        .await
        .expect(StatusCode::CREATED);

    let act = async |what: &str| {
        let path = format!("/v1/participants/{}/{what}", laboratory.id);
        app.post(&path, Some(&authority), &json!({"reason": "accreditation-lost"}))
            .await
            .expect(StatusCode::OK);
    };
    let issue = async || app.post("/v1/results", Some(&laboratory.key), &json!({})).await;
    assert_eq!(issue().await.status, StatusCode::UNPROCESSABLE_ENTITY);
    act("suspend").await;
    app.until("the suspension is on the ledger", async || {
        issue().await.status == StatusCode::FORBIDDEN
    })
    .await;
    assert_eq!(issue().await.problem(), "permission-missing");
    app.get("/v1/profile", Some(&laboratory.key))
        .await
        .expect(StatusCode::OK);
    act("resume").await;
    app.until("the resumption is on the ledger", async || {
        issue().await.status == StatusCode::UNPROCESSABLE_ENTITY
    })
    .await;
    act("revoke").await;
    app.until("the revocation is on the ledger", async || {
        let answer = app.get("/v1/profile", Some(&laboratory.key)).await;
        answer.status == StatusCode::FORBIDDEN && answer.problem() == "participant-not-active"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_made_once_by_a_link_that_works_once() {
    let app = TestApp::new().await;
    let body = |token: &str| json!({"token": token, "name": "Ministry", "country": "AT"});
    let unknown = app.post("/v1/setup", None, &body("vs_guess")).await;
    assert_eq!(
        (unknown.status, unknown.problem().as_str()),
        (StatusCode::FORBIDDEN, "setup-link-unknown")
    );
    let first = vidimus::app::setup::make_link(&app.app).await.unwrap();
    let second = vidimus::app::setup::make_link(&app.app).await.unwrap();
    assert_eq!(
        app.post("/v1/setup", None, &body(first.token.expose())).await.problem(),
        "setup-link-used"
    );
    app.post("/v1/setup", None, &body(second.token.expose()))
        .await
        .expect(StatusCode::CREATED);
    let again = app.post("/v1/setup", None, &body(second.token.expose())).await;
    assert_eq!(
        (again.status, again.problem().as_str()),
        (StatusCode::CONFLICT, "already-set-up")
    );
    assert!(vidimus::app::setup::make_link(&app.app).await.is_err());
    assert_eq!(
        app.ask(Method::POST, "/v1/setup", None, Some(&json!({})))
            .await
            .problem(),
        "json"
    );
}
