//! kurir sends WhatsApp messages for other services. This package is the only one that knows vendors; the rest of it
//! lives in `kurir-core` (what it is about), `kurir-workers` (its loops) and `kurir-sim` (a WhatsApp to test against).

pub mod adapters;
pub mod cli;
pub mod client;
pub mod compose;
pub mod config;
pub mod gateway;
pub mod telemetry;
