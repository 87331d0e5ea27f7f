//! `/v1/verifications/webhook-secret`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use kurir_core::domain::Secret;
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
    /// The one that it replaces, which signs as well until the operator ends it.
    #[schema(example = json!(null))]
    old_secret: Option<String>,
}

/// The secret with which requests to the tenant's fall-back webhooks are signed (Standard Webhooks).
#[utoipa::path(get, path = "/v1/verifications/webhook-secret", tag = "verifications", operation_id = "getVerificationWebhookSecret",
    responses((status = 200, description = "The same until the operator has it replaced, or the oldest encryption key goes", body = SecretView), Problems))]
async fn secret(State(app): State<Arc<App>>, MayAdmin(caller): MayAdmin) -> Result<Json<SecretView>, ApiError> {
    whole(&caller)?;
    let mut secrets = app.cases.webhook_secrets(caller.tenant()).map(Secret::into_inner);
    Ok(Json(SecretView { secret: secrets.next().unwrap_or_default(), old_secret: secrets.next() }))
}
