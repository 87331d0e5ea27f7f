//! `kurir sessions change-id`.
//!
//! Stop, claim, move what waits, change the id in one transaction, move what came in meanwhile. At each moment the store has the
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
    if record.is_none() && taken.is_some() {
        // Interrupted after the change.
        let moved = leftovers::finish(tool, old, new).await?;
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
    let moved = leftovers::finish(tool, old, new).await?;
    webhooks_follow(tool, &tenant, old, new).await?;
    if let Some(worker) = tool.backends.wishes.pins().await?.get(old) {
        tool.backends.wishes.pin(new, Some(worker)).await?;
        tool.backends.wishes.pin(old, None).await?;
    }
    if wanted == Wanted::Running {
        want(tool, new, Wanted::Running).await?;
    }
    println!("{old} is {new} now{}", if moved == 0 { String::new() } else { format!("; {moved} messages came late") });
    if wanted == Wanted::Stopped {
        println!("it is stopped, as it was before: `kurir sessions start {new}` connects it, without a scan");
    }
    Ok(())
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
        pace: record.pace,
        events: vec![created(&record.tenant, new, &status, now)?],
        tenant: record.tenant,
        status,
        created_at: record.created_at,
        state,
        known,
    };
    // Before the session is there: nobody takes them until then.
    ports.jobs.declare(new).await?;
    leftovers::pass_on(tool, old, new).await.context("the waiting messages could not be moved")?;
    let refusal = match ports.vault.change_id(&held.fence, &entry).await {
        Ok(Planted::Done) => return Ok(()),
        Ok(Planted::Exists) => anyhow::anyhow!("there is a session {new} meanwhile"),
        Ok(Planted::Fenced) => anyhow::anyhow!("session {old} was started or taken by somebody else meanwhile"),
        Err(error) => error.into(),
    };
    // A store that did not answer may have done it all the same.
    if ports.sessions.get(old).await?.is_some() && ports.sessions.get(new).await?.is_none() {
        leftovers::pass_on(tool, new, old).await?;
        ports.jobs.remove(new).await?;
    }
    Err(refusal)
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
