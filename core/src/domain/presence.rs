//! Whether a session is there, as its contacts see it.

use serde::{Deserialize, Serialize};

/// What a session's contacts are shown of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is online.
    Available,
    /// It is not; its contacts see when it last was.
    Unavailable,
}
