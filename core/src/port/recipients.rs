//! The limit per recipient, over the whole fleet.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;
use crate::domain::{JobKey, PhoneNumber, Timestamp};

/// How many one-time passwords a recipient may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientRule {
    /// At most one within this span.
    pub every: Duration,
    /// At most this many within 24 hours; 0 means no such limit.
    pub per_day: u32,
}

/// The answer to a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It may be sent; the charge is booked.
    Allowed,
    /// Not before this moment; nothing was booked.
    NotBefore(Timestamp),
}

/// The books of the limit.
#[async_trait]
pub trait RecipientLimits: Send + Sync {
    /// Books one message of `job` to a recipient of the job's tenant. A job is booked once: the same job again is
    /// allowed without a second booking, so that a resend is never stopped by its own first attempt.
    async fn charge(
        &self,
        job: &JobKey,
        to: &PhoneNumber,
        rule: RecipientRule,
        now: Timestamp,
    ) -> Result<Charge, PortError>;

    /// Takes the booking of a job back: it was never put on the wire.
    async fn refund(&self, job: &JobKey, to: &PhoneNumber) -> Result<(), PortError>;
}
