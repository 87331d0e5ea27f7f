//! Events that somebody should look at.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EventV1;
use crate::domain::{Ended, EventId, EventKind, OutboxEvent, TenantId, Timestamp};

/// Data of `alert.failure_rate`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AlertDataV1 {
    /// `raised`: too many messages fail from now on; `resolved`: not any more.
    pub state: String,
    /// How many of them failed, expired, or are uncertain.
    pub failed: u64,
    /// How many messages have ended.
    pub ended: u64,
    /// Above this share of them, in hundredths, it is raised.
    pub threshold_percent: u32,
    /// Of messages that were taken within so many seconds before.
    pub window_seconds: u64,
}

impl AlertDataV1 {
    /// `alert.failure_rate`: that it stands now, or that it doesn't any more.
    pub fn failure_rate(
        tenant: &TenantId,
        stands: bool,
        ended: Ended,
        (threshold_percent, window): (u32, Duration),
        at: Timestamp,
    ) -> OutboxEvent {
        let state = if stands { "raised" } else { "resolved" };
        let data = Self {
            state: state.to_owned(),
            failed: ended.failed,
            ended: ended.all,
            threshold_percent,
            window_seconds: window.as_secs(),
        };
        let kind = EventKind::FailureRateAlert;
        let id = EventId::of_alert(tenant, kind, state, at);
        EventV1::outbox(id, kind, tenant, None, tenant.to_string(), at, data)
    }
}
