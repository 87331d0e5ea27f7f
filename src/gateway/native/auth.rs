//! Who calls.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::TenantId;

use super::App;
use super::error::ApiError;

/// The tenant that the caller's key belongs to; put into the request by [`check`].
#[derive(Clone)]
pub(super) struct Caller(pub TenantId);

/// Lets a request pass that has a key of ours.
pub(super) async fn check(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let tenant = presented(request.headers()).and_then(|key| app.keys.tenant_of(key)).cloned();
    let Some(tenant) = tenant else {
        let message = "give an API key in the header `Authorization: Bearer <key>` or `X-Api-Key`";
        return ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into_response();
    };
    tracing::Span::current().record("tenant", tracing::field::display(&tenant));
    request.extensions_mut().insert(Caller(tenant));
    next.run(request).await
}

fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().as_bytes());
    }
    headers.get("x-api-key").map(header::HeaderValue::as_bytes)
}
