//! SQLite: store, queue and events of one process in one file, with nothing to install.
//!
//! One process has the file ([`OpenError::InUse`] tells a second one so), one connection writes and a few read.
//! Writes that arrive while a commit is under way share the next one, since a commit waits for the disk and everything
//! else does not. Which job was handed to whom is known in memory only: the end of the process ends every claim.

mod api_keys;
mod database;
mod dead_letters;
mod error;
mod events;
mod lanes;
mod ledger;
mod open;
mod outbox;
mod queue;
mod row;
mod schema;
mod sealer;
mod sessions;
mod settle;
mod spending;
mod state;
mod stream;
mod suppressions;
mod templates;
mod writer;

pub use database::{Durability, SqliteStore};
pub use events::SqliteEvents;
pub use open::{OpenError, SqliteOptions};
pub use queue::SqliteQueue;
