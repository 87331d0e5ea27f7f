//! Sending as the older systems did it: the answer comes when WhatsApp's server has the message. Where that takes too long the
//! answer is that the message is accepted, and never that it is sent.

use std::collections::BTreeMap;

use kurir_core::domain::{Lane, LedgerEntry, MessageState, Scope, SessionRecord, SessionState, Wanted};
use kurir_core::wire::ContentV1;

use super::{Desk, Guest, Refusal};
use crate::gateway::usecase::{Enqueue, Receipt};
use crate::gateway::waits::Goal;

/// A message to send.
pub(super) struct Letter {
    pub to: String,
    pub content: ContentV1,
    /// Without one, as its content says.
    pub lane: Option<Lane>,
    /// Seconds after which it is not worth sending any more.
    pub ttl: Option<u32>,
}

/// What became of a message within the time that its caller waits.
#[derive(Debug)]
pub(super) enum Posted {
    /// WhatsApp's server has it.
    Sent(LedgerEntry),
    /// It is in hand, and what becomes of it is told by events.
    Accepted(LedgerEntry),
}

impl Posted {
    /// The message, and whether WhatsApp's server has it.
    pub const fn entry(&self) -> (&LedgerEntry, bool) {
        match self {
            Self::Sent(entry) => (entry, true),
            Self::Accepted(entry) => (entry, false),
        }
    }

    /// What these systems' callers know a message by: the id that it has at WhatsApp.
    pub fn id(&self) -> String {
        self.entry().0.message_id.to_string()
    }
}

impl Desk {
    /// Sends a message through a session that is connected; one that isn't is told at once, and nothing is enqueued.
    pub async fn post(&self, guest: &Guest, session: &SessionRecord, letter: Letter) -> Result<Posted, Refusal> {
        guest.needs(Scope::Send)?;
        if session.status.state != SessionState::Connected || session.wanted != Wanted::Running {
            return Err(Refusal::NotConnected(session.status.state));
        }
        let lane = letter.lane.or(matches!(letter.content, ContentV1::Otp { .. }).then_some(Lane::Otp));
        let job = Enqueue {
            id: None,
            session: Some(session.id.to_string()),
            pool: None,
            to: letter.to,
            lane,
            content: letter.content,
            expires_at: None,
            ttl: letter.ttl,
            metadata: BTreeMap::from([("dialect".to_owned(), self.options.dialect.to_string())]),
            traceparent: None,
            batch: None,
        };
        let (cases, tenant) = (self.app.cases.clone(), guest.tenant().clone());
        // In a task of its own: between the ledger and the queue nothing may stop because a caller hangs up.
        let done = self.app.tasks.spawn(async move { cases.enqueue(&tenant, job).await });
        let (Receipt::Accepted(entry) | Receipt::Known(entry)) = done.await.map_err(|_| Refusal::Unavailable)??;
        let seen = self.app.waits.until(entry.key.clone(), Goal::Sent, self.options.send_wait).await;
        let entry = seen.unwrap_or(entry);
        match entry.state {
            MessageState::Sent | MessageState::Delivered | MessageState::Read => Ok(Posted::Sent(entry)),
            MessageState::Queued | MessageState::Delayed | MessageState::Sending => Ok(Posted::Accepted(entry)),
            MessageState::Failed | MessageState::Expired | MessageState::Uncertain | MessageState::Cancelled => {
                Err(Refusal::NotSent { state: entry.state, reason: entry.reason })
            }
        }
    }
}
