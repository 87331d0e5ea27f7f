//! What came in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::EventV1;
use crate::domain::{EventId, EventKind, OutboxEvent, SessionId, TenantId, Timestamp};

/// Data of `message.received`.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedDataV1 {
    /// WhatsApp's id of the message.
    pub message_id: String,
    /// The writer's number, digits in international form, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it says, if it is a text; of a file, the text below it; of an edit, the new text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is: `text`, `media`, `location`, `contact`, `reaction`, `edit`, `delete` or `other`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The group that it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What the writer calls himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push_name: Option<String>,
    /// WhatsApp's id of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// WhatsApp's id of the message that a reaction, an edit or a deletion is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The sign of a reaction; empty takes an earlier one back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// The file of a message of kind `media`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<ReceivedMediaV1>,
    /// The place of a message of kind `location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<ReceivedPlaceV1>,
    /// The people of a message of kind `contact`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<ReceivedContactV1>,
}

/// A file that came in. `GET /v1/media/{id}` gives it once it is fetched from WhatsApp.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedMediaV1 {
    /// Its id.
    pub id: Uuid,
    /// What it is shown as: `image`, `video`, `audio`, `voice`, `document` or `sticker`.
    pub kind: String,
    /// What it is, as its sender says.
    pub mime_type: String,
    /// Its length in bytes, as its sender says.
    pub size: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// A place that came in.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedPlaceV1 {
    /// Degrees to the north.
    pub latitude: f64,
    /// Degrees to the east.
    pub longitude: f64,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Somebody's details that came in.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedContactV1 {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The details as a vCard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vcard: Option<String>,
}

impl std::fmt::Debug for ReceivedDataV1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceivedDataV1({})", self.message_id)
    }
}

macro_rules! secretive {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([secret])"))
            }
        }
    )+};
}
secretive!(ReceivedMediaV1, ReceivedPlaceV1, ReceivedContactV1);

impl ReceivedDataV1 {
    /// `message.received`. Its id is the same when WhatsApp delivers the message again.
    pub fn event(self, tenant: &TenantId, session: &SessionId, at: Timestamp) -> OutboxEvent {
        let kind = EventKind::MessageReceived;
        let occasion = format!("{}/{}", self.from.as_deref().unwrap_or("-"), self.message_id);
        let id = EventId::of_session(session, kind, &occasion);
        let subject = self.message_id.clone();
        EventV1::outbox(id, kind, tenant, Some(session), subject, at, self)
    }
}
