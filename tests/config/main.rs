//! The configuration: shipped files, layers, and what an operator is told of mistakes.

mod files;
mod layers;
mod limits;
mod logs;
mod mistakes;
mod secrets;

use kurir::config::{Config, ConfigError, Sources};

/// A key ring that is one; the key is 32 zero bytes.
const KEYS: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn sources(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, toml).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    (folder, Sources { built_in: None, files: vec![path], environment, flags })
}

fn load(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Config, ConfigError> {
    let (_folder, sources) = sources(toml, environment, flags);
    Config::load(&sources)
}

/// The lines of the error, the folder cut from the file's name.
fn complaints(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> Vec<String> {
    let (folder, sources) = sources(toml, environment, flags);
    let error = Config::load(&sources).expect_err("the configuration was accepted");
    assert!(!error.problems.is_empty());
    let folder = format!("{}/", folder.path().display());
    error.problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
}
