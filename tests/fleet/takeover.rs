//! Workers that are killed, stopped or frozen: their sessions go on elsewhere, and nothing is shown twice.

use std::time::Duration;

use serde_json::Value;

use crate::running::Running;
use crate::world::{World, stop};
use crate::{all_arrived, jobs, produce, until_owners};

const SESSIONS: usize = 6;

fn by(owners: &[String], name: &str) -> usize {
    owners.iter().filter(|owner| owner.starts_with(name)).count()
}

fn number(world: &World, at: usize) -> String {
    let tag = u32::from_str_radix(&world.tag, 16).unwrap() % 90_000;
    format!("6281900{:06}", tag * 10 + u32::try_from(at).unwrap())
}

fn started(line: &str) -> Option<()> {
    line.contains("worker started").then_some(())
}

async fn link_all(world: &World) {
    for at in 0..SESSIONS {
        world.link(&world.session(at), &number(world, at)).await;
    }
}

/// Kills a worker and waits for its end.
async fn killed(worker: Running) {
    worker.signal("KILL").await;
    let (status, _) = worker.ended(Duration::from_mins(1)).await;
    assert!(!status.success());
}

/// What the simulator saw: no key used twice, nothing shown twice.
async fn nothing_is_damaged(world: &World) {
    let (status, audit) = world.sim.get("/audit?after=0").await;
    assert_eq!(status, 200, "{audit}");
    for total in ["shown_twice", "late", "keys_used_twice"] {
        assert_eq!(audit["totals"][total], Value::from(0), "{total}: {audit}");
    }
}

/// The leases are good for minutes, and so are the heartbeats: only the death itself can be what is noticed.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_sessions_go_on_elsewhere_long_before_their_leases_end() {
    let world = World::start_with(&[("KURIR_WORKER__LEASE_TTL", "10m"), ("KURIR_WORKER__SCAN_EVERY", "2m")]).await;
    let store = world.store().await;
    // One after the other, because the next look comes only after minutes: the second has what the first leaves.
    let mut first = world.worker("worker-1");
    first.line("start", started).await;
    link_all(&world).await;
    let mut second = world.worker("worker-2");
    second.line("start", started).await;
    let relay = world.relay();
    until_owners(&*store, &world, SESSIONS, "session of the first worker", |o| by(o, "worker-1") > 0).await;
    killed(first).await;
    until_owners(&*store, &world, SESSIONS, "take-over", |o| by(o, "worker-2") == SESSIONS).await;
    for at in 0..SESSIONS {
        world.connected(&world.session(at)).await;
    }
    let batch = jobs(&world, SESSIONS, 30, "after the death");
    let report = produce(&world, &batch, None).await;
    all_arrived(&world, &batch, &report).await;
    nothing_is_damaged(&world).await;
    for role in [second, relay] {
        stop(role).await;
    }
}

/// Nobody was there to see the death. The leases and the heartbeat of the dead one go on for minutes.
#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_worker_that_died_alone_go_on_when_another_starts() {
    let world = World::start_with(&[("KURIR_WORKER__LEASE_TTL", "10m"), ("KURIR_WORKER__SCAN_EVERY", "2m")]).await;
    let store = world.store().await;
    let mut first = world.worker("worker-1");
    first.line("start", started).await;
    link_all(&world).await;
    killed(first).await;
    let second = world.worker("worker-2");
    until_owners(&*store, &world, SESSIONS, "take-over", |o| by(o, "worker-2") == SESSIONS).await;
    for at in 0..SESSIONS {
        world.connected(&world.session(at)).await;
    }
    nothing_is_damaged(&world).await;
    stop(second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_wakes_after_its_leases_ended_gives_way() {
    let world = World::start_with(&[
        ("KURIR_REDIS__TIMEOUT", "900ms"),
        ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "2s"),
        ("KURIR_WORKER__ACK_PATIENCE", "2s"),
        ("KURIR_WORKER__STOP_DEADLINE", "5s"),
        ("KURIR_WORKER__RENEW_EVERY", "1s"),
        ("KURIR_WORKER__LEASE_TTL", "6s"),
    ])
    .await;
    let store = world.store().await;
    let (mut first, second, relay) = (world.worker("worker-1"), world.worker("worker-2"), world.relay());
    link_all(&world).await;
    until_owners(&*store, &world, SESSIONS, "sharing out", |o| by(o, "worker-1") > 0 && by(o, "worker-2") > 0).await;
    first.signal("STOP").await;
    // Jobs come in while nobody knows yet that it hangs.
    let batch = jobs(&world, SESSIONS, 30, "meanwhile");
    let report = produce(&world, &batch, None).await;
    until_owners(&*store, &world, SESSIONS, "take-over", |o| by(o, "worker-2") == SESSIONS).await;
    all_arrived(&world, &batch, &report).await;

    first.signal("CONT").await;
    first.line("loss of its leases", |line| line.contains("lease lost").then_some(())).await;
    // It is a member again and gets its share back.
    until_owners(&*store, &world, SESSIONS, "sharing out", |o| by(o, "worker-1") > 0).await;
    for at in 0..SESSIONS {
        world.connected(&world.session(at)).await;
    }
    let batch: Vec<_> = jobs(&world, SESSIONS, 30, "afterwards")
        .into_iter()
        .map(|(session, to, text)| (session, to.replace("62813", "62814"), text))
        .collect();
    let report = produce(&world, &batch, None).await;
    all_arrived(&world, &batch, &report).await;
    nothing_is_damaged(&world).await;
    for role in [first, second, relay] {
        stop(role).await;
    }
}

/// Runs a tool of the fleet to its end; what it printed.
async fn tool(world: &World, arguments: &[&str]) -> String {
    let running = Running::start("tool", arguments, &world.environment);
    let (status, said) = running.ended(Duration::from_mins(1)).await;
    assert!(status.success(), "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_moved_and_workers_emptied_by_their_operator() {
    let world = World::start().await;
    let store = world.store().await;
    let (first, second) = (world.worker("worker-1"), world.worker("worker-2"));
    link_all(&world).await;
    until_owners(&*store, &world, SESSIONS, "sharing out", |o| by(o, "worker-1") > 0 && by(o, "worker-2") > 0).await;
    let name = format!("worker-2-{}", world.tag);
    for at in 0..SESSIONS {
        tool(&world, &["sessions", "move", &world.session(at), &name]).await;
    }
    until_owners(&*store, &world, SESSIONS, "move", |o| by(o, "worker-2") == SESSIONS).await;
    let listed = tool(&world, &["sessions", "list"]).await;
    assert_eq!(listed.matches(&world.session(0)).count(), 1, "{listed}");
    let workers = tool(&world, &["workers", "list", "--json"]).await;
    assert_eq!(workers.lines().filter(|line| line.contains("\"pinned\":6")).count(), 1, "{workers}");

    tool(&world, &["workers", "drain", &name]).await;
    until_owners(&*store, &world, SESSIONS, "drain", |o| by(o, "worker-1") == SESSIONS).await;
    for at in 0..SESSIONS {
        world.connected(&world.session(at)).await;
    }
    tool(&world, &["workers", "resume", &name]).await;
    until_owners(&*store, &world, SESSIONS, "return to where they are wanted", |o| by(o, "worker-2") == SESSIONS).await;
    let refused = Running::start("tool", &["sessions", "move", &world.session(0), "nobody"], &world.environment);
    let (status, said) = refused.ended(Duration::from_mins(1)).await;
    assert!(!status.success() && said.contains("no worker is called nobody"), "{said}");
    nothing_is_damaged(&world).await;
    for role in [first, second] {
        stop(role).await;
    }
}
