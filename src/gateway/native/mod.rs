//! kurir's own HTTP interface, version 1.
//!
//! Every route stands beside its description, so that the OpenAPI document at `/openapi.json` can't tell of another interface
//! than the one that is served; `/docs` shows it to people, `docs/openapi.json` is the published copy.
//!
//! The key stands in `Authorization: Bearer …` or `X-Api-Key`. Every error is a problem (RFC 9457). Nothing is ever to be
//! cached.

mod auth;
mod batches;
mod body;
mod chats;
mod csv_rows;
mod docs;
mod error;
mod events;
pub(super) mod health;
mod idempotency;
mod keys;
pub(super) mod layers;
mod media;
mod message_list;
mod message_view;
mod messages;
mod metrics;
mod openapi;
mod paging;
mod pools;
mod prefixes;
mod problem;
mod qr;
mod repeatable;
mod schemas;
mod session_ops;
mod sessions;
mod suppression_files;
mod suppressions;
mod templates;
mod verifications;
mod webhook_secret;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state};
use kurir_core::domain::TenantId;
use kurir_core::port::{Clock, Entropy, RequestLog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub(super) use error::{no_such_path, wrong_method};
pub use openapi::document as openapi_document;

use super::key_limit::KeyLimit;
use super::keys::ApiKeys;
use super::stream_limit::StreamLimit;
use super::tail::Tail;
use super::usecase::UseCases;
use super::waits::Waits;
use super::{GatewayOptions, GatewayPorts, MessageOptions, Meter, Probe};

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
    upload_timeout: Duration,
    requests: Arc<dyn RequestLog>,
    waits: Waits,
    messages: MessageOptions,
    tail: Tail,
    streams: Arc<StreamLimit>,
    stream_patience: Duration,
    /// Ends the streams when the gateway stops.
    stopping: CancellationToken,
    operator: TenantId,
    meter: Option<Arc<dyn Meter>>,
}

impl App {
    /// How long a request may take: longer, if its caller wants to wait.
    fn lasts_at_most(&self, uri: &Uri) -> Duration {
        let waits = uri.path() == messages::PATH && uri.query().is_some_and(|query| query.contains("wait="));
        if uri.path() == media::PATH {
            return self.upload_timeout;
        }
        if waits { self.request_timeout.saturating_add(self.messages.wait_max) } else { self.request_timeout }
    }
}

/// All routes.
pub(super) fn router(
    options: GatewayOptions,
    ports: GatewayPorts,
    tasks: TaskTracker,
    stopping: CancellationToken,
) -> Router {
    let (ledger, events) = (Arc::clone(&ports.ledger), Arc::clone(&ports.events));
    let waits = Waits::new(ledger, events, options.messages.most_waits, tasks.clone(), stopping.clone());
    let (log, source) = (Arc::clone(&ports.event_log), Arc::clone(&ports.events));
    let app = Arc::new(App {
        tail: Tail::new(log, source, stopping.clone()),
        streams: StreamLimit::new(options.max_streams, options.streams_per_key),
        stream_patience: options.stream_patience,
        stopping,
        entropy: Arc::clone(&ports.entropy),
        clock: Arc::clone(&ports.clock),
        key_limit: KeyLimit::new(options.key_rate, options.key_burst),
        keys: ApiKeys::new(options.fixed_keys, Arc::clone(&ports.keys), Arc::clone(&ports.clock)),
        probes: options.probes,
        tasks,
        body_limit: options.body_limit,
        request_timeout: options.request_timeout,
        upload_timeout: options.upload_timeout,
        requests: Arc::clone(&ports.requests),
        waits,
        messages: options.messages,
        cases: UseCases::new(ports, options.default_country, options.otp_ttl, options.verify)
            .with_caps(options.messages.queue_caps)
            .with_media(options.media),
        operator: options.operator,
        meter: options.meter,
    });
    let (routes, mut document) = described(Some(&app)).split_for_parts();
    repeatable::describe(&mut document);
    routes
        .merge(openapi::routes(document))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), layers::time_limit))
        .layer(from_fn(layers::never_cached))
        .layer(from_fn_with_state(Arc::clone(&app), layers::measured))
        .layer(from_fn_with_state(Arc::clone(&app), layers::request_id))
        .with_state(app)
}

/// All routes that the document describes; those of `/v1` behind the check of keys, where there is an app to check with.
fn described(app: Option<&Arc<App>>) -> Routes {
    let mut v1 = Routes::new()
        .merge(sessions::routes())
        .merge(media::routes())
        .merge(session_ops::routes())
        .merge(qr::routes())
        .merge(pools::routes())
        .merge(messages::routes())
        .merge(message_list::routes())
        .merge(batches::routes())
        .merge(verifications::routes())
        .merge(prefixes::routes())
        .merge(webhook_secret::routes())
        .merge(events::routes())
        .merge(webhooks::routes())
        .merge(keys::routes())
        .merge(chats::routes())
        .merge(metrics::routes())
        .merge(templates::routes())
        .merge(suppressions::routes());
    if let Some(app) = app {
        v1 = v1
            .route_layer(from_fn_with_state(Arc::clone(app), repeatable::named_once))
            .route_layer(from_fn_with_state(Arc::clone(app), auth::check));
    }
    Routes::with_openapi(openapi::Description::openapi()).merge(v1).merge(health::routes())
}
