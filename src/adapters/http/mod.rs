//! The web beyond our own servers, for addresses that callers name: webhooks, files to send.
//!
//! `kurir_core::policy::Reach` says which addresses may be asked, `resolve` turns names into such addresses and no others, `client` asks.

mod client;
mod resolve;

pub use client::{GuardedWeb, GuardedWebError};
