//! kurir's own HTTP interface, version 1.
//!
//! Every route stands beside its description, so that the OpenAPI document at `/openapi.json` can't tell of another interface
//! than the one that is served; `/docs` shows it to people, `docs/openapi.json` is the published copy.
//!
//! The key stands in `Authorization: Bearer …` or `X-Api-Key`. Every error is a problem (RFC 9457). Nothing is ever to be
//! cached.

mod auth;
mod body;
mod chats;
mod docs;
mod error;
mod health;
mod keys;
mod layers;
mod messages;
mod openapi;
mod pools;
mod problem;
mod qr;
mod schemas;
mod session_ops;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use kurir_core::port::{Clock, Entropy};
use tokio_util::task::TaskTracker;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub use openapi::document as openapi_document;

use super::key_limit::KeyLimit;
use super::keys::ApiKeys;
use super::usecase::UseCases;
use super::{GatewayOptions, GatewayPorts, Probe};

/// Routes with their descriptions.
type Routes = OpenApiRouter<Arc<App>>;

/// What the handlers share.
struct App {
    cases: UseCases,
    keys: ApiKeys,
    key_limit: KeyLimit,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    probes: Vec<Probe>,
    tasks: TaskTracker,
    body_limit: usize,
    request_timeout: Duration,
}

/// All routes.
pub(super) fn router(options: GatewayOptions, ports: GatewayPorts, tasks: TaskTracker) -> Router {
    let app = Arc::new(App {
        entropy: Arc::clone(&ports.entropy),
        clock: Arc::clone(&ports.clock),
        key_limit: KeyLimit::new(options.key_rate, options.key_burst),
        keys: ApiKeys::new(options.fixed_keys, Arc::clone(&ports.keys), Arc::clone(&ports.clock)),
        cases: UseCases::new(ports, options.default_country, options.otp_ttl),
        probes: options.probes,
        tasks,
        body_limit: options.body_limit,
        request_timeout: options.request_timeout,
    });
    let (routes, document) = described(Some(&app)).split_for_parts();
    routes
        .merge(openapi::routes(document))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), layers::time_limit))
        .layer(from_fn(layers::never_cached))
        .layer(from_fn_with_state(Arc::clone(&app), layers::request_id))
        .with_state(app)
}

/// All routes that the document describes; those of `/v1` behind the check of keys, where there is an app to check with.
fn described(app: Option<&Arc<App>>) -> Routes {
    let mut v1 = Routes::new()
        .merge(sessions::routes())
        .merge(qr::routes())
        .merge(messages::routes())
        .merge(keys::routes())
        .merge(session_ops::routes())
        .merge(pools::routes())
        .merge(chats::routes());
    if let Some(app) = app {
        v1 = v1.route_layer(from_fn_with_state(Arc::clone(app), auth::check));
    }
    Routes::with_openapi(openapi::Description::openapi()).merge(v1).merge(health::routes())
}
