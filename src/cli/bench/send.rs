//! `kurir bench send`: the client alone, then kurir around it with more and more sessions, then the table.

use base64::Engine as _;
use kurir_core::domain::Secret;

use super::process::Launch;
use super::{Given, SendArgs, alone, fleet, report};
use crate::cli::signal;
use crate::config::{Config, Role, StoreKind};

/// What the processes under measurement run with, below the settings on the command line: no limit may hold them back,
/// and they take free ports.
const SETTINGS: [(&str, &str); 10] = [
    ("store.kind", "postgres"),
    ("limits.sender.every", "0s"),
    ("limits.sender.burst", "10000"),
    ("limits.numbers.every", "0s"),
    ("limits.numbers.burst", "10000"),
    ("worker.capacity", "1000"),
    ("worker.connect_rate", "50"),
    ("simulator.listen", "127.0.0.1:0"),
    ("simulator.control", "127.0.0.1:0"),
    ("log.filter", "warn"),
];

/// Runs all steps one after another and prints what they gave.
pub async fn run(args: SendArgs, mut config: Config, given: Given) -> anyhow::Result<()> {
    config.store.kind = StoreKind::Postgres;
    // State of a run is worth nothing after it, so a key that nobody knows is as good as a given one.
    let keys = config.store.encryption_keys.get_or_insert_with(fresh_keys).clone();
    config.require_for(Role::Worker)?;
    let stop = signal::stop()?;
    let launch = launch(given, keys);

    println!("{} messages per line, all to different numbers; a release build is what counts", args.jobs);
    let mut figures = alone::measure(&launch, args.jobs, &stop).await?;
    for line in &figures {
        println!("{}: {:.0} messages/s", line.name, line.rate());
    }
    // The second of the three ways.
    let base = figures[1].clone();
    for sessions in args.sessions {
        let plan = fleet::Plan { sessions, jobs: args.jobs, lane: args.lane.into(), singles: args.singles };
        let line = Box::pin(fleet::measure(&config, &launch, plan, &stop)).await?;
        println!("{}: {:.0} messages/s", line.name, line.rate());
        figures.push(line);
    }
    println!("\n{}", report::table(&figures, &base));
    Ok(())
}

fn fresh_keys() -> Secret<String> {
    let key: [u8; 32] = rand::random();
    Secret::new(format!("1:{}", base64::engine::general_purpose::STANDARD.encode(key)))
}

fn launch(given: Given, keys: Secret<String>) -> Launch {
    let mut arguments = Vec::new();
    for file in given.files {
        arguments.extend(["--config".to_owned(), file.display().to_string()]);
    }
    let ours = SETTINGS.iter().map(|(key, value)| format!("{key}={value}"));
    for setting in ours.chain(given.settings) {
        arguments.extend(["--set".to_owned(), setting]);
    }
    Launch { arguments, keys }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn settings(given: &[&str]) -> Vec<String> {
        let given = Given { files: Vec::new(), settings: given.iter().map(|&setting| setting.to_owned()).collect() };
        let arguments = launch(given, fresh_keys()).arguments;
        arguments.chunks(2).map(|pair| pair[1].clone()).collect()
    }

    #[test]
    fn the_settings_of_the_run_hold_and_those_of_the_command_line_win() {
        let sources = |flags| Sources { flags, ..Sources::default() };
        let config = Config::load(&sources(settings(&[]))).unwrap();
        assert!(config.limits.sender.every.is_zero() && config.limits.numbers.every.is_zero());
        assert_eq!(config.store.kind, StoreKind::Postgres);
        let config = Config::load(&sources(settings(&["worker.capacity=7"]))).unwrap();
        assert_eq!(config.worker.capacity, 7);
    }

    #[test]
    fn a_fresh_key_is_one_that_the_store_takes() {
        kurir_core::domain::Keyring::parse(fresh_keys().expose()).unwrap();
    }
}
