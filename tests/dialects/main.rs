//! The dialects from end to end: the program alone with the simulator, each dialect on an address of its own, sessions linked by
//! the pictures that it shows.
#![cfg(feature = "simulator")]

#[path = "../node/chromium.rs"]
mod chromium;
#[path = "../fleet/http.rs"]
mod http;
#[path = "../node/program.rs"]
mod program;
#[path = "../process/running.rs"]
mod running;

mod browser;
mod socketio;
mod socketio_page;

use std::time::Duration;

use http::Client;
use running::Running;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "key-of-the-dialects-test-8c1f";

struct World {
    up: Running,
    phones: Client,
    waziper: Client,
    otp: Client,
    multi: String,
    socketio: Client,
    /// Its address, for clients of other kinds.
    socketio_url: String,
    /// The main address.
    gateway: String,
    main: Client,
    data: TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    /// With what is in this folder.
    async fn start_in(data: TempDir) -> Self {
        let folder = data.path().to_str().expect("temporary folders have plain names");
        let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
        for setting in [
            format!("sqlite.path={folder}/kurir.db"),
            format!("store.encryption_keys_file={folder}/encryption.keys"),
            format!("simulator.state={folder}/simulator"),
            "gateway.listen=127.0.0.1:0".into(),
            "simulator.listen=127.0.0.1:0".into(),
            "simulator.control=127.0.0.1:0".into(),
            "limits.sender.every=10ms".into(),
            "worker.scan_every=300ms".into(),
            "dialects.own_ports=all".into(),
            "dialects.waziper.listen=127.0.0.1:0".into(),
            "dialects.otp.listen=127.0.0.1:0".into(),
            "dialects.multi.listen=127.0.0.1:0".into(),
            "dialects.socketio.listen=127.0.0.1:0".into(),
        ] {
            arguments.extend(["--set".to_owned(), setting]);
        }
        let environment = [("KURIR_GATEWAY__API_KEY", KEY), ("KURIR_DIALECTS__MULTI__ADMIN_KEY", "admin123")];
        let mut up = Running::start("up", &arguments, environment);
        let mut addresses = Vec::new();
        for dialect in ["waziper", "otp", "multi", "socketio"] {
            let what = format!("dialect served dialect={dialect} address=");
            let found = |line: &str| Some(line.split_once(&what)?.1.trim().to_owned());
            addresses.push(format!("http://{}", up.line("dialect's address", found).await));
        }
        let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
        let gateway = up.line("gateway's address", after("gateway ")).await;
        let gateway = gateway.trim_end_matches('/').to_owned();
        let main = Client::new(&gateway, Some(KEY));
        let phones = up.line("phones' address", after("phones ")).await;
        let phones = Client::new(phones.trim_end_matches('/'), None);
        let [waziper, otp, multi, socketio_url] = addresses.try_into().unwrap();
        let (waziper, otp) = (Client::new(&waziper, None), Client::new(&otp, None));
        let socketio = Client::new(&socketio_url, None);
        Self { up, phones, waziper, otp, multi, socketio, socketio_url, gateway, main, data }
    }

    /// A phone scans a picture.
    async fn scan(&self, picture: &Value, phone: &str) {
        let picture = picture.as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
        let (status, answer) = self.phones.post("/scan", json!({"image": picture, "phone": phone})).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The texts that a phone shows, once there are so many.
    async fn texts(&self, number: &str, count: usize) -> Vec<String> {
        let all = |_, body: &Value| {
            let texts = body.as_array()?.iter().filter_map(|message| message["text"].as_str().map(str::to_owned));
            Some(texts.collect::<Vec<_>>()).filter(|texts| texts.len() >= count)
        };
        self.phones.until("text on the phone", 30, &format!("/phones/{number}/inbox"), all).await
    }

    /// Ends the process; gives what it has said, and the folder with all that it knew.
    async fn stop(self) -> (String, TempDir) {
        self.up.signal("TERM").await;
        let (status, said) = self.up.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "{status}\n{said}");
        assert!(!said.contains("778899") && !said.contains("6281288880001"), "a code or a number is in the log");
        (said, self.data)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn otp_links_sends_and_forgets() {
    let world = World::start().await;
    let otp = &world.otp;
    let (status, made) = otp.post("/api/sessions/create", json!({"sessionId": "test-session"})).await;
    assert_eq!(status, 201, "{made}");
    let code = |status, body: &Value| (status == 200).then(|| body["data"]["qr"].clone());
    let picture = otp.until("QR code", 30, "/api/sessions/test-session/qr", code).await;
    world.scan(&picture, "6281100000081").await;
    let connected = |_, body: &Value| (body["data"]["isConnected"] == true).then_some(());
    otp.until("connection", 30, "/api/sessions/test-session/status", connected).await;

    let text = json!({"to": "081288880001", "message": "Test message"});
    let (status, sent) = otp.post("/api/messages/test-session/text", text).await;
    assert_eq!((status, &sent["success"], &sent["data"]["status"]), (200, &json!(true), &json!("sent")), "{sent}");
    let (_, sent) = otp.post("/api/messages/test-session/otp", json!({"to": "81288880001", "otp": "778899"})).await;
    assert_eq!(sent["data"]["otp"], "778899", "{sent}");
    let texts = world.texts("6281288880001", 2).await;
    assert_eq!(texts[0], "Test message");
    assert!(texts[1].contains("778899"), "{texts:?}");
    let (status, late) = otp.post("/api/messages/test-session/otp", json!({"to": "081288880001"})).await;
    assert_eq!(status, 429, "{late}");
    let (_, stats) = otp.get("/api/webhook/stats").await;
    assert_eq!((&stats["data"]["totalOTPSent"], &stats["data"]["activeSessions"]), (&json!(2), &json!(1)), "{stats}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waziper_makes_an_instance_and_sends() {
    let mut world = World::start().await;
    let (_, made) = world.waziper.get("/generate-instance-id").await;
    let id = made["instance_id"].as_str().unwrap().to_owned();
    let call = format!("access_token={KEY}&instance_id={id}");
    let code = |status, body: &Value| (status == 200).then(|| body["qrcode"].clone());
    let picture = world.waziper.until("QR code", 30, &format!("/get_qrcode?{call}"), code).await;
    let line = format!("Creating new WhatsApp socket for instance: {id}");
    world.up.line("word in the log", |said| said.contains(&line).then_some(())).await;
    world.scan(&picture, "6281100000082").await;
    let sent = |status, body: &Value| (status == 200 && body["status"] == "success").then(|| body.clone());
    let path = format!("/send?{call}&number=6281288880002&type=text&message=halo");
    let answer = world.waziper.until("a message sent", 30, &path, sent).await;
    assert!(answer["message_id"].as_str().is_some_and(|id| id.starts_with("3EB0")), "{answer}");
    assert_eq!(world.texts("6281288880002", 1).await[0], "halo");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_keeps_keys_apart_and_sends_from_the_named_session() {
    let world = World::start().await;
    let made = ureq::post(format!("{}/api/admin/apikeys/generate", world.multi))
        .header("X-Admin-Key", "admin123")
        .send_json(json!({"name": "My Company"}));
    let made: Value = made.unwrap().body_mut().read_json().unwrap();
    let multi = Client::new(&world.multi, Some(made["apiKey"].as_str().unwrap()));
    for (name, phone) in [("sales", "6281100000083"), ("support", "6281100000084")] {
        let code = |status, body: &Value| (status == 200).then(|| body["qr"].clone());
        let picture = multi.until("QR code", 30, &format!("/api/qr?sessionId={name}"), code).await;
        world.scan(&picture, phone).await;
        let connected = |_, body: &Value| (body["connected"] == true).then_some(());
        multi.until("connection", 30, &format!("/api/status?sessionId={name}"), connected).await;
    }
    for (name, text) in [("sales", "Hello from Sales!"), ("support", "Hello from Support!")] {
        let body = json!({"sessionId": name, "number": "6281288880003", "message": text});
        let (status, sent) = multi.post("/api/send-message", body).await;
        assert_eq!((status, &sent["status"]), (200, &json!("sent")), "{sent}");
    }
    assert_eq!(world.texts("6281288880003", 2).await, ["Hello from Sales!", "Hello from Support!"]);
    let (status, refused) = Client::new(&world.multi, None).get("/api/sessions").await;
    assert_eq!((status, &refused["code"]), (401, &json!("API_KEY_REQUIRED")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_links_a_session_sends_through_it_and_has_it_again_after_a_restart() {
    let world = World::start().await;
    let sessions = "/api/admin/whatsapp-sessions";
    let new = json!({
        "name": "DUDULURUN WhatsApp",
        "sessionId": "dudulurun_main",
        "phoneNumber": "6281100000085",
        "description": "Pendaftaran"
    });
    let (status, made) = world.main.post(sessions, new).await;
    assert_eq!((status, &made["data"]["isDefault"]), (201, &json!(true)), "{made}");
    let code = |status, body: &Value| (status == 200).then(|| body["data"]["qr"].clone());
    let picture = world.main.until("QR code", 30, &format!("{sessions}/dudulurun_main/qr"), code).await;
    world.scan(&picture, "6281100000085").await;
    let connected = |_, body: &Value| (body["data"]["isConnected"] == true).then(|| body["data"].clone());
    let path = format!("{sessions}/dudulurun_main");
    world.main.until("connection", 30, &path, connected).await;
    let send = json!({"to": "+6281288880004", "message": "Hello from default session!"});
    let (status, sent) = world.main.post(&format!("{sessions}/send"), send).await;
    assert_eq!((status, &sent["data"]["status"]), (200, &json!("sent")), "{sent}");
    assert_eq!(world.texts("6281288880004", 1).await, ["Hello from default session!"]);

    // Started again with what is on the disk, it is connected without another scan, and what was said of it is still known.
    let (_, data) = world.stop().await;
    let world = World::start_in(data).await;
    let again = world.main.until("connection after a restart", 60, &path, connected).await;
    for (field, value) in
        [("name", "DUDULURUN WhatsApp"), ("phoneNumber", "6281100000085"), ("description", "Pendaftaran")]
    {
        assert_eq!(again[field], value, "{again}");
    }
    let named = json!({"to": "+6281288880004", "message": "once more", "sessionName": "DUDULURUN WhatsApp"});
    let (status, sent) = world.main.post(&format!("{sessions}/send"), named).await;
    assert_eq!((status, &sent["data"]["status"]), (200, &json!("sent")), "{sent}");
    world.stop().await;
}
