//! What nobody passes by and has to be asked for: the register, the queues, the outbox. One process of the fleet asks
//! (the relay), so that the servers are asked once and not by everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kurir_core::domain::{Lane, PoolId, SessionId, SessionState, Wanted};
use kurir_core::port::{Clock, JobQueue, Outbox, PoolQueue, PortError, SessionStore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Telemetry;
use super::series::{QueueLabels, SessionLabels, SessionQueueLabels, WhatLabel};

/// Sessions read per page.
const PAGE: u32 = 500;

/// Queues that are asked for at the same time.
const AT_ONCE: usize = 8;

/// A round takes a tenth of the time at most: however large the fleet is, asking is a small part of the servers' work.
const SHARE: u32 = 10;

/// Whom to ask.
#[derive(Clone)]
pub struct SampledPorts {
    /// The register.
    pub sessions: Arc<dyn SessionStore>,
    /// The queues of sessions.
    pub jobs: Arc<dyn JobQueue>,
    /// The queues of pools.
    pub pools: Arc<dyn PoolQueue>,
    /// Events that wait.
    pub outbox: Arc<dyn Outbox>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Asks now and then until it is stopped.
pub struct Sampler {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Sampler {
    /// Asks at once, and again `every` so often. With `per_session` the depth of each session's queues is told too.
    pub fn start(telemetry: Arc<Telemetry>, ports: SampledPorts, every: Duration, per_session: bool) -> Self {
        let stop = CancellationToken::new();
        let asking = Asking { telemetry, ports, per_session };
        let task = tokio::spawn(run(asking, every, stop.clone()));
        Self { stop, task }
    }

    /// Stops between two questions, or in the midst of one: nothing depends on the answer.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn run(asking: Asking, every: Duration, stop: CancellationToken) {
    let rounds = async {
        loop {
            let begun = tokio::time::Instant::now();
            asking.round().await;
            tokio::time::sleep(every.max(begun.elapsed() * SHARE)).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

struct Asking {
    telemetry: Arc<Telemetry>,
    ports: SampledPorts,
    per_session: bool,
}

/// What is left of the register.
#[derive(Default)]
struct Register {
    states: BTreeMap<(&'static str, &'static str), i64>,
    /// Those whose queues are there.
    sessions: Vec<SessionId>,
    pools: BTreeSet<PoolId>,
}

impl Asking {
    async fn round(&self) {
        self.note("outbox", self.outbox().await);
        match self.register().await {
            Ok(register) => self.queues(&register).await,
            Err(error) => self.note("sessions", Err(error)),
        }
    }

    fn note(&self, what: &'static str, answer: Result<(), PortError>) {
        let failures = self.telemetry.counted.sample_failures.get_or_create_owned(&WhatLabel { what });
        if let Err(error) = answer {
            failures.inc();
            tracing::debug!(what, error = %error.chain(), "a gauge keeps its last value");
        }
    }

    async fn outbox(&self) -> Result<(), PortError> {
        let backlog = self.ports.outbox.backlog().await?;
        let counted = &self.telemetry.counted;
        counted.outbox_events.set(i64::try_from(backlog.events).unwrap_or(i64::MAX));
        let now = self.ports.clock.now();
        counted.outbox_age.set(backlog.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()));
        Ok(())
    }

    async fn register(&self) -> Result<Register, PortError> {
        let mut found = Register::default();
        // A state that nobody is in any more is told as such.
        for state in SessionState::ALL {
            for wanted in [Wanted::Running, Wanted::Stopped, Wanted::Deleted] {
                found.states.insert((state.as_str(), wanted.as_str()), 0);
            }
        }
        let mut after: Option<SessionId> = None;
        loop {
            let page = self.ports.sessions.list(None, after.as_ref(), PAGE).await?;
            let more = page.len() == PAGE as usize;
            after = page.last().map(|record| record.id.clone());
            for record in page {
                *found.states.entry((record.status.state.as_str(), record.wanted.as_str())).or_default() += 1;
                found.pools.extend(record.pool);
                found.sessions.push(record.id);
            }
            if !more {
                break;
            }
        }
        for ((state, wanted), count) in &found.states {
            self.telemetry.counted.sessions.get_or_create(&SessionLabels { state, wanted }).set(*count);
        }
        Ok(found)
    }

    async fn queues(&self, register: &Register) {
        let mut waiting: Vec<(&SessionId, Lane, i64)> = Vec::new();
        for lane in Lane::ALL {
            let mut answers = Vec::with_capacity(register.sessions.len());
            for some in register.sessions.chunks(AT_ONCE) {
                answers.extend(join_all(some.iter().map(|session| self.ports.jobs.depth(session, lane))).await);
            }
            let deep = register.sessions.iter().zip(&answers).filter_map(|(session, depth)| {
                let depth = depth.as_ref().ok().filter(|depth| **depth > 0)?;
                Some((session, lane, count(*depth)))
            });
            waiting.extend(deep);
            self.told("session", lane, answers);
            let mut answers = Vec::new();
            for pool in &register.pools {
                answers.push(self.ports.pools.pool_depth(pool, lane).await);
            }
            self.told("pool", lane, answers);
        }
        if self.per_session {
            let family = &self.telemetry.counted.session_queue_jobs;
            family.clear();
            for (session, lane, depth) in waiting {
                let labels = SessionQueueLabels { session: session.to_string(), lane: lane.as_str() };
                family.get_or_create(&labels).set(depth);
            }
        }
    }

    fn told(&self, kind: &'static str, lane: Lane, answers: Vec<Result<u64, PortError>>) {
        let sum = answers.iter().flatten().copied().sum();
        // One that was not declared yet, or is being removed, has no queue; that is no failure of asking.
        let failed = answers.into_iter().filter_map(Result::err).find(PortError::is_transient);
        if failed.is_none() {
            let labels = QueueLabels { kind, lane: lane.as_str() };
            self.telemetry.counted.queue_jobs.get_or_create(&labels).set(count(sum));
        }
        self.note("queues", failed.map_or(Ok(()), Err));
    }
}

fn count(jobs: u64) -> i64 {
    i64::try_from(jobs).unwrap_or(i64::MAX)
}
