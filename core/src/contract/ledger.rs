//! The ledger: what is written is what is read.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Stores;
use super::fixture::{entry, event, job, now, tenant};
use crate::domain::{
    FailReason, JobId, JobKey, Lane, LedgerEntry, MessageId, MessageState, SenderPace, SessionId, Timestamp,
};
use crate::port::{LedgerWrite, Written};

fn written(entry: &LedgerEntry) -> LedgerEntry {
    entry.as_written()
}

pub(super) async fn an_entry_is_read_back_whole(stores: Stores) {
    let owned = stores.owned().await;
    let at = |n: i64| Some(Timestamp::from_millis(1_700_000_000_000 + n));
    let full = LedgerEntry {
        lane: Lane::Bulk,
        state: MessageState::Read,
        reason: Some(FailReason::SenderRestricted),
        code: Some(463),
        attempts: 3,
        expires_at: at(1),
        enqueued_at: Timestamp::from_millis(1_700_000_000_002),
        not_before: at(3),
        sending_at: at(4),
        sent_at: at(5),
        delivered_at: at(6),
        read_at: at(7),
        ended_at: at(8),
        metadata: BTreeMap::from([
            ("order".to_owned(), "A-1 \u{1f600} \"quoted\" \\ %".to_owned()),
            (String::new(), String::new()),
        ]),
        ..entry(&job(&owned.tenant), Some(&owned.id))
    };
    let plain = LedgerEntry { session: None, ..entry(&job(&owned.tenant), None) };
    for wanted in [full, plain] {
        assert_eq!(stores.write(Some(&owned.fence), &wanted).await, Written::Done);
        assert_eq!(stores.entry(&wanted).await, Some(written(&wanted)));
    }
}

pub(super) async fn every_state_and_reason_is_kept(stores: Stores) {
    let owned = stores.owned().await;
    let mut current = entry(&job(&owned.tenant), Some(&owned.id));
    let states = MessageState::ALL.into_iter().map(|state| (state, None));
    let reasons = FailReason::ALL.iter().map(|reason| (MessageState::Failed, Some(*reason)));
    for (state, reason) in states.chain(reasons) {
        (current.state, current.reason) = (state, reason);
        assert_eq!(stores.write(Some(&owned.fence), &current).await, Written::Done, "{state} {reason:?}");
        current.version += 1;
        assert_eq!(stores.entry(&current).await.as_ref(), Some(&current));
    }
}

pub(super) async fn get_answers_in_order(stores: Stores) {
    let owned = stores.owned().await;
    let entries: Vec<_> = (0..5).map(|_| entry(&job(&owned.tenant), Some(&owned.id))).collect();
    for entry in &entries {
        assert_eq!(stores.write(Some(&owned.fence), entry).await, Written::Done);
    }
    let missing = job(&owned.tenant);
    let keys = [&entries[3].key, &missing, &entries[0].key, &entries[4].key, &entries[0].key].map(JobKey::clone);
    let found = stores.ledger.get(&keys).await.unwrap();
    let expected = [Some(&entries[3]), None, Some(&entries[0]), Some(&entries[4]), Some(&entries[0])];
    assert_eq!(found, expected.map(|entry| entry.map(written)));
    assert_eq!(stores.ledger.get(&[]).await.unwrap(), []);
}

pub(super) async fn tenants_with_the_same_job_id_are_apart(stores: Stores) {
    let owned = stores.owned().await;
    let id: JobId = job(&owned.tenant).job;
    let mine = entry(&JobKey::new(owned.tenant.clone(), id), Some(&owned.id));
    let theirs = LedgerEntry { attempts: 9, ..entry(&JobKey::new(tenant(), id), Some(&owned.id)) };
    assert_eq!(stores.write(Some(&owned.fence), &mine).await, Written::Done);
    assert_eq!(stores.entry(&theirs).await, None);
    assert_eq!(stores.write(Some(&owned.fence), &theirs).await, Written::Done);
    assert_eq!(stores.entry(&mine).await, Some(written(&mine)));
    assert_eq!(stores.entry(&theirs).await, Some(written(&theirs)));
}

async fn by_message(stores: &Stores, session: &SessionId, ids: &[&MessageId]) -> Vec<Option<LedgerEntry>> {
    let ids: Vec<_> = ids.iter().copied().cloned().collect();
    stores.ledger.by_message(session, &ids).await.unwrap()
}

pub(super) async fn by_message_finds_within_the_session(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    let shared = MessageId::from_wire("3EB0SHARED");
    let a = LedgerEntry { message_id: shared.clone(), ..entry(&job(&one.tenant), Some(&one.id)) };
    let b = LedgerEntry { message_id: shared.clone(), ..entry(&job(&two.tenant), Some(&two.id)) };
    let c = entry(&job(&one.tenant), Some(&one.id));
    for (fence, entry) in [(&one.fence, &a), (&two.fence, &b), (&one.fence, &c)] {
        assert_eq!(stores.write(Some(fence), entry).await, Written::Done);
    }
    let unknown = MessageId::from_wire("3EB0UNKNOWN");
    let found = by_message(&stores, &one.id, &[&c.message_id, &unknown, &shared, &c.message_id]).await;
    assert_eq!(found, [Some(written(&c)), None, Some(written(&a)), Some(written(&c))]);
    let found = by_message(&stores, &two.id, &[&shared, &c.message_id]).await;
    assert_eq!(found, [Some(written(&b)), None]);
    assert_eq!(by_message(&stores, &one.id, &[]).await, []);
}

pub(super) async fn by_message_follows_the_entry(stores: Stores) {
    let owned = stores.owned().await;
    let pool = entry(&job(&owned.tenant), None);
    assert_eq!(stores.write(None, &pool).await, Written::Done);
    assert_eq!(by_message(&stores, &owned.id, &[&pool.message_id]).await, [None], "it belongs to no session yet");
    let pinned = LedgerEntry { session: Some(owned.id.clone()), state: MessageState::Sending, ..written(&pool) };
    assert_eq!(stores.write(Some(&owned.fence), &pinned).await, Written::Done);
    assert_eq!(by_message(&stores, &owned.id, &[&pool.message_id]).await, [Some(written(&pinned))]);
}

pub(super) async fn the_open_entries_of_a_session(stores: Stores) {
    let (owned, other) = (stores.owned().await, stores.owned().await);
    let mut wanted = Vec::new();
    for state in MessageState::ALL {
        let entry = LedgerEntry { state, ..entry(&job(&owned.tenant), Some(&owned.id)) };
        assert_eq!(stores.write(Some(&owned.fence), &entry).await, Written::Done);
        wanted.extend(state.is_open().then(|| written(&entry)));
    }
    let elsewhere = entry(&job(&other.tenant), Some(&other.id));
    assert_eq!(stores.write(Some(&other.fence), &elsewhere).await, Written::Done);
    let mut open = stores.ledger.open_of(&owned.id, 100).await.unwrap();
    let by_job = |entry: &LedgerEntry| entry.key.job.as_uuid();
    open.sort_by_key(by_job);
    wanted.sort_by_key(by_job);
    assert_eq!(open, wanted);
    assert_eq!(stores.ledger.open_of(&owned.id, 2).await.unwrap().len(), 2);
    assert_eq!(stores.ledger.open_of(&super::fixture::session(), 2).await.unwrap(), []);
}

pub(super) async fn five_hundred_writes_in_one_call(stores: Stores) {
    let owned = stores.owned().await;
    let entries: Vec<_> =
        (0..500).map(|n| LedgerEntry { attempts: n, ..entry(&job(&owned.tenant), Some(&owned.id)) }).collect();
    let told: Vec<_> = entries.iter().map(|_| event(&owned.tenant, Some(&owned.id))).collect();
    let writes = entries.iter().zip(&told).map(|(entry, event)| LedgerWrite {
        fence: Some(owned.fence.clone()),
        entry: entry.clone(),
        spent: Some(SenderPace { turn: u64::from(entry.attempts), ..SenderPace::default() }.into()),
        events: vec![event.clone()],
    });
    assert_eq!(stores.ledger.write(writes.collect()).await.unwrap(), vec![Written::Done; 500]);
    assert_eq!(stores.waiting().await, told, "the events stand in the order of their writes");
    let pace = stores.sessions.get(&owned.id).await.unwrap().unwrap().pace;
    assert_eq!(pace.turn, 499, "the last write says what is spent");
    let keys: Vec<_> = entries.iter().map(|entry| entry.key.clone()).collect();
    let expected: Vec<_> = entries.iter().map(|entry| Some(written(entry))).collect();
    assert_eq!(stores.ledger.get(&keys).await.unwrap(), expected);
    let ids: Vec<_> = entries.iter().map(|entry| &entry.message_id).collect();
    assert_eq!(by_message(&stores, &owned.id, &ids).await, expected);
}

const HOUR: Duration = Duration::from_hours(1);

pub(super) async fn forget_spares_open_and_recent_entries(stores: Stores) {
    let owned = stores.owned().await;
    let metadata = BTreeMap::from([("order".to_owned(), "77".to_owned())]);
    let entries = MessageState::ALL.map(|state| LedgerEntry {
        state,
        metadata: metadata.clone(),
        ..entry(&job(&owned.tenant), Some(&owned.id))
    });
    for entry in &entries {
        assert_eq!(stores.write(Some(&owned.fence), entry).await, Written::Done);
    }
    assert_eq!(stores.ledger.forget(now().minus(HOUR), 1000).await.unwrap(), 0, "all were written just now");
    let closed = entries.iter().filter(|entry| !entry.state.is_open()).count();
    assert_eq!(stores.ledger.forget(now().plus(HOUR), 1000).await.unwrap(), closed as u64);
    for entry in &entries {
        assert_eq!(stores.entry(entry).await.is_some(), entry.state.is_open(), "{}", entry.state);
        let found = by_message(&stores, &owned.id, &[&entry.message_id]).await;
        assert_eq!(found[0].is_some(), entry.state.is_open(), "{} by message", entry.state);
    }
    let again = &entries[MessageState::ALL.iter().position(|state| *state == MessageState::Sent).unwrap()];
    assert_eq!(stores.write(Some(&owned.fence), again).await, Written::Done, "a forgotten job is a new one");
}

pub(super) async fn forget_keeps_its_limit(stores: Stores) {
    let owned = stores.owned().await;
    for _ in 0..5 {
        let sent = LedgerEntry { state: MessageState::Sent, ..entry(&job(&owned.tenant), Some(&owned.id)) };
        assert_eq!(stores.write(Some(&owned.fence), &sent).await, Written::Done);
    }
    let later = now().plus(HOUR);
    for expected in [2, 2, 1, 0] {
        assert_eq!(stores.ledger.forget(later, 2).await.unwrap(), expected);
    }
}
