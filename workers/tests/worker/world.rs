//! A worker over in-process ports, with a WhatsApp that does as it is told.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{
    Account, Fence, JobId, JobKey, Lane, LedgerEntry, MediaLimits, MessageId, PhoneNumber, SessionId, SessionRecord,
    SessionState, Target, TenantId, WorkerName,
};
use kurir_core::memory::{
    MemoryCalls, MemoryEvents, MemoryJobQueue, MemoryLeases, MemoryMembership, MemoryMessenger, MemoryRecipientLimits,
    MemoryStores, MemoryVigil, MemoryWeb, MemoryWishes, SystemClock, SystemEntropy,
};
use kurir_core::policy::{AttemptRule, Backoff, OptOutRule, PaceRule, SenderRules};
use kurir_core::port::{
    Clock as _, Enqueued, EventFilter, EventSource as _, EventStream, JobHeaders, JobQueue as _, MessengerEvent,
    NewSession, PublishJob, RecipientRule, SessionStore as _,
};
use kurir_core::wire::{ContentV1, EventV1, JOB_KIND, JobV1};
use kurir_workers::{MediaOptions, Refused, Unobserved, WhenDown, Worker, WorkerOptions, WorkerPorts};
use serde_json::Value;
use uuid::Uuid;

/// How long a test waits for a state.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub stores: Arc<MemoryStores>,
    pub queue: Arc<MemoryJobQueue>,
    pub messenger: MemoryMessenger,
    pub ports: WorkerPorts,
    pub web: Arc<MemoryWeb>,
    events: Arc<MemoryEvents>,
}

pub fn session() -> SessionId {
    SessionId::new("s1").unwrap()
}

pub fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub fn options(name: &str) -> WorkerOptions {
    let backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_secs(1) };
    let rule = AttemptRule { attempts: 3, backoff };
    let pace = PaceRule { every: Duration::from_millis(1), burst: NonZeroU32::new(100).unwrap() };
    WorkerOptions {
        name: WorkerName::new(name).unwrap(),
        capacity: NonZeroU32::new(10).unwrap(),
        operator: TenantId::new("main").unwrap(),
        lease_ttl: Duration::from_secs(5),
        renew_every: Duration::from_secs(1),
        scan_every: Duration::from_millis(50),
        moves_per_scan: 10,
        take_every: Duration::from_millis(1),
        window_otp: 8,
        window_bulk: 8,
        ack_patience: Duration::from_millis(300),
        deadline_margin: Duration::from_millis(10),
        max_wait: Duration::from_millis(500),
        stop_deadline: Duration::from_secs(3),
        pace,
        senders: SenderRules::default(),
        recipients_down: WhenDown::Wait,
        recipient: RecipientRule { every: Duration::from_mins(1), per_day: 0 },
        check_pace: pace,
        registered_ttl: Duration::from_hours(1),
        unregistered_ttl: Duration::from_mins(1),
        retry_otp: rule,
        retry_bulk: rule,
        default_country: Some("62".into()),
        prove_tenant: false,
        crash: kurir_workers::Crash::default(),
        media: MediaOptions {
            limits: MediaLimits { image: 1 << 20, video: 1 << 20, audio: 1 << 20, document: 1 << 20, tenant: 8 << 20 },
            keep: Duration::from_hours(1),
            transfer_timeout: Duration::from_secs(5),
            memory_mib: 16,
        },
        opt_out: OptOutRule { stop: "STOP, BERHENTI".parse().unwrap(), resume: "START, MULAI".parse().unwrap() },
    }
}

impl World {
    /// No session, no worker.
    pub fn new() -> Self {
        let clock = Arc::new(SystemClock);
        let stores = Arc::new(MemoryStores::new(Arc::clone(&clock) as _));
        let queue = Arc::new(MemoryJobQueue::new(Arc::clone(&clock) as _));
        let events = Arc::new(MemoryEvents::new(1000));
        let web = Arc::new(MemoryWeb::default());
        let messenger = MemoryMessenger::new();
        messenger.connect_on_open(false);
        let ports = WorkerPorts {
            sessions: Arc::clone(&stores) as _,
            state: Arc::clone(&stores) as _,
            ledger: Arc::clone(&stores) as _,
            outbox: Arc::clone(&stores) as _,
            jobs: Arc::clone(&queue) as _,
            pools: Arc::clone(&queue) as _,
            events: Arc::clone(&events) as _,
            leases: Arc::new(MemoryLeases::new(Arc::clone(&clock) as _)),
            members: Arc::new(MemoryMembership::new(Arc::clone(&clock) as _)),
            vigil: Arc::new(MemoryVigil::default()),
            wishes: Arc::new(MemoryWishes::default()),
            recipients: Arc::new(MemoryRecipientLimits::new()),
            calls: Arc::new(MemoryCalls::default()),
            messenger: Arc::new(messenger.clone()),
            clock,
            entropy: Arc::new(SystemEntropy),
            refused: Refused::default(),
            media: Arc::clone(&stores) as _,
            web: Arc::clone(&web) as _,
            observer: Arc::new(Unobserved),
            suppressions: Arc::clone(&stores) as _,
        };
        Self { stores, queue, messenger, ports, web, events }
    }

    /// A worker with one linked and connected session.
    pub async fn serving(options: WorkerOptions) -> (Self, Worker) {
        let world = Self::new();
        world.create().await;
        let worker = Worker::start(options, world.ports.clone());
        world.link().await;
        (world, worker)
    }

    pub async fn create(&self) {
        let at = self.ports.clock.now();
        self.stores.create(NewSession::new(session(), tenant(), at)).await.unwrap();
        self.queue.declare(&session()).await.unwrap();
    }

    /// The phone scans, WhatsApp connects.
    pub async fn link(&self) {
        in_time("connection", self.messenger.until_open(&session(), true)).await;
        let account = Account { number: PhoneNumber::parse("6281100000001", None).unwrap(), device: 1 };
        let text = "2@code".to_owned().into();
        self.emit(MessengerEvent::Qr { text, valid_for: Duration::from_mins(1) }).await;
        self.emit(MessengerEvent::Paired(account)).await;
        self.emit(MessengerEvent::Connected).await;
        self.until_state(SessionState::Connected).await;
    }

    pub async fn emit(&self, event: MessengerEvent) {
        self.messenger.emit(&session(), event).await.expect("the session has no connection");
    }

    pub async fn record(&self) -> SessionRecord {
        self.ports.sessions.get(&session()).await.unwrap().expect("the session is gone")
    }

    pub async fn fence(&self) -> Fence {
        Fence { session: session(), epoch: self.record().await.epoch }
    }

    pub async fn until_state(&self, state: SessionState) -> SessionRecord {
        until(&format!("state {state}"), async || Some(self.record().await).filter(|r| r.status.state == state)).await
    }

    pub async fn events(&self) -> Box<dyn EventStream> {
        self.events.subscribe(EventFilter::default()).await.unwrap()
    }

    pub async fn publish(&self, job: &JobV1) {
        let headers = JobHeaders { kind: JOB_KIND.into(), ..JobHeaders::default() };
        self.publish_raw(job.lane, serde_json::to_vec(job).unwrap(), headers).await;
    }

    pub async fn publish_raw(&self, lane: Lane, body: Vec<u8>, headers: JobHeaders) {
        let job = PublishJob { target: Target::Session(session()), lane, body, headers };
        assert_eq!(self.queue.publish(vec![job]).await.unwrap(), [Enqueued::Accepted]);
    }

    pub async fn entry(&self, job: &JobV1) -> Option<LedgerEntry> {
        self.ports.ledger.get(&[key(job)]).await.unwrap().pop().flatten()
    }

    /// Waits until the ledger says this of a job.
    pub async fn until_entry(&self, job: &JobV1, what: &str, good: impl Fn(&LedgerEntry) -> bool) -> LedgerEntry {
        until(what, async || self.entry(job).await.filter(|entry| good(entry))).await
    }
}

pub fn key(job: &JobV1) -> JobKey {
    JobKey::new(tenant(), JobId::new(job.id))
}

pub fn message_id(job: &JobV1) -> MessageId {
    MessageId::derive(&key(job))
}

/// An OTP for a number that ends in `at`, alive for five minutes.
pub fn otp(at: u32) -> JobV1 {
    let expires_at = SystemClock.now().plus(Duration::from_mins(5));
    JobV1 {
        id: Uuid::new_v4(),
        tenant: "acme".into(),
        session: Some("s1".into()),
        pool: None,
        to: format!("+62812{at:08}"),
        lane: Lane::Otp,
        content: ContentV1::Otp { code: format!("{at:06}"), text: Some("Kode {code}".into()) },
        expires_at: Some(expires_at.to_rfc3339()),
        enqueued_at: None,
        metadata: BTreeMap::from([("n".into(), at.to_string())]),
    }
}

pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
}

pub async fn until<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let mut timer = tokio::time::interval(Duration::from_millis(10));
    in_time(what, async {
        loop {
            timer.tick().await;
            if let Some(found) = probe().await {
                return found;
            }
        }
    })
    .await
}

/// The types and data of a job's next `count` events.
pub async fn job_events(events: &mut dyn EventStream, job: &JobV1, count: usize) -> Vec<(String, Value)> {
    in_time("events of the job", async {
        let mut found = Vec::new();
        while found.len() < count {
            let event = events.next().await.unwrap().expect("the events ended");
            let event: EventV1<Value> = serde_json::from_slice(&event.body).unwrap();
            if event.subject == job.id.to_string() {
                found.push((event.kind, event.data));
            }
        }
        found
    })
    .await
}

/// The next event of this type.
pub async fn next_event(events: &mut dyn EventStream, kind: &str) -> EventV1<Value> {
    in_time(kind, async {
        loop {
            let event = events.next().await.unwrap().expect("the events ended");
            let event: EventV1<Value> = serde_json::from_slice(&event.body).unwrap();
            if event.kind == kind {
                return event;
            }
        }
    })
    .await
}
