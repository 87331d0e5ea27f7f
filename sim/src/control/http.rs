//! The service: all routes together, behind the checks that every request passes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::openapi::Description;
use super::problem::{Failure, no_such_path, wrong_method};
use super::{
    accounts, audit, contacts, events, faults, group, guard, journal, media, openapi, page, pair_code, phones, scan,
    status,
};
use crate::error::SimError;
use crate::world::World;

/// Largest body of a request, in bytes, where a route does not say otherwise.
const BODY_LIMIT: usize = 64 * 1024;
/// Event streams that may be open at once.
const STREAMS: usize = 64;

/// Things in one answer, unless the caller says how many.
const USUAL_PAGE: usize = 100;
/// Things in one answer at most.
pub(super) const LARGEST_PAGE: usize = 1000;

/// What the handlers know.
pub(super) struct Control {
    pub world: Arc<World>,
    /// Where clients connect.
    pub websocket: SocketAddr,
    /// Names this run of the simulator in the ids of the event stream.
    pub run: String,
    /// Places for event streams.
    pub streams: Arc<Semaphore>,
    pub document: OpenApi,
}

/// The state of every handler.
pub(super) type Shared = axum::extract::State<Arc<Control>>;
/// Routes with their descriptions.
pub(super) type Routes = OpenApiRouter<Arc<Control>>;

/// How many things one answer has.
pub(super) fn page_size(limit: Option<usize>) -> usize {
    limit.unwrap_or(USUAL_PAGE).clamp(1, LARGEST_PAGE)
}

/// Does what goes through all accounts, which takes too long between two other tasks.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    // It fails only when the runtime is being shut down.
    tokio::task::spawn_blocking(work).await.map_err(|_| SimError::Stopping.into())
}

/// All routes that the document describes.
pub(super) fn described() -> Routes {
    OpenApiRouter::with_openapi(Description::openapi())
        .merge(status::routes())
        .merge(accounts::routes())
        .merge(scan::routes())
        .merge(pair_code::routes())
        .merge(phones::routes())
        .merge(contacts::routes())
        .merge(faults::routes())
        .merge(audit::routes())
        .merge(group::routes())
        .merge(media::routes())
        .merge(journal::routes())
        .merge(events::routes())
}

/// Serves the control interface until the simulator stops.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener, websocket: SocketAddr) {
    let stop = world.stop.clone();
    let run = format!("{:x}", world.now_millis());
    let (routes, document) = described().split_for_parts();
    let control = Control { world, websocket, run, streams: Arc::new(Semaphore::new(STREAMS)), document };
    let routes = routes
        .merge(openapi::routes())
        .merge(page::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(guard::check))
        .with_state(Arc::new(control));
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the control interface failed");
    }
}
