//! A message as callers see it.

use std::collections::BTreeMap;

use kurir_core::domain::{FailReason, HistoryStep, LedgerEntry, MessageState, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// A message and where it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageView {
    /// Its id.
    #[schema(format = "uuid", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b")]
    id: String,
    /// `queued`, `delayed`, `sending`, `sent`, `delivered`, `read`, `failed`, `expired`, `uncertain` or `cancelled`.
    #[schema(example = "delivered")]
    state: &'static str,
    /// WhatsApp's id of it.
    #[schema(example = "3EB0C767D26A1F4B8A")]
    message_id: String,
    /// The session that sends it; for a pool's message none before the first attempt.
    #[schema(example = "toko-1")]
    session: Option<String>,
    /// The recipient's number, masked.
    #[schema(example = "6281…90")]
    to: String,
    /// `otp` or `bulk`.
    #[schema(example = "otp")]
    lane: &'static str,
    /// How often it was put on the wire.
    #[schema(example = 1)]
    attempts: u32,
    /// Why it failed or waits.
    reason: Option<&'static str>,
    /// WhatsApp's code that led to the reason.
    code: Option<u16>,
    /// Its deadline.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was taken.
    #[schema(format = DateTime)]
    enqueued_at: String,
    /// Not before this moment, while it is delayed.
    #[schema(format = DateTime)]
    not_before: Option<String>,
    /// When WhatsApp's server took it.
    #[schema(format = DateTime)]
    sent_at: Option<String>,
    /// When the phone had it.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
    /// When it was read.
    #[schema(format = DateTime)]
    read_at: Option<String>,
    /// When it failed, expired, became uncertain or was cancelled.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The caller's own words.
    metadata: BTreeMap<String, String>,
    /// The batch that it was asked for in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uuid")]
    batch: Option<String>,
    /// How it came to stand there, the first step first; not in lists. Of a message that was put off very often the first step
    /// and the newest ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<StepView>>,
}

/// One step of a message.
#[derive(Serialize, ToSchema)]
#[schema(as = Step)]
struct StepView {
    /// Where it came to stand.
    #[schema(example = "sent")]
    state: &'static str,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Why, where there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// WhatsApp's code that led to the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

impl StepView {
    fn of(step: &HistoryStep) -> Self {
        Self {
            state: step.state.as_str(),
            at: step.at.to_rfc3339(),
            reason: step.reason.map(FailReason::as_str),
            code: step.code,
        }
    }
}

/// The steps of a message. An entry of before there were histories has the moments of its last steps only.
pub(in crate::gateway) fn steps(entry: &LedgerEntry) -> Vec<HistoryStep> {
    if !entry.history.steps().is_empty() {
        return entry.history.steps().to_vec();
    }
    let moments = [
        (MessageState::Queued, Some(entry.enqueued_at)),
        (MessageState::Sending, entry.sending_at),
        (MessageState::Sent, entry.sent_at),
        (MessageState::Delivered, entry.delivered_at),
        (MessageState::Read, entry.read_at),
        (entry.state, entry.ended_at),
    ];
    let known = moments.into_iter().filter_map(|(state, at)| Some((state, at?)));
    known
        .map(|(state, at)| {
            let newest = state == entry.state;
            let (reason, code) = (entry.reason.filter(|_| newest), entry.code.filter(|_| newest));
            HistoryStep { state, at, reason, code }
        })
        .collect()
}

impl MessageView {
    /// With its history.
    pub fn of(entry: LedgerEntry) -> Self {
        let history = steps(&entry).iter().map(StepView::of).collect();
        Self { history: Some(history), ..Self::brief(entry) }
    }

    /// Without its history, for lists.
    pub fn brief(entry: LedgerEntry) -> Self {
        let moment = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        Self {
            id: entry.key.job.to_string(),
            state: entry.state.as_str(),
            message_id: entry.message_id.to_string(),
            session: entry.session.map(|session| session.to_string()),
            to: entry.recipient,
            lane: entry.lane.as_str(),
            attempts: entry.attempts,
            reason: entry.reason.map(FailReason::as_str),
            code: entry.code,
            expires_at: moment(entry.expires_at),
            enqueued_at: entry.enqueued_at.to_rfc3339(),
            not_before: moment(entry.not_before),
            sent_at: moment(entry.sent_at),
            delivered_at: moment(entry.delivered_at),
            read_at: moment(entry.read_at),
            ended_at: moment(entry.ended_at),
            metadata: entry.metadata,
            batch: entry.batch.map(|batch| batch.to_string()),
            history: None,
        }
    }
}
