//! Phones that survive every crash, and a kurir in one of its two shapes with one linked session.

use std::collections::BTreeMap;

use base64::Engine as _;
use kurir_core::memory::SystemEntropy;
use kurir_core::port::Entropy as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Client;
use crate::job::Job;
use crate::running::Running;
use crate::told::{Events, Told};

/// The phone that the session is linked to.
pub const OWN: &str = "6281900000001";

/// Behind it is what shows that a session goes on and has settled everything before.
const LAST: &str = "6281600000099";

pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`, which starts the servers"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Gateway, relay and worker, each a process, on RabbitMQ, Redis and PostgreSQL.
    Fleet,
    /// Everything in one process on SQLite.
    Embedded,
}

pub struct World {
    pub mode: Mode,
    pub tenant: String,
    pub session: String,
    pub sim: Client,
    gateway: Option<Client>,
    events: Events,
    environment: BTreeMap<String, String>,
    api_key: String,
    /// What lives as long as this world.
    beside: Vec<Running>,
    _folder: TempDir,
}

impl World {
    /// The simulator, and what follows events; settings may be laid over those of these tests.
    pub async fn start(mode: Mode, more: &[(&str, &str)]) -> Self {
        let tag = format!("{:08x}", SystemEntropy.nonce() & 0xffff_ffff);
        let mut key = [0; 32];
        SystemEntropy.fill(&mut key);
        let keys = format!("1:{}", base64::engine::general_purpose::STANDARD.encode(key));
        let tenant = format!("acme-{tag}");
        let api_key = format!("key-of-the-crash-test-{tag}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kurir.db");
        let mut settings: Vec<(&str, String)> = [
            ("KURIR_STORE__ENCRYPTION_KEYS", keys.as_str()),
            ("KURIR_FLEET__TENANT", &tenant),
            ("KURIR_GATEWAY__API_KEY", &api_key),
            ("KURIR_GATEWAY__LISTEN", "127.0.0.1:0"),
            ("KURIR_SIMULATOR__LISTEN", "127.0.0.1:0"),
            ("KURIR_SIMULATOR__CONTROL", "127.0.0.1:0"),
            // No receipts: what a job comes to is what its worker makes of it.
            ("KURIR_SIMULATOR__DELIVERED_AFTER", ""),
            ("KURIR_SIMULATOR__READ_AFTER", ""),
            ("KURIR_LIMITS__SENDER__EVERY", "10ms"),
            ("KURIR_LIMITS__SENDER__BURST", "20"),
            // As short as the relations between them allow, so that a successor comes soon.
            ("KURIR_WORKER__LEASE_TTL", "15s"),
            ("KURIR_WORKER__RENEW_EVERY", "1500ms"),
            ("KURIR_WORKER__SCAN_EVERY", "300ms"),
            ("KURIR_WORKER__ACK_PATIENCE", "8s"),
            ("KURIR_WORKER__STOP_DEADLINE", "14s"),
            ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "6s"),
            ("KURIR_RELAY__AGE", "7s"),
            ("KURIR_RELAY__SWEEP_EVERY", "300ms"),
            // One after another, so that what was sent last tells that all before it is settled.
            ("KURIR_WORKER__WINDOW_OTP", "1"),
            ("KURIR_LOG__FORMAT", "json"),
            ("KURIR_LOG__FILTER", "info,kurir_workers=debug"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        settings.extend(match mode {
            Mode::Embedded => vec![
                ("KURIR_STORE__KIND", "sqlite".to_owned()),
                ("KURIR_SQLITE__PATH", file.to_str().unwrap().to_owned()),
            ],
            Mode::Fleet => vec![
                ("KURIR_STORE__KIND", "postgres".to_owned()),
                ("KURIR_POSTGRES__URL", variable("KURIR_TEST_POSTGRES_URL")),
                ("KURIR_POSTGRES__SCHEMA", format!("crash_{tag}")),
                ("KURIR_RABBITMQ__URL", variable("KURIR_TEST_AMQP_URL")),
                ("KURIR_REDIS__URL", variable("KURIR_TEST_REDIS_URL")),
                ("KURIR_REDIS__PREFIX", format!("crash_{tag}")),
            ],
        });
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut environment: BTreeMap<String, String> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();

        let mut sim = Running::start("sim", &["sim"], &environment);
        let endpoint = sim.line("address for clients", |line| word_after(line, "clients connect to ")).await;
        let page = sim.line("address of the page", |line| word_after(line, "control and page at ")).await;
        environment.insert("KURIR_WHATSAPP__ENDPOINT".into(), endpoint);
        let mut beside = vec![sim];
        let events = match mode {
            Mode::Embedded => Events::Read(file),
            Mode::Fleet => {
                beside.push(Running::start("relay", &["relay"], &environment));
                Events::follow(&tenant).await
            }
        };
        Self {
            mode,
            session: format!("s-{tag}"),
            sim: Client::new(&page, None),
            gateway: None,
            events,
            environment,
            api_key,
            tenant,
            beside,
            _folder: folder,
        }
    }

    fn run(&self, role: &str, point: Option<&str>) -> Running {
        let mut environment = self.environment.clone();
        environment.extend(point.map(|point| ("KURIR_CRASH_AT".to_owned(), point.to_owned())));
        Running::start(role, &[role], &environment)
    }

    /// Starts what takes jobs from producers: the fleet's gateway, or all that there is. It dies at the point, if one is
    /// given.
    pub async fn front(&mut self, point: Option<&str>) -> Running {
        let mut front = self.run(if self.mode == Mode::Fleet { "gateway" } else { "up" }, point);
        let address = front
            .line("address", |line| {
                if let Some(address) = line.strip_prefix("gateway ") {
                    return Some(address.to_owned());
                }
                let line: Value = serde_json::from_str(line).ok()?;
                let address = line["address"].as_str().filter(|_| line["message"] == "gateway started");
                address.map(|address| format!("http://{address}"))
            })
            .await;
        self.gateway = Some(Client::new(&address, Some(&self.api_key)));
        front
    }

    /// Starts what sends: a worker, with a gateway if there is none yet, or all that there is. It dies at the point, if
    /// one is given.
    pub async fn sender(&mut self, point: Option<&str>) -> Running {
        if self.mode == Mode::Embedded {
            return self.front(point).await;
        }
        if self.gateway.is_none() {
            let gateway = self.front(None).await;
            self.beside.push(gateway);
        }
        self.run("worker", point)
    }

    /// The same, of one that may die so soon that it never says where it serves.
    pub fn doomed(&self, point: &str) -> Running {
        self.run(if self.mode == Mode::Fleet { "worker" } else { "up" }, Some(point))
    }

    pub const fn gateway(&self) -> &Client {
        self.gateway.as_ref().expect("something was started that serves HTTP")
    }

    /// Creates the session and links it as a person would.
    pub async fn link(&self) {
        let (status, answer) = self.gateway().post("/v1/sessions", json!({"id": self.session})).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let path = format!("/v1/sessions/{}/qr?format=json", self.session);
        // A code may end between the look and the scan; a person takes the next one then, and so does this.
        for attempt in 1.. {
            let text = |body: &Value| body["qr"]["text"].as_str().or(body["text"].as_str()).map(str::to_owned);
            let qr = self.gateway().until("QR code", &path, |(_, body)| text(body)).await;
            let (status, answer) = self.sim.post("/scan", json!({"qr": qr, "phone": OWN})).await.unwrap();
            if status == 200 {
                break;
            }
            assert!(status == 404 && attempt < 5, "{status} {answer}");
        }
        let path = format!("/v1/sessions/{}", self.session);
        self.gateway().until("connection", &path, |(_, body)| (body["state"] == "connected").then_some(())).await;
    }

    /// Hands a job to the gateway; `None` when that died meanwhile.
    pub async fn publish(&self, job: &Job) -> Option<u16> {
        let (status, answer) = self.gateway().post("/v1/messages", job.request(&self.session)).await?;
        assert!(matches!(status, 200 | 202), "{status} {answer}");
        Some(status)
    }

    /// All events so far.
    pub async fn told(&self) -> Vec<Told> {
        self.events.so_far().await
    }

    /// The broker of a fleet.
    pub const fn broker(&self) -> &kurir::adapters::rabbitmq::RabbitMq {
        self.events.broker().expect("only a fleet has a broker")
    }

    /// The session's next message reaches its phone, and WhatsApp's answer to it never comes.
    pub async fn next_answer_is_lost(&self) {
        let silence = json!({"kind": "no_ack", "from": OWN, "deliver": true, "times": 1});
        let (status, answer) = self.sim.post("/faults", silence).await.unwrap();
        assert_eq!(status, 200, "{answer}");
    }

    /// Sends one job more, which comes last, and judges the whole run by what the phones got: nothing was shown twice,
    /// no key was used twice, nothing was late.
    pub async fn settles(&self) {
        let last = Job::to(LAST);
        self.publish(&last).await;
        last.is_sent(self).await;
        last.arrives(self).await;
        assert_eq!(last.got(self).await.shown, 1);
        let (status, audit) = self.sim.get("/audit").await;
        assert_eq!((status, &audit["complete"]), (200, &Value::Bool(true)), "{audit}");
        for wrong in ["shown_twice", "late", "keys_used_twice", "overlaps"] {
            assert_eq!(audit["totals"][wrong], 0, "{wrong}: {audit}");
        }
    }
}

fn word_after(line: &str, words: &str) -> Option<String> {
    let start = line.find(words)? + words.len();
    line[start..].split([' ', ',', '"']).next().map(str::to_owned)
}
