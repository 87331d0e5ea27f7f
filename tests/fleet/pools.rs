//! Lanes and pools at their size: an OTP behind a blast, and a pool that loses a sender in the middle of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::rabbitmq::{RabbitMq, RabbitOptions};
use kurir_core::domain::{Lane, SessionId, Target};
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::{Clock as _, Enqueued, Entropy as _, JobHeaders, JobQueue, PublishJob};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{World, stop, variable};

/// A bulk job, its id random.
fn bulk(world: &World, target: &Target, to: &str) -> (Uuid, PublishJob) {
    let id = Uuid::from_u128(SystemEntropy.nonce());
    let (session, pool) = match target {
        Target::Session(id) => (Some(id.to_string()), None),
        Target::Pool(id) => (None, Some(id.to_string())),
    };
    let wire = JobV1 {
        id,
        tenant: world.tenant.clone(),
        session,
        pool,
        to: to.to_owned(),
        lane: Lane::Bulk,
        content: ContentV1::text(format!("blast {id}")),
        expires_at: None,
        enqueued_at: Some(SystemClock.now().to_rfc3339()),
        metadata: BTreeMap::new(),
    };
    let headers = JobHeaders { kind: JOB_KIND.into(), user: None, ..JobHeaders::default() };
    (id, PublishJob { target: target.clone(), lane: Lane::Bulk, body: serde_json::to_vec(&wire).unwrap(), headers })
}

async fn broker() -> Arc<dyn JobQueue> {
    let options = RabbitOptions::new(variable("KURIR_TEST_AMQP_URL"));
    Arc::new(RabbitMq::connect(options).await.unwrap())
}

/// Publishes `count` bulk jobs; their ids, in order.
async fn blast(world: &World, target: &Target, count: usize, number: impl Fn(usize) -> String) -> Vec<Uuid> {
    let jobs = broker().await;
    let mut ids = Vec::with_capacity(count);
    while ids.len() < count {
        let batch: Vec<_> = (ids.len()..count).take(5000).map(|at| bulk(world, target, &number(at))).collect();
        let (fresh, batch): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let answers = jobs.publish(batch).await.unwrap();
        assert!(answers.iter().all(|answer| *answer == Enqueued::Accepted));
        ids.extend(fresh);
    }
    ids
}

fn number(world: &World, at: usize) -> String {
    let tag = u32::from_str_radix(&world.tag, 16).unwrap() % 90_000;
    format!("6281800{:06}", tag * 10 + u32::try_from(at).unwrap())
}

async fn message(world: &World, id: Uuid) -> Option<Value> {
    let (status, body) = world.gateway.get(&format!("/v1/messages/{id}")).await;
    (status == 200).then_some(body)
}

fn moment(body: &Value, field: &str) -> Option<kurir_core::domain::Timestamp> {
    kurir_core::domain::Timestamp::parse_rfc3339(body[field].as_str()?)
}

/// The pace is one message in a second, so that the bulk jobs alone would keep the sender for more than a day, and the
/// OTP's way through outbox, relay and broker is shorter than a turn on a busy machine too.
#[tokio::test(flavor = "multi_thread")]
async fn an_otp_behind_a_hundred_thousand_bulk_jobs_leaves_at_the_senders_next_turn() {
    let world = World::start_with(&[("KURIR_LIMITS__SENDER__EVERY", "1s"), ("KURIR_LIMITS__SENDER__BURST", "1")]).await;
    let worker = world.worker("worker-1");
    let relay = world.relay();
    let session = world.session(0);
    world.link(&session, &number(&world, 0)).await;
    let target = Target::from(&SessionId::new(session.as_str()).unwrap());
    let ids = blast(&world, &target, 100_000, |at| format!("62819{at:08}")).await;
    world
        .gateway
        .until("start of the blast", 30, &format!("/v1/messages/{}", ids[2]), |_, body| {
            moment(body, "sent_at").map(drop)
        })
        .await;
    for round in 0..3 {
        let to = number(&world, 5 + round);
        let otp = json!({"session": session, "to": to, "ttl": 60, "content": {"type": "otp", "code": "482913"}});
        let (status, answer) = world.gateway.post("/v1/messages", otp).await;
        assert_eq!(status, 202, "{answer}");
        let path = format!("/v1/messages/{}", answer["id"].as_str().unwrap());
        let otp = world.gateway.until("OTP", 60, &path, |_, body| moment(body, "sent_at").map(|_| body.clone())).await;
        let (from, to) = (moment(&otp, "enqueued_at").unwrap(), moment(&otp, "sent_at").unwrap());
        let mut between = 0;
        for id in &ids {
            let Some(sent) = message(&world, *id).await.and_then(|body| moment(&body, "sent_at")) else { break };
            between += usize::from(sent > from && sent < to);
        }
        // The one that had its turn before, and its neighbour's answer that was under way.
        assert!(between <= 3, "{between} bulk messages between an OTP's arrival and its departure in round {round}");
    }
    for role in [worker, relay] {
        stop(role).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_goes_on_when_one_of_its_senders_is_banned() {
    const SENDERS: usize = 3;
    const JOBS: usize = 120;
    let world =
        World::start_with(&[("KURIR_LIMITS__SENDER__EVERY", "50ms"), ("KURIR_LIMITS__SENDER__BURST", "2")]).await;
    let pool = format!("pool-{}", world.tag);
    let workers = [world.worker("worker-1"), world.worker("worker-2")];
    let relay = world.relay();
    for at in 0..SENDERS {
        let (status, answer) = world.gateway.post("/v1/sessions", json!({"id": world.session(at), "pool": pool})).await;
        assert_eq!(status, 201, "{answer}");
        world.scan(&world.session(at), &number(&world, at)).await;
    }
    let target = Target::parse_routing_key(&format!("p.{pool}.bulk")).unwrap().0;
    let tag = u32::from_str_radix(&world.tag, 16).unwrap() % 90_000;
    let to = |at: usize| format!("62816{:08}", tag * 1000 + u32::try_from(at).unwrap());
    let ids = blast(&world, &target, JOBS, to).await;
    // In the middle of the blast, when the one that is to fall has sent something too.
    let mut timer = tokio::time::interval(Duration::from_millis(20));
    let first = world.session(0);
    let has_sent = async {
        loop {
            timer.tick().await;
            for id in &ids[..JOBS / 4] {
                let sent = |body: Value| body["session"] == first.as_str() && moment(&body, "sent_at").is_some();
                if message(&world, *id).await.is_some_and(sent) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), has_sent).await.expect("the first sender takes its share");
    let banned = number(&world, 0);
    let (status, answer) =
        world.sim.post("/faults", json!({"kind": "ban", "account": banned, "expire_secs": 3600})).await;
    assert!((200..300).contains(&status), "{status} {answer}");
    let mut by = BTreeMap::<String, usize>::new();
    let mut in_doubt = 0;
    for (at, id) in ids.iter().enumerate() {
        let ended = world
            .gateway
            .until("sent message", 60, &format!("/v1/messages/{id}"), |_, body| {
                let sent = ["sent", "delivered", "read"].iter().any(|state| body["state"] == *state);
                // On the wire when the ban cut the connection: it may have arrived, so nobody else sends it.
                let stays = body["state"] == "sending" && body["session"] == world.session(0).as_str();
                (sent || stays).then(|| (body["session"].as_str().unwrap().to_owned(), sent))
            })
            .await;
        let (session, sent) = ended;
        *by.entry(session).or_default() += 1;
        in_doubt += usize::from(!sent);
        let path = format!("/phones/{}/inbox", to(at));
        let inbox = world.sim.until("message", 30, &path, |_, body| {
            let inbox = body.as_array().or(body["inbox"].as_array()).cloned().unwrap_or_default();
            (!sent || !inbox.is_empty()).then_some(inbox)
        });
        let inbox = inbox.await;
        assert!(inbox.len() <= 1, "{inbox:?}");
    }
    assert_eq!(by.len(), SENDERS, "all had a share: {by:?}");
    // As many as a sender has in work at once, at most.
    assert!(in_doubt <= 32, "{in_doubt} jobs stay with the banned sender");
    let rest: usize = by.iter().filter(|(session, _)| **session != world.session(0)).map(|(_, count)| count).sum();
    assert!(rest > JOBS / 2, "{by:?}");
    for role in workers.into_iter().chain([relay]) {
        stop(role).await;
    }
}
