//! The admin page: the fleet for people, in a browser.
//!
//! Pages are made here, from the same use cases as `/v1`, and work without scripts; small scripts of ours keep them live. Nothing
//! comes from another host. Who is at the door is known to `guard` alone: it lets in who is signed in, and pages ask it for what
//! somebody may do.

mod address;
mod assets;
mod change;
mod chart;
mod cookie;
mod csrf;
mod dead;
mod dead_change;
mod dead_words;
mod desk;
mod door;
mod fleet;
mod form;
mod guard;
mod keys;
mod language;
mod limits;
mod live;
mod local_path;
mod message;
mod message_view;
mod message_words;
mod messages;
mod own_password;
mod page;
mod password;
mod preferences;
mod reader;
mod refusal;
mod send;
mod send_form;
mod sessions;
mod sign_in;
mod templates;
mod throttle;
mod turned_away;
mod users;
mod verifications;
mod webhook_log;
mod webhook_words;
mod webhooks;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Redirect, Response};
use axum::routing::get;

pub use desk::{By, NewUser, SHORTEST_PASSWORD, UserDesk, UserFault};
pub(super) use door::Door;
use refusal::{Refused, in_words};

use super::app::App;
use super::native::layers;

/// How the admin page lets people in.
#[derive(Clone, Copy, Debug)]
pub struct AdminOptions {
    /// Whether it is served.
    pub enabled: bool,
    /// How long a sign-in lasts that nobody uses.
    pub session_idle: Duration,
    /// How long a sign-in lasts at most.
    pub session_max: Duration,
    /// Whether what a proxy says of its clients is believed.
    pub trust_proxy: bool,
}

impl Default for AdminOptions {
    fn default() -> Self {
        let (session_idle, session_max) = (Duration::from_hours(2), Duration::from_hours(12));
        Self { enabled: true, session_idle, session_max, trust_proxy: false }
    }
}

/// Scripts, styles, pictures and requests come from here and nowhere else; codes to scan come as `data:` URLs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All routes, below `/admin`.
pub(super) fn router(app: &Arc<App>) -> Router {
    let home = async || Redirect::to("/admin/sessions");
    let inside = Router::new()
        .route("/admin", get(home))
        .route("/admin/", get(home))
        .route("/admin/{*nothing}", get(async || Refused::NoSuchPage))
        .merge(sign_in::inside())
        .merge(own_password::routes())
        .merge(users::routes())
        .merge(live::routes())
        .merge(messages::routes())
        .merge(message::routes())
        .merge(dead::routes())
        .merge(dead_change::routes())
        .merge(send::routes())
        .merge(fleet::routes())
        .merge(verifications::routes())
        .merge(limits::routes())
        .merge(sessions::routes())
        .merge(keys::routes())
        .merge(webhooks::routes())
        .merge(templates::routes())
        .layer(from_fn(in_words))
        .layer(from_fn_with_state(Arc::clone(app), guard::protect));
    let routes = inside
        .merge(sign_in::routes())
        .merge(assets::routes())
        .route("/admin/preferences", get(preferences::choose))
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
