//! What verifications are due for: the next channel where one does not deliver, their end, their oblivion.
//!
//! A scan is the truth: whatever is due is found in the store, whoever left it there. Several relays may scan; what must
//! happen once is claimed by compare-and-set before it is done.

mod message;
mod step;
#[cfg(test)]
mod tests;
mod webhook;

use futures_util::{StreamExt as _, stream};
use kurir_core::domain::{JobKey, LedgerEntry, Verification};
use kurir_core::port::PortError;
use tokio_util::sync::CancellationToken;

use crate::options::VerifyOptions;
use crate::ports::RelayPorts;

/// Verifications looked at together.
const BATCH: u32 = 200;

/// How often it looks again at once.
const ROUNDS: u32 = 8;

/// How many of these are in work at the same time.
const AT_ONCE: usize = 16;

/// What is forgotten in one pass, at most.
const FORGET: u32 = 1000;

/// Looks after verifications.
struct Carer {
    options: VerifyOptions,
    ports: RelayPorts,
}

/// Scans until `stop`; tells how many verifications were due.
pub(crate) async fn run(options: VerifyOptions, ports: RelayPorts, stop: CancellationToken) -> u64 {
    let mut timer = tokio::time::interval(options.scan_every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let carer = Carer { options, ports };
    let mut looked_at = 0;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return looked_at,
            _ = timer.tick() => {}
        }
        if let Err(error) = carer.pass(&stop, &mut looked_at).await {
            tracing::warn!(error = %error.chain(), "a pass over verifications failed; the next one goes on");
        }
    }
}

impl Carer {
    async fn pass(&self, stop: &CancellationToken, looked_at: &mut u64) -> Result<(), PortError> {
        // A channel that is given up makes the next one due at once; a few rounds are enough for a whole list.
        for round in 1.. {
            let due = self.ports.verifications.due(self.ports.clock.now(), BATCH).await?;
            let count = due.len();
            *looked_at += count as u64;
            let failed = self.take_steps(due).await?;
            // What failed is still due: not at once again.
            let full = u32::try_from(count).is_ok_and(|count| count == BATCH);
            if count == 0 || failed > 0 || (round >= ROUNDS && !full) || stop.is_cancelled() {
                break;
            }
        }
        let before = self.ports.clock.now().minus(self.options.remember);
        self.ports.verifications.forget_ended(before, FORGET).await.map(drop)
    }

    /// Takes a step with each; tells how many failed.
    async fn take_steps(&self, due: Vec<Verification>) -> Result<usize, PortError> {
        if due.is_empty() {
            return Ok(0);
        }
        let keys: Vec<JobKey> = due.iter().map(Verification::job_key).collect();
        let entries: Vec<Option<LedgerEntry>> = self.ports.ledger.get(&keys).await?;
        let steps = stream::iter(due.into_iter().zip(entries)).map(|(of, entry)| async move {
            let id = of.id;
            let done = self.step(of, entry).await;
            if let Err(error) = &done {
                tracing::warn!(verification = %id, error = %error.chain(), "a verification's step failed");
            }
            usize::from(done.is_err())
        });
        Ok(steps.buffer_unordered(AT_ONCE).fold(0, |failed, one| async move { failed + one }).await)
    }
}
