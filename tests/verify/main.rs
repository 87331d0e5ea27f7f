//! Verifications from end to end: the program alone with the simulator, codes read from the phones' inboxes.
#![cfg(feature = "simulator")]

#[path = "../fleet/http.rs"]
mod http;
#[path = "../process/running.rs"]
mod running;

use std::time::Duration;

use http::Client;
use running::Running;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "key-of-the-verify-test-8c1f";
const SENDER: &str = "6281100000077";

struct World {
    up: Running,
    gateway: Client,
    phones: Client,
    _data: TempDir,
}

impl World {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().expect("temporary folders have plain names");
        let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
        for setting in [
            format!("sqlite.path={folder}/kurir.db"),
            format!("store.encryption_keys_file={folder}/encryption.keys"),
            "gateway.listen=127.0.0.1:0".into(),
            "simulator.listen=127.0.0.1:0".into(),
            "simulator.control=127.0.0.1:0".into(),
            "fleet.default_country=62".into(),
            "limits.sender.every=10ms".into(),
            "limits.recipient.otp_every=0s".into(),
            "worker.scan_every=300ms".into(),
            "verify.scan_every=200ms".into(),
            "verify.resend_every=0s".into(),
        ] {
            arguments.extend(["--set".to_owned(), setting]);
        }
        let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", KEY)]);
        let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
        let gateway = up.line("gateway's address", after("gateway ")).await;
        let phones = up.line("phones' address", after("phones ")).await;
        let gateway = Client::new(&gateway, Some(KEY));
        let phones = Client::new(phones.trim_end_matches('/'), None);
        Self { up, gateway, phones, _data: data }
    }

    /// Creates a session and links it.
    async fn link(&self, id: &str) {
        self.created(id).await;
        let session = format!("/v1/sessions/{id}");
        let path = format!("{session}/qr?format=json");
        let qr = self.gateway.until("QR code", 30, &path, |status, body| {
            (status == 200).then(|| body["text"].as_str().unwrap().to_owned())
        });
        let (status, device) = self.phones.post("/scan", json!({"qr": qr.await, "phone": SENDER})).await;
        assert_eq!(status, 200, "{device}");
        let connected = |_, body: &Value| (body["state"] == "connected").then_some(());
        self.gateway.until("connection", 30, &session, connected).await;
    }

    async fn created(&self, id: &str) {
        assert_eq!(self.gateway.post("/v1/sessions", json!({ "id": id })).await.0, 201);
    }

    /// The codes that a phone shows, once there are so many.
    async fn codes(&self, number: &str, count: usize) -> Vec<String> {
        let inbox = format!("/phones/{number}/inbox");
        let all = |_, body: &Value| {
            let shown = body.as_array()?.iter().filter_map(|message| message["text"].as_str());
            let codes = shown.map(|text| text.strip_prefix("Kode: ").expect("the text that was given").to_owned());
            Some(codes.collect::<Vec<_>>()).filter(|codes| codes.len() >= count)
        };
        self.phones.until("code on the phone", 30, &inbox, all).await
    }

    async fn stop(self) {
        self.up.signal("TERM").await;
        let (status, said) = self.up.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "{status}\n{said}");
    }
}

#[tokio::test]
async fn a_code_goes_to_the_phone_twice_and_comes_back_once() {
    let world = World::start().await;
    world.link("s1").await;
    let wish = json!({"to": "0812-7777-0001", "session": "s1", "text": "Kode: {code}"});
    let (status, made) = world.gateway.post("/v1/verifications", wish.clone()).await;
    assert_eq!(status, 201, "{made}");
    let first = world.codes("6281277770001", 1).await;
    assert_eq!((first.len(), first[0].len()), (1, 6));
    let (status, again) = world.gateway.post("/v1/verifications", wish).await;
    assert_eq!((status, &again["id"], &again["sends"]), (200, &made["id"], &json!(2)));
    let both = world.codes("6281277770001", 2).await;
    assert_eq!(both, [first[0].as_str(), first[0].as_str()]);

    let path = format!("/v1/verifications/{}", made["id"].as_str().unwrap());
    let wrong: String = first[0].chars().map(|c| if c == '0' { '1' } else { '0' }).collect();
    let (_, answer) = world.gateway.post(&format!("{path}/check"), json!({"code": wrong})).await;
    assert_eq!((&answer["valid"], &answer["status"]), (&json!(false), &json!("pending")));
    let body = json!({"to": "+62 812 7777 0001", "code": first[0]});
    let (_, answer) = world.gateway.post("/v1/verifications/check", body.clone()).await;
    assert_eq!((&answer["valid"], &answer["status"], &answer["id"]), (&json!(true), &json!("approved"), &made["id"]));
    let (_, answer) = world.gateway.post("/v1/verifications/check", body).await;
    assert_eq!((&answer["valid"], &answer["status"]), (&json!(false), &json!("approved")));
    world.stop().await;
}

#[tokio::test]
async fn a_session_that_does_not_deliver_is_followed_by_another() {
    let world = World::start().await;
    world.link("s1").await;
    // Nobody scans its code.
    world.created("idle").await;
    let wish = json!({
        "to": "0812-7777-0002", "session": "idle", "text": "Kode: {code}", "fallback": [{"session": "s1", "after": 1}],
    });
    let (status, made) = world.gateway.post("/v1/verifications", wish).await;
    assert_eq!(status, 201, "{made}");
    let codes = world.codes("6281277770002", 1).await;
    assert_eq!(codes.len(), 1);
    let path = format!("/v1/verifications/{}", made["id"].as_str().unwrap());
    let (_, now) = world.gateway.get(&path).await;
    assert_eq!((&now["name"], &now["sends"]), (&json!("s1"), &json!(1)));
    let first = made["message"].as_str().unwrap();
    let (_, message) = world.gateway.get(&format!("/v1/messages/{first}")).await;
    assert_eq!(message["state"], "cancelled", "what waits at the first one is never sent");
    let (_, answer) = world.gateway.post(&format!("{path}/check"), json!({"code": codes[0]})).await;
    assert_eq!(answer["valid"], true);
    world.stop().await;
}
