//! All limits, one to a row.

use maud::{Markup, html};

use super::texts::{self, Words};
use crate::gateway::LimitInForce;
use crate::gateway::admin::language::Language;

/// How limits are changed.
pub(super) fn how_to_change(words: &Words) -> Markup {
    html! {
        p { (words.how) }
        pre { code { "[limits.sender]\nper_day = 800" } }
        p { (words.or_else) " " code { "KURIR_LIMITS__SENDER__PER_DAY=800" } }
        p { (words.then) }
    }
}

/// A text with what stands between backticks as code.
fn coded(text: &str) -> Markup {
    html! {
        @for (n, part) in text.split('`').enumerate() {
            @if n % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A text of the table in this language; one that has no translation stays English and says so.
fn said(language: Language, text: &str) -> Markup {
    texts::translated(language, text).map_or_else(|| html! { span lang="en" { (coded(text)) } }, coded)
}

/// A value. Numbers and units are the same in all languages, words are not.
fn value(language: Language, text: &str) -> Markup {
    html! {
        @if text == "none" { (language.of_two("tidak ada", "none")) } @else { span lang=[foreign(language, text)] { (text) } }
    }
}

/// The language of a value that is in words, where it is not the page's.
fn foreign(language: Language, text: &str) -> Option<&'static str> {
    (language != Language::En && text.contains(' ')).then_some("en")
}

pub(super) fn all(language: Language, limits: &[LimitInForce]) -> Markup {
    let words = texts::of(language);
    html! {
        div .wide tabindex="0" role="region" aria-label=(words.all) {
            table .limits {
                caption .hidden { (words.all) }
                thead {
                    tr {
                        th scope="col" { (words.limit) }
                        th scope="col" { (words.value) }
                        th scope="col" { (words.set_in) }
                        th scope="col" { (words.over) }
                        th scope="col" { (words.down) }
                    }
                }
                tbody {
                    @for limit in limits { (row(language, limit)) }
                }
            }
        }
    }
}

fn row(language: Language, limit: &LimitInForce) -> Markup {
    let words = texts::of(language);
    html! {
        tr {
            th scope="row" { (said(language, &limit.limit)) }
            td {
                strong { (value(language, &limit.value)) }
                @if limit.value == limit.default {
                    br; span .faint { (words.is_default) }
                } @else {
                    br; span .faint { (words.default) ": " (value(language, &limit.default)) }
                }
            }
            td {
                @if limit.settings.is_empty() {
                    span .faint { (words.not_set) }
                }
                @for setting in &limit.settings {
                    code { (setting) } br;
                }
            }
            td {
                (said(language, &limit.over))
                @if let Some(reason) = limit.reason { " (" code { (reason.to_string()) } ")" }
            }
            td { @if limit.down.is_empty() { "–" } @else { (said(language, &limit.down)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code_and_nothing_is_markup() {
        assert_eq!(coded("429 `a<b`, then").into_string(), "429 <code>a&lt;b</code>, then");
        assert_eq!(said(Language::Id, "no<such").into_string(), "<span lang=\"en\">no&lt;such</span>");
    }
}
