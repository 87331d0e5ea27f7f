//! The nouns of kurir and the state machines that they go through.

mod api_key;
mod event;
mod fence;
mod ident;
mod job;
mod label;
mod ledger;
mod outcome;
mod phone;
mod qr;
mod seal;
mod secret;
mod sender;
mod session;
mod sight;
mod time;
mod typing;
mod waha;

pub use api_key::{ApiKeyRecord, NoSuchScope, Scope, key_hash, key_id, key_text};
pub use event::{EventId, EventKind, OutboxEvent};
pub use fence::{Epoch, Fence, LeaseHolder, LeaseToken};
pub use ident::{IdentError, JobId, JobKey, KeyId, MessageId, PoolId, SessionId, TenantId, WorkerName};
pub use job::{Content, Job, Lane, Target, UnknownPlaceholder};
pub use label::{LabelChange, LabelError, Labels, SessionName};
pub use ledger::{LedgerEntry, LedgerError, MessageState};
pub use outcome::{FailReason, Outcome, SendAnswer};
pub use phone::{PhoneError, PhoneNumber};
pub use qr::{QrCode, QrError};
pub use seal::{Keyring, KeyringError, SealError};
pub use secret::Secret;
pub use sender::{DayCount, FirstLink, Rest, SenderPace, Spent};
pub use session::{Account, InvalidTransition, PaceState, SessionRecord, SessionState, SessionStatus, Wanted};
pub use sight::Sight;
pub use time::Timestamp;
pub use typing::Typing;
pub use waha::WahaStatus;
