//! What producers get wrong, through a real broker: each is told and dead-lettered, none harms the worker.

use std::time::Duration;

use kurir::adapters::rabbitmq::{RabbitMq, RabbitOptions};
use kurir_core::domain::{Lane, SessionId, Target, TenantId};
use kurir_core::port::{Enqueued, EventFilter, EventSource, JobHeaders, JobQueue as _, PublishJob};
use kurir_core::wire::{EventV1, JOB_KIND, MAX_BODY, MessageDataV1};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{World, stop, variable};

#[tokio::test(flavor = "multi_thread")]
async fn bad_jobs_are_told_with_their_reason_and_the_worker_goes_on() {
    let world = World::start().await;
    let worker = world.worker("worker-1");
    let session = world.session(0);
    world.link(&session, &format!("628197{:07}", u32::from_str_radix(&world.tag, 16).unwrap() % 900_000)).await;
    let broker = RabbitMq::connect(RabbitOptions::new(variable("KURIR_TEST_AMQP_URL"))).await.unwrap();
    let tenant = TenantId::new(&world.tenant).unwrap();
    let mut events =
        EventSource::subscribe(&broker, EventFilter { tenant: Some(tenant), ..EventFilter::default() }).await.unwrap();

    let good = |id: Uuid| {
        json!({"id": id, "tenant": world.tenant, "session": session, "to": "+62 817-0000-1234", "lane": "otp",
            "content": {"type": "otp", "code": "135790"}, "expires_at": "2099-01-01T00:00:00Z"})
    };
    let changed = |id: Uuid, field: &str, value: Value| {
        let mut body = good(id);
        body[field] = value;
        body.to_string().into_bytes()
    };
    let ids: Vec<Uuid> = (0..8).map(|_| Uuid::new_v4()).collect();
    let cases: [(&str, Vec<u8>, &str); 7] = [
        (JOB_KIND, b"{\"id\": \xff not JSON".to_vec(), "bad_json"),
        ("kurir.job.v9", good(ids[1]).to_string().into_bytes(), "unknown_version"),
        (JOB_KIND, changed(ids[2], "lane", 7.into()), "bad_field"),
        (JOB_KIND, changed(ids[3], "surprise", json!({})), "bad_field"),
        (JOB_KIND, changed(ids[4], "to", "12ab".into()), "bad_number"),
        (JOB_KIND, changed(ids[5], "content", json!({"type": "text", "text": "x".repeat(MAX_BODY)})), "body_too_large"),
        (JOB_KIND, changed(ids[6], "expires_at", Value::Null), "missing_deadline"),
    ];
    let session_id = SessionId::new(&session).unwrap();
    let job = |kind: &str, id: Uuid, body: Vec<u8>| {
        let headers = JobHeaders { kind: kind.into(), message_id: Some(id.to_string()), ..JobHeaders::default() };
        PublishJob { target: Target::Session(session_id.clone()), lane: Lane::Otp, body, headers }
    };
    let mut jobs: Vec<PublishJob> =
        cases.iter().zip(&ids).map(|((kind, body, _), id)| job(kind, *id, body.clone())).collect();
    jobs.push(job(JOB_KIND, ids[7], good(ids[7]).to_string().into_bytes()));
    let answers = broker.publish(jobs).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == Enqueued::Accepted), "{answers:?}");

    let mut left: Vec<(Uuid, &str, Option<&str>)> =
        cases.iter().zip(&ids).map(|((_, _, reason), id)| (*id, "message.failed", Some(*reason))).collect();
    // The good one behind them is sent.
    left.push((ids[7], "message.sent", None));
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        while !left.is_empty() {
            let event = events.next().await.unwrap().expect("the events ended");
            let Ok(event) = serde_json::from_slice::<EventV1<MessageDataV1>>(&event.body) else { continue };
            let said = (event.data.job, event.kind.as_str(), event.data.reason.as_deref());
            left.retain(|expected| *expected != said);
        }
    });
    assert!(told.await.is_ok(), "not told: {left:?}\n{}", stop(worker).await);
    broker.close().await;
    stop(worker).await;
}
