//! A page that shows the OpenAPI document to people, built in.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;

/// Scripts, styles and requests come from here and nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let policy: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, POLICY);
    ([(header::CONTENT_TYPE, kind), policy], content)
}

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/docs", get(async || file("text/html; charset=utf-8", include_str!("docs/index.html"))))
        .route("/docs/docs.css", get(async || file("text/css; charset=utf-8", include_str!("docs/docs.css"))))
        .route("/docs/docs.js", get(async || file("text/javascript; charset=utf-8", include_str!("docs/docs.js"))))
}
