//! `/admin/webhooks`: the tenant's webhooks, and what was delivered to each.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use kurir_core::domain::{KindChoice, SessionId, Timestamp, Webhook, WebhookId};
use maud::{Markup, html};
use serde::Deserialize;

use super::change::{Change, Nothing};
use super::guard::{MayChange, MayLook, SignedIn};
use super::page::{Frame, Section, done};
use super::refusal::Answer;
use super::webhook_log;
use super::webhook_words::{self as text, Words};
use super::words::{self, Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{NewWebhook, UseCaseError, WebhookChange};

/// For how long the old secret signs beside the new one.
const OVERLAP: Duration = Duration::from_hours(24);

const HERE: Section = Section::Webhooks;
const PATH: &str = "/admin/webhooks";

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(PATH, get(list).post(make))
        .route("/admin/webhooks/{id}", get(one).post(change))
        .route("/admin/webhooks/{id}/remove", get(ask_remove).post(remove))
        .route("/admin/webhooks/{id}/rotate", get(ask_rotate).post(rotate))
        .route("/admin/webhooks/{id}/test", post(test))
        .route("/admin/webhooks/{id}/enable", post(enable))
        .route("/admin/webhooks/{id}/disable", post(disable))
        .merge(webhook_log::routes())
}

/// What can't be a webhook's id is the id of no webhook.
pub(super) fn named(id: &str) -> Result<WebhookId, UseCaseError> {
    WebhookId::new(id).map_err(|_| UseCaseError::NotFound { what: "webhook", field: None })
}

/// A webhook's address. It may hold a password or a token, so who may only look sees whom it leads to.
fn address(webhook: &Webhook, signed_in: &SignedIn) -> String {
    let url = webhook.settings.url.expose();
    if signed_in.may_change() {
        return url.clone();
    }
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{}/…", host.rsplit('@').next().unwrap_or_default())
}

/// How a webhook is called in lists: its label, or its address's beginning.
pub(super) fn name(webhook: &Webhook) -> &str {
    let label = webhook.settings.label.as_str();
    if label.is_empty() { webhook.id.as_str() } else { label }
}

fn standing(webhook: &Webhook, words: &Words) -> Markup {
    let health = &webhook.health;
    html! {
        @if let Some((reason, since)) = health.disabled {
            span .badge.bad { (words.disabled) }
            " " (words.reason(reason)) " " (moment(since))
        } @else if health.failures > 0 {
            span .badge.wait { (words.failing) }
            " " (health.failures) " " (words.failures)
            @if let Some(since) = health.failing_since { ", " (words.since) " " (moment(since)) }
        } @else {
            span .badge.good { (words.told) }
        }
    }
}

async fn list(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, frame: Frame) -> Answer {
    let webhooks = app.cases.webhooks(signed_in.tenant()).await?;
    let language = frame.language();
    let words = text::of(language);
    let body = html! {
        div .wide tabindex="0" role="region" aria-label=(words.title) {
            table {
                caption { (words.title) }
                thead { tr {
                    @for head in [words.label, words.url, words.types, words.state] { th scope="col" { (head) } }
                } }
                tbody {
                    @for webhook in &webhooks {
                        tr {
                            th scope="row" { a href=(format!("{PATH}/{}", webhook.id)) { (name(webhook)) } }
                            td { code { (address(webhook, &signed_in)) } }
                            td { (webhook.settings.types.words().collect::<Vec<_>>().join(" ")) }
                            td { (standing(webhook, words)) }
                        }
                    }
                }
            }
        }
        @if webhooks.is_empty() { p .faint { (words::of(language).none) } }
        @if signed_in.may_change() {
            h2 { (words.add) }
            (form(PATH, &signed_in, words, None, words.add))
        }
    };
    Ok(frame.page(&signed_in, HERE, words.title, &body))
}

/// The form for a new webhook, or for the settings of one.
fn form(action: &str, signed_in: &SignedIn, words: &Words, of: Option<&Webhook>, verb: &str) -> Markup {
    let settings = of.map(|webhook| &webhook.settings);
    let types =
        settings.map_or_else(|| "*".to_owned(), |settings| settings.types.words().collect::<Vec<_>>().join(" "));
    let sessions = settings.and_then(|settings| settings.sessions.as_ref());
    let sessions = sessions.map(|all| all.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" "));
    html! {
        form .fields method="post" action=(action) {
            (signed_in.csrf_field())
            label {
                (words.url)
                input name="url" type="url" maxlength="2048" required
                    value=[settings.map(|settings| settings.url.expose().as_str())];
            }
            label {
                (words.label)
                input name="label" maxlength="200" value=[settings.map(|settings| settings.label.as_str())];
            }
            label { (words.types) small { (words.types_hint) } input name="types" value=(types); }
            label { (words.sessions) small { (words.sessions_hint) } input name="sessions" value=[sessions]; }
            div { button type="submit" { (verb) } }
        }
    }
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    url: String,
    #[serde(default)]
    label: String,
    types: Option<String>,
    sessions: Option<String>,
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',', '\n', '\t']).filter(|part| !part.is_empty())
}

impl Settings {
    fn types(&self) -> Result<KindChoice, UseCaseError> {
        let Some(types) = &self.types else { return Ok(KindChoice::all()) };
        KindChoice::new(parts(types)).map_err(|error| UseCaseError::field("types", error.to_string()))
    }

    fn sessions(&self) -> Result<Option<BTreeSet<SessionId>>, UseCaseError> {
        let id = |id| SessionId::new(id).map_err(|error| UseCaseError::field("sessions", error.to_string()));
        self.sessions.as_deref().map(|ids| parts(ids).map(id).collect()).transpose()
    }
}

async fn make(State(app): State<Arc<App>>, frame: Frame, Change(signed_in, form): Change<Settings>) -> Answer {
    let (types, sessions) = (form.types()?, form.sessions()?);
    let new = NewWebhook { url: form.url, label: form.label, types, sessions };
    let webhook = app.cases.create_webhook(signed_in.tenant(), new).await?;
    Ok(secret_shown(&frame, &signed_in, &webhook))
}

/// The page with a webhook's secret, this once.
fn secret_shown(frame: &Frame, signed_in: &SignedIn, webhook: &Webhook) -> Response {
    let words = text::of(frame.language());
    let body = html! {
        p .notice role="status" { (words.once) }
        p { strong { (name(webhook)) } }
        p { code id="secret" { (webhook.settings.secret.expose()) } }
        p { a href=(format!("{PATH}/{}", webhook.id)) { (words::of(frame.language()).back) } }
    };
    frame.page(signed_in, HERE, words.secret, &body)
}

async fn one(State(app): State<Arc<App>>, MayLook(signed_in): MayLook, Path(id): Path<String>, frame: Frame) -> Answer {
    let id = named(&id)?;
    let webhook = app.cases.webhook(signed_in.tenant(), &id).await?;
    let (words, now) = (text::of(frame.language()), app.clock.now());
    let log = webhook_log::table(&app, &signed_in, &webhook, None, frame.language()).await?;
    let body = html! {
        (facts(&webhook, &signed_in, words, now))
        @if signed_in.may_change() {
            (orders(&webhook, &signed_in, words))
            h2 { (words.settings) }
            (form(&format!("{PATH}/{id}"), &signed_in, words, Some(&webhook), words.save))
            h2 { (words.replay) }
            (webhook_log::replay_form(&webhook, &signed_in, words))
        }
        h2 { (words.deliveries) }
        div data-live="webhooks messages sessions" data-src=(format!("{PATH}/{id}/deliveries")) { (log) }
    };
    Ok(frame.page(&signed_in, HERE, name(&webhook), &body))
}

fn facts(webhook: &Webhook, signed_in: &SignedIn, words: &Words, now: Timestamp) -> Markup {
    let settings = &webhook.settings;
    let old = settings.old_secret.as_ref().map(|old| old.until).filter(|until| now < *until);
    html! {
        dl .facts {
            dt { (words.url) } dd { code { (address(webhook, signed_in)) } }
            dt { (words.state) } dd { (standing(webhook, words)) }
            dt { (words.types) } dd { (settings.types.words().collect::<Vec<_>>().join(" ")) }
            dt { (words.sessions) }
            dd {
                @match &settings.sessions {
                    None => (words.all),
                    Some(sessions) => (sessions.iter().map(SessionId::as_str).collect::<Vec<_>>().join(" ")),
                }
            }
            @if let Some(until) = old { dt { (words.old_secret) } dd { (moment(until)) } }
            dt { (words.made) } dd { (moment(webhook.created_at)) }
        }
    }
}

fn orders(webhook: &Webhook, signed_in: &SignedIn, words: &Words) -> Markup {
    let at = |verb: &str| format!("{PATH}/{}/{verb}", webhook.id);
    let disabled = webhook.health.disabled.is_some();
    let (verb, word) = if disabled { ("enable", words.enable) } else { ("disable", words.disable) };
    html! {
        div .actions {
            @if !disabled {
                form method="post" action=(at("test")) { (signed_in.csrf_field()) button type="submit" { (words.test) } }
            }
            form method="post" action=(at(verb)) { (signed_in.csrf_field()) button .quiet type="submit" { (word) } }
            a .button.quiet href=(at("rotate")) { (words.rotate) }
            a .button.danger href=(at("remove")) { (words.remove) }
        }
    }
}

async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(signed_in, form): Change<Settings>,
) -> Answer {
    let (types, sessions) = (form.types()?, form.sessions()?);
    let change = WebhookChange {
        url: Some(form.url),
        label: Some(form.label),
        types: Some(types),
        sessions: Some(sessions),
        enabled: None,
    };
    let id = named(&id)?;
    app.cases.change_webhook(signed_in.tenant(), &id, change).await?;
    Ok(done(&format!("{PATH}/{id}"), Notice::Saved))
}

async fn ask(app: &App, signed_in: &SignedIn, frame: &Frame, id: &str, remove: bool) -> Answer {
    let (language, id) = (frame.language(), named(id)?);
    let words = text::of(language);
    let webhook = app.cases.webhook(signed_in.tenant(), &id).await?;
    let (verb, word, question) =
        if remove { ("remove", words.remove, words.remove_ask) } else { ("rotate", words.rotate, words.rotate_ask) };
    let body = html! {
        p { strong { (name(&webhook)) } " " code { (address(&webhook, signed_in)) } }
        p { (question) }
        form .actions method="post" action=(format!("{PATH}/{id}/{verb}")) {
            (signed_in.csrf_field())
            button .danger type="submit" { (word) }
            a href=(format!("{PATH}/{id}")) { (words::of(language).cancel) }
        }
    };
    Ok(frame.page(signed_in, HERE, word, &body))
}

type Asked = (State<Arc<App>>, MayChange, Path<String>, Frame);

async fn ask_remove((State(app), MayChange(signed_in), Path(id), frame): Asked) -> Answer {
    ask(&app, &signed_in, &frame, &id, true).await
}

async fn ask_rotate((State(app), MayChange(signed_in), Path(id), frame): Asked) -> Answer {
    ask(&app, &signed_in, &frame, &id, false).await
}

async fn remove(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(by, Nothing {}): Change<Nothing>,
) -> Answer {
    app.cases.remove_webhook(by.tenant(), &named(&id)?).await?;
    Ok(done(PATH, Notice::Removed))
}

async fn rotate(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    frame: Frame,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let webhook = app.cases.rotate_webhook(signed_in.tenant(), &named(&id)?, OVERLAP).await?;
    Ok(secret_shown(&frame, &signed_in, &webhook))
}

async fn test(State(app): State<Arc<App>>, Path(id): Path<String>, Change(by, Nothing {}): Change<Nothing>) -> Answer {
    let id = named(&id)?;
    app.cases.test_webhook(by.tenant(), &id).await?;
    Ok(done(&format!("{PATH}/{id}"), Notice::Tried))
}

async fn switch(app: &App, by: &SignedIn, id: &str, enabled: bool) -> Answer {
    let id = named(id)?;
    let change = WebhookChange { enabled: Some(enabled), ..WebhookChange::default() };
    app.cases.change_webhook(by.tenant(), &id, change).await?;
    Ok(done(&format!("{PATH}/{id}"), Notice::Saved))
}

async fn enable(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(by, Nothing {}): Change<Nothing>,
) -> Answer {
    switch(&app, &by, &id, true).await
}

async fn disable(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(by, Nothing {}): Change<Nothing>,
) -> Answer {
    switch(&app, &by, &id, false).await
}
