//! The limits as the configuration has them, for whoever wants to see them.

use kurir_core::domain::FailReason;

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitInForce {
    /// What it limits.
    pub limit: String,
    /// The settings that make it; none for what others decide.
    pub settings: Vec<String>,
    /// Its value.
    pub value: String,
    /// Its value where nobody set another one.
    pub default: String,
    /// Where its state is kept.
    pub kept: String,
    /// What happens over it.
    pub over: String,
    /// The reason that events tell.
    pub reason: Option<FailReason>,
    /// What happens while that place is down; empty where that can't be.
    pub down: String,
}
