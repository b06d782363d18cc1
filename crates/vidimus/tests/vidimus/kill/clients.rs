//! What the clients do until the server is gone.

use super::{
    FORMATS, Run,
    outside::{Choices, Report, Revocation},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use vidimus::clock::SystemClock;
use vidimus_core::time::Clock;

fn report(passport: &str, card: &str) -> Value {
    json!({
        "claims": {
            "person": {"family_name": "Musterfrau", "given_name": "Gabriele", "birth_date": "1998-02-26"},
            "category": "sars-cov-2-naat",
            "claims": {
                "sampled_at": SystemClock.now().plus(-3_600).to_rfc3339(),
                "result": "260415000",
                "test_name": "TaqPath COVID-19 RT-PCR",
                "testing_centre": "Labor Donauraum GmbH",
                "country": "AT",
            },
        },
        "document": {"type": "passport", "country": "AT", "number": passport},
        "formats": FORMATS,
        "card": card,
    })
}

impl Run {
    /// One client until the server is gone.
    pub async fn client(&self, round: u64, number: u64, mut choices: Choices) {
        for turn in 0.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let alive = match choices.next(10) {
                0 | 1 => self.revoke_something(&mut choices).await,
                2 => self.repeat_something(&mut choices, number).await,
                _ => {
                    let key = format!("report-{round}-{number}-{turn}");
                    let passport = format!("R{round:04}C{number}T{turn:05}");
                    let body = report(&passport, &self.holder.card);
                    let new = Report {
                        body,
                        acknowledged: None,
                        round,
                        given_up: choices.next(40) == 0,
                    };
                    self.outside.lock().unwrap().reports.insert(key.clone(), new);
                    self.report(&key).await
                }
            };
            if !alive {
                return;
            }
        }
    }

    /// Sends a report, the first time or again. `false` when the server is gone.
    pub async fn report(&self, key: &str) -> bool {
        let (body, before) = {
            let outside = self.outside.lock().unwrap();
            let report = &outside.reports[key];
            (report.body.clone(), report.acknowledged.clone())
        };
        let Some((status, answer)) = self
            .api
            .send(Some(&self.laboratory), "POST", "/v1/results", Some(&body), key)
            .await
        else {
            return false;
        };
        match status {
            StatusCode::CREATED => {
                assert_eq!(
                    answer["copies"].as_array().map(Vec::len),
                    Some(FORMATS.len()),
                    "{answer}"
                );
                let mut outside = self.outside.lock().unwrap();
                if let Some(before) = before {
                    assert_eq!(before["certificate"], answer["certificate"], "{key} was done twice");
                    return true;
                }
                outside.note(&json!({"reported": key, "certificate": answer["certificate"]}));
                outside.reports.get_mut(key).unwrap().acknowledged = Some(answer);
            }
            // Begun before the server was killed, and its lease has not run out.
            StatusCode::CONFLICT => assert_eq!(answer["type"], "urn:vidimus:error:in-progress", "{key}: {answer}"),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {}
            _ => panic!("{key}: {status} {answer}"),
        }
        true
    }

    async fn repeat_something(&self, choices: &mut Choices, number: u64) -> bool {
        let key = {
            let outside = self.outside.lock().unwrap();
            // A client of its own repeats what it sent; two at once for one key are another test's.
            let own: Vec<_> = outside
                .reports
                .iter()
                .filter(|(key, report)| !report.given_up && key.split('-').nth(2) == Some(&number.to_string()))
                .collect();
            let waiting: Vec<_> = own.iter().filter(|(_, report)| report.acknowledged.is_none()).collect();
            let from = if waiting.is_empty() {
                own.iter().collect()
            } else {
                waiting
            };
            match from.len() as u64 {
                0 => return true,
                count => from[choices.next(count) as usize].0.clone(),
            }
        };
        self.report(&key).await
    }

    async fn revoke_something(&self, choices: &mut Choices) -> bool {
        let certificate = {
            let mut outside = self.outside.lock().unwrap();
            let candidates: Vec<String> = outside
                .reports
                .values()
                .filter_map(|report| Some(report.acknowledged.as_ref()?["certificate"].as_str()?.to_owned()))
                .filter(|id| outside.revocations.get(id) != Some(&Revocation::Acknowledged))
                .collect();
            if candidates.is_empty() {
                return true;
            }
            let id = candidates[choices.next(candidates.len() as u64) as usize].clone();
            outside.revocations.insert(id.clone(), Revocation::Asked);
            id
        };
        let path = format!("/v1/certificates/{certificate}/revoke");
        let Some((status, answer)) = self
            .api
            .send(
                Some(&self.laboratory),
                "POST",
                &path,
                Some(&json!({"reason": "error"})),
                "",
            )
            .await
        else {
            return false;
        };
        let done = match status {
            StatusCode::OK => true,
            // By another client, or by a request whose answer got lost.
            StatusCode::CONFLICT => true,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => false,
            _ => panic!("{certificate}: {status} {answer}"),
        };
        if done {
            let mut outside = self.outside.lock().unwrap();
            outside.note(&json!({"revoked": certificate}));
            outside.revocations.insert(certificate, Revocation::Acknowledged);
        }
        true
    }
}
