//! Which verifications there are, and how many of the last day stand where.

use kurir_core::domain::{Verification, VerificationId, VerificationStatus};
use kurir_core::port::VerificationFilter;
use maud::{Markup, html};

use super::{PATH, words};
use crate::gateway::admin::language::Language;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::admin::words::{self as frame_words, moment};
use crate::gateway::app::App;
use crate::gateway::usecase::UseCaseError;

/// Verifications on a page.
const PAGE: u32 = 50;

/// Which of them somebody looks for.
pub(super) struct Asked {
    status: Option<VerificationStatus>,
    to: Option<String>,
    before: Option<VerificationId>,
}

impl Asked {
    /// What the address says.
    pub fn of(reader: &Reader) -> Result<Self, Refused> {
        let language = reader.language();
        let status = reader.asked("status").map(|word| VerificationStatus::parse(word).ok_or("status"));
        let before = reader.asked("before").map(|id| uuid::Uuid::parse_str(id).map_err(|_| "before"));
        let (status, before) = match (status.transpose(), before.transpose()) {
            (Ok(status), Ok(before)) => (status, before),
            (Err(field), _) | (_, Err(field)) => {
                let message = language.of_two("tidak dikenal; pilih dari daftar", "is not known; choose from the list");
                return Err(UseCaseError::field(field, message).into());
            }
        };
        let to = reader.asked("to").map(str::to_owned);
        Ok(Self { status, to, before: before.map(VerificationId::new) })
    }

    /// The same below this path, from another place on.
    pub fn address(&self, path: &str, before: Option<VerificationId>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("status", self.status.map(|status| status.as_str().to_owned())),
            ("to", self.to.clone()),
            ("before", before.or(self.before).map(|id| id.to_string())),
        ] {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// The form that narrows the list.
pub(super) fn search(language: Language, asked: &Asked) -> Markup {
    let words = words::of(language);
    html! {
        form .search method="get" action=(PATH) role="search" aria-label=(words.list) {
            label {
                (words.status)
                select name="status" {
                    option value="" { (words.any) }
                    @for status in VerificationStatus::ALL {
                        option value=(status.as_str()) selected[asked.status == Some(status)] {
                            (words::status(language, status).0)
                        }
                    }
                }
            }
            label {
                (words.number)
                input name="to" type="text" inputmode="tel" autocomplete="off" value=(asked.to.as_deref().unwrap_or_default());
            }
            button type="submit" { (words.search) }
        }
    }
}

pub(super) async fn part(app: &App, reader: &Reader, asked: &Asked) -> Result<Markup, Refused> {
    let (tenant, language) = (reader.tenant(), reader.language());
    let words = words::of(language);
    let counts = app.cases.late_verifications(tenant).await?;
    let filter = VerificationFilter { status: asked.status, to: None };
    let page = app.cases.verifications(tenant, filter, asked.to.as_deref(), asked.before, PAGE).await?;
    let count = |status| counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
    Ok(html! {
        h2 { (words.last_day) }
        dl .counts {
            @for each in VerificationStatus::ALL {
                @let (word, colour) = words::status(language, each);
                div {
                    dt .(colour) { (word) }
                    dd { (count(each)) }
                }
            }
        }
        h2 { (words.list) }
        @if page.verifications.is_empty() {
            p { (frame_words::of(language).none) }
        } @else {
            (table(language, &page.verifications))
        }
        @if let Some(next) = page.next {
            p { a href=(asked.address(PATH, Some(next))) { (frame_words::of(language).more) } }
        }
    })
}

fn table(language: Language, verifications: &[Verification]) -> Markup {
    let words = words::of(language);
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.list) {
            table {
                caption .hidden { (words.list) }
                thead {
                    tr {
                        th scope="col" { (words.number) }
                        th scope="col" { (words.status) }
                        th .number scope="col" { (words.sends) }
                        th .number scope="col" { (words.checks) }
                        th scope="col" { (words.channel) }
                        th scope="col" { (words.made) }
                        th scope="col" { (words.ended) }
                    }
                }
                tbody {
                    @for one in verifications {
                        @let (word, colour) = words::status(language, one.status);
                        tr {
                            th scope="row" { (one.to.masked()) }
                            td { span .badge .(colour) { (word) } }
                            td .number { (one.sends) " / " (one.max_sends) }
                            td .number { (one.checks) " / " (one.max_checks) }
                            td {
                                @if let Some(hop) = one.channel() {
                                    (hop.channel.as_str()) " " (hop.channel.name().unwrap_or_default())
                                }
                            }
                            td { (moment(one.created_at)) }
                            td { @if let Some(at) = one.ended_at { (moment(at)) } }
                        }
                    }
                }
            }
        }
    }
}
