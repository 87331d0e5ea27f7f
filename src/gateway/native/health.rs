//! For whoever watches the process.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::ready::{Readiness, ask_all};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(alive)).routes(routes!(ready))
}

/// That the process lives.
#[derive(Serialize, ToSchema)]
pub(in crate::gateway) struct Alive {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "health", security(()),
    responses((status = 200, description = "It does", body = Alive), Problems))]
pub(in crate::gateway) async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Whether everything that the gateway depends on answers.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readiness", security(()),
    responses(
        (status = 200, description = "All that it can't go on without; `down` names what else does not answer", body = Readiness),
        (status = 503, description = "Not all of it; `down` names what does not", body = Readiness),
        Problems
    ))]
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    answer(ask_all(&app.probes).await)
}

/// A readiness with its status.
pub(in crate::gateway) fn answer(readiness: Readiness) -> (StatusCode, Json<Readiness>) {
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}
