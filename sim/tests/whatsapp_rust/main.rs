//! The simulator judged by a client that we did not write: whatsapp-rust, unmodified.

mod audit;
mod bad_clients;
mod client;
mod contacts;
mod control;
mod devices;
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
mod picture;
mod presence;
mod restart;
mod sessions;
mod waiting;
