//! Events, webhooks, wake-ups and what is to leave for them.

use crate::setting::*;
use std::collections::BTreeSet;
use vidimus_core::{
    Digest, Timestamp,
    id::{DeliveryId, EventId, ParticipantId, SubscriptionId, WebhookId},
};
use vidimus_store::{
    Error, Scope, Store,
    deliveries::{self, Channel, Claimed, Message},
    events::{self, Event, Kind},
    participants, push, webhooks,
};

const LATER: Timestamp = Timestamp(NOW.0 + 3 * 86_400);

fn event(participant: ParticipantId, kind: Kind, time: Timestamp) -> Event {
    Event {
        id: EventId::from_bytes(random()),
        participant,
        kind,
        object: random(),
        time,
    }
}

fn webhook(participant: ParticipantId, kinds: &[Kind]) -> webhooks::Webhook {
    webhooks::Webhook {
        id: WebhookId::from_bytes(random()),
        participant,
        purpose: webhooks::Purpose::Events,
        kinds: kinds.to_vec(),
        target: vec![7; 40],
        state: webhooks::State::Active,
        failing_since: None,
        last_error: None,
        last_success: None,
        created: NOW,
    }
}

async fn append(store: &Store, event: Event) {
    store.write(move |tx| events::append(tx, &event)).await.unwrap();
}

async fn number(store: &Store, participant: ParticipantId) -> u64 {
    store
        .write(move |tx| events::number(tx, participant, 100, NOW, LATER))
        .await
        .unwrap()
}

async fn read(store: &Store, scope: Scope, participant: ParticipantId, after: u64) -> Vec<events::Numbered> {
    store
        .read(move |tx| events::after(tx, &scope, participant, after, 1_000))
        .await
        .unwrap()
}

async fn listen(store: &Store, scope: Scope, new: webhooks::Webhook) -> bool {
    store
        .write(move |tx| webhooks::insert(tx, &scope, &new, 3))
        .await
        .unwrap()
}

async fn claim(store: &Store, now: Timestamp, each: u32, most: u32) -> Vec<Claimed> {
    store
        .write(move |tx| deliveries::claim(tx, now, now.plus(60), each, most))
        .await
        .unwrap()
}

on_both! {
    async fn events_are_numbered_once_in_order_and_read_by_their_owner(setting: Setting) {
        let own = setting.laboratory;
        let other = participant(ParticipantId::from_bytes(random()), participants::Role::Verifier);
        let stranger = other.id;
        setting.store.write(move |tx| participants::insert(tx, &other)).await.unwrap();
        let first = event(own, Kind::OfferClaimed, NOW);
        append(&setting.store, first).await;
        append(&setting.store, first).await;
        append(&setting.store, event(stranger, Kind::PresentationAnswered, NOW)).await;
        assert!(read(&setting.store, setting.scope(), own, 0).await.is_empty(), "it has no number yet");
        let waiting = setting.store.read(events::unnumbered).await.unwrap();
        assert_eq!(waiting.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([own, stranger]));
        assert_eq!(number(&setting.store, own).await, 1, "the same event once");
        append(&setting.store, event(own, Kind::CredentialIssued, NOW.plus(1))).await;
        assert_eq!((number(&setting.store, own).await, number(&setting.store, own).await), (1, 0));
        number(&setting.store, stranger).await;
        let mine = read(&setting.store, setting.scope(), own, 0).await;
        assert_eq!(mine.iter().map(|e| (e.sequence, e.event.kind)).collect::<Vec<_>>(), [
            (1, Kind::OfferClaimed),
            (2, Kind::CredentialIssued),
        ]);
        assert_eq!(mine[0].event, first);
        assert_eq!(read(&setting.store, setting.scope(), own, 1).await.len(), 1);
        let (scope, last) = (setting.scope(), setting.scope());
        let foreign = setting.store.read(move |tx| events::after(tx, &scope, stranger, 0, 10)).await;
        assert!(matches!(foreign, Err(Error::Scope)));
        assert_eq!(setting.store.read(move |tx| events::last(tx, &last, own)).await.unwrap(), 2);
        // Old ones go; their numbers are not given again.
        setting.store.write(move |tx| events::sweep(tx, NOW.plus(2))).await.unwrap();
        append(&setting.store, event(own, Kind::CounterSigned, NOW.plus(3))).await;
        number(&setting.store, own).await;
        let left = read(&setting.store, setting.scope(), own, 0).await;
        assert_eq!(left.iter().map(|e| e.sequence).collect::<Vec<_>>(), [3]);
    }

    async fn what_happens_later_is_numbered_later(setting: Setting) {
        let own = setting.laboratory;
        let mut expected = Vec::new();
        for turn in 0..30 {
            // All within one second; now and then they are numbered.
            let new = event(own, Kind::CredentialIssued, NOW);
            append(&setting.store, new).await;
            expected.push(new.id);
            if turn % 7 == 0 {
                number(&setting.store, own).await;
            }
        }
        number(&setting.store, own).await;
        let told: Vec<_> = read(&setting.store, setting.scope(), own, 0).await.iter().map(|e| e.event.id).collect();
        assert_eq!(told, expected);
    }

    async fn instances_that_number_at_once_give_each_event_one_number(setting: Setting) {
        let own = setting.laboratory;
        let other = setting.again().await;
        assert!(listen(&setting.store, setting.scope(), webhook(own, &Kind::ALL)).await);
        let stores = [setting.store.clone(), other];
        let tasks: Vec<_> = (0..40)
            .map(|turn| {
                let store = stores[turn % 2].clone();
                tokio::spawn(async move {
                    append(&store, event(own, Kind::CredentialIssued, NOW)).await;
                    number(&store, own).await
                })
            })
            .collect();
        let mut numbered = 0;
        for task in tasks {
            numbered += task.await.unwrap();
        }
        assert_eq!(numbered, 40);
        let sequences: Vec<_> = read(&setting.store, setting.scope(), own, 0).await.iter().map(|e| e.sequence).collect();
        assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 40, "one for each event and webhook");
    }

    async fn a_delivery_is_taken_by_one_until_its_lease_ends(setting: Setting) {
        let own = setting.laboratory;
        let (all, one) = (webhook(own, &Kind::ALL), webhook(own, &[Kind::CredentialIssued]));
        let one_id = one.id;
        assert!(listen(&setting.store, setting.scope(), all).await);
        assert!(listen(&setting.store, setting.scope(), one).await);
        for turn in 0..20 {
            let kind = if turn < 5 { Kind::CredentialIssued } else { Kind::OfferClaimed };
            append(&setting.store, event(own, kind, NOW)).await;
        }
        number(&setting.store, own).await;
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 25);
        let other = setting.again().await;
        let (here, there) = tokio::join!(claim(&setting.store, NOW, 100, 100), claim(&other, NOW, 100, 100));
        assert_eq!(here.len() + there.len(), 25);
        let taken: BTreeSet<_> = here.iter().chain(&there).map(|c| c.id).collect();
        assert_eq!(taken.len(), 25, "nobody took what another has");
        assert!(claim(&setting.store, NOW.plus(59), 100, 100).await.is_empty());
        let again = claim(&setting.store, NOW.plus(60), 3, 100).await;
        assert_eq!(again.len(), 6, "three for each target");
        assert!(again.iter().all(|c| c.attempt == 2 && c.event.is_some() && c.message.is_none()));
        assert!(claim(&setting.store, NOW.plus(60), 3, 100).await.is_empty(), "three for each target at a time");
        assert_eq!(claim(&setting.store, NOW.plus(60), 4, 100).await.len(), 2);
        // What was taken by another since is not put off.
        let late = again[0].id;
        setting.store.write(move |tx| deliveries::put_off(tx, late, 1, LATER, "late", NOW)).await.unwrap();
        setting.store.write(move |tx| deliveries::put_off(tx, late, 2, NOW.plus(500), "status 500", NOW)).await.unwrap();
        let (scope, target) = (setting.scope(), WebhookId::from_bytes(again[0].target));
        let listed = setting.store.read(move |tx| deliveries::list(tx, &scope, target, 50)).await.unwrap();
        let row = listed.iter().find(|row| row.id == late).unwrap();
        assert_eq!((row.due, row.last_error.as_deref(), row.attempts), (NOW.plus(500), Some("status 500"), 2));
        let (scope, now) = (setting.scope(), NOW.plus(70));
        let (arrives, ends) = (again[1].id, again[2].id);
        setting.store.write(move |tx| {
            deliveries::delivered(tx, arrives, now)?;
            deliveries::give_up(tx, ends, "gone", now)
        }).await.unwrap();
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'").await, 1);
        // With the webhook goes what waits for it.
        let foreign = Scope::authenticated(ParticipantId::from_bytes(random()));
        assert!(!setting.store.write(move |tx| webhooks::remove(tx, &foreign, one_id)).await.unwrap());
        assert!(setting.store.write(move |tx| webhooks::remove(tx, &scope, one_id)).await.unwrap());
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 20);
        assert!(setting.store.write(move |tx| deliveries::expire(tx, LATER)).await.unwrap() > 0);
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries WHERE state = 'waiting'").await, 0);
        assert!(claim(&setting.store, LATER, 100, 100).await.is_empty());
    }

    async fn a_webhook_fails_is_disabled_and_comes_back(setting: Setting) {
        let own = setting.laboratory;
        let hook = webhook(own, &Kind::ALL);
        let id = hook.id;
        assert!(listen(&setting.store, setting.scope(), hook).await);
        append(&setting.store, event(own, Kind::CredentialIssued, NOW)).await;
        number(&setting.store, own).await;
        let since = setting.store.write(move |tx| {
            webhooks::failed(tx, id, "status 500", NOW)?;
            webhooks::failed(tx, id, "status 503", NOW.plus(10))
        }).await.unwrap();
        assert_eq!(since, Some(NOW));
        assert!(setting.store.write(move |tx| webhooks::disable(tx, id, NOW)).await.unwrap());
        assert!(!setting.store.write(move |tx| webhooks::disable(tx, id, NOW)).await.unwrap());
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries WHERE state = 'given-up'").await, 1);
        append(&setting.store, event(own, Kind::CredentialIssued, NOW)).await;
        number(&setting.store, own).await;
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 1, "nothing is queued for it");
        setting.store.write(move |tx| webhooks::arrived(tx, id, NOW.plus(20))).await.unwrap();
        let scope = setting.scope();
        let found = setting.store.read(move |tx| webhooks::find(tx, &scope, id)).await.unwrap().unwrap();
        assert_eq!((found.state, found.failing_since, found.last_error), (webhooks::State::Active, None, None));
        // Another secret, from whoever read the present one, and in scope.
        let foreign = Scope::authenticated(ParticipantId::from_bytes(random()));
        let retarget = async |scope: Scope, before: Vec<u8>| {
            setting.store.write(move |tx| webhooks::retarget(tx, &scope, id, &before, b"next")).await.unwrap()
        };
        assert!(!retarget(foreign, found.target.clone()).await);
        assert!(retarget(scope, found.target.clone()).await);
        assert!(!retarget(scope, found.target).await, "somebody else was faster");
        let found = setting.store.read(move |tx| webhooks::find(tx, &scope, id)).await.unwrap().unwrap();
        assert_eq!(found.target, b"next");
        // As many as a participant may have.
        for expected in [true, true, false] {
            assert_eq!(listen(&setting.store, setting.scope(), webhook(own, &[])).await, expected);
        }
    }

    async fn a_message_is_gone_when_it_was_sent_or_is_too_late(setting: Setting) {
        let own = setting.laboratory;
        let message = |expires| Message {
            id: DeliveryId::from_bytes(random()),
            channel: Channel::Mail,
            participant: own,
            target: *own.as_bytes(),
            ciphertext: vec![9; 50],
            expires,
        };
        for new in [message(NOW.plus(300)), message(NOW.plus(600))] {
            let scope = setting.scope();
            setting.store.write(move |tx| deliveries::queue_message(tx, &scope, &new, NOW)).await.unwrap();
        }
        let foreign = (Scope::authenticated(ParticipantId::from_bytes(random())), message(LATER));
        let refused = setting.store.write(move |tx| deliveries::queue_message(tx, &foreign.0, &foreign.1, NOW)).await;
        assert!(matches!(refused, Err(Error::Scope)));
        let taken = claim(&setting.store, NOW, 1, 10).await;
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].message.as_deref(), Some(&[9; 50][..]));
        let id = taken[0].id;
        setting.store.write(move |tx| deliveries::delivered(tx, id, NOW)).await.unwrap();
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 1);
        setting.store.write(move |tx| deliveries::expire(tx, NOW.plus(600))).await.unwrap();
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 0);
    }

    async fn a_wallet_is_woken_wherever_it_subscribed(setting: Setting) {
        let (owner, other) = (digest(), digest());
        let subscription = |owner: Digest, created: i64| push::Subscription {
            id: SubscriptionId::from_bytes(random()),
            owner,
            endpoint_hash: digest(),
            endpoint: vec![1; 30],
            created: NOW.plus(created),
            expires: LATER,
        };
        let first = subscription(owner, 0);
        let gone = first.id;
        let again = push::Subscription { id: SubscriptionId::from_bytes(random()), expires: LATER.plus(9), ..first.clone() };
        for new in [first, again, subscription(owner, 1), subscription(owner, 2), subscription(owner, 3), subscription(other, 0)] {
            setting.store.write(move |tx| push::insert(tx, &new, 3)).await.unwrap();
        }
        assert_eq!(setting.number("SELECT COUNT(*) FROM push_subscriptions").await, 4, "the newest three, and the other's");
        assert_eq!(setting.store.read(move |tx| push::find(tx, gone)).await.unwrap(), None);
        let notice: [u8; 16] = random();
        for _ in 0..2 {
            let queued = setting.store.write(move |tx| push::notify(tx, &owner, &notice, NOW, LATER)).await.unwrap();
            assert_eq!(queued, 3);
        }
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries WHERE channel = 'push'").await, 3, "once, however often");
        let taken = claim(&setting.store, NOW, 9, 1).await;
        let id = SubscriptionId::from_bytes(taken[0].target);
        setting.store.write(move |tx| push::remove(tx, id)).await.unwrap();
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 2);
        assert_eq!(setting.store.write(move |tx| push::remove_all(tx, &owner)).await.unwrap(), 2);
        assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, 0);
        setting.store.write(move |tx| push::sweep(tx, LATER)).await.unwrap();
        assert_eq!(setting.number("SELECT COUNT(*) FROM push_subscriptions").await, 0);
    }

    async fn what_ended_is_seen_for_a_while(setting: Setting) {
        let own = setting.laboratory;
        assert!(listen(&setting.store, setting.scope(), webhook(own, &Kind::ALL)).await);
        append(&setting.store, event(own, Kind::CredentialIssued, NOW)).await;
        number(&setting.store, own).await;
        assert_eq!(setting.store.read(deliveries::next_due).await.unwrap(), Some(NOW));
        let id = claim(&setting.store, NOW, 1, 1).await[0].id;
        setting.store.write(move |tx| deliveries::delivered(tx, id, NOW)).await.unwrap();
        assert_eq!(setting.store.read(deliveries::next_due).await.unwrap(), None);
        for (before, left) in [(NOW, 1), (NOW.plus(1), 0)] {
            setting.store.write(move |tx| deliveries::sweep(tx, before)).await.unwrap();
            assert_eq!(setting.number("SELECT COUNT(*) FROM deliveries").await, left);
        }
    }
}
