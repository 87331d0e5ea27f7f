//! One conformance suite per port. Whoever implements a port runs its suite; a failure names the promise that was
//! broken, and a suite goes on after a failure, so that one run tells all of them.
//!
//! Every check asks `make` for an instance of its own. It must be empty (a schema, a file, a virtual host or a key
//! prefix of its own): some promises are about everything that a store holds. Names and ids are random all the same,
//! so that servers can be shared where a port knows names only.
//!
//! Suites run on a Tokio runtime with time and I/O enabled, and real time: never on a paused clock.

mod activity;
mod alerts;
mod calls;
mod dead;
mod event_feed;
mod event_log;
mod events;
mod fixture;
mod index;
mod jobs;
mod jobs_park;
mod jobs_pools;
mod jobs_streams;
mod keys;
mod lease;
mod ledger;
mod ledger_guard;
mod media;
mod members;
mod outbox;
mod recipients;
mod recipients_day;
mod requests;
mod session_desk;
mod session_vault;
mod sessions;
mod sessions_guard;
mod sessions_pools;
mod spending;
mod state;
mod state_guard;
mod state_scan;
mod stores;
mod suite;
mod suppressions;
mod templates;
mod users;
mod verifications;
mod verify_counts;
mod vigil;
mod web;
mod webhooks;
mod wishes;

pub use calls::{CallPorts, calls};
pub use dead::{DeadPorts, dead_letters};
pub use event_feed::{FeedPorts, event_feed};
pub use events::{EventPorts, events};
pub use jobs::{DeadLetterProbe, Queues, job_queue};
pub use lease::lease_store;
pub use media::media_store;
pub use members::membership;
pub use recipients::recipient_limits;
pub use session_vault::{VaultPorts, session_vault};
pub use stores::{Stores, stores};
pub use vigil::vigil;
pub use web::{WebPlaces, web};
pub use wishes::wishes;
