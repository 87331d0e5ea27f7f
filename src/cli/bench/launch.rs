//! What the processes under measurement are started with.

use base64::Engine as _;
use kurir_core::domain::Secret;

use super::Given;
use super::process::Launch;

/// Settings below those on the command line: no limit may hold the processes back, and they take free ports.
const SETTINGS: [(&str, &str); 13] = [
    ("store.kind", "postgres"),
    ("limits.sender.every", "0s"),
    ("limits.sender.burst", "10000"),
    ("limits.sender.per_day", "0"),
    ("limits.sender.warm_up", ""),
    ("limits.sender.cold_per_day", "0"),
    ("limits.numbers.every", "0s"),
    ("limits.numbers.burst", "10000"),
    ("worker.capacity", "1000"),
    ("worker.connect_rate", "50"),
    ("simulator.listen", "127.0.0.1:0"),
    ("simulator.control", "127.0.0.1:0"),
    ("log.filter", "warn"),
];

/// A key for encryption at rest that nobody knows.
pub fn fresh_keys() -> Secret<String> {
    let key: [u8; 32] = rand::random();
    Secret::new(format!("1:{}", base64::engine::general_purpose::STANDARD.encode(key)))
}

/// Our settings, with those of the command line above them.
pub fn of(given: Given, keys: Secret<String>) -> Launch {
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
    use crate::config::{Config, Sources, StoreKind};

    fn settings(given: &[&str]) -> Vec<String> {
        let given = Given { files: Vec::new(), settings: given.iter().map(|&setting| setting.to_owned()).collect() };
        of(given, fresh_keys()).arguments.chunks(2).map(|pair| pair[1].clone()).collect()
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
