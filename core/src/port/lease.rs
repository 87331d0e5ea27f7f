//! Leases: who works on a session now. They may be forgotten without harm, because every write is guarded by the
//! epoch; they exist so that two workers don't fight over a number.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{LeaseToken, SessionId};

/// A store of short-lived locks.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease if nobody holds it. The holder's local deadline counts from before this call.
    async fn acquire(&self, session: &SessionId, token: &LeaseToken, ttl: Duration) -> Result<bool, PortError>;

    /// Extends the leases that are still held under the given tokens, all in one request; the answers are in order.
    async fn renew(&self, held: &[(SessionId, LeaseToken)], ttl: Duration) -> Result<Vec<bool>, PortError>;

    /// Gives the lease back if it is held under this token; tells whether it was.
    async fn release(&self, session: &SessionId, token: &LeaseToken) -> Result<bool, PortError>;

    /// Which of these sessions are held by anybody, in order.
    async fn held(&self, sessions: &[SessionId]) -> Result<Vec<bool>, PortError>;
}
