//! A tool of the program, run over a SQLite file in a folder.

use std::path::Path;
use std::process::{Command, Output};

/// The key of version 1 is 32 zero bytes.
pub const KEYS: &str = "1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Runs `kurir {tool} {arguments}` over `kurir.db` in this folder, with nothing else in its environment.
#[allow(dead_code, reason = "not every test that runs tools needs it")]
pub fn run(tool: &str, folder: &Path, arguments: &[&str]) -> Output {
    command(tool, folder, arguments).output().expect("kurir is built with the tests")
}

/// The same, yet to be run.
pub fn command(tool: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kurir"));
    command.arg(tool).args(arguments).current_dir(folder).env_clear();
    command.envs([("KURIR_STORE__ENCRYPTION_KEYS", KEYS), ("KURIR_SQLITE__PATH", "kurir.db")]);
    command
}
