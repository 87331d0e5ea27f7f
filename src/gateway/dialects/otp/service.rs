//! What the service is, whether it is well, and what it has done.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::Ended;
use kurir_core::port::MessageFilter;
use serde_json::json;

use super::super::Desk;
use super::super::sessions::is_connected;
use super::{Answer, success};
use crate::gateway::ready::ask_all;
use crate::gateway::usecase::Search;

/// What the counts are of.
const WINDOW: Duration = Duration::from_hours(24);

pub(super) async fn card() -> Response {
    let data = json!({
        "name": "WhatsApp OTP API",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "running",
        "endpoints": {
            "sessions": "/api/sessions",
            "messages": "/api/messages/:sessionId/text",
            "otp": "/api/messages/:sessionId/otp",
            "health": "/api/health",
            "stats": "/api/webhook/stats"
        }
    });
    success("WhatsApp OTP API", data)
}

pub(super) async fn health(State(desk): State<Arc<Desk>>) -> Response {
    let readiness = ask_all(&desk.app.probes).await;
    let well = readiness.is_ready();
    let (status, word) =
        if well { (StatusCode::OK, "healthy") } else { (StatusCode::SERVICE_UNAVAILABLE, "unhealthy") };
    let answer = json!({
        "success": well,
        "message": if well { "Layanan berjalan normal" } else { "Sebagian layanan tidak tersedia" },
        "data": {"status": word, "checks": readiness.checks, "timestamp": desk.app.clock.now().to_rfc3339()}
    });
    (status, Json(answer)).into_response()
}

/// Counts of the last day.
pub(super) async fn stats(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Answer {
    let guest = desk.guest_of(&headers).await?;
    let sessions = desk.sessions(&guest, Search::default).await?;
    let now = desk.app.clock.now();
    let filter = MessageFilter { since: Some(now.minus(WINDOW)), ..MessageFilter::of(guest.tenant().clone()) };
    let counts = desk.app.cases.count_messages(&filter).await?;
    let ended = Ended::of(&counts);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = if ended.all == 0 { 0.0 } else { ended.failed as f64 / ended.all as f64 };
    let data = json!({
        "totalOTPSent": ended.all - ended.failed,
        "failedRequests": ended.failed,
        "activeSessions": sessions.iter().filter(|session| is_connected(session)).count(),
        "total": counts.iter().map(|(_, count)| count).sum::<u64>(),
        "failureRate": rate,
        "since": now.minus(WINDOW).to_rfc3339(),
    });
    Ok(success("Statistik 24 jam terakhir", data))
}
