//! `set_webhook`: where an instance's events are told. It is a webhook of kurir's, of this instance alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use kurir_core::domain::{KindChoice, Scope, SessionId};
use serde_json::json;

use super::super::{Answer, Desk, Guest, Refusal};
use super::success;
use crate::gateway::usecase::{NewWebhook, WebhookChange};

pub(super) async fn set(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let call = desk.call(request).await?;
    call.guest.needs(Scope::Control)?;
    let session = call.instance(&desk).await?;
    let enabled = call.fields.switch("enable", true);
    let secret = desk.tell_at(&call.guest, session.id, call.fields.text("webhook_url"), enabled).await?;
    Ok(success(secret.map_or_else(|| json!({}), |secret| json!({"webhook_secret": secret})), "Success"))
}

/// How the webhook of an instance is known among the tenant's.
fn label(session: &SessionId) -> String {
    format!("waziper {session}")
}

impl Desk {
    /// Sets or changes the address; gives the secret that its requests are signed with.
    async fn tell_at(
        &self,
        guest: &Guest,
        session: SessionId,
        url: Option<String>,
        enabled: bool,
    ) -> Result<Option<String>, Refusal> {
        let (cases, tenant, label) = (&self.app.cases, guest.tenant(), label(&session));
        let there = cases.webhooks(tenant).await?.into_iter().find(|webhook| webhook.settings.label == label);
        let webhook = match there {
            Some(webhook) => {
                let change = WebhookChange { url, enabled: Some(enabled), ..WebhookChange::default() };
                cases.change_webhook(tenant, &webhook.id, change).await?
            }
            // What is not there need not be switched off.
            None if !enabled => return Ok(None),
            None => {
                let url = url.ok_or(Refusal::Missing("webhook_url"))?;
                let sessions = Some(BTreeSet::from([session]));
                cases.create_webhook(tenant, NewWebhook { url, label, types: KindChoice::all(), sessions }).await?
            }
        };
        Ok(Some(webhook.settings.secret.expose().clone()))
    }
}
