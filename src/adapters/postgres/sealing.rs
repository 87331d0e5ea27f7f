//! Where sealed values belong. The place is bound to the value, so that a row copied over another one does not open.

use std::fmt;
use std::sync::Arc;

use kurir_core::domain::{
    EventId, JobKey, Keyring, MediaId, PrefixId, RequestKey, SessionId, TemplateName, TenantId, VerificationId,
    WebhookId,
};
use kurir_core::port::{Entropy, PortError};

use super::error::corrupt;

/// A place; its text is what is bound to the value. No part but the last can hold a `/`.
pub(super) enum Place<'a> {
    /// What a session's owner says of it.
    Status(&'a SessionId),
    /// What people note of a session.
    Note(&'a SessionId),
    /// A value of a session's Signal state.
    State { session: &'a SessionId, area: &'a str, key: &'a str },
    /// A job's entry.
    Job(&'a JobKey),
    /// An event's envelope.
    Event(EventId),
    /// The answer to a request.
    Answer(&'a RequestKey),
    /// A verification.
    Verification(&'a TenantId, VerificationId),
    /// The code of a verification.
    Code(&'a TenantId, VerificationId),
    /// A prefix of numbers.
    Prefix(&'a TenantId, PrefixId),
    /// An event's envelope in the log.
    Logged(EventId),
    /// A webhook's settings.
    Webhook(&'a WebhookId),
    /// The texts of a template.
    Template { tenant: &'a TenantId, name: &'a TemplateName },
    /// A number on a tenant's list, by its mark.
    Suppression { tenant: &'a TenantId, mark: &'a [u8; 16] },
    /// What was done to it.
    SuppressionChange { tenant: &'a TenantId, mark: &'a [u8; 16] },
    /// What is known of a file.
    Media(MediaId),
    /// A piece of a file.
    MediaPiece(MediaId, u32),
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Status(session) => format!("session/{session}/status"),
            Self::Note(session) => format!("session/{session}/note"),
            Self::State { session, area, key } => format!("state/{session}/{area}/{key}"),
            Self::Job(key) => format!("job/{}/{}", key.tenant, key.job),
            Self::Event(id) => format!("outbox/{id}"),
            Self::Answer(key) => format!("request/{}/{}", key.tenant, u256(&key.name)),
            Self::Verification(tenant, id) => format!("verification/{tenant}/{id}"),
            Self::Code(tenant, id) => format!("verification-code/{tenant}/{id}"),
            Self::Prefix(tenant, id) => format!("verification-prefix/{tenant}/{id}"),
            Self::Logged(id) => format!("event_log/{id}"),
            Self::Webhook(id) => format!("webhook/{id}"),
            Self::Template { tenant, name } => format!("template/{tenant}/{name}"),
            Self::Suppression { tenant, mark } => format!("suppression/{tenant}/{:032x}", u128::from_be_bytes(**mark)),
            Self::SuppressionChange { tenant, mark } => {
                format!("suppression_change/{tenant}/{:032x}", u128::from_be_bytes(**mark))
            }
            Self::Media(id) => format!("media/{id}"),
            Self::MediaPiece(id, at) => format!("media/{id}/{at}"),
        }
        .into_bytes()
    }
}

impl fmt::Display for Place<'_> {
    /// For errors: without the key of a state value, which may name somebody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(session) => write!(f, "the status of session {session}"),
            Self::Note(session) => write!(f, "the note of session {session}"),
            Self::State { session, area, .. } => write!(f, "a value in area {area} of session {session}"),
            Self::Job(key) => write!(f, "the entry of job {} of {}", key.job, key.tenant),
            Self::Event(id) => write!(f, "the body of event {id}"),
            Self::Answer(key) => write!(f, "the answer to a request of {}", key.tenant),
            Self::Verification(tenant, id) => write!(f, "verification {id} of {tenant}"),
            Self::Code(tenant, id) => write!(f, "the code of verification {id} of {tenant}"),
            Self::Prefix(tenant, id) => write!(f, "prefix {id} of {tenant}"),
            Self::Webhook(id) => write!(f, "the settings of webhook {id}"),
            Self::Logged(id) => write!(f, "the body of event {id} in the log"),
            Self::Template { tenant, name } => write!(f, "template {name} of {tenant}"),
            Self::Suppression { tenant, .. } => write!(f, "a suppressed number of {tenant}"),
            Self::SuppressionChange { tenant, .. } => write!(f, "a change of a suppressed number of {tenant}"),
            Self::Media(id) => write!(f, "the record of file {id}"),
            Self::MediaPiece(id, at) => write!(f, "piece {at} of file {id}"),
        }
    }
}

/// In hexadecimal digits.
fn u256(bytes: &[u8; 32]) -> String {
    let (high, low) = bytes.split_at(16);
    let number = |half: &[u8]| half.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{:032x}{:032x}", number(high), number(low))
}

/// The keys, and where nonces come from.
#[derive(Clone)]
pub(super) struct Vault {
    keyring: Arc<Keyring>,
    entropy: Arc<dyn Entropy>,
}

impl Vault {
    pub(super) fn new(keyring: Arc<Keyring>, entropy: Arc<dyn Entropy>) -> Self {
        Self { keyring, entropy }
    }

    pub(super) fn seal(&self, place: &Place<'_>, plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; 12];
        self.entropy.fill(&mut nonce);
        self.keyring.seal(&place.bytes(), plain, nonce)
    }

    pub(super) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, PortError> {
        self.keyring.open(&place.bytes(), sealed).map_err(|e| corrupt(place.to_string(), e))
    }

    /// Seals a value as JSON.
    pub(super) fn seal_json<T: serde::Serialize>(&self, place: &Place<'_>, value: &T) -> Result<Vec<u8>, PortError> {
        let plain = serde_json::to_vec(value).map_err(|e| super::error::refused("writing a value as JSON", e))?;
        Ok(self.seal(place, &plain))
    }

    /// Opens what [`Vault::seal_json`] made.
    pub(super) fn open_json<T: serde::de::DeserializeOwned>(
        &self,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<T, PortError> {
        serde_json::from_slice(&self.open(place, sealed)?)
            .map_err(|e| corrupt(place.to_string(), Unreadable(e.classify())))
    }

    /// A mark of a text at a place, the same each time.
    pub(super) fn fingerprint(&self, place: &str, text: impl AsRef<[u8]>) -> [u8; 16] {
        self.keyring.fingerprint(place.as_bytes(), text.as_ref())
    }

    /// A number in `0.0..1.0`.
    pub(super) fn fraction(&self) -> f64 {
        self.entropy.fraction()
    }
}

/// serde's message may quote the value, which is secret; its category does not.
#[derive(Debug, thiserror::Error)]
#[error("it opens, but is not JSON of the expected form ({0:?})")]
struct Unreadable(serde_json::error::Category);
