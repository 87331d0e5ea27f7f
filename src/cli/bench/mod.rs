//! `kurir bench`: how fast, and at which price in CPU time. Everything runs on this machine: a simulator and a worker as
//! processes of their own, so that each one's CPU time can be told, and beside them the WhatsApp client alone.

mod alone;
mod bare;
mod crowd;
mod figures;
mod fleet;
mod flood;
mod gateway;
mod launch;
mod link;
mod process;
mod report;
mod send;
mod takeover;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use kurir_core::domain::Lane;

use crate::config::Config;

/// Options of the benchmark.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Sends texts to distinct numbers through RabbitMQ, Redis and PostgreSQL (set their addresses as for a worker),
    /// and beside it with the WhatsApp client alone; tells the ratio. The servers should be throw-away ones: a schema
    /// per step stays in PostgreSQL.
    Send(SendArgs),
    /// Connects many clients to one simulator, in memory and without any server; tells what the simulator spends on each.
    Crowd(CrowdArgs),
    /// Kills the worker that has all sessions, and stops another one; tells how long sessions are without a connection. It
    /// needs the servers, as `send` does.
    Takeover(TakeoverArgs),
    /// Has the gateway of one process (SQLite, simulator and worker in it) take as many messages as it can; tells how many
    /// a second, and how long each took. Nothing has to be installed.
    Gateway(GatewayArgs),
    /// The client alone; started by `send`, obeys lines on its standard input.
    #[command(hide = true)]
    Bare,
}

/// Options of `kurir bench send`.
#[derive(Debug, Args)]
struct SendArgs {
    /// Jobs per step, and messages per loop of the client alone.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    jobs: u32,
    /// One step for each of these numbers of sessions.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50], value_parser = clap::value_parser!(u16).range(1..=1000))]
    sessions: Vec<u16>,
    /// The lane of the jobs.
    #[arg(long, value_enum, default_value_t = LaneArg::Otp)]
    lane: LaneArg,
    /// Jobs of each step that are sent one after another at the end, for the latency without a queue.
    #[arg(long, default_value_t = 200)]
    singles: u32,
}

/// Options of `kurir bench takeover`.
#[derive(Debug, Args)]
struct TakeoverArgs {
    /// Sessions of the worker that is killed.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    sessions: u16,
    /// Workers beside it.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=20))]
    workers: u16,
}

/// Options of `kurir bench crowd`.
#[derive(Debug, Args)]
struct CrowdArgs {
    /// Linked devices, each of a number of its own.
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=15_000))]
    devices: u32,
    /// Messages, shared out over all devices, each to a number of its own.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    /// Messages on their way at the same time.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
}

/// Options of `kurir bench gateway`.
#[derive(Debug, Args)]
struct GatewayArgs {
    /// For how many seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=120))]
    seconds: u32,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: u16,
    /// Linked sessions that the messages are for.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=50))]
    sessions: u16,
    /// Messages in one request; 0: single messages.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    rows: u32,
    /// Gives each request an Idempotency-Key.
    #[arg(long)]
    named: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LaneArg {
    Otp,
    Bulk,
}

impl From<LaneArg> for Lane {
    fn from(lane: LaneArg) -> Self {
        match lane {
            LaneArg::Otp => Self::Otp,
            LaneArg::Bulk => Self::Bulk,
        }
    }
}

/// The configuration as it stood on the command line, to be handed on to the processes that are started.
pub struct Given {
    /// Files.
    pub files: Vec<PathBuf>,
    /// Single settings.
    pub settings: Vec<String>,
}

/// Runs the benchmark.
pub async fn run(args: BenchArgs, config: Config, given: Given) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Send(args) => Box::pin(send::run(args, config, given)).await?,
        What::Crowd(args) => Box::pin(crowd::run(args, config, given)).await?,
        What::Takeover(args) => Box::pin(takeover::run(args, config, given)).await?,
        What::Gateway(args) => Box::pin(gateway::run(args, given)).await?,
        What::Bare => bare::run(&config).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What every message says, whoever sends it.
const TEXT: &str = "Your code is 123456. It is valid for five minutes; do not tell it to anybody.";

/// The number of the `at`th recipient; those of one step are all different, and none is a sender.
fn recipient(at: u32) -> String {
    format!("62899{at:08}")
}

/// The number of the `at`th sender.
fn sender(at: usize) -> String {
    format!("62811{at:08}")
}
