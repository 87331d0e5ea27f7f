//! Request bodies: JSON, of a bounded size, with errors that name the field and repeat no value.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::gateway::usecase::UseCaseError;

/// Reads a JSON body of at most `limit` bytes.
pub(super) async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    check_type(&parts.headers)?;
    parse(&collect(&parts.headers, body, limit).await?)
}

/// Reads a JSON body that may be empty.
pub(super) async fn read_or_default<T: DeserializeOwned + Default>(
    request: Request,
    limit: usize,
) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = collect(&parts.headers, body, limit).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    check_type(&parts.headers)?;
    parse(&bytes)
}

fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    if is_json(headers) {
        return Ok(());
    }
    let message = "the body must be JSON, with the header `Content-Type: application/json`";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Takes in a whole body of at most `limit` bytes.
pub(in crate::gateway) async fn collect(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<axum::body::Bytes, ApiError> {
    let too_large = || {
        let message = format!("a body has at most {limit} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    // Refused before it is read, where the caller says how long it is.
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > u64::try_from(limit).unwrap_or(u64::MAX)) {
        return Err(too_large());
    }
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if is_length_limit(&error) => Err(too_large()),
        Err(_) => Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "the body ended before its time")),
    }
}

/// `to_bytes` wraps what went wrong; one of its sources tells that the limit was reached.
fn is_length_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        // The type belongs to a package that axum does not export, so it is known by its words.
        if error.to_string() == "length limit exceeded" {
            return true;
        }
        source = error.source();
    }
    false
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| describe(&error))?;
    reader.end().map_err(|_| bad_json("something follows the JSON object".to_owned()))?;
    Ok(value)
}

/// Reads a value that is JSON already: a part of a body.
pub(super) fn of_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, UseCaseError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let ApiError { field, detail: message, .. } = describe(&error);
        UseCaseError::BadRow { field, message }
    })
}

fn bad_json(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_json", message)
}

/// Says where and what without repeating a value, which serde's own words do.
fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if !inner.is_data() {
        return bad_json(format!("not JSON at line {}, column {}", inner.line(), inner.column()));
    }
    let text = inner.to_string();
    let bad = |message: &str| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message);
    let path = error.path().to_string();
    let at = |path: String, answer: ApiError| if path == "." { answer } else { answer.field(path) };
    // These name only fields and kinds of ours.
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        let place = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return bad("missing").field(place);
    }
    if text.starts_with("unknown field") {
        return at(path, bad("no such field"));
    }
    at(path, bad(&kurir_core::wire::wrong_value(&text)))
}
