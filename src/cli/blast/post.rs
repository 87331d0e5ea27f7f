//! Handing the rows in: so many in a batch, so many batches at the same time.
//!
//! A batch goes under an `Idempotency-Key` that is made of what stands in it, and each row has an id of its own. So a batch
//! whose answer was lost is simply handed in again: whole, it is answered as before; cut otherwise, its rows are known.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kurir_core::memory::SystemEntropy;
use kurir_core::policy::Backoff;
use kurir_core::port::Entropy as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Blast;
use super::journal::Standing;
use crate::client::{ApiProblem, Client, ClientError, RefusedRow};

/// Pauses while the gateway can't be reached, or can't take more.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(250), max: Duration::from_secs(15) };

/// Bytes of a batch, about: well below what a gateway takes unless it was told otherwise.
const MOST_BYTES: usize = 4 << 20;

/// How the rows are handed in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Rows in a batch.
    pub rows: usize,
    /// Batches at the same time.
    pub at_once: usize,
    /// How long a gateway is borne that takes nothing.
    pub patience: Duration,
}

/// Rows that are handed in together.
struct Batch {
    rows: Vec<usize>,
    /// How often they were handed in in vain, since when, and how long to wait before the next time.
    failures: u32,
    since: Option<Instant>,
    pause: Duration,
}

impl Batch {
    fn new(rows: Vec<usize>) -> Self {
        Self { rows, failures: 0, since: None, pause: Duration::ZERO }
    }

    /// The same rows, or some of them, another time; an error when the patience is over.
    fn again(self, rows: Vec<usize>, error: ClientError, patience: Duration) -> Result<Self, ClientError> {
        let (failures, now) = (self.failures + 1, Instant::now());
        let since = self.since.unwrap_or(now);
        let pause = error.retry_after().unwrap_or_else(|| BACKOFF.delay(failures, SystemEntropy.fraction()));
        if now + pause > since + patience { Err(error) } else { Ok(Self { rows, failures, since: Some(since), pause }) }
    }
}

/// What became of a row.
enum Fate {
    Stands(Standing),
    /// It may be taken a little later.
    Later(RefusedRow),
    /// It ended before it came into the queue, so it may be sent under another id, and under no other condition.
    NeverQueued,
}

/// What became of a batch.
enum Outcome {
    /// Of each of its rows that was told of.
    Told(Vec<(usize, Fate)>),
    /// It is too large.
    TooLarge(String),
    /// Nothing is known of any row; it may be tried again.
    Failed(ClientError),
    /// It was not handed in, because of a stop.
    Left,
}

/// Hands in what is not yet; `false` when it was stopped before all were.
pub(super) async fn all(
    client: &Client,
    blast: &mut Blast,
    way: Way,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let todo: Vec<usize> = (0..blast.plan.rows.len()).filter(|at| blast.standings[*at].is_none()).collect();
    blast.bar.set_message("handed in");
    blast.bar.set_position((blast.plan.rows.len() - todo.len()) as u64);
    let mut waiting = cut(blast, &todo, way.rows);
    let (mut going, mut broken) = (FuturesUnordered::new(), None);
    loop {
        // After the stop no batch is begun; those on the way are waited for.
        while going.len() < way.at_once
            && !stop.is_cancelled()
            && let Some(batch) = waiting.pop_front()
        {
            let messages: Vec<Value> = batch.rows.iter().map(|at| blast.message(*at)).collect();
            let body = json!({ "messages": messages });
            going.push(hand_in(client, blast.plan.blast, batch, body, stop));
        }
        let Some((batch, outcome)) = going.next().await else { break };
        let next = match outcome {
            Ok(outcome) => settle(blast, batch, outcome, way.patience)?,
            Err(error) => Err(error),
        };
        match next {
            Ok(next) => waiting.extend(next),
            // Nothing more is begun by this process; what is on the way may still be taken, and is noted.
            Err(error) => {
                broken.get_or_insert(error);
                stop.cancel();
            }
        }
    }
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(blast.standings.iter().all(Option::is_some)),
    }
}

/// Cuts rows into batches of so many, and not too many bytes.
fn cut(blast: &Blast, rows: &[usize], most: usize) -> VecDeque<Batch> {
    let mut batches = VecDeque::new();
    let (mut together, mut bytes) = (Vec::new(), 0);
    for at in rows {
        let size = blast.plan.rows[*at].body.to_string().len();
        if together.len() >= most || (bytes + size > MOST_BYTES && !together.is_empty()) {
            batches.push_back(Batch::new(std::mem::take(&mut together)));
            bytes = 0;
        }
        together.push(*at);
        bytes += size;
    }
    if !together.is_empty() {
        batches.push_back(Batch::new(together));
    }
    batches
}

/// One request. An error is one that is none of a row's: it would be the same for all of them, whenever they are handed in.
async fn hand_in(
    client: &Client,
    blast: Uuid,
    batch: Batch,
    body: Value,
    stop: &CancellationToken,
) -> (Batch, Result<Outcome, ClientError>) {
    if !batch.pause.is_zero() {
        tokio::select! {
            () = stop.cancelled() => return (batch, Ok(Outcome::Left)),
            () = tokio::time::sleep(batch.pause) => {}
        }
    }
    let name = Uuid::new_v5(&blast, body.to_string().as_bytes()).to_string();
    let answer = client.post_once(&["v1", "messages", "batch"], &body, &name).await;
    let outcome = match answer {
        Ok(answer) => told(client, &batch.rows, &answer.body).await.map(Outcome::Told),
        Err(ClientError::Problem(problem)) if !problem.rows.is_empty() => {
            refused(&batch.rows, &problem).map(Outcome::Told)
        }
        Err(ClientError::Problem(problem)) if problem.status == 413 => Ok(Outcome::TooLarge(problem.code)),
        Err(error) if may_pass(&error) => Ok(Outcome::Failed(error)),
        Err(error) => Err(error),
    };
    (batch, outcome)
}

/// Whether the same request may be answered otherwise a little later. One whose answer was lost may still be carried out.
fn may_pass(error: &ClientError) -> bool {
    error.is_transient() || error.problem().is_some_and(|problem| problem.code == "idempotency_key_in_use")
}

/// What a good answer says of the rows.
async fn told(client: &Client, rows: &[usize], answer: &Value) -> Result<Vec<(usize, Fate)>, ClientError> {
    let mut fates = Vec::with_capacity(rows.len());
    for row in answer["messages"].as_array().into_iter().flatten() {
        let Some(at) = row["index"].as_u64().and_then(|index| rows.get(usize::try_from(index).ok()?)) else { continue };
        let fate = if let Some(refused) = RefusedRow::read(row) {
            judge(refused, 422)?
        } else if row["state"] == "cancelled" {
            withdrawn(client, row).await?
        } else {
            Fate::Stands(Standing::of(row))
        };
        fates.push((*at, fate));
    }
    Ok(fates)
}

/// A message that was handed in before and is cancelled: by somebody, or because the queue was away.
async fn withdrawn(client: &Client, row: &Value) -> Result<Fate, ClientError> {
    let id = row["id"].as_str().unwrap_or_default();
    match client.get(&["v1", "messages", id], &[]).await {
        Ok(message) if message["reason"] == "not_queued" => Ok(Fate::NeverQueued),
        Ok(message) => Ok(Fate::Stands(Standing::of(&message))),
        Err(error) if may_pass(&error) => {
            let code = "unavailable".to_owned();
            Ok(Fate::Later(RefusedRow { code, detail: error.to_string(), ..RefusedRow::default() }))
        }
        Err(error) => Err(error),
    }
}

/// What a refusal of the whole batch says of the rows; it may leave some out.
fn refused(rows: &[usize], problem: &ApiProblem) -> Result<Vec<(usize, Fate)>, ClientError> {
    let of = |row: &RefusedRow| Some((*rows.get(row.index)?, judge(row.clone(), problem.status)));
    problem.rows.iter().filter_map(of).map(|(at, fate)| Ok((at, fate?))).collect()
}

/// Whose business a row's refusal is: its own, that of the moment, or, as an error, everybody's.
fn judge(row: RefusedRow, status: u16) -> Result<Fate, ClientError> {
    const PASSING: [&str; 7] =
        ["not_queued", "queue_full", "unsettled", "unavailable", "contended", "not_declared", "internal"];
    if PASSING.contains(&row.code.as_str()) {
        return Ok(Fate::Later(row));
    }
    let about = |field: &str| {
        ["to", "content", "id"]
            .iter()
            .any(|own| field.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    if row.field.as_deref().is_some_and(about) {
        return Ok(Fate::Stands(Standing::refused(&row.code)));
    }
    Err(as_error(row, status))
}

fn as_error(row: RefusedRow, status: u16) -> ClientError {
    let RefusedRow { code, field, detail, .. } = row;
    ClientError::Problem(Box::new(ApiProblem { status, code, detail, field, ..ApiProblem::default() }))
}

/// Notes what is known now; gives what is to be handed in again.
fn settle(
    blast: &mut Blast,
    batch: Batch,
    outcome: Outcome,
    patience: Duration,
) -> anyhow::Result<Result<Vec<Batch>, ClientError>> {
    let fates = match outcome {
        Outcome::Left => return Ok(Ok(Vec::new())),
        Outcome::Failed(error) => {
            let rows = batch.rows.clone();
            return Ok(batch.again(rows, error, patience).map(|batch| vec![batch]));
        }
        Outcome::TooLarge(code) => {
            let (one, other) = batch.rows.split_at(batch.rows.len() / 2);
            if one.is_empty() {
                blast.note(other[0], Standing::refused(&code))?;
                blast.bar.inc(1);
                return Ok(Ok(Vec::new()));
            }
            return Ok(Ok(vec![Batch::new(one.to_vec()), Batch::new(other.to_vec())]));
        }
        Outcome::Told(fates) => fates,
    };
    let mut why = None;
    let before = batch.rows.iter().filter(|at| blast.standings[**at].is_some()).count();
    for (at, fate) in fates {
        match fate {
            Fate::Stands(standing) => blast.note(at, standing)?,
            Fate::Later(row) => why = Some(row),
            Fate::NeverQueued => blast.turns[at] += 1,
        }
    }
    let left: Vec<usize> = batch.rows.iter().copied().filter(|at| blast.standings[*at].is_none()).collect();
    let settled = batch.rows.len() - left.len() - before;
    blast.bar.inc(settled as u64);
    if left.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let Some(why) = why.or_else(|| (settled == 0).then(never_told)) else {
        // Refusals may have left them out, or they go under another id now.
        return Ok(Ok(vec![Batch::new(left)]));
    };
    let tried = if settled > 0 { Batch::new(Vec::new()) } else { batch };
    Ok(tried.again(left, as_error(why, 503), patience).map(|batch| vec![batch]))
}

/// Nothing came of a whole batch, and no row says why.
fn never_told() -> RefusedRow {
    let (code, detail) =
        ("not_queued".to_owned(), "the gateway has put none of these messages into its queue".to_owned());
    RefusedRow { code, detail, ..RefusedRow::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(code: &str, field: Option<&str>) -> RefusedRow {
        RefusedRow { index: 0, code: code.to_owned(), field: field.map(str::to_owned), detail: String::new() }
    }

    #[test]
    fn a_bad_number_is_its_rows_business_a_full_queue_the_moments_and_a_missing_session_everybodys() {
        for (code, field) in [("bad_number", "to"), ("bad_field", "content.values"), ("body_too_large", "content")] {
            let Ok(Fate::Stands(standing)) = judge(row(code, Some(field)), 422) else { panic!("{code}") };
            assert_eq!((standing.is_taken(), standing.reason.as_deref()), (false, Some(code)));
        }
        for code in ["queue_full", "not_queued", "unsettled"] {
            assert!(matches!(judge(row(code, None), 422), Ok(Fate::Later(_))), "{code}");
        }
        for (code, field) in [("not_found", Some("session")), ("no_queue", Some("session")), ("bad_field", None)] {
            let Err(ClientError::Problem(problem)) = judge(row(code, field), 422) else { panic!("{code}") };
            assert_eq!((problem.code.as_str(), problem.field.as_deref()), (code, field));
        }
        assert!(judge(row("bad_field", Some("topic")), 422).is_err(), "a field that begins alike is another one");
    }

    #[test]
    fn patience_is_counted_from_the_first_failure() {
        let busy = || {
            let retry_after = Some(Duration::from_secs(3));
            ClientError::Problem(Box::new(ApiProblem { status: 429, retry_after, ..ApiProblem::default() }))
        };
        let batch = Batch::new(vec![1, 2]).again(vec![2], busy(), Duration::from_secs(5)).unwrap();
        assert_eq!((&batch.rows[..], batch.pause, batch.failures), (&[2][..], Duration::from_secs(3), 1));
        let since = batch.since.unwrap();
        let early = Batch { since: since.checked_sub(Duration::from_secs(4)), ..batch };
        assert!(early.again(vec![2], busy(), Duration::from_secs(5)).is_err(), "the pause would be too long");
    }
}
