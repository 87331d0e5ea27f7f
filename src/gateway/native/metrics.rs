//! `/metrics`, for those who can't reach the address that the process tells them at without a key (`metrics.listen`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::routes;

use super::auth::MayAdmin;
use super::error::{ApiError, no_such_path};
use super::problem::Problems;
use super::{App, Routes};
use crate::gateway::monitor::exposition;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(metrics))
}

/// What this process has counted, for Prometheus. It takes an admin key of the operator's tenant: the counts are those of
/// all tenants.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses(
        (status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"),
        Problems
    ))]
async fn metrics(State(app): State<Arc<App>>, MayAdmin(caller): MayAdmin) -> Result<Response, ApiError> {
    match &app.meter {
        Some(meter) if *caller.tenant() == app.operator => Ok(exposition(&**meter)),
        // For others there is nothing here.
        _ => Err(no_such_path().await),
    }
}
