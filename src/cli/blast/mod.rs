//! `kurir blast`: one message to everybody in a file.
//!
//! Every row has an id that is made of what it says and to whom, so the same row is the same message however often it is
//! handed in: a blast that was cut off is begun again with the same command, and the gateway recognises what it has. A
//! file beside the rows notes what is known of them; without it nothing is lost and nothing goes out twice as long as
//! the fleet remembers its messages (`relay.remember`), it only takes longer.

mod follow;
mod journal;
mod plan;
mod post;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::remote::{Gateway, Output, Status, Until, has_arrived, status_of};
use journal::{Journal, Standing};
use plan::Plan;

/// A file of recipients, and what to write to them.
#[derive(Clone, Debug, Args)]
pub struct BlastArgs {
    /// A CSV file with a head. One column has the numbers: `to`, `number` or `phone`.
    file: PathBuf,
    /// The session that sends it.
    #[arg(long, required_unless_present = "pool", conflicts_with = "pool")]
    session: Option<String>,
    /// The pool whose sessions send it.
    #[arg(long)]
    pool: Option<String>,
    /// What to write, with the names of columns in braces: "Halo {nama}". Without it the column `text` says it.
    #[arg(long)]
    text: Option<String>,
    /// Tells this blast apart from another one of the same rows: the same text goes to the same number once for each name.
    #[arg(long, default_value = "")]
    name: String,
    /// Messages in one request.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Requests at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    concurrency: u16,
    /// How far each message is to come before the blast is done.
    #[arg(long, value_enum, default_value = "sent", conflicts_with = "no_wait")]
    wait: Until,
    /// Be done once all are handed in.
    #[arg(long)]
    no_wait: bool,
    /// How long to bear a gateway that does not answer, or answers that it can't now.
    #[arg(long, value_name = "SPAN", value_parser = super::remote::span, default_value = "5m")]
    patience: Duration,
    /// Where is noted what is known; FILE.blast without it.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where the report goes, a CSV file; FILE.report.csv without it.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Only look at the file, and say what would be sent.
    #[arg(long)]
    dry_run: bool,
}

impl BlastArgs {
    fn beside(&self, given: Option<&PathBuf>, tail: &str) -> PathBuf {
        given.cloned().unwrap_or_else(|| {
            let mut name = self.file.clone().into_os_string();
            name.push(tail);
            name.into()
        })
    }

    const fn until(&self) -> Option<Until> {
        if self.no_wait { None } else { Some(self.wait) }
    }
}

/// How a blast ended.
enum Ended {
    /// All that can be done is done.
    Done,
    /// Ctrl-C.
    Interrupted,
    /// Nothing more can be done now.
    Failed(anyhow::Error),
}

/// What is known of every row, and where that is noted.
struct Blast {
    plan: Plan,
    standings: Vec<Option<Standing>>,
    /// How often each row had to take another id.
    turns: Vec<u32>,
    journal: Journal,
    bar: ProgressBar,
}

impl Blast {
    /// Notes what is known of a row now.
    fn note(&mut self, at: usize, standing: Standing) -> anyhow::Result<()> {
        let standing = Standing { turn: self.turns[at], ..standing };
        if self.standings[at].as_ref() != Some(&standing) {
            self.journal.note(self.plan.rows[at].id, &standing)?;
            self.standings[at] = Some(standing);
        }
        Ok(())
    }

    /// The id of a row's message.
    fn id(&self, at: usize) -> Uuid {
        self.plan.rows[at].id_in(self.turns[at])
    }

    /// A row's message, as it is handed in.
    fn message(&self, at: usize) -> Value {
        let mut message = self.plan.rows[at].body.clone();
        message["id"] = self.id(at).to_string().into();
        message
    }

    fn count(&self, fits: impl Fn(&Standing) -> bool) -> usize {
        self.standings.iter().flatten().filter(|standing| fits(standing)).count()
    }
}

/// Sends it, or goes on with it.
pub async fn run(args: BlastArgs, gateway: &Gateway, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let plan = Plan::read(&args)?;
    if args.dry_run {
        tell_plan(&plan, gateway.output);
        return Ok(ExitCode::SUCCESS);
    }
    let client = gateway.client()?;
    let state = args.beside(args.state.as_ref(), ".blast");
    let (journal, mut known) = Journal::open(&state, plan.blast)?;
    let standings: Vec<Option<Standing>> = plan.rows.iter().map(|row| known.remove(&row.id)).collect();
    let before = standings.iter().flatten().count();
    if before > 0 {
        eprintln!("going on: {before} of {} rows are handed in already ({})", plan.rows.len(), state.display());
    }
    let turns = standings.iter().map(|standing| standing.as_ref().map_or(0, |standing| standing.turn)).collect();
    let mut blast = Blast { bar: bar(plan.rows.len()), plan, standings, turns, journal };
    let ended = carry_out(&args, &client, &mut blast, &stop).await;
    blast.bar.finish_and_clear();
    let report = args.beside(args.report.as_ref(), ".report.csv");
    report::write(&report, &blast).with_context(|| format!("the report {} can't be written", report.display()))?;
    let good = |standing: &Standing| match args.until() {
        Some(until) => has_arrived(&standing.state, until),
        None => standing.is_taken(),
    };
    let (wanted, arrived) = (blast.plan.rows.len() + blast.plan.bad.len(), blast.count(good));
    tell_end(&blast, arrived, &report, gateway.output);
    match ended {
        Ended::Interrupted => {
            eprintln!("interrupted; the same command goes on where this stopped");
            Ok(Status::Interrupted.into())
        }
        Ended::Failed(error) => {
            eprintln!("kurir: {error:#}; the same command goes on where this stopped");
            Ok(status_of(&error).into())
        }
        Ended::Done if arrived == wanted => Ok(ExitCode::SUCCESS),
        Ended::Done => Ok(Status::NotDelivered.into()),
    }
}

async fn carry_out(
    args: &BlastArgs,
    client: &crate::client::Client,
    blast: &mut Blast,
    stop: &CancellationToken,
) -> Ended {
    let way =
        post::Way { rows: usize::from(args.batch), at_once: usize::from(args.concurrency), patience: args.patience };
    let handed_in = post::all(client, blast, way, stop).await;
    let followed = match (handed_in, args.until()) {
        (Ok(true), Some(until)) => follow::all(client, blast, until, args.patience, stop).await,
        (handed_in, _) => handed_in,
    };
    match followed {
        Ok(true) => Ended::Done,
        Ok(false) => Ended::Interrupted,
        Err(error) => Ended::Failed(error),
    }
}

/// On a terminal; elsewhere it is silent.
fn bar(rows: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(rows).unwrap_or(u64::MAX));
    let style = ProgressStyle::with_template("{msg:11} [{bar:40}] {pos}/{len}  {per_sec}  {eta} left");
    // A template of our own; what is wrong with it shows in the first run.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn tell_plan(plan: &Plan, output: Output) {
    if output == Output::Json {
        let bad: Vec<_> =
            plan.bad.iter().map(|bad| json!({"line": bad.line, "to": bad.to, "reason": bad.reason})).collect();
        println!("{:#}", json!({"blast": plan.blast, "messages": plan.rows.len(), "bad": bad}));
        return;
    }
    for bad in &plan.bad {
        println!("line {}: {}", bad.line, bad.reason);
    }
    println!("{} messages would be sent, {} rows can't be", plan.rows.len(), plan.bad.len());
}

fn tell_end(blast: &Blast, arrived: usize, report: &std::path::Path, output: Output) {
    let mut states = std::collections::BTreeMap::new();
    for standing in blast.standings.iter().flatten() {
        let reason = standing.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        *states.entry(format!("{}{reason}", standing.state)).or_insert(0_usize) += 1;
    }
    for bad in &blast.plan.bad {
        *states.entry(format!("not sent: {}", bad.reason)).or_default() += 1;
    }
    let open = blast.standings.iter().filter(|standing| standing.is_none()).count();
    if open > 0 {
        states.insert("not handed in".to_owned(), open);
    }
    if output == Output::Json {
        let told = json!({
            "blast": blast.plan.blast, "messages": blast.plan.rows.len(), "arrived": arrived, "states": states,
            "report": report.display().to_string(),
        });
        println!("{told:#}");
        return;
    }
    let mut table = super::remote::table(["state", "messages"]);
    for (state, count) in states {
        table.add_row([state, count.to_string()]);
    }
    println!("{table}");
    println!("report: {}", report.display());
}
