//! What is left of a session's limits, as the store has it.

use anyhow::Context as _;
use kurir_core::domain::{OwnLimits, SessionId, SessionRecord, Timestamp};
use kurir_core::policy::DayLeft;
use serde::Serialize;

use super::settings;
use super::store::OpenStore;
use crate::config::{Config, LimitRow, Sources, limit_table};
use crate::gateway::LimitInForce;
use crate::gateway::usecase::SenderDay;

/// What a sender has spent and what is left of its day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionLimits {
    /// Which session.
    pub session: String,
    /// Its own limits; absent: none.
    #[serde(skip_serializing_if = "OwnLimits::is_empty")]
    pub own: OwnLimits,
    /// In which time zone its days are.
    pub time_zone: String,
    /// When its next day begins.
    pub next_day: String,
    /// Since when it has its number; absent before it is linked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_at: Option<String>,
    /// Today's messages of the otp lane.
    pub otp_sent: u32,
    /// Today's messages of the bulk lane.
    pub bulk_sent: u32,
    /// Today's new recipients.
    pub new_recipients: u32,
    /// Today's cap; absent: none. The same in what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// Messages that OTPs may still use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otp_left: Option<u32>,
    /// Messages that bulk jobs may still use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bulk_left: Option<u32>,
    /// New recipients that OTPs may still have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_otp_left: Option<u32>,
    /// New recipients that bulk jobs may still have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_bulk_left: Option<u32>,
    /// Until when it rests; absent: it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests_until: Option<String>,
    /// Why it rests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_reason: Option<String>,
}

/// Reads a session's limits from the store of this configuration. The owner saves them with every intent, so they are as
/// of the last message.
pub async fn session_limits(config: &Config, id: &SessionId) -> anyhow::Result<SessionLimits> {
    let store = OpenStore::open(config).await?;
    let (record, now) = (store.sessions.get(id).await, store.clock.now());
    store.close().await;
    let record = record?.with_context(|| format!("there is no session {id}"))?;
    Ok(told(&record, &SenderDay::of(&settings::senders(config), &record, now)))
}

/// The limits of this configuration, for the gateway to show.
pub(super) fn in_force(config: &Config) -> Vec<LimitInForce> {
    // The defaults are compiled in, and a test reads them.
    let defaults = Config::load(&Sources::default()).map(|defaults| limit_table(&defaults)).unwrap_or_default();
    let default_of = |row: &LimitRow| {
        let found = defaults.iter().find(|default| default.limit == row.limit);
        found.map_or_else(String::new, |default| default.value.clone())
    };
    let shown = limit_table(config).into_iter().map(|row| LimitInForce {
        default: default_of(&row),
        limit: row.limit.to_owned(),
        settings: row.settings.iter().map(|key| (*key).to_owned()).collect(),
        value: row.value,
        kept: row.kept.to_owned(),
        over: row.over.to_owned(),
        reason: row.reason,
        down: row.down.to_owned(),
    });
    shown.collect()
}

fn told(record: &SessionRecord, day: &SenderDay) -> SessionLimits {
    let DayLeft { cap, otp, bulk, cold_otp, cold_bulk } = day.left;
    SessionLimits {
        session: record.id.to_string(),
        own: record.limits,
        time_zone: day.zone.to_string(),
        next_day: day.next_day.to_rfc3339(),
        linked_at: day.linked.map(Timestamp::to_rfc3339),
        otp_sent: day.spent.otp,
        bulk_sent: day.spent.bulk,
        new_recipients: day.spent.cold(),
        cap,
        otp_left: otp,
        bulk_left: bulk,
        new_otp_left: cold_otp,
        new_bulk_left: cold_bulk,
        rests_until: day.rest.map(|rest| rest.until.to_rfc3339()),
        rest_reason: day.rest.map(|rest| rest.reason.to_string()),
    }
}
