//! SQLite: store, queue and events of one process in one file, with nothing to install.
//!
//! One process has the file ([`OpenError::InUse`] tells a second one so; a tool may work beside it, see [`Access`]), one connection writes and a few read.
//! Writes that arrive while a commit is under way share the next one, since a commit waits for the disk and everything
//! else does not. Which job was handed to whom is known in memory only: the end of the process ends every claim.

mod activity;
mod alerts;
mod api_keys;
mod database;
mod dead_letters;
mod error;
mod event_log;
mod events;
mod index;
mod lanes;
mod ledger;
mod media;
mod open;
mod outbox;
mod prefixes;
mod queue;
mod requests;
mod row;
mod schema;
mod sealer;
mod session_desk;
mod session_vault;
mod sessions;
mod settle;
mod spending;
mod state;
mod stream;
mod suppressions;
mod templates;
mod users;
mod verifications;
mod webhook_rows;
mod webhooks;
mod writer;

pub use database::{Durability, SqliteStore};
pub use events::SqliteEvents;
pub use open::{Access, OpenError, SqliteOptions};
pub use queue::SqliteQueue;
