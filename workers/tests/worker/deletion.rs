//! What becomes of the jobs of a session that is deleted.

use kurir_core::domain::{FailReason, Fence, Lane, LedgerEntry, MessageState, Wanted};
use kurir_core::memory::SystemClock;
use kurir_core::port::{Clock as _, Enqueued, JobHeaders, JobQueue as _, LedgerWrite, PublishJob, Written};
use kurir_core::wire::{JOB_KIND, JobV1};
use kurir_workers::Worker;

use crate::media::stored;
use crate::pools::{id, job, pool, publish};
use crate::world::{World, job_events, options, otp, tenant, until};

/// The session that is deleted.
const GONE: &str = "gone";

fn of_session(at: u32) -> JobV1 {
    JobV1 { session: Some(GONE.into()), pool: None, ..job(at) }
}

/// Into the queue of the session, whatever the job is for.
async fn publish_there(world: &World, job: &JobV1) {
    let headers = JobHeaders { kind: JOB_KIND.into(), ..JobHeaders::default() };
    let body = serde_json::to_vec(job).unwrap();
    let publish = PublishJob { target: (&id(GONE)).into(), lane: job.lane, body, headers };
    assert_eq!(world.queue.publish(vec![publish]).await.unwrap(), [Enqueued::Accepted]);
}

/// As the session's owner left it.
async fn left(world: &World, fence: &Fence, job: &JobV1, state: MessageState) {
    let wire = job.clone().into_job(Some("62")).unwrap();
    let now = SystemClock.now();
    let mut entry = LedgerEntry::new(&wire, now);
    if state != MessageState::Queued {
        entry = entry.advance(state, now).unwrap();
    }
    entry.session = Some(fence.session.clone());
    let write = LedgerWrite { fence: Some(fence.clone()), entry, spent: None, events: Vec::new() };
    assert_eq!(world.ports.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_of_a_deleted_session_ends_and_a_pools_job_goes_back() {
    let world = World::of_pool(&[GONE]).await;
    let record = world.ports.sessions.claim(&id(GONE), &options("w0").name).await.unwrap().unwrap();
    let fence = Fence { session: id(GONE), epoch: record.epoch };
    let mut events = world.events().await;

    let waiting = of_session(1);
    publish_there(&world, &waiting).await;
    let code = JobV1 { session: Some(GONE.into()), pool: None, ..otp(2) };
    publish_there(&world, &code).await;
    let in_doubt = job(3);
    left(&world, &fence, &in_doubt, MessageState::Sending).await;
    publish_there(&world, &in_doubt).await;
    let refused = job(4);
    left(&world, &fence, &refused, MessageState::Delayed).await;
    publish_there(&world, &refused).await;
    let free = job(5);
    publish_there(&world, &free).await;
    // In no queue: parked, or not published yet.
    let parked = of_session(6);
    left(&world, &fence, &parked, MessageState::Delayed).await;
    let accepted = of_session(7);
    left(&world, &fence, &accepted, MessageState::Queued).await;

    world.ports.sessions.want(&id(GONE), Wanted::Deleted).await.unwrap();
    let worker = Worker::start(options("w1"), world.ports.clone());
    until("deletion", async || world.ports.sessions.get(&id(GONE)).await.unwrap().is_none().then_some(())).await;

    for job in [&waiting, &code, &parked, &accepted] {
        let entry = world.entry(job).await.unwrap();
        assert_eq!((entry.state, entry.reason), (MessageState::Failed, Some(FailReason::SessionDeleted)), "{job:?}");
    }
    let told = job_events(&mut *events, &waiting, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.failed", Some("session_deleted")));
    assert_eq!(world.entry(&in_doubt).await.unwrap().state, MessageState::Uncertain);
    let again = world.entry(&refused).await.unwrap();
    assert_eq!((again.state, again.session), (MessageState::Delayed, None));
    assert!(world.entry(&free).await.is_none(), "nobody has touched it");
    world.until_waiting(2).await;

    // Another sender of the pool goes on with them.
    let new = kurir_core::port::NewSession::new(id("a"), crate::world::tenant(), SystemClock.now());
    world.ports.sessions.create(kurir_core::port::NewSession { pool: Some(pool()), ..new }).await.unwrap();
    world.connect("a").await;
    for job in [&refused, &free] {
        world.until_entry(job, "sent job", |entry| entry.state == MessageState::Sent).await;
    }
    assert_eq!(world.messenger.sent().len(), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_for_a_session_goes_with_it() {
    let world = World::of_pool(&[GONE]).await;
    // More than are removed at once.
    let mut files = Vec::new();
    for _ in 0..20 {
        files.push(stored(&world, Some(&id(GONE))).await);
    }
    let uploaded = stored(&world, None).await;
    world.ports.wishes.pin(&id(GONE), Some(&options("w1").name)).await.unwrap();
    world.ports.sessions.want(&id(GONE), Wanted::Deleted).await.unwrap();
    let worker = Worker::start(options("w1"), world.ports.clone());
    until("deletion", async || world.ports.sessions.get(&id(GONE)).await.unwrap().is_none().then_some(())).await;
    let there = async |file| world.ports.media.media(&tenant(), file).await.unwrap().is_some();
    for file in files {
        assert!(!there(file).await);
    }
    assert!(there(uploaded).await, "an upload is the tenant's");
    assert!(world.ports.wishes.pins().await.unwrap().is_empty());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_doubt_does_not_wait_for_another_session_of_the_same_name() {
    let world = World::of_pool(&["a", GONE]).await;
    let record = world.ports.sessions.claim(&id(GONE), &options("w0").name).await.unwrap().unwrap();
    let fence = Fence { session: id(GONE), epoch: record.epoch };
    let in_doubt = job(1);
    left(&world, &fence, &in_doubt, MessageState::Sending).await;
    world.ports.sessions.want(&id(GONE), Wanted::Deleted).await.unwrap();
    assert_eq!(world.ports.sessions.delete(&fence).await.unwrap(), Written::Done);
    let later = SystemClock.now().plus(std::time::Duration::from_secs(1));
    let new = kurir_core::port::NewSession::new(id(GONE), crate::world::tenant(), later);
    world.ports.sessions.create(new).await.unwrap();
    publish(&world, &in_doubt).await;
    let worker = Worker::start(options("w1"), world.ports.clone());
    world.connect("a").await;
    let entry = world.until_entry(&in_doubt, "end", |entry| !entry.state.is_open()).await;
    assert_eq!(entry.state, MessageState::Uncertain);
    assert_eq!(world.messenger.sent(), []);
    assert_eq!(world.queue.depth(&id(GONE), Lane::Bulk).await.unwrap(), 0);
    worker.stop().await;
}
