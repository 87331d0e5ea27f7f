//! What spends an attempt and what does not, and what a job that comes again finds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kurir_core::domain::{Fence, Lane, LedgerEntry, MessageState, SendAnswer};
use kurir_core::memory::{Reply, SystemClock};
use kurir_core::port::{
    Clock as _, Entropy, JobHeaders, JobQueue as _, LedgerWrite, MessengerEvent, SessionStore as _, Written,
};
use kurir_core::wire::{JOB_KIND, JobV1};
use kurir_workers::Worker;

use crate::world::{World, in_time, job_events, message_id, options, otp, session, until};

async fn until_depth(world: &World, lane: Lane, depth: u64) {
    let look = async || (world.queue.depth(&session(), lane).await.unwrap() == depth).then_some(());
    until(&format!("a queue of {depth}"), look).await;
}

#[tokio::test]
async fn a_stop_while_the_job_waits_spends_nothing() {
    // It waits for the connection, then for its turn.
    for connected in [false, true] {
        let mut settings = options("w1");
        settings.max_wait = Duration::from_mins(1);
        settings.pace.every = Duration::from_mins(1);
        settings.pace.burst = std::num::NonZeroU32::MIN;
        let (world, first) = World::serving(settings).await;
        world.publish(&otp(1)).await;
        in_time("the only turn", world.messenger.sent_at_least(1)).await;
        until_depth(&world, Lane::Otp, 0).await;
        if !connected {
            world.emit(MessengerEvent::Disconnected).await;
        }
        let job = otp(2);
        world.publish(&job).await;
        until_depth(&world, Lane::Otp, 0).await;
        let report = in_time("stop", first.stop()).await;
        assert_eq!(report.abandoned, 0, "connected: {connected}");
        assert!(world.entry(&job).await.is_none(), "something was written of a job that only waited");
        // It stands in its queue as it did before.
        let mut jobs = world.queue.subscribe(&session(), Lane::Otp, 1).await.unwrap();
        let delivery = in_time("job", jobs.next()).await.unwrap().unwrap();
        assert_eq!((delivery.headers.attempt, delivery.headers.hop), (0, 0));
        assert_eq!(world.messenger.sent().len(), 1);
    }
}

#[tokio::test]
async fn a_stop_while_the_job_is_on_the_wire_spends_nothing_either() {
    // One attempt is all it has.
    let mut settings = options("w1");
    settings.retry_otp.attempts = 1;
    settings.ack_patience = Duration::from_mins(1);
    settings.stop_deadline = Duration::from_secs(2);
    let (world, first) = World::serving(settings.clone()).await;
    let (_answer, held) = tokio::sync::oneshot::channel();
    let held = Mutex::new(Some(held));
    world.messenger.script(move |_| match held.lock().unwrap().take() {
        Some(held) => Reply::Held(held),
        None => Reply::Answer(SendAnswer::Accepted),
    });
    let job = otp(3);
    world.publish(&job).await;
    in_time("send", world.messenger.sent_at_least(1)).await;
    let report = in_time("stop", first.stop()).await;
    assert_eq!(report.abandoned, 0);
    let entry = world.entry(&job).await.unwrap();
    assert_eq!((entry.state, entry.attempts), (MessageState::Sending, 0), "it may have arrived, and spent nothing");
    until_depth(&world, Lane::Otp, 1).await;
    // The next owner repeats it under the same id, and has the attempt for that.
    settings.name = kurir_core::domain::WorkerName::new("w2").unwrap();
    let second = Worker::start(settings, world.ports.clone());
    in_time("take-over", world.messenger.until_open(&session(), true)).await;
    world.emit(MessengerEvent::Connected).await;
    let entry = world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert_eq!(entry.attempts, 1);
    second.stop().await;
    let sent = world.messenger.sent();
    assert_eq!((sent.len(), &sent[0].id, &sent[1].id), (2, &message_id(&job), &message_id(&job)));
}

/// Draws always the same fraction.
struct Fixed(f64);

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        kurir_core::memory::SystemEntropy.fill(bytes);
    }

    fn fraction(&self) -> f64 {
        self.0
    }
}

#[tokio::test]
async fn deadlines_win_over_retries() {
    // (WhatsApp's answer, how the job ends): the first pause would be a minute, its life is five seconds.
    let cases = [
        (SendAnswer::Refused(500), "message.expired", Some("refused_by_whatsapp")),
        (SendAnswer::Refused(429), "message.expired", Some("rate_limited")),
        (SendAnswer::Unknown, "message.uncertain", Some("no_answer")),
    ];
    for (answer, ends_as, reason) in cases {
        let mut settings = options("w");
        settings.retry_otp.backoff.base = Duration::from_mins(1);
        settings.retry_otp.backoff.max = Duration::from_mins(1);
        let mut world = World::new();
        world.ports.entropy = Arc::new(Fixed(0.9));
        world.create().await;
        let worker = Worker::start(settings, world.ports.clone());
        world.link().await;
        world.messenger.script(move |_| Reply::Answer(answer));
        let mut events = world.events().await;
        let mut job = otp(4);
        let deadline = SystemClock.now().plus(Duration::from_secs(5));
        job.expires_at = Some(deadline.to_rfc3339());
        world.publish(&job).await;
        let told = job_events(&mut *events, &job, 1).await;
        assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), (ends_as, reason), "{answer:?}");
        worker.stop().await;
        let entry = world.entry(&job).await.unwrap();
        assert!(entry.ended_at.unwrap() < deadline, "it was told only when it was too late");
        assert_eq!(world.messenger.sent().len(), 1);
    }
}

#[tokio::test]
async fn each_lane_has_its_own_number_of_attempts() {
    let mut settings = options("w");
    settings.retry_otp.attempts = 2;
    settings.retry_bulk.attempts = 4;
    let (world, worker) = World::serving(settings).await;
    world.messenger.script(|_| Reply::Answer(SendAnswer::Refused(500)));
    let bulk = JobV1 { lane: Lane::Bulk, expires_at: None, ..otp(6) };
    for (job, attempts) in [(otp(5), 2), (bulk, 4)] {
        world.publish(&job).await;
        let entry = world.until_entry(&job, "failed job", |entry| entry.state == MessageState::Failed).await;
        assert_eq!(entry.attempts, attempts, "{}", job.lane);
        let sent = world.messenger.sent();
        assert_eq!(sent.iter().filter(|sent| sent.id == message_id(&job)).count(), attempts as usize);
    }
    worker.stop().await;
}

/// An entry that stands in this state, as somebody left it.
fn standing(job: &JobV1, state: MessageState) -> LedgerEntry {
    use MessageState::{Cancelled, Delayed, Delivered, Expired, Failed, Queued, Read, Sending, Sent, Uncertain};
    let path: &[MessageState] = match state {
        Queued => &[],
        Delayed => &[Delayed],
        Sending => &[Sending],
        Sent => &[Sending, Sent],
        Delivered => &[Sending, Sent, Delivered],
        Read => &[Sending, Sent, Delivered, Read],
        Failed => &[Sending, Failed],
        Expired => &[Expired],
        Uncertain => &[Sending, Uncertain],
        Cancelled => &[Cancelled],
    };
    let decoded = JobV1::decode(JOB_KIND, &serde_json::to_vec(job).unwrap(), None).unwrap();
    let mut entry = LedgerEntry::new(&decoded, SystemClock.now());
    for state in path {
        entry = entry.advance(*state, SystemClock.now()).unwrap();
    }
    entry
}

#[tokio::test]
async fn a_job_that_comes_again_is_answered_by_what_is_recorded() {
    for state in MessageState::ALL {
        let world = World::new();
        world.create().await;
        let record = world.stores.claim(&session(), &options("before").name).await.unwrap().unwrap();
        let job = otp(7);
        let entry = standing(&job, state);
        let fence = Some(Fence { session: session(), epoch: record.epoch });
        let write = LedgerWrite { fence, entry: entry.clone(), spent: None, events: Vec::new() };
        assert_eq!(world.ports.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
        // Twice, and once as an old copy that was parked.
        let parked = JobHeaders { kind: JOB_KIND.into(), attempt: 1, hop: 3, ..JobHeaders::default() };
        world.publish(&job).await;
        world.publish(&job).await;
        world.publish_raw(job.lane, serde_json::to_vec(&job).unwrap(), parked).await;
        let worker = Worker::start(options("w"), world.ports.clone());
        world.link().await;
        let goes = state.is_open();
        if goes {
            world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
        }
        // Behind the others: all copies have been looked at when it has gone. One that found another in work was parked
        // for a moment.
        let last = otp(8);
        world.publish(&last).await;
        world.until_entry(&last, "last job", |entry| entry.state == MessageState::Sent).await;
        worker.stop().await;
        let sent = world.messenger.sent();
        let count = sent.iter().filter(|sent| sent.id == message_id(&job)).count();
        assert_eq!(count, usize::from(goes), "{state}: sent {count} times");
        let after = world.entry(&job).await.unwrap();
        if goes {
            assert_eq!((after.state, after.message_id), (MessageState::Sent, entry.message_id), "{state}");
            assert_eq!(after.attempts, entry.attempts + 1, "{state}");
        } else {
            assert_eq!(after, entry.as_written(), "{state}: it was changed");
        }
    }
}
