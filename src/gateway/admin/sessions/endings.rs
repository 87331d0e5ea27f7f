//! What ends something and is asked twice: logging a session out, deleting it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::SessionRecord;
use maud::{Markup, html};
use serde::Deserialize;

use super::problems::Problem;
use super::{back_to, called, named, path, words};
use crate::gateway::admin::change::{Change, Nothing};
use crate::gateway::admin::page::{Section, done};
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Answer;
use crate::gateway::admin::words::{self as frame_words, Notice};
use crate::gateway::app::App;
use crate::gateway::usecase::Order;

/// A deletion, with the id that somebody typed to say that it is meant.
#[derive(Deserialize)]
pub(super) struct Deletion {
    typed: Option<String>,
}

/// A page that asks whether it is meant.
struct Question<'a> {
    title: &'a str,
    says: &'a str,
    /// Fields that come before the button.
    fields: Markup,
    problem: Option<Problem>,
}

fn ask(reader: &Reader, record: &SessionRecord, ending: &str, question: Question<'_>) -> Response {
    let body = html! {
        @if let Some(problem) = &question.problem { p .problem role="alert" { (problem.text) } }
        p { strong { (called(record)) } " (" span .code { (record.id.as_str()) } ")" }
        p { (question.says) }
        form .fields method="post" action=(format!("{}/{ending}", path(&record.id))) {
            (reader.signed_in.csrf_field())
            (question.fields)
            div .actions {
                button .danger type="submit" { (question.title) }
                a .button .quiet href=(path(&record.id)) { (frame_words::of(reader.language()).cancel) }
            }
        }
    };
    let status = question.problem.map_or(StatusCode::OK, |problem| problem.status);
    (status, reader.frame.page(&reader.signed_in, Section::Sessions, question.title, &body)).into_response()
}

/// Asks whether the session is to be logged out.
pub(super) async fn confirm_logout(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    reader.may_change()?;
    let record = app.cases.session(reader.tenant(), &named(&id)?).await?;
    let language = reader.language();
    let question = Question {
        title: words::of(language).log_out,
        says: language.of_two(
            "Perangkat ini dihapus dari WhatsApp di ponsel. Untuk mengirim lagi, sesi harus dihubungkan ulang dengan kode baru.",
            "The device is removed from WhatsApp on the phone. To send again the session has to be connected with a new code.",
        ),
        fields: html! {},
        problem: None,
    };
    Ok(ask(&reader, &record, "logout", question))
}

/// Logs it out.
pub(super) async fn log_out(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id = named(&id)?;
    app.cases.order(signed_in.tenant(), &id, Order::LogOut).await?;
    Ok(back_to(&id, Notice::Told))
}

fn question_of_deletion(reader: &Reader, record: &SessionRecord, problem: Option<Problem>) -> Response {
    let language = reader.language();
    let question = Question {
        title: words::of(language).delete,
        says: language.of_two(
            "Sesi dikeluarkan dari WhatsApp lalu dihapus. Pesan yang masih menunggu tidak akan dikirim. Ini tidak dapat dibatalkan.",
            "The session is logged out of WhatsApp and removed. Messages that still wait are not sent. This can't be undone.",
        ),
        fields: html! {
            label {
                (language.of_two("Ketik ID sesi untuk memastikan", "Type the session's ID to confirm"))
                input name="typed" autocomplete="off" autocapitalize="none" spellcheck="false" required;
            }
        },
        problem,
    };
    ask(reader, record, "delete", question)
}

/// Asks whether the session is to be deleted.
pub(super) async fn confirm_delete(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    reader.may_change()?;
    let record = app.cases.session(reader.tenant(), &named(&id)?).await?;
    Ok(question_of_deletion(&reader, &record, None))
}

/// Deletes it, if its id was typed.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    reader: Reader,
    Change(signed_in, deletion): Change<Deletion>,
) -> Answer {
    let record = app.cases.session(signed_in.tenant(), &named(&id)?).await?;
    if deletion.typed.as_deref().map(str::trim) != Some(record.id.as_str()) {
        let problem = reader.language().of_two(
            "Itu bukan ID sesi ini. Tidak ada yang dihapus.",
            "This is not the session's ID. Nothing was deleted.",
        );
        return Ok(question_of_deletion(&reader, &record, Some(Problem::form(problem))));
    }
    app.cases.delete_session(signed_in.tenant(), &record.id).await?;
    Ok(done("/admin/sessions", Notice::Told))
}
