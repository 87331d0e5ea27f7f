//! Dead letters as text and as JSON. What producers wrote is masked or left out, and nothing of it reaches a terminal
//! as it is.

use std::fmt::Write as _;

use comfy_table::Table;
use kurir_core::domain::{JobId, PhoneNumber, Timestamp};
use kurir_core::port::DeadJob;
use serde_json::{Value, json};

/// What of a body may be told: its ids, and the number masked.
#[derive(Default)]
struct Glance {
    job: Option<String>,
    tenant: Option<String>,
    to: Option<String>,
}

impl Glance {
    fn of(letter: &DeadJob) -> Self {
        let body: Value = serde_json::from_slice(&letter.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let beside = letter.headers.message_id.as_deref();
        // Only what has the form of an id: whatever else stands there is the producer's secret.
        let job = text("id").into_iter().chain(beside).find_map(|id| id.parse::<JobId>().ok());
        let tenant = text("tenant").and_then(|tenant| tenant.parse::<kurir_core::domain::TenantId>().ok());
        let to = text("to").and_then(|to| PhoneNumber::parse(to, None).ok());
        Self {
            job: job.map(|job| job.to_string()),
            tenant: tenant.map(|tenant| tenant.to_string()),
            to: to.map(|to| to.masked()),
        }
    }
}

/// The text without what steers a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// When it died or, where nobody wrote that down, when it was enqueued.
fn moment(letter: &DeadJob) -> Option<Timestamp> {
    letter.at.or(letter.headers.enqueued_at)
}

fn session(letter: &DeadJob) -> String {
    letter.session().map_or_else(|| plain(&letter.key), |session| session.to_string())
}

fn rfc3339(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_rfc3339)
}

/// A letter in a list, as JSON.
pub(super) fn line(letter: &DeadJob) -> Value {
    let Glance { job, tenant, to } = Glance::of(letter);
    json!({
        "id": letter.id.0, "reason": letter.reason, "detail": letter.detail, "key": letter.key,
        "session": letter.session().map(|session| session.to_string()),
        "lane": letter.place().map(|(_, lane)| lane.as_str()),
        "died_at": rfc3339(letter.at), "enqueued_at": rfc3339(letter.headers.enqueued_at),
        "job": job, "tenant": tenant, "to": to, "attempts": letter.headers.attempt, "bytes": letter.body.len(),
    })
}

/// A letter with its headers, and its body if that is wanted, as JSON.
pub(super) fn whole(letter: &DeadJob, body: bool) -> Value {
    let mut value = line(letter);
    let headers = &letter.headers;
    value["headers"] = json!({
        "type": headers.kind, "message_id": message_id(letter), "parked": headers.hop,
        "not_before": rfc3339(headers.not_before), "traceparent": headers.traceparent, "user": headers.user,
    });
    if body {
        value["body"] = match std::str::from_utf8(&letter.body) {
            Ok(text) => json!(text),
            Err(_) => {
                json!({"base64": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &letter.body)})
            }
        };
    }
    value
}

/// What stands beside the body as its id, if that is one.
fn message_id(letter: &DeadJob) -> Option<String> {
    let text = letter.headers.message_id.as_deref()?;
    let shown = text.parse::<JobId>().map(|id| id.to_string());
    Some(shown.unwrap_or_else(|_| format!("not an id ({} characters)", text.chars().count())))
}

const HEAD: [&str; 8] = ["ID", "WHEN", "REASON", "DETAIL", "SESSION", "LANE", "TO", "JOB"];

/// Letters in columns; nothing where there are none.
pub(super) fn table(letters: &[DeadJob]) -> String {
    if letters.is_empty() {
        return String::new();
    }
    let dash = || "-".to_owned();
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(HEAD);
    for letter in letters {
        let glance = Glance::of(letter);
        table.add_row([
            letter.id.to_string(),
            rfc3339(moment(letter)).unwrap_or_else(dash),
            plain(&letter.reason),
            if letter.detail.is_empty() { dash() } else { plain(&letter.detail) },
            session(letter),
            letter.place().map_or_else(dash, |(_, lane)| lane.to_string()),
            glance.to.unwrap_or_else(dash),
            glance.job.unwrap_or_else(dash),
        ]);
    }
    format!("{table}\n")
}

/// A letter on a sheet of its own.
pub(super) fn sheet(letter: &DeadJob, body: bool) -> String {
    let glance = Glance::of(letter);
    let headers = &letter.headers;
    let kind = Some(plain(&headers.kind)).filter(|kind| !kind.is_empty());
    let detail = Some(plain(&letter.detail)).filter(|detail| !detail.is_empty());
    let lines = [
        ("id", Some(letter.id.to_string())),
        ("reason", Some(plain(&letter.reason))),
        ("detail", detail),
        ("key", Some(plain(&letter.key))),
        ("died at", rfc3339(letter.at)),
        ("enqueued at", rfc3339(headers.enqueued_at)),
        ("job", glance.job),
        ("tenant", glance.tenant),
        ("to", glance.to),
        ("type", kind),
        ("message-id", message_id(letter)),
        ("user", headers.user.as_deref().map(plain)),
        ("attempts", Some(headers.attempt.to_string())),
        ("parked", Some(headers.hop.to_string())),
        ("not before", rfc3339(headers.not_before)),
        ("traceparent", headers.traceparent.as_deref().map(plain)),
        ("bytes", Some(letter.body.len().to_string())),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<12} {value}");
        }
    }
    if body {
        let lossy = String::from_utf8_lossy(&letter.body);
        let lines: Vec<String> = lossy.lines().map(plain).collect();
        let _ = writeln!(text, "\n{}", lines.join("\n"));
    }
    text
}
