//! The relay sweeps what the workers left in the outbox, forgets old entries of the ledger and old events, takes the
//! steps that verifications are due for, and tells tenants when their messages fail.

use std::time::Duration;

use kurir_core::domain::EventId;
use kurir_core::port::PortError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::alerts;
use crate::options::RelayOptions;
use crate::ports::RelayPorts;
use crate::verify;

/// Most ledger entries, requests and sign-ins that one pass forgets, so that a pass stays short.
const FORGET: u32 = 1000;

/// Most files that one pass removes; each may have hundreds of pieces.
const SWEEP: u32 = 20;
/// Most events of the log that one step forgets.
const FORGET_EVENTS: u32 = 5000;

/// What a relay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayReport {
    /// Events published.
    pub published: u64,
    /// Ledger entries forgotten.
    pub forgotten: u64,
    /// Files removed.
    pub swept: u64,
    /// Verifications that were due and looked at.
    pub verifications: u64,
    /// Events forgotten by the log.
    pub events_forgotten: u64,
    /// Alerts that it raised or resolved.
    pub alerts: u64,
}

/// A running relay. Several may run; an event that two publish has the same id.
pub struct Relay {
    stop: CancellationToken,
    task: JoinHandle<RelayReport>,
    verifications: JoinHandle<u64>,
    alerts: JoinHandle<u64>,
}

impl Relay {
    /// Starts sweeping.
    pub fn start(options: RelayOptions, ports: RelayPorts) -> Self {
        let stop = CancellationToken::new();
        let verifications = tokio::spawn(verify::run(options.verify.clone(), ports.clone(), stop.clone()));
        let alerts = tokio::spawn(alerts::run(options.alerts, ports.clone(), stop.clone()));
        let task = tokio::spawn(run(options, ports, stop.clone()));
        Self { stop, task, verifications, alerts }
    }

    /// Stops after the pass that is under way, or at the deadline.
    pub async fn stop(self, deadline: Duration) -> Option<RelayReport> {
        self.stop.cancel();
        let aborts = [self.task.abort_handle(), self.verifications.abort_handle(), self.alerts.abort_handle()];
        let all = async { tokio::join!(self.task, self.verifications, self.alerts) };
        if let Ok((report, verifications, alerts)) = tokio::time::timeout(deadline, all).await {
            return Some(RelayReport { verifications: verifications.ok()?, alerts: alerts.ok()?, ..report.ok()? });
        }
        for abort in aborts {
            abort.abort();
        }
        None
    }
}

async fn run(options: RelayOptions, ports: RelayPorts, stop: CancellationToken) -> RelayReport {
    let mut report = RelayReport::default();
    let mut timer = tokio::time::interval(options.sweep_every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return report,
            _ = timer.tick() => {}
        }
        if let Err(error) = pass(&options, &ports, &stop, &mut report).await {
            tracing::warn!(error = %error.chain(), "the relay's pass failed; the next one goes on");
        }
    }
}

async fn pass(
    options: &RelayOptions,
    ports: &RelayPorts,
    stop: &CancellationToken,
    report: &mut RelayReport,
) -> Result<(), PortError> {
    loop {
        let now = ports.clock.now();
        let events = ports.outbox.pending(now.minus(options.age), options.batch).await?;
        if !events.is_empty() {
            ports.events.publish(&events).await?;
            let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
            ports.outbox.published(&ids).await?;
            report.published += events.len() as u64;
            tracing::info!(events = events.len(), "the relay published events that were left in the outbox");
        }
        let more = u32::try_from(events.len()).is_ok_and(|count| count == options.batch);
        if !more || stop.is_cancelled() {
            break;
        }
    }
    report.swept += ports.media.sweep_media(ports.clock.now(), SWEEP).await?;
    report.forgotten += ports.ledger.forget(ports.clock.now().minus(options.remember), FORGET).await?;
    ports.requests.forget_requests(ports.clock.now(), FORGET).await?;
    ports.users.forget_sign_ins(ports.clock.now(), FORGET).await?;
    // There are several events to a job, so the log gets as many steps as it takes.
    while !stop.is_cancelled() {
        let old = ports.log.forget(ports.clock.now().minus(options.keep_events), FORGET_EVENTS).await?;
        report.events_forgotten += old;
        if old < u64::from(FORGET_EVENTS) {
            break;
        }
    }
    Ok(())
}
