//! `/v1/sessions/{id}/limits`: what a session may send, what is left of today, and its own limits.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use kurir_core::domain::{OwnLimits, SessionRecord};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::auth::{MayAdmin, MayRead};
use super::error::ApiError;
use super::problem::Problems;
use super::sessions::session_id;
use super::{App, Routes, body};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(look, set))
}

/// A session's own limits; what is `null` or left out is as the settings say.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OwnLimits)]
struct Own {
    /// One message per this many milliseconds, in the long run; 0: as fast as it goes.
    #[serde(default)]
    #[schema(example = 6000, maximum = 3_600_000)]
    every_ms: Option<u64>,
    /// As many at once after a pause.
    #[serde(default)]
    #[schema(value_type = Option<u32>, example = 3, minimum = 1, maximum = 10_000)]
    burst: Option<NonZeroU32>,
    /// At most this many messages in a day of the number's own time zone; 0: no such limit.
    #[serde(default)]
    #[schema(example = 300, maximum = 1_000_000)]
    per_day: Option<u32>,
    /// At most this many recipients a day for the first time; 0: no such limit.
    #[serde(default)]
    #[schema(example = 60, maximum = 1_000_000)]
    cold_per_day: Option<u32>,
    /// Whether its number is old enough to need no warm-up.
    #[serde(default)]
    #[schema(example = true)]
    warmed_up: Option<bool>,
}

impl From<OwnLimits> for Own {
    fn from(OwnLimits { every_ms, burst, per_day, cold_per_day, warmed_up }: OwnLimits) -> Self {
        Self { every_ms, burst, per_day, cold_per_day, warmed_up }
    }
}

impl From<Own> for OwnLimits {
    fn from(Own { every_ms, burst, per_day, cold_per_day, warmed_up }: Own) -> Self {
        Self { every_ms, burst, per_day, cold_per_day, warmed_up }
    }
}

/// What a session may send. The counts are as of its last message.
#[derive(Serialize, ToSchema)]
#[schema(as = SessionLimits)]
struct LimitsView {
    /// Its own limits.
    own: Own,
    /// One message per this many milliseconds, in the long run.
    #[schema(example = 6000)]
    every_ms: u64,
    /// As many at once after a pause.
    #[schema(example = 3)]
    burst: u32,
    /// In which time zone its days are.
    #[schema(example = "Asia/Jakarta")]
    time_zone: String,
    /// When its next day begins.
    #[schema(example = "2026-11-21T17:00:00.000Z")]
    next_day: String,
    /// Today's cap on messages; `null`: none. The same in what follows.
    #[schema(example = 300)]
    cap: Option<u32>,
    /// Which day of its number's warm-up it is, when that sets the cap.
    #[schema(example = json!(null))]
    warm_up_day: Option<u32>,
    /// Today's one-time passwords.
    #[schema(example = 41)]
    otp_sent: u32,
    /// Today's bulk messages.
    #[schema(example = 12)]
    bulk_sent: u32,
    /// Messages that one-time passwords may still use.
    #[schema(example = 247)]
    otp_left: Option<u32>,
    /// Messages that bulk jobs may still use.
    #[schema(example = 228)]
    bulk_left: Option<u32>,
    /// Today's new recipients.
    #[schema(example = 9)]
    new_recipients: u32,
    /// New recipients that one-time passwords may still have.
    #[schema(example = 51)]
    new_otp_left: Option<u32>,
    /// New recipients that bulk jobs may still have.
    #[schema(example = 39)]
    new_bulk_left: Option<u32>,
    /// Until when it rests because WhatsApp demands it; `null`: it does not.
    #[schema(example = json!(null))]
    rests_until: Option<String>,
}

impl LimitsView {
    fn of(app: &App, record: &SessionRecord) -> Self {
        let standing = app.cases.standing(record, None);
        let day = standing.day;
        Self {
            own: record.limits.into(),
            every_ms: u64::try_from(standing.pace.every.as_millis()).unwrap_or(u64::MAX),
            burst: standing.pace.burst.get(),
            time_zone: day.zone.to_string(),
            next_day: day.next_day.to_rfc3339(),
            cap: day.left.cap,
            warm_up_day: day.warm_up,
            otp_sent: day.spent.otp,
            bulk_sent: day.spent.bulk,
            otp_left: day.left.otp,
            bulk_left: day.left.bulk,
            new_recipients: day.spent.cold(),
            new_otp_left: day.left.cold_otp,
            new_bulk_left: day.left.cold_bulk,
            rests_until: day.rest.map(|rest| rest.until.to_rfc3339()),
        }
    }
}

/// What a session may send, and what is left of today.
#[utoipa::path(get, path = "/v1/sessions/{id}/limits", tag = "sessions", operation_id = "getSessionLimits",
    params(("id" = String, Path, description = "The session", example = "toko-1")),
    responses((status = 200, description = "Its limits", body = LimitsView), Problems))]
async fn look(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Json<LimitsView>, ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let record = app.cases.session(caller.tenant(), &id).await?;
    Ok(Json(LimitsView::of(&app, &record)))
}

/// Give a session limits of its own, in the place of those that it had. Its worker goes by them within seconds; what was sent
/// today stays counted. It takes the scope `admin`, since limits protect the number.
#[utoipa::path(put, path = "/v1/sessions/{id}/limits", tag = "sessions", operation_id = "setSessionLimits",
    params(("id" = String, Path, description = "The session", example = "toko-1")), request_body = Own,
    responses((status = 200, description = "Its limits from now on", body = LimitsView), Problems))]
async fn set(
    State(app): State<Arc<App>>,
    MayAdmin(caller): MayAdmin,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<LimitsView>, ApiError> {
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let own: Own = body::read(request, app.body_limit).await?;
    let record = app.cases.limit_session(caller.tenant(), &id, &own.into()).await?;
    Ok(Json(LimitsView::of(&app, &record)))
}
