//! All in one process: worker, relay and gateway over SQLite, and a simulator unless another one is named.

use std::time::Duration;

use anyhow::Context as _;
use kurir_core::domain::Secret;
use kurir_core::port::Entropy;
use kurir_sim::{SimHandle, Simulator};
use kurir_workers::{Courier, Relay, StopReport, Worker};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use super::watched::{Monitoring, sampler};
use super::{dialects, parts, settings, simulator};
use crate::config::{Config, Role};
use crate::telemetry::Sampler;

/// How long each part may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// A running kurir in one process.
pub struct Embedded {
    /// Where the gateway listens: `http://127.0.0.1:PORT`.
    pub gateway_url: String,
    /// Where health and metrics are told without a key, if the settings want that.
    pub monitor_url: Option<String>,
    /// A key for the gateway.
    pub api_key: Secret<String>,
    /// The ports.
    pub backends: Backends,
    worker: Worker,
    relay: Relay,
    courier: Courier,
    sampler: Sampler,
    monitoring: Monitoring,
    /// None where the settings name an endpoint.
    simulator: Option<SimHandle>,
    gateway: JoinHandle<()>,
    stop_gateway: CancellationToken,
}

/// Starts everything. The gateway's key is the configured one, or a fresh one that only the caller knows.
pub async fn up(config: &Config) -> anyhow::Result<Embedded> {
    config.require_for(Role::Up)?;
    let mut config = config.clone();
    let simulator = if config.whatsapp.endpoint.is_some() { None } else { Some(simulated(&config).await?) };
    if let Some(simulator) = &simulator {
        config.whatsapp.endpoint = Some(simulator.ws_url());
        config.whatsapp.media_ca = Some(simulator.media_ca_pem().clone());
    }
    let backends = Backends::embedded(&config).await?;
    let key = config.gateway.api_key.clone().unwrap_or_else(|| fresh_key(&*backends.entropy));
    config.gateway.api_key = Some(key.clone());

    let messenger = parts::messenger(&config, &backends)?;
    let name = parts::worker_name(&config, &*backends.entropy);
    let options = settings::worker(&config, name, backends.crash.clone());
    let worker = Worker::start(options, parts::worker_ports(&backends, messenger));
    let relay = Relay::start(settings::relay(&config, backends.code_keys.clone()), parts::relay_ports(&backends));
    let courier = Courier::start(settings::courier(&config), parts::courier_ports(&backends));
    backends.telemetry.follow_worker(worker.held(), config.worker.capacity);
    let sampler = sampler(&config, &backends);
    let monitoring = Monitoring::start(&config, &backends, vec![parts::worker_probe(&worker)]).await?;

    let listen = config.gateway.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("gateway.listen: {listen} can't be listened on; is another process there? Try --set gateway.listen=127.0.0.1:0")
    })?;
    let gateway_url = format!("http://{}", listener.local_addr()?);
    let places = dialects::places(&config).await?;
    let stop_gateway = CancellationToken::new();
    let serving = parts::serve_gateway(parts::gateway(&config, &backends), listener, places, stop_gateway.clone());
    let gateway = tokio::spawn(serving);
    let monitor_url = monitoring.url.clone();
    let api_key = key;
    Ok(Embedded {
        gateway_url,
        monitor_url,
        api_key,
        backends,
        worker,
        relay,
        courier,
        sampler,
        monitoring,
        simulator,
        gateway,
        stop_gateway,
    })
}

async fn simulated(config: &Config) -> anyhow::Result<SimHandle> {
    let simulator = Simulator::start(simulator::settings(config)?, CancellationToken::new()).await;
    simulator.context("the simulator could not be started")
}

fn fresh_key(entropy: &dyn Entropy) -> Secret<String> {
    Secret::new(format!("kurir_{:032x}", entropy.nonce()))
}

impl Embedded {
    /// The simulated WhatsApp of this process; none where the settings name another one, which may outlive it.
    pub const fn simulator(&self) -> Option<&SimHandle> {
        self.simulator.as_ref()
    }

    /// Says, if nobody could open the admin page, how to enter the first user. There is never one by default.
    pub async fn hint_at_first_user(&self) {
        match self.backends.users.users(None).await {
            Ok(users) if users.is_empty() => tracing::warn!(
                "nobody can sign in to the admin page yet: enter a user with `kurir users add NAME` and the same settings"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error.chain(), "whether the admin page has users is not known"),
        }
    }

    /// Stops all parts, those that others need last.
    pub async fn stop(self) -> StopReport {
        let report = self.worker.stop().await;
        self.stop_gateway.cancel();
        match tokio::time::timeout(STOP, self.gateway).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the gateway's task broke"),
            Err(_) => tracing::warn!("the gateway did not stop in time"),
        }
        if self.courier.stop(STOP).await.is_none() {
            tracing::error!("the webhooks' courier broke");
        }
        self.sampler.stop().await;
        if self.relay.stop(STOP).await.is_none() {
            tracing::warn!("the relay did not stop in time");
        }
        if let Some(simulator) = self.simulator {
            simulator.stop(STOP).await;
        }
        self.monitoring.stop().await;
        self.backends.close().await;
        report
    }
}
