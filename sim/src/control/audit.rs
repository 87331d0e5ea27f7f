//! Routes of the truth keeper.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::http::{Control, Shared};
use crate::audit::{self, Audit};
use crate::error::SimError;

/// Entries of each list in an answer, unless asked for otherwise.
const DEFAULT_LIMIT: usize = 1000;
/// Bytes of one registration: about 300,000 ids.
const DEADLINES_LIMIT: usize = 16 << 20;

pub(super) fn routes() -> Router<Arc<Control>> {
    let deadlines = post(register).delete(forget).layer(DefaultBodyLimit::max(DEADLINES_LIMIT));
    Router::new().route("/audit", get(judge)).route("/deadlines", deadlines)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn judge(State(control): Shared, Query(run): Query<Run>) -> Result<Json<Audit>, SimError> {
    // A full journal has millions of entries: not on the threads that serve clients.
    let judged = tokio::task::spawn_blocking(move || {
        let mut audit = audit::of(&control.world, run.after);
        audit.shorten(run.limit.unwrap_or(DEFAULT_LIMIT));
        audit
    });
    Ok(Json(judged.await.map_err(|_| SimError::Stopping)?))
}

async fn register(
    State(control): Shared,
    Json(deadlines): Json<BTreeMap<String, u64>>,
) -> Result<Json<serde_json::Value>, SimError> {
    let registered = control.world.journal.expect(deadlines)?;
    Ok(Json(json!({ "registered": registered })))
}

async fn forget(State(control): Shared) -> StatusCode {
    control.world.journal.expect_nothing();
    StatusCode::NO_CONTENT
}
