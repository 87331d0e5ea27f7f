//! `kurir up` with an operator of its admin page.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::http::Client;
use crate::running::Running;

/// A key of `/v1` with all rights.
pub const KEY: &str = "key-of-the-admin-test-5b7e";

/// Who signs in.
pub const USER: &str = "operator";
pub const PASSWORD: &str = "a long enough password";

pub struct World {
    up: Running,
    /// The gateway's address.
    pub base: String,
    /// The same, over `/v1`.
    pub gateway: Client,
    pub phones: Client,
    /// The phones' address.
    pub phones_url: String,
    _data: TempDir,
}

impl World {
    pub async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().expect("temporary folders have plain names");
        let mut settings = vec!["--config".to_owned(), "config/embedded.toml".into()];
        for setting in [
            format!("sqlite.path={folder}/kurir.db"),
            format!("store.encryption_keys_file={folder}/encryption.keys"),
            "gateway.listen=127.0.0.1:0".into(),
            "simulator.listen=127.0.0.1:0".into(),
            "simulator.control=127.0.0.1:0".into(),
            "fleet.default_country=62".into(),
            "limits.sender.every=10ms".into(),
            "worker.scan_every=300ms".into(),
        ] {
            settings.extend(["--set".to_owned(), setting]);
        }
        // Its first start makes the database. A tool needs it for itself.
        let (made, ..) = up(&settings).await;
        ended(made).await;
        add_user(&settings).await;
        let (up, base, phones) = self::up(&settings).await;
        let phones_url = phones.trim_end_matches('/').to_owned();
        let (gateway, phones) = (Client::new(&base, Some(KEY)), Client::new(&phones_url, None));
        Self { up, base, gateway, phones, phones_url, _data: data }
    }

    /// Creates a session and links it to a phone, over `/v1`.
    pub async fn link(&self, id: &str, phone: &str) {
        let (status, made) = self.gateway.post("/v1/sessions", json!({ "id": id })).await;
        assert_eq!(status, 201, "{made}");
        let path = format!("/v1/sessions/{id}/qr?format=json");
        let code = |status, body: &Value| (status == 200).then(|| body["text"].clone());
        let code = self.gateway.until("QR code", 30, &path, code).await;
        let (status, answer) = self.phones.post("/scan", json!({ "qr": code, "phone": phone })).await;
        assert_eq!(status, 200, "{answer}");
        let connected = |_, body: &Value| (body["state"] == "connected").then_some(());
        self.gateway.until("connection", 30, &format!("/v1/sessions/{id}"), connected).await;
    }

    /// A phone scans a picture.
    pub async fn scan(&self, picture: &Value, phone: &str) {
        let (status, answer) = self.phones.post("/scan", json!({ "image": picture, "phone": phone })).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A phone's owner logs out all that is linked to it.
    pub async fn log_out(&self, phone: &str) {
        let (_, accounts) = self.phones.get(&format!("/accounts?search={phone}")).await;
        let devices = accounts[0]["devices"].as_array().unwrap_or_else(|| panic!("no devices: {accounts}")).clone();
        assert!(!devices.is_empty(), "{accounts}");
        for device in devices {
            let id = &device["id"];
            let (status, answer) = self.phones.post(&format!("/accounts/{phone}/devices/{id}/logout"), json!({})).await;
            assert_eq!(status, 204, "{answer}");
        }
    }

    /// Stops it all; nothing secret is in what it said.
    pub async fn stop(self, secrets: &[&str]) {
        let said = ended(self.up).await;
        for secret in secrets.iter().chain([&PASSWORD]) {
            assert!(!said.contains(secret), "{secret} is in the log");
        }
    }
}

/// Starts it; gives the addresses of the gateway and of the phones.
async fn up(settings: &[String]) -> (Running, String, String) {
    let arguments: Vec<_> = std::iter::once("up".to_owned()).chain(settings.iter().cloned()).collect();
    let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", KEY)]);
    let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
    let gateway = up.line("gateway's address", after("gateway ")).await;
    let phones = up.line("phones' address", after("phones ")).await;
    (up, gateway, phones)
}

/// Stops it; gives all that it has said.
async fn ended(up: Running) -> String {
    up.signal("TERM").await;
    let (status, said) = up.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{said}");
    said
}

async fn add_user(settings: &[String]) {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_kurir"))
        .args(["users", "add", USER, "--password-stdin"])
        .args(settings)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kurir is built with the tests");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await.unwrap();
    drop(stdin);
    let ended = child.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
