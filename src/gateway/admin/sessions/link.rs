//! `/admin/sessions/{id}/link`: linking by a code that the phone scans. A dialog of the other pages, and a page of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use kurir_core::domain::{QrCode, SessionId, SessionRecord, SessionState, Timestamp};
use kurir_core::wire::QrV1;
use maud::{Markup, html};

use super::{called, named, path, words};
use crate::gateway::admin::change::{Change, Nothing};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::page::Section;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::app::App;
use crate::gateway::usecase::{LinkStanding, UseCaseError};

/// When to look again: at something that is about to come, and at most.
const SOON: Duration = Duration::from_secs(1);
const AT_MOST: Duration = Duration::from_secs(3);

/// How often a page without scripts is loaded anew, seconds.
const RELOAD: u32 = 5;

/// What there is to scan now. Looking asks for nothing.
pub(super) async fn look(State(app): State<Arc<App>>, Path(id): Path<String>, reader: Reader) -> Answer {
    reader.may_change()?;
    answer(&app, &reader, &named(&id)?).await
}

/// Asks for codes where the session rests.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    reader: Reader,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id = named(&id)?;
    app.cases.ask_to_link(signed_in.tenant(), &id).await?;
    if reader.part {
        return answer(&app, &reader, &id).await;
    }
    Ok(Redirect::to(&format!("{}/link", path(&id))).into_response())
}

async fn answer(app: &App, reader: &Reader, id: &SessionId) -> Answer {
    let (record, standing) = app.cases.link_standing(reader.tenant(), id).await?;
    let part = part(reader, &record, &standing, app.clock.now())?;
    if reader.part {
        return Ok(part.into_response());
    }
    Ok(page(reader, &record, &format!("{}/link", path(id)), &part))
}

/// The page of its own around what the dialog shows. `source`: where what is new of it is asked for.
fn page(reader: &Reader, record: &SessionRecord, source: &str, part: &Markup) -> Response {
    let words = words::of(reader.language());
    let title = format!("{}: {}", words.connect, called(record));
    let body = html! {
        noscript { meta http-equiv="refresh" content=(RELOAD); }
        div data-live="sessions" data-src=(source) { (part) }
        p { a href=(path(&record.id)) { (words.details) } }
    };
    reader.frame.page(&reader.signed_in, Section::Sessions, &title, &body)
}

fn part(reader: &Reader, record: &SessionRecord, standing: &LinkStanding, now: Timestamp) -> Result<Markup, Refused> {
    let language = reader.language();
    Ok(match standing {
        LinkStanding::Code(qr) => code(language, record, qr, now)?,
        LinkStanding::Coming => html! {
            p role="status" data-again=(SOON.as_millis()) {
                (language.of_two("Menyiapkan kode QR…", "The QR code is on its way…"))
            }
        },
        LinkStanding::Rests(state) => rests(reader, record, *state),
        LinkStanding::Linked(state) => linked(language, *state),
        LinkStanding::Ending => html! {
            p role="status" {
                (language.of_two("Sesi ini sedang keluar atau dihapus.", "The session is being logged out or deleted."))
            }
        },
    })
}

fn code(language: Language, record: &SessionRecord, qr: &QrCode, now: Timestamp) -> Result<Markup, Refused> {
    let picture = QrV1::draw(qr).map_err(UseCaseError::Draw)?.png;
    // The same as long as the code is, so that nothing is shown anew but for a new code.
    let again = qr.expires_at.since(now).clamp(Duration::from_millis(100), AT_MOST);
    let steps: [&str; 4] = match language {
        Language::Id => [
            "Buka WhatsApp di ponsel.",
            "Ketuk Setelan, lalu Perangkat tertaut.",
            "Ketuk Tautkan perangkat.",
            "Arahkan kamera ponsel ke kode ini.",
        ],
        Language::En => [
            "Open WhatsApp on the phone.",
            "Tap Settings, then Linked devices.",
            "Tap Link a device.",
            "Point the phone's camera at this code.",
        ],
    };
    Ok(html! {
        div data-again=(again.as_millis()) {
            img .qr src=(picture) alt=(language.of_two("Kode QR untuk menautkan sesi ini", "QR code that links this session"));
            ol { @for step in steps { li { (step) } } }
            p .faint { (language.of_two("Kode berganti sendiri.", "The code changes by itself.")) }
            p { (by_phone(language, record)) }
        }
    })
}

/// The other way to link it.
fn by_phone(language: Language, record: &SessionRecord) -> Markup {
    html! {
        a id="by-phone" data-inside="" href=(format!("{}/link/phone", path(&record.id))) {
            (language.of_two("Hubungkan dengan nomor telepon", "Connect by phone number instead"))
        }
    }
}

fn rests(reader: &Reader, record: &SessionRecord, state: SessionState) -> Markup {
    let language = reader.language();
    let (says, word) = match state {
        SessionState::ScanTimedOut => (
            language.of_two(
                "Kode tidak dipindai pada waktunya, jadi tidak ada kode lagi.",
                "Nobody scanned the codes in time, so there are no more.",
            ),
            language.of_two("Minta kode baru", "Ask for a new code"),
        ),
        SessionState::LoggedOut => (
            language.of_two("Sesi ini sudah keluar dari WhatsApp.", "The session was logged out of WhatsApp."),
            language.of_two("Minta kode baru", "Ask for a new code"),
        ),
        _ => (
            language.of_two("Sesi ini dihentikan.", "The session is stopped."),
            language.of_two("Jalankan dan minta kode", "Start it and ask for a code"),
        ),
    };
    html! {
        p role="status" { (says) }
        form method="post" action=(format!("{}/link", path(&record.id))) {
            (reader.signed_in.csrf_field())
            button type="submit" id="ask" autofocus { (word) }
        }
        p { (by_phone(language, record)) }
    }
}

/// What is said of a linked session; the dialog closes when it is as it should be.
pub(super) fn linked(language: Language, state: SessionState) -> Markup {
    match state {
        SessionState::Banned => html! {
            p .bad role="status" { (language.of_two("Akun ini diblokir WhatsApp.", "WhatsApp bans this account.")) }
        },
        SessionState::Outdated => html! {
            p .bad role="status" {
                (language.of_two("WhatsApp menolak versi klien ini.", "WhatsApp refuses this version of the client."))
            }
        },
        _ => html! { p .good role="status" data-done="" { (language.of_two("Sudah tertaut.", "It is linked.")) } },
    }
}
