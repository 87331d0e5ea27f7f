//! The suite of the job queues, and its first part: what is put in comes out, in order, in its lane.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::suite::{QUIET, SOON, checks, eventually};
use super::{fixture, jobs_park, jobs_pools, jobs_streams};
use crate::domain::{Lane, PoolId, SessionId, Target, Timestamp};
use crate::port::{DeadLetter, Delivery, Enqueued, JobHeaders, JobQueue, JobStream, PoolQueue, PublishJob, Settled};

/// Reads dead letters for the suite; kurir itself never does.
#[async_trait]
pub trait DeadLetterProbe: Send + Sync {
    /// All dead letters there are, with the bodies of their jobs. May take them away or leave them.
    async fn read(&self) -> Vec<(Vec<u8>, DeadLetter)>;
}

/// The queues to check.
#[derive(Clone)]
pub struct Queues {
    /// The queues.
    pub jobs: Arc<dyn JobQueue>,
    /// The queues of pools, in the same place.
    pub pools: Arc<dyn PoolQueue>,
    /// Where their dead letters can be read; without it the suite only checks that dead jobs leave their queue.
    pub dead: Option<Arc<dyn DeadLetterProbe>>,
}

impl Queues {
    /// A session whose queues are declared.
    pub(super) async fn session(&self) -> SessionId {
        let id = fixture::session();
        self.jobs.declare(&id).await.unwrap();
        id
    }

    /// Puts bodies into a lane that takes them all.
    pub(super) async fn put(&self, session: &SessionId, lane: Lane, bodies: &[&str]) {
        let jobs: Vec<_> = bodies.iter().map(|body| job(session, lane, body)).collect();
        let answers = self.jobs.publish(jobs).await.unwrap();
        assert_eq!(answers, vec![Enqueued::Accepted; bodies.len()]);
    }

    /// Subscribes to a lane.
    pub(super) async fn stream(&self, session: &SessionId, lane: Lane, window: u16) -> Box<dyn JobStream> {
        self.jobs.subscribe(session, lane, window).await.unwrap()
    }

    /// Waits until a lane has this depth.
    pub(super) async fn await_depth(&self, session: &SessionId, lane: Lane, depth: u64) {
        eventually(&format!("a depth of {depth}"), SOON, async || {
            (self.jobs.depth(session, lane).await.unwrap() == depth).then_some(())
        })
        .await;
    }
}

/// A job with plain headers.
pub(super) fn job(session: &SessionId, lane: Lane, body: &str) -> PublishJob {
    PublishJob {
        target: Target::Session(session.clone()),
        lane,
        body: body.as_bytes().to_vec(),
        headers: JobHeaders { kind: "kurir.job.v1".into(), ..JobHeaders::default() },
    }
}

/// The body as text.
pub(super) fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.body).expect("this check published text")
}

/// The next job, which must be there soon.
pub(super) async fn next(stream: &mut Box<dyn JobStream>) -> Delivery {
    timeout(SOON, stream.next())
        .await
        .expect("a job is handed out soon")
        .unwrap()
        .expect("the stream is open, so it has a next job")
}

/// Takes the next job, looks at its body and acknowledges it.
pub(super) async fn take(stream: &mut Box<dyn JobStream>, body: &str) {
    let delivery = next(stream).await;
    assert_eq!(text(&delivery), body);
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
}

/// Looks for a while that nothing is handed out.
pub(super) async fn nothing(stream: &mut Box<dyn JobStream>, why: &str) {
    if let Ok(answer) = timeout(QUIET, stream.next()).await {
        let what = answer.unwrap().map_or_else(|| "the end".to_owned(), |delivery| text(&delivery).to_owned());
        panic!("{why}, and yet {what:?} was handed out");
    }
}

/// Checks what the job queues promise. Delays take real time: the suite needs some 15 seconds. `make` gives queues
/// that hold nothing.
pub async fn job_queue(make: impl AsyncFn() -> Queues) {
    use self as basics;
    checks!(
        "job queue",
        make,
        [
            basics::declaring_again_changes_nothing,
            basics::an_unknown_target_is_told_in_order,
            basics::a_lane_is_first_in_first_out,
            basics::lanes_and_sessions_are_apart,
            basics::a_body_comes_back_byte_for_byte,
            basics::headers_come_back,
            basics::depth_counts_what_waits,
            basics::remove_drops_the_jobs,
            basics::five_hundred_jobs_in_one_call,
            jobs_streams::the_window_bounds_what_is_unsettled,
            jobs_streams::an_acknowledged_job_is_gone,
            jobs_streams::a_closed_stream_hands_out_nothing_more,
            jobs_streams::what_was_handed_out_can_be_settled_after_close,
            jobs_streams::unsettled_jobs_are_delivered_again,
            jobs_streams::a_dropped_stream_has_ended,
            jobs_streams::one_consumer_at_a_time,
            jobs_streams::a_dropped_call_loses_no_job,
            jobs_streams::calls_dropped_in_a_storm_lose_no_job,
            jobs_streams::a_released_job_comes_back_at_once,
            jobs_park::a_parked_job_comes_back_no_earlier,
            jobs_park::a_parked_job_lets_others_pass,
            jobs_park::a_parked_job_survives_its_stream,
            jobs_park::a_parked_job_frees_the_window,
            jobs_park::a_dead_job_leaves_the_queue,
            jobs_pools::a_pools_jobs_are_shared_by_all_who_have_room,
            jobs_pools::who_has_the_higher_priority_is_served_first,
            jobs_pools::a_pools_lanes_and_names_are_apart,
            jobs_pools::a_job_is_passed_to_another_target_and_back,
            jobs_pools::an_unknown_pool_can_not_be_read,
        ]
    );
}

async fn declaring_again_changes_nothing(queues: Queues) {
    let id = queues.session().await;
    queues.put(&id, Lane::Otp, &["1"]).await;
    queues.jobs.declare(&id).await.unwrap();
    let mut stream = queues.stream(&id, Lane::Otp, 1).await;
    queues.jobs.declare(&id).await.unwrap();
    take(&mut stream, "1").await;
}

async fn an_unknown_target_is_told_in_order(queues: Queues) {
    let (known, unknown) = (queues.session().await, fixture::session());
    let pool = Target::Pool(PoolId::new(unknown.as_str()).unwrap());
    let jobs = vec![
        job(&unknown, Lane::Otp, "lost"),
        job(&known, Lane::Otp, "1"),
        PublishJob { target: pool, ..job(&known, Lane::Otp, "lost") },
        job(&known, Lane::Bulk, "2"),
        job(&unknown, Lane::Bulk, "lost"),
    ];
    let answers = queues.jobs.publish(jobs).await.unwrap();
    let expected = [
        Enqueued::NoSuchTarget,
        Enqueued::Accepted,
        Enqueued::NoSuchTarget,
        Enqueued::Accepted,
        Enqueued::NoSuchTarget,
    ];
    assert_eq!(answers, expected);
    for (lane, body) in [(Lane::Otp, "1"), (Lane::Bulk, "2")] {
        let mut stream = queues.stream(&known, lane, 10).await;
        take(&mut stream, body).await;
    }
    queues.jobs.declare(&unknown).await.unwrap();
    let mut stream = queues.stream(&unknown, Lane::Otp, 10).await;
    nothing(&mut stream, "the job was refused").await;
    assert_eq!(queues.jobs.publish(vec![]).await.unwrap(), []);
}

async fn a_lane_is_first_in_first_out(queues: Queues) {
    let id = queues.session().await;
    let bodies: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    queues.put(&id, Lane::Otp, &bodies[..10]).await;
    let mut stream = queues.stream(&id, Lane::Otp, 4).await;
    for body in &bodies[..5] {
        take(&mut stream, body).await;
    }
    queues.put(&id, Lane::Otp, &bodies[10..20]).await;
    for body in &bodies[20..] {
        queues.put(&id, Lane::Otp, &[body]).await;
    }
    for body in &bodies[5..] {
        take(&mut stream, body).await;
    }
}

async fn lanes_and_sessions_are_apart(queues: Queues) {
    let (one, two) = (queues.session().await, queues.session().await);
    queues.put(&one, Lane::Bulk, &["one bulk"]).await;
    queues.put(&one, Lane::Otp, &["one otp"]).await;
    queues.put(&two, Lane::Otp, &["two otp"]).await;
    for (session, lane, body) in
        [(&two, Lane::Otp, "two otp"), (&one, Lane::Otp, "one otp"), (&one, Lane::Bulk, "one bulk")]
    {
        let mut stream = queues.stream(session, lane, 10).await;
        let delivery = next(&mut stream).await;
        assert_eq!(delivery.target, Target::Session(session.clone()));
        assert_eq!((delivery.lane, text(&delivery)), (lane, body));
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    let mut stream = queues.stream(&two, Lane::Bulk, 10).await;
    nothing(&mut stream, "nobody put anything there").await;
}

async fn a_body_comes_back_byte_for_byte(queues: Queues) {
    let id = queues.session().await;
    let bodies = [(0..=u8::MAX).collect::<Vec<u8>>(), vec![], vec![0x80; 100_000]];
    let jobs = bodies.iter().map(|body| PublishJob { body: body.clone(), ..job(&id, Lane::Otp, "") });
    queues.jobs.publish(jobs.collect()).await.unwrap();
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    for body in &bodies {
        let delivery = next(&mut stream).await;
        assert!(delivery.body == *body, "{} bytes came back as {} others", body.len(), delivery.body.len());
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
}

/// The headers but for what the queue itself says.
pub(super) fn own(headers: &JobHeaders) -> JobHeaders {
    JobHeaders { user: None, enqueued_at: None, ..headers.clone() }
}

/// Headers with something in every part that the publisher says.
pub(super) fn full_headers(attempt: u32) -> JobHeaders {
    JobHeaders {
        kind: "kurir.job.v1".into(),
        message_id: Some("018f2a52-7c4e-7a3b-9d10-0123456789ab".into()),
        attempt,
        hop: attempt + 40,
        not_before: Some(Timestamp::from_millis(1_700_000_000_123)),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        user: None,
        enqueued_at: None,
    }
}

async fn headers_come_back(queues: Queues) {
    let id = queues.session().await;
    let all = [full_headers(2), JobHeaders { kind: "another".into(), ..JobHeaders::default() }, JobHeaders::default()];
    let jobs = all.iter().map(|headers| PublishJob { headers: headers.clone(), ..job(&id, Lane::Otp, "x") });
    queues.jobs.publish(jobs.collect()).await.unwrap();
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    for headers in &all {
        let delivery = next(&mut stream).await;
        assert_eq!(own(&delivery.headers), *headers);
        let now = fixture::now();
        let recently = |at: Timestamp| now.since(at) < Duration::from_mins(1) && at <= now.plus(Duration::from_secs(5));
        assert!(delivery.headers.enqueued_at.is_none_or(recently), "{:?} is not when", delivery.headers.enqueued_at);
    }
}

async fn depth_counts_what_waits(queues: Queues) {
    let id = queues.session().await;
    queues.await_depth(&id, Lane::Otp, 0).await;
    queues.put(&id, Lane::Otp, &["1", "2", "3"]).await;
    queues.put(&id, Lane::Bulk, &["1"]).await;
    queues.await_depth(&id, Lane::Otp, 3).await;
    queues.await_depth(&id, Lane::Bulk, 1).await;
    let mut stream = queues.stream(&id, Lane::Otp, 10).await;
    for body in ["1", "2", "3"] {
        take(&mut stream, body).await;
    }
    queues.await_depth(&id, Lane::Otp, 0).await;
}

async fn remove_drops_the_jobs(queues: Queues) {
    let (id, other) = (queues.session().await, queues.session().await);
    queues.put(&id, Lane::Otp, &["1", "2"]).await;
    queues.put(&id, Lane::Bulk, &["3"]).await;
    queues.put(&other, Lane::Otp, &["kept"]).await;
    queues.jobs.remove(&id).await.unwrap();
    let answers = queues.jobs.publish(vec![job(&id, Lane::Otp, "4"), job(&id, Lane::Bulk, "5")]).await.unwrap();
    assert_eq!(answers, [Enqueued::NoSuchTarget; 2]);
    queues.jobs.remove(&id).await.unwrap();
    queues.jobs.declare(&id).await.unwrap();
    for lane in Lane::ALL {
        let mut stream = queues.stream(&id, lane, 10).await;
        nothing(&mut stream, "the queues were removed").await;
    }
    let mut stream = queues.stream(&other, Lane::Otp, 10).await;
    take(&mut stream, "kept").await;
}

async fn five_hundred_jobs_in_one_call(queues: Queues) {
    let id = queues.session().await;
    let bodies: Vec<String> = (0..500).map(|n| n.to_string()).collect();
    queues.put(&id, Lane::Bulk, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut stream = queues.stream(&id, Lane::Bulk, 50).await;
    for body in &bodies {
        take(&mut stream, body).await;
    }
    stream.close().await.unwrap();
    queues.await_depth(&id, Lane::Bulk, 0).await;
}
