//! The gateway over real HTTP on a loopback port, its ports in process.

#[path = "../openapi/document.rs"]
mod document;
mod fixture;
mod input;
mod keys;
mod messages;
mod openapi;
mod pools;
mod queue;
mod ready;
mod sessions;
mod stop;
mod suppressions;
mod templates;
mod withdraw;
