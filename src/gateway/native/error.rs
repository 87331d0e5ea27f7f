//! Errors as callers see them: one shape, whatever went wrong.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kurir_core::domain::FailReason;

use super::problem::{MEDIA_TYPE, Problem, RowProblem};
use super::sessions::SessionView;
use crate::gateway::usecase::UseCaseError;

/// Seconds after which to ask again: for a QR code that is to come, and for a system that did not answer.
const SOON: u32 = 2;
const LATER: u32 = 5;

/// The code of an error answer, beside it for the layers around.
#[derive(Clone, Copy)]
pub(super) struct Code(pub &'static str);

/// An error answer.
#[derive(Debug)]
pub(in crate::gateway) struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub detail: String,
    pub field: Option<String>,
    pub state: Option<&'static str>,
    /// In seconds.
    pub retry_after: Option<u32>,
    /// What is told beside the error.
    pub beside: Option<Box<Beside>>,
    /// The bad rows of a batch.
    pub rows: Box<[RowProblem]>,
}

/// What some errors tell beside themselves.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Beside {
    /// What exists already.
    pub session: Option<SessionView>,
    /// What is used of a room, and what is allowed of it, in bytes.
    pub used: Option<u64>,
    pub allowed: Option<u64>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, field: None, state: None, retry_after: None, beside: None, rows: Box::default() }
    }

    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub const fn retry_later(mut self) -> Self {
        self.retry_after = Some(LATER);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Beside { session, used, allowed } = self.beside.map(|beside| *beside).unwrap_or_default();
        let problem = Problem {
            r#type: format!("urn:kurir:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            field: self.field,
            state: self.state,
            retry_after_seconds: self.retry_after,
            session,
            used,
            allowed,
            rows: self.rows.into_vec(),
        };
        let mut response = (self.status, Json(problem)).into_response();
        response.extensions_mut().insert(Code(self.code));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<UseCaseError> for ApiError {
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn from(error: UseCaseError) -> Self {
        let message = error.to_string();
        let plain = |status, code| Self::new(status, code, message.clone());
        match error {
            UseCaseError::Field { field, reason, .. } => {
                plain(StatusCode::UNPROCESSABLE_ENTITY, reason.as_str()).field(field)
            }
            UseCaseError::Value { field, .. } => plain(StatusCode::UNPROCESSABLE_ENTITY, "bad_field").field(field),
            UseCaseError::TemplateExists => plain(StatusCode::CONFLICT, "template_exists").field("name"),
            UseCaseError::NotFound { field, .. } => {
                let mut answer = plain(StatusCode::NOT_FOUND, "not_found");
                answer.field = field.map(str::to_owned);
                answer
            }
            UseCaseError::SessionExists(record) => {
                let mut answer = plain(StatusCode::CONFLICT, "session_exists").field("id");
                answer.state = Some(record.status.state.as_str());
                answer.beside = Some(Box::new(Beside { session: Some(SessionView::of(&record)), ..Beside::default() }));
                answer
            }
            UseCaseError::SessionIdTaken => plain(StatusCode::CONFLICT, "session_id_taken").field("id"),
            UseCaseError::PoolTaken => plain(StatusCode::CONFLICT, "pool_taken").field("pool"),
            UseCaseError::PoolInUse => plain(StatusCode::CONFLICT, "pool_in_use"),
            UseCaseError::PoolHasJobs => plain(StatusCode::CONFLICT, "pool_has_messages"),
            UseCaseError::NotConnected { state, soon } => {
                let mut answer = plain(StatusCode::CONFLICT, "session_not_connected");
                answer.state = Some(state.as_str());
                answer.retry_after = soon.then_some(SOON);
                answer
            }
            UseCaseError::SessionBusy => plain(StatusCode::TOO_MANY_REQUESTS, "session_busy").retry_later(),
            UseCaseError::NoAnswer => plain(StatusCode::SERVICE_UNAVAILABLE, "no_answer").retry_later(),
            UseCaseError::Linked { state } => {
                let mut answer = plain(StatusCode::CONFLICT, "session_linked");
                answer.state = Some(state.as_str());
                answer
            }
            UseCaseError::WhatsAppRefused => plain(StatusCode::CONFLICT, "whatsapp_refused"),
            UseCaseError::NotUnderstood => plain(StatusCode::SERVICE_UNAVAILABLE, "worker_version").retry_later(),
            UseCaseError::KeyEnded => plain(StatusCode::CONFLICT, "key_ended"),
            UseCaseError::TooManyWebhooks { .. } => plain(StatusCode::CONFLICT, "too_many_webhooks"),
            UseCaseError::WebhookDisabled => plain(StatusCode::CONFLICT, "webhook_disabled"),
            UseCaseError::SessionDeleted => plain(StatusCode::CONFLICT, "session_deleted").field("session"),
            UseCaseError::IdReused => plain(StatusCode::CONFLICT, "id_reused").field("id"),
            UseCaseError::TooLate { state } => {
                let mut answer = plain(StatusCode::CONFLICT, "too_late");
                answer.state = Some(state.as_str());
                answer
            }
            UseCaseError::Contended => plain(StatusCode::SERVICE_UNAVAILABLE, "contended").retry_later(),
            UseCaseError::NoQr { state, soon, .. } => {
                let mut answer = plain(StatusCode::NOT_FOUND, "no_qr");
                answer.state = Some(state.as_str());
                answer.retry_after = soon.then_some(SOON);
                answer
            }
            UseCaseError::NotQueued => plain(StatusCode::SERVICE_UNAVAILABLE, "not_queued").retry_later(),
            UseCaseError::Unsettled => plain(StatusCode::SERVICE_UNAVAILABLE, "unsettled").retry_later(),
            UseCaseError::NotDeclared | UseCaseError::PoolNotDeclared => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "not_declared").retry_later()
            }
            UseCaseError::NoQueue { state } => {
                let mut answer = plain(StatusCode::NOT_FOUND, "no_queue").field("session");
                answer.state = Some(state.as_str());
                answer
            }
            UseCaseError::QueueFull => plain(StatusCode::TOO_MANY_REQUESTS, "queue_full").retry_later(),
            UseCaseError::BadRow { field, .. } => {
                let mut answer = plain(StatusCode::UNPROCESSABLE_ENTITY, "bad_field");
                answer.field = field;
                answer
            }
            UseCaseError::BatchUnfinished { .. } => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "batch_unfinished").retry_later()
            }
            UseCaseError::OthersBad => plain(StatusCode::UNPROCESSABLE_ENTITY, "others_bad"),
            UseCaseError::TooLarge => {
                plain(StatusCode::PAYLOAD_TOO_LARGE, FailReason::BodyTooLarge.as_str()).field("content")
            }
            UseCaseError::MediaTooLarge { .. } => plain(StatusCode::PAYLOAD_TOO_LARGE, "media_too_large"),
            UseCaseError::MediaQuota { used, allowed } => {
                let mut answer = plain(StatusCode::PAYLOAD_TOO_LARGE, "media_quota");
                let beside = Beside { used: Some(used), allowed: Some(allowed), ..Beside::default() };
                answer.beside = Some(Box::new(beside));
                answer
            }
            UseCaseError::MediaContradicts(_) => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_contradicts"),
            UseCaseError::MediaNotReady => plain(StatusCode::CONFLICT, "media_not_ready").retry_later(),
            UseCaseError::MediaLost => plain(StatusCode::GONE, "media_lost"),
            UseCaseError::MediaUnkept => plain(StatusCode::GONE, "media_not_kept"),
            UseCaseError::CodeRefused { why, after } => {
                let status = if why.is_forbidden() { StatusCode::FORBIDDEN } else { StatusCode::TOO_MANY_REQUESTS };
                let mut answer = plain(status, why.code());
                answer.retry_after =
                    after.map(|after| u32::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX));
                answer
            }
            UseCaseError::VerificationEnded(ended) => {
                let mut answer = plain(StatusCode::CONFLICT, "verification_ended");
                answer.state = Some(ended.0.as_str());
                answer
            }
            UseCaseError::DeadTooSlow => plain(StatusCode::SERVICE_UNAVAILABLE, "dead_letters_busy").retry_later(),
            UseCaseError::CodeKeyGone => plain(StatusCode::CONFLICT, "code_key_gone"),
            UseCaseError::Draw(error) => {
                tracing::error!(%error, "a QR code could not be drawn");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
            UseCaseError::Port(error) => {
                // Which system it was is the operator's business; the caller learns whether asking again may help.
                tracing::warn!(error = error.chain(), "a request failed");
                if error.is_transient() {
                    let message = "a system that the gateway depends on did not answer";
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message).retry_later()
                } else {
                    Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request could not be carried out")
                }
            }
        }
    }
}

/// No route of this path.
pub(in crate::gateway) async fn no_such_path() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path")
}

/// A route of this path, but not for this method; the allowed ones stand in `Allow`.
pub(in crate::gateway) async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", "this path does not take this method; see Allow")
}
