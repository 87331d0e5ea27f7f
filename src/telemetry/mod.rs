//! What is counted, for Prometheus.
//!
//! Each instance of a process has one [`Telemetry`] with a registry of its own: two in one process stay apart. Most is
//! counted where it passes a port ([`CountedLedger`], [`CountedSink`], [`CountedWebhooks`]) and what only the loops know is heard by an
//! observer; that costs a look-up and an atomic addition per fact. What must be asked for (queues, the register, the
//! outbox) is asked for now and then by the relay, see [`Sampler`].
//!
//! Labels are words of our own vocabularies. Nobody's number, and a session's id only where the settings ask for it.

mod in_hand;
mod ledger;
mod observed;
mod requests;
mod sample;
mod series;
mod sink;
mod webhooks;

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use kurir_core::port::Clock;
use kurir_workers::Refused;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

pub use ledger::CountedLedger;
pub use sample::{SampledPorts, Sampler};
pub use series::{Series, series, series_in_markdown};
pub use sink::CountedSink;
pub use webhooks::CountedWebhooks;

use in_hand::InHand;
use series::Counted;

/// What runs in a process. Only what its parts can know is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The HTTP gateway.
    Gateway,
    /// A worker.
    Worker,
    /// The relay, which also asks for what belongs to the whole fleet.
    Relay,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Worker, Self::Relay];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Relay => "relay",
        }
    }
}

/// All counters of one process.
pub struct Telemetry {
    registry: Registry,
    counted: Counted,
    in_hand: InHand,
    clock: Arc<dyn Clock>,
    refused: Refused,
    /// The sessions of this process's worker.
    held: OnceLock<watch::Receiver<usize>>,
}

impl Telemetry {
    /// Counts for these parts.
    pub fn new(parts: &[Part], clock: Arc<dyn Clock>, refused: Refused) -> Self {
        let (registry, counted) = series::register(parts);
        Self { registry, counted, in_hand: InHand::default(), clock, refused, held: OnceLock::new() }
    }

    /// From now on this worker's sessions are told, with how many it is ready to hold.
    pub fn follow_worker(&self, held: watch::Receiver<usize>, capacity: u32) {
        self.counted.worker_capacity.set(i64::from(capacity));
        // One process has one worker; a second one would not be told.
        let _ = self.held.set(held);
    }

    /// All of it in the text format of OpenMetrics, which Prometheus reads.
    pub fn exposition(&self) -> String {
        let now = self.clock.now();
        self.counted.refused_writes.inner().store(self.refused.count(), Ordering::Relaxed);
        if let Some(held) = self.held.get() {
            self.counted.worker_sessions.set(i64::try_from(*held.borrow()).unwrap_or(i64::MAX));
        }
        self.in_hand.tell(now, &self.counted);
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // Writing into a String does not fail; a label that can't be written would be a defect of ours.
            tracing::error!(%error, "the metrics could not be written");
        }
        text
    }
}

#[cfg(test)]
mod tests;
