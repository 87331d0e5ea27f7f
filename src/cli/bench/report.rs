//! The table of a run.

use std::time::Duration;

use comfy_table::{CellAlignment, Table};

use super::figures::{Figures, Latency};

fn millis(span: Duration) -> String {
    format!("{:.1}", span.as_secs_f64() * 1000.0)
}

fn ranks(latency: Latency) -> String {
    format!("{} / {}", millis(latency.p50), millis(latency.p99))
}

/// All figures, each beside the ratio to `base`, the client alone with as many messages at once as a lane has.
pub fn table(figures: &[Figures], base: &Figures) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "",
        "messages/s",
        "to client alone",
        "sender CPU ms/message",
        "to client alone",
        "simulator CPU",
        "bench CPU",
        "p50 / p99 ms, all at once",
        "p50 / p99 ms, one by one",
    ]);
    let base_cpu = base.per_message(base.sender_cpu);
    for figures in figures {
        let cpu = figures.per_message(figures.sender_cpu);
        let bench = figures.bench_cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{:.2}", figures.per_message(cpu)));
        table.add_row([
            figures.name.clone(),
            format!("{:.0}", figures.rate()),
            format!("{:.2}", figures.rate() / base.rate()),
            format!("{cpu:.2}"),
            format!("{:.2}", cpu / base_cpu),
            format!("{:.2}", figures.per_message(figures.simulator_cpu)),
            bench,
            ranks(figures.latency),
            figures.single.map_or_else(|| "-".to_owned(), ranks),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
