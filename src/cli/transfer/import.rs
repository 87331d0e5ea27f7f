//! `kurir sessions import`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kurir_core::domain::{
    Account, Epoch, EventKind, OutboxEvent, SessionId, SessionName, SessionState, SessionStatus, TenantId, Timestamp,
    Wanted,
};
use kurir_core::port::{Acquaintances, Planted, SessionEntry};
use kurir_core::wire::SessionDataV1;

use super::file::{self, SessionFile, StateEntry};
use super::hold::{Held, Stopping, hold, want};
use super::passphrase::{self, For};
use crate::compose::ToolBackends;

/// Sessions read per page.
const PAGE: u32 = 500;

/// How long the worker of a stopped session that is replaced may take to let go of it.
const PATIENCE: Duration = Duration::from_mins(1);

/// An id that stands for the default session, so no session has it.
const RESERVED: &str = "default";

/// As what it is entered.
pub(super) struct How {
    pub(super) id: Option<SessionId>,
    pub(super) tenant: Option<TenantId>,
    pub(super) start: bool,
    pub(super) replace: bool,
}

pub(super) async fn run(
    tool: &ToolBackends,
    path: &Path,
    passphrase_file: Option<&Path>,
    how: &How,
) -> anyhow::Result<()> {
    let passphrase = passphrase::read(passphrase_file, For::Opening)?;
    let file = file::read(path, &passphrase)?;
    let id = how.id.clone().unwrap_or_else(|| file.id.clone());
    let tenant = how.tenant.clone().unwrap_or_else(|| file.tenant.clone());
    allowed_id(&id)?;
    let there = tool.backends.sessions.get(&id).await?;
    if let Some(there) = &there {
        ensure!(how.replace, "there is a session {id}: give it another one with --id, or use --replace");
        ensure!(there.tenant == tenant, "session {id} belongs to {}, not to {tenant}", there.tenant);
    }
    if let Some(account) = &file.status.account {
        alone(tool, &id, account).await?;
    }
    if file.running {
        eprintln!(
            "warning: this is a copy of a session that ran on after {}: if it still runs anywhere, don't start it here",
            file.taken_at
        );
    }
    let held = match there {
        Some(_) => Some(hold(tool, &id, Stopping::Refused, PATIENCE).await.context("it can't be replaced")?),
        None => None,
    };
    let planted = plant(tool, file, (&id, &tenant), how, held.as_ref()).await;
    match planted {
        Ok(Planted::Done) => {}
        failed => {
            if let Some(held) = held {
                held.give_back(tool).await?;
            }
            match failed? {
                Planted::Exists => bail!("there is a session {id} meanwhile"),
                Planted::Done | Planted::Fenced => {
                    bail!("session {id} was started or taken by somebody else meanwhile")
                }
            }
        }
    }
    tool.backends.jobs.declare(&id).await?;
    if how.start {
        // The wish stands with the session already; this has the workers look at once.
        want(tool, &id, Wanted::Running).await?;
        println!("{id} is entered, and starts");
    } else {
        println!("{id} is entered, and stopped: `kurir sessions start {id}` connects it, without a scan");
    }
    Ok(())
}

/// Whether a session may be called so.
pub(super) fn allowed_id(id: &SessionId) -> anyhow::Result<()> {
    ensure!(id.as_str() != RESERVED, "`{RESERVED}` stands for the default session; choose another id");
    Ok(())
}

/// Refuses what another session of this store is linked to: the two would fight for one device.
async fn alone(tool: &ToolBackends, id: &SessionId, account: &Account) -> anyhow::Result<()> {
    let mut after: Option<SessionId> = None;
    loop {
        let page = tool.backends.sessions.list(None, after.as_ref(), PAGE).await?;
        let same = |record: &&kurir_core::domain::SessionRecord| {
            record.id != *id && record.status.state.is_linked() && record.status.account.as_ref() == Some(account)
        };
        if let Some(other) = page.iter().find(same) {
            bail!(
                "session {} is linked as the same device of the same number, and two that use it damage it: take that one out \
                 first (`kurir sessions export {} --stop --remove --out FILE`)",
                other.id,
                other.id
            );
        }
        match page.last() {
            Some(last) if page.len() == PAGE as usize => after = Some(last.id.clone()),
            _ => return Ok(()),
        }
    }
}

async fn plant(
    tool: &ToolBackends,
    file: SessionFile,
    (id, tenant): (&SessionId, &TenantId),
    how: &How,
    held: Option<&Held>,
) -> anyhow::Result<Planted> {
    let now = tool.backends.clock.now();
    let pool = match file.pool {
        Some(pool) if tool.backends.sessions.own_pool(&pool, tenant).await? => {
            tool.backends.pools.declare_pool(&pool).await?;
            Some(pool)
        }
        Some(pool) => {
            eprintln!("warning: the pool {pool} belongs to another tenant here; the session is in none");
            None
        }
        None => None,
    };
    // A default that is there stays.
    let default = file.default && tool.backends.sessions.default_of(tenant).await?.is_none();
    let status = resting(file.status, now);
    let name = file.name.map(SessionName::new).transpose().context("the file has a name that is none")?;
    let entry = SessionEntry {
        id: id.clone(),
        tenant: tenant.clone(),
        pool,
        name,
        labels: file.labels,
        wanted: if how.start { Wanted::Running } else { Wanted::Stopped },
        default,
        limits: file.limits,
        pace: file.pace,
        events: vec![created(tenant, id, &status, now)?],
        status,
        created_at: file.created_at,
        state: file.state.into_iter().map(StateEntry::read).collect::<anyhow::Result<_>>()?,
        known: Acquaintances { met: file.met, bulk: file.bulk },
    };
    Ok(tool.backends.vault.plant(&entry, held.map(|held| &held.fence)).await?)
}

/// A status without its connection.
pub(super) fn resting(mut status: SessionStatus, at: Timestamp) -> SessionStatus {
    if matches!(status.state, SessionState::Connected | SessionState::Paired) {
        (status.state, status.since) = (SessionState::Disconnected, at);
    }
    status.qr = None;
    status
}

/// The event that tells of a session under this id.
pub(super) fn created(
    tenant: &TenantId,
    id: &SessionId,
    status: &SessionStatus,
    at: Timestamp,
) -> anyhow::Result<OutboxEvent> {
    let occasion = (Epoch(0), u64::try_from(at.as_millis()).unwrap_or(0));
    Ok(SessionDataV1::event(EventKind::SessionCreated, tenant, id, status, occasion, at)?)
}
