//! Connections that break: streams tell, jobs stay, and everything works again on the next connection.

use std::collections::BTreeSet;
use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq, RabbitOptions};
use kurir_core::domain::{FailReason, Lane, SessionId, Target};
use kurir_core::port::{
    DeadLetter, Delivery, Enqueued, EventFilter, EventSource, JobHeaders, JobQueue, JobStream, PortError, PublishJob,
    Settled,
};
use tokio::time::timeout;

use crate::proxy::{BASIC_CONSUME, Proxy};
use crate::servers::{SOON, amqp_url, eventually, rabbit, rabbit_options, session};

/// The publishing connection is made first.
const PUBLISHING: usize = 0;
const CONSUMING: usize = 1;

/// A client behind a proxy, its session, and another client that is not behind it.
struct Broken {
    proxy: Proxy,
    rabbit: RabbitMq,
    whole: RabbitMq,
    session: SessionId,
}

async fn behind_a_proxy(queue_kind: QueueKind, publish_timeout: Duration) -> Broken {
    let (proxy, url) = Proxy::before(&amqp_url()).await;
    let settle_patience = Duration::ZERO;
    let options = RabbitOptions { queue_kind, publish_timeout, settle_patience, ..rabbit_options(&url) };
    let (rabbit, whole) = (RabbitMq::connect(options).await.unwrap(), self::rabbit(queue_kind).await);
    assert_eq!(proxy.count(), 2);
    let session = session();
    whole.declare(&session).await.unwrap();
    Broken { proxy, rabbit, whole, session }
}

fn job(session: &SessionId, body: &str) -> PublishJob {
    let (target, headers) = (Target::Session(session.clone()), JobHeaders::default());
    PublishJob { target, lane: Lane::Otp, body: body.into(), headers }
}

async fn put(rabbit: &RabbitMq, session: &SessionId, bodies: &[&str]) {
    let jobs = bodies.iter().map(|body| job(session, body)).collect();
    assert_eq!(JobQueue::publish(rabbit, jobs).await.unwrap(), vec![Enqueued::Accepted; bodies.len()]);
}

async fn next(stream: &mut Box<dyn JobStream>) -> Delivery {
    timeout(SOON, stream.next()).await.expect("a job is handed out soon").unwrap().expect("the stream is open")
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.body.clone()).unwrap()
}

async fn a_cut_connection_loses_no_job(kind: QueueKind) {
    let Broken { proxy, rabbit, whole, session } = behind_a_proxy(kind, SOON).await;
    put(&whole, &session, &["1", "2", "3", "4"]).await;
    let mut stream = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.unwrap();
    let first = next(&mut stream).await;
    assert_eq!(first.settle.ack().await.unwrap(), Settled::Yes);
    // Answered by the broker after the acknowledgement, so that it is certain to have arrived.
    eventually("one job is acknowledged", async || {
        (whole.depth(&session, Lane::Otp).await.unwrap() == 1).then_some(())
    })
    .await;
    let second = next(&mut stream).await;

    proxy.cut();
    let error = timeout(SOON, async {
        loop {
            match stream.next().await {
                // What had arrived before the cut may still be handed out.
                Ok(Some(_)) => {}
                Ok(None) => panic!("a stream that nobody closed has no end"),
                Err(error) => return error,
            }
        }
    })
    .await
    .expect("the stream tells of the cut");
    assert!(error.is_transient(), "{}", error.chain());
    assert!(stream.next().await.is_err(), "it stays broken");
    assert_eq!(second.settle.ack().await.unwrap(), Settled::Stale);
    stream.close().await.expect("closing a broken stream is no error");

    let mut again =
        JobQueue::subscribe(&rabbit, &session, Lane::Otp, 10).await.expect("it waits for the next connection");
    let mut seen = BTreeSet::new();
    while seen.len() < 3 {
        let delivery = next(&mut again).await;
        seen.insert(text(&delivery));
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    assert_eq!(seen, BTreeSet::from(["2", "3", "4"].map(str::to_owned)));
    put(&rabbit, &session, &["5"]).await;
    assert_eq!(text(&next(&mut again).await), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_loses_no_job_of_a_quorum_queue() {
    a_cut_connection_loses_no_job(QueueKind::Quorum).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_loses_no_job_of_a_classic_queue() {
    a_cut_connection_loses_no_job(QueueKind::Classic).await;
}

/// A queue that isn't there is answered with the end of the channel that asked, never of the connection.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_one_channel_ends_no_other_stream() {
    let Broken { proxy, rabbit, whole, session } = behind_a_proxy(QueueKind::Classic, SOON).await;
    let mut stream = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.unwrap();
    let unknown = self::session();
    for body in ["1", "2", "3", "4", "5"] {
        assert!(JobQueue::subscribe(&rabbit, &unknown, Lane::Otp, 2).await.is_err());
        assert!(JobQueue::depth(&rabbit, &unknown, Lane::Otp).await.is_err());
        put(&whole, &session, &[body]).await;
        let delivery = next(&mut stream).await;
        assert_eq!(text(&delivery), body);
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    assert_eq!(proxy.count(), 2, "no connection was built anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_stays_when_its_copy_is_not_confirmed() {
    let Broken { proxy, rabbit, whole, session } = behind_a_proxy(QueueKind::Quorum, Duration::from_millis(700)).await;
    put(&whole, &session, &["park", "bury"]).await;
    let mut stream = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.unwrap();
    let (park, bury) = (next(&mut stream).await, next(&mut stream).await);

    proxy.swallow(PUBLISHING);
    let error = park.settle.park(Duration::from_secs(1), JobHeaders::default()).await.unwrap_err();
    assert!(matches!(error, PortError::Unavailable { .. }), "{}", error.chain());
    let letter = DeadLetter { reason: FailReason::BadJson, detail: String::new() };
    assert!(bury.settle.dead(letter).await.is_err());

    // They take up no room in the window: both are handed out again.
    let again = [text(&next(&mut stream).await), text(&next(&mut stream).await)];
    assert_eq!(BTreeSet::from(again), BTreeSet::from(["park", "bury"].map(str::to_owned)));

    stream.close().await.unwrap();
    drop(stream);
    let mut successor = JobQueue::subscribe(&whole, &session, Lane::Otp, 10).await.unwrap();
    let mut left = BTreeSet::from(["park", "bury"].map(str::to_owned));
    while !left.is_empty() {
        let delivery = next(&mut successor).await;
        assert!(left.remove(&text(&delivery)));
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_publish_ends_in_time_and_the_next_connection_serves() {
    let limit = Duration::from_millis(700);
    let Broken { proxy, rabbit, session, .. } = behind_a_proxy(QueueKind::Classic, limit).await;
    put(&rabbit, &session, &["before"]).await;
    proxy.swallow(PUBLISHING);
    let answer = timeout(SOON, JobQueue::publish(&rabbit, vec![job(&session, "lost")])).await.expect("it ends in time");
    assert!(matches!(answer, Err(PortError::Unavailable { .. })));
    proxy.cut();
    eventually("it publishes again", async || {
        JobQueue::publish(&rabbit, vec![job(&session, "after")]).await.ok().filter(|told| *told == [Enqueued::Accepted])
    })
    .await;
    let mut stream =
        eventually("it consumes again", async || JobQueue::subscribe(&rabbit, &session, Lane::Otp, 10).await.ok())
            .await;
    assert_eq!(text(&next(&mut stream).await), "before");
    assert_eq!(text(&next(&mut stream).await), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_broker_is_told_with_its_reason() {
    let limit = Duration::from_millis(700);
    let Broken { proxy, rabbit, session, .. } = behind_a_proxy(QueueKind::Classic, limit).await;
    drop(proxy);
    let error = eventually("an error", async || rabbit.depth(&session, Lane::Otp).await.err()).await;
    assert!(error.is_transient(), "{}", error.chain());
    let error = eventually("the reason", async || {
        rabbit.depth(&session, Lane::Otp).await.err().filter(|error| error.chain().contains("there is no connection"))
    })
    .await;
    assert!(matches!(error, PortError::Unavailable { .. }));
    assert!(!rabbit.is_ready());
    rabbit.close().await;
}

/// Others get at once what the one who was cut off has; what it says of it afterwards comes too late, but what it passes on
/// goes there.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_gives_back_what_it_had_handed_out() {
    let rabbit = rabbit(QueueKind::Quorum).await;
    let session = session();
    rabbit.declare(&session).await.unwrap();
    put(&rabbit, &session, &["1", "2", "3"]).await;
    let mut stream = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.unwrap();
    let [acked, held] = [next(&mut stream).await, next(&mut stream).await];
    assert_eq!((text(&acked), text(&held)), ("1".to_owned(), "2".to_owned()));
    assert_eq!(acked.settle.ack().await.unwrap(), Settled::Yes);
    stream.cut().await.unwrap();
    assert!(stream.next().await.unwrap().is_none());
    stream.cut().await.unwrap();

    let mut other = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.unwrap();
    let again = [next(&mut other).await, next(&mut other).await];
    assert_eq!(again.each_ref().map(text), ["2", "3"]);
    let elsewhere = self::session();
    rabbit.declare(&elsewhere).await.unwrap();
    let to = Target::Session(elsewhere.clone());
    assert_eq!(held.settle.pass(&to, Duration::ZERO, JobHeaders::default()).await.unwrap(), Settled::Stale);
    let mut there = JobQueue::subscribe(&rabbit, &elsewhere, Lane::Otp, 2).await.unwrap();
    assert_eq!(text(&next(&mut there).await), "2");
    for delivery in again {
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
}

/// The broker has made it a consumer by the time that it answers; nobody reads there, so nothing must be handed out there.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_was_given_up_takes_no_jobs() {
    let Broken { proxy, rabbit, whole, session } = behind_a_proxy(QueueKind::Quorum, Duration::from_millis(500)).await;
    put(&whole, &session, &["1", "2"]).await;
    proxy.hold_answer_to(CONSUMING, BASIC_CONSUME);
    let given_up = JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await;
    assert!(given_up.is_err());
    proxy.release(CONSUMING);
    let mut stream = JobQueue::subscribe(&whole, &session, Lane::Otp, 2).await.unwrap();
    for expected in ["1", "2"] {
        let delivery = next(&mut stream).await;
        assert_eq!(text(&delivery), expected);
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    rabbit.close().await;
}

/// A broker that allows few channels tells of every one that is left open.
#[tokio::test(flavor = "multi_thread")]
async fn ended_streams_leave_no_channel_open() {
    let url = format!("{}?channel_max=12", amqp_url());
    let rabbit = RabbitMq::connect(rabbit_options(&url)).await.unwrap();
    let session = session();
    rabbit.declare(&session).await.unwrap();
    for turn in 0..60 {
        let mut stream =
            eventually("a channel is free", async || JobQueue::subscribe(&rabbit, &session, Lane::Otp, 2).await.ok())
                .await;
        put(&rabbit, &session, &["1"]).await;
        let delivery = next(&mut stream).await;
        match turn % 3 {
            // Closed, and settled afterwards.
            0 => {
                stream.close().await.unwrap();
                assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
            }
            // Dropped after its delivery.
            1 => assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes),
            // Dropped before its delivery.
            _ => {
                drop(stream);
                assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
            }
        }
        let events = EventSource::subscribe(&rabbit, EventFilter::default()).await;
        drop(events.expect("channels of ended subscriptions are free"));
    }
}
