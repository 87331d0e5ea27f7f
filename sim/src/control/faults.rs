//! Routes for faults and scenarios.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::http::{Control, Shared};
use crate::error::SimError;
use crate::fault::{self, Fault, FaultId, Scenario};

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/faults", get(in_force).post(order).delete(clear_all))
        .route("/faults/{id}", delete(clear))
        .route("/scenario", post(begin))
        .route("/restart", post(restart))
}

#[derive(Serialize)]
struct FaultInForce {
    id: FaultId,
    fault: Fault,
}

async fn in_force(State(control): Shared) -> Json<Vec<FaultInForce>> {
    let faults = control.world.faults.list();
    Json(faults.into_iter().map(|(id, fault)| FaultInForce { id, fault }).collect())
}

async fn order(State(control): Shared, Json(fault): Json<Fault>) -> Result<Json<serde_json::Value>, SimError> {
    let id = fault::order(&control.world, fault).await?;
    Ok(Json(json!({ "id": id })))
}

async fn clear(State(control): Shared, Path(id): Path<FaultId>) -> StatusCode {
    if control.world.faults.remove(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn clear_all(State(control): Shared) -> Json<serde_json::Value> {
    Json(json!({ "cleared": control.world.faults.clear() }))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Restart {
    down_for_ms: u64,
}

/// Answers when clients are served again. The body is optional.
async fn restart(State(control): Shared, body: Bytes) -> Result<StatusCode, Response> {
    let restart = if body.is_empty() { Ok(Restart::default()) } else { serde_json::from_slice(&body) };
    let Restart { down_for_ms } =
        restart.map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()).into_response())?;
    let down_for = Duration::from_millis(down_for_ms);
    control.world.restarts.order(down_for).await.map_err(SimError::into_response)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a scenario in TOML or JSON, whatever the content type says. Its times count from now.
async fn begin(State(control): Shared, text: String) -> Result<Json<serde_json::Value>, SimError> {
    let scenario = Scenario::parse(&text)?;
    let steps = scenario.steps.len();
    fault::run_scenario(&control.world, scenario).await;
    Ok(Json(json!({ "faults": steps })))
}
