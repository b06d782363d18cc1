//! Each aggregate's own rules.

use crate::setting::*;
use vidimus_core::{
    Address, Digest,
    id::{ApiKeyId, BatchId, CheckId, KeyId, ParticipantId, RequestId},
    receipt::BlockHash,
};
use vidimus_store::{
    Error, Scope, api_keys, audit, batches, certificates, chain, checks, copies, delegates, deployment, figures,
    idempotency, keys, limits, participants, persons, requests, results, setup_links,
};

on_both! {
    async fn there_is_one_deployment(setting: Setting) {
        let facts = deployment::Deployment {
            deployment: random(), chain: CHAIN, contracts: "{}".into(), public_url: "http://localhost:8080".into(),
            root_key_check: vec![1, 2, 3], created: NOW,
        };
        assert_eq!(setting.store.read(deployment::find).await.unwrap(), None);
        for (expected, url) in [(true, "http://localhost:8080"), (false, "http://attacker")] {
            let new = deployment::Deployment { public_url: url.into(), ..facts.clone() };
            assert_eq!(setting.store.write(move |tx| deployment::create(tx, &new)).await.unwrap(), expected);
        }
        assert_eq!(setting.store.read(deployment::find).await.unwrap(), Some(facts));
        for expected in [true, false] {
            let set = setting.store.write(|tx| deployment::set_contracts(tx, "{}", "{\"anchors\":1}")).await.unwrap();
            assert_eq!(set, expected);
        }
    }

    async fn a_setup_link_works_once_and_for_its_time(setting: Setting) {
        let (link, late, withdrawn) = (digest(), digest(), digest());
        setting
            .store
            .write(move |tx| {
                setup_links::insert(tx, &link, "authority", None, NOW, NOW.plus(900))?;
                setup_links::insert(tx, &late, "authority", None, NOW, NOW.plus(900))?;
                setup_links::insert(tx, &withdrawn, "participant", None, NOW, NOW.plus(900))
            })
            .await
            .unwrap();
        let take = |hash: Digest, seconds| {
            let store = setting.store.clone();
            async move { store.write(move |tx| setup_links::take(tx, &hash, NOW.plus(seconds))).await.unwrap() }
        };
        assert_eq!(take(link, 899).await.unwrap().purpose, "authority");
        assert_eq!(take(link, 899).await, None, "once");
        assert_eq!(take(late, 900).await, None, "late");
        assert_eq!(take(digest(), 1).await, None, "unknown");
        setting.store.write(|tx| setup_links::withdraw(tx, "participant", NOW)).await.unwrap();
        assert_eq!(take(withdrawn, 1).await, None, "withdrawn");
    }

    async fn a_laboratory_keeps_api_keys(setting: Setting) {
        let (scope, participant) = (setting.scope(), setting.laboratory);
        let key = api_keys::ApiKey {
            id: ApiKeyId::from_bytes(random()), participant, name: "analyser 3".into(), secret_hash: digest(),
            permissions: "issue read".into(), created: NOW, expires: NOW.plus(3600), revoked: None, last_used_day: None,
        };
        let (new, id) = (key.clone(), key.id);
        setting.store.write(move |tx| api_keys::insert(tx, &scope, &new)).await.unwrap();
        setting.store.write(move |tx| api_keys::touch(tx, id, 20_000)).await.unwrap();
        setting.store.write(move |tx| api_keys::touch(tx, id, 19_000)).await.unwrap();
        let found = setting.store.read(move |tx| api_keys::find(tx, id)).await.unwrap().unwrap();
        assert_eq!(found, api_keys::ApiKey { last_used_day: Some(20_000), ..key });
        let stranger = Scope::authenticated(ParticipantId::from_bytes(random()));
        assert!(!setting.store.write(move |tx| api_keys::revoke(tx, &stranger, id, NOW)).await.unwrap());
        assert!(setting.store.write(move |tx| api_keys::revoke(tx, &scope, id, NOW)).await.unwrap());
        let listed = setting.store.read(move |tx| api_keys::list(tx, &scope, participant)).await.unwrap();
        assert_eq!(listed[0].revoked, Some(NOW));
    }

    async fn all_keys_of_a_laboratory_end_and_none_of_another_s(setting: Setting) {
        let (scope, laboratory) = (setting.scope(), setting.laboratory);
        let other = ParticipantId::from_bytes(random());
        let key = |participant, revoked| api_keys::ApiKey {
            id: ApiKeyId::from_bytes(random()), participant, name: "analyser".into(), secret_hash: digest(),
            permissions: "issue read".into(), created: NOW, expires: NOW.plus(3600), revoked, last_used_day: None,
        };
        let keys = [key(laboratory, None), key(laboratory, None), key(laboratory, None), key(other, None)];
        let (made, ended) = (keys.clone(), keys[2].id);
        setting
            .store
            .write(move |tx| {
                participants::insert(tx, &participant(other, participants::Role::Verifier))?;
                made.iter().try_for_each(|key| api_keys::insert(tx, &Scope::authenticated(key.participant), key))?;
                api_keys::revoke(tx, &scope, ended, NOW)
            })
            .await
            .unwrap();
        let end = async |scope: Scope| setting.store.write(move |tx| api_keys::revoke_all(tx, &scope, laboratory, NOW.plus(9))).await;
        assert!(matches!(end(Scope::authenticated(other)).await, Err(Error::Scope)));
        let mut of_now = end(scope).await.unwrap();
        of_now.sort_unstable();
        let mut expected = [keys[0].id, keys[1].id];
        expected.sort_unstable();
        assert_eq!(of_now, expected);
        assert_eq!(end(scope).await.unwrap(), [], "there are none left");
        for (key, revoked) in keys.iter().zip([Some(9), Some(9), Some(0), None]) {
            let id = key.id;
            let found = setting.store.read(move |tx| api_keys::find(tx, id)).await.unwrap().unwrap();
            assert_eq!(found.revoked, revoked.map(|seconds| NOW.plus(seconds)));
            let held = setting.store.write(move |tx| api_keys::hold(tx, id)).await.unwrap();
            assert_eq!(held, revoked.is_none(), "a key that ended makes no other");
        }
    }

    async fn participants_move_only_from_where_they_stand(setting: Setting) {
        let id = setting.laboratory;
        let to = |before, after| {
            let store = setting.store.clone();
            async move { store.write(move |tx| participants::set_state(tx, id, before, after, NOW)).await.unwrap() }
        };
        use participants::State::{Active, Pending, Revoked, Suspended};
        assert!(!to(Pending, Active).await);
        assert!(to(Active, Suspended).await);
        assert!(!to(Active, Revoked).await);
        let laboratory = setting.store.read(move |tx| participants::find(tx, id)).await.unwrap().unwrap();
        assert_eq!(laboratory.state, Suspended);
        let twin = participants::Participant { id: ParticipantId::from_bytes(random()), ..laboratory.clone() };
        let refused = setting.store.write(move |tx| participants::insert(tx, &twin)).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("participants_account"));
        let found = setting
            .store
            .read(move |tx| participants::find_by_account(tx, participants::Role::Issuer, laboratory.account))
            .await
            .unwrap();
        assert_eq!(found.unwrap().id, id);
        let all = setting
            .store
            .read(|tx| Ok::<_, Error>((participants::list(tx, None)?, participants::list(tx, Some(participants::Role::Verifier))?)))
            .await
            .unwrap();
        assert_eq!((all.0.len(), all.1.len()), (1, 0));
    }

    async fn keys_have_versions_and_wrapped_secrets(setting: Setting) {
        let (scope, laboratory) = (setting.scope(), setting.laboratory);
        let key = move |participant, version| keys::Key {
            id: KeyId::from_bytes(random()), participant, purpose: "document-signer".into(), kind: keys::Kind::P256, version,
            public: vec![4; 65], secret: Some(wrapped()), certificate: None, valid_from: NOW, valid_until: None,
            state: keys::State::Active, created: NOW,
        };
        let (one, two, own) = (key(Some(laboratory), 1), key(Some(laboratory), 2), key(None, 1));
        let (a, b, c) = (one.clone(), two.clone(), own.clone());
        setting
            .store
            .write(move |tx| {
                keys::insert(tx, &a)?;
                keys::insert(tx, &b)?;
                keys::insert(tx, &c)
            })
            .await
            .unwrap();
        let account = keys::Key {
            purpose: "account".into(), kind: keys::Kind::Secp256k1, public: vec![7; 20], secret: None, ..key(Some(laboratory), 1)
        };
        let new = account.clone();
        setting.store.write(move |tx| keys::insert(tx, &new)).await.unwrap();
        assert_eq!(setting.store.read(keys::accounts).await.unwrap(), [account], "whoever's, and nothing else");
        for (double, constraint) in [(key(Some(laboratory), 2), "keys_version"), (key(None, 1), "keys_deployment_version")] {
            let refused = setting.store.write(move |tx| keys::insert(tx, &double)).await.unwrap_err();
            assert_eq!(refused.constraint(), Some(constraint));
        }
        let active = move |scope: Scope, owner| {
            let store = setting.store.clone();
            async move { store.read(move |tx| keys::active(tx, &scope, owner, "document-signer", keys::Kind::P256)).await }
        };
        assert_eq!(active(scope, Some(laboratory)).await.unwrap().unwrap(), two);
        assert_eq!(active(Scope::system(), None).await.unwrap().unwrap(), own);
        assert!(matches!(active(scope, None).await, Err(Error::Scope)), "the deployment's keys are not a laboratory's");
    }

    async fn a_key_is_rewrapped_from_the_version_it_has(setting: Setting) {
        let id = KeyId::from_bytes(random());
        let key = keys::Key {
            id, participant: None, purpose: "anchor".into(), kind: keys::Kind::Secp256k1, version: 1, public: vec![4; 65],
            secret: Some(wrapped()), certificate: None, valid_from: NOW, valid_until: None, state: keys::State::Active, created: NOW,
        };
        setting.store.write(move |tx| keys::insert(tx, &key)).await.unwrap();
        for expected in [true, false] {
            let after = vidimus_store::Wrapped { kek_version: 2, ..wrapped() };
            assert_eq!(setting.store.write(move |tx| keys::rewrap(tx, id, 1, &after)).await.unwrap(), expected);
        }
        let set = setting
            .store
            .write(move |tx| {
                keys::set_certificate(tx, id, b"der", Some(NOW))?;
                assert!(keys::set_state(tx, id, keys::State::Active, keys::State::Retired)?);
                keys::find(tx, &Scope::system(), id)
            })
            .await
            .unwrap()
            .unwrap();
        assert_eq!((set.certificate, set.state), (Some(b"der".to_vec()), keys::State::Retired));
    }

    async fn a_person_has_one_data_key(setting: Setting) {
        let (person, first, second) = (digest(), wrapped(), wrapped());
        for _ in 0..2 {
            let (a, b) = (first.clone(), second.clone());
            let (one, two) = setting
                .store
                .write(move |tx| Ok::<_, Error>((persons::ensure(tx, &person, &a, NOW)?, persons::ensure(tx, &person, &b, NOW)?)))
                .await
                .unwrap();
            assert_eq!((one.data_key.as_ref(), two.data_key.as_ref()), (Some(&first), Some(&first)));
        }
        setting.store.write(move |tx| persons::erase(tx, &person, NOW)).await.unwrap();
        let fresh = second.clone();
        let back = setting.store.write(move |tx| persons::ensure(tx, &person, &fresh, NOW)).await.unwrap();
        assert_eq!((back.data_key, back.erased), (Some(second), None), "after erasure a new key, never the old one");
    }

    async fn the_same_key_gives_the_same_answer(setting: Setting) {
        let (participant, request, other) = (setting.laboratory, digest(), digest());
        let begin = |request: Digest, reference: &'static [u8], at: i64| {
            let store = setting.store.clone();
            async move {
                store
                    .write(move |tx| {
                        let now = NOW.plus(at);
                        idempotency::begin(tx, participant, "k1", &request, reference, now, now.plus(30), now.plus(86_400))
                    })
                    .await
                    .unwrap()
            }
        };
        use idempotency::Begin;
        assert_eq!(begin(request, b"ids", 0).await, Begin::New);
        assert_eq!(begin(request, b"others", 1).await, Begin::Running { until: NOW.plus(30) });
        assert_eq!(begin(other, b"", 1).await, Begin::Mismatch);
        assert_eq!(begin(request, b"others", 31).await, Begin::Resumed { reference: b"ids".to_vec() });
        assert_eq!(begin(request, b"others", 32).await, Begin::Running { until: NOW.plus(61) });
        for expected in [true, false] {
            let done = setting.store.write(move |tx| idempotency::finish(tx, participant, "k1", b"answer")).await.unwrap();
            assert_eq!(done, expected);
        }
        assert_eq!(begin(request, b"", 40).await, Begin::Done { response: b"answer".to_vec() });
        assert_eq!(begin(other, b"", 40).await, Begin::Mismatch);
        setting.store.write(move |tx| idempotency::release(tx, participant, "k1")).await.unwrap();
        assert_eq!(begin(request, b"", 41).await, Begin::Done { response: b"answer".to_vec() }, "an answer is not let go");
        assert_eq!(begin(other, b"new", 90_000).await, Begin::New, "expired");
        setting.store.write(move |tx| idempotency::release(tx, participant, "k1")).await.unwrap();
        assert_eq!(begin(other, b"", 90_001).await, Begin::Running { until: NOW.plus(90_030) }, "what is noted is not let go");
        assert_eq!(begin(request, b"", 180_000).await, Begin::New);
        setting.store.write(move |tx| idempotency::release(tx, participant, "k1")).await.unwrap();
        assert_eq!(begin(request, b"", 180_001).await, Begin::New, "nothing was noted, so it was let go");
        for expected in [true, false] {
            let noted = setting.store.write(move |tx| idempotency::note(tx, participant, "k1", b"done")).await.unwrap();
            assert_eq!(noted, expected, "the first note stays");
        }
        assert_eq!(begin(request, b"", 180_040).await, Begin::Resumed { reference: b"done".to_vec() });
        assert_eq!(setting.store.write(|tx| idempotency::sweep(tx, NOW.plus(1_000_000))).await.unwrap(), 1);
    }

    async fn a_nonce_is_answered_once(setting: Setting) {
        let (scope, participant) = (setting.scope(), setting.laboratory);
        let request = requests::Request {
            nonce_hash: digest(), id: RequestId::from_bytes(random()), participant, body: b"{}".to_vec(), created: NOW,
            expires: NOW.plus(60), used: None,
        };
        let (new, hash, id) = (request.clone(), request.nonce_hash, request.id);
        setting.store.write(move |tx| requests::insert(tx, &scope, &new)).await.unwrap();
        assert_eq!(setting.store.read(move |tx| requests::find(tx, id)).await.unwrap(), Some(request.clone()));
        let take = |scope: Scope, at| {
            let store = setting.store.clone();
            async move { store.write(move |tx| requests::take(tx, &scope, &hash, NOW.plus(at))).await.unwrap() }
        };
        assert_eq!(take(Scope::authenticated(ParticipantId::from_bytes(random())), 1).await, None, "another verifier's");
        assert_eq!(take(scope, 60).await, None, "late");
        assert_eq!(take(scope, 59).await.unwrap().used, Some(NOW.plus(59)));
        assert_eq!(take(scope, 59).await, None, "replayed");
        assert_eq!(setting.store.write(|tx| requests::sweep(tx, NOW.plus(60))).await.unwrap(), 1);
    }

    async fn guesses_are_counted_in_windows(setting: Setting) {
        let hit = |subject: &'static [u8], at: i64| {
            let store = setting.store.clone();
            async move { store.write(move |tx| limits::hit(tx, "pickup", subject, 60, NOW.plus(at))).await.unwrap() }
        };
        assert_eq!([hit(b"a", 0).await, hit(b"a", 59).await, hit(b"b", 59).await, hit(b"a", 60).await], [1, 2, 1, 1]);
        setting.store.write(|tx| limits::clear(tx, "pickup", b"a")).await.unwrap();
        assert_eq!(hit(b"a", 61).await, 1);
        assert_eq!(setting.store.write(|tx| limits::sweep(tx, NOW.plus(500))).await.unwrap(), 2);
    }

    async fn checks_are_counted_and_swept(setting: Setting) {
        let (scope, participant) = (setting.scope(), setting.laboratory);
        for (verdict, reasons) in [("valid", ""), ("invalid", "expired revoked"), ("invalid", "expired")] {
            let check = checks::Check {
                id: CheckId::from_bytes(random()), participant, category: Some("sars-cov-2-naat".into()),
                verdict: verdict.into(), reasons: reasons.into(), time: NOW,
            };
            let (id, expected) = (check.id, check.clone());
            setting.store.write(move |tx| checks::insert(tx, &scope, &check)).await.unwrap();
            assert_eq!(setting.store.read(move |tx| checks::find(tx, &scope, id)).await.unwrap(), Some(expected));
        }
        let tally = setting.store.read(move |tx| checks::tally(tx, &scope, NOW)).await.unwrap();
        assert_eq!(tally, [("invalid".to_owned(), 2), ("valid".to_owned(), 1)]);
        assert_eq!(setting.store.write(|tx| checks::sweep(tx, NOW.plus(1))).await.unwrap(), 3);
    }

    async fn the_chain_is_read_once_and_can_be_read_again(setting: Setting) {
        let cursor = |n: u64, hash: u8| chain::Cursor { block_number: n, block_hash: BlockHash([hash; 32]), block_time: NOW };
        let event = |block: u64, index: u64, kind: &str| chain::Event {
            block_number: block, log_index: index, block_hash: BlockHash([block as u8; 32]), block_time: NOW,
            transaction: BlockHash([1; 32]), contract: Address([1; 20]), kind: kind.into(), subject: Address([2; 20]),
            payload: "{}".into(),
        };
        let root = |block: u64| chain::Root {
            root: Digest([block as u8; 32]), size: 3, contract: Address([3; 20]), anchorer: Address([4; 20]),
            transaction: BlockHash([1; 32]), block_number: block, block_hash: BlockHash([block as u8; 32]), block_time: NOW,
        };
        let advance = |before, after, events: Vec<chain::Event>, roots: Vec<chain::Root>| {
            let store = setting.store.clone();
            async move { store.write(move |tx| chain::advance(tx, CHAIN, before, after, &events, &roots)).await.unwrap() }
        };
        let digest = || {
            let store = setting.store.clone();
            async move { store.read(|tx| chain::digest(tx, CHAIN)).await.unwrap() }
        };
        let read_all = || async {
            assert!(advance(None, cursor(5, 5), vec![event(3, 0, "Approved"), event(3, 1, "CategoryGranted")], vec![]).await);
            assert!(advance(Some(cursor(5, 5)), cursor(9, 9), vec![event(7, 0, "Suspended")], vec![root(8)]).await);
        };
        read_all().await;
        assert!(!advance(None, cursor(1, 1), vec![event(1, 0, "Forged")], vec![]).await, "another instance was faster");
        assert!(!advance(Some(cursor(5, 5)), cursor(9, 9), vec![event(6, 0, "Forged")], vec![]).await);
        let before = digest().await;
        let events = setting.store.read(|tx| chain::events_of(tx, CHAIN, Address([2; 20]))).await.unwrap();
        assert_eq!(events.iter().map(|e| &e.kind[..]).collect::<Vec<_>>(), ["Approved", "CategoryGranted", "Suspended"]);
        let page = setting.store.read(|tx| chain::events(tx, CHAIN, Some((3, 0)), 1)).await.unwrap();
        assert_eq!(page[0].kind, "CategoryGranted");
        assert_eq!(setting.store.read(|tx| chain::root(tx, CHAIN, &Digest([8; 32]))).await.unwrap(), Some(root(8)));

        setting.store.write(|tx| chain::drop_derived(tx, CHAIN)).await.unwrap();
        assert_eq!(setting.store.read(|tx| chain::cursor(tx, CHAIN)).await.unwrap(), None);
        assert!(setting.store.read(|tx| chain::roots(tx, CHAIN, 0, 10)).await.unwrap().is_empty());
        assert_ne!(digest().await, before);
        read_all().await;
        assert_eq!(digest().await, before, "reading the chain again gives the same");
        // Every field counts.
        setting.do_it("UPDATE chain_events SET payload = '{ }' WHERE log_index = 1").await.unwrap();
        assert_ne!(digest().await, before);
    }

    async fn numbers_of_keys_go_with_what_was_read_from_the_chain(setting: Setting) {
        let key = KeyId::from_bytes(random());
        let row = keys::Key {
            id: key, participant: Some(setting.laboratory), purpose: "signing".into(), kind: keys::Kind::P256, version: 1,
            public: vec![4; 65], secret: None, certificate: None, valid_from: NOW, valid_until: None, state: keys::State::Active,
            created: NOW,
        };
        setting.store.write(move |tx| keys::insert(tx, &row)).await.unwrap();
        let delegate = move |number: u64, changed: u64| delegates::Delegate { key, number, changed };
        let list = || async { setting.store.read(|tx| delegates::list(tx, CHAIN)).await.unwrap() };
        let put = |chain: u64, what: delegates::Delegate| {
            let store = setting.store.clone();
            async move { store.write(move |tx| delegates::put(tx, chain, &what)).await.unwrap() }
        };
        put(CHAIN, delegate(1, 4)).await;
        put(CHAIN, delegate(3, 8)).await;
        put(CHAIN + 1, delegate(9, 1)).await;
        assert_eq!(list().await, [delegate(3, 8)], "what was read last counts");

        setting.store.write(|tx| chain::drop_derived(tx, CHAIN)).await.unwrap();
        assert!(list().await.is_empty());
        put(CHAIN, delegate(3, 8)).await;
        setting.store.write(move |tx| delegates::remove(tx, CHAIN, key)).await.unwrap();
        assert!(list().await.is_empty());
        let elsewhere = setting.store.read(|tx| delegates::list(tx, CHAIN + 1)).await.unwrap();
        assert_eq!(elsewhere, [delegate(9, 1)], "another chain's is not touched");
    }

    async fn what_is_recorded_is_found_in_every_way(setting: Setting) {
        let certificate = setting.certificate().await;
        let copy = setting.copy(certificate).await;
        let (scope, laboratory) = (setting.scope(), setting.laboratory);
        let (by_copy, by_list, by_id) = setting
            .store
            .read(move |tx| {
                let by_copy = [
                    copies::find(tx, &scope, copy.id)?,
                    copies::find_by_digest(tx, &copy.digest)?,
                    copies::find_by_content(tx, copy.content.as_deref().unwrap())?,
                    copies::list_by_certificate(tx, &scope, certificate)?.pop(),
                ]
                .map(|found| found.map(|found| found.id));
                let by_list = certificates::list(tx, &scope, None, 10)?.pop().unwrap();
                assert!(certificates::list(tx, &scope, Some((NOW, by_list.id)), 10)?.is_empty());
                let result = results::list(tx, &scope, None, 10)?.pop().unwrap();
                assert_eq!(result.id, by_list.result);
                let by_id = certificates::find_by_result(tx, &scope, result.id)?.unwrap();
                assert!(persons::find(tx, &result.person)?.is_some());
                Ok::<_, Error>((by_copy, by_list, by_id))
            })
            .await
            .unwrap();
        assert_eq!(by_copy, [Some(copy.id); 4]);
        assert_eq!((by_list.id, by_id.id), (certificate, certificate));

        let batch = BatchId::from_bytes(random());
        setting
            .store
            .write(move |tx| {
                assert_eq!(batches::gather(tx, batch, CHAIN, 10, NOW)?, [copy.commitment]);
                assert!(batches::build(tx, batch, &Digest([5; 32]))?);
                let by = batches::find(tx, batch)?.unwrap();
                assert_eq!((by.id, by.size, by.state), (batch, 1, batches::State::Built));

                let person = results::list(tx, &Scope::system(), None, 1)?.remove(0).person;
                let after = vidimus_store::Wrapped { kek_version: 2, ..wrapped() };
                assert!(persons::rewrap(tx, &person, 1, &after)?);
                assert!(!persons::rewrap(tx, &person, 1, &after)?);
                assert_eq!(persons::find(tx, &person)?.unwrap().data_key, Some(after));

                assert!(participants::set_permits(tx, laboratory, "[\"x\"]", NOW)?);
                assert!(participants::set_profile(tx, &scope, laboratory, "{ }", &Digest([6; 32]), NOW)?);
                let changed = participants::find(tx, laboratory)?.unwrap();
                assert_eq!((&changed.permits[..], &changed.profile[..]), ("[\"x\"]", "{ }"));

                let facts = deployment::Deployment {
                    deployment: random(), chain: CHAIN, contracts: "{}".into(), public_url: "http://a".into(),
                    root_key_check: vec![1], created: NOW,
                };
                assert!(deployment::create(tx, &facts)?);
                deployment::set_public_url(tx, "http://b")?;
                deployment::set_root_key_check(tx, &[2])?;
                let now = deployment::find(tx)?.unwrap();
                assert_eq!((&now.public_url[..], &now.root_key_check[..]), ("http://b", &[2][..]));

                let event = audit::Event {
                    time: NOW, actor: None, operation: "x".into(), object: vec![1], details: Digest([1; 32]),
                };
                let entry = audit::append(tx, &event)?;
                assert_eq!(audit::list(tx, 0, 10)?, [entry]);
                assert_eq!(audit::head(tx)?.sequence, 1);
                Ok::<_, Error>(())
            })
            .await
            .unwrap();
    }

    async fn the_figures_tell_what_waits(setting: Setting) {
        let certificate = setting.certificate().await;
        setting.copy(certificate).await;
        setting.store.write(|tx| figures::probe(tx, NOW)).await.unwrap();
        let figures = setting.store.read(figures::read).await.unwrap();
        assert_eq!(figures, figures::Figures {
            outbox_waiting: 1, oldest_unanchored: Some(NOW), transactions_open: 0, copies_unpublished: 1, deliveries_waiting: 0,
            oldest_delivery: None,
            audit_entries: 0, audit_time: None,
        });
    }
}
