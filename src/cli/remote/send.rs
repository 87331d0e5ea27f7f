//! `kurir send`: one message.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use kurir_core::port::Entropy as _;
use serde_json::{Value, json};

use super::status::{Status, Usage};
use super::{Gateway, Output, show};
use crate::client::{Client, ClientError, Method};
use crate::config::parse_span;

/// Looks at a message at first after this, then more and more seldom.
const SOON: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(2);

/// How far a message is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// WhatsApp's server has it.
    Sent,
    /// The phone has it.
    Delivered,
}

/// From whom, to whom, and how long to wait for it.
#[derive(Clone, Debug, Args)]
pub struct Way {
    /// The session that sends it.
    #[arg(long, required_unless_present = "pool", conflicts_with = "pool")]
    pub session: Option<String>,
    /// The pool of which any session may send it.
    #[arg(long)]
    pub pool: Option<String>,
    /// The recipient's number, as people write it.
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// Its id, a UUID: the same id again is the same message. Without it one is made.
    #[arg(long, value_name = "UUID")]
    pub id: Option<String>,
    /// Its deadline from now on, like 2m: past it nothing is sent. Of an OTP 2m without it.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub ttl: Option<Duration>,
    /// Words of your own, repeated in every event; may be given more than once.
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = pair)]
    pub metadata: Vec<(String, String)>,
    /// Wait until it has come so far; the status is 5 if it does not.
    #[arg(long, value_enum)]
    pub wait: Option<Until>,
    /// Wait no longer than this.
    #[arg(long = "for", value_name = "SPAN", value_parser = span, default_value = "1m")]
    pub patience: Duration,
}

/// A message.
#[derive(Clone, Debug, Args)]
pub struct SendArgs {
    #[command(flatten)]
    way: Way,
    /// `otp` goes before `bulk`, which is the default; it needs a deadline.
    #[arg(long, value_parser = ["otp", "bulk"])]
    lane: Option<String>,
    /// What it says.
    text: String,
}

/// A span of time as the settings have it.
pub fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).ok_or_else(|| "a span of time is expected, like 500ms, 30s, 1m30s or 6h".to_owned())
}

/// `KEY=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is expected")?;
    if key.is_empty() { Err("the key is empty".to_owned()) } else { Ok((key.to_owned(), value.to_owned())) }
}

/// A random id: with one of our own the request can be repeated.
pub(super) fn fresh_id() -> String {
    uuid::Builder::from_random_bytes(kurir_core::memory::SystemEntropy.nonce().to_be_bytes()).into_uuid().to_string()
}

/// Whether a state is as far as somebody waits for.
pub fn has_arrived(state: &str, until: Until) -> bool {
    match until {
        Until::Sent => matches!(state, "sent" | "delivered" | "read"),
        Until::Delivered => matches!(state, "delivered" | "read"),
    }
}

/// Whether nothing follows a state, or nothing that anybody would wait for.
pub fn is_over(state: &str) -> bool {
    matches!(state, "failed" | "expired" | "uncertain" | "cancelled" | "read")
}

/// Whether a message in this state never goes out.
fn is_lost(state: &str) -> bool {
    matches!(state, "failed" | "expired" | "cancelled")
}

/// Sends it.
pub async fn run(args: SendArgs, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let content = json!({"type": "text", "text": args.text});
    let client = gateway.client()?;
    deliver(&client, gateway.output, &args.way, args.lane, content, None).await
}

/// Hands a message in, and waits for it where that was asked for. `beside` is shown with it.
pub(super) async fn deliver(
    client: &Client,
    output: Output,
    way: &Way,
    lane: Option<String>,
    content: Value,
    beside: Option<(&str, String)>,
) -> anyhow::Result<ExitCode> {
    let id = way.id.clone().unwrap_or_else(fresh_id);
    let mut body = json!({"id": id, "to": way.to, "content": content});
    let metadata: BTreeMap<_, _> = way.metadata.iter().cloned().collect();
    let parts = [
        ("session", way.session.clone().map(Value::from)),
        ("pool", way.pool.clone().map(Value::from)),
        ("lane", lane.map(Value::from)),
        ("ttl", way.ttl.map(|ttl| Value::from(ttl.as_secs().max(1)))),
        ("metadata", (!metadata.is_empty()).then(|| json!(metadata))),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    let answer = client.call_patiently(Method::Post, &["v1", "messages"], &[], Some(&body)).await?;
    let mut message = answer.body;
    let mut status = ExitCode::SUCCESS;
    // Taken back by the gateway, say, because its queue did not answer: under this id it is never sent.
    if message["state"].as_str().is_some_and(is_lost) {
        status = Status::NotDelivered.into();
    } else if let Some(until) = way.wait {
        let (last, arrived) = follow(client, &message, until, way.patience).await?;
        message = last;
        if !arrived {
            status = Status::NotDelivered.into();
        }
    }
    if let Some((name, value)) = beside {
        message[name] = value.into();
    }
    show::one(output, ["message", ""], &message);
    Ok(status)
}

/// Looks at a message until it has arrived, is over, or the patience is.
async fn follow(
    client: &Client,
    message: &Value,
    until: Until,
    patience: Duration,
) -> Result<(Value, bool), ClientError> {
    let deadline = tokio::time::Instant::now() + patience;
    let id = message["id"].as_str().unwrap_or_default().to_owned();
    let (mut message, mut pause) = (message.clone(), SOON);
    loop {
        let state = message["state"].as_str().unwrap_or_default();
        if has_arrived(state, until) {
            return Ok((message, true));
        }
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        if is_over(state) || left.is_zero() {
            return Ok((message, false));
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(SELDOM);
        message = client.get(&["v1", "messages", &id], &[]).await?;
    }
}

/// One line of standard input, for what must not stand on the command line.
pub(super) fn one_line(what: &str) -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let line = line.trim();
    if line.is_empty() {
        bail!(Usage(format!("{what} is expected on standard input")));
    }
    Ok(line.to_owned())
}
