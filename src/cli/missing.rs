//! What a build without the simulator answers to the roles that need it.

use std::ffi::OsString;
use std::fmt;

use clap::{Args, Subcommand};

/// The roles that only a build with the feature `simulator` has. They are not in the help, but known, so that whoever
/// follows a description of them is told what is missing rather than that he mistyped.
#[derive(Debug, Subcommand)]
pub enum Role {
    /// Simulates WhatsApp.
    #[command(hide = true, disable_help_flag = true)]
    Sim(Anything),
    /// Runs everything in one process, simulator included.
    #[command(hide = true, disable_help_flag = true)]
    Up(Anything),
    /// Shows the main job against the simulator.
    #[command(hide = true, disable_help_flag = true)]
    Demo(Anything),
}

/// Whatever stands behind the role.
#[derive(Debug, Args)]
pub struct Anything {
    #[allow(dead_code, reason = "taken so that it is not an error, and then not looked at")]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Sim(_) => "sim",
            Self::Up(_) => "up",
            Self::Demo(_) => "demo",
        };
        write!(
            f,
            "kurir: `{name}` needs the WhatsApp simulator, and this build has none; \
             build one that has it with: cargo build --features simulator"
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::Cli;

    #[test]
    fn the_roles_are_known_with_all_their_options_and_not_in_the_help() {
        for line in [&["kurir", "demo", "--once"][..], &["kurir", "up", "--help"], &["kurir", "sim", "--set", "a.b=1"]]
        {
            let cli = Cli::try_parse_from(line).unwrap();
            let super::super::Role::Missing(role) = &cli.role else { panic!("{line:?}") };
            assert!(role.to_string().contains(&format!("`{}`", line[1])), "{role}");
        }
        let help = Cli::command().render_help().to_string();
        assert!(help.contains("worker") && !help.contains("demo"), "{help}");
    }
}
