//! What can be done with a session from its page, but for what ends something.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use kurir_core::domain::{SessionId, SessionRecord, TenantId};
use maud::{Markup, html};
use serde::Deserialize;

use super::problems::Problem;
use super::words::Words;
use super::{back_to, called, named, one, own_limits, path};
use crate::gateway::admin::change::Change;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words::Notice;
use crate::gateway::app::App;
use crate::gateway::usecase::{Order, SessionChange, UseCaseError};

/// Most pools that are proposed.
const PROPOSED: u32 = 200;

/// What somebody wants.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Wish {
    Start,
    Stop,
    Restart,
    Default,
    Name { name: Option<String> },
    Labels { labels: Option<String> },
    Pool { pool: Option<String> },
    Move { worker: Option<String> },
    Limits(own_limits::Typed),
}

/// What stands in the fields.
pub(super) struct Typed {
    name: String,
    labels: String,
    pool: String,
    limits: own_limits::Typed,
}

impl Typed {
    /// As the session is.
    pub fn of(record: &SessionRecord) -> Self {
        let labels = record.labels.as_map().iter().map(|(key, value)| format!("{key}: {value}"));
        Self {
            name: record.name.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
            labels: labels.collect::<Vec<_>>().join("\n"),
            pool: record.pool.as_ref().map(ToString::to_string).unwrap_or_default(),
            limits: own_limits::Typed::of(&record.limits),
        }
    }

    /// With what somebody typed.
    fn with(self, wish: &Wish) -> Self {
        match wish {
            Wish::Name { name } => Self { name: name.clone().unwrap_or_default(), ..self },
            Wish::Labels { labels } => Self { labels: labels.clone().unwrap_or_default(), ..self },
            Wish::Pool { pool } => Self { pool: pool.clone().unwrap_or_default(), ..self },
            Wish::Limits(limits) => Self { limits: limits.clone(), ..self },
            Wish::Start | Wish::Stop | Wish::Restart | Wish::Default | Wish::Move { .. } => self,
        }
    }
}

/// Does it, and goes back to the session's page; what is refused is told there, beside what was typed.
pub(super) async fn act(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    reader: Reader,
    Change(signed_in, wish): Change<Wish>,
) -> Answer {
    let id = named(&id)?;
    let record = app.cases.session(signed_in.tenant(), &id).await?;
    let typed = Typed::of(&record).with(&wish);
    let language = reader.language();
    let problem = match carry_out(&app, signed_in.tenant(), &record, wish).await {
        Ok(notice) => return Ok(back_to(&id, notice)),
        Err(NotDone::Labels) => Problem::form(language.of_two(
            "Label: tulis satu per baris sebagai kunci: nilai, setiap kunci satu kali.",
            "Labels: write one a line as key: value, each key once.",
        )),
        Err(NotDone::Limit(field)) => Problem::form(own_limits::refused(language, field).unwrap_or(field)),
        Err(NotDone::Refused(UseCaseError::NotFound { .. })) => return Err(Refused::NoSuchPage),
        Err(NotDone::Refused(error)) => Problem::of(language, error),
    };
    one::whole(&app, &reader, &record, &typed, Some(problem)).await
}

/// Why a wish was not carried out.
enum NotDone {
    /// What was typed is no list of labels.
    Labels,
    /// A limit is no number.
    Limit(&'static str),
    Refused(UseCaseError),
}

impl From<UseCaseError> for NotDone {
    fn from(error: UseCaseError) -> Self {
        Self::Refused(error)
    }
}

async fn carry_out(app: &App, tenant: &TenantId, record: &SessionRecord, wish: Wish) -> Result<Notice, NotDone> {
    let (cases, id) = (&app.cases, &record.id);
    let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
    Ok(match wish {
        Wish::Start => ordered(app, tenant, id, Order::Start).await?,
        Wish::Stop => ordered(app, tenant, id, Order::Stop).await?,
        Wish::Restart => ordered(app, tenant, id, Order::Restart).await?,
        Wish::Default => {
            cases.set_default(tenant, Some(id)).await?;
            Notice::Saved
        }
        Wish::Name { name } => {
            let change = SessionChange { name: Some(trimmed(name)), ..SessionChange::default() };
            cases.describe_session(tenant, id, change).await?;
            Notice::Saved
        }
        Wish::Labels { labels } => {
            let labels = changed(record, &labels.unwrap_or_default()).ok_or(NotDone::Labels)?;
            cases.describe_session(tenant, id, SessionChange { name: None, labels }).await?;
            Notice::Saved
        }
        Wish::Pool { pool } => {
            cases.join_pool(tenant, id, trimmed(pool).as_deref()).await?;
            Notice::Saved
        }
        Wish::Limits(typed) => {
            cases.limit_session(tenant, id, &typed.read().map_err(NotDone::Limit)?).await?;
            Notice::Saved
        }
        Wish::Move { worker } => {
            cases.move_session(tenant, id, trimmed(worker).as_deref()).await?;
            Notice::Moved
        }
    })
}

async fn ordered(app: &App, tenant: &TenantId, id: &SessionId, order: Order) -> Result<Notice, UseCaseError> {
    app.cases.order(tenant, id, order).await?;
    Ok(Notice::Told)
}

/// From the labels that a session has to those of a text with one a line; `None`: the text is no such thing.
fn changed(record: &SessionRecord, text: &str) -> Option<BTreeMap<String, Option<String>>> {
    let mut change: BTreeMap<String, Option<String>> =
        record.labels.as_map().keys().map(|key| (key.clone(), None)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once([':', '='])?;
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        if !seen.insert(key.clone()) {
            return None;
        }
        change.insert(key, Some(value));
    }
    Some(change)
}

/// The forms of a session's page.
pub(super) async fn forms(
    app: &App,
    reader: &Reader,
    words: &Words,
    record: &SessionRecord,
    typed: &Typed,
) -> Result<Markup, Refused> {
    let pools = app.cases.pools(reader.tenant(), None, PROPOSED).await?.pools;
    let is_default = app.cases.default_session(reader.tenant()).await?.as_ref() == Some(&record.id);
    let form = |order: &str, fields: Markup| {
        html! {
            form .fields .card method="post" action=(path(&record.id)) {
                (reader.signed_in.csrf_field())
                input type="hidden" name="do" value=(order);
                (fields)
            }
        }
    };
    let save = |word: &str| html! { div { button .quiet type="submit" { (word) } } };
    let relocate = relocate(app, words).await;
    Ok(html! {
        div .forms {
            (form("name", html! {
                label { (words.name) input name="name" maxlength="100" value=(typed.name) autocomplete="off"; }
                (save(words.save_name))
            }))
            (form("labels", html! {
                label { (words.labels) textarea name="labels" rows="4" aria-describedby="labels-hint" { (typed.labels) } }
                small #labels-hint .faint { (words.labels_hint) }
                (save(words.save_labels))
            }))
            (form("pool", html! {
                label {
                    (words.pool)
                    input name="pool" maxlength="64" value=(typed.pool) list="pools" autocomplete="off" aria-describedby="pool-hint";
                }
                datalist #pools { @for pool in &pools { option value=(pool.id.as_str()) {} } }
                small #pool-hint .faint { (words.pool_hint) }
                (save(words.save_pool))
            }))
            (form("limits", html! {
                (own_limits::fields(reader.language(), &app.cases, &typed.limits))
                (save(words.save_limits))
            }))
            (form("move", html! { (relocate) (save(words.move_to)) }))
            @if is_default {
                p .card { (words.is_default) }
            } @else {
                (form("default", html! { p { (words.default_hint) } (save(words.make_default)) }))
            }
        }
        p { a .button .danger href=(format!("{}/delete", path(&record.id))) { (words.delete) span .hidden { " " (called(record)) } } }
    })
}

/// The choice of a worker among those that live and stay.
async fn relocate(app: &App, words: &Words) -> Markup {
    // While nobody can tell who lives there is still "any".
    let mut workers = app.cases.living_workers().await.unwrap_or_default();
    workers.retain(|beat| !beat.leaving);
    workers.dedup_by(|one, other| one.worker == other.worker);
    html! {
        label {
            (words.worker)
            select name="worker" aria-describedby="move-hint" {
                option value="" { (words.any_worker) }
                @for beat in &workers {
                    option value=(beat.worker.as_str()) {
                        (beat.worker.as_str()) " (" (beat.held) "/" (beat.capacity) " " (words.holds_sessions) ")"
                    }
                }
            }
        }
        small #move-hint .faint { (words.move_hint) }
    }
}
