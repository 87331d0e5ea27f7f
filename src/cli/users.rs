//! `kurir users`: who may open the admin page, in the store of this configuration.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use kurir_core::domain::{Secret, TenantId, UserName, UserRecord, UserRole};
use serde_json::{Value, json};

use super::remote::Output;
use crate::compose::{By, NewUser, OpenStore, SHORTEST_PASSWORD, UserDesk};
use crate::config::Config;

/// Longest line that is read as a password, in bytes; more is no password and not worth the memory.
const LONGEST_LINE: u64 = 4096;

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Adds a user. The password is asked for.
    Add {
        /// What they sign in as: letters, digits, '.', '_', '-' and '@'. Nobody else in the fleet has it.
        name: UserName,
        /// Whose sessions and messages they see; `fleet.tenant` without it.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// What they may do: admin (everything) or viewer (look, and change nothing).
        #[arg(long, default_value_t = UserRole::Admin)]
        role: UserRole,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Lists users.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<TenantId>,
    },
    /// Gives a user another role, which holds from their next click on.
    Role {
        /// Who.
        name: UserName,
        /// admin or viewer.
        role: UserRole,
    },
    /// Gives a user another password and signs them out everywhere. It is asked for.
    Password {
        /// Who.
        name: UserName,
        #[command(flatten)]
        password: PasswordSource,
    },
    /// Removes a user and signs them out everywhere.
    Remove {
        /// Who.
        name: UserName,
    },
}

/// Where a password comes from. It is never an argument: those can be seen by everybody on the machine.
#[derive(Clone, Copy, Debug, Args)]
pub struct PasswordSource {
    /// Take the first line of the standard input instead of asking.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// Gets it. Blocks while somebody types.
    fn get(self) -> anyhow::Result<Secret<String>> {
        if self.password_stdin {
            return first_line();
        }
        ensure!(
            std::io::stdin().is_terminal(),
            "there is no terminal to ask for the password at; give it as the first line of the standard input, with --password-stdin"
        );
        let ask = |what: &str| {
            rpassword::prompt_password(what)
                .map(Secret::new)
                .context("the password could not be read from the terminal")
        };
        let password = ask(&format!("Password (at least {SHORTEST_PASSWORD} characters): "))?;
        if password != ask("Once more: ")? {
            bail!("the two passwords differ; nothing was changed");
        }
        Ok(password)
    }
}

fn first_line() -> anyhow::Result<Secret<String>> {
    let mut line = String::new();
    let stdin = std::io::Read::take(std::io::stdin().lock(), LONGEST_LINE);
    let read = std::io::BufReader::new(stdin).read_line(&mut line);
    // The text itself is not repeated, whatever was wrong with it.
    read.map_err(|error| anyhow::anyhow!("the password could not be read from the standard input: {}", error.kind()))?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

/// Does it, in the store of this configuration.
pub async fn run(asked: Users, config: &Config, output: Output) -> anyhow::Result<()> {
    // Before the store is opened, so that it is not held while somebody types.
    let password = match &asked {
        Users::Add { password, .. } | Users::Password { password, .. } => {
            let password = *password;
            Some(tokio::task::spawn_blocking(move || password.get()).await??)
        }
        Users::List { .. } | Users::Role { .. } | Users::Remove { .. } => None,
    };
    let store = OpenStore::open(config).await?;
    let password = password.unwrap_or_else(|| Secret::new(String::new()));
    let done = serve(asked, password, config, &store.user_desk(), output).await;
    store.close().await;
    done
}

async fn serve(
    asked: Users,
    password: Secret<String>,
    config: &Config,
    desk: &UserDesk,
    output: Output,
) -> anyhow::Result<()> {
    let json = output.json(false);
    match asked {
        Users::Add { name, tenant, role, .. } => {
            let tenant = tenant.unwrap_or_else(|| config.fleet.tenant.clone());
            let user = desk.add(NewUser { name, tenant, role, password }).await?;
            let said = format!("{} may open the admin page of {} as {}", user.name, user.tenant, user.role);
            show(&user, &said, json)
        }
        Users::List { tenant } => {
            let users = desk.list(tenant.as_ref()).await?;
            if json {
                let users: Vec<Value> = users.iter().map(described).collect();
                println!("{}", serde_json::to_string_pretty(&users)?);
            } else {
                println!("{}", table(&users));
            }
            Ok(())
        }
        Users::Role { name, role } => {
            let user = desk.set_role(By::Operator, &name, role).await?;
            show(&user, &format!("{} is {} now", user.name, user.role), json)
        }
        Users::Password { name, .. } => {
            let user = desk.set_password(By::Operator, &name, password).await?;
            show(&user, &format!("{} has a new password and is signed out everywhere", user.name), json)
        }
        Users::Remove { name } => {
            desk.remove(By::Operator, &name).await?;
            if json {
                println!("{}", json!({ "name": name, "removed": true }));
            } else {
                println!("{name} is removed and signed out everywhere");
            }
            Ok(())
        }
    }
}

fn show(user: &UserRecord, said: &str, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(&described(user))?);
    } else {
        println!("{said}");
    }
    Ok(())
}

fn described(user: &UserRecord) -> Value {
    json!({
        "name": user.name, "tenant": user.tenant, "role": user.role,
        "created_at": user.created_at.to_rfc3339(), "changed_at": user.changed_at.to_rfc3339(),
    })
}

fn table(users: &[UserRecord]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["user", "tenant", "role", "added", "changed"]);
    for user in users {
        table.add_row([
            user.name.to_string(),
            user.tenant.to_string(),
            user.role.to_string(),
            user.created_at.to_rfc3339(),
            user.changed_at.to_rfc3339(),
        ]);
    }
    table
}
