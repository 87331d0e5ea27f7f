//! A fleet of one worker for one step: simulator, worker, sessions, queues and a schema of its own.

use std::time::Duration;

use anyhow::bail;
use kurir_core::domain::{Lane, SessionId, TenantId};
use kurir_core::port::{EventFilter, EventStream, NewSession};
use tokio_util::sync::CancellationToken;

use super::figures::{Figures, Latency};
use super::flood::{Flood, Order, Until};
use super::link::Simulator;
use super::process::{Launch, Process, own_cpu};
use super::recipient;
use crate::compose::{Backends, Needs};
use crate::config::Config;

/// How long new sessions are left alone before the first job, for what clients do after their first login.
pub const SETTLE: Duration = Duration::from_secs(3);

/// What a step does.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many sessions.
    pub sessions: u16,
    /// How many jobs, shared out evenly.
    pub jobs: u32,
    /// In which lane.
    pub lane: Lane,
    /// How many more jobs, one after another.
    pub singles: u32,
}

/// A running fleet.
struct Fleet {
    tenant: TenantId,
    backends: Backends,
    simulator: Simulator,
    worker: Process,
    sessions: Vec<SessionId>,
    events: Box<dyn EventStream>,
}

/// Measures one step. Its processes and queues are gone afterwards, also when it fails or is interrupted.
pub async fn measure(
    config: &Config,
    launch: &Launch,
    plan: Plan,
    stop: &CancellationToken,
) -> anyhow::Result<Figures> {
    let mut fleet = Box::pin(unless_stopped(stop, Fleet::start(config, launch, plan.sessions))).await?;
    let figures = unless_stopped(stop, fleet.step(plan)).await;
    fleet.end().await;
    figures
}

/// Drops the work at the signal to stop; what it holds ends with it.
pub async fn unless_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        () = stop.cancelled() => bail!("interrupted; there are no figures"),
    }
}

impl Fleet {
    async fn start(config: &Config, launch: &Launch, sessions: u16) -> anyhow::Result<Self> {
        let tag = format!("{:08x}", rand::random::<u32>());
        let tenant = TenantId::new(format!("bench-{tag}"))?;
        let schema = format!("bench_{tag}");
        let launch =
            launch.with("postgres.schema", &schema).with("redis.prefix", &schema).with("fleet.tenant", tenant.as_str());
        let mut config = config.clone();
        config.postgres.schema = Some(schema);
        let sessions = (0..sessions).map(|at| SessionId::new(format!("b{at}-{tag}")));
        let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
        let simulator = Simulator::start(&launch).await?;
        // Before the worker, which would bring the tables up at the same moment.
        let backends = Backends::fleet(&config, "bench", &[], Needs::NoRedis).await?;
        let worker = Process::start("worker", &["worker"], &launch.with("whatsapp.endpoint", &simulator.endpoint))?;
        let filter = EventFilter { tenant: Some(tenant.clone()), ..EventFilter::default() };
        let events = backends.event_source.subscribe(filter).await?;
        Ok(Self { tenant, backends, simulator, worker, sessions, events })
    }

    async fn step(&mut self, plan: Plan) -> anyhow::Result<Figures> {
        for id in &self.sessions {
            let at = self.backends.clock.now();
            let new = NewSession::new(id.clone(), self.tenant.clone(), at);
            self.backends.sessions.create(new).await?;
            self.backends.jobs.declare(id).await?;
        }
        self.simulator.link(&mut *self.events, &self.sessions).await?;
        tokio::time::sleep(SETTLE).await;

        let before = self.cpu()?;
        let flood = self.flood(0..plan.jobs, plan.lane, Until::Read).await?;
        let after = self.cpu()?;
        let took = flood.took();
        let mut single = Vec::new();
        for at in 0..plan.singles {
            let at = plan.jobs + at;
            single.push(self.flood(at..at + 1, plan.lane, Until::Sent).await?.took());
        }
        Ok(Figures {
            name: format!("kurir, {} {}", plan.sessions, if plan.sessions == 1 { "session" } else { "sessions" }),
            count: plan.jobs,
            took,
            latency: flood.latency(),
            single: (plan.singles > 0).then(|| Latency::of(single)),
            sender_cpu: after.worker.saturating_sub(before.worker),
            simulator_cpu: after.simulator.saturating_sub(before.simulator),
            bench_cpu: Some(after.own.saturating_sub(before.own)),
        })
    }

    /// Sends to the recipients of these numbers, each from the next session.
    async fn flood(&mut self, range: std::ops::Range<u32>, lane: Lane, until: Until) -> anyhow::Result<Flood> {
        let Self { tenant, backends, sessions, events, .. } = self;
        let orders = range.zip(sessions.iter().cycle());
        let orders = orders.map(|(at, session)| Order { session, to: recipient(at), lane, tenant });
        Flood::run(&*backends.jobs, &mut **events, &*backends.clock, orders, until).await
    }

    fn cpu(&self) -> anyhow::Result<Cpu> {
        Ok(Cpu { worker: self.worker.cpu()?, simulator: self.simulator.process.cpu()?, own: own_cpu()? })
    }

    async fn end(self) {
        self.worker.end().await;
        self.simulator.process.end().await;
        for id in &self.sessions {
            if let Err(error) = self.backends.jobs.remove(id).await {
                eprintln!("the queues of {id} are left: {error}");
            }
        }
        self.backends.close().await;
    }
}

/// CPU time so far.
struct Cpu {
    worker: Duration,
    simulator: Duration,
    own: Duration,
}
