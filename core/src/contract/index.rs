//! Finding messages: each is found by what it is, on one page, and by nobody else.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::Stores;
use super::fixture::{entry, job, now, number, session, tenant};
use crate::domain::{BatchId, FailReason, Lane, LedgerEntry, MessageId, MessageState, TenantId, Timestamp};
use crate::port::{MessageFilter, MessagePlace, Written};

pub(super) async fn put(stores: &Stores, entry: LedgerEntry) -> LedgerEntry {
    assert_eq!(stores.write(None, &entry).await, Written::Done);
    entry.as_written()
}

async fn listed(stores: &Stores, filter: &MessageFilter) -> Vec<LedgerEntry> {
    stores.index.list(filter, None, 1000).await.unwrap()
}

fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Newest first.
fn in_order(mut entries: Vec<LedgerEntry>) -> Vec<LedgerEntry> {
    entries.sort_by_key(|entry| std::cmp::Reverse(MessagePlace::of(entry)));
    entries
}

pub(super) async fn pages_hold_every_message_once_the_newest_first(stores: Stores) {
    let (mine, theirs, start) = (tenant(), tenant(), now());
    let (mut all, mut part) = (Vec::new(), Vec::new());
    for n in 0..25 {
        // Five at each moment, so that a page ends among those of one.
        let enqueued_at = start.plus(Duration::from_millis(n / 5));
        let metadata = words(if n % 3 == 0 { &[("shop", "a"), ("n", "0")] } else { &[("shop", "b"), ("n", "0")] });
        let of = |tenant| LedgerEntry { enqueued_at, metadata: metadata.clone(), ..entry(&job(tenant), None) };
        let one = put(&stores, of(&mine)).await;
        if n % 3 == 0 {
            part.push(one.clone());
        }
        all.push(one);
        put(&stores, of(&theirs)).await;
    }
    let all_of = MessageFilter::of(mine);
    let part_of = MessageFilter { metadata: words(&[("shop", "a")]), ..all_of.clone() };
    for (filter, limit, expected) in [(all_of, 7, in_order(all)), (part_of, 2, in_order(part))] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = stores.index.list(&filter, before, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(MessagePlace::of(last));
            assert!(page.len() <= limit as usize);
            found.extend(page);
        }
        assert_eq!(found, expected);
    }
    assert_eq!(listed(&stores, &MessageFilter::of(tenant())).await, []);
}

pub(super) async fn a_message_is_found_by_what_it_is(stores: Stores) {
    let owned = stores.owned().await;
    let tenant = owned.tenant.clone();
    let (to, batch) = (number(), BatchId::new(Uuid::new_v4()));
    let at = |n: u64| now().plus(Duration::from_secs(n));
    let start = at(0);
    let plain = || entry(&job(&tenant), None);
    let a = LedgerEntry { to: Some(to.clone()), enqueued_at: start, ..entry(&job(&tenant), Some(&owned.id)) };
    let b = LedgerEntry { lane: Lane::Bulk, batch: Some(batch), to: Some(number()), enqueued_at: at(60), ..plain() };
    let c = LedgerEntry { state: MessageState::Failed, batch: Some(batch), enqueued_at: at(120), ..plain() };
    let b = LedgerEntry { metadata: words(&[("order", "77"), ("a\0b", "1"), ("a\0c", "2")]), ..b };
    let c = LedgerEntry { metadata: words(&[("order", "77"), ("77", "order \u{e9}\"{},'")]), ..c };
    let (a, b, c) = (put(&stores, a).await, put(&stores, b).await, put(&stores, c).await);
    let all = MessageFilter::of(tenant);
    let since = Some(start.plus(Duration::from_secs(30)));
    let cases = [
        ("all", all.clone(), vec![&c, &b, &a]),
        ("a number", MessageFilter { recipient: Some(to.clone()), ..all.clone() }, vec![&a]),
        ("another number", MessageFilter { recipient: Some(number()), ..all.clone() }, vec![]),
        ("a batch", MessageFilter { batch: Some(batch), ..all.clone() }, vec![&c, &b]),
        ("a word", MessageFilter { metadata: words(&[("order", "77")]), ..all.clone() }, vec![&c, &b]),
        ("two words", MessageFilter { metadata: words(&[("order", "77"), ("a\0c", "2")]), ..all.clone() }, vec![&b]),
        ("words of two", MessageFilter { metadata: words(&[("a\0b", "1"), ("77", "order")]), ..all.clone() }, vec![]),
        ("an odd word", MessageFilter { metadata: words(&[("77", "order \u{e9}\"{},'")]), ..all.clone() }, vec![&c]),
        ("half a word", MessageFilter { metadata: words(&[("order", "7")]), ..all.clone() }, vec![]),
        ("another split", MessageFilter { metadata: words(&[("order7", "7")]), ..all.clone() }, vec![]),
        ("a lane", MessageFilter { lane: Some(Lane::Bulk), ..all.clone() }, vec![&b]),
        ("a session", MessageFilter { sessions: Some(vec![owned.id.clone(), session()]), ..all.clone() }, vec![&a]),
        ("no session at all", MessageFilter { sessions: Some(vec![]), ..all.clone() }, vec![]),
        ("a state", MessageFilter { states: Some(vec![MessageState::Failed]), ..all.clone() }, vec![&c]),
        ("no state at all", MessageFilter { states: Some(vec![]), ..all.clone() }, vec![]),
        ("since", MessageFilter { since, ..all.clone() }, vec![&c, &b]),
        ("until", MessageFilter { until: since, ..all.clone() }, vec![&a]),
        ("from the very moment on", MessageFilter { since: Some(b.enqueued_at), ..all.clone() }, vec![&c, &b]),
        ("before the very moment", MessageFilter { until: Some(b.enqueued_at), ..all.clone() }, vec![&a]),
        ("all at once", MessageFilter { batch: Some(batch), lane: Some(Lane::Bulk), since, ..all.clone() }, vec![&b]),
        (
            "another tenant's",
            MessageFilter { recipient: Some(to), ..MessageFilter::of(super::fixture::tenant()) },
            vec![],
        ),
    ];
    for (what, filter, wanted) in cases {
        assert_eq!(listed(&stores, &filter).await.iter().collect::<Vec<_>>(), wanted, "{what}");
        let count: u64 = stores.index.count(&filter).await.unwrap().iter().map(|(_, count)| count).sum();
        assert_eq!(count, wanted.len() as u64, "{what}");
    }
}

pub(super) async fn what_a_message_is_found_by_stays_while_its_state_moves(stores: Stores) {
    let owned = stores.owned().await;
    let (to, batch) = (number(), BatchId::new(Uuid::new_v4()));
    let metadata = words(&[("order", "77")]);
    let first = LedgerEntry {
        to: Some(to.clone()),
        batch: Some(batch),
        metadata: metadata.clone(),
        ..entry(&job(&owned.tenant), None)
    };
    let queued = put(&stores, first).await;
    let by_number =
        MessageFilter { recipient: Some(to), batch: Some(batch), metadata, ..MessageFilter::of(owned.tenant.clone()) };
    let by_session =
        MessageFilter { sessions: Some(vec![owned.id.clone()]), ..MessageFilter::of(owned.tenant.clone()) };
    assert_eq!(listed(&stores, &by_session).await, []);
    let mut sending = queued.advance(MessageState::Sending, now()).expect("what waits may go");
    sending.session = Some(owned.id.clone());
    assert_eq!(stores.write(Some(&owned.fence), &sending).await, Written::Done);
    let sent = sending.as_written().advance(MessageState::Sent, now()).expect("what is on the wire may be sent");
    assert_eq!(stores.write(Some(&owned.fence), &sent).await, Written::Done);
    for filter in [&by_number, &by_session] {
        assert_eq!(listed(&stores, filter).await, [sent.as_written()]);
        assert_eq!(stores.index.count(filter).await.unwrap(), [(MessageState::Sent, 1)]);
    }
}

pub(super) async fn a_message_is_found_by_whatsapps_id_of_it(stores: Stores) {
    let (owned, other) = (stores.owned().await, stores.owned().await);
    let mine = put(&stores, entry(&job(&owned.tenant), Some(&owned.id))).await;
    let second = put(&stores, entry(&job(&owned.tenant), Some(&owned.id))).await;
    let nobodys_yet = put(&stores, entry(&job(&owned.tenant), None)).await;
    let theirs = put(&stores, entry(&job(&other.tenant), Some(&other.id))).await;
    let found = async |tenant: &TenantId, of: &LedgerEntry| {
        stores.index.by_whatsapp_id(tenant, &of.message_id, 5).await.unwrap()
    };
    for of in [mine, second, nobodys_yet] {
        assert_eq!(found(&owned.tenant, &of).await, std::slice::from_ref(&of));
        assert_eq!(found(&other.tenant, &of).await, []);
    }
    assert_eq!(found(&other.tenant, &theirs).await, std::slice::from_ref(&theirs));
    assert_eq!(found(&owned.tenant, &theirs).await, []);
    for nobody in ["", "3EB0", "a\0b", "3EB0%"] {
        let id = MessageId::from_wire(nobody);
        assert_eq!(stores.index.by_whatsapp_id(&owned.tenant, &id, 5).await.unwrap(), [], "{nobody:?}");
    }
}

pub(super) async fn messages_are_counted_by_state(stores: Stores) {
    let tenant: TenantId = tenant();
    for (n, state) in (1..).zip(MessageState::ALL) {
        for _ in 0..n {
            put(&stores, LedgerEntry { state, ..entry(&job(&tenant), None) }).await;
        }
    }
    let expected: Vec<_> = (1..).zip(MessageState::ALL).map(|(n, state)| (state, n)).collect();
    assert_eq!(stores.index.count(&MessageFilter::of(tenant)).await.unwrap(), expected);
    assert_eq!(stores.index.count(&MessageFilter::of(super::fixture::tenant())).await.unwrap(), []);
}

pub(super) async fn the_history_is_kept_with_the_entry(stores: Stores) {
    let owned = stores.owned().await;
    let at = |n: i64| Timestamp::from_millis(1_700_000_000_000 + n);
    let mut current = entry(&job(&owned.tenant), Some(&owned.id));
    let mut expected = Vec::new();
    let path = [
        (MessageState::Delayed, Some(FailReason::RateLimited), Some(429)),
        (MessageState::Sending, None, None),
        (MessageState::Delayed, Some(FailReason::SenderRestricted), Some(463)),
        (MessageState::Sending, None, None),
        (MessageState::Sent, None, None),
        (MessageState::Read, None, None),
    ];
    for (n, (state, reason, code)) in (0..).zip(path) {
        current = current.advance(state, at(n)).expect("a step that may be taken");
        (current.reason, current.code) = (reason, code);
        assert_eq!(stores.write(Some(&owned.fence), &current).await, Written::Done);
        if state == MessageState::Read {
            expected.push((MessageState::Delivered, at(n), None, None));
        }
        expected.push((state, at(n), reason, code));
        // As the next owner reads it, who knows nothing else.
        current = stores.entry(&current).await.expect("it was written");
    }
    let steps = current.history.steps().iter().map(|step| (step.state, step.at, step.reason, step.code));
    assert_eq!(steps.collect::<Vec<_>>(), expected);
    let metadata = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let other = put(&stores, LedgerEntry { metadata, ..entry(&job(&owned.tenant), None) }).await;
    assert_eq!(stores.entry(&other).await.map(|entry| entry.history), Some(other.history));
}
