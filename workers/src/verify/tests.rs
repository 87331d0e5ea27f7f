//! Verifications over stores and queues in memory, and a web that notes what it is asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{
    Channel, CodeDelivery, CodeKeys, ConversionRule, Hop, Keyring, Lane, MessageState, PhoneNumber, Secret,
    SecretNumbers, SessionId, TenantId, Timestamp, Verification, VerificationId, VerificationStatus,
};
use kurir_core::memory::{ManualClock, MemoryEvents, MemoryJobQueue, MemoryStores};
use kurir_core::port::{
    Clock as _, Entered, JobQueue as _, Ledger as _, LedgerWrite, Outbox as _, VerificationWrite, Verifications as _,
    Web, WebBody, WebError, WebRequest, WebResponse, Written,
};
use kurir_core::wire::{JOB_KIND, JobV1};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Carer;
use crate::options::VerifyOptions;
use crate::ports::RelayPorts;

const URL: &str = "https://sms.example/send?key=1";
const CODE: &str = "493817";
const PATIENCE: Duration = Duration::from_secs(30);

/// What it was asked, and the statuses that it answers; after the last one it is not there.
#[derive(Default)]
struct NotedWeb {
    asked: Mutex<Vec<WebRequest>>,
    answers: Mutex<Vec<u16>>,
}

struct Empty;

#[async_trait]
impl WebBody for Empty {
    async fn chunk(&mut self) -> Result<Option<Bytes>, WebError> {
        Ok(None)
    }
}

#[async_trait]
impl Web for NotedWeb {
    fn check(&self, _: &str) -> Result<(), WebError> {
        Ok(())
    }

    async fn ask(&self, request: WebRequest) -> Result<WebResponse, WebError> {
        self.asked.lock().unwrap().push(request);
        let status = self.answers.lock().unwrap().pop().ok_or(WebError::NotConnected)?;
        Ok(WebResponse { status, content_type: None, length: None, retry_after: None, body: Box::new(Empty) })
    }
}

struct World {
    clock: Arc<ManualClock>,
    stores: Arc<MemoryStores>,
    queue: MemoryJobQueue,
    web: Arc<NotedWeb>,
    keys: CodeKeys,
}

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap()));
        let queue = MemoryJobQueue::new(clock.clone());
        for name in ["s1", "s2"] {
            queue.declare(&session(name)).await.unwrap();
        }
        Self {
            stores: Arc::new(MemoryStores::new(clock.clone())),
            clock,
            queue,
            web: Arc::default(),
            keys: Keyring::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().code_keys(),
        }
    }

    fn carer(&self) -> Carer {
        let rule = ConversionRule { window: Duration::from_hours(24), most_lost: 1, block: Duration::from_hours(1) };
        let options = VerifyOptions {
            scan_every: Duration::from_secs(1),
            webhook_timeout: Duration::from_secs(10),
            conversion: rule,
            code_keys: self.keys.clone(),
            secrets: SecretNumbers { now: 2, before: Some(1) },
            remember: Duration::from_hours(1),
        };
        let ports = RelayPorts {
            sessions: self.stores.clone(),
            index: self.stores.clone(),
            alerts: self.stores.clone(),
            outbox: self.stores.clone(),
            events: Arc::new(MemoryEvents::new(16)),
            ledger: self.stores.clone(),
            media: self.stores.clone(),
            requests: self.stores.clone(),
            users: self.stores.clone(),
            log: self.stores.clone(),
            clock: self.clock.clone(),
            verifications: self.stores.clone(),
            jobs: Arc::new(self.queue.clone()),
            web: self.web.clone(),
        };
        Carer { options, ports }
    }

    /// Lets some time pass, and looks.
    async fn after(&self, span: Duration) {
        self.clock.advance(span);
        self.carer().pass(&CancellationToken::new(), &mut 0).await.unwrap();
    }

    /// A verification that the gateway has just entered, and not gone on with.
    async fn entered(&self, channels: Vec<Channel>) -> Verification {
        let (now, tenant) = (self.clock.now(), TenantId::new("acme").unwrap());
        let (id, code) = (VerificationId::new(Uuid::from_u128(7)), Secret::new(CODE.to_owned()));
        let record = Verification {
            id,
            version: 0,
            to: PhoneNumber::parse("6281234567890", None).unwrap(),
            status: VerificationStatus::Pending,
            mark: self.keys.mark(&tenant, id, &code),
            tenant,
            text: "Kode: {code}".into(),
            hops: channels.into_iter().map(|channel| Hop { channel, patience: PATIENCE }).collect(),
            hop: 0,
            delivery: CodeDelivery::Begun,
            hop_at: now,
            tries: 0,
            sends: 1,
            max_sends: 5,
            sent_at: now,
            checks: 0,
            max_checks: 5,
            created_at: now,
            expires_at: now.plus(Duration::from_mins(10)),
            ended_at: None,
            due_at: Some(now),
            metadata: BTreeMap::new(),
        };
        let write = VerificationWrite { record: record.clone(), tally: None, events: Vec::new() };
        assert!(matches!(self.stores.enter(write, &code).await.unwrap(), Entered::New));
        Verification { version: 1, ..record }
    }

    async fn now(&self, of: &Verification) -> Verification {
        self.stores.verification(&of.tenant, of.id).await.unwrap().unwrap()
    }

    /// Has the worker of its present message bring it to a state.
    async fn message_is(&self, of: &Verification, states: &[MessageState]) {
        for state in states {
            let entry = self.state_of(of).await;
            let moved = entry.advance(*state, self.clock.now()).unwrap();
            let write = LedgerWrite { fence: None, entry: moved, spent: None, events: Vec::new() };
            assert_eq!(self.stores.write(vec![write]).await.unwrap(), [Written::Done]);
        }
    }

    async fn state_of(&self, of: &Verification) -> kurir_core::domain::LedgerEntry {
        let ledger: &dyn kurir_core::port::Ledger = &*self.stores;
        ledger.get(&[of.job_key()]).await.unwrap().remove(0).expect("its message has an entry")
    }

    /// The texts that wait at a session.
    async fn texts(&self, name: &str) -> Vec<String> {
        let waiting = self.queue.depth(&session(name), Lane::Otp).await.unwrap();
        let mut jobs = self.queue.subscribe(&session(name), Lane::Otp, 10).await.unwrap();
        let mut texts = Vec::new();
        for _ in 0..waiting {
            let delivery = jobs.next().await.unwrap().unwrap();
            let job = JobV1::decode(JOB_KIND, &delivery.body, None).unwrap();
            texts.push(job.content.render().unwrap().into_inner());
            delivery.settle.ack().await.unwrap();
        }
        texts
    }

    async fn told(&self) -> Vec<&'static str> {
        let later = self.clock.now().plus(Duration::from_secs(1));
        let events = self.stores.pending(later, 100).await.unwrap();
        events.iter().filter_map(|event| event.kind.as_str().strip_prefix("verification.")).collect()
    }
}

fn webhook() -> Channel {
    Channel::Webhook(Secret::new(URL.to_owned()))
}

#[tokio::test]
async fn what_a_gateway_left_undone_is_done() {
    let world = World::new().await;
    let of = world.entered(vec![Channel::Session(session("s1"))]).await;
    world.after(Duration::ZERO).await;
    assert_eq!(world.texts("s1").await, ["Kode: 493817"]);
    assert_eq!(world.now(&of).await.delivery, CodeDelivery::Handed);
    assert_eq!(world.told().await, ["sent"]);
    world.message_is(&of, &[MessageState::Sending, MessageState::Delivered]).await;
    world.after(Duration::from_secs(1)).await;
    let reached = world.now(&of).await;
    assert_eq!((reached.delivery, reached.due_at), (CodeDelivery::Reached, Some(of.expires_at)));
    assert_eq!(world.told().await, ["sent"]);
}

#[tokio::test]
async fn a_message_that_fails_is_followed_by_the_next_channel_and_a_webhook_is_signed() {
    let world = World::new().await;
    world.web.answers.lock().unwrap().push(200);
    let of = world.entered(vec![Channel::Session(session("s1")), Channel::Session(session("s2")), webhook()]).await;
    world.after(Duration::ZERO).await;
    world.message_is(&of, &[MessageState::Failed]).await;
    world.after(Duration::from_secs(1)).await;
    assert_eq!(world.texts("s2").await, ["Kode: 493817"], "the same code");
    let second = world.now(&of).await;
    assert_eq!((second.hop, second.sends), (1, 1));
    assert_ne!(second.job(), of.job());
    world.message_is(&second, &[MessageState::Sending, MessageState::Uncertain]).await;
    world.after(Duration::from_secs(1)).await;
    assert_eq!(world.told().await, ["sent", "fallback", "sent", "fallback", "sent"]);
    let third = world.now(&of).await;
    assert_eq!((third.hop, third.delivery), (2, CodeDelivery::Reached));

    let asked = world.web.asked.lock().unwrap();
    let [request] = asked.as_slice() else { panic!("{} requests", asked.len()) };
    assert_eq!(request.url.expose(), URL);
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.expose().clone()).expect("the header is there")
    };
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["data"]["to"], &body["data"]["text"]), (&"+6281234567890".into(), &"Kode: 493817".into()));
    assert_eq!(header("webhook-id"), third.job().to_string());
    let seconds: i64 = header("webhook-timestamp").parse().unwrap();
    assert_eq!(seconds, world.clock.now().as_millis() / 1000);
    let mut signatures = Vec::new();
    for number in [2, 1] {
        let key = world.keys.webhook_keys(&of.tenant, SecretNumbers { now: number, before: None }).next().unwrap();
        let signer = standardwebhooks::Webhook::from_bytes(key.expose().to_vec()).unwrap();
        signatures.push(signer.sign(&header("webhook-id"), seconds, &request.body).unwrap());
    }
    assert_eq!(header("webhook-signature"), signatures.join(" "), "one by each secret");
}

#[tokio::test]
async fn patience_ends_and_what_waits_is_taken_back() {
    let world = World::new().await;
    let of = world.entered(vec![Channel::Session(session("s1")), Channel::Session(session("s2"))]).await;
    world.after(Duration::ZERO).await;
    for _ in 0..29 {
        world.after(Duration::from_secs(1)).await;
        assert_eq!(world.now(&of).await.hop, 0);
    }
    world.after(Duration::from_secs(1)).await;
    assert_eq!(world.now(&of).await.hop, 1);
    assert_eq!(world.state_of(&of).await.state, MessageState::Cancelled);
    let second = world.now(&of).await;
    // One that is on the wire stays there.
    world.message_is(&second, &[MessageState::Sending, MessageState::Sent]).await;
    world.after(PATIENCE).await;
    assert_eq!(world.state_of(&second).await.state, MessageState::Sent);
    let last = world.now(&of).await;
    assert_eq!((last.hop, last.delivery, last.status), (1, CodeDelivery::Failed, VerificationStatus::Pending));
    assert_eq!(world.told().await, ["sent", "fallback", "sent", "failed"]);
    let again = last.sent_again(world.clock.now()).unwrap();
    assert_eq!((again.hop, again.sends, again.delivery), (0, 2, CodeDelivery::Begun), "from the first channel again");
}

/// As the second code of a number does that had one a moment ago (`limits.recipient.otp_every`).
#[tokio::test]
async fn what_waits_in_the_last_channel_goes_on_waiting_and_its_own_end_is_told() {
    let world = World::new().await;
    let of = world.entered(vec![Channel::Session(session("s1"))]).await;
    world.after(Duration::ZERO).await;
    world.message_is(&of, &[MessageState::Delayed]).await;
    for _ in 0..4 {
        world.after(PATIENCE).await;
        assert_eq!(world.state_of(&of).await.state, MessageState::Delayed);
        assert_eq!(world.now(&of).await.delivery, CodeDelivery::Handed);
    }
    world.message_is(&of, &[MessageState::Expired]).await;
    world.after(PATIENCE).await;
    assert_eq!(world.now(&of).await.delivery, CodeDelivery::Failed);
    assert_eq!(world.told().await, ["sent", "failed"]);
}

#[tokio::test]
async fn a_webhook_is_asked_again_a_few_times_and_not_after_a_refusal() {
    for (answers, asked) in [(vec![200, 503, 500], 3), (vec![400], 1), (vec![], 3)] {
        let world = World::new().await;
        let reached = answers.contains(&200);
        *world.web.answers.lock().unwrap() = answers;
        let of = world.entered(vec![webhook()]).await;
        for _ in 0..30 {
            world.after(Duration::from_secs(1)).await;
        }
        let count = world.web.asked.lock().unwrap().len();
        assert_eq!(count, asked);
        let ids: std::collections::BTreeSet<_> = {
            let asked = world.web.asked.lock().unwrap();
            asked
                .iter()
                .flat_map(|request| &request.headers)
                .filter(|(name, _)| *name == "webhook-id")
                .map(|(_, id)| id.expose().clone())
                .collect()
        };
        assert_eq!(ids.len(), 1, "the same request has the same id");
        let delivery = if reached { CodeDelivery::Reached } else { CodeDelivery::Failed };
        assert_eq!(world.now(&of).await.delivery, delivery);
        assert_eq!(world.told().await, [if reached { "sent" } else { "failed" }]);
    }
}

#[tokio::test]
async fn of_relays_that_look_at_once_one_asks_a_webhook() {
    let world = World::new().await;
    *world.web.answers.lock().unwrap() = vec![200; 8];
    let of = world.entered(vec![webhook()]).await;
    let carers: Vec<_> = (0..8).map(|_| world.carer()).collect();
    let seen = world.now(&of).await;
    let steps = carers.iter().map(|carer| carer.step(seen.clone(), None));
    for done in futures_util::future::join_all(steps).await {
        done.unwrap();
    }
    assert_eq!(world.web.asked.lock().unwrap().len(), 1);
    assert_eq!(world.told().await, ["sent"]);
}

#[tokio::test]
async fn what_is_late_expires_counts_and_is_forgotten() {
    let world = World::new().await;
    let of = world.entered(vec![Channel::Session(session("s1"))]).await;
    world.after(Duration::ZERO).await;
    world.after(Duration::from_mins(10)).await;
    let expired = world.now(&of).await;
    assert_eq!((expired.status, expired.due_at), (VerificationStatus::Expired, None));
    assert_eq!(world.stores.code_of(&of.tenant, of.id).await.unwrap(), None);
    assert_eq!(world.told().await, ["sent", "expired", "prefix_blocked"]);
    world.after(Duration::from_hours(1)).await;
    assert!(world.stores.verification(&of.tenant, of.id).await.unwrap().is_some());
    world.after(Duration::from_secs(1)).await;
    assert_eq!(world.stores.verification(&of.tenant, of.id).await.unwrap(), None);
}
