//! What became of messages: in the last hour, and in the last day.

use kurir_core::port::Activity;
use maud::{Markup, html};

use super::words::{self, ChartWords, Words};
use crate::gateway::admin::chart::{Chart, Series};
use crate::gateway::admin::reader::Reader;
use crate::gateway::admin::refusal::Refused;
use crate::gateway::app::App;

pub(super) async fn part(app: &App, reader: &Reader) -> Result<Markup, Refused> {
    let (tenant, words) = (reader.tenant(), words::of(reader.language()));
    let found = app.activities.get(tenant, app.clock.boot(), app.cases.activities(tenant)).await?;
    Ok(html! {
        div .charts {
            (messages("hour-messages", words, &words.hour, &found.hour))
            (rate("hour-rate", words, &words.hour, &found.hour))
            (messages("day-messages", words, &words.day, &found.day))
            (rate("day-rate", words, &words.day, &found.day))
        }
    })
}

fn drawn(
    id: &str,
    words: &Words,
    (title, about): (&str, &str),
    unit: &str,
    most: Option<u32>,
    steps: &[Activity],
    series: &[Series],
) -> Markup {
    let steps: Vec<_> = steps.iter().map(|step| step.at).collect();
    Chart { id, title, about, unit, most, steps: &steps, series, table: words.numbers, time: words.time }.draw()
}

fn messages(id: &str, words: &Words, of: &ChartWords, steps: &[Activity]) -> Markup {
    let series = |name, count: fn(&Activity) -> u64| Series {
        name,
        values: steps.iter().map(|step| Some(u32::try_from(count(step)).unwrap_or(u32::MAX))).collect(),
    };
    let series = [
        series(words.accepted, |step| step.accepted),
        series(words.sent, |step| step.sent),
        series(words.delivered, |step| step.delivered),
    ];
    drawn(id, words, (of.messages, of.messages_about), "", None, steps, &series)
}

fn rate(id: &str, words: &Words, of: &ChartWords, steps: &[Activity]) -> Markup {
    let series = [Series { name: words.rate, values: steps.iter().map(percent).collect() }];
    drawn(id, words, (of.rate, of.rate_about), " %", Some(100), steps, &series)
}

/// How many of a hundred messages that were sent have arrived; `None`: none was sent.
fn percent(step: &Activity) -> Option<u32> {
    let share = step.arrived.saturating_mul(100).checked_div(step.sent)?;
    u32::try_from(share).ok()
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::Timestamp;

    use super::*;

    #[test]
    fn the_rate_is_of_what_was_sent() {
        let of = |sent, arrived| percent(&Activity { sent, arrived, ..Activity::none(Timestamp::from_millis(0)) });
        assert_eq!([of(0, 0), of(3, 0), of(3, 2), of(3, 3)], [None, Some(0), Some(66), Some(100)]);
    }
}
