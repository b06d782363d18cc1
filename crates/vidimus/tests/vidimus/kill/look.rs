//! What must be there afterwards: everything that was acknowledged, once.

use super::{FORMATS, PATIENCE, Run, outside::Revocation};
use crate::{batches::Batches, program};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vidimus_core::{Commitment, Digest, Provider, Receipt};
use vidimus_credential::{check::Envelope, format, status::Status, status::token_list::TokenList};
use vidimus_crypto::{Native, envelope};

impl Run {
    /// Everything acknowledged in `rounds` is there, and is there once. Gives how many certificates were looked at.
    pub async fn look(&self, rounds: std::ops::RangeInclusive<u64>) -> u64 {
        let (reports, revocations) = {
            let outside = self.outside.lock().unwrap();
            let reports: Vec<_> = outside
                .reports
                .iter()
                .filter(|(_, report)| rounds.contains(&report.round))
                .filter_map(|(key, report)| Some((key.clone(), report.acknowledged.clone()?)))
                .collect();
            (reports, outside.revocations.clone())
        };
        for (place, (key, acknowledged)) in reports.iter().enumerate() {
            let id = acknowledged["certificate"].as_str().unwrap();
            let now = self
                .api
                .get(Some(&self.laboratory), &format!("/v1/certificates/{id}"))
                .await;
            match revocations.get(id) {
                None => assert_eq!(now["status"], "valid", "{key}: nobody revoked it"),
                Some(Revocation::Acknowledged) => assert_eq!(now["status"], "revoked", "{key}: a revocation was lost"),
                Some(Revocation::Asked) => assert!(["valid", "revoked"].contains(&now["status"].as_str().unwrap())),
            }
            for (before, copy) in acknowledged["copies"]
                .as_array()
                .unwrap()
                .iter()
                .zip(now["copies"].as_array().unwrap())
            {
                for member in ["id", "format", "content_id", "commitment"] {
                    assert_eq!(before[member], copy[member], "{key}: {member} of a copy has changed");
                }
                assert_eq!(copy["state"], "signed");
                if place % 7 == 0 {
                    let index = self.open(copy).await;
                    if revocations.get(id) == Some(&Revocation::Acknowledged) {
                        let token = self
                            .api
                            .client
                            .get(format!("{}/v1/status/1/token", self.api.base))
                            .send()
                            .await;
                        let list = TokenList::parse(&token.unwrap().text().await.unwrap()).unwrap();
                        assert_eq!(
                            list.status(index).unwrap(),
                            Status::Revoked,
                            "{key}: the status list forgot it"
                        );
                    }
                }
            }
            if place % 5 == 0 {
                assert!(self.report(key).await, "a server that nobody kills answers");
            }
        }
        let audit = self.api.get(Some(&self.authority), "/v1/audit/verification").await;
        assert_eq!(audit["whole"], true, "{audit}");
        reports.len() as u64
    }

    /// The holder opens a copy; it is the one that was committed to. Gives its place in the status list.
    async fn open(&self, copy: &Value) -> u64 {
        let url = format!("{}/ipfs/{}", self.api.base, copy["content_id"].as_str().unwrap());
        let sealed = self.api.client.get(url).send().await.unwrap();
        assert_eq!(sealed.status(), StatusCode::OK);
        let info = vidimus::app::copies::SEAL_INFO;
        let opened = envelope::open(&self.holder.sealing, info, &[], &sealed.bytes().await.unwrap()).unwrap();
        let envelope: Envelope = serde_json::from_slice(opened.expose()).unwrap();
        let native = Native::new();
        let parsed = format::parse(&envelope.copy).unwrap();
        let digest = native.sha256(&[&parsed.message]);
        let commitment = Commitment::derive(&native, &envelope.salt.unwrap(), &digest);
        assert_eq!(copy["commitment"], commitment.to_string());
        let status = match parsed.content {
            format::Content::Statement(statement) => statement.status,
            format::Content::Hcert(content) => content.status,
            format::Content::SdJwtVc(content) => content.status,
        };
        status.unwrap().index
    }

    /// Waits until everything that was begun is finished and anchored, then counts. Gives certificates, batches and receipts.
    pub async fn settle(&self) -> (u64, u64, u64) {
        let mut results = self.results().await;
        self.until("what was begun and given up is finished", async || {
            results = self.results().await;
            for id in &results {
                let view = self.api.get(Some(&self.laboratory), &format!("/v1/results/{id}")).await;
                let copies = view["certificate"]["copies"].as_array().cloned().unwrap_or_default();
                if copies.iter().any(|copy| copy["state"] != "signed") {
                    return false;
                }
            }
            true
        })
        .await;
        self.until("every request is answered", async || {
            let waiting: Vec<_> = {
                let outside = self.outside.lock().unwrap();
                let waiting = outside
                    .reports
                    .iter()
                    .filter(|(_, report)| report.acknowledged.is_none());
                waiting.map(|(key, _)| key.clone()).collect()
            };
            for key in &waiting {
                assert!(self.report(key).await, "a server that nobody kills answers");
            }
            waiting.is_empty()
        })
        .await;
        let results = self.results().await;
        let certificates: BTreeSet<String> = {
            let outside = self.outside.lock().unwrap();
            let acknowledged = outside
                .reports
                .values()
                .filter_map(|report| report.acknowledged.as_ref());
            acknowledged
                .map(|answer| answer["certificate"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            certificates.len(),
            self.outside.lock().unwrap().reports.len(),
            "two reports share a certificate"
        );
        assert_eq!(results.len(), certificates.len(), "a report was done twice");

        let mut commitments = BTreeSet::new();
        for id in &certificates {
            let mut copies = Vec::new();
            self.until("every copy is anchored", async || {
                let view = self
                    .api
                    .get(Some(&self.laboratory), &format!("/v1/certificates/{id}"))
                    .await;
                copies = view["copies"].as_array().unwrap().clone();
                copies.iter().all(|copy| copy["anchored"] == true)
            })
            .await;
            for copy in copies {
                assert!(
                    commitments.insert(copy["commitment"].as_str().unwrap().to_owned()),
                    "two copies, one commitment"
                );
            }
        }
        assert_eq!(commitments.len(), FORMATS.len() * certificates.len());
        let batches = self.anchored_once(&commitments).await;
        (certificates.len() as u64, batches, commitments.len() as u64)
    }

    async fn results(&self) -> BTreeSet<String> {
        let (mut all, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let page = self
                .api
                .get(Some(&self.laboratory), &format!("/v1/results?limit=500{cursor}"))
                .await;
            for item in page["items"].as_array().unwrap() {
                assert!(
                    all.insert(item["result"].as_str().unwrap().to_owned()),
                    "a page repeats a result"
                );
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Each commitment leads to one root, and the chain has each root once, with as many leaves as there are receipts under it.
    async fn anchored_once(&self, commitments: &BTreeSet<String>) -> u64 {
        let mut batches = Batches::default();
        let mut contract = None;
        for commitment in commitments {
            let receipt = self.api.get(None, &format!("/v1/receipts/{commitment}")).await;
            let receipt: Receipt = serde_json::from_value(receipt).unwrap();
            batches.add(commitment, &receipt);
            contract = Some(receipt.anchor.contract);
        }
        let Batches(receipts) = batches;
        let filter = json!([{"address": contract.unwrap().to_string(), "fromBlock": "0x0", "toBlock": "latest"}]);
        let logs = self.api.call("eth_getLogs", filter).await;
        let mut anchored: BTreeMap<Digest, u64> = BTreeMap::new();
        let mut transactions = BTreeSet::new();
        let mut senders = BTreeSet::new();
        // Anchored(bytes32 indexed root, uint64 size, address indexed anchorer): the only event of the contract with a size in its data.
        for log in logs.as_array().unwrap() {
            let hash = log["transactionHash"].as_str().unwrap().to_owned();
            let topics = log["topics"].as_array().unwrap();
            let data = log["data"].as_str().unwrap();
            let root: Digest = match topics.get(1).and_then(Value::as_str).map(|topic| topic[2..].parse()) {
                Some(Ok(root)) if data.len() == 66 && receipts.contains_key(&root) => root,
                _ => continue,
            };
            let size = u64::from_str_radix(&data[50..], 16).unwrap();
            assert!(
                anchored.insert(root, size).is_none(),
                "a root stands on the chain twice"
            );
            let transaction = self.api.call("eth_getTransactionByHash", json!([hash])).await;
            senders.insert(transaction["from"].as_str().unwrap().to_owned());
            assert!(transactions.insert(hash), "one transaction anchors twice");
        }
        assert_eq!(
            anchored.len(),
            receipts.len(),
            "a receipt leads to a root that is not on the chain"
        );
        for (root, (size, places)) in &receipts {
            assert_eq!(
                (anchored[root], places.len() as u64),
                (*size, *size),
                "a batch and its receipts differ"
            );
        }
        assert_eq!(anchored.values().sum::<u64>(), commitments.len() as u64);
        // Whatever else the anchoring account had sent would show in its nonce: a second try, a reverted one.
        let sender = senders.first().unwrap();
        assert_eq!(senders.len(), 1);
        let nonce = self
            .api
            .call("eth_getTransactionCount", json!([sender, "latest"]))
            .await;
        let nonce = u64::from_str_radix(&nonce.as_str().unwrap()[2..], 16).unwrap();
        assert_eq!(
            nonce,
            anchored.len() as u64,
            "the anchoring account sent more than one transaction for a batch"
        );
        nonce
    }

    pub async fn until(&self, what: &str, there: impl AsyncFnMut() -> bool) {
        program::until_async(what, PATIENCE, there).await;
    }
}
