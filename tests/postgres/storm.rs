//! Many writers of many sessions at once, and claims in between: nobody waits for ever, and no old owner writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kurir::adapters::postgres::PostgresStore;
use kurir_core::domain::{
    Epoch, EventId, EventKind, Fence, LedgerEntry, OutboxEvent, SenderPace, SessionId, SessionStatus, Timestamp,
};
use kurir_core::port::{
    Ledger, LedgerWrite, Outbox, SessionStore, StateBatch, StateKey, StatePut, StateStore, Written,
};
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::{claim, entry, owned, session_id, tenant, with_database};

const SESSIONS: usize = 6;
const TURNS: usize = 30;

/// No turn takes longer than some milliseconds; a deadlock that nobody resolves takes for ever.
const LIMIT: Duration = Duration::from_secs(50);

/// What the workers of the storm share.
struct Fleet {
    ids: Vec<SessionId>,
    fences: Mutex<HashMap<SessionId, Fence>>,
    /// The highest epoch under which a write of the owner's mark was done.
    marked: Mutex<HashMap<SessionId, Epoch>>,
    jobs: Vec<LedgerEntry>,
}

impl Fleet {
    /// All sessions with the fence that was current a moment ago, in an order that differs by turn and writer.
    fn fences(&self, turn: usize) -> Vec<Fence> {
        let fences = self.fences.lock().unwrap();
        let mut all: Vec<_> = self.ids.iter().map(|id| fences[id].clone()).collect();
        all.rotate_left(turn % SESSIONS);
        if turn.is_multiple_of(2) {
            all.reverse();
        }
        all
    }

    fn note_mark(&self, fence: &Fence) {
        let mut marked = self.marked.lock().unwrap();
        let highest = marked.entry(fence.session.clone()).or_default();
        *highest = (*highest).max(fence.epoch);
    }
}

fn mark() -> StateKey {
    StateKey::new("mark", "owner")
}

/// Marks all sessions with their owner's epoch, beside keys that other writers delete at the same time.
async fn write_state(store: PostgresStore, fleet: Arc<Fleet>, number: usize) {
    for turn in 0..TURNS {
        let fences = fleet.fences(turn + number);
        let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
        let (puts, deletes) = keys.split_at(if (turn + number).is_multiple_of(2) { 4 } else { 2 });
        let batches = fences.iter().map(|fence| {
            let value = Bytes::from(fence.epoch.0.to_be_bytes().to_vec());
            let put = |at| StatePut { at, value: value.clone(), expires_at: None };
            let mut batch = StateBatch {
                puts: puts.iter().map(|key| put(StateKey::new("x", key.as_str()))).collect(),
                deletes: deletes.iter().map(|key| StateKey::new("x", key.as_str())).collect(),
            };
            batch.puts.push(put(mark()));
            (fence.clone(), batch)
        });
        let answers = store.apply(batches.collect()).await.unwrap();
        for (fence, answer) in fences.iter().zip(answers) {
            if answer == Written::Done {
                fleet.note_mark(fence);
            }
        }
        store.delete_expired(&fences[0], "x", Timestamp::from_millis(1)).await.unwrap();
    }
}

/// Advances the same jobs as the other writers, and one job of its own twice in the same call.
async fn write_ledger(store: PostgresStore, fleet: Arc<Fleet>, number: usize) {
    for turn in 0..TURNS {
        let fences = fleet.fences(turn + number);
        let keys: Vec<_> = fleet.jobs.iter().map(|job| job.key.clone()).collect();
        let current = Ledger::get(&store, &keys).await.unwrap();
        let mut writes: Vec<LedgerWrite> = Vec::new();
        for (n, job) in current.into_iter().flatten().enumerate() {
            let fence = fences[n % SESSIONS].clone();
            let told = OutboxEvent {
                id: EventId(Uuid::new_v4()),
                tenant: tenant(),
                session: Some(fence.session.clone()),
                kind: EventKind::MessageSent,
                at: Timestamp::from_millis(1),
                body: vec![],
            };
            let spent = Some(SenderPace { turn: turn as u64, ..SenderPace::default() }.into());
            writes.push(LedgerWrite { fence: Some(fence), entry: job, spent, events: vec![told] });
        }
        if number.is_multiple_of(2) {
            writes.reverse();
            let own = entry(&fences[0].session);
            let again = LedgerEntry { version: 1, ..own.clone() };
            for entry in [own, again] {
                writes.push(LedgerWrite { fence: None, entry, spent: None, events: vec![] });
            }
        }
        let answers = store.write(writes).await.unwrap();
        if number.is_multiple_of(2) {
            assert_eq!(answers[answers.len() - 2..], [Written::Done, Written::Done]);
        }
        let waiting = store.pending(Timestamp::from_millis(i64::MAX), 50).await.unwrap();
        store.published(&waiting.iter().map(|event| event.id).collect::<Vec<_>>()).await.unwrap();
    }
}

/// Takes the sessions over, one after another, and says so in their status.
async fn take_over(store: PostgresStore, fleet: Arc<Fleet>, number: usize) {
    for turn in 0..TURNS {
        let id = &fleet.ids[(turn * (number + 1)) % SESSIONS];
        // Looked up before the claim: after it, the other taker may have minted the next epoch already.
        let marked = fleet.marked.lock().unwrap().get(id).copied().unwrap_or_default();
        let fence = claim(&store, id).await;
        assert!(marked < fence.epoch, "{id}: marked under {marked}, which was minted only now");
        {
            let mut fences = fleet.fences.lock().unwrap();
            let known = fences.get_mut(id).unwrap();
            if known.epoch < fence.epoch {
                *known = fence.clone();
            }
        }
        let status = SessionStatus::created(Timestamp::from_millis(2));
        let answer = store.update(&fence, &status, &[]).await.unwrap();
        assert_ne!(answer, Written::Conflict);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_claims_get_through_together() {
    with_database(async |database| {
        let (one, schema) = database.store().await;
        let two = database.open(&schema, 1).await;
        let ids: Vec<_> = (0..SESSIONS).map(|n| session_id(&format!("s{n}"))).collect();
        let mut fences = HashMap::new();
        for id in &ids {
            fences.insert(id.clone(), owned(&one, id).await);
        }
        let jobs: Vec<_> = (0..20).map(|n| entry(&ids[n % SESSIONS])).collect();
        let first =
            jobs.iter().map(|entry| LedgerWrite { fence: None, entry: entry.clone(), spent: None, events: vec![] });
        assert!(one.write(first.collect()).await.unwrap().iter().all(|answer| *answer == Written::Done));
        let fleet = Arc::new(Fleet { ids, fences: Mutex::new(fences), marked: Mutex::default(), jobs });

        let mut storm = JoinSet::new();
        for (number, store) in [&one, &two, &one, &two].into_iter().enumerate() {
            storm.spawn(write_state(store.clone(), fleet.clone(), number));
            storm.spawn(write_ledger(store.clone(), fleet.clone(), number));
        }
        for (number, store) in [&one, &two].into_iter().enumerate() {
            storm.spawn(take_over(store.clone(), fleet.clone(), number));
        }
        timeout(LIMIT, async {
            while let Some(ended) = storm.join_next().await {
                ended.unwrap();
            }
        })
        .await
        .expect("the storm ends");

        let mut claims = 0;
        for id in &fleet.ids {
            let fence = fleet.fences.lock().unwrap()[id].clone();
            let record = SessionStore::get(&one, id).await.unwrap().unwrap();
            assert_eq!(record.epoch, fence.epoch);
            claims += record.epoch.0;
            let marked = fleet.marked.lock().unwrap().get(id).copied().unwrap_or_default();
            let stored = StateStore::get(&one, id, &[mark()]).await.unwrap().remove(0);
            let stored = stored.map_or(Epoch(0), |value| Epoch(u64::from_be_bytes(value[..].try_into().unwrap())));
            assert_eq!(stored, marked, "{id}: an older owner wrote after a newer one");
        }
        assert_eq!(claims, (SESSIONS + 2 * TURNS) as u64, "each claim minted an epoch of its own");
    })
    .await;
}
