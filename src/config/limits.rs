//! Limits: per sender, per recipient, and of questions about numbers.

use std::num::NonZeroU32;
use std::time::Duration;

use kurir_core::policy::WarmUp;
use serde::Deserialize;

use super::by_session::{SessionNames, TimeZones};
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
    /// At most this many messages on a day of the sender's calendar; 0: no such limit.
    pub per_day: u32,
    /// Fewer while the number is new.
    #[serde(deserialize_with = "read::name")]
    pub warm_up: WarmUp,
    /// At most this many recipients a day that the session has never written to; 0: no such limit.
    pub cold_per_day: u32,
    /// The share of both budgets that is kept for one-time passwords, in percent.
    pub otp_reserve: u32,
    /// Time zones of sessions whose number does not tell the right one.
    #[serde(deserialize_with = "read::name")]
    pub time_zones: TimeZones,
    /// Sessions whose numbers need no warm-up.
    #[serde(deserialize_with = "read::name")]
    pub warmed_up: SessionNames,
}

/// What happens to messages while the place of a limit is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenDown {
    /// They wait until it answers again.
    Wait,
    /// They go without the limit.
    Allow,
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
    /// What happens while Redis can't be asked.
    pub when_down: WhenDown,
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
