//! What is done around every request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use super::error::ApiError;
use super::{App, media, messages};

/// The header with a request's id: the caller's own, or one of ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a caller.
const MAX_ID: usize = 64;

/// Puts around routes what every answer needs: an id, a measure, and a word to caches.
pub(in crate::gateway) fn around(routes: Router, app: &Arc<App>) -> Router {
    routes
        .layer(from_fn(never_cached))
        .layer(from_fn_with_state(Arc::clone(app), measured))
        .layer(from_fn_with_state(Arc::clone(app), request_id))
}

/// Gives the request an id and a span, and repeats the id in the answer.
async fn request_id(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| fits(id));
    let id = given.map_or_else(|| format!("{:032x}", app.entropy.nonce()), str::to_owned);
    // The query may hold anything, so it is not logged.
    let span = tracing::info_span!(
        "request",
        request = %id,
        method = %request.method(),
        path = %without_numbers(request.uri().path()),
        tenant = tracing::field::Empty
    );
    let mut response = async {
        let response = next.run(request).await;
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A path as it may be logged: what may be somebody's phone number is left out.
fn without_numbers(path: &str) -> String {
    let is_number = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        // Separators come as they are or escaped. An id of ours has letters, or more digits than any number.
        let other = part.bytes().any(|b| !(b.is_ascii_digit() || b"+-.()%ABCDEFabcdef".contains(&b)));
        let escaped = part.contains('%') || part.bytes().all(|b| b.is_ascii_digit() || b"+-.()".contains(&b));
        (6..=24).contains(&digits) && !other && escaped
    };
    path.split('/').map(|part| if is_number(part) { "…" } else { part }).collect::<Vec<_>>().join("/")
}

fn fits(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// Answers belong to one caller and one moment; a QR code above all.
pub(in crate::gateway) async fn never_cached(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Tells whoever counts of the answer.
async fn measured(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(meter) = &app.meter else { return next.run(request).await };
    let begun = Instant::now();
    let method = request.method().clone();
    // The template, never the path: that has ids in it, and whatever callers make up.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    meter.answered(method.as_str(), route, response.status().as_u16(), begun.elapsed());
    response
}

/// Cuts a request off that takes too long, its body's arrival included.
pub(in crate::gateway) async fn time_limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let lasts = lasts_at_most(&app, request.uri());
    let answered = tokio::time::timeout(lasts, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let message =
            "the request took too long; what became of it is not known. Repeating it with the same id is safe";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).retry_later().into_response()
    })
}

/// How long a request may take: longer, if its caller wants to wait.
pub(super) fn lasts_at_most(app: &App, uri: &Uri) -> Duration {
    let waits = uri.path() == messages::PATH && uri.query().is_some_and(|query| query.contains("wait="));
    if uri.path() == media::PATH {
        return app.upload_timeout;
    }
    if waits { app.request_timeout.saturating_add(app.messages.wait_max) } else { app.request_timeout }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_in_a_path_that_is_logged() {
        for number in ["6281234567890", "+6281234567890", "%2B62%20812-3456-7890", "0812.3456.7890", "(0812)34567890"] {
            let path = format!("/v1/suppressions/{number}/audit");
            assert_eq!(without_numbers(&path), "/v1/suppressions/…/audit");
        }
        for path in [
            "/v1/messages/0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b",
            "/v1/messages/01901234-1234-7123-8123-123456789012",
            "/v1/keys/5f0c2a91d3e84b76",
            "/v1/sessions/toko-1",
            "/v1/sessions/12345",
            "/",
        ] {
            assert_eq!(without_numbers(path), path);
        }
    }
}
