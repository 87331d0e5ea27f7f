//! Leases: who works on a session now. They may be forgotten without harm, because every write is guarded by the
//! epoch; they exist so that two workers don't fight over a number.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{LeaseHolder, LeaseToken, SessionId};

/// The answer to a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// It is held for another span.
    Extended,
    /// Nobody holds it: it ran out, was given back, or the store has forgotten it.
    Vanished,
    /// Somebody else holds it.
    Taken,
}

/// A store of short-lived locks.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease if nobody holds it. The holder's local deadline counts from before this call.
    async fn acquire(&self, session: &SessionId, token: &LeaseToken, ttl: Duration) -> Result<bool, PortError>;

    /// Extends the leases that are still held under the given tokens, all in one request; the answers are in order.
    async fn renew(&self, held: &[(SessionId, LeaseToken)], ttl: Duration) -> Result<Vec<Renewal>, PortError>;

    /// Gives the lease back if it is held under this token; tells whether it was.
    async fn release(&self, session: &SessionId, token: &LeaseToken) -> Result<bool, PortError>;

    /// Ends those of these sessions' leases that this process holds: it is known to be dead, and others need not wait
    /// until they run out. Tells how many.
    async fn evict(&self, holder: &LeaseHolder, sessions: &[SessionId]) -> Result<u64, PortError>;

    /// Which of these sessions are held by anybody, in order.
    async fn held(&self, sessions: &[SessionId]) -> Result<Vec<bool>, PortError>;

    /// A name for the present life of the store. It changes when the store may have forgotten leases: a restart, a
    /// fail-over to a copy.
    async fn era(&self) -> Result<String, PortError>;
}
