//! Messages that wait for a session which goes away under its id.

use std::time::Duration;

use anyhow::{bail, ensure};
use kurir_core::domain::{Lane, LedgerEntry, MessageState, SessionId, Target};
use kurir_core::port::{Enqueued, PublishJob};
use serde_json::Value;
use tokio::time::timeout;

use crate::compose::ToolBackends;

/// Most open messages that are looked at.
const OPEN: u32 = 1000;

/// Jobs taken at once from a queue.
const WINDOW: u16 = 32;

/// How often the queues of an id that is gone are looked into before they are removed.
const LOOKS: u32 = 10;

/// How long a queue that is not empty by its own word may take to hand the next job out.
const NEXT: Duration = Duration::from_secs(5);

/// Refuses a session for which anything waits.
pub(super) async fn none_wait(tool: &ToolBackends, id: &SessionId) -> anyhow::Result<()> {
    let open = tool.backends.ledger.open_of(id, OPEN).await?.len() as u64;
    let queued: u64 = waiting(tool, id).await?.iter().map(|(_, depth)| depth).sum();
    let waiting = queued.max(open);
    ensure!(
        waiting == 0,
        "{waiting} messages wait for session {id}: let them be sent, or cancel them (`kurir sessions start {id}`)"
    );
    Ok(())
}

/// The open messages of a session that are not in its queue: they are delayed, or it is not known what became of them.
pub(super) async fn not_in_the_queue(tool: &ToolBackends, id: &SessionId) -> anyhow::Result<Vec<LedgerEntry>> {
    let mut open = tool.backends.ledger.open_of(id, OPEN).await?;
    open.retain(|entry| entry.state != MessageState::Queued);
    Ok(open)
}

/// How many wait for a session. Its queues are made where they are missing, so that an answer that can't be had is an error and
/// never an empty queue.
async fn waiting(tool: &ToolBackends, id: &SessionId) -> anyhow::Result<Vec<(Lane, u64)>> {
    tool.backends.jobs.declare(id).await?;
    let mut lanes = Vec::new();
    for lane in Lane::ALL {
        lanes.push((lane, tool.backends.jobs.depth(id, lane).await?));
    }
    Ok(lanes)
}

/// Moves what waits in one session's queues to another's; tells how many. A job that is interrupted in between is in both, and
/// the ledger sees to it that it is sent once.
pub(super) async fn pass_on(tool: &ToolBackends, old: &SessionId, new: &SessionId) -> anyhow::Result<u64> {
    let jobs = &tool.backends.jobs;
    let mut moved = 0;
    for (lane, waiting) in waiting(tool, old).await?.into_iter().filter(|(_, depth)| *depth > 0) {
        let mut stream = jobs.subscribe(old, lane, WINDOW).await?;
        for _ in 0..waiting {
            // About as many wait as it said; what is gone meanwhile is not waited for.
            let Ok(next) = timeout(NEXT, stream.next()).await else { break };
            let Some(delivery) = next? else { break };
            let body = renamed(&delivery.body, old, new);
            let job = PublishJob { target: Target::Session(new.clone()), lane, body, headers: delivery.headers };
            let answer = jobs.publish(vec![job]).await?;
            if answer != [Enqueued::Accepted] {
                bail!("the queue of session {new} takes no messages");
            }
            delivery.settle.ack().await?;
            moved += 1;
        }
        stream.close().await?;
    }
    Ok(moved)
}

/// A job's body for the new id. What is no job, or a pool's, stays as it is.
fn renamed(body: &[u8], old: &SessionId, new: &SessionId) -> Vec<u8> {
    let read = serde_json::from_slice::<Value>(body).ok().filter(|job| job["session"] == old.as_str());
    let written = read.and_then(|mut job| {
        job["session"] = new.as_str().into();
        serde_json::to_vec(&job).ok()
    });
    written.unwrap_or_else(|| body.to_vec())
}

/// What those messages are waiting for, in a sentence.
pub(super) fn why(open: &[LedgerEntry], id: &SessionId) -> anyhow::Error {
    let delayed = open.iter().filter(|entry| entry.state == MessageState::Delayed).count();
    let until = open.iter().filter_map(|entry| entry.not_before).max();
    let until = until.map_or_else(String::new, |until| format!(", the last of them until {until}"));
    anyhow::anyhow!(
        "of session {id} {delayed} messages are delayed{until}, and {} are under way: they come back under the old id. \
         Wait (--wait 10m), cancel them, or try again later",
        open.len() - delayed
    )
    .context("the id was not changed")
}

/// Empties and removes the queues of an id that no session has any more; tells how many messages went to the new one. They are
/// removed only when they are seen to be empty.
pub(super) async fn finish(tool: &ToolBackends, old: &SessionId, new: &SessionId) -> anyhow::Result<u64> {
    tool.backends.jobs.declare(new).await?;
    let mut moved = 0;
    // Nobody can hand messages in for an id that is not there, but some may have been about to.
    for _ in 0..LOOKS {
        if waiting(tool, old).await?.iter().all(|(_, depth)| *depth == 0) {
            tool.backends.jobs.remove(old).await?;
            return Ok(moved);
        }
        moved += pass_on(tool, old, new).await?;
    }
    bail!("messages still wait for {old}; the same command goes on with them")
}
