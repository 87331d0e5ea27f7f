//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod bad_clients;
mod client;
mod control;
mod faults;
mod linking;
mod messages;
mod pair_code;
mod sessions;
