//! What became of messages in each step of time, and what waits.

use std::time::Duration;

use super::Stores;
use super::fixture::{entry, job, now, tenant};
use super::index::put;
use crate::domain::{Lane, LedgerEntry, MessageState, TenantId, Timestamp};
use crate::port::{Activity, Steps, Waiting, Written};

pub(super) async fn moments_are_counted_in_the_step_they_are_in(stores: Stores) {
    let (owned, theirs) = (stores.owned().await, tenant());
    let minute = Duration::from_mins(1);
    let steps = Steps::until(now(), minute, 5);
    // Within the first step, the second one, …
    let at = |step: u32| steps.from.plus(minute * step + Duration::from_secs(7));
    let before = steps.from.minus(Duration::from_millis(1));
    let new = |tenant: &TenantId, enqueued_at| LedgerEntry { enqueued_at, ..entry(&job(tenant), None) };
    let mine = &owned.tenant;
    // Accepted before and sent in the second step, the one delivered in the third and the other one not.
    for delivered in [true, false] {
        let queued = put(&stores, new(mine, before)).await;
        let mut sending = queued.advance(MessageState::Sending, at(0)).expect("a step that may be taken");
        sending.session = Some(owned.id.clone());
        assert_eq!(stores.write(Some(&owned.fence), &sending).await, Written::Done);
        let sent = sending.as_written().advance(MessageState::Sent, at(1)).expect("a step that may be taken");
        assert_eq!(stores.write(Some(&owned.fence), &sent).await, Written::Done);
        if delivered {
            let read = sent.as_written().advance(MessageState::Delivered, at(2)).expect("a step that may be taken");
            assert_eq!(stores.write(Some(&owned.fence), &read).await, Written::Done);
            let read = read.as_written().advance(MessageState::Read, at(3)).expect("a step that may be taken");
            assert_eq!(stores.write(Some(&owned.fence), &read).await, Written::Done);
        }
    }
    // Unknown at first, then a receipt came: it is not uncertain any more, in no step.
    let queued = put(&stores, new(mine, at(0))).await;
    let sending = queued.advance(MessageState::Sending, at(0)).expect("a step that may be taken");
    assert_eq!(stores.write(None, &sending).await, Written::Done);
    let unknown = sending.as_written().advance(MessageState::Uncertain, at(1)).expect("a step that may be taken");
    assert_eq!(stores.write(None, &unknown).await, Written::Done);
    let arrived = unknown.as_written().advance(MessageState::Delivered, at(4)).expect("a step that may be taken");
    assert_eq!(stores.write(None, &arrived).await, Written::Done);
    for (end, step) in
        [(MessageState::Failed, 0), (MessageState::Expired, 1), (MessageState::Cancelled, 2), (MessageState::Failed, 2)]
    {
        let queued = put(&stores, new(mine, at(step))).await;
        let ended = queued.advance(end, at(step)).expect("a step that may be taken");
        assert_eq!(stores.write(None, &ended).await, Written::Done);
    }
    // The very moments at which steps begin; another tenant's; one that only waits.
    put(&stores, new(mine, steps.from)).await;
    put(&stores, new(mine, steps.end())).await;
    put(&stores, new(&theirs, at(0))).await;
    put(&stores, LedgerEntry { state: MessageState::Delayed, ..new(mine, at(4)) }).await;
    let mut expected = steps.empty();
    expected[0] = Activity { accepted: 3, failed: 1, ..expected[0] };
    expected[1] = Activity { accepted: 1, sent: 2, arrived: 1, expired: 1, ..expected[1] };
    expected[2] = Activity { accepted: 2, delivered: 1, failed: 1, cancelled: 1, ..expected[2] };
    expected[3] = Activity { read: 1, ..expected[3] };
    expected[4] = Activity { accepted: 1, sent: 1, arrived: 1, delivered: 1, ..expected[4] };
    assert_eq!(stores.index.activity(mine, &steps).await.unwrap(), expected);
    let theirs = stores.index.activity(&theirs, &steps).await.unwrap();
    assert_eq!(theirs.iter().map(|step| step.accepted).collect::<Vec<_>>(), [1, 0, 0, 0, 0]);
    assert_eq!(stores.index.activity(&tenant(), &steps).await.unwrap(), steps.empty());
    assert_eq!(stores.index.activity(mine, &Steps { count: 0, ..steps }).await.unwrap(), []);
}

pub(super) async fn what_waits_is_told_with_its_oldest(stores: Stores) {
    let owned = stores.owned().await;
    let (mine, at) = (&owned.tenant, |n: i64| Timestamp::from_millis(1_700_000_000_000 + n));
    let of = |n, session, lane, state| LedgerEntry { enqueued_at: at(n), lane, state, ..entry(&job(mine), session) };
    let session = Some(&owned.id);
    for (n, session, lane, state) in [
        (30, session, Lane::Otp, MessageState::Queued),
        (20, session, Lane::Otp, MessageState::Delayed),
        (40, session, Lane::Otp, MessageState::Queued),
        (10, session, Lane::Otp, MessageState::Sending),
        (11, session, Lane::Otp, MessageState::Sent),
        (50, session, Lane::Bulk, MessageState::Queued),
        (60, None, Lane::Bulk, MessageState::Queued),
        (61, None, Lane::Bulk, MessageState::Delayed),
        (1, None, Lane::Bulk, MessageState::Failed),
    ] {
        put(&stores, of(n, session, lane, state)).await;
    }
    put(&stores, entry(&job(&tenant()), None)).await;
    let waiting = |session, lane, messages, n| Waiting { session, lane, messages, since: at(n) };
    let mut expected = vec![
        waiting(None, Lane::Bulk, 2, 60),
        waiting(Some(owned.id.clone()), Lane::Otp, 3, 20),
        waiting(Some(owned.id.clone()), Lane::Bulk, 1, 50),
    ];
    expected.sort();
    assert_eq!(stores.index.waiting(mine).await.unwrap(), expected);
    assert_eq!(stores.index.waiting(&tenant()).await.unwrap(), []);
}
