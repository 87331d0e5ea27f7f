//! Words by which recipients stop bulk messages.

use kurir_core::policy::OptOutWords;
use serde::Deserialize;

use super::read;

/// `[suppression]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuppressionConfig {
    /// The words that stop bulk messages.
    #[serde(deserialize_with = "read::name")]
    pub stop_words: OptOutWords,
    /// The words that take it back.
    #[serde(deserialize_with = "read::name")]
    pub resume_words: OptOutWords,
}
