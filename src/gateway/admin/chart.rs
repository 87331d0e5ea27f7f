//! Charts of numbers over time: lines drawn as SVG on the server, and the same numbers as a table for who can't see them.

use kurir_core::domain::Timestamp;
use maud::{Markup, html};

/// The drawing's size and the place of the lines in it, in units of its own. Texts stay readable on a narrow phone.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 392.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 170.0;

/// Most lines of a chart, each told apart by its dashes as well as by its colour.
const LINES: usize = 3;
const CLASSES: [&str; LINES] = ["one", "two", "three"];
const DASHES: [&str; LINES] = ["none", "7 3", "2 3"];

/// Labels below the drawing at most.
const LABELS: usize = 6;

/// Parts that the height is cut into at most, more or less.
const PARTS: u32 = 4;

/// One line.
pub(super) struct Series {
    pub name: &'static str,
    /// One for each step; `None` where there is nothing to tell.
    pub values: Vec<Option<u32>>,
}

/// A chart. It shows three series at most.
pub(super) struct Chart<'a> {
    /// Names it within the page.
    pub id: &'a str,
    pub title: &'a str,
    /// What it shows, in a sentence.
    pub about: &'a str,
    /// Behind every number.
    pub unit: &'a str,
    /// The highest number that can be, where there is one.
    pub most: Option<u32>,
    /// When each step began.
    pub steps: &'a [Timestamp],
    pub series: &'a [Series],
    /// The words for the table: what opens it, and the head of its first column.
    pub table: &'a str,
    pub time: &'a str,
}

/// The numbers beside the drawing.
#[derive(Debug, PartialEq, Eq)]
struct Scale {
    step: u32,
    top: u32,
}

impl Scale {
    /// Round numbers, 1, 2 or 5 of some power of ten apart, up to the largest value or a little higher.
    fn of(largest: u32) -> Self {
        let least = largest.div_ceil(PARTS).max(1);
        let powers = (0..10).map(|n| 10_u32.pow(n));
        let mut steps = powers.flat_map(|power| [1, 2, 5].map(|part| power.saturating_mul(part)));
        let step = steps.find(|step| *step >= least).unwrap_or(u32::MAX);
        Self { step, top: largest.div_ceil(step).max(1).saturating_mul(step) }
    }

    fn marks(&self) -> impl Iterator<Item = u32> {
        (0..=self.top / self.step).map(|n| n * self.step)
    }

    fn height(&self, value: u32) -> f64 {
        BOTTOM - (BOTTOM - TOP) * f64::from(value.min(self.top)) / f64::from(self.top)
    }
}

/// How far to the right a step lies.
fn across(place: usize, steps: usize) -> f64 {
    let part = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    LEFT + (RIGHT - LEFT) * part(place) / part(steps.saturating_sub(1).max(1))
}

/// The runs of values that have nothing missing in between, each with its places.
fn runs(values: &[Option<u32>]) -> Vec<Vec<(usize, u32)>> {
    let mut runs: Vec<Vec<(usize, u32)>> = Vec::new();
    let mut open = false;
    for (place, value) in values.iter().enumerate() {
        let Some(value) = value else {
            open = false;
            continue;
        };
        match runs.last_mut().filter(|_| open) {
            Some(run) => run.push((place, *value)),
            None => runs.push(vec![(place, *value)]),
        }
        open = true;
    }
    runs
}

/// The time of day, UTC.
fn clock(at: Timestamp) -> String {
    at.to_rfc3339().get(11..16).unwrap_or_default().to_owned()
}

fn place(at: f64) -> String {
    format!("{at:.1}")
}

impl Chart<'_> {
    fn lines(&self) -> impl Iterator<Item = (&Series, &'static str, &'static str)> {
        let looks = CLASSES.into_iter().zip(DASHES);
        self.series.iter().zip(looks).map(|(series, (class, dashes))| (series, class, dashes))
    }

    fn shown(&self, value: Option<u32>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value}{}", self.unit))
    }

    /// The chart with what its lines mean and the table behind it.
    pub fn draw(&self) -> Markup {
        html! {
            figure .chart {
                (self.drawing())
                figcaption {
                    strong { (self.title) }
                    ul .legend {
                        @for (series, class, dashes) in self.lines() {
                            li {
                                svg viewBox="0 0 28 8" aria-hidden="true" {
                                    line .line .(class) x1="0" y1="4" x2="28" y2="4" stroke-dasharray=(dashes) {}
                                }
                                " " (series.name)
                            }
                        }
                    }
                }
                details {
                    summary { (self.table) span .hidden { ": " (self.title) } }
                    div .wide tabindex="0" role="region" aria-label=(format!("{}: {}", self.table, self.title)) {
                        (self.numbers())
                    }
                }
            }
        }
    }

    fn drawing(&self) -> Markup {
        let values = self.lines().flat_map(|(series, ..)| series.values.iter().copied().flatten());
        let scale = Scale::of(self.most.unwrap_or_else(|| values.max().unwrap_or(0)));
        let (count, every) = (self.steps.len(), self.steps.len().div_ceil(LABELS).max(1));
        let (title, about) = (format!("{}-title", self.id), format!("{}-about", self.id));
        html! {
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-labelledby=(title) aria-describedby=(about) {
                title id=(title) { (self.title) }
                desc id=(about) { (self.about) }
                @for mark in scale.marks() {
                    @let y = place(scale.height(mark));
                    line .axis x1=(place(LEFT)) y1=(y) x2=(place(RIGHT)) y2=(y) {}
                    text x=(place(LEFT - 5.0)) y=(place(scale.height(mark) + 3.5)) text-anchor="end" {
                        (mark) (self.unit)
                    }
                }
                @for (n, at) in self.steps.iter().enumerate().step_by(every) {
                    @let x = place(across(n, count));
                    line .axis x1=(x) y1=(place(BOTTOM)) x2=(x) y2=(place(BOTTOM + 4.0)) {}
                    text x=(x) y=(place(BOTTOM + 17.0)) text-anchor="middle" { (clock(*at)) }
                }
                @for (series, class, dashes) in self.lines() {
                    @for run in runs(&series.values) {
                        @match run.as_slice() {
                            [(n, value)] => {
                                circle .(class) cx=(place(across(*n, count))) cy=(place(scale.height(*value))) r="2" {}
                            }
                            run => {
                                @let points = run.iter().map(|(n, value)| {
                                    format!("{:.1},{:.1}", across(*n, count), scale.height(*value))
                                });
                                polyline .line .(class) stroke-dasharray=(dashes)
                                    points=(points.collect::<Vec<_>>().join(" ")) {}
                            }
                        }
                    }
                }
            }
        }
    }

    fn numbers(&self) -> Markup {
        html! {
            table {
                caption { (self.title) ". " (self.about) }
                thead {
                    tr {
                        th scope="col" { (self.time) }
                        @for (series, ..) in self.lines() {
                            th .number scope="col" { (series.name) }
                        }
                    }
                }
                tbody {
                    @for (n, at) in self.steps.iter().enumerate() {
                        tr {
                            th scope="row" { time datetime=(at.to_rfc3339()) { (clock(*at)) } }
                            @for (series, ..) in self.lines() {
                                td .number { (self.shown(series.values.get(n).copied().flatten())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_reach_the_largest_value() {
        for (largest, step, top) in [
            (0, 1, 1),
            (1, 1, 1),
            (4, 1, 4),
            (5, 2, 6),
            (9, 5, 10),
            (100, 50, 100),
            (101, 50, 150),
            (1234, 500, 1500),
            (u32::MAX, 2_000_000_000, u32::MAX),
        ] {
            let scale = Scale::of(largest);
            assert_eq!(scale, Scale { step, top }, "{largest}");
            assert!(scale.top >= largest && scale.marks().count() <= 6);
        }
    }

    #[test]
    fn places_stay_within_the_drawing() {
        let scale = Scale { step: 5, top: 10 };
        let heights = [0, 5, 10, 99].map(|value| place(scale.height(value)));
        assert_eq!(heights, ["170.0", "90.0", "10.0", "10.0"]);
        let places = [(0, 3), (1, 3), (2, 3), (0, 1), (0, 0)].map(|(n, of)| place(across(n, of)));
        assert_eq!(places, ["46.0", "219.0", "392.0", "46.0", "46.0"]);
    }

    #[test]
    fn a_line_is_broken_where_a_value_is_missing() {
        let values = [None, Some(1), Some(2), None, None, Some(3), None];
        assert_eq!(runs(&values), [vec![(1, 1), (2, 2)], vec![(5, 3)]]);
        assert_eq!(runs(&[]), Vec::<Vec<(usize, u32)>>::new());
    }

    #[test]
    fn the_table_holds_what_is_drawn_and_names_are_inert() {
        let steps: Vec<_> = (0..3).map(|n| Timestamp::from_millis(n * 60_000)).collect();
        let series = [
            Series { name: "a<b", values: vec![Some(1), None, Some(4)] },
            Series { name: "c", values: vec![Some(0), Some(2), Some(2)] },
        ];
        let chart = Chart {
            id: "x",
            title: "Messages",
            about: "How many",
            unit: "",
            most: None,
            steps: &steps,
            series: &series,
            table: "Numbers",
            time: "Time",
        };
        let markup = chart.draw().into_string();
        assert!(!markup.contains("a<b") && markup.matches("a&lt;b").count() == 2);
        assert_eq!((markup.matches("<circle").count(), markup.matches("<polyline").count()), (2, 1));
        assert!(markup.contains("points=\"46.0,170.0 219.0,90.0 392.0,90.0\""), "{markup}");
        assert_eq!(markup.matches("<td").count(), 6);
        assert!(markup.contains("<td class=\"number\">–</td>") && markup.contains(">00:02</time>"));
    }
}
