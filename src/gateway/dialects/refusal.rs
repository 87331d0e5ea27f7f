//! Why a dialect does not do what it was asked. The words are each dialect's own.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kurir_core::domain::{FailReason, MessageState, SessionState};
use kurir_core::port::PortError;

use crate::gateway::native::ApiError;
use crate::gateway::usecase::UseCaseError;

/// Why not.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no key, and callers without one are not let in here.
    NoKey,
    /// The key is none of ours.
    BadKey,
    /// The key does not allow that.
    NotAllowed,
    /// The key makes too many requests.
    TooFast(Duration),
    /// The body has not the form that is read here.
    BadBody,
    /// The body is larger than may be.
    BodyTooLarge,
    /// A field is missing or empty.
    Missing(&'static str),
    /// A field is wrong; the words are English and hold nothing of what was given.
    Bad { field: &'static str, message: String },
    /// The number is none.
    BadNumber,
    /// A file is of a type that is not sent.
    FileType(String),
    /// A file is too large.
    FileTooLarge,
    /// The caller has no such session.
    NoSession,
    /// The caller has no such message.
    NoMessage,
    /// A session of this id is there already.
    SessionExists(String),
    /// The session can't send now.
    NotConnected(SessionState),
    /// The session is linked already, so there is nothing to scan.
    Linked,
    /// No code to scan came in time.
    NoQr,
    /// The recipient got a code a moment ago; another one after this time.
    TooSoon(Duration),
    /// The message was not sent and will not be.
    NotSent { state: MessageState, reason: Option<FailReason> },
    /// Too much waits already.
    Full,
    /// The request took too long.
    TookTooLong,
    /// Something that is needed does not answer.
    Unavailable,
    /// There is nothing at this path.
    NoSuchPath,
    /// The path does not take this method.
    WrongMethod,
}

impl Refusal {
    /// What is wrong with a field, in English.
    pub fn bad(field: &'static str, message: impl Into<String>) -> Self {
        Self::Bad { field, message: message.into() }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoKey | Self::BadKey => StatusCode::UNAUTHORIZED,
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::TooFast(_) | Self::TooSoon(_) | Self::Full => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge | Self::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadBody | Self::Missing(_) | Self::Bad { .. } | Self::BadNumber => StatusCode::BAD_REQUEST,
            Self::FileType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoSession | Self::NoMessage | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::SessionExists(_) | Self::NotConnected(_) | Self::Linked => StatusCode::CONFLICT,
            Self::NotSent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoQr | Self::TookTooLong | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// After how many seconds it may be otherwise.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooFast(wait) | Self::TooSoon(wait) => Some(wait.as_millis().div_ceil(1000).try_into().unwrap_or(1)),
            Self::NoQr => Some(2),
            Self::Full | Self::TookTooLong | Self::Unavailable => Some(5),
            _ => None,
        }
    }

    /// Gives an answer in a dialect's shape the status and the headers that go with it.
    pub fn answer(&self, mut response: Response) -> Response {
        *response.status_mut() = self.status();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Carried out to where the dialect is known, which says it in its own words.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<UseCaseError> for Refusal {
    fn from(error: UseCaseError) -> Self {
        match error {
            UseCaseError::Field { reason: FailReason::BadNumber, .. } => Self::BadNumber,
            UseCaseError::Field { field, message, .. } => Self::Bad { field, message },
            UseCaseError::NotFound { what: "message", .. } => Self::NoMessage,
            UseCaseError::NotFound { .. } | UseCaseError::SessionDeleted | UseCaseError::NoQueue { .. } => {
                Self::NoSession
            }
            UseCaseError::SessionExists(record) => Self::SessionExists(record.id.to_string()),
            UseCaseError::SessionIdTaken => Self::SessionExists(String::new()),
            UseCaseError::NotConnected { state, .. } => Self::NotConnected(state),
            UseCaseError::Linked { .. } => Self::Linked,
            UseCaseError::NoQr { state, .. } if state.is_linked() => Self::Linked,
            UseCaseError::NoQr { .. } => Self::NoQr,
            UseCaseError::QueueFull | UseCaseError::SessionBusy => Self::Full,
            UseCaseError::TooLarge => Self::BodyTooLarge,
            UseCaseError::MediaTooLarge { .. } => Self::FileTooLarge,
            UseCaseError::MediaContradicts(contradiction) => {
                Self::FileType(contradiction.found.unwrap_or("application/octet-stream").to_owned())
            }
            other => {
                // What is left is a caller's mistake that dialects can't make, or something that does not answer.
                let problem = ApiError::from(other);
                if problem.status.is_client_error() {
                    Self::bad("", problem.detail)
                } else {
                    tracing::warn!(code = problem.code, "a dialect's request could not be carried out");
                    Self::Unavailable
                }
            }
        }
    }
}

impl From<PortError> for Refusal {
    fn from(error: PortError) -> Self {
        UseCaseError::from(error).into()
    }
}
