//! `kurir bench takeover`: how long sessions are without a connection when the worker that has them all is killed, and
//! when one is told to stop.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kurir_core::domain::{EventKind, SessionId, TenantId, WorkerName};
use kurir_core::port::{EventFilter, EventStream, NewSession};
use kurir_core::wire::{EventV1, SessionDataV1};

use super::figures::Latency;
use super::fleet::{SETTLE, unless_stopped};
use super::link::Simulator;
use super::process::{Launch, Process};
use super::{Given, TakeoverArgs, launch};
use crate::cli::signal;
use crate::compose::{Backends, Needs};
use crate::config::{Config, Role, StoreKind};

/// How long a session may be without a connection before the measurement is given up.
const PATIENCE: Duration = Duration::from_mins(2);

/// The worker that has all sessions at first.
const FIRST: &str = "first";

/// Runs it and prints what it gave.
pub async fn run(args: TakeoverArgs, mut config: Config, given: Given) -> anyhow::Result<()> {
    config.store.kind = StoreKind::Postgres;
    let keys = config.store.encryption_keys.get_or_insert_with(launch::fresh_keys).clone();
    config.require_for(Role::Worker)?;
    let stop = signal::stop()?;
    // The rate at which a fleet connects is what is measured, so it is the fleet's own.
    let rate = format!("worker.connect_rate={}", config.worker.connect_rate);
    let launch = launch::of(Given { settings: [vec![rate], given.settings].concat(), ..given }, keys);
    Box::pin(unless_stopped(&stop, measure(&args, &config, &launch))).await
}

async fn measure(args: &TakeoverArgs, config: &Config, launch: &Launch) -> anyhow::Result<()> {
    let tag = format!("{:08x}", rand::random::<u32>());
    let tenant = TenantId::new(format!("bench-{tag}"))?;
    let schema = format!("bench_{tag}");
    let launch =
        launch.with("postgres.schema", &schema).with("redis.prefix", &schema).with("fleet.tenant", tenant.as_str());
    let mut config = config.clone();
    config.postgres.schema = Some(schema.clone());
    config.redis.prefix = schema;
    let simulator = Simulator::start(&launch).await?;
    let launch = launch.with("whatsapp.endpoint", &simulator.endpoint);
    let backends = Backends::fleet(&config, "bench", &[], Needs::Redis).await?;
    let filter = EventFilter { tenant: Some(tenant.clone()), ..EventFilter::default() };
    let mut events = backends.event_source.subscribe(filter).await?;
    let sessions = (0..args.sessions).map(|at| SessionId::new(format!("b{at}-{tag}")));
    let sessions = sessions.collect::<Result<Vec<_>, _>>()?;

    let first = Process::start("first worker", &["worker"], &launch.with("worker.name", FIRST))?;
    let name = WorkerName::new(FIRST)?;
    for id in &sessions {
        let at = backends.clock.now();
        let new = NewSession::new(id.clone(), tenant.clone(), at);
        backends.sessions.create(new).await?;
        backends.jobs.declare(id).await?;
        backends.wishes.pin(id, Some(&name)).await?;
    }
    backends.vigil.nudge().await?;
    simulator.link(&mut *events, &sessions).await?;
    let mut others = Vec::new();
    for at in 1..=args.workers {
        others.push(Process::start("worker", &["worker"], &launch.with("worker.name", &format!("other-{at}")))?);
    }
    until_members(&backends, usize::from(args.workers) + 1).await?;
    tokio::time::sleep(SETTLE).await;

    println!("{} sessions with one worker, {} others", sessions.len(), args.workers);
    let since = Instant::now();
    first.end().await;
    report("killed", gaps(&mut *events, &sessions, since).await?);

    // One of the others is stopped; its sessions go to those that are left.
    if let Some(stopped) = others.pop()
        && !others.is_empty()
    {
        tokio::time::sleep(SETTLE).await;
        let name = format!("other-{}", args.workers);
        let mut its = Vec::new();
        for id in &sessions {
            let record = backends.sessions.get(id).await?.context("a session is gone")?;
            if record.owner.is_some_and(|owner| owner.as_str() == name) {
                its.push(id.clone());
            }
        }
        println!("{} sessions with the worker that is stopped", its.len());
        let since = Instant::now();
        stopped.signal("TERM").await?;
        report("stopped", gaps(&mut *events, &its, since).await?);
    }
    for worker in others {
        worker.end().await;
    }
    simulator.process.end().await;
    for id in &sessions {
        if let Err(error) = backends.jobs.remove(id).await {
            eprintln!("the queues of {id} are left: {error}");
        }
    }
    backends.close().await;
    Ok(())
}

async fn until_members(backends: &Backends, count: usize) -> anyhow::Result<()> {
    let all = async {
        while backends.members.members().await?.len() < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, all).await.context("the workers did not join")?
}

/// How long after `since` each of these sessions was told to be connected again.
async fn gaps(events: &mut dyn EventStream, sessions: &[SessionId], since: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut waiting: HashSet<&str> = sessions.iter().map(SessionId::as_str).collect();
    let mut gaps = Vec::with_capacity(sessions.len());
    while !waiting.is_empty() {
        let event = tokio::time::timeout(PATIENCE, events.next()).await;
        let event = event.with_context(|| format!("{} sessions are not connected again", waiting.len()))??;
        let event = event.context("the events ended")?;
        let Ok(event) = serde_json::from_slice::<EventV1<SessionDataV1>>(&event.body) else { continue };
        if EventKind::parse(&event.kind) == Some(EventKind::SessionConnected)
            && waiting.remove(event.session.as_deref().unwrap_or_default())
        {
            gaps.push(since.elapsed());
        }
    }
    Ok(gaps)
}

fn report(what: &str, gaps: Vec<Duration>) {
    let longest = gaps.iter().max().copied().unwrap_or_default();
    let Latency { p50, p99 } = Latency::of(gaps);
    println!("{what}: connected elsewhere after p50 {p50:.1?}, p99 {p99:.1?}, at most {longest:.1?}");
}
