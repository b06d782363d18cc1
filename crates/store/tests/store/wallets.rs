//! What the open protocols keep: each value counts once, within its issuer, its time and its tries, whichever instance is asked.

use crate::setting::*;
use vidimus_core::{
    Digest,
    id::{AuthorizationId, ClaimId, GrantId, OfferId, ParticipantId, PresentationId},
};
use vidimus_store::{
    Error, Scope, Store, authorizations, certificates, claims, contacts, copies, grants, left_presentations, offers,
    presentations, results, seen, waiting,
};

fn offer(participant: ParticipantId) -> offers::Offer {
    offers::Offer {
        id: OfferId::from_bytes(random()),
        participant,
        result: None,
        category: "sars-cov-2-naat".into(),
        configurations: "a b".into(),
        reference_hash: digest(),
        code_hash: Some(digest()),
        state_hash: Some(digest()),
        tx_code: Some(random()),
        tx_code_length: Some(8),
        tries: 0,
        state: offers::State::Open,
        created: NOW,
        expires: NOW.plus(600),
    }
}

fn grant(participant: ParticipantId, offer: Option<OfferId>) -> grants::Grant {
    grants::Grant {
        id: GrantId::from_bytes(random()),
        participant,
        offer,
        person: None,
        contact: None,
        configurations: "a".into(),
        client: Some("wallet".into()),
        client_key: None,
        dpop_key: Some(digest()),
        claimed: 0,
        state: grants::State::Live,
        created: NOW,
        expires: NOW.plus(900),
    }
}

fn presentation(participant: ParticipantId) -> presentations::Presentation {
    presentations::Presentation {
        id: PresentationId::from_bytes(random()),
        participant,
        purpose: "travel".into(),
        request: Some(vec![1, 2, 3]),
        session_hash: Some(digest()),
        response_code_hash: None,
        answer: None,
        state: presentations::State::Made,
        fetches: 0,
        wrong_answers: 0,
        created: NOW,
        expires: NOW.plus(120),
        updated: NOW,
    }
}

fn stranger() -> Scope {
    Scope::authenticated(ParticipantId::from_bytes(random()))
}

async fn insert_offer(setting: &Setting) -> offers::Offer {
    let (new, scope) = (offer(setting.laboratory), setting.scope());
    let row = new.clone();
    setting
        .store
        .write(move |tx| offers::insert(tx, &scope, &row))
        .await
        .unwrap();
    new
}

async fn claim(store: &Store, id: OfferId, seconds: i64) -> bool {
    store
        .write(move |tx| offers::claim(tx, id, NOW.plus(seconds)))
        .await
        .unwrap()
}

on_both! {
    async fn an_offer_is_found_by_each_of_its_values_and_by_no_other(setting: Setting) {
        let new = insert_offer(&setting).await;
        let (scope, id) = (setting.scope(), new.id);
        let by = |kind: u8, hash: Digest| {
            let store = setting.store.clone();
            async move {
                store.read(move |tx| match kind {
                    0 => offers::find_by_reference(tx, &hash),
                    1 => offers::find_by_code(tx, &hash),
                    _ => offers::find_by_state(tx, &hash),
                }).await.unwrap()
            }
        };
        for (kind, hash) in [(0, new.reference_hash), (1, new.code_hash.unwrap()), (2, new.state_hash.unwrap())] {
            assert_eq!(by(kind, hash).await, Some(new.clone()));
            assert_eq!(by((kind + 1) % 3, hash).await, None, "another kind of value");
            assert_eq!(by(kind, digest()).await, None);
        }
        assert_eq!(setting.store.read(move |tx| offers::find(tx, &scope, id)).await.unwrap(), Some(new.clone()));
        assert_eq!(setting.store.read(move |tx| offers::find(tx, &stranger(), id)).await.unwrap(), None);
        assert_eq!(setting.store.read(move |tx| offers::list(tx, &scope, None, 10)).await.unwrap(), std::slice::from_ref(&new));
        assert_eq!(setting.store.read(move |tx| offers::list(tx, &stranger(), None, 10)).await.unwrap(), []);
        let foreign = setting.store.write(move |tx| offers::insert(tx, &stranger(), &new)).await;
        assert!(matches!(foreign, Err(Error::Scope)));
    }

    async fn an_offer_is_claimed_once_by_whoever_is_first(setting: Setting) {
        let late = insert_offer(&setting).await;
        assert!(!claim(&setting.store, late.id, 600).await, "it has expired");
        assert!(!claim(&setting.store, OfferId::from_bytes(random()), 1).await);
        let id = insert_offer(&setting).await.id;
        let other = setting.again().await;
        let tries: Vec<_> = (0..8)
            .map(|n| {
                let store = if n % 2 == 0 { setting.store.clone() } else { other.clone() };
                tokio::spawn(async move { claim(&store, id, 1).await })
            })
            .collect();
        let mut won = 0;
        for attempt in tries {
            won += usize::from(attempt.await.unwrap());
        }
        assert_eq!(won, 1);
    }

    async fn wrong_codes_lock_an_offer_however_fast_they_come(setting: Setting) {
        let id = insert_offer(&setting).await.id;
        let other = setting.again().await;
        let tries: Vec<_> = (0..12)
            .map(|n| {
                let store = if n % 2 == 0 { setting.store.clone() } else { other.clone() };
                tokio::spawn(async move { store.write(move |tx| offers::miss(tx, id, 5)).await.unwrap() })
            })
            .collect();
        let mut counted = Vec::new();
        for attempt in tries {
            counted.extend(attempt.await.unwrap());
        }
        counted.sort_unstable();
        assert_eq!(counted, [1, 2, 3, 4, 5], "five are counted, and then it is locked");
        assert!(!claim(&setting.store, id, 1).await, "the right code comes too late");
        let scope = setting.scope();
        assert!(!setting.store.write(move |tx| offers::withdraw(tx, &stranger(), id)).await.unwrap());
        assert!(setting.store.write(move |tx| offers::withdraw(tx, &scope, id)).await.unwrap());
        assert!(!setting.store.write(move |tx| offers::withdraw(tx, &scope, id)).await.unwrap());
    }

    async fn a_pending_offer_gets_its_result_once(setting: Setting) {
        let certificate = setting.certificate().await;
        let (scope, id) = (setting.scope(), insert_offer(&setting).await.id);
        let found = setting.store.read(move |tx| certificates::find(tx, &scope, certificate)).await.unwrap().unwrap();
        let (result, category) = (found.result, found.category);
        let settle = |scope: Scope, category: String| {
            let store = setting.store.clone();
            async move { store.write(move |tx| offers::settle(tx, &scope, id, result, &category)).await.unwrap() }
        };
        assert!(!settle(stranger(), category.clone()).await);
        assert!(!settle(scope, "other".into()).await, "of another category");
        // The test's certificate and offer name their category themselves.
        let offered = setting.store.read(move |tx| offers::find(tx, &scope, id)).await.unwrap().unwrap().category;
        assert!(settle(scope, offered.clone()).await);
        assert!(!settle(scope, offered).await, "once");
        let first = contacts::Contact { sealed: b"first".to_vec(), hash: digest() };
        let second = contacts::Contact { sealed: b"second".to_vec(), hash: digest() };
        let (person, kept) = (found.person, second.clone());
        setting.store.write(move |tx| {
            contacts::set(tx, result, &first)?;
            contacts::set(tx, result, &kept)?;
            assert_eq!(contacts::find(tx, result)?.as_ref(), Some(&kept));
            assert_eq!(contacts::live_results(tx, &scope, &first.hash)?, [], "another took its place");
            assert_eq!(contacts::live_results(tx, &stranger(), &kept.hash)?, []);
            let by_contact = contacts::live_results(tx, &scope, &kept.hash)?;
            assert_eq!(by_contact.iter().map(|(row, kept)| (row.id, kept.clone())).collect::<Vec<_>>(), [(result, kept.clone())]);
            let live = |tx: &mut _, scope: &_, contact| {
                let found = results::list_live(tx, scope, &person, &by_contact[0].0.category, contact)?;
                Ok::<_, Error>(found.iter().map(|row| row.id).collect::<Vec<_>>())
            };
            assert_eq!(live(tx, &scope, None)?, [result]);
            assert_eq!(live(tx, &scope, Some(&kept.hash))?, [result]);
            assert_eq!(live(tx, &scope, Some(&first.hash))?, []);
            assert_eq!(live(tx, &stranger(), None)?, []);
            let newer = results::ResultRecord {
                id: vidimus_core::id::ResultId::from_bytes(random()), uniqueness: digest(), created: by_contact[0].0.created.plus(1), ..by_contact[0].0.clone()
            };
            results::insert(tx, &scope, &newer)?;
            assert_eq!(live(tx, &scope, None)?, [newer.id, result], "the newest comes first");
            assert_eq!(live(tx, &scope, Some(&kept.hash))?, [result]);
            assert!(results::end(tx, &scope, newer.id, results::State::Withdrawn)?);
            assert_eq!(live(tx, &scope, None)?, [result]);
            Ok::<_, Error>(())
        }).await.unwrap();
        assert_eq!(setting.store.write(move |tx| contacts::erase(tx, &person)).await.unwrap(), 1);
        assert_eq!(setting.store.read(move |tx| contacts::find(tx, result)).await.unwrap(), None);
    }

    async fn an_authorization_goes_its_way_once(setting: Setting) {
        let new = authorizations::Authorization {
            id: AuthorizationId::from_bytes(random()), participant: setting.laboratory, offer: None, request_hash: digest(),
            request: vec![9], person: None, proof_code: None, contact: None, tries: 0, state: authorizations::State::Pushed,
            created: NOW, expires: NOW.plus(60),
        };
        let (row, id, issuer, request) = (new.clone(), new.id, new.participant, new.request_hash);
        let (page, code, proof) = (digest(), digest(), random());
        setting.store.write(move |tx| authorizations::insert(tx, &row)).await.unwrap();
        let show = |issuer, request, seconds| {
            let store = setting.store.clone();
            async move {
                store.write(move |tx| authorizations::show(tx, issuer, &request, &page, NOW.plus(seconds), NOW.plus(900))).await.unwrap()
            }
        };
        let elsewhere = ParticipantId::from_bytes(random());
        assert_eq!(show(elsewhere, request, 1).await, None, "at another issuer");
        assert_eq!(show(issuer, request, 60).await, None, "too late");
        let shown = show(issuer, request, 1).await.unwrap();
        assert_eq!(shown, authorizations::Authorization { state: authorizations::State::Shown, expires: NOW.plus(900), ..new });
        assert_eq!(show(issuer, request, 1).await, None, "in a second browser");
        setting.store.write(move |tx| {
            assert_eq!(authorizations::find_by_page(tx, elsewhere, &page, NOW)?, None);
            assert_eq!(authorizations::find_by_page(tx, issuer, &digest(), NOW)?, None);
            assert!(authorizations::find_by_page(tx, issuer, &page, NOW)?.is_some());
            let contact = digest();
            assert!(!authorizations::look_up(tx, id, None, None)?, "nobody has said anything");
            assert!(authorizations::ask(tx, id, b"said", &contact)?);
            assert!(!authorizations::ask(tx, id, b"more", &digest())?, "once");
            assert_eq!(authorizations::unproved(tx, NOW.plus(900), 9)?, []);
            let unproved = authorizations::unproved(tx, NOW, 9)?;
            assert_eq!(unproved.iter().map(|(row, said)| (row.id, row.contact, said.as_slice())).collect::<Vec<_>>(), [(id, Some(contact), b"said".as_slice())]);
            assert!(authorizations::look_up(tx, id, None, Some(&proof))?);
            assert!(!authorizations::look_up(tx, id, None, None)?, "once");
            assert_eq!(authorizations::unproved(tx, NOW, 9)?, []);
            let asked = authorizations::find_by_page(tx, issuer, &page, NOW)?.unwrap();
            assert_eq!((asked.state, asked.proof_code), (authorizations::State::Asked, Some(proof)));
            assert_eq!(authorizations::miss(tx, id, 5)?, Some(1));
            assert!(authorizations::grant(tx, id, &code, NOW.plus(60))?);
            assert!(!authorizations::grant(tx, id, &digest(), NOW.plus(60))?);
            assert_eq!(authorizations::miss(tx, id, 5)?, None, "it is over");
            assert_eq!(authorizations::find_by_page(tx, issuer, &page, NOW)?, None);
            assert_eq!(authorizations::find_by_code(tx, elsewhere, &code)?, None);
            assert_eq!(authorizations::find_by_code(tx, issuer, &code)?.unwrap().state, authorizations::State::Granted);
            assert!(!authorizations::redeem(tx, id, NOW.plus(60))?);
            assert!(authorizations::redeem(tx, id, NOW.plus(59))?);
            assert!(!authorizations::redeem(tx, id, NOW.plus(59))?);
            assert_eq!(authorizations::find_by_code(tx, issuer, &code)?.unwrap().state, authorizations::State::Redeemed);
            assert!(!authorizations::refuse(tx, id)?);
            assert_eq!(authorizations::sweep(tx, NOW.plus(659))?, 0, "a code that comes again is recognised for a while");
            assert_eq!(authorizations::sweep(tx, NOW.plus(660))?, 1);
            Ok::<_, Error>(())
        }).await.unwrap();
    }

    async fn too_many_wrong_codes_end_an_authorization(setting: Setting) {
        let new = authorizations::Authorization {
            id: AuthorizationId::from_bytes(random()), participant: setting.laboratory, offer: None, request_hash: digest(),
            request: vec![9], person: None, proof_code: None, contact: None, tries: 0, state: authorizations::State::Pushed,
            created: NOW, expires: NOW.plus(60),
        };
        setting.store.write(move |tx| {
            authorizations::insert(tx, &new)?;
            assert_eq!(authorizations::miss(tx, new.id, 3)?, None, "nobody has been asked");
            assert!(authorizations::show(tx, new.participant, &new.request_hash, &digest(), NOW, NOW.plus(60))?.is_some());
            for count in [Some(1), Some(2), Some(3), None] {
                assert_eq!(authorizations::miss(tx, new.id, 3)?, count);
            }
            assert!(!authorizations::grant(tx, new.id, &digest(), NOW.plus(60))?);
            Ok::<_, Error>(())
        }).await.unwrap();
    }

    async fn a_token_permits_what_its_grant_says_at_its_issuer(setting: Setting) {
        let offer = insert_offer(&setting).await;
        let new = grant(setting.laboratory, Some(offer.id));
        let (access, refresh, id, issuer) = (digest(), digest(), new.id, new.participant);
        setting.store.write(move |tx| {
            grants::insert(tx, &new)?;
            grants::insert_token(tx, &access, id, grants::Kind::Access, NOW, NOW.plus(300))?;
            grants::insert_token(tx, &refresh, id, grants::Kind::Refresh, NOW, NOW.plus(900))?;
            let found = grants::find_token(tx, issuer, &access)?.unwrap();
            assert_eq!(found, grants::Token { kind: grants::Kind::Access, expires: NOW.plus(300), used: None, grant: new.clone() });
            assert_eq!(grants::find_token(tx, ParticipantId::from_bytes(random()), &access)?, None, "at another issuer");
            assert_eq!(grants::find_token(tx, issuer, &digest())?, None);
            assert!(!grants::use_refresh(tx, &access, NOW, NOW.plus(901))?, "an access token is no refresh token");
            assert!(!grants::use_refresh(tx, &refresh, NOW.plus(900), NOW.plus(1800))?, "too late");
            assert!(grants::use_refresh(tx, &refresh, NOW.plus(1), NOW.plus(901))?);
            assert!(grants::use_refresh(tx, &refresh, NOW.plus(900), NOW.plus(901))?, "it goes on, and holds longer");
            assert!(!grants::use_refresh(tx, &refresh, NOW.plus(901), NOW.plus(1900))?);
            let renewed = grants::find_token(tx, issuer, &refresh)?.unwrap();
            assert_eq!((renewed.used, renewed.expires), (None, NOW.plus(901)));
            assert!(grants::count(tx, id, 3, 5)?);
            assert!(!grants::count(tx, id, 3, 5)?, "beyond what is allowed");
            assert!(grants::count(tx, id, 2, 5)?);
            grants::prolong(tx, id, NOW.plus(2000))?;
            grants::prolong(tx, id, NOW.plus(1000))?;
            assert_eq!(grants::find_token(tx, issuer, &access)?.unwrap().grant.expires, NOW.plus(2000));
            assert_eq!(grants::end_of_offer(tx, offer.id)?, 1);
            assert!(!grants::count(tx, id, 0, 5)?, "it is ended");
            assert!(!grants::end(tx, id)?);
            assert_eq!(grants::find_token(tx, issuer, &access)?.unwrap().grant.state, grants::State::Ended);
            assert!(!grants::use_refresh(tx, &refresh, NOW.plus(1), NOW.plus(901))?, "its grant is ended");
            assert_eq!(grants::sweep(tx, NOW.plus(901), 10)?, 2, "the tokens");
            assert_eq!(offers::sweep(tx, NOW.plus(900), 10)?, 0, "the grant refers to it");
            assert_eq!(grants::sweep(tx, NOW.plus(2000), 10)?, 1, "the grant");
            assert_eq!(offers::sweep(tx, NOW.plus(2000), 10)?, 1);
            Ok::<_, Error>(())
        }).await.unwrap();
    }

    async fn a_deferred_claim_is_made_delivered_and_answered(setting: Setting) {
        let (scope, offer) = (setting.scope(), insert_offer(&setting).await);
        let parent = grant(setting.laboratory, Some(offer.id));
        let new = claims::Claim {
            id: ClaimId::from_bytes(random()), participant: setting.laboratory, grant: parent.id, configuration: "a".into(),
            holder_keys: "[]".into(), copies: None, transaction_hash: Some(digest()), notification_hash: None, notified: None,
            state: claims::State::Pending, created: NOW, expires: NOW.plus(900),
        };
        let certificate = setting.certificate().await;
        let intent = setting.intent(certificate);
        setting.store.write(move |tx| {
            grants::insert(tx, &parent)?;
            claims::insert(tx, &new)?;
            copies::intend(tx, &scope, &intent)?;
            assert_eq!(waiting::fill(tx, intent.id, b"text")?, None, "nobody waits for it");
            waiting::insert(tx, new.id, &[intent.id])?;
            assert_eq!(waiting::of_claim(tx, new.id)?, [waiting::Waiting { copy: intent.id, text: None }]);
            assert_eq!(waiting::fill(tx, intent.id, b"text")?, Some((new.id, parent.id)));
            assert_eq!(waiting::of_claim(tx, new.id)?[0].text.as_deref(), Some(b"text".as_slice()));
            assert_eq!(waiting::remove(tx, new.id)?, 1);
            waiting::insert(tx, new.id, &[intent.id])?;
            let (transaction, notification) = (new.transaction_hash.unwrap(), digest());
            assert_eq!(claims::find_by_transaction(tx, ParticipantId::from_bytes(random()), &transaction)?, None);
            assert_eq!(claims::find_by_transaction(tx, new.participant, &transaction)?, Some(new.clone()));
            assert!(!claims::deliver(tx, new.id)?, "there is nothing to deliver");
            assert!(claims::make(tx, new.id, "x y", &notification)?);
            assert!(!claims::make(tx, new.id, "z", &digest())?);
            assert!(!claims::deny(tx, new.id)?);
            assert!(claims::deliver(tx, new.id)?);
            assert!(claims::deliver(tx, new.id)?, "an answer that was lost is given again");
            assert_eq!(claims::notify(tx, GrantId::from_bytes(random()), &notification, claims::Notified::Deleted)?, None);
            assert_eq!(claims::notify(tx, new.grant, &digest(), claims::Notified::Deleted)?, None);
            assert_eq!(claims::notify(tx, new.grant, &notification, claims::Notified::Accepted)?, Some(new.id));
            let result = certificates::find(tx, &scope, certificate)?.unwrap().result;
            assert_eq!(claims::of_result(tx, &scope, result, 10)?, []);
            assert!(offers::settle(tx, &scope, offer.id, result, &offer.category)?);
            let said = claims::of_result(tx, &scope, result, 10)?;
            assert_eq!(said, [(claims::State::Delivered, Some(claims::Notified::Accepted), NOW)]);
            assert_eq!(claims::of_result(tx, &stranger(), result, 10)?, []);
            assert_eq!(claims::sweep(tx, NOW.plus(900))?, 1);
            assert_eq!(waiting::of_claim(tx, new.id)?, [], "what nobody fetched goes with it");
            Ok::<_, Error>(())
        }).await.unwrap();
    }

    async fn what_was_seen_is_seen_by_every_instance(setting: Setting) {
        let hash = digest();
        let other = setting.again().await;
        assert!(setting.store.write(move |tx| seen::first(tx, "nonce", &hash, NOW.plus(60))).await.unwrap());
        assert!(!other.write(move |tx| seen::first(tx, "nonce", &hash, NOW.plus(60))).await.unwrap());
        assert!(other.write(move |tx| seen::first(tx, "dpop", &hash, NOW.plus(60))).await.unwrap(), "of another kind");
        assert_eq!(other.write(move |tx| seen::sweep(tx, NOW.plus(59))).await.unwrap(), 0);
        assert_eq!(other.write(move |tx| seen::sweep(tx, NOW.plus(60))).await.unwrap(), 2);
    }

    async fn a_presentation_is_fetched_answered_once_and_settled(setting: Setting) {
        let (new, scope) = (presentation(setting.laboratory), setting.scope());
        let (row, id) = (new.clone(), new.id);
        setting.store.write(move |tx| presentations::insert(tx, &scope, &row)).await.unwrap();
        assert_eq!(setting.store.read(move |tx| presentations::find(tx, &scope, id)).await.unwrap(), Some(new));
        assert_eq!(setting.store.read(move |tx| presentations::find(tx, &stranger(), id)).await.unwrap(), None);
        let code = digest();
        let settle = move |store: Store, now| async move {
            let state = presentations::State::Answered;
            store.write(move |tx| presentations::settle(tx, id, state, b"sealed", Some(&code), now)).await.unwrap()
        };
        assert!(!settle(setting.store.clone(), NOW).await, "nobody has fetched it");
        let fetch = async |now| setting.store.write(move |tx| presentations::fetch(tx, id, 2, now)).await.unwrap();
        let open = async |now| setting.store.read(move |tx| presentations::open(tx, id, now)).await.unwrap();
        assert!(!fetch(NOW.plus(120)).await, "too late");
        assert_eq!(open(NOW.plus(120)).await, None);
        for count in 1..=2 {
            assert!(fetch(NOW.plus(1)).await);
            let fetched = open(NOW.plus(1)).await.unwrap();
            assert_eq!((fetched.state, fetched.fetches), (presentations::State::Fetched, count));
        }
        assert!(!fetch(NOW.plus(1)).await, "as often as it may be");
        let other = setting.again().await;
        assert!(!settle(other.clone(), NOW.plus(120)).await, "too late");
        let tries: Vec<_> = (0..8)
            .map(|n| tokio::spawn(settle(if n % 2 == 0 { setting.store.clone() } else { other.clone() }, NOW.plus(2))))
            .collect();
        let mut won = 0;
        for attempt in tries {
            won += usize::from(attempt.await.unwrap());
        }
        assert_eq!(won, 1);
        assert!(!fetch(NOW.plus(2)).await, "an answer was taken");
        let refused = setting.store.write(move |tx| presentations::refuse(tx, id, b"late", 3, NOW.plus(2))).await.unwrap();
        assert_eq!(refused, None, "a wrong answer that comes after the right one changes nothing");
        let found = setting.store.read(move |tx| presentations::find(tx, &scope, id)).await.unwrap().unwrap();
        assert_eq!((found.request, found.answer.as_deref()), (None, Some(b"sealed".as_slice())), "the question is gone, the answer there");
        assert!(!setting.store.write(move |tx| presentations::withdraw(tx, &scope, id, NOW)).await.unwrap());
        assert_eq!(setting.store.write(move |tx| presentations::sweep(tx, NOW.plus(419), 300)).await.unwrap(), 0);
        assert_eq!(setting.store.write(move |tx| presentations::sweep(tx, NOW.plus(420), 300)).await.unwrap(), 1);
    }

    async fn wrong_answers_are_counted_by_every_instance_until_the_last_fails(setting: Setting) {
        use presentations::State;
        let (new, scope) = (presentation(setting.laboratory), setting.scope());
        let id = new.id;
        setting.store.write(move |tx| presentations::insert(tx, &scope, &new)).await.unwrap();
        let refuse = async |store: &Store, now| store.write(move |tx| presentations::refuse(tx, id, b"wrong", 3, now)).await.unwrap();
        assert_eq!(refuse(&setting.store, NOW).await, None, "nobody has fetched it");
        assert!(setting.store.write(move |tx| presentations::fetch(tx, id, 2, NOW)).await.unwrap());
        let other = setting.again().await;
        assert_eq!(refuse(&other, NOW.plus(120)).await, None, "too late");
        for store in [&setting.store, &other] {
            assert_eq!(refuse(store, NOW.plus(1)).await, Some(State::Fetched));
        }
        let find = async || setting.store.read(move |tx| presentations::find(tx, &scope, id)).await.unwrap().unwrap();
        let waiting = find().await;
        assert_eq!((waiting.wrong_answers, waiting.answer.as_deref()), (2, Some(b"wrong".as_slice())));
        assert!(waiting.request.is_some(), "it can still be answered");
        assert_eq!(refuse(&other, NOW.plus(1)).await, Some(State::Failed));
        let failed = find().await;
        assert_eq!((failed.state, failed.wrong_answers, failed.request), (State::Failed, 3, None));
        assert_eq!(refuse(&other, NOW.plus(1)).await, None);
        let settled = setting.store.write(move |tx| presentations::settle(tx, id, State::Answered, b"sealed", None, NOW.plus(1))).await.unwrap();
        assert!(!settled, "it has failed");
    }

    async fn a_verifier_is_left_no_more_than_it_may_be(setting: Setting) {
        let (scope, participant) = (setting.scope(), setting.laboratory);
        let left = move || left_presentations::Left {
            id: PresentationId::from_bytes(random()), participant, payload: vec![7; 100], created: NOW, expires: NOW.plus(60),
        };
        let kept = left();
        let id = kept.id;
        for (new, fits) in [(kept.clone(), true), (left(), true), (left(), false)] {
            assert_eq!(setting.store.write(move |tx| left_presentations::insert(tx, &new, 2)).await.unwrap(), fits);
        }
        setting.store.write(move |tx| {
            assert_eq!(left_presentations::find(tx, &scope, id, NOW)?, Some(kept.clone()));
            assert_eq!(left_presentations::find(tx, &scope, id, NOW.plus(60))?, None);
            assert_eq!(left_presentations::find(tx, &stranger(), id, NOW)?, None);
            assert_eq!(left_presentations::list(tx, &scope, None, 10)?.len(), 2);
            assert!(!left_presentations::remove(tx, &stranger(), id)?);
            assert!(left_presentations::remove(tx, &scope, id)?);
            assert_eq!(left_presentations::sweep(tx, NOW.plus(60))?, 1);
            Ok::<_, Error>(())
        }).await.unwrap();
    }

    async fn a_copy_that_is_given_at_once_is_kept_by_nobody_else(setting: Setting) {
        let certificate = setting.certificate().await;
        let (scope, intent) = (setting.scope(), setting.intent(certificate));
        let signed = copies::Signed { id: intent.id, payload: None, content: None, ..signed() };
        let id = intent.id;
        setting.store.write(move |tx| {
            copies::intend(tx, &scope, &intent)?;
            assert!(copies::complete(tx, &scope, &signed, CHAIN, NOW)?);
            let found = copies::find(tx, &scope, id)?.unwrap();
            assert_eq!((found.state, found.payload, found.content), (copies::State::Published, None, None));
            assert!(found.commitment.is_some());
            assert_eq!(copies::unpublished(tx, 10)?, []);
            Ok::<_, Error>(())
        }).await.unwrap();
    }
}
