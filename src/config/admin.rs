//! The admin page.

use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// How long a sign-in lasts that nobody uses.
    #[serde(deserialize_with = "read::span")]
    pub session_idle: Duration,
    /// How long a sign-in lasts at most.
    #[serde(deserialize_with = "read::span")]
    pub session_max: Duration,
    /// Whether what a proxy says of its clients is believed.
    pub trust_proxy: bool,
}
