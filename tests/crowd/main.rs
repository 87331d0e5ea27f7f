//! Ten thousand connections on which nobody asks anything, and messages that go out meanwhile.
#![cfg(feature = "simulator")]

#[path = "../fleet/http.rs"]
mod http;
#[path = "../process/running.rs"]
mod running;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use http::Client;
use running::Running;

const API_KEY: &str = "key-of-the-crowd-test-77ab02d4";
const SESSION: &str = "crowd-1";
const SENDER: &str = "6281100000078";
const CROWD: usize = 10_000;
const MESSAGES: usize = 20;

/// Files that a process may have open for this: a connection each, and some for everything else.
const FILES: u64 = CROWD as u64 + 500;

async fn open(address: &str) -> TcpStream {
    TcpStream::connect(address).await.expect("the system takes connections that nobody has accepted yet")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_do_not_keep_messages_from_going_out() {
    let may_open = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    if may_open.is_some_and(|files| files < FILES) {
        println!("skipped: a process may open {may_open:?} files here, {FILES} are needed");
        return;
    }
    kurir::cli::open_files();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
    for setting in [
        format!("sqlite.path={data}/kurir.db"),
        format!("store.encryption_keys_file={data}/encryption.keys"),
        "gateway.listen=127.0.0.1:0".into(),
        // All of them find a place: none is closed to make room.
        "gateway.max_connections=10100".into(),
        "gateway.header_timeout=5m".into(),
        "simulator.listen=127.0.0.1:0".into(),
        "simulator.control=127.0.0.1:0".into(),
        "limits.sender.every=10ms".into(),
        "worker.scan_every=300ms".into(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", API_KEY)]);
    let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
    let gateway = up.line("gateway's address", after("gateway ")).await;
    let phones = up.line("phones' address", after("phones ")).await;
    let (client, phones) = (Client::new(&gateway, Some(API_KEY)), Client::new(phones.trim_end_matches('/'), None));

    let address = gateway.strip_prefix("http://").expect("an http address").trim_end_matches('/').to_owned();
    let mut crowd = Vec::with_capacity(CROWD);
    while crowd.len() < CROWD {
        crowd.push(open(&address).await);
    }

    let session = format!("/v1/sessions/{SESSION}");
    assert_eq!(client.post("/v1/sessions", json!({"id": SESSION})).await.0, 201);
    let qr = client
        .until("QR code", 60, &format!("{session}/qr?format=json"), |status, body| {
            (status == 200).then(|| body["text"].as_str().expect("a text").to_owned())
        })
        .await;
    assert_eq!(phones.post("/scan", json!({"qr": qr, "phone": SENDER})).await.0, 200);
    let state = |wanted: &'static str| move |_, body: &Value| (body["state"] == wanted).then_some(());
    client.until("connection", 60, &session, state("connected")).await;
    let mut sent = Vec::new();
    for at in 0..MESSAGES {
        let text =
            json!({"session": SESSION, "to": format!("62812888800{at:02}"), "content": {"type": "text", "text": "x"}});
        let (status, message) = client.post("/v1/messages", text).await;
        assert_eq!(status, 202, "{message}");
        sent.push(format!("/v1/messages/{}", message["id"].as_str().expect("an id")));
    }
    for message in &sent {
        let gone = |_, body: &Value| body["sent_at"].is_string().then_some(());
        client.until("message to be sent", 60, message, gone).await;
    }
    // The crowd is still there: it was served beside it, not instead of it.
    let mut byte = [0];
    let still =
        crowd.iter().filter(|one| one.try_read(&mut byte).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));
    assert_eq!(still.count(), CROWD);

    drop(crowd);
    up.signal("TERM").await;
    let (status, output) = up.ended(Duration::from_mins(1)).await;
    assert!(status.success(), "{status}\n{output}");
}
