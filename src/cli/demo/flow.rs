//! The demo from beginning to end.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use comfy_table::Table;
use indicatif::{ProgressBar, ProgressStyle};
use kurir_core::domain::{EventKind, FailReason, Lane, PhoneNumber, SessionId, Target, TenantId};
use kurir_core::port::{Enqueued as Answer, EventFilter, EventStream, JobHeaders, PublishJob};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1};
use kurir_sim::SimHandle;
use tokio_util::sync::CancellationToken;

use super::recipients::{self, Row};
use super::tally::{Figures, Tally};
use super::verify::{self, Arrivals};
use super::{DemoArgs, Enqueued, link};
use crate::compose::{Embedded, up};
use crate::config::{Config, Role};

/// The senders: a session and the number of its simulated phone.
const SENDERS: [(&str, &str); 2] = [("demo-1", "6281100000001"), ("demo-2", "6281100000002")];

/// How long the demo waits when nothing happens any more.
const QUIET: Duration = Duration::from_mins(1);

/// How long an OTP of the demo lives.
const OTP_LIFE: Duration = Duration::from_mins(5);

/// Status of a demo that was stopped before its table, as shells give it to what a signal ended.
const INTERRUPTED: u8 = 130;

pub async fn run(args: DemoArgs, mut config: Config, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    config.require_for(Role::Demo)?;
    let rows = recipients::read(&args.recipients)?;
    let data = folder(args.data.clone())?;
    config.sqlite.path = data.join("kurir.db");
    config.store.encryption_keys_file = Some(data.join("encryption.keys").display().to_string());
    println!("kurir demo: simulator, worker, relay and gateway in one process, SQLite in {}", data.display());
    println!(
        "the demo's pace is set high: one message per {:?} and sender, bursts of {} (config/demo.toml); real accounts need a far slower one",
        config.limits.sender.every, config.limits.sender.burst
    );
    // It judges by its own phones, whatever else the settings name.
    config.whatsapp.endpoint = None;
    let up = up(&config).await?;
    let page = phones(&up)?.control_url();
    println!("gateway   {}", up.gateway_url);
    println!("phones    {page}   <- the live page with the phones' inboxes");
    let judged = stop.run_until_cancelled(judge(&args, &config, &up, &rows)).await;
    if let (Some(Ok(_)), false) = (&judged, args.once) {
        println!("\nserving until Ctrl-C; the phones' inboxes: {page}");
        stop.cancelled().await;
    }
    up.stop().await;
    let Some(judged) = judged else { return Ok(ExitCode::from(INTERRUPTED)) };
    Ok(if judged? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The simulator that the demo has started.
pub(super) fn phones(up: &Embedded) -> anyhow::Result<&SimHandle> {
    up.simulator().context("the demo runs a simulator of its own")
}

/// Links, enqueues, waits, prints the table, and tells whether all came out as it should.
async fn judge(args: &DemoArgs, config: &Config, up: &Embedded, rows: &[Row]) -> anyhow::Result<bool> {
    let mut sessions = Vec::new();
    for (at, (session, number)) in SENDERS.into_iter().enumerate() {
        let id = SessionId::new(session)?;
        let number = PhoneNumber::from_digits(number.to_owned())?;
        link::link(up, &id, &number, at == 0).await?;
        sessions.push(id);
    }
    let tenant = config.gateway.tenant.clone().unwrap_or_else(|| config.fleet.tenant.clone());
    let filter = EventFilter { tenant: Some(tenant.clone()), ..EventFilter::default() };
    let mut events = up.backends.event_source.subscribe(filter).await?;
    let enqueued = enqueue(up, rows, &sessions, &tenant).await?;
    println!("{} jobs are in the queues of {} sessions", enqueued.len(), sessions.len());
    let mut tally = Tally::new(enqueued.iter().map(|row| (row.job, row.at)));
    follow(&mut *events, &mut tally, enqueued.len()).await?;

    let country = config.fleet.default_country.as_deref();
    let failed = |row: &Enqueued| tally.reason(&row.job).is_some();
    let inbox = |number: &PhoneNumber| Ok(phones(up)?.inbox(number.digits())?);
    let arrivals = verify::arrivals(&enqueued, country, failed, inbox)?;
    let figures = tally.figures();
    println!("{}", table(enqueued.len(), &figures, &arrivals));
    let complaints = complaints(args, &enqueued, country, &tally, &figures, &arrivals);
    for complaint in &complaints {
        eprintln!("NOT AS IT SHOULD BE: {complaint}");
    }
    Ok(complaints.is_empty())
}

fn folder(asked: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let folder = asked.unwrap_or_else(|| PathBuf::from("var/demo").join(uuid::Uuid::now_v7().simple().to_string()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} can't be made; name another one with --data", folder.display()))?;
    folder.canonicalize().with_context(|| format!("the folder {} can't be found", folder.display()))
}

/// One OTP job per row, shared out evenly, all in the queues before the first is looked at.
async fn enqueue(
    up: &Embedded,
    rows: &[Row],
    sessions: &[SessionId],
    tenant: &TenantId,
) -> anyhow::Result<Vec<Enqueued>> {
    let now = up.backends.clock.now();
    let expires_at = now.plus(OTP_LIFE);
    let mut enqueued = Vec::with_capacity(rows.len());
    let mut jobs = Vec::with_capacity(rows.len());
    for (row, session) in rows.iter().zip(sessions.iter().cycle()) {
        let id = uuid::Uuid::now_v7();
        let wire = JobV1 {
            id,
            tenant: tenant.to_string(),
            session: Some(session.to_string()),
            pool: None,
            to: row.number.clone(),
            lane: Lane::Otp,
            content: ContentV1::text(row.text.clone()),
            expires_at: Some(expires_at.to_rfc3339()),
            enqueued_at: Some(now.to_rfc3339()),
            metadata: std::collections::BTreeMap::new(),
        };
        let headers = JobHeaders { kind: JOB_KIND.into(), message_id: Some(id.to_string()), ..JobHeaders::default() };
        let target = Target::Session(session.clone());
        jobs.push(PublishJob { target, lane: Lane::Otp, body: serde_json::to_vec(&wire)?, headers });
        enqueued.push(Enqueued { job: id, number: row.number.clone(), text: row.text.clone(), at: now });
    }
    let answers = up.backends.jobs.publish(jobs).await?;
    if answers.iter().any(|answer| *answer != Answer::Accepted) {
        bail!("a queue of the demo's sessions is missing");
    }
    Ok(enqueued)
}

/// Follows the events until every job has ended, or until nothing happens any more.
async fn follow(events: &mut dyn EventStream, tally: &mut Tally, jobs: usize) -> anyhow::Result<()> {
    let bar = ProgressBar::new(jobs as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} jobs ended, {msg}")?);
    let mut told = 0;
    while tally.ended() < jobs {
        let Ok(event) = tokio::time::timeout(QUIET, events.next()).await else {
            bar.abandon();
            println!("nothing has happened for {} s", QUIET.as_secs());
            return Ok(());
        };
        let Some(event) = event? else { bail!("the events ended") };
        tally.take(&event.body);
        bar.set_position(tally.ended() as u64);
        bar.set_message(format!("{} decided", tally.decided()));
        let percent = tally.ended() * 100 / jobs;
        if !std::io::stderr().is_terminal() && percent / 25 > told {
            told = percent / 25;
            println!("{percent} % of the jobs have ended");
        }
    }
    bar.finish();
    Ok(())
}

fn table(accepted: usize, figures: &Figures, arrivals: &Arrivals) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["", "count"]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("accepted", accepted.to_string());
    row("sent", figures.sent.to_string());
    row("delivered", figures.delivered.to_string());
    row("read", figures.read.to_string());
    for (reason, count) in &figures.failed {
        row(&format!("failed: {reason}"), count.to_string());
    }
    let millis =
        |span: Option<Duration>| span.map_or_else(|| "-".to_owned(), |span| format!("{} ms", span.as_millis()));
    row("enqueue to WhatsApp's ack, p50", millis(figures.percentile(50)));
    row("enqueue to WhatsApp's ack, p99", millis(figures.percentile(99)));
    row("phones: shown, arrived once", arrivals.once.to_string());
    row("phones: arrived more than once", arrivals.repeated.to_string());
    row("phones: missing", arrivals.missing.to_string());
    table
}

/// What did not come out as it should: every row's text once at its phone, or a reason that fits the row.
fn complaints(
    args: &DemoArgs,
    enqueued: &[Enqueued],
    country: Option<&str>,
    tally: &Tally,
    figures: &Figures,
    arrivals: &Arrivals,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut expect = |what: &str, is: usize, should: usize| {
        if is != should {
            complaints.push(format!("{what}: {is} instead of {should}"));
        }
    };
    let bad = enqueued.iter().filter(|row| tally.reason(&row.job) == Some(FailReason::BadNumber.as_str())).count();
    let absent =
        enqueued.iter().filter(|row| tally.reason(&row.job) == Some(FailReason::NotOnWhatsapp.as_str())).count();
    if args.recipients.ends_with("config/demo/recipients.csv") {
        // The shipped file is known: 200 reachable numbers, 3 without WhatsApp, 2 that are none.
        expect("rows", enqueued.len(), 205);
        expect("failed with bad_number", bad, 2);
        expect("failed with not_on_whatsapp", absent, 3);
    }
    let reachable = enqueued.len() - bad - absent;
    expect("texts that their phone shows exactly once", arrivals.once, reachable);
    expect("texts that arrived more than once", arrivals.repeated, 0);
    expect("texts that are missing on their phone", arrivals.missing, 0);
    expect("messages nobody asked for", arrivals.unasked, 0);
    expect("failed", figures.failures(), bad + absent);
    for (kind, count) in [
        (EventKind::MessageSent, figures.sent),
        (EventKind::MessageDelivered, figures.delivered),
        (EventKind::MessageRead, figures.read),
    ] {
        expect(kind.as_str(), count, reachable);
    }
    let of_rows = enqueued.iter().enumerate().filter_map(|(at, row)| {
        let number = PhoneNumber::parse(&row.number, country);
        let reason = tally.reason(&row.job)?;
        let fits = match &number {
            Ok(_) => reason == FailReason::NotOnWhatsapp.as_str(),
            Err(_) => reason == FailReason::BadNumber.as_str(),
        };
        let number = number.map_or_else(|_| "no number".to_owned(), |number| number.to_string());
        (!fits).then(|| format!("row {} ({number}) failed: {reason}", at + 1))
    });
    complaints.extend(of_rows);
    complaints
}
