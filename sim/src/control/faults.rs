//! Routes for faults and scenarios.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::json;

use super::http::{Control, Shared};
use crate::error::SimError;
use crate::fault::{self, Fault, FaultId, Scenario};

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/faults", get(in_force).post(order).delete(clear_all))
        .route("/faults/{id}", delete(clear))
        .route("/scenario", post(begin))
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

/// Takes a scenario in TOML or JSON, whatever the content type says. Its times count from now.
async fn begin(State(control): Shared, text: String) -> Result<Json<serde_json::Value>, SimError> {
    let scenario = Scenario::parse(&text)?;
    let steps = scenario.steps.len();
    fault::run_scenario(&control.world, scenario).await;
    Ok(Json(json!({ "faults": steps })))
}
