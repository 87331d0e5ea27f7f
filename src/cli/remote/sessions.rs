//! `kurir sessions` over the API.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use serde_json::{Value, json};

use super::send::{pair, span};
use super::status::Usage;
use super::{Gateway, Output, qr, show};
use crate::client::{Client, Method};

/// Sessions asked for at once.
const PAGE: &str = "200";

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// Creates a session, which then waits to be linked.
    Create {
        /// Its id: letters, digits, `-` and `_`. Without one it gets a random one.
        session: Option<String>,
        /// A pool that it is to share jobs of; made by its first use.
        #[arg(long)]
        pool: Option<String>,
        /// Show its QR code at once, until it is linked.
        #[arg(long)]
        qr: bool,
    },
    /// Lists sessions with their state and their worker. Without the address of a gateway: all of the store's.
    List {
        /// One JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Shows one session.
    Get {
        /// The session.
        session: String,
    },
    /// Wants it connected.
    Start {
        /// The session.
        session: String,
    },
    /// Wants it disconnected; it stays linked.
    Stop {
        /// The session.
        session: String,
    },
    /// Disconnects and connects it; it stays linked.
    Restart {
        /// The session.
        session: String,
    },
    /// Unlinks it from its phone; it has to be scanned again.
    Logout {
        /// The session.
        session: String,
    },
    /// Logs it out and removes it; its jobs come to an end.
    Delete {
        /// The session.
        session: String,
    },
    /// Calls it something else; its id stays.
    Rename {
        /// The session.
        session: String,
        /// What people call it.
        name: String,
        /// A label; may be given more than once. Those that are there are replaced.
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
    },
    /// Wants a session with the worker of this name from now on.
    Move {
        /// The session.
        session: String,
        /// The worker's name, as `kurir workers list` tells it.
        #[arg(required_unless_present = "anywhere")]
        worker: Option<String>,
        /// With any worker again.
        #[arg(long, conflicts_with = "worker")]
        anywhere: bool,
    },
    /// Draws its QR code in the terminal, a new one when it ends, until it is linked.
    Qr {
        /// The session.
        session: String,
        /// Give up after this.
        #[arg(long = "for", value_name = "SPAN", value_parser = span, default_value = "5m")]
        patience: Duration,
    },
    /// Asks for a code that links it when it is typed on the phone of this number.
    Pair {
        /// The session.
        session: String,
        /// The number of the phone, as people write it.
        number: String,
    },
}

impl Sessions {
    /// Whether the store can do it as well, for want of a gateway.
    pub const fn is_also_of_the_store(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Move { .. })
    }
}

/// Does it.
pub async fn run(asked: Sessions, gateway: &Gateway) -> anyhow::Result<ExitCode> {
    let (client, output) = (gateway.client()?, gateway.output);
    let path = |session: &str, what: Option<&str>| -> Vec<String> {
        ["v1", "sessions", session].into_iter().chain(what).map(str::to_owned).collect()
    };
    let told = match asked {
        Sessions::Create { session, pool, qr } => {
            let mut body = json!({});
            for (name, value) in [("id", &session), ("pool", &pool)] {
                if let Some(value) = value {
                    body[name] = value.clone().into();
                }
            }
            let made = client.call(Method::Post, &["v1", "sessions"], &[], Some(&body)).await?.body;
            if qr {
                let id = made["id"].as_str().unwrap_or_default().to_owned();
                qr::link(&client, output, &id, qr::PATIENCE).await?
            } else {
                made
            }
        }
        Sessions::List { json } => {
            list(&client, output.json(json)).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Sessions::Qr { session, patience } => qr::link(&client, output, &checked(session)?, patience).await?,
        Sessions::Get { session } => ask(&client, Method::Get, &path(&checked(session)?, None), None).await?,
        Sessions::Start { session } => {
            ask(&client, Method::Post, &path(&checked(session)?, Some("start")), None).await?
        }
        Sessions::Stop { session } => ask(&client, Method::Post, &path(&checked(session)?, Some("stop")), None).await?,
        Sessions::Restart { session } => {
            ask(&client, Method::Post, &path(&checked(session)?, Some("restart")), None).await?
        }
        Sessions::Logout { session } => {
            ask(&client, Method::Post, &path(&checked(session)?, Some("logout")), None).await?
        }
        Sessions::Delete { session } => ask(&client, Method::Delete, &path(&checked(session)?, None), None).await?,
        Sessions::Rename { session, name, labels } => {
            let mut body = json!({ "name": name });
            if !labels.is_empty() {
                body["labels"] = labels.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().collect();
            }
            ask(&client, Method::Patch, &path(&checked(session)?, None), Some(&body)).await?
        }
        Sessions::Move { session, worker, .. } => {
            let body = json!({ "worker": worker });
            ask(&client, Method::Post, &path(&checked(session)?, Some("move")), Some(&body)).await?
        }
        Sessions::Pair { session, number } => {
            let body = json!({ "number": number });
            ask(&client, Method::Post, &path(&checked(session)?, Some("pairing-code")), Some(&body)).await?
        }
    };
    show::one(output, ["session", ""], &told);
    Ok(ExitCode::SUCCESS)
}

/// An empty name would lead to another route.
fn checked(session: String) -> anyhow::Result<String> {
    if session.is_empty() {
        bail!(Usage("which session? Its id is empty".to_owned()));
    }
    Ok(session)
}

async fn ask(client: &Client, method: Method, path: &[String], body: Option<&Value>) -> anyhow::Result<Value> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Ok(client.call(method, &path, &[], body).await?.body)
}

/// All sessions of the key's, page by page.
async fn list(client: &Client, json: bool) -> anyhow::Result<()> {
    let mut table = show::table(["session", "name", "pool", "state", "wanted", "number", "worker", "why not"]);
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page = client.get(&["v1", "sessions"], &query).await?;
        for session in page["sessions"].as_array().into_iter().flatten() {
            if json {
                println!("{session}");
                continue;
            }
            let fields = ["id", "name", "pool", "state", "wanted", "number", "worker", "reason"];
            table.add_row(fields.map(|field| show::text(session, field)));
        }
        let next = page["next"].as_str().map(str::to_owned);
        if next.is_none() || next == after {
            break;
        }
        after = next;
    }
    if !json {
        println!("{table}");
    }
    Ok(())
}

/// For the row of a session that is linked.
pub(super) fn announce(output: Output, session: &Value) {
    if output == Output::Table {
        let number = show::text(session, "number");
        println!(
            "session {} is linked{}",
            show::text(session, "id"),
            if number.is_empty() { String::new() } else { format!(" to {number}") }
        );
    }
}
