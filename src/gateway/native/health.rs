//! For whoever watches the process.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::ready::ask_all;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(alive)).routes(routes!(ready))
}

/// That the process lives.
#[derive(Serialize, ToSchema)]
struct Alive {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "health", security(()),
    responses((status = 200, description = "It does", body = Alive), Problems))]
async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// What the gateway depends on.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Each dependency: `ok`, `failed` or `timeout`.
    #[schema(example = json!({"store": "ok", "queue": "ok"}))]
    checks: BTreeMap<&'static str, &'static str>,
}

/// Whether everything that the gateway depends on answers.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readiness", security(()),
    responses(
        (status = 200, description = "All of it", body = Readiness),
        (status = 503, description = "Not all of it", body = Readiness),
        Problems
    ))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let reports = ask_all(&app.probes).await;
    let all = reports.iter().all(|report| report.status == "ok");
    let checks = reports.iter().map(|report| (report.name, report.status)).collect();
    let (code, status) = if all { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (code, Json(Readiness { status, checks }))
}
