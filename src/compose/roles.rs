//! The roles of a fleet, each a process: start, serve until the signal, stop within the deadline.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kurir_workers::{Courier, LogKeeper, LogKeeperPorts, Relay, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use super::fleet::Needs;
use super::watched::{Monitoring, sampler};
use super::{dialects, parts, settings};
use crate::config::{Config, Role};
use crate::telemetry::Part;

/// How long the relay's last pass may take.
const RELAY_STOP: Duration = Duration::from_secs(10);

/// `kurir worker`: holds sessions until `stop`.
pub async fn worker(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Worker)?;
    let backends = Backends::fleet(&config, "worker", &[Part::Worker], Needs::Redis).await?;
    let name = parts::worker_name(&config, &*backends.entropy);
    let messenger = parts::messenger(&config, &backends)?;
    let options = settings::worker(&config, name.clone(), backends.crash.clone());
    let worker = Worker::start(options, parts::worker_ports(&backends, messenger));
    backends.telemetry.follow_worker(worker.held(), config.worker.capacity);
    // A worker that can't be watched is not started: whoever watches would take it for dead.
    let monitoring = match Monitoring::start(&config, &backends, vec![parts::worker_probe(&worker)]).await {
        Ok(monitoring) => monitoring,
        Err(error) => {
            worker.stop().await;
            backends.close().await;
            return Err(error);
        }
    };
    tracing::info!(worker = %name, "worker started");
    let broken = tokio::select! {
        () = stop.cancelled() => false,
        () = worker.ended() => true,
    };
    worker.stop().await;
    monitoring.stop().await;
    backends.close().await;
    anyhow::ensure!(!broken, "the worker's loop ended by itself; its sessions go to other workers");
    Ok(())
}

/// `kurir relay`: sweeps the outbox until `stop`.
pub async fn relay(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Relay)?;
    let backends = Backends::fleet(&config, "relay", &[Part::Relay], Needs::NoRedis).await?;
    let monitoring = Monitoring::start(&config, &backends, Vec::new()).await?;
    let relay = Relay::start(settings::relay(&config, backends.code_keys.clone()), parts::relay_ports(&backends));
    let keeper = backends.event_feed.clone().map(|feed| {
        let (log, entropy) = (Arc::clone(&backends.event_log), Arc::clone(&backends.entropy));
        LogKeeper::start(LogKeeperPorts { feed, log, entropy })
    });
    let courier = Courier::start(settings::courier(&config), parts::courier_ports(&backends));
    let sampler = sampler(&config, &backends);
    tracing::info!("relay started");
    stop.cancelled().await;
    sampler.stop().await;
    let told = courier.stop(RELAY_STOP).await;
    tracing::info!(?told, "the webhooks' courier stopped");
    if let Some(keeper) = keeper {
        if let Some(carried) = keeper.stop(RELAY_STOP).await {
            tracing::info!(carried, "the keeper of the log stopped");
        } else {
            tracing::warn!("the keeper of the log was cut off; what it had not kept stays in its queue");
        }
    }
    if let Some(report) = relay.stop(RELAY_STOP).await {
        tracing::info!(published = report.published, forgotten = report.forgotten, "relay stopped");
    } else {
        tracing::warn!("the relay's last pass was cut off; the next relay goes on where it was");
    }
    monitoring.stop().await;
    backends.close().await;
    Ok(())
}

/// `kurir gateway`: serves HTTP until `stop`.
pub async fn gateway(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Gateway)?;
    let backends = Backends::fleet(&config, "gateway", &[Part::Gateway], Needs::Later).await?;
    let listen = config.gateway.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("gateway.listen: {listen} can't be listened on; is another process there?"))?;
    let places = dialects::places(&config).await?;
    let monitoring = Monitoring::start(&config, &backends, Vec::new()).await?;
    tracing::info!(address = %listener.local_addr()?, "gateway started");
    parts::serve_gateway(parts::gateway(&config, &backends), listener, places, stop).await;
    monitoring.stop().await;
    backends.close().await;
    Ok(())
}
