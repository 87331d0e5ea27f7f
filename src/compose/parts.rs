//! The parts that several roles are put together from.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kurir_core::domain::{SessionId, WorkerName};
use kurir_core::port::{Clock, Entropy, Membership, Messenger, PortError, SessionStore, StateStore, Web};
use kurir_workers::{CourierPorts, GroupedLedger, GroupedQueue, RelayPorts, Worker, WorkerPorts};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::backends::Backends;
use super::watched;
use crate::adapters::http::GuardedWeb;
use crate::adapters::rabbitmq::RabbitMq;
use crate::adapters::whatsapp::{Endpoint, WhatsAppMessenger, WhatsAppOptions};
use crate::config::Config;
use crate::gateway::usecase::MediaRules;
use crate::gateway::{Gateway, GatewayOptions, GatewayPorts, Place, Probe, fixed_key};

/// How long a probe may take; orchestrators ask with limits of a few seconds.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Which events wait for a slow reader at most.
const EVENTS_WAITING: usize = 1024;

/// The worker's name: the configured one, or the host's with a random part.
pub(super) fn worker_name(config: &Config, entropy: &dyn Entropy) -> WorkerName {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    config.worker.name_or(host.as_deref().map(str::trim), entropy.nonce())
}

/// WhatsApp, over the process's store.
pub(super) fn messenger(config: &Config, backends: &Backends) -> anyhow::Result<Arc<dyn Messenger>> {
    messenger_over(config, Arc::clone(&backends.state), Arc::clone(&backends.clock))
}

/// WhatsApp, over this store.
pub(super) fn messenger_over(
    config: &Config,
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Arc<dyn Messenger>> {
    let settings = &config.whatsapp;
    let options = WhatsAppOptions {
        endpoint: settings.endpoint.clone().map_or(Endpoint::WhatsApp, Endpoint::Simulator),
        client_version: settings.client_version.map(|version| (version.0, version.1, version.2)),
        device_name: settings.device_name.clone(),
        prekeys: settings.prekeys as usize,
        connect_limit: settings.connect_timeout,
        event_capacity: EVENTS_WAITING,
        media_ca: media_ca(settings.media_ca.as_deref())?,
        largest_file: super::settings::media_limits(config).largest(),
    };
    Ok(Arc::new(WhatsAppMessenger::new(options, state, clock)?))
}

/// The web, for addresses that callers name.
pub(super) fn web(config: &Config) -> anyhow::Result<Arc<dyn Web>> {
    Ok(Arc::new(GuardedWeb::new(config.web.allow.clone())?))
}

/// The certificate that a simulator's media server is trusted by.
fn media_ca(given: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(given) = given else { return Ok(None) };
    if given.trim_start().starts_with("-----BEGIN") {
        return Ok(Some(given.to_owned()));
    }
    let read = std::fs::read_to_string(given);
    read.map(Some).with_context(|| format!("whatsapp.media_ca: {given} can't be read"))
}

/// The ports of a worker.
pub(super) fn worker_ports(backends: &Backends, messenger: Arc<dyn Messenger>) -> WorkerPorts {
    WorkerPorts {
        sessions: Arc::clone(&backends.sessions),
        state: Arc::clone(&backends.state),
        ledger: Arc::clone(&backends.ledger),
        outbox: Arc::clone(&backends.outbox),
        jobs: Arc::clone(&backends.jobs),
        pools: Arc::clone(&backends.pools),
        events: Arc::clone(&backends.event_sink),
        leases: Arc::clone(&backends.leases),
        members: Arc::clone(&backends.members),
        vigil: Arc::clone(&backends.vigil),
        wishes: Arc::clone(&backends.wishes),
        recipients: Arc::clone(&backends.recipients),
        calls: Arc::clone(&backends.calls),
        messenger,
        clock: Arc::clone(&backends.clock),
        entropy: Arc::clone(&backends.entropy),
        refused: backends.refused.clone(),
        media: Arc::clone(&backends.media),
        web: Arc::clone(&backends.web),
        observer: Arc::clone(&backends.telemetry) as _,
        suppressions: Arc::clone(&backends.suppressions),
    }
}

/// The ports of a relay.
pub(super) fn relay_ports(backends: &Backends) -> RelayPorts {
    RelayPorts {
        sessions: Arc::clone(&backends.sessions),
        index: Arc::clone(&backends.index),
        alerts: Arc::clone(&backends.alerts),
        outbox: Arc::clone(&backends.outbox),
        events: Arc::clone(&backends.event_sink),
        ledger: Arc::clone(&backends.ledger),
        media: Arc::clone(&backends.media),
        requests: Arc::clone(&backends.requests),
        log: Arc::clone(&backends.event_log),
        users: Arc::clone(&backends.users),
        clock: Arc::clone(&backends.clock),
        verifications: Arc::clone(&backends.verifications),
        jobs: Arc::clone(&backends.jobs),
        web: Arc::clone(&backends.web),
    }
}

/// What tells webhooks, over the process's ports.
pub(super) fn courier_ports(backends: &Backends) -> CourierPorts {
    CourierPorts {
        log: Arc::clone(&backends.event_log),
        webhooks: watched::counted_webhooks(backends),
        web: Arc::clone(&backends.web),
        clock: Arc::clone(&backends.clock),
        entropy: Arc::clone(&backends.entropy),
    }
}

/// A gateway over the process's ports.
pub(super) fn gateway(config: &Config, backends: &Backends) -> Gateway {
    let settings = &config.gateway;
    let tenant = settings.tenant.clone().unwrap_or_else(|| config.fleet.tenant.clone());
    let fixed_keys = settings.api_key.iter().filter_map(|key| fixed_key(key, tenant.clone())).collect();
    let options = GatewayOptions {
        fixed_keys,
        key_rate: settings.key_rate,
        key_burst: settings.key_burst,
        default_country: config.fleet.default_country.clone(),
        otp_ttl: settings.otp_ttl,
        body_limit: settings.body_limit as usize,
        request_timeout: settings.request_timeout,
        header_timeout: settings.header_timeout,
        max_connections: settings.max_connections as usize,
        stop_deadline: settings.stop_deadline,
        probes: backends.probes.clone(),
        media: MediaRules { limits: super::settings::media_limits(config), keep: config.media.keep },
        upload_timeout: config.media.transfer_timeout,
        messages: super::settings::messages(settings),
        verify: super::settings::verify(config, backends.code_keys.clone()),
        senders: super::settings::senders(config),
        pace: super::settings::pace(config),
        max_streams: settings.max_streams as usize,
        streams_per_key: settings.streams_per_key as usize,
        stream_patience: settings.stream_patience,
        operator: config.fleet.tenant.clone(),
        meter: Some(Arc::clone(&backends.telemetry) as _),
        admin: super::settings::admin(&config.admin),
        dialects: super::dialects::options(config, &tenant),
        dialects_open: config.dialects.open && settings.listen.ip().is_loopback(),
        limits: super::limits::in_force(config),
    };
    let ports = GatewayPorts {
        sessions: Arc::clone(&backends.sessions),
        keys: Arc::clone(&backends.keys),
        // Requests come one by one, and share commits and confirms.
        ledger: Arc::new(GroupedLedger::new(Arc::clone(&backends.ledger))),
        jobs: Arc::new(GroupedQueue::new(Arc::clone(&backends.jobs))),
        pools: Arc::clone(&backends.pools),
        vigil: Arc::clone(&backends.vigil),
        clock: Arc::clone(&backends.clock),
        entropy: Arc::clone(&backends.entropy),
        media: Arc::clone(&backends.media),
        index: Arc::clone(&backends.index),
        requests: Arc::clone(&backends.requests),
        events: Arc::clone(&backends.event_source),
        verifications: Arc::clone(&backends.verifications),
        event_log: Arc::clone(&backends.event_log),
        webhooks: Arc::clone(&backends.webhooks),
        web: Arc::clone(&backends.web),
        templates: Arc::clone(&backends.templates),
        suppressions: Arc::clone(&backends.suppressions),
        users: Arc::clone(&backends.users),
        calls: Arc::clone(&backends.calls),
        wishes: Arc::clone(&backends.wishes),
        dead: Arc::clone(&backends.dead),
        members: Arc::clone(&backends.members),
    };
    Gateway::new(options, ports)
}

/// Serves a gateway until `stop`, and says what it had to abandon.
pub(super) async fn serve_gateway(
    gateway: Gateway,
    listener: TcpListener,
    places: Vec<Place>,
    stop: CancellationToken,
) {
    let abandoned = gateway.serve(listener, places, stop).await;
    tracing::info!(?abandoned, "gateway stopped");
}

/// Asks the store for a session that can't be there.
pub(super) fn store_probe(name: &'static str, sessions: Arc<dyn SessionStore>) -> Probe {
    Probe::new(name, PROBE_LIMIT, move || {
        let sessions = Arc::clone(&sessions);
        async move { sessions.epoch(&nobody()?).await.map(|_| ()) }
    })
}

/// Asks the broker whether its connections are up.
pub(super) fn rabbit_probe(broker: Arc<RabbitMq>) -> Probe {
    Probe::new("rabbitmq", PROBE_LIMIT, move || {
        let ready = broker.is_ready();
        async move { if ready { Ok(()) } else { Err(PortError::Closed("RabbitMQ's connection")) } }
    })
}

/// Asks Redis who is alive.
pub(super) fn redis_probe(members: Arc<dyn Membership>) -> Probe {
    Probe::new("redis", PROBE_LIMIT, move || {
        let members = Arc::clone(&members);
        async move { members.members().await.map(|_| ()) }
    })
}

/// Asks the worker whether it takes part in the fleet.
pub(super) fn worker_probe(worker: &Worker) -> Probe {
    let joined = worker.joined();
    Probe::new("worker", PROBE_LIMIT, move || {
        let takes_part = *joined.borrow();
        async move { if takes_part { Ok(()) } else { Err(PortError::Closed("the worker")) } }
    })
}

fn nobody() -> Result<SessionId, PortError> {
    SessionId::new("readiness-probe").map_err(|_| PortError::Closed("the probe"))
}
