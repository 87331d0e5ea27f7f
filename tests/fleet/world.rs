//! A fleet for one test: a schema, a prefix of keys and names of its own on the shared servers.

use std::collections::BTreeMap;

use base64::Engine as _;
use kurir::adapters::postgres::{PostgresOptions, PostgresStore};
use kurir_core::domain::{Keyring, Secret};
use kurir_core::memory::SystemEntropy;
use kurir_core::port::{Entropy as _, SessionStore};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

use crate::http::Client;
use crate::running::Running;

pub fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run the tests with `make test`, which starts the servers"))
}

/// SIGTERM, then waits for the process' end, which must be a good one; gives all that it has said.
pub async fn stop(role: Running) -> String {
    role.signal("TERM").await;
    let (status, said) = role.ended(Duration::from_mins(1)).await;
    assert!(status.success(), "{status}\n{said}");
    said
}

pub struct World {
    /// Makes names that no other test has.
    pub tag: String,
    pub tenant: String,
    pub environment: BTreeMap<String, String>,
    pub sim: Client,
    pub gateway: Client,
    keys: String,
    schema: String,
    _sim: Running,
    _gateway: Running,
}

impl World {
    /// Simulator and gateway; workers are started by the test.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with other settings, as variables of the environment.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let tag = format!("{:08x}", SystemEntropy.nonce() & 0xffff_ffff);
        let mut key = [0; 32];
        SystemEntropy.fill(&mut key);
        let keys = format!("1:{}", base64::engine::general_purpose::STANDARD.encode(key));
        let schema = format!("fleet_{tag}");
        let tenant = format!("acme-{tag}");
        let api_key = format!("key-of-the-fleet-test-{tag}");
        let mut environment: BTreeMap<String, String> = [
            ("KURIR_STORE__KIND", "postgres"),
            ("KURIR_STORE__ENCRYPTION_KEYS", &keys),
            ("KURIR_POSTGRES__URL", &variable("KURIR_TEST_POSTGRES_URL")),
            ("KURIR_POSTGRES__SCHEMA", &schema),
            ("KURIR_RABBITMQ__URL", &variable("KURIR_TEST_AMQP_URL")),
            ("KURIR_REDIS__URL", &variable("KURIR_TEST_REDIS_URL")),
            ("KURIR_REDIS__PREFIX", &schema),
            ("KURIR_FLEET__TENANT", &tenant),
            ("KURIR_GATEWAY__API_KEY", &api_key),
            ("KURIR_GATEWAY__LISTEN", "127.0.0.1:0"),
            ("KURIR_SIMULATOR__LISTEN", "127.0.0.1:0"),
            ("KURIR_SIMULATOR__CONTROL", "127.0.0.1:0"),
            ("KURIR_LIMITS__SENDER__EVERY", "10ms"),
            ("KURIR_LIMITS__SENDER__BURST", "20"),
            ("KURIR_LIMITS__SENDER__PER_DAY", "0"),
            ("KURIR_LIMITS__SENDER__WARM_UP", ""),
            ("KURIR_LIMITS__SENDER__COLD_PER_DAY", "0"),
            ("KURIR_WORKER__SCAN_EVERY", "500ms"),
            ("KURIR_WORKER__MOVE_RATE", "10"),
            ("KURIR_LOG__FORMAT", "json"),
        ]
        .iter()
        .chain(settings)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();

        let mut sim = Running::start("sim", &["sim"], &environment);
        let after = |line: &str, word: &str| {
            let start = line.find(word)? + word.len();
            line[start..].split([' ', ',', '"']).next().map(str::to_owned)
        };
        let endpoint = sim.line("address for clients", |line| after(line, "clients connect to ")).await;
        let page = sim.line("address of the page", |line| after(line, "control and page at ")).await;
        environment.insert("KURIR_WHATSAPP__ENDPOINT".into(), endpoint);
        let mut gateway = Running::start("gateway", &["gateway"], &environment);
        let address = gateway
            .line("address", |line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                (line["message"] == "gateway started").then(|| line["address"].as_str().map(str::to_owned))?
            })
            .await;
        Self {
            sim: Client::new(&page, None),
            gateway: Client::new(&format!("http://{address}"), Some(&api_key)),
            tag,
            tenant,
            environment,
            keys,
            schema,
            _sim: sim,
            _gateway: gateway,
        }
    }

    pub fn worker(&self, name: &str) -> Running {
        let mut environment = self.environment.clone();
        environment.insert("KURIR_WORKER__NAME".into(), format!("{name}-{}", self.tag));
        Running::start(name, &["worker"], &environment)
    }

    pub fn relay(&self) -> Running {
        Running::start("relay", &["relay"], &self.environment)
    }

    /// A session's id in this world.
    pub fn session(&self, at: usize) -> String {
        format!("s{at}-{}", self.tag)
    }

    /// Creates a session and links it to the phone of `number` as a person would.
    pub async fn link(&self, session: &str, number: &str) {
        let (status, answer) = self.gateway.post("/v1/sessions", json!({"id": session})).await;
        assert_eq!(status, 201, "{answer}");
        self.scan(session, number).await;
    }

    /// Links a session that was created to the phone of `number`.
    pub async fn scan(&self, session: &str, number: &str) {
        let path = format!("/v1/sessions/{session}/qr?format=json");
        // A code may end between the look and the scan; a person takes the next one then, and so does this.
        let mut tried = Vec::new();
        loop {
            let qr = self
                .gateway
                .until("QR code", 30, &path, |status, body| {
                    let shown = body["qr"]["text"].as_str().or(body["text"].as_str()).filter(|_| status == 200)?;
                    (!tried.iter().any(|code| code == shown)).then(|| shown.to_owned())
                })
                .await;
            let (status, answer) = self.sim.post("/scan", json!({"qr": qr, "phone": number})).await;
            if status == 200 {
                break;
            }
            assert!(status == 404 && tried.len() < 5, "{status} {answer}");
            tried.push(qr);
        }
        self.connected(session).await;
    }

    pub async fn connected(&self, session: &str) {
        self.gateway
            .until("connection", 30, &format!("/v1/sessions/{session}"), |_, body| {
                (body["state"] == "connected").then_some(())
            })
            .await;
    }

    /// Which worker claimed each session last, read from the store.
    pub async fn store(&self) -> Arc<dyn SessionStore> {
        Arc::new(self.postgres().await)
    }

    /// The store of the world's fleet.
    pub async fn postgres(&self) -> PostgresStore {
        let options = PostgresOptions {
            url: Secret::new(variable("KURIR_TEST_POSTGRES_URL")),
            max_connections: 2,
            acquire_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(20),
            schema: Some(self.schema.clone()),
        };
        let keyring = Arc::new(Keyring::parse(&self.keys).unwrap());
        PostgresStore::connect(options, keyring, Arc::new(SystemEntropy)).await.unwrap()
    }
}
