//! A small interface for whoever watches a process: whether it lives, what it depends on, what it has counted. Without
//! keys and without anything else, so it stands on an address of its own that is not for callers of the API.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::meter::{MEDIA_TYPE, Meter};
use super::native::health::{alive, answer};
use super::native::layers::never_cached;
use super::native::{no_such_path, wrong_method};
use super::ready::{Probe, ask_all};
use super::server::{self, Limits};

/// Those who watch are few, and their requests are short.
const LIMITS: Limits =
    Limits { header_timeout: Duration::from_secs(5), max_connections: 64, stop_deadline: Duration::from_secs(2) };

/// What is watched.
#[derive(Clone)]
pub struct Monitor {
    /// What the process depends on.
    pub probes: Vec<Probe>,
    /// What it has counted.
    pub meter: Arc<dyn Meter>,
}

impl Monitor {
    /// Its routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(alive))
            .route("/readyz", get(async |State(it): State<Self>| answer(ask_all(&it.probes).await)))
            .route("/metrics", get(async |State(it): State<Self>| exposition(&*it.meter)))
            .fallback(no_such_path)
            .method_not_allowed_fallback(wrong_method)
            .layer(from_fn(never_cached))
            .with_state(self)
    }

    /// Serves until `stop`.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        // Nothing here lasts as long as its caller likes.
        let ends = (CancellationToken::new(), stop);
        server::serve(listener, self.router(), TaskTracker::new(), LIMITS, ends).await;
    }
}

/// What was counted, as an answer.
pub(super) fn exposition(meter: &dyn Meter) -> Response {
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], meter.exposition()).into_response()
}
