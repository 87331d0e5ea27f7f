//! One worker with linked sessions, a relay, and what their work came to.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use kurir::adapters::postgres::PostgresStore;
use kurir_core::domain::{JobKey, LedgerEntry, MessageState};
use kurir_core::port::Ledger as _;
use serde_json::Value;

use crate::load::Published;
use crate::running::Running;
use crate::world::{World, stop};

/// Long enough for whatever has to happen by itself, on a machine that is busy with other things too.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Between two looks at something that changes by itself.
const LOOK: Duration = Duration::from_millis(250);

/// As many looks that show the same count as nothing that moves.
const LOOKS: usize = 12;

const SESSIONS: usize = 4;

/// As short as their relations allow, so that each kind of trouble is noticed soon.
const SETTINGS: [(&str, &str); 12] = [
    ("KURIR_WORKER__LEASE_TTL", "9s"),
    ("KURIR_WORKER__RENEW_EVERY", "1500ms"),
    ("KURIR_WORKER__SCAN_EVERY", "300ms"),
    ("KURIR_WORKER__ACK_PATIENCE", "5s"),
    ("KURIR_WORKER__STOP_DEADLINE", "8500ms"),
    ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "3s"),
    ("KURIR_RABBITMQ__HEARTBEAT", "2s"),
    ("KURIR_RABBITMQ__RECONNECT_MAX", "1s"),
    ("KURIR_RELAY__AGE", "3500ms"),
    ("KURIR_RELAY__SWEEP_EVERY", "300ms"),
    ("KURIR_RETRY__BACKOFF_BASE", "500ms"),
    ("KURIR_RETRY__BACKOFF_MAX", "2s"),
];

pub struct Fleet {
    pub world: World,
    pub sessions: Vec<String>,
    worker: Running,
    relay: Running,
}

impl Fleet {
    /// Starts it with these settings laid over its own, and links its sessions.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let world = World::start_with(&[&SETTINGS[..], settings].concat()).await;
        let (worker, relay) = (world.worker("worker"), world.relay());
        let sessions: Vec<String> = (0..SESSIONS).map(|at| world.session(at)).collect();
        let tag = u32::from_str_radix(&world.tag, 16).unwrap() % 90_000;
        for (at, session) in sessions.iter().enumerate() {
            world.link(session, &format!("6281900{tag:05}{at}")).await;
        }
        Self { world, sessions, worker, relay }
    }

    /// How many messages have come to phones.
    async fn arrived(&self) -> u64 {
        let (status, audit) = self.world.sim.get("/audit?limit=0").await;
        assert_eq!(status, 200, "{audit}");
        audit["totals"]["arrived"].as_u64().unwrap()
    }

    /// Waits until so many more messages have arrived.
    pub async fn sends(&self, more: u64) {
        let until = self.arrived().await + more;
        let mut timer = tokio::time::interval(LOOK);
        let wait = async {
            while self.arrived().await < until {
                timer.tick().await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, wait).await;
        assert!(reached.is_ok(), "the fleet sends {} messages, not {until}", self.arrived().await);
    }

    /// Waits until nothing arrives any more, for longer than what is on the wire may take; tells how much has arrived.
    pub async fn falls_silent(&self) -> u64 {
        let mut timer = tokio::time::interval(LOOK);
        let wait = async {
            let (mut count, mut looks) = (self.arrived().await, 0);
            while looks < LOOKS {
                timer.tick().await;
                let now = self.arrived().await;
                looks = if now == count { looks + 1 } else { 0 };
                count = now;
            }
            count
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the fleet stops sending")
    }

    /// Nothing more has arrived than what had.
    pub async fn is_silent_since(&self, count: u64) {
        assert_eq!(self.arrived().await, count, "something was sent that could not be recorded");
    }

    /// Waits until every job has ended as sent.
    pub async fn have_ended(&self, jobs: &[Published]) {
        let ledger = self.world.postgres().await;
        let mut timer = tokio::time::interval(LOOK);
        let mut states = BTreeMap::new();
        let wait = async {
            loop {
                timer.tick().await;
                states = count(&ledger, jobs).await;
                if states.keys().all(|state| matches!(*state, "sent" | "delivered" | "read")) {
                    return;
                }
            }
        };
        let ended = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(ended, "of {} jobs: {states:?}", jobs.len());
    }

    /// Every job ends as sent, its phone shows it once, and no key was used twice. Ends the fleet.
    pub async fn has_sent(self, jobs: &[Published]) {
        self.have_ended(jobs).await;
        let arrivals = |audit: &Value| -> HashSet<String> {
            let arrived = audit["arrived"].as_array().unwrap();
            arrived.iter().map(|arrival| arrival["id"].as_str().unwrap().to_owned()).collect()
        };
        let all = |_: u16, audit: &Value| {
            let there = arrivals(audit);
            jobs.iter().all(|job| there.contains(job.message.as_str())).then(|| audit.clone())
        };
        let audit = self.world.sim.until("arrival of every job", 60, "/audit?limit=100000", all).await;
        assert_eq!(audit["complete"], true);
        for wrong in ["shown_twice", "keys_used_twice", "late"] {
            assert_eq!(audit["totals"][wrong], 0, "{wrong}: {}", audit["totals"]);
        }
        println!("{} jobs, {}", jobs.len(), audit["totals"]);
        stop(self.worker).await;
        stop(self.relay).await;
    }
}

/// How many of the jobs are in which state.
async fn count(ledger: &PostgresStore, jobs: &[Published]) -> BTreeMap<&'static str, usize> {
    let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
    let entries: Vec<Option<LedgerEntry>> = ledger.get(&keys).await.unwrap();
    let mut states = BTreeMap::new();
    for entry in entries {
        *states.entry(entry.map_or("unknown", |entry| MessageState::as_str(entry.state))).or_default() += 1;
    }
    states
}
