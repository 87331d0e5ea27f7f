//! Limits of a fleet whose worker is killed: the next one goes on where it stopped.

use std::time::Duration;

use kurir_core::domain::SessionId;
use kurir_core::memory::SystemClock;
use kurir_core::policy::Zone;
use kurir_core::port::Clock as _;
use serde_json::{Value, json};

use crate::running::Running;
use crate::world::{World, stop};

/// A time zone in which it is about noon, so that no test runs over midnight.
fn noon() -> Zone {
    let now = SystemClock.now();
    let noon = |zone: &Zone| (9..15).contains(&(zone.next_day(now).since(now).as_secs() / 3600));
    let mut zones = (-11..=12).map(|hours| format!("Etc/GMT{hours:+}").parse().expect("a zone"));
    zones.find(noon).expect("it is noon somewhere")
}

/// A fleet whose sessions may send 4 messages a day, 2 of them to somebody new, and whose dead workers are missed soon.
async fn narrow() -> (World, String) {
    let mut world = World::start().await;
    let session = world.session(0);
    let zone = format!("{session}={}", noon());
    for (name, value) in [
        ("KURIR_LIMITS__SENDER__PER_DAY", "4"),
        ("KURIR_LIMITS__SENDER__WARM_UP", ""),
        ("KURIR_LIMITS__SENDER__COLD_PER_DAY", "2"),
        ("KURIR_LIMITS__SENDER__OTP_RESERVE", "0"),
        ("KURIR_LIMITS__SENDER__TIME_ZONES", &zone),
        ("KURIR_WORKER__LEASE_TTL", "9s"),
        ("KURIR_WORKER__RENEW_EVERY", "2s"),
        ("KURIR_WORKER__STOP_DEADLINE", "8s"),
        ("KURIR_WORKER__ACK_PATIENCE", "3s"),
        ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "5s"),
    ] {
        world.environment.insert(name.to_owned(), value.to_owned());
    }
    (world, session)
}

/// The numbers of a world: of its sender, and of those that it writes to.
fn number(world: &World, at: u32) -> String {
    format!("62817{:08}", u32::from_str_radix(&world.tag, 16).unwrap() % 900_000 * 10 + at)
}

/// Has a text sent; gives the job's id.
async fn text(world: &World, session: &str, to: &str) -> String {
    let body = json!({"session": session, "to": to, "content": {"type": "text", "text": "Halo"}});
    let (status, answer) = world.gateway.post("/v1/messages", body).await;
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

async fn until_sent(world: &World, id: &str) {
    let sent =
        |_, body: &Value| ["sent", "delivered", "read"].iter().any(|state| body["state"] == *state).then_some(());
    world.gateway.until("sent message", 30, &format!("/v1/messages/{id}"), sent).await;
}

async fn until_delayed(world: &World, id: &str, reason: &str) {
    let delayed = |_, body: &Value| (body["state"] == "delayed" && body["reason"] == reason).then_some(());
    world.gateway.until(reason, 30, &format!("/v1/messages/{id}"), delayed).await;
}

/// Kills a worker and waits until the next one has its session.
async fn killed(world: &World, session: &str, worker: Running, next: &str) -> Running {
    worker.signal("KILL").await;
    let (status, _) = worker.ended(Duration::from_mins(1)).await;
    assert!(!status.success());
    let worker = world.worker(next);
    let store = world.store().await;
    let id = SessionId::new(session).unwrap();
    let mut timer = tokio::time::interval(Duration::from_millis(200));
    let taken = async {
        loop {
            timer.tick().await;
            let owner = store.get(&id).await.unwrap().unwrap().owner;
            if owner.is_some_and(|owner| owner.as_str().starts_with(next)) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), taken).await.expect("the next worker takes the session");
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_successor_has_no_new_day() {
    let (world, session) = narrow().await;
    let first = world.worker("worker-1");
    world.link(&session, &number(&world, 0)).await;
    let [a, b, c] = [1, 2, 3].map(|at| number(&world, at));
    for to in [&a, &b] {
        until_sent(&world, &text(&world, &session, to).await).await;
    }
    let second = killed(&world, &session, first, "worker-2").await;
    until_delayed(&world, &text(&world, &session, &c).await, "sender_cold_contacts").await;
    for to in [&a, &b] {
        until_sent(&world, &text(&world, &session, to).await).await;
    }
    until_delayed(&world, &text(&world, &session, &a).await, "sender_daily_cap").await;
    let (_, inbox) = world.sim.get(&format!("/phones/{c}/inbox")).await;
    assert!(!inbox.to_string().contains("Halo"), "{inbox}");
    stop(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_successor_rests_as_long_as_whatsapp_said() {
    let (world, session) = narrow().await;
    let first = world.worker("worker-1");
    let sender = number(&world, 0);
    world.link(&session, &sender).await;
    let lock = json!({"kind": "reachout_timelock", "account": sender, "for_secs": 7200});
    let (status, answer) = world.sim.post("/faults", lock).await;
    assert!(status < 300, "{answer}");
    until_delayed(&world, &text(&world, &session, &number(&world, 1)).await, "sender_restricted").await;
    let second = killed(&world, &session, first, "worker-2").await;
    let id = text(&world, &session, &number(&world, 2)).await;
    until_delayed(&world, &id, "sender_restricted").await;
    let (_, message) = world.gateway.get(&format!("/v1/messages/{id}")).await;
    let until = kurir_core::domain::Timestamp::parse_rfc3339(message["not_before"].as_str().unwrap()).unwrap();
    let left = until.since(SystemClock.now());
    assert!((Duration::from_mins(90)..Duration::from_mins(150)).contains(&left), "{message}");
    stop(second).await;
}
