//! What kurir needs of the outside. A port exists only where there are two implementations or more; each has one
//! conformance suite (`contract`) that all of them pass.

mod activity;
mod alerts;
mod calls;
mod clock;
mod dead;
mod entropy;
mod error;
mod event_feed;
mod event_log;
mod events;
mod incoming;
mod index;
mod jobs;
mod keys;
mod lease;
mod ledger;
mod media;
mod media_intake;
mod members;
mod messenger;
mod outgoing;
mod pools;
mod recipients;
mod requests;
mod session_desk;
mod session_vault;
mod sessions;
mod state;
mod stored;
mod suppressions;
mod templates;
mod users;
mod verifications;
mod vigil;
mod web;
mod webhooks;
mod wishes;

pub use activity::{Activity, Steps, Waiting};
pub use alerts::AlertBook;
pub use calls::{CallStream, Called, Calls, IncomingCall, LARGEST_CALL, WAITING_CALLS};
pub use clock::Clock;
pub use dead::{DeadFilter, DeadId, DeadJob, DeadLetters, Retried};
pub use entropy::Entropy;
pub use error::PortError;
pub use event_feed::{EventFeed, EventIntake};
pub use event_log::{EventLog, LogPage, LogSpan};
pub use events::{EventFilter, EventSink, EventSource, EventStream, ReceivedEvent};
pub use incoming::{Incoming, IncomingContact, IncomingContent, IncomingMedia};
pub use index::{MessageFilter, MessageIndex, MessagePlace};
pub use jobs::{DeadLetter, Delivery, Enqueued, JobHeaders, JobQueue, JobStream, PublishJob, Settle, Settled};
pub use keys::KeyStore;
pub use lease::{LeaseStore, Renewal};
pub use ledger::{Backlog, Ledger, LedgerWrite, Outbox, Written};
pub use media::{MEDIA_PIECE, MediaStore, PiecePut, reach};
pub use media_intake::{IntakeError, MediaIntake, pieces_of, read_media};
pub use members::{Beat, Membership};
pub use messenger::{
    Connection, FetchError, Messenger, MessengerError, MessengerEvent, NumberStatus, PAIRING_LIMIT, PairingCode,
    Receipt, ReceiptKind, Sender,
};
pub use outgoing::{Body, MediaBody, Outgoing, Uploaded};
pub use pools::{PoolQueue, Share};
pub use recipients::{Charge, RecipientLimits, RecipientRule};
pub use requests::{Begun, NewRun, RequestLog, RunEnd};
pub use session_desk::{Described, Description, PoolRecord, PoolRemoved, SessionDesk, SessionFilter};
pub use session_vault::{Acquaintance, Acquaintances, Planted, SessionCopy, SessionEntry, SessionVault, StateValue};
pub use sessions::{Created, NewSession, SessionStore};
pub use state::{StateBatch, StateKey, StatePut, StateStore};
pub use stored::Stored;
pub use suppressions::SuppressionList;
pub use templates::TemplateStore;
pub use users::{UserChange, UserStore};
pub use verifications::{Entered, LimitCharge, LimitOf, Tally, VerificationFilter, VerificationWrite, Verifications};
pub use vigil::{Vigil, Watch};
pub use web::{Web, WebBody, WebError, WebMethod, WebRequest, WebResponse};
pub use webhooks::{DeliveryClaim, WebhookStore};
pub use wishes::Wishes;

pub use crate::domain::SendAnswer;
