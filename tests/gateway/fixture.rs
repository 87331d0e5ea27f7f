//! A gateway with two tenants, and a client for it.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use kurir::gateway::usecase::MediaRules;
use kurir::gateway::{
    Abandoned, AdminOptions, Dialect, DialectOptions, Gateway, GatewayOptions, GatewayPorts, LimitInForce,
    MessageOptions, Probe, VerifyOptions, fixed_key,
};
use kurir::telemetry::{Part, Telemetry};
use kurir_core::domain::{
    CodeAlphabet, ConversionRule, Fence, JobKey, Keyring, Lane, LedgerEntry, MediaDetail, MediaLimits, MediaRecord,
    MediaState, QrCode, Secret, SecretNumbers, SessionId, SessionState, SessionStatus, TenantId, Timestamp, WorkerName,
};
use kurir_core::memory::{
    ManualClock, MemoryCalls, MemoryEvents, MemoryMembership, MemoryStores, MemoryVigil, MemoryWeb, MemoryWishes,
    SeededEntropy,
};
use kurir_core::policy::{CountryRule, PaceRule, SenderRules};
use kurir_core::port::{Clock as _, JobQueue as _, MediaIntake, Outbox as _, SessionStore as _, Written};
use kurir_workers::Refused;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ledger::FaultyLedger;
use crate::queue::FaultyQueue;

/// The keys of the tenants `acme` and `other`.
pub const KEY: &str = "key-of-acme-0123456789";
pub const OTHER_KEY: &str = "key-of-other-0123456789";

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Fixture {
    pub runtime: Runtime,
    pub address: SocketAddr,
    pub stores: Arc<MemoryStores>,
    pub ledger: Arc<FaultyLedger>,
    pub queue: Arc<FaultyQueue>,
    pub clock: Arc<ManualClock>,
    pub events: Arc<MemoryEvents>,
    pub web: Arc<MemoryWeb>,
    pub calls: MemoryCalls,
    pub wishes: Arc<MemoryWishes>,
    pub members: Arc<MemoryMembership>,
    pub stop: CancellationToken,
    pub served: JoinHandle<Abandoned>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks status and code of an error in its one shape; returns the inner part.
    pub fn error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let error = self.json();
        assert_eq!(error["status"], status, "{error}");
        assert_eq!(error["code"], code, "{error}");
        assert!(!error["detail"].as_str().unwrap().is_empty());
        error
    }
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// How a fixture differs from the usual one.
pub struct Wishes {
    pub probes: Vec<Probe>,
    pub otp_ttl: Option<Duration>,
    pub key_rate: u32,
    pub request_timeout: Duration,
    pub header_timeout: Duration,
    pub stop_deadline: Duration,
    pub max_connections: usize,
    pub messages: MessageOptions,
    pub verify: VerifyOptions,
    pub senders: SenderRules,
    pub max_streams: usize,
    pub streams_per_key: usize,
    pub stream_patience: Duration,
    pub admin: AdminOptions,
    pub qr_timeout: Duration,
    pub max_sessions: u32,
    pub dialect_wait: Duration,
    pub limits: Vec<LimitInForce>,
}

/// How the fixture's verifications are made: without a pause between sendings, and without limits.
pub fn verify() -> VerifyOptions {
    VerifyOptions {
        code_keys: Keyring::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap().code_keys(),
        secrets: SecretNumbers { now: 2, before: Some(1) },
        code_length: 6,
        alphabet: CodeAlphabet::Digits,
        ttl: Duration::from_mins(10),
        locale: "en".to_owned(),
        max_checks: 5,
        max_sends: 5,
        resend_every: Duration::ZERO,
        patience: Duration::from_secs(30),
        per_recipient: 0,
        per_prefix: 0,
        per_country: 0,
        per_ip: 0,
        countries: CountryRule::default(),
        conversion: ConversionRule { window: Duration::from_hours(24), most_lost: 0, block: Duration::from_hours(6) },
    }
}

/// The dialects, their callers without a key being `acme`; with waits that tests need not sit through.
fn dialects(max_sessions: u32, wait: Duration, qr_timeout: Duration) -> Vec<DialectOptions> {
    let of = |dialect| DialectOptions {
        dialect,
        tenant: tenant("acme"),
        admin_key: Some(Secret::new("admin123".to_owned())),
        qr_timeout,
        max_sessions,
        send_wait: wait,
        qr_wait: wait,
    };
    Dialect::ALL.into_iter().map(of).collect()
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            probes: Vec::new(),
            otp_ttl: None,
            key_rate: 0,
            request_timeout: PATIENCE,
            header_timeout: PATIENCE,
            stop_deadline: PATIENCE,
            max_connections: 64,
            messages: MessageOptions::default(),
            verify: verify(),
            senders: SenderRules::default(),
            max_streams: 32,
            streams_per_key: 16,
            stream_patience: PATIENCE,
            admin: AdminOptions::default(),
            qr_timeout: PATIENCE,
            max_sessions: 1,
            dialect_wait: Duration::from_millis(500),
            limits: Vec::new(),
        }
    }
}

impl Fixture {
    pub fn new() -> Self {
        Self::with(Wishes::default())
    }

    pub fn with(wishes: Wishes) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let start = Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
        let clock = Arc::new(ManualClock::new(start));
        let stores = Arc::new(MemoryStores::new(clock.clone()));
        let ledger = Arc::new(FaultyLedger::new(stores.clone()));
        let queue = Arc::new(FaultyQueue::new(clock.clone()));
        let events = Arc::new(MemoryEvents::new(1024));
        let web = Arc::new(MemoryWeb::default());
        let key = |key: &str, name| fixed_key(&Secret::new(key.to_owned()), tenant(name)).unwrap();
        let options = GatewayOptions {
            fixed_keys: vec![key(KEY, "acme"), key(OTHER_KEY, "other")],
            key_rate: wishes.key_rate,
            key_burst: 3,
            default_country: Some("62".to_owned()),
            otp_ttl: wishes.otp_ttl,
            body_limit: 64 * 1024,
            request_timeout: wishes.request_timeout,
            header_timeout: wishes.header_timeout,
            max_connections: wishes.max_connections,
            stop_deadline: wishes.stop_deadline,
            probes: wishes.probes,
            media: media_rules(),
            upload_timeout: PATIENCE,
            messages: wishes.messages,
            verify: wishes.verify,
            senders: wishes.senders,
            pace: PaceRule { every: Duration::from_secs(3), burst: NonZeroU32::new(5).unwrap() },
            max_streams: wishes.max_streams,
            streams_per_key: wishes.streams_per_key,
            stream_patience: wishes.stream_patience,
            operator: tenant("acme"),
            meter: Some(Arc::new(Telemetry::new(&[Part::Gateway], clock.clone(), Refused::default()))),
            admin: wishes.admin,
            dialects: dialects(wishes.max_sessions, wishes.dialect_wait, wishes.qr_timeout),
            dialects_open: true,
            limits: wishes.limits,
        };
        let (calls, wishes) = (MemoryCalls::default(), Arc::new(MemoryWishes::default()));
        let members = Arc::new(MemoryMembership::new(clock.clone()));
        let ports = GatewayPorts {
            sessions: stores.clone(),
            keys: stores.clone(),
            ledger: ledger.clone(),
            jobs: queue.clone(),
            pools: queue.clone(),
            clock: clock.clone(),
            vigil: Arc::new(MemoryVigil::default()),
            entropy: Arc::new(SeededEntropy::new(7)),
            media: stores.clone(),
            index: stores.clone(),
            requests: stores.clone(),
            events: events.clone(),
            verifications: stores.clone(),
            event_log: stores.clone(),
            webhooks: stores.clone(),
            web: web.clone(),
            templates: stores.clone(),
            suppressions: stores.clone(),
            users: stores.clone(),
            calls: Arc::new(calls.clone()),
            wishes: wishes.clone(),
            dead: queue.clone(),
            members: members.clone(),
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = runtime.spawn(Gateway::new(options, ports).serve(listener, Vec::new(), stop.clone()));
        Self { runtime, address, stores, ledger, queue, clock, events, web, calls, wishes, members, stop, served }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[("X-Api-Key", KEY)])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.call("GET", path, headers, b"")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &[("X-Api-Key", KEY)], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(KEY, path, body)
    }

    pub fn post_as(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.post_text(key, path, &body.to_string())
    }

    pub fn post_text(&self, key: &str, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        self.call("POST", path, &headers, body.as_bytes())
    }

    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Self::call_at(&self.url(path), method, headers, body)
    }

    /// As [`Fixture::call`], of whoever is there.
    pub fn call_at(url: &str, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .allow_non_standard_methods(true)
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            agent.run(request.body(()).unwrap())
        } else {
            agent.run(request.body(body.to_vec()).unwrap())
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        let bytes = answer.body_mut().read_to_vec().unwrap();
        Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), bytes }
    }

    /// A session of `acme`.
    pub fn create(&self, id: &str) {
        let answer = self.post("/v1/sessions", &serde_json::json!({ "id": id }));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Puts a session into a state, as its owner would.
    pub fn put(&self, id: &str, state: SessionState, qr: Option<QrCode>) {
        self.runtime.block_on(async {
            let worker = WorkerName::new("w1").unwrap();
            let record = self.stores.claim(&session(id), &worker).await.unwrap().unwrap();
            let status = SessionStatus { state, qr, ..SessionStatus::created(self.clock.now()) };
            let fence = Fence { session: session(id), epoch: record.epoch };
            assert_eq!(self.stores.update(&fence, &status, &[]).await.unwrap(), Written::Done);
        });
    }

    /// A file of `acme` that is there.
    pub fn enter_file(&self, id: &str) {
        let content = b"%PDF-1.7 a file";
        let now = self.clock.now();
        let record = MediaRecord {
            id: id.parse().unwrap(),
            tenant: tenant("acme"),
            session: None,
            state: MediaState::Filling,
            size: 0,
            created_at: now,
            expires_at: now.plus(Duration::from_hours(1)),
            detail: MediaDetail { mime_type: String::new(), filename: None, sha256: [0; 32], source: None },
        };
        self.runtime.block_on(async {
            let mut intake = MediaIntake::new(&*self.stores, record, None, media_rules().limits);
            intake.push(content).await.unwrap();
            intake.finish().await.unwrap();
        });
    }

    /// The ledger's entry of a job of `acme`.
    pub fn entry(&self, id: &str) -> Option<LedgerEntry> {
        let key = JobKey::new(tenant("acme"), id.parse().unwrap());
        self.runtime.block_on(self.stores.get_entry(&key))
    }

    /// The kinds of the events in the outbox, oldest first.
    pub fn events(&self) -> Vec<&'static str> {
        let later = self.clock.now().plus(Duration::from_secs(1));
        let pending = self.runtime.block_on(self.stores.pending(later, 100)).unwrap();
        pending.iter().map(|event| event.kind.as_str()).collect()
    }

    /// How many jobs wait in a lane.
    pub fn depth(&self, id: &str, lane: Lane) -> u64 {
        self.runtime.block_on(self.queue.depth(&session(id), lane)).unwrap()
    }
}

/// Small files are enough here.
pub fn media_rules() -> MediaRules {
    let limits = MediaLimits { image: 300_000, video: 500_000, audio: 500_000, document: 1_000_000, tenant: 2_500_000 };
    MediaRules { limits, keep: Duration::from_hours(7 * 24) }
}

/// A body as it goes over the wire: what is not JSON stands in the document as a text.
pub fn written(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

/// Waits until `holds`, at most [`PATIENCE`].
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// Reads one entry; `SessionStore` has a `get` as well.
trait GetEntry {
    async fn get_entry(&self, key: &JobKey) -> Option<LedgerEntry>;
}

impl GetEntry for MemoryStores {
    async fn get_entry(&self, key: &JobKey) -> Option<LedgerEntry> {
        let ledger: &dyn kurir_core::port::Ledger = self;
        ledger.get(std::slice::from_ref(key)).await.unwrap().remove(0)
    }
}
