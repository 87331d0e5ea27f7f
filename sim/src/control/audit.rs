//! The truth keeper: deadlines, and what a run came to.

use std::collections::BTreeMap;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::http::{Routes, Shared, apart};
use super::input::{Json, Query};
use super::problem::{Failure, Problems};
use crate::audit::{self, Audit};

/// Entries of each list in an answer, unless asked for otherwise.
const USUAL_LIMIT: usize = 1000;
/// Bytes of one registration: about 300,000 ids.
const DEADLINES_LIMIT: usize = 16 << 20;

pub(super) fn routes() -> Routes {
    let deadlines = Routes::new().routes(routes!(register, forget)).layer(DefaultBodyLimit::max(DEADLINES_LIMIT));
    Routes::new().routes(routes!(judge)).merge(deadlines)
}

/// Which run is judged.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Run {
    /// The journal's position after which the run began.
    #[serde(default)]
    #[param(example = 0)]
    after: u64,
    /// At most so many entries in each list; 1000 when absent. The totals count all.
    #[param(example = 50)]
    limit: Option<usize>,
}

/// What a run came to: what arrived, twice, late or never, and keys and sockets used twice.
#[utoipa::path(get, path = "/audit", tag = "journal", params(Run), responses((status = 200, body = Audit), Problems))]
async fn judge(State(control): Shared, Query(run): Query<Run>) -> Result<Json<Audit>, Failure> {
    let judged = apart(move || {
        let mut audit = audit::of(&control.world, run.after);
        audit.shorten(run.limit.unwrap_or(USUAL_LIMIT));
        audit
    });
    Ok(Json(judged.await?))
}

/// Deadlines that are registered.
#[derive(Serialize, ToSchema)]
struct Registered {
    /// How many there are now.
    registered: usize,
}

/// Register by when message ids should arrive at phones, in milliseconds since 1970. A deadline that is registered
/// again is the new one.
#[utoipa::path(post, path = "/deadlines", tag = "journal",
    request_body(content = BTreeMap<String, u64>, example = json!({ "3EB0C0FFEE00112233": 1_800_000_000_000_u64 })),
    responses((status = 200, body = Registered), Problems))]
async fn register(
    State(control): Shared,
    Json(deadlines): Json<BTreeMap<String, u64>>,
) -> Result<Json<Registered>, Failure> {
    Ok(Json(Registered { registered: control.world.journal.expect(deadlines)? }))
}

/// Forget all deadlines.
#[utoipa::path(delete, path = "/deadlines", tag = "journal",
    responses((status = 204, description = "They are forgotten"), Problems))]
async fn forget(State(control): Shared) -> StatusCode {
    control.world.journal.expect_nothing();
    StatusCode::NO_CONTENT
}
