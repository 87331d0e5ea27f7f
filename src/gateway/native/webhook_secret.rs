//! `/v1/verifications/webhook-secret`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::MayAdmin;
use super::error::ApiError;
use super::prefixes::whole;
use super::problem::Problems;
use super::{App, Routes};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(secret))
}

/// What requests to fall-back webhooks are signed with.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
struct SecretView {
    /// As libraries of Standard Webhooks take it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    secret: String,
}

/// The secret with which requests to the tenant's fall-back webhooks are signed (Standard Webhooks).
#[utoipa::path(get, path = "/v1/verifications/webhook-secret", tag = "verifications", operation_id = "getVerificationWebhookSecret",
    responses((status = 200, description = "The same as long as the oldest encryption key stays", body = SecretView), Problems))]
async fn secret(State(app): State<Arc<App>>, MayAdmin(caller): MayAdmin) -> Result<Json<SecretView>, ApiError> {
    whole(&caller)?;
    Ok(Json(SecretView { secret: app.cases.webhook_secret(caller.tenant()).into_inner() }))
}
