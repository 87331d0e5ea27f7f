//! Contract v1: jobs and events as they stand on the wire. Old payloads stay decodable; golden files hold them.

mod alert;
mod asyncapi;
mod call;
mod content;
mod event;
mod event_kept;
mod job;
mod received;
mod schema;
mod verification;
mod webhook;

pub use alert::AlertDataV1;
pub use asyncapi::asyncapi;
pub use call::{CallAnswerV1, CallV1};
pub use content::{ContentV1, MessageRefV1, OTP_TEXT, QuotedV1};
pub use event::{EVENT_KIND, EventV1, FleetDataV1, MessageDataV1, PairingCodeV1, QrV1, RecipientDataV1, SessionDataV1};
pub use event_kept::{UnreadableEvent, read_event, without_credentials};
pub use job::{JOB_KIND, JobV1, MAX_BODY, Malformed, wrong_value};
pub use received::{ReceivedContactV1, ReceivedDataV1, ReceivedMediaV1, ReceivedPlaceV1};
pub use schema::schemas;
pub use verification::{PrefixDataV1, VerificationDataV1};
pub use webhook::WebhookDataV1;
