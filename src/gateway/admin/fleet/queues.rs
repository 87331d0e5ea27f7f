//! The queues: how much waits, and since when.

use kurir_core::domain::{Target, Timestamp};
use maud::{Markup, html};

use super::words;
use crate::gateway::admin::language::Language;
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::app::App;
use crate::gateway::usecase::{QueueStanding, QueueView};

pub(super) async fn part(app: &App, reader: &Reader) -> Result<Markup, Refused> {
    let tenant = reader.tenant();
    let view = app.queues.get(tenant, app.clock.boot(), app.cases.queues(tenant)).await?;
    Ok(shown(reader.language(), &view))
}

fn is_empty(queue: &QueueStanding) -> bool {
    queue.depth == Some(0) && queue.waiting == 0
}

fn shown(language: Language, view: &QueueView) -> Markup {
    let words = words::of(language);
    let (empty, full): (Vec<_>, Vec<_>) = view.queues.iter().partition(|queue| is_empty(queue));
    html! {
        @if full.is_empty() && view.pooled.is_empty() {
            p { (words.nothing_waits) }
        } @else {
            div .wide tabindex="0" role="region" aria-label=(words.queues) {
                table {
                    caption .hidden { (words.queues) }
                    thead {
                        tr {
                            th scope="col" { (words.queue) }
                            th scope="col" { (words.lane) }
                            th .number scope="col" { (words.depth) }
                            th .number scope="col" { (words.waiting) }
                            th .number scope="col" { (words.oldest) }
                        }
                    }
                    tbody {
                        @for queue in full { (row(language, queue, view.at)) }
                        @for pooled in &view.pooled {
                            tr {
                                th scope="row" { (words.all_pools) }
                                td { (words::lane(language, pooled.lane)) }
                                td {}
                                td .number { (pooled.messages) }
                                td .number { (age(language, pooled.since, view.at)) }
                            }
                        }
                    }
                }
            }
        }
        @if !empty.is_empty() {
            details {
                summary { (words.empty) " (" (empty.len()) ")" }
                ul .plain {
                    @for QueueStanding { target, lane, .. } in empty {
                        li { (kind(language, target)) " " (name(target)) ", " (words::lane(language, *lane)) }
                    }
                }
            }
        }
        @if view.more { p .faint { (words.more_queues) } }
    }
}

fn row(language: Language, queue: &QueueStanding, now: Timestamp) -> Markup {
    let words = words::of(language);
    let of_session = matches!(queue.target, Target::Session(_));
    html! {
        tr {
            th scope="row" {
                span .faint { (kind(language, &queue.target)) " " }
                @if of_session {
                    a href=(format!("/admin/sessions/{}", name(&queue.target))) { (name(&queue.target)) }
                } @else {
                    (name(&queue.target))
                }
            }
            td { (words::lane(language, queue.lane)) }
            td .number {
                @match queue.depth {
                    Some(depth) => (depth),
                    None => span .wait { (words.unknown) },
                }
            }
            td .number { @if of_session { (queue.waiting) } }
            td .number { @if let Some(since) = queue.since { (age(language, since, now)) } }
        }
    }
}

fn age(language: Language, since: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(since.to_rfc3339()) { (words::span(language, now.since(since))) } }
}

const fn kind(language: Language, target: &Target) -> &'static str {
    match target {
        Target::Session(_) => words::of(language).session,
        Target::Pool(_) => words::of(language).pool,
    }
}

fn name(target: &Target) -> &str {
    match target {
        Target::Session(session) => session.as_str(),
        Target::Pool(pool) => pool.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kurir_core::domain::{Lane, SessionId};

    use super::*;

    #[test]
    fn a_queue_that_did_not_answer_is_not_taken_for_an_empty_one() {
        let queue = |name: &str, depth| QueueStanding {
            target: Target::Session(SessionId::new(name).unwrap()),
            lane: Lane::Otp,
            depth,
            waiting: 0,
            since: None,
        };
        let at = Timestamp::from_millis(1_000_000);
        let old = QueueStanding { waiting: 7, since: Some(at.minus(Duration::from_mins(5))), ..queue("old", Some(6)) };
        let queues = vec![old, queue("silent", None), queue("idle", Some(0))];
        let markup = shown(Language::En, &QueueView { queues, pooled: Vec::new(), more: false, at }).into_string();
        let (table, rest) = markup.split_once("</table>").unwrap();
        assert!(table.contains(">5 min</time>") && table.contains(">6</td>") && table.contains(">7</td>"), "{table}");
        assert!(table.contains("silent") && table.contains("not known"));
        assert!(!table.contains("idle") && rest.contains("session idle, OTP"), "{rest}");
    }
}
