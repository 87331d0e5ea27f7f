//! `kurir demo`: the main job on one machine, from two scans to 205 ended jobs, judged by what the phones show.

mod flow;
mod link;
mod recipients;
mod tally;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Options of the demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The recipients: a CSV file with the header `number,text`.
    #[arg(long, default_value = "config/demo/recipients.csv")]
    recipients: PathBuf,
    /// Exit after the table; status 0 only if every phone shows its message exactly once and the others ended with
    /// their reasons.
    #[arg(long)]
    once: bool,
    /// The folder for the database; a new one below `var/demo` by default.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// A row of the recipients with the job it became.
struct Enqueued {
    job: uuid::Uuid,
    number: String,
    text: String,
    at: kurir_core::domain::Timestamp,
}

/// Runs the demo until it is done, or until Ctrl-C.
pub async fn run(args: DemoArgs, config: crate::config::Config) -> anyhow::Result<ExitCode> {
    flow::run(args, config).await
}
