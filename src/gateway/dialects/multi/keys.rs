//! Making keys: each is shown once, kept as a hash, and a tenant of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use kurir_core::domain::{KeyStyle, Scope, TenantId};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::super::{Desk, Fields, Refusal};
use super::Answer;
use crate::gateway::usecase::NewKey;

/// Longest name of a key, in characters; as in kurir's own register.
const MAX_NAME: usize = 100;

pub(super) async fn generate(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    desk.admin(request.headers()).await?;
    let (_, fields) = Fields::read(request, desk.app.body_limit).await?;
    let label = fields.needed("name")?;
    if label.chars().count() > MAX_NAME || label.chars().any(char::is_control) {
        let message = format!("has 1 to {MAX_NAME} characters, none of them a control character");
        return Err(Refusal::bad("name", message));
    }
    // 80 random bits: tenants never meet.
    let tenant = format!("wa-{:020x}", desk.app.entropy.nonce() >> 48);
    let new = NewKey {
        tenant: TenantId::new(tenant).map_err(|_| Refusal::Unavailable)?,
        label: label.clone(),
        scopes: BTreeSet::from([Scope::Send, Scope::Read, Scope::Control]),
        sessions: None,
        until: None,
    };
    let made = desk.app.cases.keys().create_as(new, KeyStyle::Wa).await?;
    let answer = json!({"success": true, "apiKey": made.key.expose(), "name": label, "id": made.record.id.as_str()});
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

impl Desk {
    /// Whether the caller may make keys: by the configured admin's key, or by one of the register's with the scope `admin`.
    async fn admin(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let presented = headers.get("x-admin-key").map_or(&b""[..], axum::http::HeaderValue::as_bytes);
        if presented.is_empty() {
            return Err(Refusal::NoKey);
        }
        let configured = self.options.admin_key.as_ref().map(|key| key.expose().as_bytes());
        if configured.is_some_and(|key| bool::from(key.ct_eq(presented))) {
            return Ok(());
        }
        self.guest(Some(presented)).await?.needs(Scope::Admin)
    }
}
