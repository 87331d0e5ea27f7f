//! A kurir in one process with simulated phones, and its tools.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::running::Running;

/// The phone that sessions are linked to.
const OWN: &str = "6281900000001";

const KEY: &str = "key-of-the-tools-0123456789";

/// How long one call of a tool may take.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct World {
    pub folder: TempDir,
    pub url: String,
    pub phones: String,
    _kurir: Running,
}

/// What a tool has said.
#[derive(Debug)]
pub struct Said {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One JSON value a line.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:?}"))).collect()
    }

    pub fn good(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    pub fn bad(self, status: i32, word: &str) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(self.err.contains(word), "{word} is not in {self:?}");
        self
    }
}

impl World {
    pub async fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let settings = [
            format!("sqlite.path={}", at("kurir.db")),
            format!("store.encryption_keys_file={}", at("keys")),
            format!("gateway.api_key={KEY}"),
            "gateway.listen=127.0.0.1:0".to_owned(),
            "simulator.listen=127.0.0.1:0".to_owned(),
            "simulator.control=127.0.0.1:0".to_owned(),
            "fleet.default_country=62".to_owned(),
            "limits.sender.every=0s".to_owned(),
            "limits.sender.per_day=0".to_owned(),
            "limits.sender.warm_up=".to_owned(),
            "limits.sender.cold_per_day=0".to_owned(),
            "limits.numbers.every=0s".to_owned(),
            "worker.scan_every=300ms".to_owned(),
            "log.filter=warn".to_owned(),
        ];
        let mut line = vec!["up"];
        for setting in settings.iter().map(String::as_str).chain(more.iter().copied()) {
            line.extend(["--set", setting]);
        }
        let nothing: [(&str, &str); 0] = [];
        let mut kurir = Running::start("up", &line, nothing);
        let behind = |word: &'static str| move |line: &str| line.strip_prefix(word).map(|rest| rest.trim().to_owned());
        let url = kurir.line("address of the gateway", behind("gateway ")).await;
        let phones = kurir.line("address of the phones", behind("phones ")).await;
        Self { folder, url, phones, _kurir: kurir }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kurir"));
        command.args(line).current_dir(self.folder.path()).env_clear().envs(self.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    pub fn environment(&self) -> [(&'static str, String); 2] {
        [("KURIR_URL", self.url.clone()), ("KURIR_API_KEY", KEY.to_owned())]
    }

    /// Runs a tool to its end.
    pub async fn run(&self, line: &[&str]) -> Said {
        self.run_with(line, "", &[]).await
    }

    /// Runs a tool that reads this, with more in its environment.
    pub async fn run_with(&self, line: &[&str], input: &str, environment: &[(&str, &str)]) -> Said {
        let mut child = self.command(line).envs(environment.iter().copied()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A tool that reads nothing may have ended.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("{line:?} did not end")).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts a tool that goes on.
    pub fn begin(&self, line: &[&str]) -> Running {
        Running::start(line[0], line, self.environment())
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn read(&self, name: &str) -> String {
        let path: &Path = &self.folder.path().join(name);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// The phone scans a code.
    pub async fn scan(&self, code: &str) {
        let (url, body) = (format!("{}/scan", self.phones), json!({"qr": code, "phone": OWN}));
        let answered = move || {
            ureq::post(&url).send_json(body).unwrap_or_else(|error| panic!("scan: {error}"));
        };
        tokio::task::spawn_blocking(answered).await.unwrap();
    }

    /// A code is typed on the phone.
    pub async fn types(&self, code: &str) {
        let (url, body) = (format!("{}/phones/{OWN}/pair-code", self.phones), json!({"code": code}));
        let answered = move || {
            ureq::post(&url).send_json(body).unwrap_or_else(|error| panic!("pair-code: {error}"));
        };
        tokio::task::spawn_blocking(answered).await.unwrap();
    }

    /// A session that is linked and connected, made by the tools.
    pub async fn linked(&self, session: &str) {
        self.run(&["sessions", "create", session]).await.good();
        let mut qr = self.begin(&["sessions", "qr", session, "--output", "json"]);
        let code = qr.line("code", |line| Some(serde_json::from_str::<Value>(line).ok()?["text"].as_str()?.to_owned()));
        let code = code.await;
        self.scan(&code).await;
        let (status, said) = qr.ended(PATIENCE).await;
        assert!(status.success(), "{said}");
        let started = tokio::time::Instant::now();
        while self.run(&["sessions", "get", session, "--output", "json"]).await.good().json()["state"] != "connected" {
            assert!(started.elapsed() < PATIENCE, "{session} does not connect");
        }
    }

    /// What a phone shows, once it shows something: WhatsApp's server has a message before the phone.
    pub async fn inbox(&self, number: &str) -> Vec<Value> {
        let begun = tokio::time::Instant::now();
        loop {
            let shown = self.shown(number).await;
            if !shown.is_empty() {
                return shown;
            }
            assert!(begun.elapsed() < PATIENCE, "{number} shows nothing");
            tokio::task::yield_now().await;
        }
    }

    async fn shown(&self, number: &str) -> Vec<Value> {
        let url = format!("{}/phones/{number}/inbox", self.phones);
        let asked = move || {
            let mut answer = ureq::get(&url).call().ok()?;
            serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
        };
        tokio::task::spawn_blocking(asked).await.unwrap().unwrap_or_default()
    }
}
