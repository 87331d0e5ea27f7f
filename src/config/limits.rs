//! Limits: per sender, per recipient, and of questions about numbers.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// How fast one sender writes.
    pub sender: SenderLimits,
    /// How many one-time passwords one number gets.
    pub recipient: RecipientLimits,
    /// How often WhatsApp is asked whether a number exists.
    pub numbers: NumberLimits,
}

/// `[limits.sender]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderLimits {
    /// One message per this span in the long run; zero: no limit.
    #[serde(deserialize_with = "read::span")]
    pub every: Duration,
    /// As many at once after a pause.
    pub burst: NonZeroU32,
}

/// `[limits.recipient]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientLimits {
    /// One one-time password within this span.
    #[serde(deserialize_with = "read::span")]
    pub otp_every: Duration,
    /// At most this many in 24 hours; 0: no such limit.
    pub otp_per_day: u32,
}

/// `[limits.numbers]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberLimits {
    /// One question of a session per this span in the long run; zero: no limit.
    #[serde(deserialize_with = "read::span")]
    pub every: Duration,
    /// As many at once after a pause.
    pub burst: NonZeroU32,
    /// How long it is believed that a number has WhatsApp.
    #[serde(deserialize_with = "read::span")]
    pub cache_ttl: Duration,
    /// How long it is believed that a number has none.
    #[serde(deserialize_with = "read::span")]
    pub missing_ttl: Duration,
}
