//! The admin page, at `/admin`: people look after sessions and messages in a browser.
//!
//! Who is at the door is known here alone: [`guard`] lets in who is signed in, pages ask it for what somebody may do.

mod address;
mod cookie;
mod csrf;
mod desk;
mod door;
mod form;
mod guard;
mod language;
mod local_path;
mod own_password;
mod page;
mod password;
mod refused;
mod sign_in;
mod throttle;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{Redirect, Response};
use axum::routing::get;

pub use desk::{By, NewUser, SHORTEST_PASSWORD, UserDesk, UserFault};
pub(super) use door::Door;

use super::app::App;
use super::native::layers;
use language::Language;
use refused::Refused;

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

/// What the pages may load, and who may frame them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// All pages. The paths begin below `/admin`.
pub(super) fn router(app: &Arc<App>) -> Router {
    let inside = Router::new()
        .route("/", get(async || Redirect::to("/admin/users")))
        .merge(sign_in::inside())
        .merge(own_password::routes())
        .merge(users::routes())
        .fallback(async |headers: HeaderMap| Refused::NoSuchPage.page(Language::of(&headers)))
        .layer(from_fn_with_state(Arc::clone(app), guard::protect));
    let routes = inside.merge(sign_in::routes()).layer(map_response(strict)).with_state(Arc::clone(app));
    layers::around(routes, app)
}

/// Tells the browser what our pages never do. The referrer stays within the site: without any, browsers would not say either
/// from where a form was sent.
async fn strict(mut response: Response) -> Response {
    let told: [(HeaderName, &str); 2] =
        [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "same-origin")];
    for (name, value) in told {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
