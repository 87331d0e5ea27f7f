//! A job that is cancelled or put off while the worker has it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{
    FailReason, JobKey, Lane, LedgerEntry, MessageId, MessageState, PhoneNumber, SessionId, Timestamp,
};
use kurir_core::memory::{MemoryStores, Reply, SystemClock};
use kurir_core::port::{
    Clock as _, JobHeaders, JobQueue as _, Ledger, LedgerWrite, MessengerEvent, PortError, RecipientRule, Written,
};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1, MessageDataV1};
use kurir_workers::Worker;

use crate::world::{World, in_time, job_events, key, options, otp, session, until};

/// What somebody else does at a certain step of the worker.
type Other = Box<dyn FnOnce() + Send>;

/// What somebody else came to: written, or too late.
type Answer = Arc<Mutex<Option<Result<Written, MessageState>>>>;

/// A ledger that lets somebody in right before or right after the first intent is written.
struct Stepped {
    inner: Arc<MemoryStores>,
    before: Mutex<Option<Other>>,
    after: Mutex<Option<Other>>,
}

#[async_trait]
impl Ledger for Stepped {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        let intent = writes.iter().any(|write| write.entry.state == MessageState::Sending);
        let other = self.before.lock().unwrap().take_if(|_| intent);
        if let Some(other) = other {
            other();
        }
        let answers = Ledger::write(&*self.inner, writes).await;
        let other = self.after.lock().unwrap().take_if(|_| intent);
        if let Some(other) = other {
            other();
        }
        answers
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        Ledger::get(&*self.inner, keys).await
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        self.inner.by_message(session, ids).await
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

/// Does to the entry what the gateway would do: reads it, moves it, writes it against its version. `Err`: too late.
async fn change(
    stores: &MemoryStores,
    key: &JobKey,
    next: MessageState,
    not_before: Option<Timestamp>,
) -> Result<Written, MessageState> {
    let entry = Ledger::get(stores, std::slice::from_ref(key)).await.unwrap().remove(0).expect("the gateway knows it");
    let now = SystemClock.now();
    let mut moved = entry.advance(next, now).map_err(|error| error.from)?;
    moved.not_before = not_before;
    moved.reason = not_before.map(|_| FailReason::Rescheduled);
    let events = MessageDataV1::events(&moved, entry.state, moved.session.as_ref(), now);
    let write = LedgerWrite { fence: None, entry: moved, spent: None, events };
    Ok(Ledger::write(stores, vec![write]).await.unwrap().remove(0))
}

/// The same from within a call of the ledger: the in-process stores never wait.
fn change_now(
    stores: &Arc<MemoryStores>,
    key: JobKey,
    next: MessageState,
    not_before: Option<Timestamp>,
    answer: &Answer,
) -> Other {
    let (stores, answer) = (Arc::clone(stores), Arc::clone(answer));
    Box::new(move || {
        let done = futures_util::FutureExt::now_or_never(change(&stores, &key, next, not_before));
        *answer.lock().unwrap() = done;
    })
}

/// The gateway's part of a job: its entry.
async fn queued(world: &World, job: &JobV1) {
    let body = serde_json::to_vec(job).unwrap();
    let decoded = JobV1::decode(JOB_KIND, &body, None).unwrap();
    let entry = LedgerEntry::new(&decoded, SystemClock.now());
    let write = LedgerWrite { fence: None, entry, spent: None, events: Vec::new() };
    assert_eq!(world.ports.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
}

async fn until_drained(world: &World) {
    until("empty queue", async || (world.queue.depth(&session(), Lane::Otp).await.unwrap() == 0).then_some(())).await;
}

/// A worker whose first intent meets somebody else.
async fn stepped(
    job: &JobV1,
    next: MessageState,
    not_before: Option<Timestamp>,
    first: bool,
) -> (World, Worker, Answer) {
    let mut world = World::new();
    let answer = Answer::default();
    let other = Some(change_now(&world.stores, key(job), next, not_before, &answer));
    let (before, after) = if first { (other, None) } else { (None, other) };
    let inner = Arc::clone(&world.stores);
    world.ports.ledger = Arc::new(Stepped { inner, before: Mutex::new(before), after: Mutex::new(after) });
    world.create().await;
    queued(&world, job).await;
    let mut settings = options("w");
    settings.recipient = RecipientRule { every: Duration::from_mins(1), per_day: 0 };
    let worker = Worker::start(settings, world.ports.clone());
    world.link().await;
    (world, worker, answer)
}

#[tokio::test]
async fn cancelled_right_before_the_intent_it_is_not_sent() {
    let job = otp(1);
    let (world, worker, answer) = stepped(&job, MessageState::Cancelled, None, true).await;
    world.publish(&job).await;
    let answered = until("cancellation", async || *answer.lock().unwrap()).await;
    assert_eq!(answered, Ok(Written::Done));
    until_drained(&world).await;
    // Its recipient was charged for it and gets the next one at once.
    let mut events = world.events().await;
    let next = JobV1 { id: uuid::Uuid::new_v4(), ..job.clone() };
    world.publish(&next).await;
    assert_eq!(job_events(&mut *events, &next, 1).await[0].0, "message.sent");
    worker.stop().await;
    let entry = world.entry(&job).await.unwrap();
    assert_eq!((entry.state, entry.attempts, entry.version), (MessageState::Cancelled, 0, 2));
    assert_eq!(world.messenger.sent().len(), 1, "what was cancelled was sent");
    assert_eq!(world.queue.depth(&session(), Lane::Otp).await.unwrap(), 0);
}

#[tokio::test]
async fn cancelled_right_after_the_intent_it_is_too_late_and_sent() {
    let job = otp(2);
    let (world, worker, answer) = stepped(&job, MessageState::Cancelled, None, false).await;
    world.publish(&job).await;
    let entry = world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert_eq!(*answer.lock().unwrap(), Some(Err(MessageState::Sending)));
    assert_eq!(entry.attempts, 1);
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 1);
}

#[tokio::test]
async fn put_off_right_before_the_intent_it_waits_and_then_goes_once() {
    let job = otp(3);
    let moment = SystemClock.now().plus(Duration::from_secs(2));
    let (world, worker, answer) = stepped(&job, MessageState::Delayed, Some(moment), true).await;
    world.publish(&job).await;
    let entry = world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert_eq!(*answer.lock().unwrap(), Some(Ok(Written::Done)));
    assert!(entry.sending_at.unwrap() >= moment, "{:?} is before {moment}", entry.sending_at);
    assert_eq!((entry.attempts, entry.not_before), (1, None));
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 1);
}

#[tokio::test]
async fn a_parked_job_goes_by_the_moment_that_was_asked_for_last() {
    let (world, worker) = World::serving(options("w")).await;
    let headers = |until| JobHeaders { kind: JOB_KIND.into(), not_before: Some(until), ..JobHeaders::default() };
    let now = SystemClock.now();
    let (soon, late) = (now.plus(Duration::from_secs(2)), now.plus(Duration::from_hours(3)));
    // What the job carries says late, what the ledger says is soon; and the other way round.
    let (sooner, later) = (otp(4), JobV1 { expires_at: None, lane: Lane::Bulk, ..otp(5) });
    let sooner = JobV1 { expires_at: None, lane: Lane::Bulk, ..sooner };
    for (job, recorded, carried) in [(&sooner, soon, late), (&later, late, now)] {
        queued(&world, job).await;
        let changed = change(&world.stores, &key(job), MessageState::Delayed, Some(recorded)).await;
        assert_eq!(changed, Ok(Written::Done));
        world.publish_raw(job.lane, serde_json::to_vec(job).unwrap(), headers(carried)).await;
    }
    let entry = world.until_entry(&sooner, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert!(entry.sending_at.unwrap() >= soon);
    until("parked", async || (world.queue.depth(&session(), Lane::Bulk).await.unwrap() == 0).then_some(())).await;
    worker.stop().await;
    let entry = world.entry(&later).await.unwrap();
    assert_eq!((entry.state, entry.not_before), (MessageState::Delayed, Some(late)));
    assert_eq!(world.messenger.sent().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_delayed_for_a_retry_can_be_cancelled() {
    let mut settings = options("w");
    settings.retry_otp.backoff.base = Duration::from_secs(1);
    let (world, worker) = World::serving(settings).await;
    world.messenger.script(|_| Reply::Answer(kurir_core::domain::SendAnswer::Refused(500)));
    let mut events = world.events().await;
    let job = otp(6);
    world.publish(&job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.delayed");
    // The worker may be about to try again; whoever is first wins.
    let cancelled =
        until("decision", async || match change(&world.stores, &key(&job), MessageState::Cancelled, None).await {
            Ok(Written::Done) => Some(true),
            Err(MessageState::Failed) => Some(false),
            _ => None,
        })
        .await;
    let sent = world.messenger.sent().len();
    until_drained(&world).await;
    let content = ContentV1::text("after it");
    world.messenger.script(|_| Reply::Answer(kurir_core::domain::SendAnswer::Accepted));
    let next = JobV1 { content, ..otp(7) };
    world.publish(&next).await;
    world.until_entry(&next, "next job", |entry| entry.state == MessageState::Sent).await;
    worker.stop().await;
    let state = world.entry(&job).await.unwrap().state;
    assert_eq!(state, if cancelled { MessageState::Cancelled } else { MessageState::Failed });
    assert!(!cancelled || world.messenger.sent().len() == sent + 1, "it was sent after it was cancelled");
}

#[tokio::test]
async fn a_receipt_does_not_bring_a_cancelled_job_back() {
    let (world, worker) = World::serving(options("w")).await;
    let job = otp(8);
    queued(&world, &job).await;
    assert_eq!(change(&world.stores, &key(&job), MessageState::Cancelled, None).await, Ok(Written::Done));
    let receipt = kurir_core::port::Receipt {
        ids: vec![crate::world::message_id(&job)],
        kind: kurir_core::port::ReceiptKind::Delivered,
        at: SystemClock.now(),
    };
    world.emit(MessengerEvent::Receipt { receipt, stored: kurir_core::port::Stored::unawaited() }).await;
    let next = otp(9);
    world.publish(&next).await;
    in_time("next job", world.messenger.sent_at_least(1)).await;
    worker.stop().await;
    assert_eq!(world.entry(&job).await.unwrap().state, MessageState::Cancelled);
}
