//! The admin page: the fleet for people, in a browser.
//!
//! Pages are made here, from the same use cases as `/v1`, and work without scripts; small scripts of ours keep them live. Nothing
//! comes from another host.

mod assets;
mod form;
mod guard;
mod keys;
mod language;
mod live;
mod page;
mod preferences;
mod reader;
mod refusal;
mod sessions;
mod templates;
mod webhook_log;
mod webhook_words;
mod webhooks;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Redirect, Response};
use axum::routing::get;

use refusal::{Refused, in_words};

use super::app::App;
use super::native::layers;

/// Scripts, styles, pictures and requests come from here and nowhere else; codes to scan come as `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All routes, below `/admin`.
pub(super) fn router(app: &Arc<App>) -> Router {
    let pages = Router::new()
        .merge(live::routes())
        .merge(sessions::routes())
        .merge(keys::routes())
        .merge(webhooks::routes())
        .merge(templates::routes());
    let routes = Router::new()
        .route("/admin", get(async || Redirect::to("/admin/sessions")))
        .route("/admin/", get(async || Redirect::to("/admin/sessions")))
        .route("/admin/preferences", get(preferences::choose))
        .merge(pages)
        .merge(assets::routes())
        .route("/admin/{*nothing}", get(async || Refused::NoSuchPage))
        .layer(from_fn_with_state(Arc::clone(app), in_words))
        .layer(from_fn(guarded))
        .layer(from_fn_with_state(Arc::clone(app), layers::time_limit))
        .with_state(Arc::clone(app));
    layers::around(routes, app)
}

/// Says what pages may do.
async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let alone = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(alone, HeaderValue::from_static("same-origin"));
    response
}
