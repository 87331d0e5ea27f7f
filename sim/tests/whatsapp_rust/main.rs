//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod audit;
mod bad_clients;
#[path = "../judge/blocks.rs"]
mod blocks;
mod client;
mod contacts;
mod control;
mod devices;
#[path = "../../../tests/openapi/document.rs"]
mod document;
mod events;
mod faults;
mod faults_acks;
mod faults_connection;
mod faults_login;
mod faults_receipts;
mod faults_scenario;
#[path = "../judge/files.rs"]
mod files;
mod groups;
mod guard;
mod http;
#[path = "../judge/inbox.rs"]
mod inbox;
mod linking;
mod media;
mod messages;
mod openapi;
mod pair_code;
mod picture;
mod presence;
mod restart;
mod sessions;
mod state;
#[path = "../judge/texts.rs"]
mod texts;
mod waiting;
