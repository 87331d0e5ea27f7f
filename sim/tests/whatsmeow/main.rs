//! The simulator judged by a client that we did not write: whatsmeow, in Go, unmodified.
//!
//! Its root key is a package variable and its HTTP clients can be set, so a small program in
//! `client/` dials the simulator without a patch. Without Go these tests say so and pass.

#[path = "../judge/blocks.rs"]
mod blocks;
mod client;
mod contacts;
mod devices;
#[path = "../judge/files.rs"]
mod files;
mod groups;
mod identity;
#[path = "../judge/inbox.rs"]
mod inbox;
mod keep_alive;
mod keys;
mod linking;
mod media;
mod messages;
mod presence;
mod program;
mod sessions;
#[path = "../judge/texts.rs"]
mod texts;
