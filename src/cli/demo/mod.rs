//! `kurir demo`: the main job on one machine, from two scans to 205 ended jobs, judged by what the phones show.

mod flow;
mod link;
mod recipients;
mod tally;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

/// Options of the demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The recipients: a CSV file with the header `number,text`.
    #[arg(long, value_name = "FILE", default_value = "config/demo/recipients.csv")]
    recipients: PathBuf,
    /// Exit after the table instead of serving until Ctrl-C.
    ///
    /// The status is 0 only if every phone shows its message exactly once and all other rows ended with a reason that
    /// fits them.
    #[arg(long)]
    once: bool,
    /// The folder for the database and its key [default: a new one below var/demo].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// A row of the recipients with the job it became.
struct Enqueued {
    job: uuid::Uuid,
    number: String,
    text: String,
    at: kurir_core::domain::Timestamp,
}

/// Runs the demo until it is done, or until `stop`.
pub async fn run(args: DemoArgs, config: crate::config::Config, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    flow::run(args, config, stop).await
}
