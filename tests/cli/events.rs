//! `kurir events`, as it happens and from where it stopped.

use kurir_core::domain::Timestamp;
use kurir_core::memory::SystemClock;
use kurir_core::port::Clock as _;
use serde_json::Value;

use crate::running::Running;
use crate::world::{PATIENCE, World};

/// Sends a message; gives its id.
async fn send(it: &World, text: &str) -> String {
    let line = ["send", "--session", "s1", "--to", "6281277770001", text, "--output", "json"];
    it.run(&line).await.good().json()["id"].as_str().unwrap().to_owned()
}

/// The event that a line of output is, if it is of this type and this message.
fn of(line: &str, kind: &str, job: &str) -> Option<Value> {
    let event: Value = serde_json::from_str(line).ok()?;
    (event["type"] == kind && event["data"]["job"] == job).then_some(event)
}

/// Where to go on behind an event.
fn position(event: &Value) -> String {
    event["position"].as_str().unwrap_or_else(|| panic!("no position: {event}")).to_owned()
}

/// Ctrl-C ends it at once, with the status that stands for that, and no line is cut off.
async fn interrupted(stream: Running) -> Vec<Value> {
    stream.signal("INT").await;
    let (status, said) = stream.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(130), "{said}");
    let events = said.lines().filter(|line| line.starts_with('{'));
    events.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test]
async fn events_are_seen_as_they_happen_and_gone_on_with_from_a_position() {
    let it = World::start(&[]).await;
    it.linked("s1").await;
    let begin: Timestamp = SystemClock.now();
    let since = begin.to_rfc3339();
    let line = ["events", "--follow", "--type", "message.*", "--since", &since, "--output", "json"];
    let mut stream = it.begin(&line);
    // Once the first was told, the stream is certainly open, so that the second is told live.
    for text in ["satu", "dua"] {
        let id = send(&it, text).await;
        for kind in ["message.queued", "message.sent", "message.delivered"] {
            stream.line(kind, |line| of(line, kind, &id)).await;
        }
    }
    let told = interrupted(stream).await;
    assert!(told.iter().all(|event| event["type"].as_str().unwrap().starts_with("message.")), "{told:?}");

    // From a position on: what came after it, once each and in the same order, and then what is new.
    let after = position(&told[1]);
    let mut stream = it.begin(&["events", "--follow", "--type", "message.*", "--after", &after, "--output", "json"]);
    let id = send(&it, "tiga").await;
    stream.line("what is new", |line| of(line, "message.delivered", &id)).await;
    let again = interrupted(stream).await;
    let positions = |events: &[Value]| events.iter().map(position).collect::<Vec<_>>();
    assert_eq!(positions(&again)[..told.len() - 2], positions(&told)[2..], "{again:?}");

    // What is there already, for people, and so many of it.
    let table = it.run(&["events", "--since", &since, "--type", "message.sent", "--count", "2"]).await.good().out;
    assert_eq!((table.lines().count(), table.matches("message.sent").count()), (2, 2), "{table}");
    assert!(table.lines().all(|line| line.ends_with(')')), "no position to go on from: {table}");
    let all = it.run(&["events", "--type", "message.sent", "--count", "2"]).await.good().out;
    assert_eq!(all.lines().count(), 2, "{all}");
    it.run(&["events", "--type", "massage.*"]).await.bad(3, "type");
}

/// One that waits for something that does not happen ends by a signal as well.
#[tokio::test]
async fn a_stream_without_events_ends_by_a_signal() {
    let it = World::start(&[]).await;
    let stream = it.begin(&["events", "--follow", "--output", "json"]);
    // It is open when it tells of this one.
    let started = tokio::time::Instant::now();
    for at in 0.. {
        it.run(&["sessions", "create", &format!("s{at}"), "--stopped"]).await.good();
        let seen = stream.has_said(|line| line.contains("session.created"));
        if seen {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "no event was told");
    }
    stream.signal("TERM").await;
    let (status, said) = stream.ended(PATIENCE).await;
    assert_eq!(status.code(), Some(130), "{said}");
}
