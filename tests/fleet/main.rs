//! The fleet as its operators run it: every role a process, on real RabbitMQ, Redis and PostgreSQL, driven by a
//! producer that knows only the contract.
#![cfg(feature = "simulator")]

mod bad_input;
mod http;
mod limits;
mod pools;
#[path = "../process/running.rs"]
mod running;
mod takeover;
mod world;

use std::process::Stdio;
use std::time::Duration;

use kurir_core::domain::SessionId;
use kurir_core::port::SessionStore;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use world::{World, stop, variable};

/// Runs the Python producer on these jobs: (session, number, text).
async fn produce(world: &World, jobs: &[(String, String, String)], unknown: Option<&str>) -> Value {
    let task = json!({
        "amqp": variable("KURIR_TEST_AMQP_URL"),
        "tenant": world.tenant,
        "jobs": jobs.iter().map(|(session, to, text)| json!({"session": session, "to": to, "text": text})).collect::<Vec<_>>(),
        "unknown_session": unknown,
        "seconds": 60,
    });
    let python = std::env::var("KURIR_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut child = tokio::process::Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet/producer.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("python3 is needed for the producer");
    child.stdin.take().unwrap().write_all(task.to_string().as_bytes()).await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn jobs(world: &World, sessions: usize, count: usize, label: &str) -> Vec<(String, String, String)> {
    (0..count)
        .map(|at| {
            let number = format!(
                "62813{:08}",
                u32::from_str_radix(&world.tag, 16).unwrap() % 9000 * 8000 + u32::try_from(at).unwrap() + 1
            );
            (world.session(at % sessions), number, format!("{label} kode {at:06}"))
        })
        .collect()
}

/// Every job was sent and delivered, and its phone shows its text once, as it arrived once.
async fn all_arrived(world: &World, jobs: &[(String, String, String)], report: &Value) {
    for id in report["published"].as_array().unwrap() {
        let kinds = report["events"][id.as_str().unwrap()].as_array().unwrap();
        assert_eq!(kinds.len(), 2, "job {id} has only {kinds:?}");
    }
    for (_, number, text) in jobs {
        let (status, inbox) = world.sim.get(&format!("/phones/{number}/inbox")).await;
        assert_eq!(status, 200, "{inbox}");
        let messages = inbox.as_array().or(inbox["inbox"].as_array()).unwrap();
        let same: Vec<&Value> = messages.iter().filter(|message| message["text"] == text.as_str()).collect();
        assert_eq!(same.len(), 1, "{number}: {inbox}");
        assert_eq!(same[0]["arrivals"], 1, "{number}: {inbox}");
    }
}

async fn owners(store: &dyn SessionStore, world: &World, sessions: usize) -> Vec<String> {
    let mut owners = Vec::new();
    for at in 0..sessions {
        let record = store.get(&SessionId::new(world.session(at)).unwrap()).await.unwrap().unwrap();
        owners.push(record.owner.map(|owner| owner.to_string()).unwrap_or_default());
    }
    owners
}

async fn until_owners(
    store: &dyn SessionStore,
    world: &World,
    sessions: usize,
    what: &str,
    good: impl Fn(&[String]) -> bool,
) {
    let mut timer = tokio::time::interval(Duration::from_millis(200));
    let mut last = Vec::new();
    let wait = async {
        loop {
            timer.tick().await;
            last = owners(store, world, sessions).await;
            if good(&last) {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), wait).await.is_ok(), "no {what} within 30 s: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_producer_sends_through_a_fleet_whose_workers_come_and_go() {
    const SESSIONS: usize = 6;
    let world = World::start().await;
    let first = world.worker("worker-1");
    let second = world.worker("worker-2");
    let relay = world.relay();
    for at in 0..SESSIONS {
        world
            .link(
                &world.session(at),
                &format!(
                    "6281900{:06}",
                    u32::from_str_radix(&world.tag, 16).unwrap() % 90_000 * 10 + u32::try_from(at).unwrap()
                ),
            )
            .await;
    }
    let store = world.store().await;
    let by = |owners: &[String], name: &str| owners.iter().filter(|owner| owner.starts_with(name)).count();
    until_owners(&*store, &world, SESSIONS, "sharing out", |o| by(o, "worker-1") > 0 && by(o, "worker-2") > 0).await;

    let batch = jobs(&world, SESSIONS, 30, "first");
    let report = produce(&world, &batch, Some(&format!("nobody-{}", world.tag))).await;
    assert_eq!(report["returned"], true, "a job for an unknown session must come back to its producer");
    all_arrived(&world, &batch, &report).await;

    // A third worker takes over some, without a scan.
    let third = world.worker("worker-3");
    until_owners(&*store, &world, SESSIONS, "session with the third worker", |o| by(o, "worker-3") > 0).await;
    let batch = jobs(&world, SESSIONS, 30, "second")
        .into_iter()
        .map(|(s, n, t)| (s, n.replace("62813", "62814"), t))
        .collect::<Vec<_>>();
    let report = produce(&world, &batch, None).await;
    all_arrived(&world, &batch, &report).await;

    // A worker that is stopped hands its sessions over.
    let said = stop(first).await;
    assert!(said.contains("worker stopped"), "{said}");
    until_owners(&*store, &world, SESSIONS, "handing over", |o| by(o, "worker-1") == 0).await;
    for at in 0..SESSIONS {
        world.connected(&world.session(at)).await;
    }
    let batch = jobs(&world, SESSIONS, 30, "third")
        .into_iter()
        .map(|(s, n, t)| (s, n.replace("62813", "62815"), t))
        .collect::<Vec<_>>();
    let report = produce(&world, &batch, None).await;
    all_arrived(&world, &batch, &report).await;

    for role in [second, third, relay] {
        stop(role).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_serves_sessions_codes_and_messages() {
    let world = World::start().await;
    let worker = world.worker("worker-1");
    let session = world.session(0);
    world.link(&session, &format!("628199{:07}", u32::from_str_radix(&world.tag, 16).unwrap() % 900_000)).await;
    let (status, listed) = world.gateway.get("/v1/sessions").await;
    assert_eq!(status, 200);
    assert!(listed.to_string().contains(&session), "{listed}");

    let body = json!({"session": session, "to": "+62 816-0000-1234", "content": {"type": "otp", "code": "246810", "text": "Kode: {code}"}, "ttl": 120});
    let (status, sent) = world.gateway.post("/v1/messages", body).await;
    assert_eq!(status, 202, "{sent}");
    let id = sent["id"].as_str().unwrap().to_owned();
    world
        .gateway
        .until("read message", 30, &format!("/v1/messages/{id}"), |_, body| (body["state"] == "read").then_some(()))
        .await;
    let (_, inbox) = world.sim.get("/phones/6281600001234/inbox").await;
    assert!(inbox.to_string().contains("Kode: 246810"), "{inbox}");

    let (status, refused) = world
        .gateway
        .post(
            "/v1/messages",
            json!({"session": "nobody", "to": "+6281600001234", "content": {"type": "text", "text": "x"}}),
        )
        .await;
    assert_eq!(status, 404, "{refused}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.gateway.get(path).await.0, 200, "{path}");
    }
    stop(worker).await;
}
