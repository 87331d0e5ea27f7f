//! What kurir is about, without any vendor: the domain, the policies (pure arithmetic, time passed in),
//! the wire contract, the ports and their in-process implementations.
//!
//! Who may import whom is fixed and tested (`tests/tidy`):
//! `domain <- policy, wire, port` and `port, policy <- memory, contract`.

#[cfg(feature = "contract")]
pub mod contract;
pub mod domain;
pub mod memory;
pub mod policy;
pub mod port;
pub mod wire;
