//! What survives the end of the process: one database file in a folder.
//!
//! Rows are JSON under a name: the server's own row, one per account, and beside it one for each
//! device's keys and mailbox and for each piece of a phone's messages, so that a busy account does not
//! rewrite everything. Changed rows are written together, off the threads that serve clients; a crash
//! loses what happened since, a second at most.

mod base64;
mod keeper;
mod rows;
mod store;

pub(crate) use base64::Base64;
pub(crate) use keeper::{Keeper, Kept, media_folder};
