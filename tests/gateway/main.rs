//! The gateway over real HTTP on a loopback port, its ports in process.

mod admin;
mod batches;
mod calls;
mod dialects;
#[path = "../openapi/document.rs"]
mod document;
mod events;
mod fixture;
mod idempotency;
mod input;
mod keys;
mod ledger;
mod media;
mod message_list;
mod messages;
mod metrics;
mod openapi;
mod pools;
mod queue;
mod ready;
mod repeated;
mod session_desk;
mod sessions;
mod stop;
mod suppressions;
mod templates;
mod verifications;
mod verify_limits;
mod waits;
mod webhooks;
mod withdraw;
