//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod audit;
mod bad_clients;
mod client;
mod control;
mod events;
mod faults;
mod faults_acks;
mod faults_connection;
mod faults_login;
mod faults_receipts;
mod faults_scenario;
mod groups;
mod guard;
mod http;
mod linking;
mod media;
mod messages;
mod openapi;
mod pair_code;
mod picture;
mod restart;
mod sessions;
mod state;
mod waiting;
