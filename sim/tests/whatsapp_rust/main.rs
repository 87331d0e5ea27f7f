//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod bad_clients;
mod client;
mod control;
mod faults;
mod groups;
mod linking;
mod media;
mod messages;
mod sessions;
