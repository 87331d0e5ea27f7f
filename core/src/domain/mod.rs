//! The nouns of kurir and the state machines that they go through.

mod api_key;
mod event;
mod fence;
mod ident;
mod job;
mod ledger;
mod locale;
mod outcome;
mod phone;
mod placeholder;
mod qr;
mod seal;
mod secret;
mod sender;
mod session;
mod sight;
mod suppression;
mod template;
mod time;

pub use api_key::{ApiKeyRecord, NoSuchScope, Scope, key_hash, key_id, key_text};
pub use event::{EventId, EventKind, OutboxEvent};
pub use fence::{Epoch, Fence, LeaseHolder, LeaseToken};
pub use ident::{IdentError, JobId, JobKey, KeyId, MessageId, PoolId, SessionId, TemplateName, TenantId, WorkerName};
pub use job::{Content, Job, Lane, Target};
pub use ledger::{LedgerEntry, LedgerError, MessageState};
pub use locale::{Locale, NoLocale};
pub use outcome::{FailReason, Outcome, SendAnswer};
pub use phone::{PhoneError, PhoneNumber};
pub use placeholder::{UnknownPlaceholder, is_placeholder, placeholders};
pub use qr::{QrCode, QrError};
pub use seal::{Keyring, KeyringError, SealError};
pub use secret::Secret;
pub use sender::{DayCount, FirstLink, Rest, SenderPace, Spent};
pub use session::{Account, InvalidTransition, PaceState, SessionRecord, SessionState, SessionStatus, Wanted};
pub use sight::Sight;
pub use suppression::{
    Applied, Initiator, OptOut, Release, Suppression, SuppressionAct, SuppressionChange, SuppressionCursor,
};
pub use template::{Template, TemplateError, TemplateTexts};
pub use time::Timestamp;
