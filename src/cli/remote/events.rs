//! `kurir events`: what happens, as it happens.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use kurir_core::memory::SystemEntropy;
use kurir_core::policy::Backoff;
use kurir_core::port::Entropy as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Gateway, Output, Status, show};
use crate::client::{ClientError, EventLine, EventWish, Events};

/// Pauses while the stream can't be opened again.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(500), max: Duration::from_secs(15) };

/// Before any event.
const BEGINNING: &str = "1970-01-01T00:00:00Z";

/// Which events, and for how long.
#[derive(Clone, Debug, Args)]
pub struct EventsArgs {
    /// Go on for ever, and open the stream again where it broke. Without it: what is there already, all of it or --since, --after.
    #[arg(long)]
    follow: bool,
    /// Only these, like `message.delivered` or `session.*`; may be given more than once.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only those of this session.
    #[arg(long)]
    session: Option<String>,
    /// Those from this moment on, as far as they are kept, like 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "MOMENT")]
    since: Option<String>,
    /// Those after this one: what stood in brackets at the end of the last line, or as its `position`.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// End after so many.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// Why a stream was left.
enum Left {
    /// All that was asked for was shown.
    Done,
    /// It broke, or the gateway ended it; to be gone on with.
    Broken(String, Option<Duration>),
}

/// Prints them, until Ctrl-C at the latest. A line is printed whole or not at all.
pub async fn run(args: EventsArgs, gateway: &Gateway, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let done = stop.run_until_cancelled(follow(args, gateway)).await;
    done.unwrap_or_else(|| Ok(Status::Interrupted.into()))
}

async fn follow(args: EventsArgs, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let client = gateway.client()?;
    let EventsArgs { follow, types, session, since, after, mut count } = args;
    // A stream that does not go on would be empty if it began now.
    let begins = since.is_some() || after.is_some() || follow;
    let since = if begins { since } else { Some(BEGINNING.to_owned()) };
    let mut wish = EventWish { types, session, since, after, follow };
    let (mut failures, mut opened) = (0, false);
    loop {
        let left = match client.events(&wish).await {
            Ok(mut events) => {
                (failures, opened) = (0, true);
                let left = read(&mut events, gateway.output, &mut count).await?;
                wish.after = events.position().map(str::to_owned).or(wish.after);
                left
            }
            // What is wrong from the start is told; what breaks later is gone on with.
            Err(error) if follow && opened && error.is_transient() => {
                Left::Broken(error.to_string(), error.retry_after())
            }
            Err(error) => return Err(error.into()),
        };
        let Left::Broken(reason, wait) = left else { return Ok(ExitCode::SUCCESS) };
        if !follow {
            bail!(ClientError::Unreachable { url: client.url().to_owned(), reason });
        }
        failures += 1;
        let pause = wait.unwrap_or_else(|| BACKOFF.delay(failures, SystemEntropy.fraction()));
        eprintln!("{reason}; going on in {} s", pause.as_secs().max(1));
        tokio::time::sleep(pause).await;
    }
}

/// Shows what comes until the stream ends or enough has come.
async fn read(events: &mut Events, output: Output, count: &mut Option<u64>) -> anyhow::Result<Left> {
    while *count != Some(0) {
        let event = match events.next().await {
            Ok(event) => event,
            Err(error) => return Ok(Left::Broken(error.to_string(), error.retry_after())),
        };
        let reason = show::text(&event.data, "reason");
        match event.kind.as_deref() {
            Some("gap") => eprintln!("warning: {reason}"),
            Some("end") => match reason.as_str() {
                "caught_up" => return Ok(Left::Done),
                "key_ended" => bail!("the gateway has ended the stream: the API key has ended"),
                _ => return Ok(Left::Broken(format!("the gateway has ended the stream ({reason})"), None)),
            },
            _ => {
                tell(output, &event)?;
                *count = count.map(|left| left - 1);
            }
        }
    }
    Ok(Left::Done)
}

fn tell(output: Output, event: &EventLine) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => writeln!(out, "{}", with_position(event))?,
        Output::Table => writeln!(out, "{}", line(event))?,
    }
    // Whoever reads along through a pipe wants it now.
    out.flush()
}

/// The event as the gateway tells it, and where to go on behind it.
fn with_position(event: &EventLine) -> Value {
    let mut data = event.data.clone();
    if let (Some(fields), Some(position)) = (data.as_object_mut(), &event.id) {
        fields.insert("position".to_owned(), position.as_str().into());
    }
    data
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
    if let Some(position) = &event.id {
        let _ = write!(line, "  ({position})");
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
        assert_eq!((&with_position(&event)["position"], &with_position(&event)["id"]), (&json!("7"), &json!("e1")));
        assert_eq!(
            line(&event),
            "2026-11-28T12:00:00.000Z  message.failed          session=s1  state=failed  reason=bad [31mnumber  (7)"
        );
    }
}
