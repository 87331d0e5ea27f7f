//! `/admin/add-session`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use maud::html;
use serde::Deserialize;

use super::back_to;
use super::problems::Problem;
use super::words;
use crate::gateway::admin::change::Change;
use crate::gateway::admin::page::Section;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words::{self as frame_words, Notice};
use crate::gateway::app::App;
use crate::gateway::usecase::{Create, UseCaseError};

/// A session to add; boxes that are not ticked are not there.
#[derive(Default, Deserialize)]
pub(super) struct New {
    id: Option<String>,
    name: Option<String>,
    pool: Option<String>,
    default: Option<String>,
    start: Option<String>,
}

/// The empty form.
pub(super) async fn form(reader: Reader) -> Answer {
    reader.may_change()?;
    // Whoever adds a session most likely wants to link it at once.
    let new = New { start: Some("yes".to_owned()), ..New::default() };
    Ok(page(&reader, &new, None))
}

fn page(reader: &Reader, new: &New, problem: Option<&Problem>) -> Response {
    let language = reader.language();
    let of_two = |id, en| language.of_two(id, en);
    let words = words::of(language);
    let body = html! {
        @if let Some(problem) = problem { p .problem role="alert" { (problem.text) } }
        form .fields method="post" action="/admin/add-session" {
            (reader.signed_in.csrf_field())
            label {
                (words.name)
                input name="name" maxlength="100" value=[new.name.as_deref()] autocomplete="off" aria-describedby="name-hint";
            }
            small #name-hint .faint { (of_two("Misalnya nama toko. Boleh kosong.", "Like the shop's name. May be empty.")) }
            label {
                (words.id)
                input name="id" maxlength="64" value=[new.id.as_deref()] autocomplete="off" aria-describedby="id-hint";
            }
            small #id-hint .faint {
                (of_two(
                    "Huruf, angka, - dan _. Kosongkan untuk ID acak.",
                    "Letters, digits, - and _. Leave it empty for a random one.",
                ))
            }
            label {
                (words.pool)
                input name="pool" maxlength="64" value=[new.pool.as_deref()] autocomplete="off" aria-describedby="pool-hint";
            }
            small #pool-hint .faint { (words.pool_hint) }
            label .check {
                input type="checkbox" name="default" value="yes" checked[new.default.is_some()];
                (words.make_default)
            }
            label .check {
                input type="checkbox" name="start" value="yes" checked[new.start.is_some()];
                (of_two("Langsung jalankan", "Start it at once"))
            }
            div .actions {
                button type="submit" { (words.add) }
                a .button .quiet href="/admin/sessions" { (frame_words::of(language).cancel) }
            }
        }
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.status);
    (status, reader.frame.page(&reader.signed_in, Section::Sessions, words.add, &body)).into_response()
}

/// Adds it.
pub(super) async fn create(State(app): State<Arc<App>>, reader: Reader, Change(signed_in, new): Change<New>) -> Answer {
    let trimmed = |text: Option<&str>| text.map(|text| text.trim().to_owned());
    let wish = Create {
        id: trimmed(new.id.as_deref()),
        pool: trimmed(new.pool.as_deref()),
        name: trimmed(new.name.as_deref()),
        labels: BTreeMap::new(),
        default: new.default.is_some(),
        start: new.start.is_some(),
    };
    let (cases, tenant) = (app.cases.clone(), signed_in.tenant().clone());
    // In a task of its own, so that a browser that goes away leaves no session without queues.
    let created = app.tasks.spawn(async move { cases.create_session(&tenant, wish).await });
    match created.await.unwrap_or(Err(UseCaseError::NoAnswer)) {
        Ok(record) => Ok(back_to(&record.id, Notice::Created)),
        Err(UseCaseError::Port(error)) => Err(Refused::from(error)),
        Err(error) => Ok(page(&reader, &new, Some(&Problem::of(reader.language(), error)))),
    }
}
