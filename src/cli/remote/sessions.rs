//! `kurir sessions` over the API.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::send::{pair, span};
use super::session_limits::{self, OwnLimitsArgs};
use super::status::Usage;
use super::{Gateway, Output, cleanup, qr, show};
use crate::cli::transfer::Transfer;
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
        /// What people call it.
        #[arg(long)]
        name: Option<String>,
        /// What it is found by; may be given more than once.
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
        /// Make it the one that sends where none is named.
        #[arg(long)]
        default: bool,
        /// Don't connect it yet.
        #[arg(long, conflicts_with = "qr")]
        stopped: bool,
        /// Show its QR code at once, until it is linked.
        #[arg(long)]
        qr: bool,
    },
    /// Lists sessions with their state and their worker. Without the address of a gateway: all of the store's.
    List {
        #[command(flatten)]
        which: Which,
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
    /// Keeps the oldest session and removes all others: they are logged out, and the oldest is started and becomes the default.
    Cleanup {
        /// Don't ask.
        #[arg(long)]
        yes: bool,
    },
    /// Calls it something else, or labels it otherwise; its id stays, and whatever is not named.
    Rename {
        /// The session.
        session: String,
        /// What people call it.
        #[arg(required_unless_present_any = ["no_name", "labels", "no_labels"])]
        name: Option<String>,
        /// Call it nothing but by its id.
        #[arg(long, conflicts_with = "name")]
        no_name: bool,
        /// A label to set; may be given more than once.
        #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
        /// A label to remove; may be given more than once.
        #[arg(long = "no-label", value_name = "KEY")]
        no_labels: Vec<String>,
    },
    /// Puts it into a pool, which is made by its first use, or takes it out of its pool.
    Pool {
        /// The session.
        session: String,
        /// The pool.
        #[arg(required_unless_present = "none")]
        pool: Option<String>,
        /// Out of its pool.
        #[arg(long, conflicts_with = "pool")]
        none: bool,
    },
    /// Shows its limits and what is left of today, or gives it limits of its own; those that are not named stay
    Limits {
        /// The session.
        session: String,
        #[command(flatten)]
        own: OwnLimitsArgs,
    },
    /// Shows the session that sends where none is named, or names another one.
    Default {
        /// The session that is to be it.
        session: Option<String>,
        /// Have none.
        #[arg(long, conflicts_with = "session")]
        none: bool,
    },
    /// Shows the writer of messages that they were read.
    Read {
        /// The session.
        session: String,
        /// Who wrote, as people write a number.
        number: String,
        /// WhatsApp's ids of the messages, as `message.received` tells them.
        #[arg(required = true)]
        messages: Vec<String>,
    },
    /// Shows in a chat that somebody writes, or not any more.
    Typing {
        /// The session.
        session: String,
        /// Whose chat, as people write a number.
        number: String,
        /// What is shown.
        #[arg(value_parser = ["typing", "recording", "paused"], default_value = "typing")]
        state: String,
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
    #[command(flatten)]
    Transfer(Transfer),
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

/// Which sessions are listed; those that fit all of it. The store lists all it has.
#[derive(Debug, Default, Args)]
pub struct Which {
    /// In this state, like `connected`.
    #[arg(long)]
    state: Option<String>,
    /// Of this pool.
    #[arg(long)]
    pool: Option<String>,
    /// Of exactly this name.
    #[arg(long)]
    name: Option<String>,
    /// With this label; may be given more than once.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

impl Which {
    /// Whether all are meant.
    pub const fn is_all(&self) -> bool {
        self.state.is_none() && self.pool.is_none() && self.name.is_none() && self.labels.is_empty()
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        let given = [("state", &self.state), ("pool", &self.pool), ("name", &self.name)];
        let given = given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        given.chain(self.labels.iter().map(|(key, value)| ("label", format!("{key}:{value}")))).collect()
    }
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
    let (method, path, body) = match asked {
        Sessions::List { which, json } => {
            list(&client, &which, output.json(json)).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Sessions::Cleanup { yes } => {
            cleanup::run(&client, output, yes).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Sessions::Limits { session, own } => {
            let told = session_limits::run(&client, &checked(session)?, &own).await?;
            show::one(output, HEAD, &told);
            return Ok(ExitCode::SUCCESS);
        }
        Sessions::Qr { session, patience } => {
            let told = qr::link(&client, output, &checked(session)?, patience).await?;
            show::one(output, HEAD, &told);
            return Ok(ExitCode::SUCCESS);
        }
        Sessions::Create { qr: true, .. } => {
            let (method, path, body) = request(asked)?;
            let made = ask(&client, method, &path, body.as_ref()).await?;
            let id = made["id"].as_str().unwrap_or_default().to_owned();
            let told = qr::link(&client, output, &id, qr::PATIENCE).await?;
            show::one(output, HEAD, &told);
            return Ok(ExitCode::SUCCESS);
        }
        asked => request(asked)?,
    };
    let told = ask(&client, method, &path, body.as_ref()).await?;
    match (output, &told) {
        // There is nothing to tell but that it is so.
        (Output::Table, Value::Null) => println!("done"),
        _ => show::one(output, HEAD, &told),
    }
    Ok(ExitCode::SUCCESS)
}

/// The head of a sheet about a session.
const HEAD: [&str; 2] = ["session", ""];

/// What is asked of the gateway.
type Request = (Method, Vec<String>, Option<Value>);

/// The request that does what was asked for.
fn request(asked: Sessions) -> anyhow::Result<Request> {
    let path = |session: String, behind: &[&str]| -> anyhow::Result<Vec<String>> {
        let session = checked(session)?;
        Ok(["v1", "sessions", &session].iter().chain(behind).map(|part| (*part).to_owned()).collect())
    };
    let order = |session: String, order: &str| Ok((Method::Post, path(session, &[order])?, None));
    let default = || ["v1", "sessions", "default"].map(str::to_owned).to_vec();
    Ok(match asked {
        Sessions::Create { session, pool, name, labels, default, stopped, .. } => {
            let mut body = json!({});
            for (field, value) in [("id", session), ("pool", pool), ("name", name)] {
                if let Some(value) = value {
                    body[field] = value.into();
                }
            }
            if !labels.is_empty() {
                body["labels"] = labels.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
            }
            for (field, given, value) in [("default", default, true), ("start", stopped, false)] {
                if given {
                    body[field] = value.into();
                }
            }
            (Method::Post, ["v1", "sessions"].map(str::to_owned).to_vec(), Some(body))
        }
        Sessions::Get { session } => (Method::Get, path(session, &[])?, None),
        Sessions::Start { session } => return order(session, "start"),
        Sessions::Stop { session } => return order(session, "stop"),
        Sessions::Restart { session } => return order(session, "restart"),
        Sessions::Logout { session } => return order(session, "logout"),
        Sessions::Delete { session } => (Method::Delete, path(session, &[])?, None),
        Sessions::Rename { session, name, no_name, labels, no_labels } => {
            let mut body = json!({});
            if name.is_some() || no_name {
                body["name"] = json!(name);
            }
            let set = labels.into_iter().map(|(key, value)| (key, Some(value)));
            let changed: BTreeMap<String, Option<String>> =
                set.chain(no_labels.into_iter().map(|key| (key, None))).collect();
            if !changed.is_empty() {
                body["labels"] = json!(changed);
            }
            (Method::Patch, path(session, &[])?, Some(body))
        }
        Sessions::Pool { session, pool, .. } => (Method::Put, path(session, &["pool"])?, Some(json!({ "pool": pool }))),
        Sessions::Default { session: Some(session), .. } => {
            (Method::Put, default(), Some(json!({ "session": checked(session)? })))
        }
        Sessions::Default { none: true, .. } => (Method::Delete, default(), None),
        Sessions::Default { .. } => (Method::Get, default(), None),
        Sessions::Move { session, worker, .. } => {
            (Method::Post, path(session, &["move"])?, Some(json!({ "worker": worker })))
        }
        Sessions::Pair { session, number } => {
            (Method::Post, path(session, &["pairing-code"])?, Some(json!({ "number": number })))
        }
        Sessions::Read { session, number, messages } => {
            let body = json!({ "message_ids": messages });
            (Method::Post, path(session, &["chats", &number, "read"])?, Some(body))
        }
        Sessions::Typing { session, number, state } => {
            let body = json!({ "state": state });
            (Method::Post, path(session, &["chats", &number, "typing"])?, Some(body))
        }
        // These are more than one request, or none.
        Sessions::List { .. }
        | Sessions::Qr { .. }
        | Sessions::Limits { .. }
        | Sessions::Cleanup { .. }
        | Sessions::Transfer(_) => bail!("no single request does that"),
    })
}

/// An empty name would lead to another route, as would the one that stands for the default session.
fn checked(session: String) -> anyhow::Result<String> {
    match session.as_str() {
        "" => bail!(Usage("which session? Its id is empty".to_owned())),
        "default" => {
            bail!(Usage("`default` is the id of no session; `kurir sessions default` shows and names it".to_owned()))
        }
        _ => Ok(session),
    }
}

async fn ask(client: &Client, method: Method, path: &[String], body: Option<&Value>) -> anyhow::Result<Value> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Ok(client.call(method, &path, &[], body).await?.body)
}

/// All sessions of the key's.
async fn list(client: &Client, which: &Which, json: bool) -> anyhow::Result<()> {
    let mut table = show::table(["session", "name", "pool", "state", "wanted", "number", "worker", "why not"]);
    let row = |session: &Value| {
        if json {
            println!("{session}");
            return;
        }
        let fields = ["id", "name", "pool", "state", "wanted", "number", "worker", "reason"];
        table.add_row(fields.map(|field| show::text(session, field)));
    };
    each(client, &which.query(), row).await?;
    if !json {
        println!("{table}");
    }
    Ok(())
}

/// Gives all sessions of the key's that fit, page by page.
pub(super) async fn each(
    client: &Client,
    which: &[(&'static str, String)],
    mut take: impl FnMut(&Value),
) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(which.iter().map(|(name, value)| (*name, value.as_str())));
        query.extend(after.as_deref().map(|after| ("after", after)));
        let page = client.get(&["v1", "sessions"], &query).await?;
        page["sessions"].as_array().into_iter().flatten().for_each(&mut take);
        let next = page["next"].as_str().map(str::to_owned);
        if next.is_none() || next == after {
            return Ok(());
        }
        after = next;
    }
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
