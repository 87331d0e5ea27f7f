//! Carries a scenario out.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Scenario, ScenarioStep, order};
use crate::journal::JournalEvent;
use crate::world::World;

/// Messages that devices handed in so far.
fn messages(world: &World) -> u64 {
    let counters = world.journal.counters();
    counters.accepted + counters.refused
}

/// Orders what is due now and runs the rest in the background until all is ordered or the simulator stops.
pub(crate) async fn run(world: &Arc<World>, scenario: Scenario) {
    let begun = Begun { at: Instant::now(), messages: messages(world) };
    let waiting = scenario.steps.into_iter().enumerate().collect();
    let waiting = order_due(world, begun, waiting).await;
    if waiting.is_empty() {
        return;
    }
    let shared = Arc::clone(world);
    world.tasks.spawn(async move {
        let stop = shared.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = follow(&shared, begun, waiting) => {}
        }
    });
}

#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    messages: u64,
}

impl ScenarioStep {
    fn due(&self, elapsed: Duration, messages: u64) -> bool {
        self.at_ms.is_none_or(|at| Duration::from_millis(at) <= elapsed)
            && self.after_messages.is_none_or(|after| after <= messages)
    }
}

type Waiting = Vec<(usize, ScenarioStep)>;

/// Orders the faults that are due, and returns the others.
async fn order_due(world: &World, begun: Begun, waiting: Waiting) -> Waiting {
    let (elapsed, messages) = (begun.at.elapsed(), messages(world) - begun.messages);
    let mut later = Vec::new();
    for (index, step) in waiting {
        if !step.due(elapsed, messages) {
            later.push((index, step));
        } else if let Err(error) = order(world, step.fault).await {
            tracing::warn!(step = index + 1, %error, "a fault of the scenario could not be ordered");
            world.log(JournalEvent::ScenarioStepFailed { step: index + 1, reason: error.to_string() });
        }
    }
    later
}

async fn follow(world: &World, begun: Begun, mut waiting: Waiting) {
    let mut changes = world.journal.changes();
    loop {
        changes.borrow_and_update();
        waiting = order_due(world, begun, waiting).await;
        if waiting.is_empty() {
            return;
        }
        let count = messages(world) - begun.messages;
        let timed = waiting.iter().filter(|(_, step)| step.after_messages.is_none_or(|after| after <= count));
        let next = timed.filter_map(|(_, step)| step.at_ms).map(Duration::from_millis).min();
        let counts = waiting.iter().any(|(_, step)| step.after_messages.is_some());
        let timer = async {
            match next {
                Some(at) => tokio::time::sleep_until(begun.at + at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = timer => {}
            changed = changes.changed(), if counts => if changed.is_err() {
                return;
            },
        }
    }
}
