//! Handing the rows in, so many at the same time.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use kurir_core::memory::SystemEntropy;
use kurir_core::policy::Backoff;
use kurir_core::port::Entropy as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Blast;
use super::journal::Standing;
use crate::client::{Client, ClientError, Method};

/// Pauses while the gateway can't be reached, or can't take more.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(250), max: Duration::from_secs(15) };

/// What became of a row.
enum Posted {
    Stands(Standing),
    /// It was not handed in, because of a stop.
    Left,
}

/// Hands in what is not yet; `false` when it was stopped before all were.
pub(super) async fn all(
    client: &Client,
    blast: &mut Blast,
    at_once: usize,
    patience: Duration,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let todo: Vec<(usize, Value)> = (blast.plan.rows.iter().zip(&blast.standings).enumerate())
        .filter(|(_, (_, standing))| standing.is_none())
        .map(|(at, (row, _))| (at, row.body.clone()))
        .collect();
    blast.bar.set_message("handed in");
    blast.bar.set_position((blast.plan.rows.len() - todo.len()) as u64);
    // After the stop no row is begun; those on the way are waited for.
    let posting = stream::iter(todo)
        .take_until(stop.cancelled())
        .map(|(at, body)| async move { (at, one(client, &body, patience, stop).await) })
        .buffer_unordered(at_once);
    let mut posting = std::pin::pin!(posting);
    let (mut whole, mut broken) = (true, None);
    while let Some((at, posted)) = posting.next().await {
        match posted {
            Ok(Posted::Stands(standing)) => {
                blast.note(at, standing)?;
                blast.bar.inc(1);
            }
            Ok(Posted::Left) => whole = false,
            // Nothing more is begun by this process; what is on the way may still be taken, and is noted.
            Err(error) => {
                broken.get_or_insert(error);
                stop.cancel();
            }
        }
    }
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(whole && blast.standings.iter().all(Option::is_some)),
    }
}

async fn one(
    client: &Client,
    body: &Value,
    patience: Duration,
    stop: &CancellationToken,
) -> Result<Posted, ClientError> {
    let deadline = tokio::time::Instant::now() + patience;
    let mut failures = 0;
    loop {
        let error = match client.call(Method::Post, &["v1", "messages"], &[], Some(body)).await {
            Ok(answer) => return Ok(Posted::Stands(Standing::of(&answer.body))),
            Err(error) => error,
        };
        if let Some(code) = of_this_row(&error) {
            return Ok(Posted::Stands(Standing::refused(&code)));
        }
        failures += 1;
        let pause = error.retry_after().unwrap_or_else(|| BACKOFF.delay(failures, SystemEntropy.fraction()));
        if !error.is_transient() || tokio::time::Instant::now() + pause > deadline {
            return Err(error);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(Posted::Left),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The code of a refusal that is about this row alone: the others may well be taken.
fn of_this_row(error: &ClientError) -> Option<String> {
    let problem = error.problem()?;
    let about =
        |field: &str| ["to", "content", "id"].iter().any(|own| field == *own || field.starts_with(&format!("{own}.")));
    let own = match problem.status {
        413 => true,
        409 | 422 => problem.field.as_deref().is_some_and(about),
        _ => false,
    };
    own.then(|| problem.code.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ApiProblem;

    #[test]
    fn a_bad_number_is_its_rows_business_and_a_bad_key_everybodys() {
        let refusal = |status, code: &str, field: Option<&str>| {
            let (code, field) = (code.to_owned(), field.map(str::to_owned));
            of_this_row(&ClientError::Problem(ApiProblem { status, code, field, ..ApiProblem::default() }))
        };
        assert_eq!(refusal(422, "bad_number", Some("to")), Some("bad_number".to_owned()));
        assert!(refusal(422, "bad_field", Some("content.values")).is_some());
        assert!(refusal(413, "body_too_large", Some("content")).is_some());
        for (status, field) in [(401, None), (403, None), (404, Some("session")), (422, Some("session")), (503, None)] {
            assert_eq!(refusal(status, "x", field), None, "{status}");
        }
    }
}
