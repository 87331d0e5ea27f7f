//! The loops of kurir's roles, written against the ports of `kurir-core` only.
//!
//! Every loop starts, says when it is ready, stops when told to within a deadline, and reports what it abandoned.

mod alerts;
mod courier;
mod crash_point;
mod fleet;
mod group;
mod grouped;
mod job;
mod lease;
mod log_keeper;
mod observer;
mod options;
mod ports;
mod publisher;
mod refused;
mod relay;
mod room;
mod session;
mod verify;
mod worker;

pub use alerts::AlertOptions;
pub use courier::{Courier, CourierOptions, CourierPorts, CourierReport};
#[cfg(feature = "crash-points")]
pub use crash_point::NoSuchPoint;
pub use crash_point::{Crash, CrashPoint};
pub use group::GroupedState;
pub use grouped::{GroupedLedger, GroupedQueue};
pub use lease::{Lease, Loss};
pub use log_keeper::{LogKeeper, LogKeeperPorts};
pub use observer::{LeaseChange, Observer, Unobserved};
pub use options::{MediaOptions, RelayOptions, VerifyOptions, WhenDown, WorkerOptions};
pub use ports::{RelayPorts, WorkerPorts};
pub use refused::Refused;
pub use relay::{Relay, RelayReport};
pub use worker::{StopReport, Worker};
