//! The gateway over real HTTP on a loopback port, its ports in process.

mod calls;
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
mod session_desk;
mod sessions;
mod stop;
mod withdraw;
