//! Receipts that come in together, while somebody else moves the entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{
    Fence, JobKey, LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, SessionState, Timestamp,
};
use kurir_core::memory::{MemoryStores, Reply, SystemClock};
use kurir_core::port::{
    Clock as _, Ledger, LedgerWrite, MessengerEvent, PortError, Receipt, ReceiptKind, Stored, Written,
};
use kurir_workers::Worker;
use tokio::sync::{Semaphore, oneshot};

use crate::world::{World, in_time, job_events, message_id, options, otp, until};

/// A ledger in which each look by message waits for a permit, and the second one is followed by somebody else's write.
struct Meddled {
    inner: Arc<MemoryStores>,
    permits: Semaphore,
    asked: AtomicUsize,
    looks: AtomicUsize,
}

impl Meddled {
    /// What a repeated attempt writes: the same state once more.
    async fn repeat(&self, entry: &LedgerEntry, session: &SessionId) {
        let epoch = kurir_core::port::SessionStore::epoch(&*self.inner, session).await.unwrap().unwrap();
        let fence = Some(Fence { session: session.clone(), epoch });
        let again = entry.advance(MessageState::Sending, SystemClock.now()).unwrap();
        let write = LedgerWrite { fence, entry: again, spent: None, events: Vec::new() };
        assert_eq!(Ledger::write(&*self.inner, vec![write]).await.unwrap(), [Written::Done]);
    }
}

#[async_trait]
impl Ledger for Meddled {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        Ledger::write(&*self.inner, writes).await
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        Ledger::get(&*self.inner, keys).await
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        let found = self.inner.by_message(session, ids).await?;
        if self.looks.fetch_add(1, Ordering::SeqCst) == 1 {
            let entry = found[0].as_ref().expect("it was on the wire");
            assert_eq!((ids.len(), entry.state), (2, MessageState::Sending), "both receipts are of one round");
            self.repeat(entry, session).await;
        }
        Ok(found)
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        self.inner.open_of(session, limit).await
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        self.inner.met(session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.inner.forget(before, limit).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_one_round_tell_every_step_though_the_entry_moves_meanwhile() {
    let mut world = World::new();
    let ledger = Arc::new(Meddled {
        inner: Arc::clone(&world.stores),
        permits: Semaphore::new(0),
        asked: AtomicUsize::new(0),
        looks: AtomicUsize::new(0),
    });
    world.ports.ledger = Arc::clone(&ledger) as _;
    let (answer, answered) = oneshot::channel();
    let mut held = Some(answered);
    world.messenger.script(move |_| held.take().map_or(Reply::NotConnected, Reply::Held));
    world.create().await;
    let patient = kurir_workers::WorkerOptions { ack_patience: Duration::from_mins(1), ..options("w1") };
    let worker = Worker::start(patient, world.ports.clone());
    world.link().await;
    let mut events = world.events().await;
    let job = otp(1);
    world.publish(&job).await;
    in_time("the message on the wire", world.messenger.sent_at_least(1)).await;

    // A receipt of nothing of ours keeps the recorder busy until both of the job's are there.
    let receipt = |id: MessageId, kind| {
        let receipt = Receipt { ids: vec![id], kind, at: SystemClock.now() };
        MessengerEvent::Receipt { receipt, stored: Stored::unawaited() }
    };
    world.emit(receipt(message_id(&otp(9)), ReceiptKind::Read)).await;
    until("the recorder at work", async || (ledger.asked.load(Ordering::SeqCst) > 0).then_some(())).await;
    world.emit(receipt(message_id(&job), ReceiptKind::Delivered)).await;
    world.emit(receipt(message_id(&job), ReceiptKind::Read)).await;
    // Events are taken in order, so when this one is recorded both receipts wait.
    world.emit(MessengerEvent::Disconnected).await;
    world.until_state(SessionState::Disconnected).await;
    ledger.permits.add_permits(100);
    let told = job_events(&mut *events, &job, 3).await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["message.sent", "message.delivered", "message.read"]);
    world.until_entry(&job, "end", |entry| entry.state == MessageState::Read).await;
    drop(answer);
    worker.stop().await;
}
