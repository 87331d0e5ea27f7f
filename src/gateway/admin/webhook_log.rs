//! What was delivered to a webhook, and delivering it again.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::routing::{get, post};
use kurir_core::domain::{Delivery, DeliveryId, DeliveryState, Timestamp, Webhook};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::change::{Change, Nothing};
use super::guard::{MayLook, SignedIn};
use super::language::Language;
use super::page::{Frame, Section, done};
use super::refusal::{Answer, Refused};
use super::webhook_words::{self as text, Words};
use super::webhooks::{name, named};
use super::words::{self, Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{Replay, UseCaseError};

/// Deliveries of one page.
const PAGE: u32 = 25;

const PATH: &str = "/admin/webhooks";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/webhooks/{id}/deliveries", get(part))
        .route("/admin/webhooks/{id}/deliveries/{delivery}/retry", post(retry))
        .route("/admin/webhooks/{id}/replay", post(replay))
}

#[derive(Deserialize)]
struct Page {
    before: Option<Uuid>,
}

/// The deliveries alone, for a page that is open.
async fn part(
    State(app): State<Arc<App>>,
    MayLook(signed_in): MayLook,
    Path(id): Path<String>,
    page: Result<Query<Page>, QueryRejection>,
    frame: Frame,
) -> Answer {
    let webhook = app.cases.webhook(signed_in.tenant(), &named(&id)?).await?;
    let before = page?.0.before.map(DeliveryId);
    let log = table(&app, &signed_in, &webhook, before, frame.language()).await?;
    Ok(frame.part(&signed_in, Section::Webhooks, name(&webhook), log))
}

/// A page of deliveries, the latest first.
pub(super) async fn table(
    app: &App,
    signed_in: &SignedIn,
    webhook: &Webhook,
    before: Option<DeliveryId>,
    language: Language,
) -> Result<Markup, Refused> {
    let (found, next) = app.cases.deliveries(signed_in.tenant(), &webhook.id, before, PAGE).await?;
    let words = text::of(language);
    Ok(html! {
        div .wide tabindex="0" role="region" aria-label=(words.deliveries) {
            table {
                caption { (words.deliveries) }
                thead { tr {
                    @for head in [words.made, words.event, words.state, words.attempts] { th scope="col" { (head) } }
                    @if signed_in.may_change() { th scope="col" { (words::of(language).actions) } }
                } }
                tbody { @for delivery in &found { (row(delivery, webhook, signed_in, words)) } }
            }
        }
        @if found.is_empty() { p .faint { (words::of(language).none) } }
        @if let Some(next) = next {
            p { a href=(format!("{PATH}/{}/deliveries?before={}", webhook.id, next.0)) { (words::of(language).more) } }
        }
    })
}

fn row(delivery: &Delivery, webhook: &Webhook, signed_in: &SignedIn, words: &Words) -> Markup {
    let (state, class) = words.delivery(delivery.state);
    let retry = format!("{PATH}/{}/deliveries/{}/retry", webhook.id, delivery.id);
    html! {
        tr {
            td { (moment(delivery.created_at)) }
            th scope="row" { (delivery.kind) }
            td { span class=(class) { (state) } }
            td {
                @for attempt in &delivery.attempts {
                    div {
                        (moment(attempt.at)) " · "
                        @if let Some(status) = attempt.status { (status) " · " }
                        @if let Some(fault) = attempt.fault { (fault.as_str()) " · " }
                        (attempt.took_ms) " ms"
                    }
                }
            }
            @if signed_in.may_change() {
                td {
                    @if delivery.state != DeliveryState::Delivered && webhook.health.disabled.is_none() {
                        form method="post" action=(retry) {
                            (signed_in.csrf_field())
                            button .quiet type="submit" aria-label=(format!("{}: {}", words.again, delivery.kind)) {
                                (words.again)
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The form that has a span of time told again.
pub(super) fn replay_form(webhook: &Webhook, signed_in: &SignedIn, words: &Words) -> Markup {
    html! {
        form .search method="post" action=(format!("{PATH}/{}/replay", webhook.id)) {
            (signed_in.csrf_field())
            @for (name, word) in [("since", words.since), ("until", words.until)] {
                label {
                    (word) small { (words.replay_hint) }
                    input name=(name) type="datetime-local" required;
                }
            }
            button type="submit" { (words.replay) }
        }
    }
}

#[derive(Deserialize)]
struct Span {
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
}

/// A moment as a browser's field gives it (`2026-01-31T12:00`), taken as UTC.
fn moment_of(field: &'static str, text: &str) -> Result<Timestamp, UseCaseError> {
    let seconds = if text.len() == 16 { ":00" } else { "" };
    let wrong = "is a date and a time, like 2026-01-31T12:00";
    Timestamp::parse_rfc3339(&format!("{text}{seconds}Z")).ok_or_else(|| UseCaseError::field(field, wrong))
}

async fn replay(State(app): State<Arc<App>>, Path(id): Path<String>, Change(signed_in, span): Change<Span>) -> Answer {
    let id = named(&id)?;
    let since = moment_of("since", &span.since)?;
    let mut wish = Replay { since, until: moment_of("until", &span.until)?, types: None, after: None };
    let mut told = 0;
    loop {
        let part = app.cases.replay(signed_in.tenant(), &id, wish.clone()).await?;
        told += part.deliveries;
        let Some(next) = part.next else { break };
        wish.after = Some(next);
    }
    Ok(done(&format!("{PATH}/{id}"), if told == 0 { Notice::Unchanged } else { Notice::Again }))
}

async fn retry(
    State(app): State<Arc<App>>,
    Path((id, delivery)): Path<(String, Uuid)>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id = named(&id)?;
    app.cases.retry_delivery(signed_in.tenant(), &id, DeliveryId(delivery)).await?;
    Ok(done(&format!("{PATH}/{id}"), Notice::Retried))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_moment_is_read_as_utc() {
        let noon = Timestamp::parse_rfc3339("2026-01-31T12:00:00Z").unwrap();
        assert_eq!(moment_of("since", "2026-01-31T12:00").unwrap(), noon);
        assert_eq!(moment_of("since", "2026-01-31T12:00:00").unwrap(), noon);
        for wrong in ["", "yesterday", "2026-01-31", "2026-01-31T12:00Z"] {
            assert!(moment_of("since", wrong).is_err(), "{wrong:?}");
        }
    }
}
