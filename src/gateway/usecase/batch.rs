//! Many messages at once.
//!
//! All rows are checked first. The good ones then go in chunks: one commit of the ledger and one round of confirms of the
//! queue for each, in the order and with the guarantees of single messages (see [`super::enqueue`]). Rows have their ids
//! before the work begins, so a batch that is carried out once more finds what it made before.

use std::collections::HashMap;

use kurir_core::domain::{
    BatchId, Content, FailReason, JobId, JobKey, Lane, LedgerEntry, MediaContent, MediaFrom, MessageState, PhoneNumber,
    Target, TenantId, Timestamp,
};
use kurir_core::port::{Enqueued, LedgerWrite, MessageFilter, MessagePlace, PublishJob, Written};
use kurir_core::wire::MessageDataV1;

use super::enqueue::{Enqueue, ended_as_suppressed};
use super::messages::is_untouched;
use super::prepare::{Prepared, is_same};
use super::{UseCaseError, UseCases};

/// Rows that share a commit and a round of confirms.
const CHUNK: usize = 500;

/// How often what is left of a batch is looked up to be cancelled.
const PASSES: usize = 1000;

/// A row that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The message.
    pub id: JobId,
    /// Where it stands.
    pub state: MessageState,
    /// Whether it was taken before, under the same id.
    pub known: bool,
}

/// What became of each row, in order.
pub type Rows = Vec<Result<Taken, UseCaseError>>;

/// A batch, and how it is to be taken.
pub struct Batch<R> {
    /// How many rows it has.
    pub count: usize,
    /// Gives a row; the same one each time. Rows without an id would be others each time, so they have one.
    pub row: R,
    /// Whether all rows are refused if one of them is bad.
    pub atomic: bool,
}

/// Which good rows go into which queue.
type Places = HashMap<(Target, Lane), Vec<usize>>;

/// A row on its way.
struct Going {
    at: usize,
    new: LedgerEntry,
    publish: PublishJob,
    /// Its deadline has passed: it is only looked up.
    late: bool,
}

/// A row that was stored and is not in the queue.
struct Lost {
    at: usize,
    entry: LedgerEntry,
    known: bool,
    how: MessageState,
    why: FailReason,
}

/// Of a row whose deadline has passed, and that was not taken before.
fn too_late() -> UseCaseError {
    UseCaseError::field("expires_at", "lies in the past")
}

impl UseCases {
    /// Takes a batch. Must not be dropped halfway: run it in a task of its own.
    pub async fn enqueue_many<R>(&self, tenant: &TenantId, batch: Batch<R>) -> Result<Rows, UseCaseError>
    where
        R: Fn(usize) -> Result<Enqueue, UseCaseError> + Send + Sync,
    {
        let now = self.ports.clock.now();
        let (mut rows, places) = self.check_rows(tenant, &batch, now).await?;
        if batch.atomic {
            self.check_ids(tenant, &batch, &mut rows, now).await?;
        }
        if batch.atomic && rows.iter().any(Option::is_some) {
            return Ok(refused(rows));
        }
        let mut full = false;
        for ((target, lane), of) in places {
            let wanted = of.len() as u64;
            let room = self.room.take(&target, lane, wanted).await;
            full |= room < wanted;
            for at in of.into_iter().skip(usize::try_from(room).unwrap_or(usize::MAX)) {
                rows[at] = Some(UseCaseError::QueueFull);
            }
        }
        if full && (batch.atomic || rows.iter().all(Option::is_some)) {
            return Err(UseCaseError::QueueFull);
        }
        let mut done: Vec<Option<Result<Taken, UseCaseError>>> = rows.into_iter().map(|row| row.map(Err)).collect();
        let good: Vec<usize> = (0..batch.count).filter(|at| done[*at].is_none()).collect();
        let mut lost = false;
        for chunk in good.chunks(CHUNK) {
            if lost {
                // What the queue did not take a moment ago is not tried row by row.
                for at in chunk {
                    done[*at] = Some(Err(UseCaseError::NotQueued));
                }
                continue;
            }
            let mut going = Vec::with_capacity(chunk.len());
            for at in chunk {
                let prepared = (batch.row)(*at).and_then(|row| self.prepare_row(tenant, row, now));
                match prepared {
                    Ok(Prepared { job, publish, batch }) => {
                        let new = LedgerEntry { batch, ..LedgerEntry::new(&job, now) };
                        going.push(Going { at: *at, new, publish, late: job.expired(now) });
                    }
                    Err(error) => done[*at] = Some(Err(error)),
                }
            }
            let entered = self.enqueue_chunk(tenant, going, now).await;
            for (at, taken) in entered.map_err(|error| unfinished(error, &done))? {
                lost |= matches!(taken, Err(UseCaseError::NotQueued));
                done[at] = Some(taken);
            }
        }
        Ok(done.into_iter().map(|row| row.unwrap_or(Err(UseCaseError::Unsettled))).collect())
    }

    /// As [`UseCases::prepare`], for what can stand in a batch: nothing that has to be looked at row by row.
    fn prepare_row(&self, tenant: &TenantId, row: Enqueue, now: Timestamp) -> Result<Prepared, UseCaseError> {
        let prepared = self.prepare(tenant, row, now)?;
        if prepared.job.refers_to().is_some() {
            return Err(UseCaseError::field(
                "content",
                "what refers to another message is sent one by one, not in a batch",
            ));
        }
        if matches!(&prepared.job.content, Content::Media(MediaContent { from: MediaFrom::Stored(_), .. })) {
            let message = "a file that was uploaded is sent one by one; in a batch give its address (`url`)";
            return Err(UseCaseError::field("content.media", message));
        }
        Ok(prepared)
    }

    /// Checks every row; tells what is wrong, and which good rows go where.
    async fn check_rows<R>(
        &self,
        tenant: &TenantId,
        batch: &Batch<R>,
        now: Timestamp,
    ) -> Result<(Vec<Option<UseCaseError>>, Places), UseCaseError>
    where
        R: Fn(usize) -> Result<Enqueue, UseCaseError> + Send + Sync,
    {
        let mut rows = Vec::with_capacity(batch.count);
        let mut places = Places::new();
        // Each session and pool is asked for once, however many rows name it.
        let mut known: HashMap<Target, Option<UseCaseError>> = HashMap::new();
        for at in 0..batch.count {
            if at % CHUNK == CHUNK - 1 {
                // Others are served between the parts of a long piece of arithmetic.
                tokio::task::yield_now().await;
            }
            let prepared = (batch.row)(at).and_then(|row| self.prepare_row(tenant, row, now));
            let prepared = match prepared {
                Ok(prepared) => prepared,
                Err(error) => {
                    rows.push(Some(error));
                    continue;
                }
            };
            let target = prepared.job.target;
            if !known.contains_key(&target) {
                let wrong = match self.check_target(tenant, &target).await {
                    Err(UseCaseError::Port(error)) => return Err(error.into()),
                    checked => checked.err(),
                };
                known.insert(target.clone(), wrong);
            }
            let error = known.get(&target).and_then(Option::as_ref).map(same_again);
            if error.is_none() {
                places.entry((target, prepared.job.lane)).or_default().push(at);
            }
            rows.push(error);
        }
        Ok((rows, places))
    }

    /// Finds the good rows that the ledger would refuse: another message has their id, or they are late and not a repetition.
    async fn check_ids<R>(
        &self,
        tenant: &TenantId,
        batch: &Batch<R>,
        rows: &mut [Option<UseCaseError>],
        now: Timestamp,
    ) -> Result<(), UseCaseError>
    where
        R: Fn(usize) -> Result<Enqueue, UseCaseError> + Send + Sync,
    {
        let good: Vec<usize> = (0..batch.count).filter(|at| rows[*at].is_none()).collect();
        for chunk in good.chunks(CHUNK) {
            let mut going = Vec::with_capacity(chunk.len());
            for at in chunk {
                let job = self.prepare_row(tenant, (batch.row)(*at)?, now)?.job;
                going.push((*at, LedgerEntry::new(&job, now), job.expired(now)));
            }
            let keys: Vec<JobKey> = going.iter().map(|(_, new, _)| new.key.clone()).collect();
            let found = self.ports.ledger.get(&keys).await?;
            for ((at, new, late), found) in going.into_iter().zip(found) {
                rows[at] = match found {
                    Some(found) if !is_same(&found, &new) => Some(UseCaseError::IdReused),
                    None if late => Some(too_late()),
                    _ => None,
                };
            }
        }
        Ok(())
    }

    /// Ends the new entries of those bulk messages whose recipients want none: one look for all of them.
    async fn end_suppressed(&self, tenant: &TenantId, going: &mut [Going], now: Timestamp) -> Result<(), UseCaseError> {
        let bulk: Vec<usize> = (0..going.len()).filter(|at| going[*at].new.lane == Lane::Bulk).collect();
        let asked: Vec<(TenantId, PhoneNumber)> =
            bulk.iter().filter_map(|at| Some((tenant.clone(), going[*at].new.to.clone()?))).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let answers = self.ports.suppressions.suppressed(&asked).await?;
        // Every new entry knows its number, so the answers are those of the bulk rows, in order.
        for (at, _) in bulk.into_iter().zip(answers).filter(|(_, suppressed)| *suppressed) {
            let row = &mut going[at];
            row.new = ended_as_suppressed(row.new.clone(), now);
        }
        Ok(())
    }

    /// One commit, one round of confirms.
    async fn enqueue_chunk(
        &self,
        tenant: &TenantId,
        mut going: Vec<Going>,
        now: Timestamp,
    ) -> Result<Vec<(usize, Result<Taken, UseCaseError>)>, UseCaseError> {
        self.end_suppressed(tenant, &mut going, now).await?;
        let live = going.iter().filter(|row| !row.late);
        let writes = live.map(|row| {
            let events = MessageDataV1::events(&row.new, MessageState::Queued, row.new.session.as_ref(), now);
            LedgerWrite { fence: None, entry: row.new.clone(), spent: None, events }
        });
        let mut written = self.ports.ledger.write(writes.collect()).await?.into_iter();
        // A late row counts as one that is there, or nowhere.
        let fresh: Vec<bool> = going.iter().map(|row| !row.late && written.next() == Some(Written::Done)).collect();
        let keys: Vec<JobKey> =
            going.iter().zip(&fresh).filter(|(_, fresh)| !**fresh).map(|(row, _)| row.new.key.clone()).collect();
        let found = if keys.is_empty() { Vec::new() } else { self.ports.ledger.get(&keys).await? };
        let mut found = found.into_iter();
        let (mut done, mut publish, mut entries) = (Vec::with_capacity(going.len()), Vec::new(), Vec::new());
        for (row, fresh) in going.into_iter().zip(fresh) {
            let at = row.at;
            let entry = if fresh { Some(row.new.as_written()) } else { found.next().flatten() };
            match entry {
                None if row.late => {
                    done.push((at, Err(too_late())));
                }
                None => done.push((at, Err(UseCaseError::Unsettled))),
                Some(entry) if !fresh && !is_same(&entry, &row.new) => done.push((at, Err(UseCaseError::IdReused))),
                Some(entry) if !fresh && !is_untouched(&entry) => done.push((at, Ok(taken(&entry, true)))),
                Some(entry) if row.new.reason == Some(FailReason::Suppressed) => {
                    let ended = if fresh { entry } else { self.suppressed(entry).await? };
                    done.push((at, Ok(taken(&ended, !fresh))));
                }
                Some(entry) => {
                    publish.push(row.publish);
                    entries.push((at, entry, !fresh));
                }
            }
        }
        if !entries.is_empty() {
            let placed = self.place(publish).await;
            let mut lost = Vec::new();
            for (n, (at, entry, known)) in entries.into_iter().enumerate() {
                match placed.as_ref().map(|placed| placed.get(n)) {
                    Ok(Some(Enqueued::Accepted)) => done.push((at, Ok(taken(&entry, known)))),
                    Ok(Some(Enqueued::NoSuchTarget)) => {
                        lost.push(Lost { at, entry, known, how: MessageState::Failed, why: FailReason::WrongTarget });
                    }
                    Ok(None) | Err(()) => {
                        lost.push(Lost { at, entry, known, how: MessageState::Cancelled, why: FailReason::NotQueued });
                    }
                }
            }
            done.extend(self.give_up(lost).await?);
        }
        Ok(done)
    }

    /// Publishes jobs; those whose queues are missing once more after these were declared.
    async fn place(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, ()> {
        let told = |error: kurir_core::port::PortError| {
            tracing::warn!(error = error.chain(), "a part of a batch could not be published");
        };
        let mut placed = self.ports.jobs.publish(jobs.clone()).await.map_err(told)?;
        let missing: Vec<usize> =
            (0..jobs.len()).filter(|at| placed.get(*at) == Some(&Enqueued::NoSuchTarget)).collect();
        if missing.is_empty() {
            return Ok(placed);
        }
        let mut targets: Vec<&Target> = Vec::new();
        for at in &missing {
            if !targets.contains(&&jobs[*at].target) {
                targets.push(&jobs[*at].target);
            }
        }
        for target in targets {
            self.declare(target).await.map_err(told)?;
        }
        let again = missing.iter().map(|at| jobs[*at].clone()).collect();
        for (at, answer) in missing.into_iter().zip(self.ports.jobs.publish(again).await.map_err(told)?) {
            placed[at] = answer;
        }
        Ok(placed)
    }

    /// Ends rows that are not in the queue, as far as the gateway knows, in one commit.
    async fn give_up(&self, lost: Vec<Lost>) -> Result<Vec<(usize, Result<Taken, UseCaseError>)>, UseCaseError> {
        if lost.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.ports.clock.now();
        let mut writes = Vec::with_capacity(lost.len());
        for Lost { entry, how, why, .. } in &lost {
            // What is not touched may always end.
            let Ok(mut ended) = entry.advance(*how, now) else { return Err(UseCaseError::Unsettled) };
            ended.reason = Some(*why);
            let events = MessageDataV1::events(&ended, entry.state, ended.session.as_ref(), now);
            writes.push(LedgerWrite { fence: None, entry: ended, spent: None, events });
        }
        let answers = self.ports.ledger.write(writes).await.map_err(|error| {
            tracing::warn!(error = error.chain(), "a part of a batch may stay queued until it is sent again");
            UseCaseError::Unsettled
        })?;
        let mut done = Vec::with_capacity(lost.len());
        for (Lost { at, entry, known, how, why }, answer) in lost.into_iter().zip(answers) {
            let ended = match answer {
                Written::Done => true,
                // A worker has got it nevertheless, or somebody put it off.
                Written::Conflict | Written::Fenced => match self.end(&entry, how, why).await? {
                    (_, true) => true,
                    (moved, false) => {
                        done.push((at, Ok(taken(&moved, known))));
                        false
                    }
                },
            };
            if ended {
                let failed = how == MessageState::Failed;
                let error = if failed { UseCaseError::NoQueue { state: how } } else { UseCaseError::NotQueued };
                done.push((at, Err(error)));
            }
        }
        Ok(done)
    }

    /// How many messages of a batch stand in each state; an error if there are none.
    pub async fn batch_counts(&self, filter: &MessageFilter) -> Result<Vec<(MessageState, u64)>, UseCaseError> {
        let counts = self.ports.index.count(filter).await?;
        if counts.is_empty() { Err(UseCaseError::NotFound { what: "batch", field: None }) } else { Ok(counts) }
    }

    /// Cancels all messages of a batch that still wait; tells how many. Must not be dropped halfway.
    pub async fn cancel_batch(&self, filter: &MessageFilter, batch: BatchId) -> Result<u64, UseCaseError> {
        let states = Some(vec![MessageState::Queued, MessageState::Delayed]);
        let waiting = MessageFilter { states, batch: Some(batch), ..filter.clone() };
        let limit = u32::try_from(CHUNK).unwrap_or(u32::MAX);
        let (mut cancelled, mut before) = (0, None);
        for _ in 0..PASSES {
            let entries = self.ports.index.list(&waiting, before, limit).await?;
            let Some(last) = entries.last() else { break };
            before = Some(MessagePlace::of(last));
            cancelled += self.cancel_all(entries).await?;
        }
        tracing::info!(%batch, tenant = %filter.tenant, cancelled, "batch cancelled");
        Ok(cancelled)
    }

    async fn cancel_all(&self, entries: Vec<LedgerEntry>) -> Result<u64, UseCaseError> {
        let now = self.ports.clock.now();
        let mut writes = Vec::with_capacity(entries.len());
        for entry in &entries {
            let Ok(mut moved) = entry.advance(MessageState::Cancelled, now) else { continue };
            (moved.reason, moved.code) = (None, None);
            let events = MessageDataV1::events(&moved, entry.state, moved.session.as_ref(), now);
            writes.push(LedgerWrite { fence: None, entry: moved, spent: None, events });
        }
        let keys: Vec<JobKey> = writes.iter().map(|write| write.entry.key.clone()).collect();
        let answers = self.ports.ledger.write(writes).await?;
        let mut cancelled = 0;
        for (key, answer) in keys.into_iter().zip(answers) {
            match answer {
                Written::Done => cancelled += 1,
                // Somebody changed it in this moment: decided again, by itself.
                Written::Conflict | Written::Fenced => match self.cancel(&key.tenant, key.job).await {
                    Ok(_) => cancelled += 1,
                    Err(UseCaseError::TooLate { .. } | UseCaseError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(cancelled)
    }
}

/// What is wrong with a target, said of another row.
fn same_again(error: &UseCaseError) -> UseCaseError {
    match error {
        UseCaseError::NotFound { what, field } => UseCaseError::NotFound { what, field: *field },
        _ => UseCaseError::SessionDeleted,
    }
}

fn taken(entry: &LedgerEntry, known: bool) -> Taken {
    Taken { id: entry.key.job, state: entry.state, known }
}

/// Why a batch ends in its midst. What was taken before is in the queue, so its caller has to know of it.
fn unfinished(error: UseCaseError, done: &[Option<Result<Taken, UseCaseError>>]) -> UseCaseError {
    let taken = done.iter().flatten().filter(|row| row.is_ok()).count();
    if taken == 0 {
        return error;
    }
    tracing::warn!(%error, taken, of = done.len(), "a batch was taken in part only");
    UseCaseError::BatchUnfinished { taken, of: done.len() }
}

/// All rows refused: those that are bad for what is wrong with them, the others because of these.
fn refused(rows: Vec<Option<UseCaseError>>) -> Rows {
    rows.into_iter().map(|row| Err(row.unwrap_or(UseCaseError::OthersBad))).collect()
}
