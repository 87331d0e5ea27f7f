//! The ledger: versions, fences, and what a refused write leaves behind (nothing).

use tokio::task::JoinSet;

use super::Stores;
use super::fixture::{entry, event, job, now, session};
use crate::domain::{Epoch, Fence, LedgerEntry, MessageState, PaceState};
use crate::port::{LedgerWrite, Written};

fn write(fence: Option<&Fence>, entry: &LedgerEntry) -> LedgerWrite {
    LedgerWrite { fence: fence.cloned(), entry: entry.clone(), pace: None, events: vec![] }
}

fn at_version(entry: &LedgerEntry, version: u64) -> LedgerEntry {
    LedgerEntry { version, ..entry.clone() }
}

pub(super) async fn a_stale_version_conflicts(stores: Stores) {
    let owned = stores.owned().await;
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    let fence = Some(&owned.fence);
    assert_eq!(stores.write(fence, &at_version(&first, 1)).await, Written::Conflict, "there is no version 1 yet");
    assert_eq!(stores.entry(&first).await, None);
    assert_eq!(stores.write(fence, &first).await, Written::Done);
    assert_eq!(stores.write(fence, &first).await, Written::Conflict, "there is an entry already");
    let sending = LedgerEntry { state: MessageState::Sending, ..at_version(&first, 1) };
    assert_eq!(stores.write(fence, &sending).await, Written::Done);
    for version in [0, 1, 3, 99] {
        let stale = LedgerEntry { state: MessageState::Failed, ..at_version(&first, version) };
        assert_eq!(stores.write(fence, &stale).await, Written::Conflict, "version {version}");
    }
    assert_eq!(stores.entry(&first).await, Some(at_version(&sending, 2)));
}

pub(super) async fn two_writes_of_one_call_see_each_other(stores: Stores) {
    let owned = stores.owned().await;
    let fence = Some(&owned.fence);
    let (a, b) = (entry(&job(&owned.tenant), Some(&owned.id)), entry(&job(&owned.tenant), Some(&owned.id)));
    let sending = LedgerEntry { state: MessageState::Sending, ..at_version(&a, 1) };
    let sent = LedgerEntry { state: MessageState::Sent, ..at_version(&a, 2) };
    let writes = vec![
        write(fence, &a),
        write(fence, &b),
        write(fence, &sending),
        write(fence, &sending),
        write(fence, &b),
        write(fence, &sent),
    ];
    let answers = stores.ledger.write(writes).await.unwrap();
    let expected = [Written::Done, Written::Done, Written::Done, Written::Conflict, Written::Conflict, Written::Done];
    assert_eq!(answers, expected);
    assert_eq!(stores.entry(&a).await, Some(at_version(&sent, 3)));
    assert_eq!(stores.entry(&b).await, Some(at_version(&b, 1)));
}

pub(super) async fn an_old_owner_writes_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    let refused = LedgerWrite {
        fence: Some(old.clone()),
        entry: first.clone(),
        pace: Some(PaceState(7)),
        events: vec![event(&owned.tenant, Some(&owned.id))],
    };
    assert_eq!(stores.ledger.write(vec![refused]).await.unwrap(), [Written::Fenced]);
    assert_eq!(stores.entry(&first).await, None);
    assert_eq!(stores.waiting().await, []);
    assert_eq!(stores.sessions.get(&owned.id).await.unwrap().unwrap().pace, PaceState::default());

    assert_eq!(stores.write(Some(&owned.fence), &first).await, Written::Done);
    let late = LedgerEntry { state: MessageState::Failed, ..at_version(&first, 1) };
    assert_eq!(stores.write(Some(&old), &late).await, Written::Fenced);
    assert_eq!(stores.entry(&first).await, Some(at_version(&first, 1)));
}

pub(super) async fn fenced_comes_before_conflict(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    assert_eq!(stores.write(Some(&owned.fence), &first).await, Written::Done);
    assert_eq!(stores.write(Some(&old), &first).await, Written::Fenced, "a lost owner must hear that it is one");
    let nobody = Fence { session: session(), epoch: Epoch(0) };
    assert_eq!(stores.write(Some(&nobody), &first).await, Written::Fenced);
    let ahead = Fence { session: owned.id.clone(), epoch: Epoch(owned.fence.epoch.0 + 1) };
    assert_eq!(stores.write(Some(&ahead), &at_version(&first, 1)).await, Written::Fenced);
}

pub(super) async fn refused_writes_leave_the_others_alone(stores: Stores) {
    let mut writes = Vec::new();
    let mut expected = Vec::new();
    for n in 0..15 {
        let (old, owned) = stores.taken_over().await;
        let fresh = entry(&job(&owned.tenant), Some(&owned.id));
        let (write, answer) = match n % 5 {
            1 => (write(Some(&old), &fresh), Written::Fenced),
            3 => (write(Some(&owned.fence), &at_version(&fresh, 4)), Written::Conflict),
            _ => (write(Some(&owned.fence), &fresh), Written::Done),
        };
        writes.push(write);
        expected.push((fresh, answer));
    }
    let answers = stores.ledger.write(writes).await.unwrap();
    assert_eq!(answers, expected.iter().map(|(_, answer)| *answer).collect::<Vec<_>>());
    for (fresh, answer) in &expected {
        assert_eq!(stores.entry(fresh).await.is_some(), *answer == Written::Done);
    }
}

pub(super) async fn the_gateway_writes_without_a_fence(stores: Stores) {
    let (_, owned) = stores.taken_over().await;
    let queued = entry(&job(&owned.tenant), Some(&owned.id));
    assert_eq!(stores.write(None, &queued).await, Written::Done);
    assert_eq!(stores.write(None, &queued).await, Written::Conflict);
    let cancelled = LedgerEntry { state: MessageState::Failed, ..at_version(&queued, 1) };
    assert_eq!(stores.write(None, &cancelled).await, Written::Done);
    let elsewhere = entry(&job(&owned.tenant), Some(&session()));
    assert_eq!(stores.write(None, &elsewhere).await, Written::Done, "no session is needed to record a job");
    assert_eq!(stores.ledger.write(vec![]).await.unwrap(), []);
}

pub(super) async fn events_enter_only_with_their_entry(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    let told = |n: usize| (0..n).map(|_| event(&owned.tenant, Some(&owned.id))).collect::<Vec<_>>();
    let good =
        LedgerWrite { events: told(3), ..write(Some(&owned.fence), &entry(&job(&owned.tenant), Some(&owned.id))) };
    let conflict = LedgerWrite { events: told(2), ..good.clone() };
    let fenced = LedgerWrite { events: told(2), ..write(Some(&old), &entry(&job(&owned.tenant), Some(&owned.id))) };
    let last = LedgerWrite { events: told(1), ..write(None, &entry(&job(&owned.tenant), None)) };
    let writes = vec![fenced, good.clone(), conflict, last.clone()];
    let answers = stores.ledger.write(writes).await.unwrap();
    assert_eq!(answers, [Written::Fenced, Written::Done, Written::Conflict, Written::Done]);
    assert_eq!(stores.waiting().await, [good.events, last.events].concat());
}

pub(super) async fn one_of_eight_writers_wins(stores: Stores) {
    let owned = stores.owned().await;
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    for version in 0..4 {
        let mut tasks = JoinSet::new();
        for n in 0..8 {
            let (stores, owned_fence) = (stores.clone(), owned.fence.clone());
            let mine = LedgerWrite {
                events: vec![event(&owned.tenant, Some(&owned.id))],
                ..write(Some(&owned_fence), &LedgerEntry { attempts: n, ..at_version(&first, version) })
            };
            tasks.spawn(async move { (n, stores.ledger.write(vec![mine]).await.unwrap()) });
        }
        let mut winner = None;
        while let Some(ended) = tasks.join_next().await {
            match ended.unwrap() {
                (n, answers) if answers == [Written::Done] => {
                    assert_eq!(winner.replace(n), None, "two writers of version {version} won");
                }
                (_, answers) => assert_eq!(answers, [Written::Conflict]),
            }
        }
        let winning = stores.entry(&first).await.expect("one writer won");
        assert_eq!((Some(winning.attempts), winning.version), (winner, version + 1));
        assert_eq!(stores.waiting().await.len() as u64, version + 1, "only the winners tell");
    }
}

pub(super) async fn a_cancellation_and_an_intent_exclude_each_other(stores: Stores) {
    let owned = stores.owned().await;
    for round in 0..40 {
        let queued = entry(&job(&owned.tenant), Some(&owned.id));
        assert_eq!(stores.write(None, &queued).await, Written::Done);
        let queued = at_version(&queued, 1);
        let told = [event(&owned.tenant, Some(&owned.id)), event(&owned.tenant, Some(&owned.id))];
        let moves = [(MessageState::Cancelled, None), (MessageState::Sending, Some(&owned.fence))];
        let mut tasks = JoinSet::new();
        for (n, (next, fence)) in moves.into_iter().enumerate() {
            let moved = queued.advance(next, now()).expect("what waits may become either");
            let write = LedgerWrite { events: vec![told[n].clone()], ..write(fence, &moved) };
            let stores = stores.clone();
            // Each is the first to start in every other round.
            let late = round % 2 == n;
            tasks.spawn(async move {
                if late {
                    tokio::task::yield_now().await;
                }
                (n, stores.ledger.write(vec![write]).await.unwrap())
            });
        }
        let mut winner = None;
        while let Some(ended) = tasks.join_next().await {
            match ended.unwrap() {
                (n, answers) if answers == [Written::Done] => {
                    assert_eq!(winner.replace(n), None, "it was cancelled and sent, both");
                }
                (_, answers) => assert_eq!(answers, [Written::Conflict]),
            }
        }
        let winner = winner.expect("one of the two comes first");
        let stands = stores.entry(&queued).await.expect("it was written");
        assert_eq!(stands.state, moves[winner].0);
        // Whoever lost reads again, and finds that there is nothing left to do.
        assert!(stands.advance(moves[1 - winner].0, now()).is_err(), "{} could be undone", stands.state);
        let waiting = stores.waiting_ids().await;
        assert!(waiting.contains(&told[winner].id) && !waiting.contains(&told[1 - winner].id));
    }
}

pub(super) async fn writers_of_many_entries_never_lock_each_other_out(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    let mut writes: Vec<LedgerWrite> = Vec::new();
    for _ in 0..20 {
        for owned in [&one, &two] {
            writes.push(write(Some(&owned.fence), &entry(&job(&owned.tenant), Some(&owned.id))));
        }
    }
    // The same entries in opposite orders: a database that locks them in order of arrival comes to a deadlock, which
    // must not be the caller's concern.
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let stores = stores.clone();
        let mut writes = writes.clone();
        if n % 2 == 1 {
            writes.reverse();
        }
        tasks.spawn(async move { stores.ledger.write(writes).await.unwrap() });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        done += ended.unwrap().iter().filter(|answer| **answer == Written::Done).count();
    }
    assert_eq!(done, writes.len(), "each entry was made once");
}
