//! Pools: their jobs go to whoever can send them, and stay with whom they may have arrived through.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kurir_core::domain::{
    Account, FailReason, Lane, LedgerEntry, MessageState, PhoneNumber, PoolId, SendAnswer, SessionId, SessionState,
    Target,
};
use kurir_core::memory::{Reply, SentMessage, SystemClock};
use kurir_core::policy::DayRule;
use kurir_core::port::{
    Clock as _, Enqueued, JobHeaders, JobQueue as _, LedgerWrite, MessengerEvent, NewSession, PoolQueue as _,
    PublishJob, Written,
};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1};
use kurir_workers::Worker;

use crate::limits::zone;
use crate::world::{World, in_time, options, otp, tenant, until};

pub fn pool() -> PoolId {
    PoolId::new("senders").unwrap()
}

pub fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// A bulk job of the pool's.
pub fn job(at: u32) -> JobV1 {
    JobV1 {
        session: None,
        pool: Some(pool().to_string()),
        lane: Lane::Bulk,
        content: ContentV1::text(format!("bulk {at}")),
        expires_at: None,
        ..otp(at)
    }
}

pub async fn publish(world: &World, job: &JobV1) {
    let headers = JobHeaders { kind: JOB_KIND.into(), ..JobHeaders::default() };
    let target = job.session.as_deref().map_or_else(|| Target::from(&pool()), |session| Target::from(&id(session)));
    let publish = PublishJob { target, lane: job.lane, body: serde_json::to_vec(job).unwrap(), headers };
    assert_eq!(world.queue.publish(vec![publish]).await.unwrap(), [Enqueued::Accepted]);
}

impl World {
    /// Sessions of the pool; nobody serves them yet.
    pub async fn of_pool(names: &[&str]) -> Self {
        let world = Self::new();
        assert!(world.ports.sessions.own_pool(&pool(), &tenant()).await.unwrap());
        world.queue.declare_pool(&pool()).await.unwrap();
        for name in names {
            let new = NewSession::new(id(name), tenant(), world.ports.clock.now());
            world.ports.sessions.create(NewSession { pool: Some(pool()), ..new }).await.unwrap();
            world.queue.declare(&id(name)).await.unwrap();
        }
        world
    }

    pub async fn connect(&self, name: &str) {
        let session = id(name);
        in_time("connection", self.messenger.until_open(&session, true)).await;
        let linked = self.ports.sessions.get(&session).await.unwrap().is_some_and(|r| r.status.account.is_some());
        if !linked {
            let digits: u32 = name.bytes().map(u32::from).sum();
            let account =
                Account { number: PhoneNumber::parse(&format!("62811{digits:08}"), None).unwrap(), device: 1 };
            let text = "2@code".to_owned().into();
            self.tell(name, MessengerEvent::Qr { text, valid_for: Duration::from_mins(1) }).await;
            self.tell(name, MessengerEvent::Paired(account)).await;
        }
        self.tell(name, MessengerEvent::Connected).await;
        self.until_session(name, SessionState::Connected).await;
    }

    async fn disconnect(&self, name: &str) {
        self.tell(name, MessengerEvent::Disconnected).await;
        self.until_session(name, SessionState::Disconnected).await;
    }

    async fn tell(&self, name: &str, event: MessengerEvent) {
        self.messenger.emit(&id(name), event).await.expect("the session has no connection");
    }

    async fn until_session(&self, name: &str, state: SessionState) {
        let look = async || self.ports.sessions.get(&id(name)).await.unwrap().filter(|r| r.status.state == state);
        until(&format!("{name} {state}"), look).await;
    }

    /// How many messages each session has put on the wire.
    fn sent_by(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for sent in self.messenger.sent() {
            *counts.entry(sent.fence.session.to_string()).or_default() += 1;
        }
        counts
    }

    async fn until_sent(&self, jobs: &[JobV1]) {
        for job in jobs {
            self.until_entry(job, "sent job", |entry| entry.state == MessageState::Sent).await;
        }
    }

    /// Waits until so many senders ask for the pool's next job. They begin and end to do so a moment after their state is told.
    pub async fn until_taken_by(&self, senders: usize) {
        until("the senders that ask", async || {
            (self.queue.takers((&pool()).into(), Lane::Bulk) == senders).then_some(())
        })
        .await;
    }

    /// Waits until the pool's queue holds exactly so many jobs that nobody has taken.
    pub async fn until_waiting(&self, jobs: u64) {
        until("the jobs that wait", async || {
            (self.queue.pool_depth(&pool(), Lane::Bulk).await.unwrap() == jobs).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_jobs_are_spread_over_its_senders_and_each_goes_once() {
    let world = World::of_pool(&["a", "b"]).await;
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    world.connect("b").await;
    world.until_taken_by(2).await;
    let jobs: Vec<JobV1> = (0..60).map(job).collect();
    for job in &jobs {
        publish(&world, job).await;
    }
    world.until_sent(&jobs).await;
    let counts = world.sent_by();
    assert_eq!(counts.values().sum::<usize>(), 60);
    assert!(counts.values().all(|count| *count >= 10) && counts.len() == 2, "{counts:?}");
    for job in &jobs {
        let entry = world.entry(job).await.unwrap();
        assert!(entry.session.is_some() && entry.attempts == 1, "{entry:?}");
    }
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_an_answer_stays_with_the_sender_it_may_have_gone_through() {
    let world = World::of_pool(&["a", "b"]).await;
    let first: Arc<Mutex<HashMap<String, SessionId>>> = Arc::default();
    let seen = Arc::clone(&first);
    world.messenger.script(move |sent: &SentMessage| {
        let known = seen.lock().unwrap().insert(sent.id.to_string(), sent.fence.session.clone());
        Reply::Answer(if known.is_none() { SendAnswer::Unknown } else { SendAnswer::Accepted })
    });
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    world.connect("b").await;
    let jobs: Vec<JobV1> = (0..12).map(job).collect();
    for job in &jobs {
        publish(&world, job).await;
    }
    world.until_sent(&jobs).await;
    let sent = world.messenger.sent();
    assert_eq!(sent.len(), 24, "each once without and once with an answer");
    let mut by: HashMap<&str, Vec<&SessionId>> = HashMap::new();
    for text in &sent {
        by.entry(text.id.as_str()).or_default().push(&text.fence.session);
    }
    assert!(by.values().all(|sessions| sessions.len() == 2 && sessions[0] == sessions[1]), "{by:?}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_whatsapp_refuses_to_one_sender_goes_through_another() {
    let world = World::of_pool(&["a", "b"]).await;
    world.messenger.restricted(Some(SystemClock.now().plus(Duration::from_mins(10))));
    world.messenger.script(|sent: &SentMessage| {
        Reply::Answer(if sent.fence.session.as_str() == "a" { SendAnswer::Refused(463) } else { SendAnswer::Accepted })
    });
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    let refused = JobV1 { lane: Lane::Otp, expires_at: otp(1).expires_at, ..job(1) };
    publish(&world, &refused).await;
    let entry = world.until_entry(&refused, "refusal", |entry| entry.state == MessageState::Delayed).await;
    assert_eq!((entry.reason, entry.code), (Some(FailReason::SenderRestricted), Some(463)));
    assert_eq!(
        (entry.session, entry.attempts),
        (None, 1),
        "nobody's again, though it would be too late for this sender"
    );
    let waits = job(2);
    publish(&world, &waits).await;
    world.until_waiting(1).await;
    world.connect("b").await;
    world.until_sent(&[refused.clone(), waits.clone()]).await;
    let (one, two) = (world.entry(&refused).await.unwrap(), world.entry(&waits).await.unwrap());
    assert_eq!((one.session, one.attempts), (Some(id("b")), 2));
    assert_eq!((two.session, two.attempts), (Some(id("b")), 1), "the sender that rests takes no more");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_drops_leaves_its_jobs_to_the_others() {
    let world = World::of_pool(&["a", "b"]).await;
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    world.connect("b").await;
    world.disconnect("a").await;
    world.until_taken_by(1).await;
    let jobs: Vec<JobV1> = (0..10).map(job).collect();
    for job in &jobs {
        publish(&world, job).await;
    }
    world.until_sent(&jobs).await;
    assert_eq!(world.sent_by(), HashMap::from([("b".to_owned(), 10)]));
    world.tell("b", MessengerEvent::LoggedOut).await;
    world.until_session("b", SessionState::LoggedOut).await;
    world.until_taken_by(0).await;
    let more: Vec<JobV1> = (20..25).map(job).collect();
    for job in &more {
        publish(&world, job).await;
    }
    world.until_waiting(5).await;
    world.tell("a", MessengerEvent::Connected).await;
    world.until_sent(&more).await;
    assert_eq!(world.sent_by(), HashMap::from([("a".to_owned(), 5), ("b".to_owned(), 10)]));
    worker.stop().await;
}

/// WhatsApp's answer to its question about their numbers will not come any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_drops_gives_away_what_it_has_in_hand() {
    let world = World::of_pool(&["a", "b"]).await;
    world.messenger.leave_checks_unanswered(Some(id("a")));
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    world.connect("b").await;
    world.disconnect("b").await;
    world.until_taken_by(1).await;
    let jobs: Vec<JobV1> = (0..3).map(job).collect();
    for job in &jobs {
        publish(&world, job).await;
    }
    until("a question", async || (!world.messenger.checked().is_empty()).then_some(())).await;
    world.tell("b", MessengerEvent::Connected).await;
    world.disconnect("a").await;
    world.until_sent(&jobs).await;
    assert_eq!(world.sent_by(), HashMap::from([("b".to_owned(), 3)]));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_more_left_of_the_day_sends_first_and_the_others_go_on_after_it() {
    let world = World::of_pool(&["new", "warm"]).await;
    let mut settings = options("w1");
    settings.senders.day = DayRule { warm_up: "30d:2".parse().unwrap(), ..DayRule::default() };
    settings.senders.warm.insert(id("warm"));
    for session in ["new", "warm"] {
        settings.senders.zones.insert(id(session), zone());
    }
    let worker = Worker::start(settings, world.ports.clone());
    world.connect("new").await;
    world.connect("warm").await;
    let jobs: Vec<JobV1> = (0..6).map(job).collect();
    for one in &jobs {
        // Who has the most goes first among those who wait.
        world.until_taken_by(2).await;
        publish(&world, one).await;
        world.until_sent(std::slice::from_ref(one)).await;
    }
    assert_eq!(world.sent_by(), HashMap::from([("warm".to_owned(), 6)]), "it has no limit");
    world.disconnect("warm").await;
    world.until_taken_by(1).await;
    let more: Vec<JobV1> = (10..14).map(job).collect();
    for job in &more {
        publish(&world, job).await;
    }
    in_time("the new one's share", world.messenger.sent_at_least(8)).await;
    world.until_waiting(2).await;
    assert_eq!(world.sent_by()["new"], 2, "its day is spent");
    world.tell("warm", MessengerEvent::Connected).await;
    world.until_sent(&more).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_takes_its_share_once_it_has_joined() {
    let world = World::of_pool(&["a"]).await;
    assert!(world.ports.sessions.join(&id("a"), None).await.unwrap());
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    let jobs: Vec<JobV1> = (0..4).map(job).collect();
    for job in &jobs {
        publish(&world, job).await;
    }
    let own = JobV1 { session: Some("a".into()), pool: None, ..job(9) };
    publish(&world, &own).await;
    world.until_sent(&[own]).await;
    world.until_waiting(4).await;
    assert!(world.ports.sessions.join(&id("a"), Some(&pool())).await.unwrap());
    world.until_sent(&jobs).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_doubt_whose_sender_is_gone_ends_as_uncertain() {
    let world = World::of_pool(&["a", "gone"]).await;
    let record = world.ports.sessions.claim(&id("gone"), &options("w0").name).await.unwrap().unwrap();
    let fence = kurir_core::domain::Fence { session: id("gone"), epoch: record.epoch };
    let left = job(1);
    let wire = left.clone().into_job(Some("62")).unwrap();
    let mut sending =
        LedgerEntry::new(&wire, SystemClock.now()).advance(MessageState::Sending, SystemClock.now()).unwrap();
    sending.session = Some(id("gone"));
    let write = LedgerWrite { fence: Some(fence.clone()), entry: sending, spent: None, events: Vec::new() };
    assert_eq!(world.ports.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
    world.ports.sessions.want(&id("gone"), kurir_core::domain::Wanted::Deleted).await.unwrap();
    assert_eq!(world.ports.sessions.delete(&fence).await.unwrap(), Written::Done);
    publish(&world, &left).await;
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    let entry = world.until_entry(&left, "end", |entry| !entry.state.is_open()).await;
    assert_eq!(entry.state, MessageState::Uncertain);
    assert_eq!(world.messenger.sent(), [], "it may have arrived, so nobody sends it again");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_job_in_a_sessions_queue_goes_where_it_belongs() {
    let world = World::of_pool(&["a", "b"]).await;
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    let stray = job(1);
    let headers = JobHeaders { kind: JOB_KIND.into(), ..JobHeaders::default() };
    let body = serde_json::to_vec(&stray).unwrap();
    let publish = PublishJob { target: (&id("a")).into(), lane: Lane::Bulk, body, headers };
    assert_eq!(world.queue.publish(vec![publish]).await.unwrap(), [Enqueued::Accepted]);
    world.until_sent(std::slice::from_ref(&stray)).await;
    assert_eq!(world.messenger.sent().len(), 1);
    worker.stop().await;
}

/// The moment of its intent tells which session of a name a job is bound to; an earlier one's, which was refused, does not
/// count.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_bound_to_a_session_that_came_after_its_first_attempt() {
    let world = World::of_pool(&["a"]).await;
    let (answer, held) = tokio::sync::oneshot::channel();
    let mut held = Some(held);
    world.messenger.restricted(Some(SystemClock.now().plus(Duration::from_mins(10))));
    world.messenger.script(move |sent: &SentMessage| match sent.fence.session.as_str() {
        "a" => Reply::Answer(SendAnswer::Refused(463)),
        _ => Reply::Held(held.take().expect("sent twice")),
    });
    let patient = kurir_workers::WorkerOptions { ack_patience: Duration::from_mins(1), ..options("w1") };
    let worker = Worker::start(patient, world.ports.clone());
    world.connect("a").await;
    let refused = job(1);
    publish(&world, &refused).await;
    world.until_entry(&refused, "refusal", |entry| entry.state == MessageState::Delayed).await;
    let new = NewSession::new(id("b"), tenant(), world.ports.clock.now());
    world.ports.sessions.create(NewSession { pool: Some(pool()), ..new }).await.unwrap();
    world.queue.declare(&id("b")).await.unwrap();
    world.connect("b").await;
    in_time("the second attempt", world.messenger.sent_at_least(2)).await;
    let entry = world.until_entry(&refused, "intent", |entry| entry.state == MessageState::Sending).await;
    let record = world.ports.sessions.get(&id("b")).await.unwrap().unwrap();
    assert_eq!(entry.session, Some(id("b")));
    assert!(entry.sending_at >= Some(record.created_at), "{entry:?}");
    answer.send(SendAnswer::Accepted).unwrap();
    world.until_sent(&[refused]).await;
    worker.stop().await;
}
