//! The page's style sheet, scripts and icon, built in.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::gateway::app::App;

const JS: &str = "text/javascript; charset=utf-8";

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], content)
}

pub(super) fn routes() -> Router<Arc<App>> {
    let (css, svg) = ("text/css; charset=utf-8", "image/svg+xml");
    Router::new()
        .route("/admin/assets/admin.css", get(async move || file(css, include_str!("assets/admin.css"))))
        .route("/admin/assets/admin.js", get(async || file(JS, include_str!("assets/admin.js"))))
        .route("/admin/assets/live.js", get(async || file(JS, include_str!("assets/live.js"))))
        .route("/admin/assets/dialog.js", get(async || file(JS, include_str!("assets/dialog.js"))))
        .route("/admin/assets/icon.svg", get(async move || file(svg, include_str!("assets/icon.svg"))))
}
