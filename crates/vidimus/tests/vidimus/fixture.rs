//! Data directories and certificates of earlier releases still open and still check (`tests/fixtures`, made by `scripts/fixture.sh`).

use crate::harness::configuration;
use serde::Deserialize;
use std::{fs, path::Path, sync::Arc};
use vidimus::app::{App, checks};
use vidimus_core::{Timestamp, time::Clock};
use vidimus_credential::check::Input;
use vidimus_store::audit;

#[derive(Deserialize)]
struct Expected {
    made_at: i64,
    public_url: String,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    what: String,
    input: String,
    verdict: String,
    reasons: Vec<String>,
}

struct Fixed(Timestamp);

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to)
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_earlier_releases_made_opens_and_checks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut opened = 0;
    for entry in fs::read_dir(root.join("tests/fixtures")).unwrap() {
        let fixture = entry.unwrap().path();
        let name = fixture.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(fixture.join("expected.json")).unwrap();
        let expected: Expected = serde_json::from_str(&text).unwrap();
        let directory = tempfile::tempdir().unwrap();
        copy(&fixture.join("data"), &directory.path().join("data"));
        fs::create_dir_all(directory.path().join("keys")).unwrap();
        let key = directory.path().join("keys/root.key");
        fs::copy(root.join(format!("vectors/keys/TEST-{name}-root.key")), &key).unwrap();
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let more = format!("[server]\npublic_url = \"{}\"\n", expected.public_url);
        let config = Arc::new(configuration(directory.path(), &more));
        let now = Timestamp(expected.made_at).plus(60);
        let app = App::open(config, Arc::new(Fixed(now))).await.unwrap();
        let verdict = app.store.read(audit::verify).await.unwrap();
        assert!(matches!(verdict, audit::Verdict::Whole(_)), "{name}: {verdict:?}");
        assert!(app.registries().issuers.participants().count() > 0, "{name}");
        for check in expected.checks {
            let input = Input::parse(check.input.as_bytes()).unwrap();
            let report = checks::evaluate(&app, input, None, None, checks::policy(&app), now)
                .await
                .unwrap();
            let reasons: Vec<_> = report.reasons().iter().map(|reason| reason.code()).collect();
            let found = (checks::verdict(report.verdict), reasons);
            let wanted = (
                check.verdict.as_str(),
                check.reasons.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            assert_eq!(found, wanted, "{name}: {}", check.what);
        }
        app.close().await;
        opened += 1;
    }
    assert!(opened > 0, "no fixture is there");
}
