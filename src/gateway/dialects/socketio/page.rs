//! The page of the sessions, and what pages of this system's users load from its server.

use std::sync::Arc;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::super::Desk;

/// Scripts, styles and requests come from here and nowhere else, sockets too.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Where the files are, what they are, and the files.
const FILES: [(&str, &str, &str); 5] = [
    ("/page.js", SCRIPT, include_str!("page/page.js")),
    ("/page.css", STYLE, include_str!("page/page.css")),
    ("/qrcode.js", SCRIPT, include_str!("page/vendor/qrcode.js")),
    // Where servers of Socket.IO have it, so that users' own pages find it.
    ("/socket.io/socket.io.js", SCRIPT, include_str!("page/vendor/socket.io.min.js")),
    ("/socket.io/socket.io.min.js", SCRIPT, include_str!("page/vendor/socket.io.min.js")),
];

pub(super) fn routes() -> Router<Arc<Desk>> {
    FILES.into_iter().fold(Router::new().route("/", get(page)), |routes, (path, kind, content)| {
        routes.route(path, get(async move || file(kind, content)))
    })
}

fn file(kind: &'static str, content: &'static str) -> Response {
    let policy: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, POLICY);
    ([(header::CONTENT_TYPE, kind), policy, (header::REFERRER_POLICY, "no-referrer")], content).into_response()
}

/// The page names its files by where it stands itself, so it has to stand in a folder.
async fn page(OriginalUri(uri): OriginalUri) -> Response {
    if !uri.path().ends_with('/') {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::permanent(&format!("{}/{query}", uri.path())).into_response();
    }
    file("text/html; charset=utf-8", include_str!("page/page.html"))
}
