//! The nouns of kurir and the state machines that they go through.

mod api_key;
mod code_key;
mod content;
mod ended;
mod event;
mod event_log;
mod fence;
mod history;
mod ident;
mod job;
mod label;
mod ledger;
mod locale;
mod media;
mod media_type;
mod note;
mod outcome;
mod own_limits;
mod phone;
mod placeholder;
mod prefix;
mod presence;
mod qr;
mod recipient;
mod request;
mod seal;
mod secret;
mod sender;
mod session;
mod sight;
mod suppression;
mod template;
mod time;
mod typing;
mod user;
mod verification;
mod waha;
mod webhook;

pub use api_key::{ApiKeyRecord, KeyStyle, NoSuchScope, Scope, key_hash, key_id, key_text};
pub use code_key::{CodeKeys, CodeMark, SecretNumbers, UnknownCodeKey};
pub use content::{ContactCard, Place, Quoted, Reaction, Referred, Writer};
pub use ended::Ended;
pub use event::{EventId, EventKind, OutboxEvent};
pub use event_log::{KindChoice, LogFilter, LogPosition, LoggedEvent, NoSuchKind, NoSuchPosition};
pub use fence::{Epoch, Fence, LeaseHolder, LeaseToken};
pub use history::{History, HistoryStep};
pub use ident::{
    BatchId, IdentError, JobId, JobKey, KeyId, MessageId, PoolId, SessionId, TemplateName, TenantId, WebhookId,
    WorkerName,
};
pub use job::{Content, Job, Lane, Target};
pub use label::{LabelChange, LabelError, Labels, SessionName};
pub use ledger::{LedgerEntry, LedgerError, MessageState};
pub use locale::{Locale, NoLocale};
pub use media::{MediaContent, MediaDetail, MediaFrom, MediaId, MediaKind, MediaRecord, MediaState};
pub use media_type::{Contradiction, MediaLimits, UNKNOWN_MEDIA, judge_media, media_fits};
pub use note::{NoteError, SessionNote};
pub use outcome::{FailReason, Outcome, SendAnswer};
pub use own_limits::{BadLimit, OwnLimits};
pub use phone::{PhoneError, PhoneNumber};
pub use placeholder::{UnknownPlaceholder, is_placeholder, placeholders};
pub use prefix::{ConversionRule, NumberPrefix, PrefixId, PrefixRecord, Traffic};
pub use presence::Presence;
pub use qr::{QrCode, QrError};
pub use recipient::{GroupError, GroupId, Recipient, RecipientError};
pub use request::{BadRequestName, RecordedAnswer, RequestKey, RequestSeed};
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
pub use typing::Typing;
pub use user::{NoSuchRole, SignInRecord, SignInToken, UserName, UserNameError, UserRecord, UserRole};
pub use verification::{
    Channel, CodeAlphabet, CodeDelivery, Hop, NoSuchAlphabet, Verification, VerificationEnded, VerificationId,
    VerificationStatus,
};
pub use waha::WahaStatus;
pub use webhook::{
    Delivery, DeliveryAttempt, DeliveryEnd, DeliveryFault, DeliveryId, DeliveryState, DisabledReason, OldSecret,
    Webhook, WebhookHealth, WebhookSettings,
};
