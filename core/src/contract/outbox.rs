//! The outbox: events wait here in order, once, until they are told.

use std::time::Duration;

use uuid::Uuid;

use super::Stores;
use super::fixture::{entry, event, job, now, session, status, tenant};
use crate::domain::{EventId, EventKind, OutboxEvent};
use crate::port::{Backlog, Created, LedgerWrite, NewSession, Written};

const HOUR: Duration = Duration::from_hours(1);

pub(super) async fn events_wait_in_the_order_of_writing(stores: Stores) {
    let tenant = tenant();
    let mut written = Vec::new();
    for n in 0..10_u64 {
        // What they tell happened in the opposite order; a receipt has WhatsApp's clock.
        let batch: Vec<_> = (0..3)
            .map(|m| OutboxEvent { at: now().minus(Duration::from_millis(10 * n + m)), ..event(&tenant, None) })
            .collect();
        stores.outbox.add(&batch).await.unwrap();
        written.extend(batch);
    }
    assert_eq!(stores.waiting().await, written);
}

pub(super) async fn events_are_read_back_whole(stores: Stores) {
    let (tenant, session) = (tenant(), session());
    let mut all: Vec<_> =
        EventKind::ALL.iter().map(|kind| OutboxEvent { kind: *kind, ..event(&tenant, Some(&session)) }).collect();
    all.push(event(&tenant, None));
    all.push(OutboxEvent { body: vec![], ..event(&tenant, None) });
    all.push(OutboxEvent { body: vec![0xa5; 100_000], ..event(&tenant, None) });
    stores.outbox.add(&all).await.unwrap();
    let found = stores.waiting().await;
    assert_eq!(found, all);
    assert!(found.iter().zip(&all).all(|(found, wanted)| found.body == wanted.body));
}

pub(super) async fn young_events_are_left_alone(stores: Stores) {
    let one = event(&tenant(), None);
    stores.outbox.add(std::slice::from_ref(&one)).await.unwrap();
    assert_eq!(stores.outbox.pending(now().minus(HOUR), 100).await.unwrap(), []);
    assert_eq!(stores.outbox.pending(now().plus(HOUR), 100).await.unwrap(), [one]);
}

pub(super) async fn pending_keeps_its_limit(stores: Stores) {
    let tenant = tenant();
    let all: Vec<_> = (0..7).map(|_| event(&tenant, None)).collect();
    stores.outbox.add(&all).await.unwrap();
    let later = now().plus(HOUR);
    assert_eq!(stores.outbox.pending(later, 3).await.unwrap(), all[..3], "the oldest ones come first");
    assert_eq!(stores.outbox.pending(later, 3).await.unwrap(), all[..3], "looking takes nothing away");
}

pub(super) async fn published_events_are_gone(stores: Stores) {
    let tenant = tenant();
    let all: Vec<_> = (0..5).map(|_| event(&tenant, None)).collect();
    stores.outbox.add(&all).await.unwrap();
    let unknown = EventId(Uuid::new_v4());
    stores.outbox.published(&[all[3].id, unknown, all[0].id, all[0].id]).await.unwrap();
    assert_eq!(stores.waiting().await, [&all[1..3], &all[4..]].concat());
    stores.outbox.published(&[]).await.unwrap();
    stores.outbox.published(&all.iter().map(|event| event.id).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(stores.waiting().await, []);
}

pub(super) async fn adding_again_changes_nothing(stores: Stores) {
    let tenant = tenant();
    let (one, two) = (event(&tenant, None), event(&tenant, None));
    stores.outbox.add(&[one.clone(), two.clone(), one.clone()]).await.unwrap();
    let other = OutboxEvent { body: b"other".to_vec(), kind: EventKind::MessageRead, ..one.clone() };
    let three = event(&tenant, None);
    stores.outbox.add(&[other, three.clone()]).await.unwrap();
    assert_eq!(stores.waiting().await, [one, two, three]);
    stores.outbox.add(&[]).await.unwrap();
}

pub(super) async fn an_event_told_twice_does_not_stop_its_fact(stores: Stores) {
    let owned = stores.owned().await;
    let told = event(&owned.tenant, Some(&owned.id));
    stores.outbox.add(std::slice::from_ref(&told)).await.unwrap();
    let again = OutboxEvent { body: b"again".to_vec(), ..told.clone() };
    let write = LedgerWrite {
        fence: Some(owned.fence.clone()),
        entry: entry(&job(&owned.tenant), Some(&owned.id)),
        spent: None,
        events: vec![again.clone(), again.clone()],
    };
    assert_eq!(stores.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
    assert_eq!(stores.sessions.update(&owned.fence, &status(3), &[again]).await.unwrap(), Written::Done);
    assert_eq!(stores.waiting().await, [told]);
    assert_eq!(stores.sessions.get(&owned.id).await.unwrap().unwrap().status, status(3));
}

pub(super) async fn session_writes_bring_their_events(stores: Stores) {
    let (tenant, id) = (tenant(), session());
    let told: Vec<_> = (0..4).map(|_| event(&tenant, Some(&id))).collect();
    let new = NewSession { events: told[..2].to_vec(), ..NewSession::new(id.clone(), tenant.clone(), now()) };
    assert!(matches!(stores.sessions.create(new).await.unwrap(), Created::New(_)));
    let fence = stores.claim(&id).await;
    assert_eq!(stores.sessions.update(&fence, &status(1), &told[2..]).await.unwrap(), Written::Done);
    assert_eq!(stores.waiting().await, told);
}

pub(super) async fn five_hundred_events_at_once(stores: Stores) {
    let tenant = tenant();
    let all: Vec<_> = (0..500).map(|_| event(&tenant, None)).collect();
    stores.outbox.add(&all).await.unwrap();
    let ids: Vec<_> = all.iter().map(|event| event.id).collect();
    assert_eq!(stores.waiting_ids().await, ids);
    stores.outbox.published(&ids).await.unwrap();
    assert_eq!(stores.waiting_ids().await, []);
}

pub(super) async fn the_backlog_is_counted(stores: Stores) {
    assert_eq!(stores.outbox.backlog().await.unwrap(), Backlog::default());
    let tenant = tenant();
    // When it was written counts, not when what it tells happened.
    let all: Vec<_> =
        (0..3).map(|_| OutboxEvent { at: now().minus(HOUR.saturating_mul(50)), ..event(&tenant, None) }).collect();
    for event in &all {
        stores.outbox.add(std::slice::from_ref(event)).await.unwrap();
    }
    let backlog = stores.outbox.backlog().await.unwrap();
    assert_eq!(backlog.events, 3);
    let oldest = backlog.oldest.expect("there is an oldest one");
    assert!(oldest > now().minus(HOUR) && oldest < now().plus(HOUR), "{oldest:?}");
    stores.outbox.published(&[all[0].id, all[1].id]).await.unwrap();
    let left = stores.outbox.backlog().await.unwrap();
    assert_eq!(left.events, 1);
    assert!(left.oldest.is_some_and(|left| left >= oldest), "{left:?}");
}
