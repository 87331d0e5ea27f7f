//! `kurir sessions list|move` without a gateway, and `kurir workers`: where sessions are, and where operators want them.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use comfy_table::CellAlignment;
use kurir_core::domain::{SessionId, SessionRecord, WorkerName};
use serde_json::json;

use super::remote::{Output, Sessions, table};
use crate::compose::{Backends, Needs};
use crate::config::{Config, Role};

/// Sessions read per page.
const PAGE: u32 = 500;

/// What can be done with workers.
#[derive(Debug, Subcommand)]
pub enum Workers {
    /// Lists the workers that are alive.
    List {
        /// One JSON object a line instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Has a worker hand over all its sessions, slowly, and take none.
    Drain {
        /// The worker's name.
        worker: String,
    },
    /// Takes a drain back.
    Resume {
        /// The worker's name.
        worker: String,
    },
}

async fn backends(config: &Config) -> anyhow::Result<Backends> {
    config.require_for(Role::Worker)?;
    Backends::fleet(config, "tool", &[], Needs::Redis).await
}

/// Has the workers look at once; they would by themselves soon.
async fn nudge(backends: &Backends) {
    if let Err(error) = backends.vigil.nudge().await {
        tracing::debug!(error = %error.chain(), "the workers could not be nudged");
    }
}

/// Runs `kurir sessions`.
pub async fn sessions(asked: Sessions, config: &Config, output: Output) -> anyhow::Result<()> {
    if let Sessions::List { which, .. } = &asked
        && !which.is_all()
    {
        bail!("the store lists all its sessions; a gateway (--url) lists those that fit");
    }
    let backends = backends(config).await?;
    let done = match asked {
        Sessions::List { json, .. } => list_sessions(&backends, output.json(json)).await,
        Sessions::Move { session, worker, .. } => move_session(&backends, &session, worker.as_deref()).await,
        // What the store can't do asks a gateway.
        _ => Ok(()),
    };
    backends.close().await;
    done
}

async fn list_sessions(backends: &Backends, json: bool) -> anyhow::Result<()> {
    let pins = backends.wishes.pins().await?;
    let mut records: Vec<SessionRecord> = Vec::new();
    loop {
        let after = records.last().map(|record| record.id.clone());
        let page = backends.sessions.list(None, after.as_ref(), PAGE).await?;
        let more = page.len() == PAGE as usize;
        records.extend(page);
        if !more {
            break;
        }
    }
    let owner = |record: &SessionRecord| record.owner.as_ref().map(ToString::to_string);
    let pin = |record: &SessionRecord| pins.get(&record.id).map(ToString::to_string);
    if json {
        for record in &records {
            let line = json!({
                "session": record.id.as_str(), "tenant": record.tenant.as_str(), "state": record.status.state.as_str(),
                "wanted": record.wanted.as_str(), "owner": owner(record), "epoch": record.epoch.0,
                "wanted_with": pin(record),
            });
            println!("{line}");
        }
        return Ok(());
    }
    let mut table = table(["session", "tenant", "state", "wanted", "claimed by", "wanted with"]);
    for record in &records {
        table.add_row([
            record.id.as_str(),
            record.tenant.as_str(),
            record.status.state.as_str(),
            record.wanted.as_str(),
            &owner(record).unwrap_or_default(),
            &pin(record).unwrap_or_default(),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn move_session(backends: &Backends, session: &str, worker: Option<&str>) -> anyhow::Result<()> {
    let session = SessionId::new(session).with_context(|| format!("{session:?} can't be the id of a session"))?;
    if backends.sessions.get(&session).await?.is_none() {
        bail!("there is no session {session}; `kurir sessions list` tells which there are");
    }
    let worker = worker.map(name_of).transpose()?;
    if let Some(name) = &worker
        && !backends.members.members().await?.iter().any(|beat| beat.worker == *name)
    {
        bail!("no worker is called {name}; `kurir workers list` tells which there are");
    }
    backends.wishes.pin(&session, worker.as_ref()).await?;
    nudge(backends).await;
    match worker {
        Some(worker) => println!("{session} goes to {worker} and stays there while that worker has room"),
        None => println!("{session} goes where the fleet puts it"),
    }
    Ok(())
}

fn name_of(text: &str) -> anyhow::Result<WorkerName> {
    WorkerName::new(text).with_context(|| format!("{text:?} can't be the name of a worker"))
}

/// Runs `kurir workers`.
pub async fn workers(asked: Workers, config: &Config, output: Output) -> anyhow::Result<()> {
    let backends = backends(config).await?;
    let done = match asked {
        Workers::List { json } => list_workers(&backends, output.json(json)).await,
        Workers::Drain { worker } => drain(&backends, &worker, true).await,
        Workers::Resume { worker } => drain(&backends, &worker, false).await,
    };
    backends.close().await;
    done
}

async fn list_workers(backends: &Backends, json: bool) -> anyhow::Result<()> {
    let drained = backends.wishes.drained().await?;
    let mut pinned: BTreeMap<WorkerName, usize> = BTreeMap::new();
    for worker in backends.wishes.pins().await?.into_values() {
        *pinned.entry(worker).or_default() += 1;
    }
    let members = backends.members.members().await?;
    if json {
        for beat in &members {
            let line = json!({
                "worker": beat.worker.as_str(), "instance": format!("{:032x}", beat.instance), "held": beat.held,
                "capacity": beat.capacity, "leaving": beat.leaving, "drained": drained.contains(&beat.worker),
                "pinned": pinned.get(&beat.worker).copied().unwrap_or(0),
            });
            println!("{line}");
        }
        return Ok(());
    }
    let mut table = table(["worker", "sessions", "capacity", "pinned", "is"]);
    for beat in &members {
        let is = match (drained.contains(&beat.worker), beat.leaving) {
            (true, _) => "drained",
            (false, true) => "leaving",
            (false, false) => "taking part",
        };
        let pinned = pinned.get(&beat.worker).copied().unwrap_or(0);
        table.add_row([
            beat.worker.as_str(),
            &beat.held.to_string(),
            &beat.capacity.to_string(),
            &pinned.to_string(),
            is,
        ]);
    }
    for at in 1..4 {
        if let Some(column) = table.column_mut(at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
    Ok(())
}

async fn drain(backends: &Backends, worker: &str, drained: bool) -> anyhow::Result<()> {
    let worker = name_of(worker)?;
    let alive = backends.members.members().await?.iter().any(|beat| beat.worker == worker);
    if drained && !alive {
        bail!("no worker is called {worker}; `kurir workers list` tells which there are");
    }
    backends.wishes.drain(&worker, drained).await?;
    nudge(backends).await;
    if drained {
        println!("{worker} hands its sessions over and takes none; `kurir workers resume {worker}` takes that back");
    } else {
        println!("{worker} takes part again");
    }
    Ok(())
}
