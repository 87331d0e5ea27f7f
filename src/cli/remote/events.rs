//! `kurir events`: what happens, as it happens.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kurir_core::memory::SystemEntropy;
use kurir_core::policy::Backoff;
use kurir_core::port::Entropy as _;
use serde_json::Value;

use super::{Gateway, Output, show};
use crate::client::{ClientError, EventLine, EventWish};

/// Pauses while the stream can't be opened again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), max: Duration::from_secs(15) };

/// Which events, and for how long.
#[derive(Clone, Debug, Args)]
pub struct EventsArgs {
    /// Go on for ever: open the stream again where it broke. Without it the command ends with the stream.
    #[arg(long)]
    follow: bool,
    /// Only this type, like `message.delivered`; may be given more than once.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only those of this session.
    #[arg(long)]
    session: Option<String>,
    /// Those after this one: the id of the last event that was seen.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// End after so many.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Prints them.
pub async fn run(args: EventsArgs, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let client = gateway.client()?;
    let mut wish = EventWish { types: args.types, session: args.session, after: args.after };
    let mut left = args.count;
    let (mut failures, mut opened) = (0, false);
    loop {
        let error = match client.events(&wish).await {
            Ok(mut events) => {
                (failures, opened) = (0, true);
                loop {
                    if left == Some(0) {
                        return Ok(ExitCode::SUCCESS);
                    }
                    match events.next().await {
                        Ok(event) => {
                            wish.after = event.id.clone().or(wish.after);
                            tell(gateway.output, &event)?;
                            left = left.map(|left| left - 1);
                        }
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        // What is wrong from the start is told; what breaks later is gone on with.
        if !args.follow || !error.is_transient() || (!opened && !matches!(error, ClientError::Problem(_))) {
            return Err(error.into());
        }
        failures += 1;
        let pause = error.retry_after().unwrap_or_else(|| BACKOFF.delay(failures, SystemEntropy.fraction()));
        eprintln!("{error}; going on in {} s", pause.as_secs().max(1));
        tokio::time::sleep(pause).await;
    }
}

fn tell(output: Output, event: &EventLine) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{}", event.data)?,
        Output::Table => writeln!(out, "{}", line(event))?,
    }
    // Whoever reads along through a pipe wants it now.
    out.flush()
}

/// Moment, type, what it is about, and what stands behind it.
fn line(event: &EventLine) -> String {
    let whole = &event.data;
    let data = if whole["data"].is_object() { &whole["data"] } else { whole };
    let kind = event.kind.clone().unwrap_or_else(|| show::text(whole, "type"));
    let mut line = format!("{}  {kind:<22}", show::text(whole, "time"));
    for field in ["session", "id", "job", "to", "state", "reason", "worker", "from"] {
        let told = show::text(data, field);
        if !told.is_empty() && !matches!(data[field], Value::Object(_)) {
            let _ = write!(line, "  {field}={told}");
        }
    }
    show::plain(line.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_what_and_of_whom() {
        let data = json!({
            "id": "e1", "type": "message.failed", "time": "2026-11-28T12:00:00.000Z",
            "data": {"session": "s1", "state": "failed", "reason": "bad\u{1b}[31mnumber", "metadata": {"a": "b"}}
        });
        let event = EventLine { id: Some("7".to_owned()), kind: None, data };
        assert_eq!(
            line(&event),
            "2026-11-28T12:00:00.000Z  message.failed          session=s1  state=failed  reason=bad [31mnumber"
        );
    }
}
