//! How many codes come back, by country and by prefix, and which prefixes get none.

use std::sync::Arc;

use axum::extract::{Path, State};
use kurir_core::domain::{PrefixId, PrefixRecord, Timestamp};
use maud::{Markup, html};

use super::PATH;
use super::words::{self, Words};
use crate::gateway::admin::change::{Change, Nothing};
use crate::gateway::admin::page::done;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::{Answer, Refused};
use crate::gateway::admin::words::{Notice, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::Conversions;

/// Digits of a prefix that readers see who may change nothing, as those of numbers.
const SHOWN: usize = 4;

pub(super) async fn part(app: &App, reader: &Reader) -> Result<Markup, Refused> {
    let found = app.cases.conversions(reader.tenant()).await?;
    let words = words::of(reader.language());
    Ok(html! {
        h3 { (words.by_country) }
        (countries(words, &found))
        h3 { (words.blocked_prefixes) }
        @if found.blocked.is_empty() {
            p { (words.none_blocked) }
        } @else {
            p .faint { (words.blocked_about) }
            (blocked(reader, words, &found.blocked, app.clock.now()))
        }
        @if !found.busiest.is_empty() {
            h3 { (words.by_prefix) }
            (busiest(reader, words, &found.busiest))
        }
        @if found.more { p .faint { (words.more_prefixes) } }
    })
}

/// A prefix as this reader may see it.
fn shown(reader: &Reader, record: &PrefixRecord) -> String {
    let digits = record.prefix.digits();
    let seen = if reader.signed_in.may_change() { digits } else { digits.get(..SHOWN).unwrap_or(digits) };
    format!("{seen}…")
}

/// How many of a hundred came back, of those that have ended.
fn percent(approved: u64, lost: u64) -> Option<u64> {
    approved.saturating_mul(100).checked_div(approved.saturating_add(lost))
}

fn share(approved: u64, lost: u64) -> Markup {
    html! {
        @match percent(approved, lost) {
            Some(share) => { (share) " %" }
            None => "–",
        }
    }
}

fn head(first: &str, words: &Words, last: Option<&str>) -> Markup {
    html! {
        thead {
            tr {
                th scope="col" { (first) }
                th .number scope="col" { (words.begun) }
                th .number scope="col" { (words.approved) }
                th .number scope="col" { (words.lost) }
                th .number scope="col" { (words.share) }
                @if let Some(last) = last { th .number scope="col" { (last) } }
            }
        }
    }
}

fn countries(words: &Words, found: &Conversions) -> Markup {
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.by_country) {
            table {
                caption .hidden { (words.by_country) }
                (head(words.country, words, Some(words.blocked)))
                tbody {
                    @for (code, of) in &found.countries {
                        tr {
                            th scope="row" {
                                @match code {
                                    Some(code) => { "+" (code) }
                                    None => (words.no_country),
                                }
                            }
                            td .number { (of.begun) }
                            td .number { (of.approved) }
                            td .number { (of.lost) }
                            td .number { (share(of.approved, of.lost)) }
                            td .number { (of.blocked) }
                        }
                    }
                }
            }
        }
    }
}

fn busiest(reader: &Reader, words: &Words, prefixes: &[PrefixRecord]) -> Markup {
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.by_prefix) {
            table {
                caption .hidden { (words.by_prefix) }
                (head(words.prefix, words, None))
                tbody {
                    @for record in prefixes {
                        tr {
                            th scope="row" { (shown(reader, record)) }
                            td .number { (record.begun) }
                            td .number { (record.approved) }
                            td .number { (record.lost) }
                            td .number { (share(record.approved.into(), record.lost.into())) }
                        }
                    }
                }
            }
        }
    }
}

fn blocked(reader: &Reader, words: &Words, prefixes: &[PrefixRecord], now: Timestamp) -> Markup {
    let may_change = reader.signed_in.may_change();
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.blocked_prefixes) {
            table {
                caption .hidden { (words.blocked_prefixes) }
                thead {
                    tr {
                        th scope="col" { (words.prefix) }
                        th .number scope="col" { (words.lost) }
                        th scope="col" { (words.until) }
                        @if may_change { th scope="col" { span .hidden { (words.unblock) } } }
                    }
                }
                tbody {
                    @for record in prefixes {
                        tr {
                            th scope="row" { (shown(reader, record)) }
                            td .number { (record.lost) }
                            td { @if let Some(until) = record.blocked(now) { (moment(until)) } }
                            @if may_change {
                                td {
                                    form .inline method="post" action=(format!("{PATH}/prefixes/{}/unblock", record.id)) {
                                        (reader.signed_in.csrf_field())
                                        button .quiet type="submit" {
                                            (words.unblock) span .hidden { " " (shown(reader, record)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Lets a prefix have codes again.
pub(super) async fn unblock(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Change(signed_in, Nothing {}): Change<Nothing>,
) -> Answer {
    let id: PrefixId = id.parse().map_err(|_| Refused::NoSuchPage)?;
    app.cases.unblock_prefix(signed_in.tenant(), id).await?;
    Ok(done(PATH, Notice::Saved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_those_that_have_ended() {
        assert_eq!([percent(0, 0), percent(0, 2), percent(2, 1), percent(3, 0)], [None, Some(0), Some(66), Some(100)]);
    }
}
