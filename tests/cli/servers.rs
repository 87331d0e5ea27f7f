//! The tools for operators, which work on a configuration instead of asking a gateway: their answers for programs.

use std::process::Output;
use std::sync::Arc;

use kurir::adapters::sqlite::{SqliteOptions, SqliteStore};
use kurir_core::domain::{FailReason, Keyring, Lane, SessionId, Target};
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::{DeadLetter, JobHeaders, JobQueue as _, PublishJob};
use serde_json::Value;

use crate::tool;

fn good(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A store with one job that nobody could read.
async fn with_a_dead_letter(folder: &std::path::Path, body: &str) {
    let keys = Arc::new(Keyring::parse(tool::KEYS).unwrap());
    let options = SqliteOptions::new(folder.join("kurir.db"));
    let store = SqliteStore::open(options, keys, Arc::new(SystemEntropy), Arc::new(SystemClock)).await.unwrap();
    let (queue, session) = (store.queue(), SessionId::new("s1").unwrap());
    queue.declare(&session).await.unwrap();
    let headers = JobHeaders { kind: "kurir.job.v1".into(), ..JobHeaders::default() };
    let job = PublishJob { target: Target::Session(session.clone()), lane: Lane::Otp, body: body.into(), headers };
    queue.publish(vec![job]).await.unwrap();
    let mut jobs = queue.subscribe(&session, Lane::Otp, 1).await.unwrap();
    let taken = jobs.next().await.unwrap().unwrap();
    let letter = DeadLetter { reason: FailReason::BadField, detail: "to: it is missing".to_owned() };
    taken.settle.dead(letter).await.unwrap();
    drop(jobs);
    drop(queue);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_told_to_programs_a_line_each() {
    let folder = tempfile::tempdir().unwrap();
    with_a_dead_letter(folder.path(), r#"{"code":"493817"}"#).await;
    let dead = |more: &[&str]| good(tool::run("dead", folder.path(), &[more, &["--output", "json"]].concat()));
    let listed = dead(&["list"]);
    let lines: Vec<Value> = listed.lines().map(value).collect();
    assert_eq!((lines.len(), &lines[0]["reason"], &lines[0]["session"]), (1, &"bad_field".into(), &"s1".into()));
    assert!(!listed.contains("493817"), "a code is listed");
    let id = lines[0]["id"].as_str().unwrap();
    let shown = value(&dead(&["show", id]));
    assert_eq!((&shown["id"], &shown["detail"]), (&lines[0]["id"], &"to: it is missing".into()));
    assert_eq!(dead(&["list", "--session", "s2"]), "", "none is no line");
    assert_eq!(dead(&["drop", id]).lines().map(value).count(), 1);
    assert_eq!(dead(&["list"]), "");
    assert!(!tool::run("dead", folder.path(), &["show", id, "--output", "json"]).status.success());
}

#[test]
fn limits_are_told_to_programs() {
    let folder = tempfile::tempdir().unwrap();
    let limits = value(&good(tool::run("limits", folder.path(), &["--output", "json"])));
    let row = &limits["limits"][0];
    assert!(row["limit"].is_string() && row["value"].is_string() && row["settings"].is_array(), "{row}");
    assert_eq!(limits, value(&good(tool::run("limits", folder.path(), &["--json"]))), "the option of before");
    assert!(good(tool::run("limits", folder.path(), &[])).contains("limits.sender.every"), "people get a table");
}
