//! What producers that are not kurir see, and what kurir makes of what they send.

use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq, topology};
use kurir_core::domain::{Lane, SessionId, Target, Timestamp};
use kurir_core::port::{Delivery, Enqueued, JobHeaders, JobQueue, PortError, PublishJob, Settled};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::time::timeout;

use crate::rabbit_dead::DeadLetters;
use crate::servers::{SOON, amqp_url, eventually, rabbit, rabbit_options, raw_channel, session};

pub async fn first(rabbit: &RabbitMq, session: &SessionId) -> Delivery {
    let mut stream = rabbit.subscribe(session, Lane::Otp, 1).await.unwrap();
    timeout(SOON, stream.next()).await.expect("a job is handed out soon").unwrap().expect("the stream is open")
}

async fn produce(channel: &Channel, session: &SessionId, properties: BasicProperties) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let key = Target::from(session).routing_key(Lane::Otp);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = channel.basic_publish(topology::JOBS.into(), key.into(), options, b"{}", properties).await.unwrap();
    let confirmation = confirm.await.unwrap();
    assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "the job was returned");
}

#[tokio::test]
async fn a_job_by_a_foreign_producer_is_read_leniently() {
    let (rabbit, session) = (rabbit(QueueKind::Quorum).await, session());
    rabbit.declare(&session).await.unwrap();
    let mut table = FieldTable::default();
    table.insert("kurir-attempt".into(), AMQPValue::ShortShortUInt(2));
    table.insert("kurir-hop".into(), AMQPValue::LongString("three".into()));
    table.insert("kurir-not-before".into(), AMQPValue::LongString("1700000000123".into()));
    table.insert("nested".into(), AMQPValue::FieldTable(FieldTable::default()));
    let properties = BasicProperties::default()
        .with_type("kurir.job.v1".into())
        .with_message_id("theirs".into())
        .with_timestamp(1_700_000_000)
        .with_expiration("60000".into())
        .with_headers(table);
    produce(&raw_channel().await, &session, properties).await;

    let delivery = first(&rabbit, &session).await;
    let expected = JobHeaders {
        kind: "kurir.job.v1".into(),
        message_id: Some("theirs".into()),
        attempt: 2,
        hop: 0,
        not_before: Some(Timestamp::from_millis(1_700_000_000_123)),
        traceparent: None,
        user: None,
        enqueued_at: Some(Timestamp::from_millis(1_700_000_000_000)),
    };
    assert_eq!(delivery.headers, expected);
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
}

#[tokio::test]
async fn a_job_without_any_property_is_delivered() {
    let (rabbit, session) = (rabbit(QueueKind::Classic).await, session());
    rabbit.declare(&session).await.unwrap();
    produce(&raw_channel().await, &session, BasicProperties::default()).await;
    let delivery = first(&rabbit, &session).await;
    assert_eq!(delivery.headers, JobHeaders::default());
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
}

#[tokio::test]
async fn the_user_that_the_broker_vouches_for_survives_parking() {
    let (rabbit, session) = (rabbit(QueueKind::Quorum).await, session());
    rabbit.declare(&session).await.unwrap();
    let start = amqp_url().find("://").unwrap() + 3;
    let user = amqp_url()[start..].split([':', '@']).next().unwrap().to_owned();
    produce(&raw_channel().await, &session, BasicProperties::default().with_user_id(user.as_str().into())).await;
    for parked in [false, true] {
        let delivery = first(&rabbit, &session).await;
        assert_eq!(delivery.headers.user.as_deref(), Some(user.as_str()), "parked: {parked}");
        let headers = delivery.headers.clone();
        let settled = if parked {
            delivery.settle.ack().await
        } else {
            delivery.settle.park(Duration::from_secs(1), headers).await
        };
        assert_eq!(settled.unwrap(), Settled::Yes);
    }
    // Another user's name, as a gateway that speaks for a tenant would put it.
    let headers = JobHeaders { user: Some("acme".into()), ..JobHeaders::default() };
    let job = PublishJob { target: Target::Session(session.clone()), lane: Lane::Otp, body: vec![], headers };
    assert_eq!(JobQueue::publish(&rabbit, vec![job]).await.unwrap(), [Enqueued::Accepted]);
    assert_eq!(first(&rabbit, &session).await.headers.user.as_deref(), Some("acme"));
}

/// In batches of many sizes, because the broker answers several messages with one confirm as it likes.
#[tokio::test(flavor = "multi_thread")]
async fn returned_jobs_are_told_apart_in_any_batch() {
    for kind in [QueueKind::Quorum, QueueKind::Classic] {
        let (rabbit, known, unknown) = (rabbit(kind).await, session(), session());
        rabbit.declare(&known).await.unwrap();
        for size in [2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 2500] {
            let mut jobs = Vec::new();
            let mut expected = Vec::new();
            for n in 0..size {
                let good = n % 7 != size % 7;
                let target = Target::Session(if good { known.clone() } else { unknown.clone() });
                jobs.push(PublishJob { target, lane: Lane::Bulk, body: vec![], headers: JobHeaders::default() });
                expected.push(if good { Enqueued::Accepted } else { Enqueued::NoSuchTarget });
            }
            assert!(JobQueue::publish(&rabbit, jobs).await.unwrap() == expected, "{kind:?}, {size} jobs");
        }
    }
}

#[tokio::test]
async fn a_job_whose_session_goes_while_it_waits_is_a_dead_letter() {
    let (rabbit, session) = (rabbit(QueueKind::Quorum).await, session());
    let dead = DeadLetters::watch().await;
    rabbit.declare(&session).await.unwrap();
    let body = session.as_str().as_bytes().to_vec();
    let (target, headers) = (Target::Session(session.clone()), JobHeaders::default());
    let job = PublishJob { target, lane: Lane::Otp, body: body.clone(), headers };
    JobQueue::publish(&rabbit, vec![job]).await.unwrap();
    let delivery = first(&rabbit, &session).await;
    let settled = delivery.settle.park(Duration::from_millis(1500), JobHeaders::default()).await;
    assert_eq!(settled.unwrap(), Settled::Yes);
    rabbit.remove(&session).await.unwrap();
    let letter =
        eventually("the job among the dead letters", async || dead.take().await.filter(|letter| letter.data == body))
            .await;
    assert_eq!(
        letter.routing_key.as_str(),
        Target::from(&session).routing_key(Lane::Otp),
        "it tells where it came from"
    );
}

#[tokio::test]
async fn another_kind_of_queue_is_refused_with_a_reason() {
    let (quorum, session) = (rabbit(QueueKind::Quorum).await, session());
    quorum.declare(&session).await.unwrap();
    let error = rabbit(QueueKind::Classic).await.declare(&session).await.unwrap_err();
    assert!(matches!(error, PortError::Refused { .. }), "{}", error.chain());
    assert!(error.chain().contains("x-queue-type"), "{}", error.chain());
    quorum.declare(&session).await.expect("the channel of the refused request was replaced");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let url = amqp_url();
    let (start, end) = (url.find("://").unwrap() + 3, url.find('@').expect("the URL has credentials"));
    let wrong = format!("{}somebody:hunter2{}", &url[..start], &url[end..]);
    for url in [wrong.as_str(), "http://user:hunter2@localhost"] {
        let error = RabbitMq::connect(rabbit_options(url)).await.err().expect("nobody may log in like this");
        assert!(matches!(error, PortError::Refused { .. }), "{}", error.chain());
        assert!(!format!("{error:?} {}", error.chain()).contains("hunter2"), "the password is told");
    }
}

#[tokio::test]
async fn after_close_everything_is_closed() {
    let (rabbit, session) = (rabbit(QueueKind::Classic).await, session());
    rabbit.declare(&session).await.unwrap();
    let mut stream = rabbit.subscribe(&session, Lane::Otp, 1).await.unwrap();
    assert!(rabbit.is_ready());
    rabbit.close().await;
    rabbit.close().await;
    assert!(!rabbit.is_ready());
    assert!(timeout(SOON, stream.next()).await.expect("the stream ends soon").is_err());
    assert!(matches!(rabbit.declare(&session).await, Err(PortError::Closed(_))));
}
