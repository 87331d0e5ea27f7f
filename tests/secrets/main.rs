//! The never-log list of docs/LOGGING.md, enforced: the program runs at its finest level, and all that it has said is
//! searched for what it must never say.
#![cfg(feature = "simulator")]

mod day;
#[path = "../fleet/http.rs"]
mod http;
#[path = "../process/running.rs"]
mod running;
mod search;

use std::path::Path;
use std::time::Duration;

use kurir_core::domain::PhoneNumber;
use running::Running;
use search::Secrets;

const API_KEY: &str = "key-of-the-secrets-test-8c1f";

/// Everything that anybody may ask for, other people's code included.
const FINEST: &str =
    "trace,whatsapp_rust=trace,wacore=trace,Client/Recv=trace,Client/Send=trace,sqlx=trace,hyper=trace";

/// Asserts that `output` is the log of a whole run at the finest level, that it holds no secret, and that each secret
/// would have been found in it.
fn assert_silent(output: &str, secrets: &Secrets, session: &str, least_lines: usize) {
    let lines = output.lines().count();
    assert!(lines > least_lines, "{lines} lines are too few for the finest level:\n{output}");
    for said in ["DEBUG", "kurir_sim::", "kurir_workers::", "kurir::gateway::", "kurir::adapters::whatsapp", session] {
        assert!(output.contains(said), "{said} is missing, so this is not the whole log:\n{output}");
    }
    let found = secrets.found_in(output);
    assert!(found.is_empty(), "{} lines hold secrets:\n{}", found.len(), found.join("\n"));
    let line = output.lines().find(|line| line.contains(session)).expect("just looked for");
    for (what, planted) in secrets.planted() {
        let with = line.replacen(session, &format!("{session} {planted}"), 1);
        assert!(!secrets.found_in(&with).is_empty(), "the search is blind to {what}");
    }
}

/// The key for encryption at rest that a run has made in its folder.
fn encryption_key(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join("encryption.keys")).unwrap();
    let (_, key) = text.trim().split_once(':').expect("version:key");
    key.trim_end_matches('=').to_owned()
}

/// The digits of a text's one-time password.
fn code_of(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() >= 6)
        .unwrap_or_else(|| panic!("no code in {text:?}"))
}

async fn the_demo(format: &str) {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["demo".to_owned(), "--once".into(), "--data".into(), folder.into()];
    for setting in [
        "gateway.listen=127.0.0.1:0",
        "simulator.listen=127.0.0.1:0",
        "simulator.control=127.0.0.1:0",
        "log.filter=trace",
        &format!("log.format={format}"),
    ] {
        arguments.extend(["--set".to_owned(), setting.to_owned()]);
    }
    let demo = Running::start("demo", &arguments, [("KURIR_GATEWAY__API_KEY", API_KEY)]);
    let (status, output) = demo.ended(Duration::from_mins(2)).await;
    assert!(status.success(), "{status}\n{output}");

    let mut secrets = Secrets::default();
    secrets.word("API key", API_KEY);
    secrets.word("encryption key", &encryption_key(data.path()));
    secrets.word("QR payload", "2@");
    for sender in ["6281100000001", "6281100000002"] {
        secrets.number(sender);
    }
    let mut rows = csv::Reader::from_path(concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo/recipients.csv")).unwrap();
    let mut numbers = 0;
    for row in rows.records() {
        let row = row.unwrap();
        let (number, text) = (&row[0], &row[1]);
        secrets.word("text", text);
        secrets.code(code_of(text));
        if let Ok(parsed) = PhoneNumber::parse(number, Some("62")) {
            secrets.word("number as written", number);
            secrets.number(parsed.digits());
            numbers += 1;
        }
    }
    assert_eq!(numbers, 203);
    assert_silent(&output, &secrets, "demo-1", 220);
}

#[tokio::test]
async fn the_demo_at_the_finest_level_keeps_its_secrets_in_text() {
    the_demo("text").await;
}

#[tokio::test]
async fn the_demo_at_the_finest_level_keeps_its_secrets_in_json() {
    the_demo("json").await;
}

#[tokio::test]
async fn a_bad_day_at_the_finest_level_keeps_its_secrets_in_text() {
    day::a_bad_day("text").await;
}

#[tokio::test]
async fn a_bad_day_at_the_finest_level_keeps_its_secrets_in_json() {
    day::a_bad_day("json").await;
}
