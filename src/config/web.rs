//! Requests to addresses that callers name: webhooks, files to send.

use kurir_core::policy::Reach;
use serde::Deserialize;

use super::read;

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebConfig {
    /// What may be asked beside the public internet.
    #[serde(deserialize_with = "read::reach")]
    pub allow: Reach,
}
