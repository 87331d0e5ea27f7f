//! What is counted on its way through a port, and who tells it.

use std::sync::Arc;

use anyhow::Context as _;
use kurir_core::port::{EventSink, Ledger, WebhookStore};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use crate::config::Config;
use crate::gateway::{Monitor, Probe};
use crate::telemetry::{CountedLedger, CountedSink, CountedWebhooks, SampledPorts, Sampler, Telemetry};

/// Ports that count.
pub(super) struct Watched {
    pub ledger: Arc<dyn Ledger>,
    pub event_sink: Arc<dyn EventSink>,
}

impl Watched {
    pub fn new(telemetry: &Arc<Telemetry>, ledger: Arc<dyn Ledger>, event_sink: Arc<dyn EventSink>) -> Self {
        Self {
            ledger: Arc::new(CountedLedger::new(ledger, Arc::clone(telemetry))),
            event_sink: Arc::new(CountedSink::new(event_sink, Arc::clone(telemetry))),
        }
    }
}

/// The register of webhooks for whoever tells them.
pub(super) fn counted_webhooks(backends: &Backends) -> Arc<dyn WebhookStore> {
    Arc::new(CountedWebhooks::new(Arc::clone(&backends.webhooks), Arc::clone(&backends.telemetry)))
}

/// The interface for whoever watches the process, if the settings want one.
pub(super) struct Monitoring {
    stop: CancellationToken,
    served: Option<JoinHandle<()>>,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: Option<String>,
}

impl Monitoring {
    /// Starts to listen. `more` are probes beside those of the backends.
    pub async fn start(config: &Config, backends: &Backends, more: Vec<Probe>) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let Some(listen) = config.metrics.listen else { return Ok(Self { stop, served: None, url: None }) };
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("metrics.listen: {listen} can't be listened on; is another process there?"))?;
        let url = format!("http://{}", listener.local_addr()?);
        tracing::info!(%url, "health and metrics are told");
        let probes = backends.probes.iter().cloned().chain(more).collect();
        let monitor = Monitor { probes, meter: Arc::clone(&backends.telemetry) as _ };
        let served = tokio::spawn(monitor.serve(listener, stop.clone()));
        Ok(Self { stop, served: Some(served), url: Some(url) })
    }

    /// Stops listening.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Some(served) = self.served {
            let _ = served.await;
            tracing::debug!(url = self.url, "health and metrics are told no more");
        }
    }
}

/// Asks for what belongs to the whole fleet.
pub(super) fn sampler(config: &Config, backends: &Backends) -> Sampler {
    let ports = SampledPorts {
        sessions: Arc::clone(&backends.sessions),
        jobs: Arc::clone(&backends.jobs),
        pools: Arc::clone(&backends.pools),
        outbox: Arc::clone(&backends.outbox),
        clock: Arc::clone(&backends.clock),
    };
    let settings = &config.metrics;
    Sampler::start(Arc::clone(&backends.telemetry), ports, settings.sample_every, settings.per_session)
}
