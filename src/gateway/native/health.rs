//! For whoever watches the process.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::App;
use crate::gateway::ready::ask_all;

/// The process lives.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// What it depends on answers.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let reports = ask_all(&app.probes).await;
    let all = reports.iter().all(|report| report.status == "ok");
    let checks: Map<String, Value> =
        reports.iter().map(|report| (report.name.to_owned(), report.status.into())).collect();
    let (status, word) = if all { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (status, Json(json!({ "status": word, "checks": checks })))
}
