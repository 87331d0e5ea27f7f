//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod bad_clients;
mod client;
mod control;
mod events;
mod faults;
mod groups;
mod guard;
mod http;
mod linking;
mod media;
mod messages;
mod openapi;
mod picture;
mod sessions;
mod waiting;
