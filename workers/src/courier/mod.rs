//! Tells webhooks of events.
//!
//! Two steps, each safe to be done by several relays at once: what a webhook is to hear of is taken out of the log and becomes
//! a delivery (its cursor moves in the same transaction, once); deliveries that are due are claimed for a while and tried.
//! Whoever dies with a claim leaves it to the others when its time is over, so a webhook may hear of an event twice, under the
//! same id.

mod attempt;
mod enlist;
mod sign;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::WebhookId;
use kurir_core::policy::WebhookRule;
use kurir_core::port::{Clock, DeliveryClaim, Entropy, EventLog, PortError, Web, WebhookStore};
use tokio::task::{Id, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Most webhooks of one look at what is due.
const DUE: u32 = 100;

/// Most deliveries that one pass forgets.
const FORGET: u32 = 1000;

/// The settings of a courier.
#[derive(Clone, Debug)]
pub struct CourierOptions {
    /// How often it looks for what is new or due.
    pub look_every: Duration,
    /// How patient webhooks are told.
    pub rule: WebhookRule,
    /// How long a webhook may take to answer.
    pub answer_within: Duration,
    /// How long a claim lasts; longer than an answer may take.
    pub claim_for: Duration,
    /// Deliveries of one webhook under way at once.
    pub per_webhook: usize,
    /// Deliveries under way at once, in all.
    pub at_once: usize,
    /// Deliveries of one webhook that wait; beyond them its events stay in the log.
    pub most_pending: u32,
    /// How long ended deliveries can be looked at.
    pub keep: Duration,
}

/// What a courier is given.
#[derive(Clone)]
pub struct CourierPorts {
    /// The events.
    pub log: Arc<dyn EventLog>,
    /// The webhooks.
    pub webhooks: Arc<dyn WebhookStore>,
    /// The way to them.
    pub web: Arc<dyn Web>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What a courier did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CourierReport {
    /// Deliveries that were taken.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Attempts that were cut off by the stop; others repeat them.
    pub abandoned: u64,
}

/// A running courier. Several may run.
pub struct Courier {
    stop: CancellationToken,
    hurry: CancellationToken,
    task: JoinHandle<CourierReport>,
}

impl Courier {
    /// Starts it.
    pub fn start(options: CourierOptions, ports: CourierPorts) -> Self {
        let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
        let round =
            Round { options: Arc::new(options), ports, stop: stop.clone(), tasks: JoinSet::new(), of: HashMap::new() };
        let task = tokio::spawn(run(round, hurry.clone()));
        Self { stop, hurry, task }
    }

    /// Takes on nothing new, lets the attempts under way end within the deadline, and tells what was done.
    pub async fn stop(mut self, deadline: Duration) -> Option<CourierReport> {
        self.stop.cancel();
        if let Ok(report) = timeout(deadline, &mut self.task).await {
            return report.ok();
        }
        self.hurry.cancel();
        self.task.await.ok()
    }
}

struct Round {
    options: Arc<CourierOptions>,
    ports: CourierPorts,
    stop: CancellationToken,
    /// Attempts under way; each tells whether the delivery was taken.
    tasks: JoinSet<bool>,
    /// Whose they are.
    of: HashMap<Id, WebhookId>,
}

async fn run(mut round: Round, hurry: CancellationToken) -> CourierReport {
    let mut report = CourierReport::default();
    let mut timer = interval(round.options.look_every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = round.stop.cancelled() => break,
            Some(ended) = round.tasks.join_next_with_id() => {
                round.ended(ended, &mut report);
                // A place is free for what is due already; what is new can wait for the next look.
                if let Err(error) = round.hand_out().await {
                    tracing::debug!(error = %error.chain(), "due deliveries can't be looked at");
                }
                continue;
            }
            _ = timer.tick() => {}
        }
        if let Err(error) = round.look().await {
            tracing::warn!(error = %error.chain(), "the courier's look failed; the next one goes on");
        }
    }
    loop {
        tokio::select! {
            biased;
            () = hurry.cancelled() => break,
            ended = round.tasks.join_next_with_id() => match ended {
                Some(ended) => round.ended(ended, &mut report),
                None => return report,
            },
        }
    }
    report.abandoned = round.tasks.len() as u64;
    round.tasks.shutdown().await;
    report
}

impl Round {
    fn ended(&mut self, ended: Result<(Id, bool), tokio::task::JoinError>, report: &mut CourierReport) {
        let (id, taken) = ended.unwrap_or_else(|error| (error.id(), false));
        self.of.remove(&id);
        if taken {
            report.delivered += 1;
        } else {
            report.failed += 1;
        }
    }

    /// One look: what is new becomes due, what is due is tried, what is old is forgotten.
    async fn look(&mut self) -> Result<(), PortError> {
        enlist::enlist(&self.options, &self.ports, &self.stop).await?;
        self.hand_out().await?;
        let old = self.ports.clock.now().minus(self.options.keep);
        self.ports.webhooks.forget_deliveries(old, FORGET).await?;
        Ok(())
    }

    async fn hand_out(&mut self) -> Result<(), PortError> {
        if self.tasks.len() >= self.options.at_once || self.stop.is_cancelled() {
            return Ok(());
        }
        for webhook in self.ports.webhooks.due(self.ports.clock.now(), DUE).await? {
            let free = self.options.at_once.saturating_sub(self.tasks.len());
            let under_way = self.of.values().filter(|id| **id == webhook.id).count();
            let width = self.options.rule.width(&webhook.health, self.options.per_webhook);
            let room = width.saturating_sub(under_way).min(free);
            if room == 0 {
                continue;
            }
            let now = self.ports.clock.now();
            let until = now.plus(self.options.claim_for);
            let claim = DeliveryClaim { token: self.ports.entropy.nonce(), now, until };
            let room = u32::try_from(room).unwrap_or(u32::MAX);
            for delivery in self.ports.webhooks.claim(&webhook.id, claim, room).await? {
                let (options, ports) = (Arc::clone(&self.options), self.ports.clone());
                let of = webhook.id.clone();
                let task = self.tasks.spawn(attempt::attempt(options, ports, webhook.clone(), delivery, claim));
                self.of.insert(task.id(), of);
            }
        }
        Ok(())
    }
}
