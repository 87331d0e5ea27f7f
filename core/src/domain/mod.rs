//! The nouns of kurir and the state machines that they go through.

mod event;
mod fence;
mod ident;
mod job;
mod ledger;
mod outcome;
mod phone;
mod qr;
mod seal;
mod secret;
mod session;
mod sight;
mod time;

pub use event::{EventId, EventKind, OutboxEvent};
pub use fence::{Epoch, Fence, LeaseHolder, LeaseToken};
pub use ident::{IdentError, JobId, JobKey, MessageId, PoolId, SessionId, TenantId, WorkerName};
pub use job::{Content, Job, Lane, Target, UnknownPlaceholder};
pub use ledger::{LedgerEntry, LedgerError, MessageState};
pub use outcome::{FailReason, Outcome, SendAnswer};
pub use phone::{PhoneError, PhoneNumber};
pub use qr::{QrCode, QrError};
pub use seal::{Keyring, KeyringError, SealError};
pub use secret::Secret;
pub use session::{Account, InvalidTransition, PaceState, SessionRecord, SessionState, SessionStatus, Wanted};
pub use sight::Sight;
pub use time::Timestamp;
