//! The vigil: what happens in the fleet, told within a moment. Heartbeats and leases tell the same later; nothing rests
//! on this but speed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::PortError;
use crate::domain::Sight;

/// What one process sees, itself included. When it is dropped, or its process dies, the others see that.
pub struct Watch {
    /// Bounded; who does not look for long may miss some, which the heartbeats tell later.
    pub sights: mpsc::Receiver<Sight>,
    /// Ends the vigil when it is dropped.
    pub guard: Box<dyn Send + Sync>,
}

/// The vigil over a fleet.
#[async_trait]
pub trait Vigil: Send + Sync {
    /// Shows that this process lives, for as long as the watch is kept, and tells what happens to the others
    /// from the moment of the call on; those who live by then are told as appeared. It goes on by itself when its
    /// connection is lost; a process counts as dead only if it was seen since then.
    async fn keep(&self, process: u64) -> Result<Watch, PortError>;

    /// Who shows its life now. A process whose vigil's connection is being made anew is missing, though it lives.
    async fn alive(&self) -> Result<BTreeSet<u64>, PortError>;

    /// Has all who watch take a look.
    async fn nudge(&self) -> Result<(), PortError>;
}
