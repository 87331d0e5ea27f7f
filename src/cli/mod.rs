//! The command line: one binary, a subcommand per role.

#[cfg(feature = "simulator")]
mod bench;
mod blast;
mod dead;
#[cfg(feature = "simulator")]
mod demo;
mod files;
mod fleet;
mod keys;
mod limits;
#[cfg(not(feature = "simulator"))]
mod missing;
mod remote;
mod signal;
mod transfer;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::compose;
use crate::config::{Config, Sources, logging};
pub use files::open_files;

/// Configuration that goes with every role.
#[derive(Debug, Args)]
struct Configured {
    /// A file of settings; may be given more than once, the later one wins.
    #[arg(long = "config", value_name = "FILE", global = true)]
    files: Vec<PathBuf>,
    /// One setting, like `--set worker.capacity=50`; may be given more than once.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    settings: Vec<String>,
}

/// kurir sends WhatsApp messages for other services.
///
/// A fleet is gateways, workers and relays beside RabbitMQ, Redis and PostgreSQL; each is a process of this program. The
/// tools speak to a gateway (--url, or KURIR_URL and KURIR_API_KEY), those for operators to the servers of a
/// configuration.
///
/// Exit status: 0 done; 1 failed; 2 wrong command line or settings; 3 the gateway refused; 4 the gateway can't be reached or
/// can't do it now; 5 a message did not come as far as it was to; 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "kurir", version)]
struct Cli {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    gateway: remote::Gateway,
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Serves the HTTP API.
    Gateway,
    /// Holds WhatsApp sessions and sends.
    Worker,
    /// Keeps the log of events, tells webhooks, takes the steps of verifications, raises alerts, publishes what workers left
    /// behind, forgets what is old.
    Relay,
    /// Sends one message.
    Send(Box<remote::SendArgs>),
    /// Sends a one-time password.
    Otp(Box<remote::OtpArgs>),
    /// Sends a message to everybody in a file, goes on where it was cut off, and writes a report.
    Blast(Box<blast::BlastArgs>),
    /// Shows what happens, as it happens.
    Events(remote::EventsArgs),
    /// Prints what a shell needs to complete these commands.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Looks at jobs that could not be processed, tries them again or drops them.
    Dead(dead::DeadArgs),
    /// Creates, links, shows, moves and ends sessions.
    #[command(subcommand)]
    Sessions(remote::Sessions),
    /// Shows the workers, and empties them.
    #[command(subcommand)]
    Workers(fleet::Workers),
    /// Makes, lists, ends and replaces API keys.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Adds, lists, changes and removes users of the admin page.
    #[command(subcommand)]
    Users(users::Users),
    /// Shows all limits of this configuration, and what is left of a session's day.
    Limits(limits::LimitsArgs),
    /// Simulates WhatsApp on this machine.
    #[cfg(feature = "simulator")]
    Sim(SimArgs),
    /// Runs everything in this process: simulator, worker, relay and gateway over SQLite.
    #[cfg(feature = "simulator")]
    Up,
    /// Shows the main job on this machine and judges it by what the simulated phones show.
    #[cfg(feature = "simulator")]
    Demo(demo::DemoArgs),
    #[cfg(not(feature = "simulator"))]
    #[command(flatten)]
    Missing(missing::Role),
    /// Measures speed and CPU against the simulator.
    #[cfg(feature = "simulator")]
    Bench(bench::BenchArgs),
}

/// Settings that `kurir sim` is often given.
#[cfg(feature = "simulator")]
#[derive(Debug, Args)]
struct SimArgs {
    /// Faults and the moment of each, in TOML or JSON (`simulator.scenario`).
    #[arg(long, value_name = "FILE")]
    scenario: Option<String>,
    /// Where accounts, phones and devices survive the end of the process (`simulator.state`).
    #[arg(long, value_name = "DIR")]
    state: Option<String>,
}

/// The demo's settings; others may be laid over them.
#[cfg(feature = "simulator")]
const DEMO_CONFIG: &str = include_str!("../../config/demo.toml");

/// Reads the command line and runs the role.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(not(feature = "simulator"))]
    if let Role::Missing(role) = &cli.role {
        eprintln!("{role}");
        return ExitCode::from(2);
    }
    if let Role::Completions { shell } = cli.role {
        clap_complete::generate(shell, &mut Cli::command(), "kurir", &mut std::io::stdout());
        return ExitCode::SUCCESS;
    }
    if cli.is_remote() {
        return in_a_runtime(ask(cli));
    }
    let config = match load(&cli) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = logging::install(&config.log) {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    open_files();
    in_a_runtime(run(cli, config))
}

fn in_a_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime could not be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kurir: {error:#}");
            remote::status_of(&error).into()
        }
    }
}

impl Cli {
    /// Whether a gateway is asked, so that no configuration is needed. What the store can do as well asks a gateway where
    /// the address of one is given.
    const fn is_remote(&self) -> bool {
        match &self.role {
            Role::Send(_) | Role::Otp(_) | Role::Blast(_) | Role::Events(_) => true,
            Role::Sessions(remote::Sessions::Transfer(_)) => false,
            Role::Sessions(asked) => self.gateway.is_asked() || !asked.is_also_of_the_store(),
            Role::Keys(_) => self.gateway.is_asked(),
            _ => false,
        }
    }
}

/// Does what a gateway is asked for.
async fn ask(cli: Cli) -> anyhow::Result<ExitCode> {
    let gateway = cli.gateway;
    match cli.role {
        Role::Send(args) => remote::send(*args, &gateway).await,
        Role::Otp(args) => remote::otp(*args, &gateway).await,
        Role::Blast(args) => Box::pin(blast::run(*args, &gateway, signal::stop()?)).await,
        Role::Events(args) => remote::events(args, &gateway, signal::stop()?).await,
        Role::Sessions(asked) => remote::sessions(asked, &gateway).await,
        Role::Keys(asked) => remote::keys(asked, &gateway).await,
        // Not remote.
        _ => Ok(ExitCode::FAILURE),
    }
}

fn load(cli: &Cli) -> anyhow::Result<Config> {
    #[cfg_attr(
        not(feature = "simulator"),
        expect(unused_mut, reason = "only roles with the simulator have settings of their own")
    )]
    let mut sources = Sources::of_process(cli.configured.files.clone(), cli.configured.settings.clone());
    #[cfg(feature = "simulator")]
    if let Role::Sim(SimArgs { scenario, state }) = &cli.role {
        let given = [("simulator.scenario", scenario), ("simulator.state", state)];
        let given = given.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?)));
        sources.flags.extend(given);
    }
    #[cfg(feature = "simulator")]
    if matches!(cli.role, Role::Demo(_)) {
        sources.built_in = Some(("config/demo.toml", DEMO_CONFIG));
    }
    Ok(Config::load(&sources)?)
}

async fn run(cli: Cli, config: Config) -> anyhow::Result<ExitCode> {
    let output = cli.gateway.output;
    match cli.role {
        Role::Gateway => compose::gateway(config, signal::stop()?).await?,
        Role::Worker => compose::worker(config, signal::stop()?).await?,
        Role::Relay => compose::relay(config, signal::stop()?).await?,
        Role::Dead(args) => return dead::run(args, &config, output).await,
        Role::Sessions(remote::Sessions::Transfer(asked)) => Box::pin(transfer::run(asked, &config)).await?,
        Role::Sessions(asked) => fleet::sessions(asked, &config, output).await?,
        Role::Workers(asked) => fleet::workers(asked, &config, output).await?,
        Role::Keys(asked) => keys::run(asked, &config, output).await?,
        Role::Users(asked) => users::run(asked, &config, output).await?,
        Role::Limits(args) => limits::run(&args, &config, output).await?,
        // Carried out before anything was loaded.
        Role::Send(_) | Role::Otp(_) | Role::Blast(_) | Role::Events(_) | Role::Completions { .. } => {}
        #[cfg(feature = "simulator")]
        Role::Sim(_) => {
            compose::simulator(config, signal::stop()?, |clients, page| {
                println!("WhatsApp simulator: clients connect to {clients}, control and page at {page}");
            })
            .await?;
        }
        #[cfg(feature = "simulator")]
        Role::Up => {
            let stop = signal::stop()?;
            let up = compose::up(&config).await?;
            println!("gateway {}", up.gateway_url);
            if config.admin.enabled {
                println!("admin   {}/admin", up.gateway_url);
                up.hint_at_first_user().await;
            }
            if let Some(simulator) = up.simulator() {
                println!("phones  {}", simulator.control_url());
            }
            if config.gateway.api_key.is_none() {
                println!("API key {} (made for this run; set gateway.api_key for a lasting one)", up.api_key.expose());
            }
            stop.cancelled().await;
            up.stop().await;
        }
        #[cfg(feature = "simulator")]
        Role::Demo(args) => return demo::run(args, config, signal::stop()?).await,
        #[cfg(not(feature = "simulator"))]
        Role::Missing(role) => anyhow::bail!("{role}"),
        #[cfg(feature = "simulator")]
        Role::Bench(args) => {
            let given = bench::Given { files: cli.configured.files, settings: cli.configured.settings };
            return Box::pin(bench::run(args, config, given)).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_defined() {
        Cli::command().debug_assert();
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn the_simulators_options_are_settings() {
        let cli = Cli::parse_from(["kurir", "sim", "--scenario", "faults.toml", "--state", "var/sim"]);
        let simulator = load(&cli).expect("good settings").simulator;
        assert_eq!((simulator.scenario.as_deref(), simulator.state.as_deref()), (Some("faults.toml"), Some("var/sim")));
    }

    #[test]
    fn a_tool_asks_a_gateway_where_one_is_named_and_the_store_where_that_is_wished() {
        let asks = |line: &[&str]| Cli::parse_from(line).is_remote();
        let url = ["--url", "http://127.0.0.1:8080"];
        for (line, without, with) in [
            (&["kurir", "sessions", "list"][..], false, true),
            (&["kurir", "sessions", "move", "s1", "w1"], false, true),
            (&["kurir", "sessions", "get", "s1"], true, true),
            (&["kurir", "sessions", "export", "s1", "--out", "f"], false, false),
            (&["kurir", "sessions", "change-id", "s1", "s2"], false, false),
            (&["kurir", "keys", "list"], false, true),
            (&["kurir", "send", "--session", "s1", "--to", "1", "x"], true, true),
            (&["kurir", "limits"], false, false),
            (&["kurir", "worker"], false, false),
        ] {
            // The environment of whoever runs the tests may name a gateway.
            if std::env::var_os("KURIR_URL").is_none() {
                assert_eq!(asks(line), without, "{line:?}");
            }
            assert_eq!(asks(&[line, &url].concat()), with, "{line:?}");
        }
        assert!(!asks(&["kurir", "--store", "keys", "list", url[0], url[1]]));
    }

    #[test]
    fn settings_may_stand_before_and_behind_the_role() {
        for line in [["kurir", "--set", "a=1", "worker"], ["kurir", "worker", "--set", "a=1"]] {
            assert_eq!(Cli::parse_from(line).configured.settings, ["a=1"]);
        }
    }
}
