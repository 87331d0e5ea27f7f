//! Verifications: codes, their limits, and what follows when they don't arrive.

use std::time::Duration;

use kurir_core::domain::CodeAlphabet;
use kurir_core::policy::Countries;
use serde::Deserialize;

use super::read;

/// `[verify]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyConfig {
    /// Characters of a code, where the caller does not say.
    pub code_length: u32,
    /// What it is made of, likewise.
    #[serde(deserialize_with = "read::name")]
    pub alphabet: CodeAlphabet,
    /// How long it is good, likewise.
    #[serde(deserialize_with = "read::span")]
    pub ttl: Duration,
    /// The language of its text, likewise.
    pub locale: String,
    /// How often a code may be given back.
    pub max_checks: u32,
    /// How often it may be sent.
    pub max_sends: u32,
    /// The pause between two sendings at least.
    #[serde(deserialize_with = "read::span")]
    pub resend_every: Duration,
    /// How long a channel has before the next one is used.
    #[serde(deserialize_with = "read::span")]
    pub patience: Duration,
    /// How long the caller's own server may take to answer.
    #[serde(deserialize_with = "read::span")]
    pub webhook_timeout: Duration,
    /// Which secret requests to callers' servers are signed with, counted from 1.
    pub webhook_secret_number: u32,
    /// Which one signs as well while it is being replaced; 0: none.
    pub old_webhook_secret_number: u32,
    /// Codes to a number in an hour; 0: no such limit. The same in what follows.
    pub per_recipient: u32,
    /// Codes to a prefix in an hour.
    pub per_prefix: u32,
    /// Codes to a country in an hour.
    pub per_country: u32,
    /// Codes that an address asked for in an hour.
    pub per_ip: u32,
    /// Calling codes of the countries that get codes; none: all of them.
    #[serde(deserialize_with = "read::name")]
    pub countries_allowed: Countries,
    /// Calling codes of those that get none.
    #[serde(deserialize_with = "read::name")]
    pub countries_blocked: Countries,
    /// So many lost codes of a prefix, and none that came back, block it; 0: never.
    pub block_after: u32,
    /// Within this span.
    #[serde(deserialize_with = "read::span")]
    pub conversion_window: Duration,
    /// For how long.
    #[serde(deserialize_with = "read::span")]
    pub block_for: Duration,
    /// How often the relay looks for what is due.
    #[serde(deserialize_with = "read::span")]
    pub scan_every: Duration,
    /// How long verifications that have ended are remembered.
    #[serde(deserialize_with = "read::span")]
    pub remember: Duration,
}
