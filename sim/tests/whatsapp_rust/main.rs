//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod bad_clients;
mod client;
mod contacts;
mod control;
mod devices;
mod faults;
mod linking;
mod messages;
mod presence;
mod sessions;
