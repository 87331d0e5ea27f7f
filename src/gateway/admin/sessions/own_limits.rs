//! A session's own limits, as a form.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use kurir_core::domain::OwnLimits;
use maud::{Markup, html};
use serde::Deserialize;

use crate::gateway::admin::language::Language;
use crate::gateway::usecase::UseCases;

/// What stands in the fields; an empty one is as the settings say.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    every: Option<String>,
    burst: Option<String>,
    per_day: Option<String>,
    cold: Option<String>,
    warm: Option<String>,
}

impl Typed {
    /// As the session's are.
    pub fn of(own: &OwnLimits) -> Self {
        let text = |value: Option<u32>| value.map(|value| value.to_string());
        Self {
            every: own.every_ms.map(|every| seconds(Duration::from_millis(every))),
            burst: text(own.burst.map(NonZeroU32::get)),
            per_day: text(own.per_day),
            cold: text(own.cold_per_day),
            warm: own.warmed_up.map(|warm| if warm { "yes" } else { "no" }.to_owned()),
        }
    }

    /// What was typed; an error names the field that is no number.
    pub fn read(&self) -> Result<OwnLimits, &'static str> {
        Ok(OwnLimits {
            every_ms: millis(self.every.as_deref(), "every_ms")?,
            burst: number(self.burst.as_deref(), "burst")?,
            per_day: number(self.per_day.as_deref(), "per_day")?,
            cold_per_day: number(self.cold.as_deref(), "cold_per_day")?,
            warmed_up: match self.warm.as_deref() {
                Some("yes") => Some(true),
                Some("no") => Some(false),
                _ => None,
            },
        })
    }
}

/// A number, if one was typed; `field` where it is none.
fn number<T: FromStr>(text: Option<&str>, field: &'static str) -> Result<Option<T>, &'static str> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| field) }
}

/// Seconds with a point or a comma, as milliseconds.
fn millis(text: Option<&str>, field: &'static str) -> Result<Option<u64>, &'static str> {
    let Some(seconds) = number::<f64>(text.map(|text| text.replace(',', ".")).as_deref(), field)? else {
        return Ok(None);
    };
    let span = Duration::try_from_secs_f64(seconds).map_err(|_| field)?;
    u64::try_from(span.as_millis()).map(Some).map_err(|_| field)
}

fn seconds(span: Duration) -> String {
    span.as_secs_f64().to_string()
}

/// The fields of the form. `typed`: what stands in them.
pub(super) fn fields(language: Language, cases: &UseCases, typed: &Typed) -> Markup {
    let (pace, day) = cases.limits_of_all();
    let no_limit = language.of_two("tanpa batas", "no limit");
    let most = |most: u32| if most == 0 { no_limit.to_owned() } else { most.to_string() };
    let field = |id: &'static str, en: &'static str, name: &'static str, value: Option<&str>, all: String| {
        html! {
            label {
                (language.of_two(id, en))
                input name=(name) value=[value] placeholder=(all) inputmode="decimal" maxlength="10" autocomplete="off" aria-describedby="limits-hint";
            }
        }
    };
    html! {
        (field("Detik per pesan", "Seconds per message", "every", typed.every.as_deref(), seconds(pace.every)))
        (field("Paling banyak sekaligus", "At once at most", "burst", typed.burst.as_deref(), pace.burst.to_string()))
        (field("Pesan per hari", "Messages a day", "per_day", typed.per_day.as_deref(), most(day.per_day)))
        (field("Penerima baru per hari", "New recipients a day", "cold", typed.cold.as_deref(), most(day.cold_per_day)))
        label {
            (language.of_two("Pemanasan nomor baru", "Warm-up of a new number"))
            select name="warm" {
                @for (value, id, en) in [
                    ("", "seperti pengaturan", "as the settings say"),
                    ("yes", "tidak perlu, nomor sudah lama dipakai", "not needed, the number is old"),
                    ("no", "perlu", "needed"),
                ] {
                    option value=(value) selected[typed.warm.as_deref().unwrap_or_default() == value] { (language.of_two(id, en)) }
                }
            }
        }
        small #limits-hint .faint {
            (language.of_two(
                "Kosong: seperti pengaturan untuk semua. 0: tanpa batas. Berlaku dalam beberapa detik; yang sudah terkirim hari ini tetap dihitung.",
                "Empty: as the settings for all say. 0: no limit. They hold within seconds; what was sent today stays counted.",
            ))
        }
    }
}

/// What is said of a field that can't be so.
pub(super) fn refused(language: Language, field: &str) -> Option<&'static str> {
    let (id, en) = match field {
        "every_ms" => ("Detik per pesan: 0 sampai 3600, misalnya 2,5.", "Seconds per message: 0 to 3600, like 2.5."),
        "burst" => ("Paling banyak sekaligus: 1 sampai 10000.", "At once at most: 1 to 10000."),
        "per_day" => ("Pesan per hari: 0 sampai 1000000.", "Messages a day: 0 to 1000000."),
        "cold_per_day" => (
            "Penerima baru per hari: 0 sampai 1000000, dan tidak lebih dari pesan per hari.",
            "New recipients a day: 0 to 1000000, and no more than messages a day.",
        ),
        _ => return None,
    };
    Some(language.of_two(id, en))
}

/// A session's own limits in words, one a line.
pub(in crate::gateway::admin) fn said(language: Language, own: &OwnLimits) -> Markup {
    let no_limit = language.of_two("tanpa batas", "no limit");
    let most = |most: u32| if most == 0 { no_limit.to_owned() } else { most.to_string() };
    html! {
        @if let Some(every) = own.every_ms {
            (language.of_two("detik per pesan", "seconds per message")) ": " (seconds(Duration::from_millis(every))) br;
        }
        @if let Some(burst) = own.burst { (language.of_two("sekaligus", "at once")) ": " (burst) br; }
        @if let Some(per_day) = own.per_day { (language.of_two("per hari", "a day")) ": " (most(per_day)) br; }
        @if let Some(cold) = own.cold_per_day { (language.of_two("penerima baru", "new recipients")) ": " (most(cold)) br; }
        @if let Some(warm) = own.warmed_up {
            @if warm {
                (language.of_two("tanpa pemanasan", "no warm-up"))
            } @else {
                (language.of_two("dengan pemanasan", "with a warm-up"))
            }
            br;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_fields_is_read_back() {
        let own = OwnLimits {
            every_ms: Some(2500),
            burst: NonZeroU32::new(4),
            per_day: Some(0),
            cold_per_day: None,
            warmed_up: Some(false),
        };
        for own in [own, OwnLimits::default()] {
            assert_eq!(Typed::of(&own).read(), Ok(own));
        }
        let comma = Typed { every: Some(" 0,25 ".into()), ..Typed::default() };
        assert_eq!(comma.read().unwrap().every_ms, Some(250));
    }

    #[test]
    fn what_is_no_number_names_its_field() {
        let bad = |change: fn(&mut Typed)| {
            let mut typed = Typed::default();
            change(&mut typed);
            typed.read().unwrap_err()
        };
        for every in ["x", "-1", "NaN", "inf", "1e300"] {
            assert_eq!(Typed { every: Some(every.into()), ..Typed::default() }.read(), Err("every_ms"), "{every}");
        }
        assert_eq!(bad(|typed| typed.burst = Some("0".into())), "burst");
        assert_eq!(bad(|typed| typed.per_day = Some("-3".into())), "per_day");
        assert_eq!(bad(|typed| typed.cold = Some("1.5".into())), "cold_per_day");
    }
}
