//! A fleet of one process with its simulator, and each dialect on an address of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use kurir::config::DIALECTS;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::running::Running;

/// The key of the fleet's tenant.
pub const KEY: &str = "key-of-the-dialects-test-8c1f";

/// Who may make keys of the dialect `multi`; as in its manual.
const ADMIN_KEY: &str = "admin123";

pub struct World {
    pub up: Running,
    pub phones: Client,
    /// The main address.
    pub gateway: String,
    /// A caller of kurir's own interface, of the fleet's tenant.
    pub own: Client,
    pub data: TempDir,
    addresses: BTreeMap<&'static str, String>,
}

impl World {
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    /// With what is in this folder.
    pub async fn start_in(data: TempDir) -> Self {
        let folder = data.path().to_str().expect("temporary folders have plain names");
        let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
        let settings = [
            format!("sqlite.path={folder}/kurir.db"),
            format!("store.encryption_keys_file={folder}/encryption.keys"),
            format!("simulator.state={folder}/simulator"),
            "gateway.listen=127.0.0.1:0".into(),
            "simulator.listen=127.0.0.1:0".into(),
            "simulator.control=127.0.0.1:0".into(),
            "limits.sender.every=10ms".into(),
            "worker.scan_every=300ms".into(),
            // Numbers that end with 0000 are not on WhatsApp.
            "simulator.magic_endings=true".into(),
            "dialects.own_ports=all".into(),
            // A busy machine takes its time; the tests' own client gives up after 20 s.
            "dialects.send_wait=18s".into(),
            "dialects.qr_wait=18s".into(),
        ];
        let listen = DIALECTS.map(|dialect| format!("dialects.{dialect}.listen=127.0.0.1:0"));
        for setting in settings.into_iter().chain(listen) {
            arguments.extend(["--set".to_owned(), setting]);
        }
        let environment = [("KURIR_GATEWAY__API_KEY", KEY), ("KURIR_DIALECTS__MULTI__ADMIN_KEY", ADMIN_KEY)];
        let mut up = Running::start("up", &arguments, environment);
        let mut addresses = BTreeMap::new();
        for dialect in DIALECTS {
            let what = format!("dialect served dialect={dialect} address=");
            let found = |line: &str| Some(line.split_once(&what)?.1.trim().to_owned());
            addresses.insert(dialect, format!("http://{}", up.line("dialect's address", found).await));
        }
        let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
        let gateway = up.line("gateway's address", after("gateway ")).await;
        let gateway = gateway.trim_end_matches('/').to_owned();
        let phones = up.line("phones' address", after("phones ")).await;
        let phones = Client::new(phones.trim_end_matches('/'), None);
        let own = Client::new(&gateway, Some(KEY));
        Self { up, phones, gateway, own, data, addresses }
    }

    /// Where a dialect has its own address.
    pub fn address(&self, dialect: &str) -> &str {
        &self.addresses[dialect]
    }

    /// A caller of a dialect without a key.
    pub fn dialect(&self, dialect: &str) -> Client {
        Client::new(self.address(dialect), None)
    }

    /// A caller of `multi` with this key.
    pub fn multi(&self, key: &str) -> Client {
        Client::new(self.address("multi"), Some(key))
    }

    /// A caller of kurir's own interface with this key.
    pub fn native(&self, key: &str) -> Client {
        Client::new(&self.gateway, Some(key))
    }

    /// A new key of the dialect `multi`.
    pub fn multi_key(&self, name: &str) -> String {
        let made = ureq::post(format!("{}/api/admin/apikeys/generate", self.address("multi")))
            .header("X-Admin-Key", ADMIN_KEY)
            .send_json(json!({ "name": name }));
        let made: Value = made.unwrap().body_mut().read_json().unwrap();
        made["apiKey"].as_str().unwrap().to_owned()
    }

    /// A phone scans a picture; gives the number of the device that is linked now.
    pub async fn scan(&self, picture: &Value, phone: &str) -> u64 {
        let picture = picture.as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
        let (status, answer) = self.phones.post("/scan", json!({"image": picture, "phone": phone})).await;
        assert_eq!(status, 200, "{answer}");
        answer["device"].as_u64().unwrap_or_else(|| panic!("no device: {answer}"))
    }

    /// Links a session of the dialect `otp` that is there; gives the device's number.
    pub async fn link_otp(&self, id: &str, phone: &str) -> u64 {
        let code = |status, body: &Value| (status == 200).then(|| body["data"]["qr"].clone());
        let otp = self.dialect("otp");
        let picture = otp.until("QR code", 60, &format!("/api/sessions/{id}/qr"), code).await;
        let device = self.scan(&picture, phone).await;
        self.otp_is(id, "connected").await;
        device
    }

    /// Waits until the dialect `otp` says this of a session.
    pub async fn otp_is(&self, id: &str, status: &str) {
        let is = |_, body: &Value| (body["data"]["status"] == status).then_some(());
        self.dialect("otp").until(status, 60, &format!("/api/sessions/{id}/status"), is).await;
    }

    /// Makes and links a session of a caller of the dialect `multi`; gives the device's number.
    pub async fn link_multi(&self, multi: &Client, name: &str, phone: &str) -> u64 {
        let code = |status, body: &Value| (status == 200).then(|| body["qr"].clone());
        let picture = multi.until("QR code", 60, &format!("/api/qr?sessionId={name}"), code).await;
        let device = self.scan(&picture, phone).await;
        let connected = |_, body: &Value| (body["connected"] == true).then_some(());
        multi.until("connection", 60, &format!("/api/status?sessionId={name}"), connected).await;
        device
    }

    /// The devices that are linked to a phone now.
    pub async fn devices(&self, phone: &str) -> Vec<Value> {
        let (_, accounts) = self.phones.get(&format!("/accounts?search={phone}")).await;
        accounts[0]["devices"].as_array().cloned().unwrap_or_default()
    }

    /// A phone's owner logs a device out.
    pub async fn log_out(&self, phone: &str, device: u64) {
        let (status, answer) =
            self.phones.post(&format!("/accounts/{phone}/devices/{device}/logout"), Value::Null).await;
        assert_eq!(status, 204, "{answer}");
    }

    /// The texts that a phone shows, once there are so many.
    pub async fn texts(&self, number: &str, count: usize) -> Vec<String> {
        let all = |_, body: &Value| {
            let texts = body.as_array()?.iter().filter_map(|message| message["text"].as_str().map(str::to_owned));
            Some(texts.collect::<Vec<_>>()).filter(|texts| texts.len() >= count)
        };
        self.phones.until("text on the phone", 30, &format!("/phones/{number}/inbox"), all).await
    }

    /// Ends it; gives what it said, in which there is no number and no code of a test.
    pub async fn stop(self) -> String {
        self.stop_keeping().await.0
    }

    /// The same, and the folder with all that it knew.
    pub async fn stop_keeping(self) -> (String, TempDir) {
        self.up.signal("TERM").await;
        let (status, said) = self.up.ended(Duration::from_mins(1)).await;
        assert!(status.success(), "{status}\n{said}");
        for secret in ["778899", "6281288880001", "628123456789"] {
            assert!(!said.contains(secret), "a code or a number is in the log");
        }
        (said, self.data)
    }
}

/// The events of an answer of `/v1/events`.
pub fn events(stream: &Value) -> Vec<Value> {
    let lines = stream.as_str().expect("a stream is text").lines();
    let data = lines.filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok())
        .filter(|event| event["type"].is_string())
        .collect()
}
