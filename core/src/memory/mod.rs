//! The ports within one process. The clocks, randomness, leases, members and recipient limits are what a single
//! process runs on, so they drop what has expired; stores, queues, exchange and messenger are for tests, which want
//! the promises of the real ones without a server.
//!
//! No lock is ever held across an `await`.

mod alerts;
mod calls;
mod clock;
mod dead;
mod entropy;
mod event_feed;
mod event_log;
mod events;
mod index;
mod jobs;
mod jobs_stream;
mod keys;
mod lease;
mod ledger;
mod media;
mod members;
mod messenger;
mod outbox;
mod recipients;
mod requests;
mod session_desk;
mod sessions;
mod state;
mod stores;
mod suppressions;
mod templates;
mod users;
mod verifications;
mod vigil;
mod web;
mod webhooks;
mod wishes;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use calls::MemoryCalls;
pub use clock::{ManualClock, SystemClock};
pub use entropy::{SeededEntropy, SystemEntropy};
pub use event_feed::MemoryFeed;
pub use events::MemoryEvents;
pub use jobs::MemoryJobQueue;
pub use lease::MemoryLeases;
pub use members::MemoryMembership;
pub use messenger::{MemoryMessenger, Reply, SentMessage, Shown};
pub use recipients::MemoryRecipientLimits;
pub use stores::MemoryStores;
pub use vigil::MemoryVigil;
pub use web::{MemoryWeb, WebReply};
pub use wishes::MemoryWishes;

/// Locks a mutex. One whose holder panicked is used on: each of our critical sections leaves its data whole at every
/// point where it could panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
