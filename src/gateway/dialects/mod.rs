//! The languages of five older systems, spoken so that their users change host and port and nothing else.
//!
//! A dialect translates to the same use cases as `/v1` and knows nothing of what stands behind them. What they share is here:
//! who calls ([`Desk`], [`Guest`]), what went wrong ([`Refusal`]), how a message is sent and waited for, how a code to scan is
//! waited for, how requests of whatever form are read ([`Fields`]). Words and shapes are each dialect's own.

mod desk;
mod fields;
mod indonesian;
mod numbers;
mod path;
mod qr;
mod refusal;
mod send;
mod sessions;

mod admin;
mod multi;
mod otp;
mod socketio;
mod waziper;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{Secret, TenantId};

use desk::{Desk, Guest};
use fields::Fields;
use refusal::Refusal;

use super::app::App;
use super::native::layers;

/// The older systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Instances with ids, asked for with an access token.
    Waziper,
    /// One-time passwords, answers in Indonesian.
    Otp,
    /// Many sessions of one API key.
    Multi,
    /// Codes and states told live over Socket.IO, texts in Indonesian.
    Socketio,
    /// One session or a few, kept by an operator.
    Admin,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 5] = [Self::Waziper, Self::Otp, Self::Multi, Self::Socketio, Self::Admin];

    /// Its name, in settings and paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waziper => "waziper",
            Self::Otp => "otp",
            Self::Multi => "multi",
            Self::Socketio => "socketio",
            Self::Admin => "admin",
        }
    }

    /// Whether the older system knew no keys, so that its callers have none to give.
    const fn has_strangers(self) -> bool {
        matches!(self, Self::Otp | Self::Socketio)
    }

    /// Its routes.
    fn routes(self) -> Router<Arc<Desk>> {
        match self {
            Self::Waziper => waziper::routes(),
            Self::Otp => otp::routes(),
            Self::Multi => multi::routes(),
            Self::Socketio => socketio::routes(),
            Self::Admin => Router::new().nest(admin::PATH, admin::routes()),
        }
    }

    /// Those of its routes that last as long as their callers like.
    fn lasting_routes(self, desk: &Arc<Desk>) -> Router<Arc<Desk>> {
        match self {
            Self::Socketio => socketio::lasting_routes(desk),
            Self::Waziper | Self::Otp | Self::Multi | Self::Admin => Router::new(),
        }
    }

    /// Tells a caller in the dialect's own words and shape what went wrong.
    fn refuse(self, refusal: &Refusal) -> Response {
        match self {
            Self::Waziper => waziper::refuse(refusal),
            Self::Otp => otp::refuse(refusal),
            Self::Multi => multi::refuse(refusal),
            Self::Socketio => socketio::refuse(refusal),
            Self::Admin => admin::refuse(refusal),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a dialect is served.
#[derive(Clone, Debug)]
pub struct DialectOptions {
    /// Which.
    pub dialect: Dialect,
    /// Whose the callers without a key are.
    pub tenant: TenantId,
    /// Who gives this may make keys (`multi`).
    pub admin_key: Option<Secret<String>>,
    /// Most sessions that a tenant may come to have through it (`admin`); 0: no such limit.
    pub max_sessions: u32,
    /// How long a send waits for WhatsApp's server; after that it answers that the message is accepted.
    pub send_wait: Duration,
    /// How long a request for a code to scan waits for one.
    pub qr_wait: Duration,
    /// How long a session that was started may be without a code to scan before its users are told (`socketio`).
    pub qr_timeout: Duration,
}

/// One dialect, as it is served on an address of its own. Where it is `open`, callers without a key are the configured
/// tenant's, if the older system knew no keys.
pub(super) fn router(app: &Arc<App>, options: DialectOptions, open: bool) -> Router {
    let routes = options.dialect.routes();
    served(&desk(app, options, open), routes)
}

/// The same on the gateway's address: where it stands there, and what stands there.
pub(super) fn places(app: &Arc<App>, options: DialectOptions, open: bool) -> Vec<(String, Router)> {
    let dialect = options.dialect;
    let desk = desk(app, options, open);
    let mut places = vec![(format!("/dialects/{dialect}"), served(&desk, dialect.routes()))];
    if dialect == Dialect::Admin {
        // It has no address of its own, so its users find it here.
        places.push((admin::PATH.to_owned(), served(&desk, admin::routes())));
    }
    places
}

fn desk(app: &Arc<App>, options: DialectOptions, open: bool) -> Arc<Desk> {
    let open = open && options.dialect.has_strangers();
    Arc::new(Desk::new(Arc::clone(app), options, open))
}

fn served(desk: &Arc<Desk>, routes: Router<Arc<Desk>>) -> Router {
    let routes = routes
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(desk), time_limit))
        .merge(desk.options.dialect.lasting_routes(desk))
        .layer(from_fn_with_state(Arc::clone(desk), in_words))
        .with_state(Arc::clone(desk));
    layers::around(routes, &desk.app)
}

/// What a request comes to.
type Answer = Result<Response, Refusal>;

async fn no_such_path() -> Refusal {
    Refusal::NoSuchPath
}

async fn wrong_method() -> Refusal {
    Refusal::WrongMethod
}

/// Says a refusal in the dialect's words and shape.
async fn in_words(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<Arc<Refusal>>() {
        Some(refusal) => desk.options.dialect.refuse(&refusal),
        None => response,
    }
}

/// Cuts a request off that takes longer than its waits and its work may.
async fn time_limit(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_file = kind.to_ascii_lowercase().starts_with("multipart/");
    let work = if is_file { desk.app.upload_timeout } else { desk.app.request_timeout };
    let lasts = work.saturating_add(desk.options.send_wait.max(desk.options.qr_wait));
    let answered = tokio::time::timeout(lasts, next.run(request)).await;
    answered.unwrap_or_else(|_| Refusal::TookTooLong.into_response())
}
