//! The page for people, as it was built in.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::http::Control;

/// Scripts, styles and requests come from here and nowhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let policy: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, POLICY);
    // A page that is open while the simulator changes must not get half of another version.
    ([(header::CONTENT_TYPE, kind), policy, (header::CACHE_CONTROL, "no-cache")], content)
}

macro_rules! files {
    ($($path:literal => $kind:ident $name:literal,)*) => {
        /// The page and its parts.
        pub(super) fn routes() -> Router<Arc<Control>> {
            Router::new()$(.route($path, get(async || file($kind, include_str!(concat!("page/", $name))))))*
        }
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

files! {
    "/" => HTML "index.html",
    "/page/style.css" => CSS "style.css",
    "/page/actions.js" => SCRIPT "actions.js",
    "/page/app.js" => SCRIPT "app.js",
    "/page/api.js" => SCRIPT "api.js",
    "/page/audit.js" => SCRIPT "audit.js",
    "/page/dom.js" => SCRIPT "dom.js",
    "/page/faults.js" => SCRIPT "faults.js",
    "/page/forms.js" => SCRIPT "forms.js",
    "/page/groups.js" => SCRIPT "groups.js",
    "/page/journal.js" => SCRIPT "journal.js",
    "/page/link.js" => SCRIPT "link.js",
    "/page/live.js" => SCRIPT "live.js",
    "/page/phone.js" => SCRIPT "phone.js",
    "/page/phones.js" => SCRIPT "phones.js",
    "/page/rows.js" => SCRIPT "rows.js",
    "/page/screen.js" => SCRIPT "screen.js",
    "/page/status.js" => SCRIPT "status.js",
}
