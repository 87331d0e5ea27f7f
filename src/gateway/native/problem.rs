//! The shape of errors: problem details (RFC 9457) with a code that does not change.

use serde::Serialize;
use utoipa::ToSchema;

use super::sessions::SessionView;

/// The content type of errors.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, as RFC 9457 has it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the kind of problem: `urn:kurir:problem:` and the code.
    #[schema(example = "urn:kurir:problem:not_found")]
    pub r#type: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The HTTP status, again.
    #[schema(example = 404)]
    pub status: u16,
    /// The kind of problem for programs. Codes do not change.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// What happened this time, and what to do. It repeats nothing that was sent.
    #[schema(example = "there is no such session")]
    pub detail: String,
    /// The field of the request that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Where the session or the message stands, if that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// After how many seconds the same request may be answered otherwise; also in the header `Retry-After`.
    #[serde(rename = "retryAfterSeconds", skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    /// What is there already, where something of this id exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionView>,
    /// What is used of something that is limited, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// What may be used of it, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<u64>,
    /// The bad messages of a batch of which none was taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub rows: Vec<RowProblem>,
}

/// What is wrong with one message of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::gateway) struct RowProblem {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its line in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The kind of problem.
    #[schema(example = "bad_number")]
    pub code: &'static str,
    /// Which field is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

/// Every answer that tells of a problem.
#[derive(utoipa::IntoResponses)]
#[response(status = "default", description = "What went wrong", content_type = "application/problem+json")]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Problems(Problem);
