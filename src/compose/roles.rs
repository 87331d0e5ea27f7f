//! The roles of a fleet, each a process: start, serve until the signal, stop within the deadline.

use std::time::Duration;

use anyhow::Context as _;
use kurir_workers::{Relay, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use super::fleet::Needs;
use super::{parts, settings};
use crate::config::{Config, Role};

/// How long the relay's last pass may take.
const RELAY_STOP: Duration = Duration::from_secs(10);

/// `kurir worker`: holds sessions until `stop`.
pub async fn worker(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Worker)?;
    let backends = Backends::fleet(&config, "worker", Needs::Redis).await?;
    let name = parts::worker_name(&config, &*backends.entropy);
    let messenger = parts::messenger(&config, &backends)?;
    let options = settings::worker(&config, name.clone(), backends.crash.clone());
    let worker = Worker::start(options, parts::worker_ports(&backends, messenger));
    tracing::info!(worker = %name, "worker started");
    let broken = tokio::select! {
        () = stop.cancelled() => false,
        () = worker.ended() => true,
    };
    worker.stop().await;
    backends.close().await;
    anyhow::ensure!(!broken, "the worker's loop ended by itself; its sessions go to other workers");
    Ok(())
}

/// `kurir relay`: sweeps the outbox until `stop`.
pub async fn relay(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Relay)?;
    let backends = Backends::fleet(&config, "relay", Needs::Nothing).await?;
    let relay = Relay::start(settings::relay(&config), parts::relay_ports(&backends));
    tracing::info!("relay started");
    stop.cancelled().await;
    if let Some(report) = relay.stop(RELAY_STOP).await {
        tracing::info!(published = report.published, forgotten = report.forgotten, "relay stopped");
    } else {
        tracing::warn!("the relay's last pass was cut off; the next relay goes on where it was");
    }
    backends.close().await;
    Ok(())
}

/// `kurir gateway`: serves HTTP until `stop`.
pub async fn gateway(config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    config.require_for(Role::Gateway)?;
    let backends = Backends::fleet(&config, "gateway", Needs::Redis).await?;
    let listen = config.gateway.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("gateway.listen: {listen} can't be listened on; is another process there?"))?;
    tracing::info!(address = %listener.local_addr()?, "gateway started");
    parts::serve_gateway(parts::gateway(&config, &backends), listener, stop).await;
    backends.close().await;
    Ok(())
}
