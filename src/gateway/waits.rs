//! Callers who wait until their message has come to a state.
//!
//! One follower for all of them: it hears of messages by events, looks them up in the ledger, many in one read, and shows
//! each waiter what it found. An event is a hint, the ledger is the truth: all are looked up now and then whatever was
//! heard. It runs, and follows events, while somebody waits, and a little longer.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kurir_core::domain::{JobId, JobKey, LedgerEntry, MessageState, TenantId};
use kurir_core::port::{EventFilter, EventSource, EventStream, Ledger, PortError, ReceivedEvent};
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often all are looked up that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the follower stays when nobody waits any more.
const LINGER: Duration = Duration::from_secs(5);

/// Most messages in one read.
const MOST_READ: usize = 500;

/// Events that are taken in before what they touched is looked up.
const MOST_HEARD: usize = 256;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// WhatsApp's server has it.
    Sent,
    /// The phone has it.
    Delivered,
}

impl Goal {
    /// Whether a message has come that far, or will come no further.
    pub const fn is_reached(self, state: MessageState) -> bool {
        match state {
            MessageState::Queued | MessageState::Delayed | MessageState::Sending => false,
            MessageState::Sent => matches!(self, Self::Sent),
            MessageState::Delivered
            | MessageState::Read
            | MessageState::Failed
            | MessageState::Expired
            | MessageState::Uncertain
            | MessageState::Cancelled => true,
        }
    }
}

type Seen = Option<Arc<LedgerEntry>>;

struct Slot {
    waiters: usize,
    seen: watch::Sender<Seen>,
}

#[derive(Default)]
struct State {
    slots: HashMap<JobKey, Slot>,
    waiters: usize,
    touched: HashSet<JobKey>,
    follows: bool,
}

struct Shared {
    ledger: Arc<dyn Ledger>,
    events: Arc<dyn EventSource>,
    most: usize,
    state: Mutex<State>,
    touched: Notify,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All who wait. A clone is the same.
#[derive(Clone)]
pub(super) struct Waits(Arc<Shared>);

/// One who waits; the place is given up when this is dropped.
struct Place {
    shared: Arc<Shared>,
    key: JobKey,
    seen: watch::Receiver<Seen>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.waiters -= 1;
        let Some(slot) = state.slots.get_mut(&self.key) else { return };
        slot.waiters -= 1;
        if slot.waiters == 0 {
            state.slots.remove(&self.key);
            state.touched.remove(&self.key);
        }
    }
}

impl Waits {
    /// For at most `most` waiters. Waits end when `stopping` is cancelled; the follower is one of `tasks`.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        events: Arc<dyn EventSource>,
        most: usize,
        tasks: TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        let (state, touched) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { ledger, events, most, state, touched, tasks, stopping }))
    }

    /// Waits until a message has come to where `goal` says, at most this long; gives what was seen of it last. `None`:
    /// nothing was, or too many wait already.
    pub async fn until(&self, key: JobKey, goal: Goal, limit: Duration) -> Option<LedgerEntry> {
        let end = Instant::now() + limit;
        let mut place = self.enter(key)?;
        let reached = place.seen.wait_for(|seen| seen.as_ref().is_some_and(|entry| goal.is_reached(entry.state)));
        let found = tokio::select! {
            found = reached => found.ok().and_then(|seen| seen.as_deref().cloned()),
            () = tokio::time::sleep_until(end) => None,
            () = self.0.stopping.cancelled() => None,
        };
        found.or_else(|| place.seen.borrow().as_deref().cloned())
    }

    fn enter(&self, key: JobKey) -> Option<Place> {
        if self.0.stopping.is_cancelled() {
            return None;
        }
        let mut state = self.0.state();
        if state.waiters >= self.0.most {
            return None;
        }
        state.waiters += 1;
        let slot =
            state.slots.entry(key.clone()).or_insert_with(|| Slot { waiters: 0, seen: watch::Sender::new(None) });
        slot.waiters += 1;
        let seen = slot.seen.subscribe();
        state.touched.insert(key.clone());
        let starts = !std::mem::replace(&mut state.follows, true);
        drop(state);
        if starts {
            self.0.tasks.spawn(follow(Arc::clone(&self.0)));
        } else {
            self.0.touched.notify_one();
        }
        Some(Place { shared: Arc::clone(&self.0), key, seen })
    }
}

/// What an event says of where it belongs.
#[derive(Deserialize)]
struct Subject {
    tenant: TenantId,
    subject: JobId,
}

/// The follower.
async fn follow(shared: Arc<Shared>) {
    let mut events: Option<Box<dyn EventStream>> = None;
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut idle) = (0, None);
    loop {
        let touched = !shared.state().touched.is_empty();
        let full = heard >= MOST_HEARD;
        tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            _ = tick.tick() => {
                if events.is_none() {
                    events = subscribe(&shared).await;
                }
                if leaves(&shared, &mut idle) {
                    return;
                }
            }
            event = next(&mut events), if !full => match event {
                Ok(Some(event)) => {
                    heard += 1;
                    hear(&shared, &event);
                }
                Ok(None) => events = None,
                Err(error) => {
                    tracing::debug!(error = %error.chain(), "events can't be followed; the ledger is looked at all the same");
                    events = None;
                }
            },
            () = std::future::ready(()), if touched => {
                heard = 0;
                look(&shared).await;
            }
            () = shared.touched.notified() => {}
        }
    }
    shared.state().follows = false;
}

/// Has all looked up that somebody waits for; tells whether nobody does, and has not for a while.
fn leaves(shared: &Shared, idle: &mut Option<Instant>) -> bool {
    let mut state = shared.state();
    if !state.slots.is_empty() {
        *idle = None;
        state.touched = state.slots.keys().cloned().collect();
        return false;
    }
    if idle.get_or_insert_with(Instant::now).elapsed() < LINGER {
        return false;
    }
    // Under the lock, so that whoever comes next starts another one.
    state.follows = false;
    true
}

async fn next(events: &mut Option<Box<dyn EventStream>>) -> Result<Option<ReceivedEvent>, PortError> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn subscribe(shared: &Shared) -> Option<Box<dyn EventStream>> {
    match shared.events.subscribe(EventFilter::default()).await {
        Ok(events) => Some(events),
        Err(error) => {
            tracing::debug!(error = %error.chain(), "events can't be followed; the ledger is looked at all the same");
            None
        }
    }
}

/// Notes the message that an event tells of, if somebody waits for it.
fn hear(shared: &Shared, event: &ReceivedEvent) {
    if !event.routing_key.contains(".message.") || event.routing_key.ends_with(".received") {
        return;
    }
    let Ok(Subject { tenant, subject }) = serde_json::from_slice(&event.body) else { return };
    let key = JobKey::new(tenant, subject);
    let mut state = shared.state();
    if state.slots.contains_key(&key) {
        state.touched.insert(key);
    }
}

/// Looks up what was touched, and shows it to those who wait.
async fn look(shared: &Shared) {
    let keys: Vec<JobKey> = {
        let mut state = shared.state();
        let keys: Vec<_> = state.touched.iter().take(MOST_READ).cloned().collect();
        for key in &keys {
            state.touched.remove(key);
        }
        keys
    };
    match shared.ledger.get(&keys).await {
        Ok(entries) => {
            let state = shared.state();
            for (key, entry) in keys.iter().zip(entries) {
                if let (Some(slot), Some(entry)) = (state.slots.get(key), entry) {
                    slot.seen.send_replace(Some(Arc::new(entry)));
                }
            }
        }
        // They are looked up again in a moment.
        Err(error) => tracing::debug!(error = %error.chain(), "messages that somebody waits for can't be looked up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_reached_by_it_by_more_and_by_the_end() {
        use MessageState::{Delayed, Delivered, Failed, Queued, Read, Sending, Sent, Uncertain};
        for state in [Queued, Delayed, Sending] {
            assert!(!Goal::Sent.is_reached(state) && !Goal::Delivered.is_reached(state), "{state}");
        }
        assert!(Goal::Sent.is_reached(Sent) && !Goal::Delivered.is_reached(Sent));
        for state in [Delivered, Read, Failed, Uncertain] {
            assert!(Goal::Sent.is_reached(state) && Goal::Delivered.is_reached(state), "{state}");
        }
    }
}
