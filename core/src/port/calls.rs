//! Short calls to whoever owns a session now, with an answer.
//!
//! For what only the owner can do, and what is worth nothing a moment later: asking WhatsApp something, showing that somebody
//! types. A call is never durable. What must be done however many processes die is written down in the store instead
//! ([`super::SessionStore::want`]).

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::PortError;
use crate::domain::SessionId;

/// Largest request and answer, bytes.
pub const LARGEST_CALL: usize = 64 * 1024;

/// Most calls that wait for one owner; more are answered with [`Called::Busy`].
pub const WAITING_CALLS: usize = 32;

/// What became of a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Called {
    /// The owner's answer.
    Answered(Vec<u8>),
    /// No worker holds the session now.
    NoOwner,
    /// Too much waits for the owner already; it has not heard of this call.
    Busy,
    /// No answer came in time. Whether the owner has done what it was asked is unknown.
    NoAnswer,
}

impl std::fmt::Debug for Called {
    /// An answer may hold a code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Answered(_) => "Answered",
            Self::NoOwner => "NoOwner",
            Self::Busy => "Busy",
            Self::NoAnswer => "NoAnswer",
        })
    }
}

/// A call as its receiver gets it. Dropping it without an answer leaves the caller waiting until its patience ends.
pub struct IncomingCall {
    /// What is asked.
    pub body: Vec<u8>,
    /// How long the caller waits for the answer, at most.
    pub within: Duration,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Vec<u8>>,
}

/// The calls of one session, in the order of their coming. Dropping it ends the listening.
#[async_trait]
pub trait CallStream: Send {
    /// The next call; `None` once nobody can call any more.
    async fn next(&mut self) -> Option<IncomingCall>;
}

/// Calls, and who hears them.
#[async_trait]
pub trait Calls: Send + Sync {
    /// Asks the owner of a session, and waits for the answer at most `within`. A request of more than [`LARGEST_CALL`] bytes is
    /// refused.
    async fn call(&self, session: &SessionId, request: Vec<u8>, within: Duration) -> Result<Called, PortError>;

    /// Hears the calls for a session from now on, or from the moment on at which the system behind can be reached: whoever
    /// owns a session must not wait for that. Who listens last on this instance hears them, should there be two.
    fn listen(&self, session: &SessionId) -> Box<dyn CallStream>;
}
