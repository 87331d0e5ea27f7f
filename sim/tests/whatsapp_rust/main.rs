//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod bad_clients;
mod client;
mod contacts;
mod control;
mod devices;
mod events;
mod faults;
mod guard;
mod http;
mod linking;
mod media;
mod messages;
mod openapi;
mod picture;
mod presence;
mod sessions;
mod waiting;
