//! The dead letters in RabbitMQ: the suite, and what only a broker can do to a letter. All in one test: whoever looks
//! through the queue takes the letters out of it for that time.

use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::rabbitmq::{QueueKind, RabbitMq, topology};
use kurir_core::contract::{DeadPorts, dead_letters};
use kurir_core::domain::{FailReason, Lane, SessionId, Target};
use kurir_core::port::{
    DeadFilter, DeadJob, DeadLetter, DeadLetters as _, JobHeaders, JobQueue as _, PublishJob, Retried, Settled,
};
use lapin::options::{BasicGetOptions, BasicNackOptions};

use crate::rabbit_contract::first;
use crate::servers::{eventually, rabbit, rabbit_at, raw_channel, session, url_with_rights_of_the_manual};

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_letters_keep_their_promises() {
    let url = url_with_rights_of_the_manual().await;
    dead_letters(async || {
        let rabbit = Arc::new(rabbit_at(&url, QueueKind::Quorum).await);
        DeadPorts { dead: rabbit.clone(), jobs: rabbit }
    })
    .await;
    let rabbit = rabbit(QueueKind::Quorum).await;
    what_the_broker_gave_up_is_told_with_its_reason(&rabbit).await;
    a_job_whose_queue_was_gone_when_it_came_back_can_not_be_tried_again(&rabbit).await;
    a_letter_that_was_looked_at_often_is_published_anew(&rabbit).await;
    the_tool_tells_and_does(&rabbit).await;
    a_tool_that_is_killed_leaves_every_letter(&rabbit).await;
}

fn of(session: &SessionId) -> DeadFilter {
    DeadFilter { session: Some(session.clone()), ..DeadFilter::default() }
}

async fn letters(rabbit: &RabbitMq, session: &SessionId, count: usize) -> Vec<DeadJob> {
    eventually(&format!("{count} letters"), async || {
        Some(rabbit.list(&of(session), None, 1000).await.unwrap()).filter(|letters| letters.len() == count)
    })
    .await
}

fn job(session: &SessionId, body: &str) -> PublishJob {
    let headers = JobHeaders { kind: "kurir.job.v1".into(), ..JobHeaders::default() };
    PublishJob { target: Target::Session(session.clone()), lane: Lane::Otp, body: body.into(), headers }
}

async fn published(rabbit: &RabbitMq, body: &str) -> SessionId {
    let session = session();
    rabbit.declare(&session).await.unwrap();
    rabbit.publish(vec![job(&session, body)]).await.unwrap();
    session
}

async fn what_the_broker_gave_up_is_told_with_its_reason(rabbit: &RabbitMq) {
    let session = published(rabbit, "rejected").await;
    let channel = raw_channel().await;
    // Single active consumers and `basic.get` don't go together on quorum queues, so it is consumed.
    let options = lapin::options::BasicConsumeOptions::default();
    let queue = topology::lane_queue(&Target::from(&session), Lane::Otp);
    let mut consumer = channel.basic_consume(queue.clone().into(), "".into(), options, <_>::default()).await.unwrap();
    let delivery = futures_util::StreamExt::next(&mut consumer).await.unwrap().unwrap();
    delivery.nack(BasicNackOptions { requeue: false, multiple: false }).await.unwrap();
    channel.close(200, "".into()).await.unwrap();
    let letter = letters(rabbit, &session, 1).await.remove(0);
    assert_eq!((letter.reason.as_str(), letter.key.as_str()), ("rejected", format!("s.{session}.otp").as_str()));
    assert!(letter.at.is_some(), "the broker says when");
    let which = DeadFilter { reason: Some("rejected".into()), ..of(&session) };
    assert_eq!(rabbit.retry(&which).await.unwrap(), [(letter.id, Retried::Enqueued)]);
    let delivery = first(rabbit, &session).await;
    assert_eq!(delivery.body, b"rejected");
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    letters(rabbit, &session, 0).await;
}

async fn a_job_whose_queue_was_gone_when_it_came_back_can_not_be_tried_again(rabbit: &RabbitMq) {
    let session = published(rabbit, "orphan").await;
    let delivery = first(rabbit, &session).await;
    let parked = delivery.settle.park(Duration::from_secs(1), JobHeaders::default()).await;
    assert_eq!(parked.unwrap(), Settled::Yes);
    rabbit.remove(&session).await.unwrap();
    let letter = letters(rabbit, &session, 1).await.remove(0);
    assert_eq!(letter.reason, "unroutable");
    assert_eq!(rabbit.retry(&of(&session)).await.unwrap(), [(letter.id.clone(), Retried::NoSuchTarget)]);
    let still = letters(rabbit, &session, 1).await.remove(0);
    assert_eq!((&still.id, &still.reason), (&letter.id, &letter.reason));
    assert_eq!(rabbit.discard(&of(&session)).await.unwrap(), [letter.id]);
}

async fn a_letter_that_was_looked_at_often_is_published_anew(rabbit: &RabbitMq) {
    let session = published(rabbit, "often").await;
    let letter = DeadLetter { reason: FailReason::BadField, detail: "to: missing".into() };
    assert_eq!(first(rabbit, &session).await.settle.dead(letter).await.unwrap(), Settled::Yes);
    let before = letters(rabbit, &session, 1).await.remove(0);
    for _ in 0..15 {
        letters(rabbit, &session, 1).await;
    }
    let channel = raw_channel().await;
    let mut worn = None;
    while let Some(got) = channel.basic_get(topology::DEAD_QUEUE.into(), BasicGetOptions::default()).await.unwrap() {
        let table = got.delivery.properties.headers().clone().unwrap_or_default();
        let returned = table.inner().get("x-delivery-count").and_then(lapin::types::AMQPValue::as_long_long_int);
        if got.delivery.data == b"often" {
            worn = Some(returned.unwrap_or(0));
        }
    }
    channel.close(200, "".into()).await.unwrap();
    let worn = worn.expect("the letter is there");
    assert!(worn <= 11, "it came back {worn} times, and at 20 a broker throws it away");
    let after = letters(rabbit, &session, 1).await.remove(0);
    assert_eq!((after.id, after.reason, after.detail), (before.id, before.reason, before.detail));
    assert_eq!((after.key, after.body, after.headers), (before.key, before.body, before.headers));
}

fn tool(arguments: &[&str]) -> tokio::process::Command {
    let mut tool = tokio::process::Command::new(env!("CARGO_BIN_EXE_kurir"));
    tool.args(["dead", "--set", "store.kind=postgres"]).args(arguments);
    tool.env_clear().env("KURIR_RABBITMQ__URL", crate::servers::amqp_url()).kill_on_drop(true);
    tool
}

async fn told(arguments: &[&str], good: bool) -> String {
    let output = tool(arguments).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), good, "{arguments:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

async fn the_tool_tells_and_does(rabbit: &RabbitMq) {
    let body = r#"{"tenant": "acme", "to": "+6281234567890", "content": {"type": "otp", "code": "493817"}}"#;
    let session = published(rabbit, body).await;
    let letter = DeadLetter { reason: FailReason::BadField, detail: "id: missing".into() };
    assert_eq!(first(rabbit, &session).await.settle.dead(letter).await.unwrap(), Settled::Yes);
    let id = letters(rabbit, &session, 1).await.remove(0).id.0;
    let list = told(&["list", "--json", "--session", session.as_str()], true).await;
    let line: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&line["id"], &line["reason"], &line["to"]),
        (&id.as_str().into(), &"bad_field".into(), &"6281…90".into())
    );
    assert!(!list.contains("493817") && !list.contains("81234"), "{list}");
    let show = told(&["show", &id], true).await;
    assert!(show.contains("id: missing") && !show.contains("493817"), "{show}");
    assert!(told(&["show", &id, "--body"], true).await.contains("493817"));
    told(&["show", "nonsense"], false).await;
    assert_eq!(told(&["retry", &id], true).await, "1 back in their queues, 0 stay dead\n");
    let delivery = first(rabbit, &session).await;
    assert_eq!(delivery.body, body.as_bytes());
    assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    told(&["drop", &id], false).await;
}

async fn a_tool_that_is_killed_leaves_every_letter(rabbit: &RabbitMq) {
    let session = session();
    rabbit.declare(&session).await.unwrap();
    let count = 300;
    let jobs = (0..count).map(|n| job(&session, &n.to_string()));
    rabbit.publish(jobs.collect()).await.unwrap();
    let mut stream = rabbit.subscribe(&session, Lane::Otp, 500).await.unwrap();
    for _ in 0..count {
        let delivery = stream.next().await.unwrap().unwrap();
        let letter = DeadLetter { reason: FailReason::BadField, detail: String::new() };
        assert_eq!(delivery.settle.dead(letter).await.unwrap(), Settled::Yes);
    }
    stream.close().await.unwrap();
    letters(rabbit, &session, count).await;
    for verb in [&["list"][..], &["retry", "--session", session.as_str()]] {
        let mut tool =
            tool(verb).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        // In the middle of it: some of the letters are out of the queue, or it is through already.
        let channel = raw_channel().await;
        eventually("the tool at work", async || {
            let declare = lapin::options::QueueDeclareOptions { passive: true, ..<_>::default() };
            let queue = channel.queue_declare(topology::DEAD_QUEUE.into(), declare, <_>::default()).await.unwrap();
            let left = usize::try_from(queue.message_count()).unwrap();
            (left < count || tool.try_wait().unwrap().is_some()).then_some(())
        })
        .await;
        let _ = tool.start_kill();
        tool.wait().await.unwrap();
        // Each is a letter, or a job again, or in a retry that was cut off both.
        eventually("all letters and jobs", async || {
            let dead = rabbit.list(&of(&session), None, 1000).await.unwrap();
            let mut bodies: Vec<Vec<u8>> = dead.into_iter().map(|letter| letter.body).collect();
            let mut held = Vec::new();
            let mut jobs = rabbit.subscribe(&session, Lane::Otp, 500).await.unwrap();
            while let Ok(delivery) = tokio::time::timeout(Duration::from_millis(300), jobs.next()).await {
                let delivery = delivery.unwrap().unwrap();
                bodies.push(delivery.body);
                held.push(delivery.settle);
            }
            jobs.close().await.unwrap();
            for settle in held {
                assert_eq!(settle.release().await.unwrap(), Settled::Yes);
            }
            bodies.sort();
            bodies.dedup();
            (bodies.len() == count).then_some(())
        })
        .await;
    }
    rabbit.discard(&of(&session)).await.unwrap();
}
