//! `kurir limits`: the effective limits, and what is left of a session's day.

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use kurir_core::domain::{OwnLimits, SessionId};

use super::remote::Output;
use crate::compose::{self, SessionLimits};
use crate::config::{Config, LimitRow, limit_table};

/// What to show.
#[derive(Debug, Args)]
pub struct LimitsArgs {
    /// A session: also what it has spent today and what is left, as of its last message.
    session: Option<SessionId>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the limits.
pub async fn run(args: &LimitsArgs, config: &Config, output: Output) -> anyhow::Result<()> {
    let rows = limit_table(config);
    let session = match &args.session {
        Some(id) => Some(compose::session_limits(config, id).await?),
        None => None,
    };
    if output.json(args.json) {
        let mut told = serde_json::json!({ "limits": rows });
        if let Some(session) = &session {
            told["session"] = serde_json::to_value(session)?;
        }
        println!("{}", serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    println!("{}", table(&rows));
    if let Some(session) = &session {
        println!("{}", of_session(session));
    }
    Ok(())
}

fn table(rows: &[LimitRow]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["limit", "value", "settings", "over it"]);
    for row in rows {
        let reason = row.reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        table.add_row([
            row.limit.to_owned(),
            row.value.clone(),
            row.settings.join("\n"),
            format!("{}{reason}", row.over),
        ]);
    }
    table
}

fn of_session(session: &SessionLimits) -> Table {
    let count = |left: Option<u32>| left.map_or_else(|| "no limit".to_owned(), |left| left.to_string());
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["session", session.session.as_str()]);
    let resting = session
        .rests_until
        .as_deref()
        .map(|until| format!("until {until} ({})", session.rest_reason.as_deref().unwrap_or_default()));
    let day = format!("{}; the next begins at {}", session.time_zone, session.next_day);
    for (name, value) in [
        ("of its own", own(&session.own)),
        ("day in", day),
        ("linked since", session.linked_at.clone().unwrap_or_else(|| "not yet".to_owned())),
        ("rests", resting.unwrap_or_else(|| "no".to_owned())),
        ("cap today", count(session.cap)),
        ("sent today", format!("{} OTPs, {} bulk", session.otp_sent, session.bulk_sent)),
        ("left for OTPs", count(session.otp_left)),
        ("left for bulk jobs", count(session.bulk_left)),
        ("new recipients today", session.new_recipients.to_string()),
        ("new recipients left for OTPs", count(session.new_otp_left)),
        ("new recipients left for bulk jobs", count(session.new_bulk_left)),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    table
}

/// A session's own limits, by the names that `kurir sessions limits` takes.
fn own(own: &OwnLimits) -> String {
    let every = own.every_ms.map(|every| ("every", format!("{every}ms")));
    let named = [
        every,
        own.burst.map(|burst| ("burst", burst.to_string())),
        own.per_day.map(|most| ("per-day", most.to_string())),
        own.cold_per_day.map(|most| ("new-per-day", most.to_string())),
        own.warmed_up.map(|warm| ("warmed-up", warm.to_string())),
    ];
    let told: Vec<_> = named.into_iter().flatten().map(|(name, value)| format!("{name} {value}")).collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}
