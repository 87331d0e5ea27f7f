//! Wiring: which implementation stands behind which port, and which parts run in which role. Nothing is decided here
//! but that; no role asks where it runs.

mod backends;
#[cfg(feature = "simulator")]
mod bench;
mod crash;
mod dead;
mod dialects;
mod fleet;
mod keys;
mod limits;
mod parts;
mod roles;
mod settings;
#[cfg(feature = "simulator")]
mod simulator;
mod store;
mod tool;
#[cfg(feature = "simulator")]
mod up;
mod watched;

/// Whom the state of a WhatsApp client names is its adapter's knowledge.
pub use crate::adapters::whatsapp::numbers_in_state;
/// What the tools do with API keys and users is what the gateway does.
pub use crate::gateway::admin::{By, NewUser, SHORTEST_PASSWORD, UserDesk};
pub use crate::gateway::usecase::{KeyDesk, MadeKey, NewKey};
pub use backends::Backends;
#[cfg(feature = "simulator")]
pub use bench::bare_client;
pub use dead::OpenDeadLetters;
pub use fleet::Needs;
pub use limits::{SessionLimits, session_limits};
pub use roles::{gateway, relay, worker};
#[cfg(feature = "simulator")]
pub use simulator::serve as simulator;
pub use store::OpenStore;
pub use tool::{Holders, ToolBackends};
#[cfg(feature = "simulator")]
pub use up::{Embedded, up};
