//! `kurir sessions change-id`.
//!
//! Stop, claim, change the id in one transaction, then have all follow that is not in the store. At each moment the store has the
//! session once, and whatever is interrupted is gone on with by the same command.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use kurir_core::domain::{SessionId, TenantId, Wanted};
use kurir_core::port::{Planted, SessionCopy, SessionEntry};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::hold::{Held, Stopping, found, hold, want};
use super::import::{allowed_id, created, resting};
use super::{known, leftovers};
use crate::compose::ToolBackends;

/// How often it is looked whether messages have come to their end.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How it is done.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub(super) start: bool,
    pub(super) wait: Duration,
    pub(super) patience: Duration,
}

pub(super) async fn run(tool: &ToolBackends, old: &SessionId, new: &SessionId, how: How) -> anyhow::Result<()> {
    ensure!(old != new, "both ids are {old}");
    allowed_id(new)?;
    let sessions = &tool.backends.sessions;
    let (record, taken) = (sessions.get(old).await?, sessions.get(new).await?);
    if let (None, Some(there)) = (&record, &taken) {
        // Interrupted after the change.
        let moved = follow_up(tool, &there.tenant, old, new).await?;
        println!(
            "there is no session {old}, and {new} is there; {moved} messages that still waited for {old} went to it"
        );
        if how.start {
            want(tool, new, Wanted::Running).await?;
        }
        return Ok(());
    }
    found(tool, old).await?;
    ensure!(taken.is_none(), "there is a session {new} already");
    quiet(tool, old, how.wait).await?;
    let held = hold(tool, old, Stopping::Allowed, how.patience).await?;
    let wanted = if how.start { Wanted::Running } else { held.before };
    let tenant = held.record.tenant.clone();
    if let Err(error) = change(tool, &held, new, wanted).await {
        held.give_back(tool).await?;
        return Err(error);
    }
    let moved = follow_up(tool, &tenant, old, new).await.with_context(|| {
        format!("{old} is {new} now, but not all follows it yet: the same command, once more, goes on")
    })?;
    if wanted == Wanted::Running {
        want(tool, new, Wanted::Running).await?;
    }
    println!(
        "{old} is {new} now{}",
        if moved == 0 { String::new() } else { format!("; {moved} waiting messages went with it") }
    );
    if wanted == Wanted::Stopped {
        println!("it is stopped, as it was before: `kurir sessions start {new}` connects it, without a scan");
    }
    Ok(())
}

/// What is not in the store's transaction; done again, it changes nothing. Tells how many messages waited.
async fn follow_up(tool: &ToolBackends, tenant: &TenantId, old: &SessionId, new: &SessionId) -> anyhow::Result<u64> {
    let wishes = &tool.backends.wishes;
    if let Some(worker) = wishes.pins().await?.get(old) {
        wishes.pin(new, Some(worker)).await?;
        wishes.pin(old, None).await?;
    }
    webhooks_follow(tool, tenant, old, new).await?;
    leftovers::finish(tool, old, new).await
}

/// Waits until nothing is delayed or under way, as long as is wished; what is then is looked at again once it is stopped.
async fn quiet(tool: &ToolBackends, id: &SessionId, wait: Duration) -> anyhow::Result<()> {
    let late = Instant::now() + wait;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < late {
        looks.tick().await;
        if leftovers::not_in_the_queue(tool, id).await?.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The change itself, with the session in our hands.
async fn change(tool: &ToolBackends, held: &Held, new: &SessionId, wanted: Wanted) -> anyhow::Result<()> {
    let (ports, old) = (&tool.backends, &held.fence.session);
    let open = leftovers::not_in_the_queue(tool, old).await?;
    if !open.is_empty() {
        return Err(leftovers::why(&open, old));
    }
    let copy = ports.vault.copy(old).await?.with_context(|| format!("session {old} was removed meanwhile"))?;
    if copy.record.epoch != held.fence.epoch {
        bail!("session {old} was taken by somebody else meanwhile");
    }
    let known = known::acquaintances(tool, old, &copy.state).await?;
    let now = ports.clock.now();
    let SessionCopy { record, default, state } = copy;
    let status = resting(record.status, now);
    let entry = SessionEntry {
        id: new.clone(),
        pool: record.pool,
        name: record.name,
        labels: record.labels,
        wanted,
        default,
        limits: record.limits,
        pace: record.pace,
        events: vec![created(&record.tenant, new, &status, now)?],
        tenant: record.tenant,
        status,
        created_at: record.created_at,
        state,
        known,
    };
    match ports.vault.change_id(&held.fence, &entry).await? {
        Planted::Done => Ok(()),
        Planted::Exists => bail!("there is a session {new} meanwhile"),
        Planted::Fenced => bail!("session {old} was started or taken by somebody else meanwhile"),
    }
}

/// Has the tenant's webhooks that follow the session follow it under its new id.
async fn webhooks_follow(
    tool: &ToolBackends,
    tenant: &TenantId,
    old: &SessionId,
    new: &SessionId,
) -> anyhow::Result<()> {
    for mut webhook in tool.backends.webhooks.webhooks(tenant).await? {
        let follows = |sessions: &BTreeSet<SessionId>| sessions.contains(old);
        if !webhook.settings.sessions.as_ref().is_some_and(follows) {
            continue;
        }
        if let Some(sessions) = &mut webhook.settings.sessions {
            sessions.remove(old);
            sessions.insert(new.clone());
        }
        if !tool.backends.webhooks.change_webhook(&webhook).await? {
            eprintln!(
                "warning: webhook {} was changed by somebody else meanwhile; add the session {new} to it",
                webhook.id
            );
        }
    }
    Ok(())
}
