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
mod session_limits;
mod session_ops;
mod sessions;
mod suppression_files;
mod suppressions;
mod templates;
mod verifications;
mod webhook_secret;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub(super) use body::collect;
pub(super) use error::{ApiError, no_such_path, wrong_method};
pub(super) use message_list::{place as message_place, place_text as message_place_text};
pub(super) use message_view::steps as message_steps;
pub use openapi::document as openapi_document;

use super::app::App;

/// Routes with their descriptions.
type Routes = OpenApiRouter<Arc<App>>;

/// All routes.
pub(super) fn router(app: &Arc<App>) -> Router {
    let (routes, mut document) = described(Some(app)).split_for_parts();
    repeatable::describe(&mut document);
    let routes = routes
        .merge(openapi::routes(document))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(from_fn_with_state(Arc::clone(app), layers::time_limit))
        .with_state(Arc::clone(app));
    layers::around(routes, app)
}

/// All routes that the document describes; those of `/v1` behind the check of keys, where there is an app to check with.
fn described(app: Option<&Arc<App>>) -> Routes {
    let mut v1 = Routes::new()
        .merge(sessions::routes())
        .merge(media::routes())
        .merge(session_ops::routes())
        .merge(session_limits::routes())
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
