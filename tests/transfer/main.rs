//! Sessions that are exported, imported and called otherwise by commands, while what holds them runs: two processes alone, each
//! with a file of its own, against one simulator. Whether the keys were whole is judged by phones that really decrypt.
#![cfg(feature = "simulator")]

#[path = "../fleet/http.rs"]
mod http;
#[path = "../process/running.rs"]
mod running;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use http::Client;
use running::Running;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "key-of-the-transfer-test-3d07";
const PHONE: &str = "6281100000061";
const PASSPHRASE: &str = "correct horse battery";

/// WhatsApp, as far as phones and servers go.
struct WhatsApp {
    simulator: Running,
    endpoint: String,
    phones: Client,
}

impl WhatsApp {
    async fn start() -> Self {
        let settings = ["simulator.listen=127.0.0.1:0", "simulator.control=127.0.0.1:0"];
        let arguments: Vec<_> =
            ["sim"].into_iter().chain(settings.iter().flat_map(|setting| ["--set", setting])).collect();
        let mut simulator = Running::start("simulator", &arguments, std::iter::empty::<(&str, &str)>());
        let told = |line: &str| {
            let rest = line.split_once("clients connect to ")?.1;
            let (clients, page) = rest.split_once(", control and page at ")?;
            Some((clients.to_owned(), page.trim().trim_end_matches('/').to_owned()))
        };
        let (endpoint, page) = simulator.line("addresses", told).await;
        Self { simulator, endpoint, phones: Client::new(&page, None) }
    }

    /// The texts that a phone shows, once there are so many.
    async fn texts(&self, number: &str, count: usize) -> Vec<String> {
        let all = |_, body: &Value| {
            let texts = body.as_array()?.iter().filter_map(|message| message["text"].as_str().map(str::to_owned));
            Some(texts.collect::<Vec<_>>()).filter(|texts| texts.len() >= count)
        };
        self.phones.until("text on the phone", 60, &format!("/phones/{number}/inbox"), all).await
    }

    async fn stop(self) {
        self.simulator.signal("TERM").await;
        let (status, said) = self.simulator.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "{status}\n{said}");
    }
}

/// One kurir alone, with its file.
struct House {
    folder: TempDir,
    endpoint: String,
    up: Running,
    gateway: Client,
}

impl House {
    async fn start(whatsapp: &WhatsApp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = [vec!["up".to_owned()], settings(folder.path(), &whatsapp.endpoint)].concat();
        let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", KEY)]);
        let after = |line: &str| line.strip_prefix("gateway ").map(|url| url.trim().to_owned());
        let gateway = Client::new(&up.line("gateway's address", after).await, Some(KEY));
        Self { folder, endpoint: whatsapp.endpoint.clone(), up, gateway }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `kurir sessions …` on this file, while the process has it.
    async fn sessions(&self, arguments: &[&str]) -> Output {
        self.sessions_with(PASSPHRASE, arguments).await
    }

    async fn sessions_with(&self, passphrase: &str, arguments: &[&str]) -> Output {
        let run = tokio::process::Command::new(env!("CARGO_BIN_EXE_kurir"))
            .arg("sessions")
            .args(arguments)
            .args(settings(self.folder.path(), &self.endpoint))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_clear()
            .env("KURIR_PASSPHRASE", passphrase)
            .output();
        run.await.expect("kurir is built with the tests")
    }

    async fn link(&self, whatsapp: &WhatsApp, id: &str) {
        let (status, made) =
            self.gateway.post("/v1/sessions", json!({"id": id, "name": "Toko", "default": true})).await;
        assert_eq!(status, 201, "{made}");
        let code = |status, body: &Value| (status == 200).then(|| body["png"].as_str().map(str::to_owned)).flatten();
        let picture = self.gateway.until("QR code", 60, &format!("/v1/sessions/{id}/qr?format=json"), code).await;
        let image = picture.trim_start_matches("data:image/png;base64,");
        let (status, answer) = whatsapp.phones.post("/scan", json!({"image": image, "phone": PHONE})).await;
        assert_eq!(status, 200, "{answer}");
        self.connected(id).await;
    }

    async fn connected(&self, id: &str) {
        let connected = |_, body: &Value| (body["state"] == "connected" && body["wanted"] == "running").then_some(());
        self.gateway.until("connection", 60, &format!("/v1/sessions/{id}"), connected).await;
    }

    async fn send(&self, id: &str, to: &str, text: &str) {
        let message = json!({"session": id, "to": to, "content": {"type": "text", "text": text}});
        let (status, sent) = self.gateway.post("/v1/messages?wait=sent&timeout=30", message).await;
        // The phone may have it by the time that the answer is written.
        let on_its_way = ["sent", "delivered", "read"].contains(&sent["state"].as_str().unwrap_or_default());
        assert!(status == 200 && on_its_way, "{status}: {sent}");
    }

    async fn stop(self) {
        self.up.signal("TERM").await;
        let (status, said) = self.up.ended(Duration::from_secs(30)).await;
        assert!(status.success(), "{status}\n{said}");
        assert!(!said.contains("6281288880061"), "a number is in the log");
    }
}

fn settings(folder: &Path, endpoint: &str) -> Vec<String> {
    let folder = folder.to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["--config".to_owned(), "config/embedded.toml".into()];
    for setting in [
        format!("sqlite.path={folder}/kurir.db"),
        format!("store.encryption_keys_file={folder}/encryption.keys"),
        format!("whatsapp.endpoint={endpoint}"),
        "gateway.listen=127.0.0.1:0".into(),
        "limits.sender.every=10ms".into(),
        "worker.scan_every=300ms".into(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    arguments
}

fn done(output: &Output) -> String {
    let said = told(output);
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert!(!said.contains(PASSPHRASE) && !said.contains(PHONE), "a secret was told: {said}");
    said
}

/// A refusal that says this.
fn refused(output: &Output, why: &str) {
    let said = told(output);
    assert!(!output.status.success() && said.contains(why), "{}\n{said}", output.status);
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_moves_to_another_house_without_a_scan() {
    let whatsapp = WhatsApp::start().await;
    let (here, there) = (House::start(&whatsapp).await, House::start(&whatsapp).await);
    here.link(&whatsapp, "toko-1").await;
    here.send("toko-1", "6281288880061", "satu").await;
    let file = here.file("toko-1.session");
    let path = file.to_str().unwrap();

    refused(&here.sessions(&["export", "toko-1", "--out", path]).await, "wanted running");
    refused(&here.sessions(&["export", "no-such", "--out", path, "--stop"]).await, "there is no session");
    refused(&here.sessions_with("short", &["export", "toko-1", "--out", path, "--stop"]).await, "fewer than 8");
    here.connected("toko-1").await;
    assert!(!file.exists());
    let backup = here.file("backup.session");
    let said = done(&here.sessions(&["export", "toko-1", "--out", backup.to_str().unwrap(), "--copy"]).await);
    assert!(said.contains("damaged"), "{said}");
    here.send("toko-1", "6281288880061", "dua").await;

    done(&here.sessions(&["export", "toko-1", "--out", path, "--stop", "--remove"]).await);
    let (status, gone) = here.gateway.get("/v1/sessions/toko-1").await;
    assert_eq!(status, 404, "{gone}");
    refused(&here.sessions(&["export", "toko-1", "--out", path, "--stop"]).await, "is there already");

    refused(&there.sessions_with("wrong passphrase", &["import", path]).await, "passphrase is wrong");
    let cut = there.file("cut.session");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    refused(&there.sessions(&["import", cut.to_str().unwrap()]).await, "cut off");
    let (_, list) = there.gateway.get("/v1/sessions").await;
    assert_eq!(list["sessions"], json!([]), "nothing was entered");

    done(&there.sessions(&["import", path, "--id", "cabang-1"]).await);
    let (_, entered) = there.gateway.get("/v1/sessions/cabang-1").await;
    assert_eq!((&entered["wanted"], &entered["name"]), (&json!("stopped"), &json!("Toko")), "{entered}");
    refused(&there.sessions(&["import", path, "--id", "cabang-1"]).await, "there is a session cabang-1");
    refused(&there.sessions(&["import", path, "--id", "cabang-2"]).await, "same device");
    done(&there.sessions(&["import", path, "--id", "cabang-1", "--replace", "--start"]).await);
    there.connected("cabang-1").await;
    there.send("cabang-1", "6281288880061", "tiga").await;
    there.send("cabang-1", "6281288880062", "empat").await;
    assert_eq!(whatsapp.texts("6281288880061", 3).await, ["satu", "dua", "tiga"]);
    assert_eq!(whatsapp.texts("6281288880062", 1).await, ["empat"]);
    here.stop().await;
    there.stop().await;
    whatsapp.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gets_another_id_while_it_runs() {
    let whatsapp = WhatsApp::start().await;
    let house = House::start(&whatsapp).await;
    house.link(&whatsapp, "toko-1").await;
    house.send("toko-1", "6281288880061", "satu").await;
    let (status, made) = house.gateway.post("/v1/sessions", json!({"id": "taken", "start": false})).await;
    assert_eq!(status, 201, "{made}");
    refused(&house.sessions(&["change-id", "toko-1", "taken"]).await, "there is a session taken");
    house.connected("toko-1").await;

    done(&house.sessions(&["change-id", "toko-1", "toko-pusat"]).await);
    house.connected("toko-pusat").await;
    house.send("toko-pusat", "6281288880061", "dua").await;
    let (_, default) = house.gateway.get("/v1/sessions/default").await;
    assert_eq!((&default["id"], &default["name"]), (&json!("toko-pusat"), &json!("Toko")), "{default}");
    let (status, gone) = house.gateway.get("/v1/sessions/toko-1").await;
    assert_eq!(status, 404, "{gone}");
    let (_, sent) = house.gateway.get("/v1/messages?session=toko-pusat").await;
    assert_eq!(sent["messages"].as_array().map(Vec::len), Some(2), "{sent}");

    // What waits while it is stopped goes with it.
    let (status, stopping) = house.gateway.post("/v1/sessions/toko-pusat/stop", json!({})).await;
    assert_eq!(status, 202, "{stopping}");
    let let_go = |_, body: &Value| body["worker"].is_null().then_some(());
    house.gateway.until("end of the stop", 60, "/v1/sessions/toko-pusat", let_go).await;
    let waiting = json!({"session": "toko-pusat", "to": "6281288880061", "content": {"type": "text", "text": "tiga"}});
    let (status, queued) = house.gateway.post("/v1/messages", waiting).await;
    assert_eq!(status, 202, "{queued}");
    done(&house.sessions(&["change-id", "toko-pusat", "toko-baru", "--start"]).await);
    house.connected("toko-baru").await;
    assert_eq!(whatsapp.texts("6281288880061", 3).await, ["satu", "dua", "tiga"]);
    refused(&house.sessions(&["change-id", "toko-1", "toko-2"]).await, "there is no session toko-1");
    done(&house.sessions(&["change-id", "toko-pusat", "toko-baru"]).await);
    house.send("toko-baru", "6281288880061", "empat").await;
    assert_eq!(whatsapp.texts("6281288880061", 4).await.len(), 4, "each once");
    house.stop().await;
    whatsapp.stop().await;
}
