//! Files that messages carry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{IdentError, JobKey, MessageId, Secret, SessionId, TenantId, Timestamp};

/// Namespace of the ids that are derived. Fixed for ever: the same file must be found again.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b75_7269_7200_4e53_8a01_6d65_6469_6100);

/// A file's id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaId(Uuid);

impl MediaId {
    /// From a UUID of any version.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Of the file that a job names by its address: whoever fetches it again finds what was fetched first.
    pub fn of_job(key: &JobKey) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("job/{}/{}", key.tenant, key.job).as_bytes()))
    }

    /// Of the file of a message that came in; the same when WhatsApp delivers it again.
    pub fn of_message(tenant: &TenantId, session: &SessionId, message: &MessageId, from: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("message/{tenant}/{session}/{from}/{message}").as_bytes()))
    }

    /// The UUID.
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl FromStr for MediaId {
    type Err = IdentError;
    fn from_str(text: &str) -> Result<Self, IdentError> {
        Uuid::parse_str(text).map(Self).map_err(|_| IdentError::NotUuid { len: text.len() })
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a file is shown as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// A voice message.
    Voice,
    /// Any other file, to be saved.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Image, Self::Video, Self::Audio, Self::Voice, Self::Document, Self::Sticker];

    /// As the contract writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    /// Whether there is a text below it.
    pub const fn has_caption(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Document)
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaContent {
    /// What it is shown as.
    pub kind: MediaKind,
    /// Where it is.
    pub from: MediaFrom,
    /// The text below it.
    pub caption: Option<Secret<String>>,
    /// What it is called.
    pub filename: Option<Secret<String>>,
}

/// Where a file to send is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaFrom {
    /// It was uploaded, or came in.
    Stored(MediaId),
    /// At this address.
    Url(Secret<String>),
}

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaState {
    /// It is on its way in; nobody can read it yet.
    Filling,
    /// All of it is there.
    Ready,
    /// It came in with a message and has to be fetched from WhatsApp.
    Awaited,
    /// WhatsApp does not have it any more.
    Lost,
    /// It came in and is not kept: it is larger than a file may be, or the tenant's files take all the room that they may.
    Unkept,
}

impl MediaState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Filling, Self::Ready, Self::Awaited, Self::Lost, Self::Unkept];

    /// As the stores write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::Ready => "ready",
            Self::Awaited => "awaited",
            Self::Lost => "lost",
            Self::Unkept => "unkept",
        }
    }

    /// Reads what [`MediaState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing of it changes any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Lost | Self::Unkept)
    }
}

/// A file that is kept for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRecord {
    /// Its id.
    pub id: MediaId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The session that it came in with, or that it was uploaded for; nothing of another session reads it.
    pub session: Option<SessionId>,
    /// How far it has come.
    pub state: MediaState,
    /// Its length in bytes: what was counted, of an awaited one what its sender says.
    pub size: u64,
    /// When it was entered.
    pub created_at: Timestamp,
    /// From then on it may be removed.
    pub expires_at: Timestamp,
    /// What stores seal.
    pub detail: MediaDetail,
}

/// What is known of a file and nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaDetail {
    /// What it is, judged by its content.
    pub mime_type: String,
    /// What it is called.
    pub filename: Option<Secret<String>>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// How WhatsApp gives an awaited one out; the messenger's own words.
    pub source: Option<Secret<String>>,
}
