//! What a chat shows of the one who is about to write.

use serde::{Deserialize, Serialize};

/// Whether somebody writes in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Typing {
    /// A text.
    Typing,
    /// A voice message.
    Recording,
    /// Not any more.
    Paused,
}
