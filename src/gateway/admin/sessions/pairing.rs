//! `/admin/sessions/{id}/link/phone`: linking by a code that is typed on the phone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::{SessionRecord, Timestamp};
use maud::{Markup, html};
use serde::Deserialize;

use super::link::linked;
use super::problems::Problem;
use super::{called, named, path, words};
use crate::gateway::admin::change::Change;
use crate::gateway::admin::language::Language;
use crate::gateway::admin::page::Section;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::app::App;
use crate::gateway::usecase::{LinkStanding, PairingCode, UseCaseError};

/// How often the dialog looks whether the code was typed.
const LOOK: Duration = Duration::from_secs(2);

/// The number of the phone.
#[derive(Deserialize)]
pub(super) struct Number {
    number: Option<String>,
}

/// Asks for the number.
pub(super) async fn form(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    reader.may_change()?;
    let record = app.cases.session(reader.tenant(), &named(&id)?).await?;
    Ok(shown(&reader, &record, question(&reader, &record, None, None), StatusCode::OK))
}

/// Gets a code for this number and shows it, once: nobody can look at it again.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    reader: Reader,
    Change(signed_in, Number { number }): Change<Number>,
) -> Answer {
    let id = named(&id)?;
    let record = app.cases.session(signed_in.tenant(), &id).await?;
    let number = number.unwrap_or_default();
    match app.cases.pairing_code(signed_in.tenant(), &id, &number).await {
        Ok(code) => {
            let part = code_to_type(reader.language(), &record, &code);
            Ok(shown(&reader, &record, part, StatusCode::OK))
        }
        Err(UseCaseError::NotFound { .. }) => Err(Refused::NoSuchPage),
        Err(error) => {
            let problem = Problem::of(reader.language(), error);
            // A dialog shows what it is answered, whatever the status.
            let status = problem.status;
            Ok(shown(&reader, &record, question(&reader, &record, Some(&number), Some(&problem)), status))
        }
    }
}

/// Whether the code was typed: nothing to say (204), that it was, or that its time is over.
pub(super) async fn look(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    reader.may_change()?;
    let until = reader.asked("until").and_then(|until| until.parse().ok()).map(Timestamp::from_millis);
    let (record, standing) = app.cases.link_standing(reader.tenant(), &named(&id)?).await?;
    let language = reader.language();
    Ok(match standing {
        LinkStanding::Linked(state) => linked(language, state).into_response(),
        _ if until.is_none_or(|until| until <= app.clock.now()) => {
            let over = Problem::form(language.of_two(
                "Kode tidak dipakai pada waktunya. Minta kode baru.",
                "The code was not used in time. Ask for a new one.",
            ));
            question(&reader, &record, None, Some(&over)).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    })
}

fn shown(reader: &Reader, record: &SessionRecord, part: Markup, status: StatusCode) -> Response {
    if reader.part {
        return (status, part).into_response();
    }
    (status, alone(reader, record, &part)).into_response()
}

/// A page of its own is not loaded anew by itself: somebody types into it, or its code is shown but once.
fn alone(reader: &Reader, record: &SessionRecord, part: &Markup) -> Response {
    let words = words::of(reader.language());
    let title = format!("{}: {}", words.connect, called(record));
    let body = html! {
        (part)
        p { a href=(path(&record.id)) { (words.details) } }
    };
    reader.frame.page(&reader.signed_in, Section::Sessions, &title, &body)
}

fn question(reader: &Reader, record: &SessionRecord, typed: Option<&str>, problem: Option<&Problem>) -> Markup {
    let language = reader.language();
    html! {
        @if let Some(problem) = problem { p .problem role="alert" { (problem.text) } }
        form .fields method="post" action=(format!("{}/link/phone", path(&record.id))) {
            (reader.signed_in.csrf_field())
            label {
                (language.of_two("Nomor WhatsApp ponsel itu", "The phone's WhatsApp number"))
                input type="tel" name="number" id="number" autocomplete="off" required autofocus value=[typed]
                    placeholder="0812 3456 7890";
            }
            div .actions { button type="submit" { (language.of_two("Minta kode", "Get a code")) } }
        }
        p {
            a id="by-qr" data-inside="" href=(format!("{}/link", path(&record.id))) {
                (language.of_two("Hubungkan dengan kode QR", "Connect by QR code instead"))
            }
        }
    }
}

/// The code in two halves, as phones ask for it.
fn halves(code: &str) -> String {
    let middle = code.chars().count() / 2;
    let (left, right): (String, String) = (code.chars().take(middle).collect(), code.chars().skip(middle).collect());
    format!("{left}-{right}")
}

fn code_to_type(language: Language, record: &SessionRecord, code: &PairingCode) -> Markup {
    let until = code.expires_at.as_millis();
    let steps: [&str; 4] = match language {
        Language::Id => [
            "Buka WhatsApp di ponsel dengan nomor itu.",
            "Ketuk Setelan, Perangkat tertaut, lalu Tautkan perangkat.",
            "Ketuk Tautkan dengan nomor telepon saja.",
            "Ketik kode ini.",
        ],
        Language::En => [
            "Open WhatsApp on the phone of that number.",
            "Tap Settings, Linked devices, then Link a device.",
            "Tap Link with phone number instead.",
            "Type this code.",
        ],
    };
    html! {
        div data-again=(LOOK.as_millis()) data-from=(format!("{}/link/phone/standing?until={until}", path(&record.id))) {
            p .pairing { (halves(code.code.expose())) }
            ol { @for step in steps { li { (step) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_in_two_halves() {
        assert_eq!(halves("ABCD1234"), "ABCD-1234");
        assert_eq!(halves(""), "-");
    }
}
