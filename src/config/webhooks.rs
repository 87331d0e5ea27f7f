//! Webhooks.

use std::time::Duration;

use serde::Deserialize;

use super::read;

/// `[webhooks]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// How long a webhook may take to answer.
    #[serde(deserialize_with = "read::span")]
    pub answer_within: Duration,
    /// The first pause between attempts.
    #[serde(deserialize_with = "read::span")]
    pub backoff_base: Duration,
    /// The longest pause between attempts.
    #[serde(deserialize_with = "read::span")]
    pub backoff_max: Duration,
    /// How long one event is tried.
    #[serde(deserialize_with = "read::span")]
    pub patience: Duration,
    /// Deliveries of one webhook under way at once, in each relay.
    pub at_once: u32,
    /// A webhook that has failed for so long is disabled.
    #[serde(deserialize_with = "read::span")]
    pub disable_after: Duration,
}
