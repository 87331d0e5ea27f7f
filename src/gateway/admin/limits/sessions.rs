//! What single sessions have left of their limits today, and what the configuration says of them alone.

use kurir_core::domain::SessionRecord;
use maud::{Markup, html};

use super::texts::{self, Words};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::admin::sessions::own_limits_said;
use crate::gateway::admin::words::{self as frame_words, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::{Overrides, Search, SenderDay};
use kurir_core::domain::SessionId;

/// Sessions on a page.
const PAGE: u32 = 100;

pub(super) async fn part(app: &App, reader: &Reader) -> Result<Markup, Refused> {
    let words = texts::of(reader.language());
    let after = reader.asked("after").map(SessionId::new).transpose().map_err(|_| Refused::NoSuchPage)?;
    let page = app.cases.sessions(reader.tenant(), Search::default(), after.as_ref(), PAGE).await?;
    let rows =
        page.sessions.iter().map(|record| (record, app.cases.standing(record, None).day, app.cases.overrides(record)));
    Ok(html! {
        @if page.sessions.is_empty() {
            p { (frame_words::of(reader.language()).none) }
        } @else {
            div .wide tabindex="0" role="region" aria-label=(words.sessions) {
                table {
                    caption .hidden { (words.sessions) }
                    thead {
                        tr {
                            th scope="col" { (words.session) }
                            th .number scope="col" { (words.cap) }
                            th .number scope="col" { (words.sent) }
                            th .number scope="col" { (words.left) }
                            th .number scope="col" { (words.new_left) }
                            th scope="col" { (words.next_day) }
                            th scope="col" { (words.alone) }
                        }
                    }
                    tbody {
                        @for (record, day, overrides) in rows { (row(reader.language(), record, &day, overrides)) }
                    }
                }
            }
        }
        @if let Some(next) = page.next {
            p { a href=(format!("/admin/limits?after={next}")) { (frame_words::of(reader.language()).more) } }
        }
    })
}

/// What is left for one-time passwords, and for bulk jobs.
fn left(words: &Words, otp: Option<u32>, bulk: Option<u32>) -> Markup {
    let count = |left: Option<u32>| left.map_or_else(|| words.no_limit.to_owned(), |left| left.to_string());
    html! { "OTP " (count(otp)) br; (words.bulk) " " (count(bulk)) }
}

fn row(language: Language, record: &SessionRecord, day: &SenderDay, overrides: Overrides) -> Markup {
    let words = texts::of(language);
    html! {
        tr {
            th scope="row" {
                a href=(format!("/admin/sessions/{}", record.id)) {
                    (record.name.as_ref().map_or(record.id.as_str(), |name| name.as_str()))
                }
            }
            td .number {
                @match day.left.cap {
                    Some(cap) => (cap),
                    None => (words.no_limit),
                }
                @if let Some(nth) = day.warm_up { br; span .faint { (words.warm_up) " " (nth) } }
            }
            td .number { "OTP " (day.spent.otp) br; (words.bulk) " " (day.spent.bulk) }
            td .number { (left(words, day.left.otp, day.left.bulk)) }
            td .number { (left(words, day.left.cold_otp, day.left.cold_bulk)) }
            td {
                (moment(day.next_day)) br; span .faint { (day.zone.to_string()) }
                @if let Some(rest) = day.rest {
                    br; span .wait { (words.rests) " " (moment(rest.until)) }
                }
            }
            td {
                @if let Some(zone) = overrides.zone { code { "limits.sender.time_zones" } " " (zone.to_string()) br; }
                @if overrides.warm && overrides.own.warmed_up.is_none() { code { "limits.sender.warmed_up" } br; }
                (own_limits_said(language, &overrides.own))
                @if overrides.zone.is_none() && !overrides.warm && overrides.own.is_empty() { span .faint { (words.as_all) } }
            }
        }
    }
}
