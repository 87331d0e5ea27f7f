//! kurir's own HTTP interface, version 1.
//!
//! | request | answers |
//! |---|---|
//! | `POST /v1/sessions` `{"id"?, "pool"?}` | 201 the session; 409 with the session that is there |
//! | `GET /v1/sessions?limit=&after=` | 200 a page of the tenant's sessions |
//! | `GET /v1/sessions/{id}` | 200 |
//! | `GET /v1/sessions/{id}/qr?format=json\|png\|svg\|text` | 200, by `format` or `Accept`; 404 with the reason, and `Retry-After` when one is to come |
//! | `PUT /v1/sessions/{id}/pool` `{"pool"}` | 200; `null` takes it out of its pool |
//! | `DELETE /v1/sessions/{id}` | 202 |
//! | `POST /v1/messages` | 202 accepted; 200 known under this id |
//! | `GET /v1/messages/{id}` | 200 |
//! | `POST /v1/messages/{id}/cancel` | 200 cancelled; 409 with the state when it is too late |
//! | `POST /v1/messages/{id}/reschedule` `{"not_before"}` | 200 it waits until then; 409 with the state when it is too late |
//! | `GET /healthz`, `GET /readyz` | 200, or 503 when not ready; no key needed |
//!
//! The key stands in `Authorization: Bearer …` or `X-Api-Key`. Every error is `{"error":{"code","message","field"?,"state"?}}`.
//! Nothing is ever to be cached.

mod auth;
mod body;
mod error;
mod health;
mod layers;
mod messages;
mod qr;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};
use kurir_core::port::Entropy;
use tokio_util::task::TaskTracker;

use super::usecase::UseCases;
use super::{ApiKeys, GatewayOptions, GatewayPorts, Probe};

/// What the handlers share.
struct App {
    cases: UseCases,
    keys: ApiKeys,
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
        cases: UseCases::new(ports, options.default_country, options.otp_ttl),
        keys: options.keys,
        probes: options.probes,
        tasks,
        body_limit: options.body_limit,
        request_timeout: options.request_timeout,
    });
    let v1 = Router::new()
        .route("/v1/sessions", post(sessions::create).get(sessions::list))
        .route("/v1/sessions/{id}", get(sessions::one).delete(sessions::delete))
        .route("/v1/sessions/{id}/qr", get(qr::show))
        .route("/v1/sessions/{id}/pool", put(sessions::join_pool))
        .route("/v1/messages", post(messages::enqueue))
        .route("/v1/messages/{id}", get(messages::one))
        .route("/v1/messages/{id}/cancel", post(messages::cancel))
        .route("/v1/messages/{id}/reschedule", post(messages::reschedule))
        .route_layer(from_fn_with_state(Arc::clone(&app), auth::check));
    Router::new()
        .merge(v1)
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), layers::time_limit))
        .layer(from_fn(layers::never_cached))
        .layer(from_fn_with_state(Arc::clone(&app), layers::request_id))
        .with_state(app)
}
