//! Errors as callers see them: problem details (RFC 9457) with a code that does not change.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::SimError;

const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the kind of problem: `urn:kurir-sim:problem:` and the code.
    #[schema(example = "urn:kurir-sim:problem:unknown_qr")]
    r#type: String,
    /// The kind of problem in words; the same for every occurrence.
    #[schema(example = "Not Found")]
    title: String,
    /// The HTTP status, again.
    #[schema(example = 404)]
    status: u16,
    /// The kind of problem for programs. Codes do not change.
    #[schema(example = "unknown_qr")]
    code: &'static str,
    /// What happened this time, and what to do.
    #[schema(example = "no client shows this code now; scan the current one")]
    detail: String,
}

/// The answer of every operation that could not be done.
#[derive(utoipa::IntoResponses)]
#[response(status = "default", description = "What went wrong", content_type = "application/problem+json")]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Problems(Problem);

/// An answer that is a problem.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let problem = Problem {
            r#type: format!("urn:kurir-sim:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
        };
        let mut response = (self.status, axum::Json(problem)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

impl From<SimError> for Failure {
    fn from(error: SimError) -> Self {
        let (status, code) = match &error {
            SimError::NotANumber { .. } => (StatusCode::BAD_REQUEST, "not_a_number"),
            SimError::NotAGroup { .. } => (StatusCode::BAD_REQUEST, "not_a_group"),
            SimError::Group { unknown: true, .. } => (StatusCode::NOT_FOUND, "no_such_group"),
            SimError::Group { .. } => (StatusCode::CONFLICT, "group_refuses"),
            SimError::BadQr { .. } => (StatusCode::BAD_REQUEST, "bad_qr"),
            SimError::BadPairCode => (StatusCode::BAD_REQUEST, "bad_pair_code"),
            SimError::WrongPairCode { .. } => (StatusCode::FORBIDDEN, "wrong_pair_code"),
            SimError::NoPairCode(_) => (StatusCode::NOT_FOUND, "no_pair_code"),
            SimError::BadPicture { .. } => (StatusCode::BAD_REQUEST, "bad_picture"),
            SimError::BadFile { .. } => (StatusCode::BAD_REQUEST, "bad_file"),
            SimError::BadFault { .. } => (StatusCode::BAD_REQUEST, "bad_fault"),
            SimError::BadScenario { .. } => (StatusCode::BAD_REQUEST, "bad_scenario"),
            SimError::BadDeadlines { .. } => (StatusCode::BAD_REQUEST, "bad_deadlines"),
            SimError::UnknownQr => (StatusCode::NOT_FOUND, "unknown_qr"),
            SimError::NotRegistered(_) => (StatusCode::NOT_FOUND, "not_on_whatsapp"),
            SimError::NoSuchDevice { .. } => (StatusCode::NOT_FOUND, "no_such_device"),
            SimError::QrNotSeen => (StatusCode::CONFLICT, "qr_not_seen"),
            SimError::TooManyDevices { .. } => (StatusCode::CONFLICT, "too_many_devices"),
            SimError::Banned(_) => (StatusCode::CONFLICT, "banned"),
            SimError::NotConnected { .. } => (StatusCode::CONFLICT, "not_connected"),
            SimError::PairingFailed { .. } => (StatusCode::GATEWAY_TIMEOUT, "pairing_failed"),
            SimError::Timeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            SimError::Encrypt { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "encrypt"),
            SimError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for SimError {
    fn into_response(self) -> Response {
        Failure::from(self).into_response()
    }
}

/// Answers a path that does not exist.
pub(super) async fn no_such_path() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "no_such_path", "nothing is here; /openapi.json says what there is")
}

/// Answers a method that a path does not have.
pub(super) async fn wrong_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong_method",
        "this path has other methods; /openapi.json lists them",
    )
}
