//! The simulator judged by a client that we did not write: Baileys, as it comes from npm.
//!
//! The client runs in Node (`tests/node/baileys/client.mjs`). Where Node is missing these tests are skipped with a
//! message.

mod client;
#[path = "../judge/files.rs"]
mod files;
mod groups;
#[path = "../judge/inbox.rs"]
mod inbox;
mod linking;
mod media;
mod messages;
mod pair_code;
#[path = "../../../tests/node/program.rs"]
mod program;
mod sessions;
#[path = "../judge/texts.rs"]
mod texts;
