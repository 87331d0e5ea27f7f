//! What becomes of the messages that were handed in.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Blast;
use super::journal::Standing;
use crate::cli::remote::{Until, has_arrived, is_over};
use crate::client::{Client, ClientError, Method};

/// Messages looked at at the same time.
const AT_ONCE: usize = 8;

/// Between two looks at all that are open: at least, and after a look at which nothing had changed for long.
const SOON: Duration = Duration::from_millis(500);
const SELDOM: Duration = Duration::from_secs(10);

/// Looks until each has come as far as it is to, or is over; `false` when it was stopped before.
pub(super) async fn all(
    client: &Client,
    blast: &mut Blast,
    until: Until,
    patience: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    blast.bar.set_message("arrived");
    let (mut pause, mut failing): (_, Option<tokio::time::Instant>) = (SOON, None);
    loop {
        let open: Vec<(usize, Uuid)> = (blast.standings.iter().enumerate())
            .filter(|(_, standing)| standing.as_ref().is_some_and(|standing| is_open(standing, until)))
            .map(|(at, _)| (at, blast.id(at)))
            .collect();
        blast.bar.set_position((blast.plan.rows.len() - open.len()) as u64);
        if open.is_empty() {
            return Ok(true);
        }
        let looking = stream::iter(open)
            .take_until(stop.cancelled())
            .map(|(at, id)| async move { (at, look(client, id).await) })
            .buffer_unordered(AT_ONCE);
        let mut looking = std::pin::pin!(looking);
        let (mut moved, mut error) = (false, None);
        while let Some((at, looked)) = looking.next().await {
            match looked {
                Ok(Some(standing)) => {
                    moved |= blast.standings[at].as_ref().is_none_or(|known| known.state != standing.state);
                    blast.note(at, standing)?;
                }
                // The ledger has forgotten it: no more will ever be known.
                Ok(None) => blast.note(at, Standing { state: "uncertain".to_owned(), ..Standing::default() })?,
                Err(failed) => error = Some(failed),
            }
        }
        if stop.is_cancelled() {
            return Ok(false);
        }
        match error {
            None => failing = None,
            Some(error) if !error.is_transient() => return Err(error.into()),
            Some(error) => {
                let since = *failing.get_or_insert_with(tokio::time::Instant::now);
                if since.elapsed() > patience {
                    return Err(error.into());
                }
            }
        }
        pause = if moved { SOON } else { (pause * 2).min(SELDOM) };
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn is_open(standing: &Standing, until: Until) -> bool {
    standing.is_taken() && !has_arrived(&standing.state, until) && !is_over(&standing.state)
}

async fn look(client: &Client, id: Uuid) -> Result<Option<Standing>, ClientError> {
    let id = id.to_string();
    match client.call(Method::Get, &["v1", "messages", &id], &[], None).await {
        Ok(answer) => Ok(Some(Standing::of(&answer.body))),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
        Err(error) => Err(error),
    }
}
