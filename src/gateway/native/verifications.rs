//! `/v1/verifications`

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{CodeAlphabet, Secret, Timestamp, Verification, VerificationId, VerificationStatus};
use kurir_core::port::VerificationFilter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead, MaySend};
use super::error::ApiError;
use super::paging::{self, Pages};
use super::problem::{Problem, Problems};
use super::sessions::ended_early;
use super::{App, Routes, body};
use crate::gateway::usecase::{FallbackWish, Sent, TextWish, UseCaseError, Wish};

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(create, list))
        .routes(routes!(check_number))
        .routes(routes!(one))
        .routes(routes!(check))
        .routes(routes!(resend))
        .routes(routes!(cancel))
}

/// A channel to fall back to: exactly one of `session`, `pool` and `webhook`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Fallback {
    /// This session.
    #[serde(default)]
    session: Option<String>,
    /// Any session of this pool.
    #[serde(default)]
    pool: Option<String>,
    /// A server of the caller's, which has somebody else send the code. It gets a signed request with the number and the text.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    webhook: Option<Secret<String>>,
    /// How long the channel before it has, in seconds.
    #[serde(default)]
    after: Option<u32>,
}

/// A code to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewVerification)]
struct Create {
    /// The number, as people write it.
    #[schema(example = "+62 812-3456-7890")]
    to: String,
    /// The session that is to send the code; without this and `pool` the default session.
    #[serde(default)]
    #[schema(example = "toko-1")]
    session: Option<String>,
    /// The pool of which any session may send it.
    #[serde(default)]
    #[schema(example = json!(null))]
    pool: Option<String>,
    /// Its characters, 4 to 10.
    #[serde(default)]
    #[schema(example = 6)]
    code_length: Option<u32>,
    /// `digits` or `letters`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "digits")]
    alphabet: Option<CodeAlphabet>,
    /// How long it is good, in seconds: 30 to 86400.
    #[serde(default)]
    #[schema(example = 600)]
    ttl: Option<u32>,
    /// What the message says, with `{code}` where the code goes.
    #[serde(default)]
    #[schema(example = "Kode Toko: {code}")]
    text: Option<String>,
    /// The name of a template for the message, of which `{code}` is the only placeholder. Without it and `text` the template
    /// `otp`: one of the tenant's own in the language that is asked for, else the one that kurir brings along.
    #[serde(default)]
    #[schema(example = json!(null))]
    template: Option<String>,
    /// The language of a template's text, a BCP 47 tag. kurir's own are in `id` and `en`.
    #[serde(default)]
    #[schema(example = json!(null))]
    locale: Option<String>,
    /// The address that asked the caller for the code, for the limit per address.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = json!(null))]
    ip: Option<IpAddr>,
    /// What is used when a channel does not deliver, in this order; at most five.
    #[serde(default)]
    #[schema(example = json!([]))]
    fallback: Vec<Fallback>,
    /// The caller's own words, repeated in every event: at most 16 of them.
    #[serde(default)]
    #[schema(example = json!({"order": "77"}))]
    metadata: BTreeMap<String, String>,
}

/// A verification and where it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification)]
pub(super) struct VerificationView {
    /// Its id.
    #[schema(format = "uuid", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")]
    id: String,
    /// `pending`, `approved`, `expired`, `max_attempts_reached` or `canceled`.
    #[schema(example = "pending")]
    status: &'static str,
    /// The number, masked.
    #[schema(example = "6281…90")]
    to: String,
    /// The present channel: `session`, `pool` or `webhook`.
    #[schema(example = "session")]
    channel: &'static str,
    /// The session's or the pool's name.
    #[schema(example = "toko-1")]
    name: Option<String>,
    /// The message that carries the code, if it is one of ours.
    #[schema(format = "uuid", example = "5a1c8a32-94b4-5e7f-8a6b-7c8d9e0f1a2b")]
    message: Option<String>,
    /// How often the code was asked to be sent.
    #[schema(example = 1)]
    sends: u32,
    /// At most so often.
    #[schema(example = 5)]
    max_sends: u32,
    /// How often a code was given back.
    #[schema(example = 0)]
    checks: u32,
    /// At most so often.
    #[schema(example = 5)]
    max_checks: u32,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it is too late.
    #[schema(format = DateTime)]
    expires_at: String,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
    /// The caller's own words.
    metadata: BTreeMap<String, String>,
}

impl VerificationView {
    fn of(of: Verification) -> Self {
        let channel = of.channel().map(|hop| hop.channel.clone());
        let ours = channel.as_ref().is_some_and(|channel| channel.target().is_some());
        Self {
            id: of.id.to_string(),
            status: of.status.as_str(),
            to: of.to.masked(),
            channel: channel.as_ref().map_or("", |channel| channel.as_str()),
            name: channel.as_ref().and_then(|channel| channel.name()).map(str::to_owned),
            message: ours.then(|| of.job().to_string()),
            sends: of.sends,
            max_sends: of.max_sends,
            checks: of.checks,
            max_checks: of.max_checks,
            created_at: of.created_at.to_rfc3339(),
            expires_at: of.expires_at.to_rfc3339(),
            ended_at: of.ended_at.map(Timestamp::to_rfc3339),
            metadata: of.metadata,
        }
    }
}

/// What a comparison came to.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationCheck)]
struct CheckView {
    /// Whether it was the code, and the verification is approved by it. A code is good once.
    #[schema(example = true)]
    valid: bool,
    /// The verification.
    #[serde(flatten)]
    verification: VerificationView,
}

/// A code that was given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// As the person wrote it; spaces, hyphens and small letters do not matter.
    #[schema(value_type = String, example = "493817")]
    code: Secret<String>,
}

/// A code that was given back for a number.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckNumber {
    /// The number; its newest verification is meant.
    #[schema(example = "+62 812-3456-7890")]
    to: String,
    /// As the person wrote it.
    #[schema(value_type = String, example = "493817")]
    code: Secret<String>,
}

/// One sending more.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resend {
    /// The address that asked the caller for it, for the limit per address.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    ip: Option<IpAddr>,
}

const NONE: UseCaseError = UseCaseError::NotFound { what: "verification", field: None };

/// What can't be a verification's id is the id of no verification.
fn named(id: &str) -> Result<VerificationId, UseCaseError> {
    uuid::Uuid::parse_str(id).map(VerificationId::new).map_err(|_| NONE)
}

/// A verification that the key is good for.
async fn own(app: &App, caller: &Caller, id: &str) -> Result<Verification, ApiError> {
    covered(caller, app.cases.one_verification(caller.tenant(), named(id)?).await?)
}

fn covered(caller: &Caller, found: Verification) -> Result<Verification, ApiError> {
    if caller.covers_verification(&found) { Ok(found) } else { Err(NONE.into()) }
}

/// Send a code. An open verification to the same number is sent again instead, with the same code, text, deadline and channels:
/// of the new request only `ip` counts then. Where the only channel can't take the message (`queue_full`, `not_queued`,
/// `not_found`), the verification is `canceled` and that is the answer; with a fallback the next channel is used.
#[utoipa::path(post, path = "/v1/verifications", tag = "verifications", operation_id = "createVerification",
    request_body(content = Create, examples(
        ("plain" = (summary = "By one session", value = json!({"to": "+62 812-3456-7890", "session": "toko-1", "locale": "id"}))),
        ("fallback" = (summary = "With another way to the phone", value = json!({
            "to": "+62 812-3456-7890", "session": "toko-1", "text": "Kode Toko: {code}", "ip": "203.0.113.7",
            "fallback": [{"webhook": "https://sms.example.com/kurir", "after": 45}], "metadata": {"order": "77"}
        }))),
        ("template" = (summary = "In the text of a template", value = json!({"to": "+62 812-3456-7890", "session": "toko-1", "template": "otp", "locale": "id"})))
    )),
    responses(
        (status = 201, description = "It is made and on its way; its place stands in `Location`", body = VerificationView),
        (status = 200, description = "One was open: its code was sent again", body = VerificationView),
        (status = 403, description = "`country_not_allowed`, `prefix_blocked`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`max_send_attempts_reached`, `resend_too_soon`, `recipient_limit_reached`, `prefix_limit_reached`, `country_limit_reached`, `ip_limit_reached`: `Retry-After` says when", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn create(State(app): State<Arc<App>>, MaySend(caller): MaySend, request: Request) -> Result<Response, ApiError> {
    let Create { to, session, pool, code_length, alphabet, ttl, text, template, locale, ip, fallback, metadata } =
        body::read(request, app.body_limit).await?;
    let session = match (session, &pool) {
        (None, None) => app.cases.default_session(caller.tenant()).await?.map(|session| session.to_string()),
        (session, _) => session,
    };
    let fallback = fallback.into_iter().map(|next| FallbackWish {
        session: next.session,
        pool: next.pool,
        webhook: next.webhook,
        after: next.after,
    });
    let fallback = fallback.collect();
    let text = TextWish { text, template, locale };
    let wish = Wish { to, session, pool, code_length, alphabet, ttl, text, ip, fallback, metadata };
    let number = wish.to.clone();
    let new = app.cases.verification_wish(caller.tenant(), wish).await?;
    for (at, channel) in new.channels().enumerate() {
        let field = if at == 0 { channel.as_str() } else { "fallback" };
        caller.covers_channel(channel).map_err(|error| error.field(field))?;
    }
    if caller.key().sessions.is_some()
        && let Ok(open) = app.cases.verification_to(caller.tenant(), &number).await
        && open.status.is_open()
    {
        // It is to be sent through other sessions than this key is good for.
        covered(&caller, open)?;
    }
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
    // In a task of its own: between the verification and its message nothing may stop because a caller hangs up.
    let done = app.tasks.spawn(async move { cases.verify(&tenant, new).await });
    let (status, of) = match done.await.map_err(|_| ended_early())?? {
        Sent::New(of) => (StatusCode::CREATED, of),
        Sent::Again(of) => (StatusCode::OK, of),
    };
    let place = format!("/v1/verifications/{}", of.id);
    let mut response = (status, Json(VerificationView::of(of))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many at most, up to 200; 50 without it.
    #[serde(default)]
    #[param(example = 50)]
    limit: Option<u32>,
    /// Those older than this id: the `next` of the page before.
    #[serde(default)]
    before: Option<String>,
    /// Of this status.
    #[serde(default)]
    #[param(example = "pending")]
    status: Option<String>,
    /// To this number.
    #[serde(default)]
    to: Option<String>,
}

/// A page of verifications.
#[derive(Serialize, ToSchema)]
struct VerificationList {
    /// The newest first.
    verifications: Vec<VerificationView>,
    /// The `before` of the next page, if there is one.
    next: Option<String>,
}

/// The verifications, a page at a time.
#[utoipa::path(get, path = "/v1/verifications", tag = "verifications", operation_id = "listVerifications", params(Page),
    responses((status = 200, description = "A page", body = VerificationList), Problems))]
async fn list(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<VerificationList>, ApiError> {
    let page = paging::query(page, "`limit`, a number, `before`, an id, `status` and `to`")?;
    let limit = Pages::USUAL.limit(page.limit)?;
    let before = paging::place("before", page.before.as_deref(), |before| named(before).map_err(|_| "is no id"))?;
    let status = page.status.as_deref().map(|status| {
        VerificationStatus::parse(status).ok_or_else(|| {
            let words: Vec<_> = VerificationStatus::ALL.iter().map(|status| status.as_str()).collect();
            UseCaseError::field("status", format!("must be one of {}", words.join(", ")))
        })
    });
    let filter = VerificationFilter { status: status.transpose()?, to: None };
    let to = page.to.as_deref().filter(|to| !to.is_empty());
    let page = app.cases.verifications(caller.tenant(), filter, to, before, limit).await?;
    let next = page.next.map(|id| id.to_string());
    let own = page.verifications.into_iter().filter(|of| caller.covers_verification(of));
    Ok(Json(VerificationList { verifications: own.map(VerificationView::of).collect(), next }))
}

/// One verification.
#[utoipa::path(get, path = "/v1/verifications/{id}", tag = "verifications", operation_id = "getVerification",
    params(("id" = String, Path, description = "The verification", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    responses((status = 200, description = "The verification", body = VerificationView), Problems))]
async fn one(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Json<VerificationView>, ApiError> {
    Ok(Json(VerificationView::of(own(&app, &caller, &id).await?)))
}

async fn compare(
    app: &App,
    caller: &Caller,
    of: Verification,
    code: &Secret<String>,
) -> Result<Json<CheckView>, ApiError> {
    let (of, valid) = app.cases.check_code(caller.tenant(), of.id, code).await?;
    Ok(Json(CheckView { valid, verification: VerificationView::of(of) }))
}

/// Compare a code with the one that was sent.
#[utoipa::path(post, path = "/v1/verifications/{id}/check", tag = "verifications", operation_id = "checkVerification",
    params(("id" = String, Path, description = "The verification", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    request_body = Check,
    responses((status = 200, description = "`valid` says whether it was right, `status` where the verification stands", body = CheckView), Problems))]
async fn check(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<CheckView>, ApiError> {
    let of = own(&app, &caller, &id).await?;
    let Check { code } = body::read(request, app.body_limit).await?;
    compare(&app, &caller, of, &code).await
}

/// Compare a code with the one that was sent to a number.
#[utoipa::path(post, path = "/v1/verifications/check", tag = "verifications", operation_id = "checkVerificationOfNumber",
    request_body = CheckNumber,
    responses((status = 200, description = "`valid` says whether it was right, `status` where the verification stands", body = CheckView), Problems))]
async fn check_number(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    request: Request,
) -> Result<Json<CheckView>, ApiError> {
    let CheckNumber { to, code } = body::read(request, app.body_limit).await?;
    let of = covered(&caller, app.cases.verification_to(caller.tenant(), &to).await?)?;
    compare(&app, &caller, of, &code).await
}

/// Send the same code again.
#[utoipa::path(post, path = "/v1/verifications/{id}/resend", tag = "verifications", operation_id = "resendVerification",
    params(("id" = String, Path, description = "The verification", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    request_body(content = Option<Resend>, example = json!({"ip": "203.0.113.7"})),
    responses(
        (status = 200, description = "It is on its way", body = VerificationView),
        (status = 409, description = "`verification_ended`: `state` says how", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`max_send_attempts_reached`, `resend_too_soon`, or a limit: `Retry-After` says when", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn resend(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<VerificationView>, ApiError> {
    let of = own(&app, &caller, &id).await?;
    let Resend { ip } = body::read_or_default(request, app.body_limit).await?;
    let (cases, tenant) = (app.cases.clone(), caller.tenant().clone());
    let done = app.tasks.spawn(async move { cases.resend(&tenant, of.id, ip).await });
    Ok(Json(VerificationView::of(done.await.map_err(|_| ended_early())??)))
}

/// Take a verification back: its code is good for nothing any more.
#[utoipa::path(post, path = "/v1/verifications/{id}/cancel", tag = "verifications", operation_id = "cancelVerification",
    params(("id" = String, Path, description = "The verification", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    responses(
        (status = 200, description = "It is canceled", body = VerificationView),
        (status = 409, description = "`verification_ended`: `state` says how", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn cancel(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
) -> Result<Json<VerificationView>, ApiError> {
    let of = own(&app, &caller, &id).await?;
    Ok(Json(VerificationView::of(app.cases.cancel_verification(caller.tenant(), of.id).await?)))
}
