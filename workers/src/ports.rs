//! What the roles are given.

use std::sync::Arc;

use kurir_core::port::{
    AlertBook, Calls, Clock, Entropy, EventLog, EventSink, JobQueue, LeaseStore, Ledger, MediaStore, Membership,
    MessageIndex, Messenger, Outbox, PoolQueue, RecipientLimits, RequestLog, SessionStore, StateStore, SuppressionList,
    UserStore, Verifications, Vigil, Web, Wishes,
};

use crate::observer::Observer;
use crate::refused::Refused;

/// The ports of a worker.
#[derive(Clone)]
pub struct WorkerPorts {
    /// The register of sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Signal state; the worker only removes it, the messenger uses it.
    pub state: Arc<dyn StateStore>,
    /// The record of jobs.
    pub ledger: Arc<dyn Ledger>,
    /// Events on their way out.
    pub outbox: Arc<dyn Outbox>,
    /// The job queues.
    pub jobs: Arc<dyn JobQueue>,
    /// The queues of pools.
    pub pools: Arc<dyn PoolQueue>,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// Who works on which session.
    pub leases: Arc<dyn LeaseStore>,
    /// Who is alive.
    pub members: Arc<dyn Membership>,
    /// What happens in the fleet, told at once.
    pub vigil: Arc<dyn Vigil>,
    /// Where operators want which session.
    pub wishes: Arc<dyn Wishes>,
    /// The limits per recipient.
    pub recipients: Arc<dyn RecipientLimits>,
    /// Calls to the sessions that it owns.
    pub calls: Arc<dyn Calls>,
    /// WhatsApp.
    pub messenger: Arc<dyn Messenger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Counts the writes that the stores refused.
    pub refused: Refused,
    /// Files that messages carry.
    pub media: Arc<dyn MediaStore>,
    /// Where files to send may be.
    pub web: Arc<dyn Web>,
    /// Hears of what happens.
    pub observer: Arc<dyn Observer>,
    /// Who wants no bulk messages.
    pub suppressions: Arc<dyn SuppressionList>,
}

/// The ports of a relay.
#[derive(Clone)]
pub struct RelayPorts {
    /// Whose sessions there are.
    pub sessions: Arc<dyn SessionStore>,
    /// How messages have ended.
    pub index: Arc<dyn MessageIndex>,
    /// Whose alert stands.
    pub alerts: Arc<dyn AlertBook>,
    /// Events that wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they go.
    pub events: Arc<dyn EventSink>,
    /// Whose old entries are forgotten.
    pub ledger: Arc<dyn Ledger>,
    /// Whose old files are removed.
    pub media: Arc<dyn MediaStore>,
    /// Whose old requests are forgotten.
    pub requests: Arc<dyn RequestLog>,
    /// Whose old sign-ins are forgotten.
    pub users: Arc<dyn UserStore>,
    /// The log of events; its old ones are forgotten.
    pub log: Arc<dyn EventLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Verifications that are due.
    pub verifications: Arc<dyn Verifications>,
    /// Where the messages of their codes go.
    pub jobs: Arc<dyn JobQueue>,
    /// The callers' servers that are to send codes.
    pub web: Arc<dyn Web>,
}
