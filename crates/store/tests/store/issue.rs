//! The laboratory issues: intent, signed copy, outbox, batch, receipt.

use crate::setting::*;
use vidimus_core::{
    Commitment, Digest,
    id::{BatchId, CopyId, ParticipantId, RequestId, ResultId},
    merkle,
    receipt::BlockHash,
};
use vidimus_store::{Error, Scope, batches, certificates, copies, outbox, persons, results, status, transactions};

fn place() -> batches::Place {
    batches::Place {
        transaction: BlockHash([3; 32]),
        block_number: 12,
        block_hash: BlockHash([4; 32]),
        block_time: NOW,
    }
}

on_both! {
    async fn the_laboratory_issues_and_the_traveller_gets_a_receipt(setting: Setting) {
        let certificate = setting.certificate().await;
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(setting.copy(certificate).await);
        }
        let first = all[0].clone();
        let (batch, scope) = (BatchId::from_bytes(random()), setting.scope());

        let waiting = setting.store.read(|tx| outbox::waiting(tx, CHAIN)).await.unwrap();
        assert_eq!((waiting.count, waiting.oldest), (5, Some(NOW)));
        let commitments = setting.store.write(move |tx| batches::gather(tx, batch, CHAIN, 100, NOW)).await.unwrap();
        assert!(commitments.is_sorted(), "the order tells nothing about time");
        assert_eq!(commitments.len(), 5);
        let nothing = setting
            .store
            .write(move |tx| batches::gather(tx, BatchId::from_bytes([1; 16]), CHAIN, 100, NOW))
            .await
            .unwrap();
        assert!(nothing.is_empty());
        assert_eq!(setting.number("SELECT COUNT(*) FROM batches").await, 1, "an empty batch leaves no row");

        let tree = merkle::Tree::build(provider().as_ref(), &commitments);
        let root = tree.root();
        let call = transactions::Call {
            id: RequestId::from_bytes(random()),
            chain: CHAIN,
            account: vidimus_core::Address([9; 20]),
            purpose: "anchor".into(),
            object: batch.as_bytes().to_vec(),
            to: Some(vidimus_core::Address([8; 20])),
            data: root.0.to_vec(),
            gas: 100_000,
        };
        let id = call.id;
        let queued = setting
            .store
            .write(move |tx| {
                assert!(batches::build(tx, batch, &root)?);
                transactions::enqueue(tx, &call, 4, NOW)
            })
            .await
            .unwrap();
        assert_eq!((queued.nonce, queued.state), (4, transactions::State::Queued));
        // A restart looks at what is open and finds both.
        let (open, out) = setting
            .store
            .read(|tx| Ok::<_, Error>((batches::open(tx, CHAIN)?, transactions::open(tx, CHAIN, 10)?)))
            .await
            .unwrap();
        assert_eq!((open.len(), open[0].root, open[0].size), (1, Some(root), 5));
        assert_eq!(out, [queued]);
        let proofs: Vec<(Commitment, merkle::Proof)> =
            commitments.iter().enumerate().map(|(i, c)| (*c, tree.prove(i as u64).unwrap())).collect();
        let (kept, commitment) = (proofs.clone(), first.commitment);
        let early = setting
            .store
            .write(move |tx| {
                assert!(transactions::sign(tx, id, b"raw", BlockHash([3; 32]), NOW)?);
                assert!(!transactions::sign(tx, id, b"other", BlockHash([5; 32]), NOW)?, "signed bytes never change");
                assert!(transactions::sent(tx, id, NOW)?);
                assert!(transactions::mined(tx, id, &place(), NOW)?);
                assert!(transactions::unmined(tx, id, NOW)?, "its block went away");
                assert!(transactions::mined(tx, id, &place(), NOW)?);
                outbox::keep_proofs(tx, batch, &kept)?;
                outbox::anchored(tx, &commitment)
            })
            .await
            .unwrap();
        assert_eq!(early, None, "no receipt before the block is final");
        let receipt = setting
            .store
            .write(move |tx| {
                assert!(transactions::finish(tx, id, None, NOW)?);
                assert!(batches::finish(tx, batch, &place())?);
                assert!(!batches::finish(tx, batch, &place())?, "once");
                outbox::anchored(tx, &commitment)
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!((receipt.copy, receipt.root, receipt.block_number), (first.id, root, 12));
        assert_eq!(receipt.proof.verify(provider().as_ref(), &commitment, &root), Ok(()));
        let outbound = setting.store.read(move |tx| transactions::find(tx, id)).await.unwrap().unwrap();
        assert_eq!(outbound.raw.as_deref(), Some(&b"raw"[..]));
        assert_eq!(outbound.state, transactions::State::Final);

        let copy = setting.store.read(move |tx| copies::find(tx, &scope, first.id)).await.unwrap().unwrap();
        assert_eq!((copy.digest, copy.payload), (Some(first.digest), first.payload));
    }

    async fn a_copy_is_completed_once(setting: Setting) {
        let certificate = setting.certificate().await;
        let intent = setting.intent(certificate);
        let (scope, id) = (setting.scope(), intent.id);
        setting.store.write(move |tx| copies::intend(tx, &scope, &intent)).await.unwrap();
        let stale = setting.store.read(|tx| copies::stale_intents(tx, NOW.plus(1), 10)).await.unwrap();
        assert_eq!(stale, [certificate]);
        let fresh = setting.store.write(|tx| copies::abandon_all(tx, NOW)).await.unwrap();
        assert_eq!(fresh, 0, "not older than that");
        for expected in [true, false] {
            let done = copies::Signed { id, ..signed() };
            let took = setting.store.write(move |tx| copies::complete(tx, &scope, &done, CHAIN, NOW)).await.unwrap();
            assert_eq!(took, expected);
        }
        assert_eq!(setting.number("SELECT COUNT(*) FROM outbox").await, 1, "one commitment for one copy");
        assert!(!setting.store.write(move |tx| copies::abandon(tx, &scope, id)).await.unwrap());
    }

    async fn an_unsigned_copy_cannot_count_as_signed(setting: Setting) {
        let certificate = setting.certificate().await;
        let intent = setting.intent(certificate);
        let scope = setting.scope();
        setting.store.write(move |tx| copies::intend(tx, &scope, &intent)).await.unwrap();
        let refused = setting.do_it("UPDATE copies SET state = 'signed'").await.unwrap_err();
        assert_eq!(refused.constraint(), Some("copies_whole"));
    }

    async fn one_live_result_and_one_live_certificate(setting: Setting) {
        let (person, other, key) = (digest(), digest(), wrapped());
        let (scope, laboratory) = (setting.scope(), setting.laboratory);
        let ids: [[u8; 16]; 5] = std::array::from_fn(|_| random());
        let store = &setting.store;
        store
            .write(move |tx| {
                persons::ensure(tx, &person, &key, NOW)?;
                persons::ensure(tx, &other, &key, NOW)?;
                results::insert(tx, &scope, &result_of(ResultId::from_bytes(ids[0]), laboratory, person))?;
                results::insert(tx, &scope, &result_of(ResultId::from_bytes(ids[1]), laboratory, other))
            })
            .await
            .unwrap();
        let again = result_of(ResultId::from_bytes(ids[2]), laboratory, person);
        let repeated = again.clone();
        let refused = store.write(move |tx| results::insert(tx, &scope, &repeated)).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("results_live"));
        let live = store.read(move |tx| results::find_live(tx, &scope, &person, "sars-cov-2-naat", &Digest([7; 32])));
        assert_eq!(live.await.unwrap().unwrap().id, ResultId::from_bytes(ids[0]));
        // A correction ends the first; then the second counts.
        store
            .write(move |tx| {
                assert!(results::end(tx, &scope, ResultId::from_bytes(ids[0]), results::State::Replaced)?);
                results::insert(tx, &scope, &again)
            })
            .await
            .unwrap();

        let certificate = |n: usize| {
            certificate_of(vidimus_core::id::CertificateId::from_bytes(ids[n]), laboratory, ResultId::from_bytes(ids[2]), person)
        };
        let (first, second) = (certificate(3), certificate(4));
        let (old, new) = (first.id, second.id);
        store.write(move |tx| certificates::insert(tx, &scope, &first)).await.unwrap();
        let double = second.clone();
        let refused = store.write(move |tx| certificates::insert(tx, &scope, &double)).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("certificates_live"));
        store
            .write(move |tx| {
                assert!(certificates::replace(tx, &scope, old, new, NOW)?);
                certificates::insert(tx, &scope, &second)
            })
            .await
            .unwrap();
    }

    async fn the_laboratory_revokes_and_every_copy_says_so(setting: Setting) {
        let certificate = setting.certificate().await;
        let (one, two) = (setting.copy(certificate).await.id, setting.copy(certificate).await.id);
        let other = setting.copy(setting.certificate().await).await.id;
        setting
            .store
            .write(move |tx| {
                for (place, copy) in [(500, one), (3, two), (9, other)] {
                    assert_eq!(status::reserve(tx, 1, &[place], copy, NOW)?, Some(place));
                }
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
        let scope = setting.scope();
        let revoke = move |tx: &mut vidimus_store::Tx<'_>| {
            let moved = certificates::set_state(
                tx, &scope, certificate, certificates::State::Valid, certificates::State::Revoked, Some("error"), NOW,
            )?;
            let changed = if moved { status::set_of_certificate(tx, certificate, status::REVOKED, Some("error"), NOW)? } else { 0 };
            Ok::<_, Error>((moved, changed))
        };
        assert_eq!(setting.store.write(revoke).await.unwrap(), (true, 2));
        assert_eq!(setting.store.write(revoke).await.unwrap(), (false, 0), "once");
        let (set, revived, list, stale) = setting
            .store
            .write(move |tx| {
                let set = status::not_valid(tx, 1)?;
                let revived = status::set(tx, one, status::VALID, None, NOW)?;
                Ok::<_, Error>((set, revived, status::list(tx, 1)?, status::stale(tx, "token", NOW)?))
            })
            .await
            .unwrap();
        assert_eq!(set, [(3, status::REVOKED), (500, status::REVOKED)]);
        assert!(!revived, "revoked is for good");
        let list = list.unwrap();
        assert_eq!(stale, std::slice::from_ref(&list), "never published");
        let published = status::Published {
            list: 1, encoding: "token".into(), version: 1, revision: list.revision, signed: b"list".to_vec(),
            issued_at: NOW, valid_until: NOW.plus(600),
        };
        let (new, ..) = (published.clone(),);
        assert!(setting.store.write(move |tx| status::publish(tx, &new)).await.unwrap());
        let new = published.clone();
        assert!(!setting.store.write(move |tx| status::publish(tx, &new)).await.unwrap(), "version 1 is there");
        assert_eq!(setting.store.read(|tx| status::published(tx, 1, "token")).await.unwrap(), Some(published));
        let count = |until| {
            let store = setting.store.clone();
            async move { store.read(move |tx| status::stale(tx, "token", until)).await.unwrap().len() }
        };
        assert_eq!(count(NOW).await, 0);
        assert_eq!(count(NOW.plus(700)).await, 1, "it ends before that");
        setting.store.write(move |tx| status::set(tx, other, status::SUSPENDED, None, NOW)).await.unwrap();
        assert_eq!(count(NOW).await, 1, "a status has changed since");
    }

    async fn another_laboratory_sees_nothing(setting: Setting) {
        let certificate = setting.certificate().await;
        let copy = setting.copy(certificate).await.id;
        let stranger = Scope::authenticated(ParticipantId::from_bytes(random()));
        let laboratory = setting.laboratory;
        let seen = setting
            .store
            .write(move |tx| {
                let result = certificates::find(tx, &Scope::system(), certificate)?.unwrap().result;
                Ok::<_, Error>([
                    results::find(tx, &stranger, result)?.is_some(),
                    results::end(tx, &stranger, result, results::State::Withdrawn)?,
                    !results::list(tx, &stranger, None, 10)?.is_empty(),
                    certificates::find(tx, &stranger, certificate)?.is_some(),
                    certificates::set_state(
                        tx, &stranger, certificate, certificates::State::Valid, certificates::State::Revoked, None, NOW,
                    )?,
                    copies::find(tx, &stranger, copy)?.is_some(),
                    !copies::list_by_certificate(tx, &stranger, certificate)?.is_empty(),
                    copies::abandon(tx, &stranger, copy)?,
                    !vidimus_store::checks::list(tx, &stranger, 10)?.is_empty(),
                ])
            })
            .await
            .unwrap();
        assert_eq!(seen, [false; 9]);
        let forged = copies::Intent { id: CopyId::from_bytes(random()), ..setting.intent(certificate) };
        let refused = setting.store.write(move |tx| copies::intend(tx, &stranger, &forged)).await;
        assert!(matches!(refused, Err(Error::Scope)));
        let keys = setting.store.read(move |tx| vidimus_store::keys::list(tx, &stranger, Some(laboratory))).await;
        assert!(matches!(keys, Err(Error::Scope)));
    }

    async fn erasing_a_person_leaves_a_proof_without_the_person(setting: Setting) {
        let certificate = setting.certificate().await;
        let copy = setting.copy(certificate).await;
        let (id, content) = (copy.id, copy.content.clone().unwrap());
        let (contents, after, person) = setting
            .store
            .write(move |tx| {
                let person = certificates::find(tx, &Scope::system(), certificate)?.unwrap().person;
                let contents = copies::erase(tx, &person)?;
                assert_eq!(results::erase(tx, &person)?, 1);
                assert!(persons::erase(tx, &person, NOW)?);
                Ok::<_, Error>((contents, copies::find(tx, &Scope::system(), id)?.unwrap(), persons::find(tx, &person)?))
            })
            .await
            .unwrap();
        assert_eq!(contents, [content]);
        assert_eq!((after.payload, after.salt_ciphertext, after.holder), (None, None, None));
        assert_eq!(after.commitment, Some(copy.commitment), "what is anchored stays, and means nothing without its salt");
        assert!(person.unwrap().data_key.is_none());
    }

    async fn whichever_of_two_offers_is_mined_is_the_transaction(setting: Setting) {
        let call = transactions::Call {
            id: RequestId::from_bytes(random()),
            chain: CHAIN,
            account: vidimus_core::Address([9; 20]),
            purpose: "anchor".into(),
            object: b"batch".to_vec(),
            to: Some(vidimus_core::Address([8; 20])),
            data: b"data".to_vec(),
            gas: 100_000,
        };
        let id = call.id;
        let [first, second, third] = [3, 4, 5].map(|byte| BlockHash([byte; 32]));
        let store = setting.store.clone();
        let signed = move |by: BlockHash, raw: &'static [u8], hash: BlockHash| {
            let store = store.clone();
            async move { store.write(move |tx| transactions::replace(tx, id, by, raw, hash, NOW)).await.unwrap() }
        };
        let enqueued = call.clone();
        setting.store.write(move |tx| transactions::enqueue(tx, &enqueued, 0, NOW)).await.unwrap();
        assert!(!signed(first, b"two", second).await, "nothing is signed yet");
        setting
            .store
            .write(move |tx| {
                transactions::sign(tx, id, b"one", first, NOW)?;
                transactions::sent(tx, id, NOW)
            })
            .await
            .unwrap();
        // Of two instances one replaces it.
        assert!(signed(first, b"two", second).await);
        assert!(!signed(first, b"three", third).await, "it came too late");
        let read = || setting.store.read(move |tx| Ok::<_, Error>((transactions::find(tx, id)?.unwrap(), transactions::offers(tx, id)?)));
        let (now, mut offers) = read().await.unwrap();
        offers.sort();
        assert_eq!((now.raw.as_deref(), now.hash, now.state), (Some(&b"two"[..]), Some(second), transactions::State::Signed));
        assert_eq!(offers, [first, second]);
        assert_eq!((now.nonce, &now.call), (0, &call));

        // The chain took the first one after all; then its block went away, and it is the second.
        for (hash, raw) in [(first, b"one"), (second, b"two")] {
            let mined = batches::Place { transaction: hash, ..place() };
            setting
                .store
                .write(move |tx| {
                    assert!(transactions::mined(tx, id, &mined, NOW)?);
                    Ok::<_, Error>(())
                })
                .await
                .unwrap();
            let (now, _) = read().await.unwrap();
            assert_eq!((now.raw.as_deref(), now.hash, now.state), (Some(&raw[..]), Some(hash), transactions::State::Mined));
            assert!(!signed(hash, b"three", third).await, "what is mined is not replaced");
        }
        // A hash that was never signed for it changes nothing of its bytes.
        let other = batches::Place { transaction: third, ..place() };
        setting.store.write(move |tx| transactions::mined(tx, id, &other, NOW)).await.unwrap();
        assert_eq!(read().await.unwrap().0.hash, Some(second));
    }

    async fn payloads_go_to_the_blob_store_once(setting: Setting) {
        let certificate = setting.certificate().await;
        let copy = setting.copy(certificate).await;
        let waiting = setting.store.read(|tx| copies::unpublished(tx, 10)).await.unwrap();
        assert_eq!(waiting, [(copy.id, copy.content.clone().unwrap(), copy.payload.clone().unwrap())]);
        for expected in [true, false] {
            assert_eq!(setting.store.write(move |tx| copies::set_published(tx, copy.id)).await.unwrap(), expected);
        }
        assert!(setting.store.read(|tx| copies::unpublished(tx, 10)).await.unwrap().is_empty());
        let holder = setting.intent(certificate).holder.unwrap();
        let signed = move |by: &'static str| {
            let (store, holder) = (setting.store.clone(), if by == "holder" { holder.clone() } else { by.to_owned() });
            async move { store.write(move |tx| copies::counter_sign(tx, copy.id, &holder, b"signature")).await.unwrap() }
        };
        assert!(!signed("did:ethr:someone-else").await);
        assert!(signed("holder").await);
        assert!(!signed("holder").await, "the first one stays");
    }
}
