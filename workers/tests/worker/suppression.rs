//! Those who want no bulk messages: how they get on the list by a reply, and what it does to jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{
    Applied, EventId, Initiator, KeyId, Lane, MessageId, OptOut, OutboxEvent, PhoneNumber, Release, SessionId,
    Suppression, SuppressionChange, SuppressionCursor, TenantId,
};
use kurir_core::memory::{MemoryStores, Reply, SystemClock};
use kurir_core::port::{Clock as _, Incoming, MessengerEvent, PortError, Stored, SuppressionList};
use kurir_core::wire::{ContentV1, JobV1};
use kurir_workers::Worker;

use crate::world::{World, in_time, job_events, next_event, options, otp, tenant, until};

/// A bulk job for the number of [`otp`] of the same `at`.
fn bulk(at: u32) -> JobV1 {
    let content = ContentV1::text("promo");
    JobV1 { id: uuid::Uuid::new_v4(), lane: Lane::Bulk, content, expires_at: None, ..otp(at) }
}

fn number(job: &JobV1) -> PhoneNumber {
    PhoneNumber::parse(&job.to, None).unwrap()
}

/// Somebody writes to the session; returns once it is acknowledged.
async fn write(world: &World, id: &str, job: &JobV1, text: &str) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let stored = Stored::new(|durable| tell.send(durable).unwrap());
    let message = Incoming::text(MessageId::from_wire(id), number(job), text, SystemClock.now());
    world.emit(MessengerEvent::Incoming { messages: vec![message], stored }).await;
    assert!(in_time("acknowledgement", told).await.unwrap());
}

async fn suppress(world: &World, job: &JobV1) {
    let by = Initiator::Api(KeyId::new("k").unwrap());
    let wish = Suppression { number: number(job), by, note: None, since: SystemClock.now() };
    assert_eq!(world.stores.suppress(&tenant(), &[wish]).await.unwrap(), [Applied::Added]);
}

async fn is_suppressed(world: &World, job: &JobV1) -> bool {
    world.stores.suppressed(&[(tenant(), number(job))]).await.unwrap()[0]
}

/// How a job's first event is called, and its reason.
async fn end(world: &World, job: &JobV1) -> (String, Option<String>) {
    let mut events = world.events().await;
    world.publish(job).await;
    let (kind, data) = job_events(&mut *events, job, 1).await.remove(0);
    (kind, data["reason"].as_str().map(str::to_owned))
}

fn sent() -> (String, Option<String>) {
    ("message.sent".into(), None)
}

fn suppressed() -> (String, Option<String>) {
    ("message.failed".into(), Some("suppressed".into()))
}

#[tokio::test]
async fn bulk_to_a_suppressed_number_fails_and_an_otp_goes() {
    let (world, worker) = World::serving(options("w")).await;
    suppress(&world, &bulk(1)).await;
    let job = bulk(1);
    assert_eq!(end(&world, &job).await, suppressed());
    assert_eq!(end(&world, &otp(1)).await, sent());
    assert_eq!(end(&world, &bulk(2)).await, sent());
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 2);
    assert_eq!(world.entry(&job).await.unwrap().attempts, 0);
}

#[tokio::test]
async fn a_reply_to_a_bulk_message_stops_them_and_another_one_takes_it_back() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    assert_eq!(end(&world, &otp(2)).await, sent());
    write(&world, "A1", &bulk(2), "STOP").await;
    write(&world, "A2", &bulk(3), "STOP").await;
    for at in [2, 3] {
        assert!(!is_suppressed(&world, &bulk(at)).await, "{at} got no bulk message");
    }
    assert_eq!(end(&world, &bulk(2)).await, sent());
    write(&world, "A3", &bulk(2), "please stop").await;
    assert!(!is_suppressed(&world, &bulk(2)).await, "the word was not alone");
    write(&world, "A4", &bulk(2), " Berhenti. ").await;
    assert!(is_suppressed(&world, &bulk(2)).await, "before WhatsApp heard that it came");
    let told = next_event(&mut *events, "recipient.suppressed").await;
    let digits = number(&bulk(2)).digits().to_owned();
    assert_eq!((told.data["number"].as_str(), told.data["word"].as_str()), (Some(&*digits), Some("berhenti")));
    assert_eq!((told.session.as_deref(), told.data["message_id"].as_str()), (Some("s1"), Some("A4")));
    assert_eq!(end(&world, &bulk(2)).await, suppressed());
    assert_eq!(end(&world, &bulk(3)).await, sent(), "another recipient");

    write(&world, "A5", &bulk(2), "mulai").await;
    next_event(&mut *events, "recipient.resumed").await;
    assert_eq!(end(&world, &bulk(2)).await, sent());
    // What a caller has said no reply takes back.
    suppress(&world, &bulk(3)).await;
    write(&world, "A6", &bulk(3), "START").await;
    assert!(is_suppressed(&world, &bulk(3)).await);
    let changes = world.stores.suppression_changes(&tenant(), &number(&bulk(2)), 10).await.unwrap();
    assert!(changes.iter().all(|change| change.by == Initiator::Reply(SessionId::new("s1").unwrap())));
    assert_eq!(changes.len(), 2);
    worker.stop().await;
}

/// A list that can be out of reach, and counts how often it is asked.
struct Away {
    inner: Arc<MemoryStores>,
    is_out_of_reach: AtomicBool,
    looks: AtomicUsize,
}

#[async_trait]
impl SuppressionList for Away {
    async fn suppress(&self, tenant: &TenantId, wishes: &[Suppression]) -> Result<Vec<Applied>, PortError> {
        self.inner.suppress(tenant, wishes).await
    }

    async fn release(&self, tenant: &TenantId, release: &Release) -> Result<Option<Suppression>, PortError> {
        self.inner.release(tenant, release).await
    }

    async fn heed(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        events: &[OutboxEvent],
        replies: &[OptOut],
    ) -> Result<Vec<EventId>, PortError> {
        self.inner.heed(tenant, session, events, replies).await
    }

    async fn suppressed(&self, asked: &[(TenantId, PhoneNumber)]) -> Result<Vec<bool>, PortError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        if self.is_out_of_reach.load(Ordering::SeqCst) {
            return Err(PortError::Unavailable { system: "the list", action: "a look", source: "it is away".into() });
        }
        self.inner.suppressed(asked).await
    }

    async fn suppression(&self, tenant: &TenantId, number: &PhoneNumber) -> Result<Option<Suppression>, PortError> {
        self.inner.suppression(tenant, number).await
    }

    async fn suppressions(
        &self,
        tenant: &TenantId,
        after: Option<SuppressionCursor>,
        limit: u32,
    ) -> Result<Vec<(SuppressionCursor, Suppression)>, PortError> {
        self.inner.suppressions(tenant, after, limit).await
    }

    async fn suppression_changes(
        &self,
        tenant: &TenantId,
        number: &PhoneNumber,
        limit: u32,
    ) -> Result<Vec<SuppressionChange>, PortError> {
        self.inner.suppression_changes(tenant, number, limit).await
    }
}

async fn with_a_list_that_can_be_away() -> (World, Arc<Away>, Worker) {
    let mut world = World::new();
    let inner = Arc::clone(&world.stores);
    let list = Arc::new(Away { inner, is_out_of_reach: AtomicBool::new(false), looks: AtomicUsize::new(0) });
    world.ports.suppressions = Arc::clone(&list) as _;
    world.create().await;
    let worker = Worker::start(options("w"), world.ports.clone());
    world.link().await;
    (world, list, worker)
}

#[tokio::test]
async fn while_the_list_can_not_be_asked_bulk_waits_and_an_otp_goes() {
    let (world, list, worker) = with_a_list_that_can_be_away().await;
    list.is_out_of_reach.store(true, Ordering::SeqCst);
    let (waiting, barred) = (bulk(4), bulk(5));
    suppress(&world, &barred).await;
    let mut events = world.events().await;
    world.publish(&waiting).await;
    world.publish(&barred).await;
    until("two looks", async || (list.looks.load(Ordering::SeqCst) >= 2).then_some(())).await;
    assert_eq!(end(&world, &otp(5)).await, sent());
    assert_eq!(world.messenger.sent().len(), 1, "no bulk message went unasked");
    list.is_out_of_reach.store(false, Ordering::SeqCst);
    assert_eq!(job_events(&mut *events, &waiting, 1).await[0].0, "message.sent");
    until("end", async || world.entry(&barred).await.filter(|entry| entry.reason.is_some())).await;
    assert_eq!(world.messenger.sent().len(), 2);
    worker.stop().await;
}

#[tokio::test]
async fn an_attempt_in_doubt_is_repeated_though_its_recipient_is_suppressed_meanwhile() {
    let (world, worker) = World::serving(options("w")).await;
    let mut first = true;
    world.messenger.script(move |_| {
        let unanswered = std::mem::take(&mut first);
        let answer =
            if unanswered { kurir_core::domain::SendAnswer::Unknown } else { kurir_core::domain::SendAnswer::Accepted };
        Reply::Answer(answer)
    });
    let job = bulk(6);
    let mut events = world.events().await;
    world.publish(&job).await;
    in_time("the first attempt", world.messenger.sent_at_least(1)).await;
    suppress(&world, &job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.sent");
    let sent = world.messenger.sent();
    assert!(sent.len() == 2 && sent[0].id == sent[1].id, "{sent:?}");
    assert!(in_time("the next one", async { end(&world, &bulk(6)).await }).await == suppressed());
    worker.stop().await;
}

#[tokio::test]
async fn many_jobs_share_looks() {
    let (world, list, worker) = with_a_list_that_can_be_away().await;
    let jobs: Vec<_> = (100..140).map(bulk).collect();
    let mut events = world.events().await;
    for job in &jobs {
        world.publish(job).await;
    }
    for job in &jobs {
        until("end", async || world.entry(job).await.filter(|entry| !entry.state.is_open())).await;
    }
    next_event(&mut *events, "message.sent").await;
    assert!(list.looks.load(Ordering::SeqCst) <= jobs.len(), "one look a job at most");
    tokio::time::timeout(Duration::from_secs(20), worker.stop()).await.unwrap();
}
