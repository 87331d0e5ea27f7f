//! The record of every job.

use std::collections::HashMap;

use async_trait::async_trait;
use kurir_core::domain::{BatchId, JobKey, LedgerEntry, MessageId, PhoneNumber, SessionId, TenantId, Timestamp};
use kurir_core::port::{Ledger, LedgerWrite, PortError, Written};
use sqlx::Row as _;
use sqlx::postgres::{PgExecutor, PgRow};
use uuid::Uuid;

use super::error::{corrupt, port_error};
use super::rows::{self, EventColumns};
use super::sealing::{Place, Vault};
use super::spending::{self, Together};
use super::{PostgresStore, index, outbox};

// `present` locks the entries that are to be changed in the order of their keys, because an UPDATE takes them in any
// order; new ones are inserted in that order, too. An entry of a version above 0 that is not there is not made anew.
const WRITE: &str = "\
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::uuid[], $6::bigint[],
        $7::text[], $8::text[], $9::text[], $10::bytea[],
        $11::bigint[], $12::bigint[], $13::text[], $14::bytea[],
        $15::text[], $16::bytea[], $17::uuid[], $18::bigint[], $26::bytea[], $27::text[],
        $28::bigint[], $29::bigint[], $30::bigint[], $31::bigint[]
    ) AS w(ord, fence_session, fence_epoch, tenant, job, version,
           session, message_id, state, entry, pace, turn, spent, met,
           lane, mark, batch, enqueued_at, bulk, words,
           sent_at, delivered_at, read_at, ended_at)
), held AS MATERIALIZED (
    SELECT id, epoch FROM session WHERE id = ANY($2) ORDER BY id FOR SHARE
), allowed AS MATERIALIZED (
    SELECT asked.* FROM asked
    LEFT JOIN held ON held.id = asked.fence_session AND held.epoch = asked.fence_epoch
    WHERE asked.fence_session IS NULL OR held.id IS NOT NULL
), present AS MATERIALIZED (
    SELECT j.tenant, j.job FROM job j
    JOIN allowed a ON j.tenant = a.tenant AND j.job = a.job AND j.version = a.version
    ORDER BY j.tenant, j.job
    FOR NO KEY UPDATE OF j
), changed AS (
    UPDATE job j
    SET version = a.version + 1, session = a.session, message_id = a.message_id, state = a.state,
        entry = a.entry, written_at = DEFAULT,
        sent_at = a.sent_at, delivered_at = a.delivered_at, read_at = a.read_at, ended_at = a.ended_at
    FROM allowed a JOIN present p ON p.tenant = a.tenant AND p.job = a.job
    WHERE j.tenant = a.tenant AND j.job = a.job AND j.version = a.version
    RETURNING a.ord
), made AS (
    INSERT INTO job (tenant, job, version, session, message_id, state, entry, lane, mark, batch, enqueued_at, words,
                     sent_at, delivered_at, read_at, ended_at)
    SELECT a.tenant, a.job, 1, a.session, a.message_id, a.state, a.entry, a.lane, a.mark, a.batch, a.enqueued_at,
           string_to_array(a.words, ',')::uuid[], a.sent_at, a.delivered_at, a.read_at, a.ended_at
    FROM allowed a WHERE a.version = 0
    ORDER BY a.tenant COLLATE \"C\", a.job
    ON CONFLICT (tenant, job) DO NOTHING
    RETURNING tenant, job
), done AS MATERIALIZED (
    SELECT ord FROM changed
    UNION ALL
    SELECT a.ord FROM made JOIN allowed a ON a.tenant = made.tenant AND a.job = made.job
), paced AS (
    INSERT INTO session_pace (session, pace, turn, spent)
    SELECT DISTINCT ON (a.fence_session COLLATE \"C\") a.fence_session, a.pace, a.turn, a.spent
    FROM done JOIN allowed a ON a.ord = done.ord
    WHERE a.spent IS NOT NULL
    ORDER BY a.fence_session COLLATE \"C\", a.turn DESC, a.ord DESC
    ON CONFLICT (session) DO UPDATE SET pace = excluded.pace, turn = excluded.turn, spent = excluded.spent
    WHERE session_pace.turn <= excluded.turn
), introduced AS (
    INSERT INTO met (session, recipient)
    SELECT DISTINCT a.fence_session COLLATE \"C\", a.met
    FROM done JOIN allowed a ON a.ord = done.ord
    WHERE a.met IS NOT NULL
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
), addressed AS (
    INSERT INTO bulk_recipient (session, recipient)
    SELECT DISTINCT a.fence_session COLLATE \"C\", a.bulk
    FROM done JOIN allowed a ON a.ord = done.ord
    WHERE a.bulk IS NOT NULL
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
), told AS (
    INSERT INTO outbox (id, tenant, session, kind, at, body)
    SELECT e.id, e.tenant, e.session, e.kind, e.at, e.body
    FROM unnest($19::bigint[], $20::uuid[], $21::text[], $22::text[], $23::text[], $24::bigint[], $25::bytea[])
         WITH ORDINALITY AS e(of, id, tenant, session, kind, at, body, ord)
    JOIN done ON done.ord = e.of
    ORDER BY e.ord
    ON CONFLICT (id) DO NOTHING
)
SELECT asked.ord, allowed.ord IS NOT NULL AS allowed, done.ord IS NOT NULL AS done
FROM asked LEFT JOIN allowed ON allowed.ord = asked.ord LEFT JOIN done ON done.ord = asked.ord";

const GET: &str = "\
SELECT j.entry
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant, job, ord)
LEFT JOIN LATERAL (SELECT entry FROM job WHERE tenant = k.tenant AND job = k.job OFFSET 0) j ON true
ORDER BY k.ord";

const BY_MESSAGE: &str = "\
SELECT j.tenant, j.job, j.entry
FROM unnest($2::text[]) WITH ORDINALITY AS m(id, ord)
LEFT JOIN LATERAL (
    SELECT tenant, job, entry FROM job WHERE session = $1 AND message_id = m.id LIMIT 1
) j ON true
ORDER BY m.ord";

const OPEN_OF: &str = "\
SELECT tenant, job, entry FROM job
WHERE session = $1 AND state IN ('queued', 'delayed', 'sending') LIMIT $2";

// An entry that a receipt is just changing is skipped; it is not as old as it looked.
const FORGET: &str = "\
WITH old AS MATERIALIZED (
    SELECT tenant, job FROM job
    WHERE written_at < $1 AND state NOT IN ('queued', 'delayed', 'sending')
    ORDER BY written_at LIMIT $2
    FOR UPDATE SKIP LOCKED
)
DELETE FROM job j USING old WHERE j.tenant = old.tenant AND j.job = old.job";

/// Writes, column by column; `ords` are their places in the call.
#[derive(Default)]
struct Columns<'a> {
    ords: Vec<i64>,
    fence_sessions: Vec<Option<&'a str>>,
    fence_epochs: Vec<Option<i64>>,
    tenants: Vec<&'a str>,
    jobs: Vec<Uuid>,
    versions: Vec<i64>,
    sessions: Vec<Option<&'a str>>,
    message_ids: Vec<&'a str>,
    states: Vec<&'static str>,
    entries: Vec<&'a [u8]>,
    paces: Vec<Option<i64>>,
    turns: Vec<Option<i64>>,
    spent: Vec<Option<&'a str>>,
    met: Vec<Option<&'a [u8]>>,
    lanes: Vec<&'static str>,
    marks: Vec<Option<&'a [u8]>>,
    batches: Vec<Option<Uuid>>,
    enqueued: Vec<i64>,
    bulk: Vec<Option<&'a [u8]>>,
    words: Vec<Option<&'a str>>,
    sent: Vec<Option<i64>>,
    delivered: Vec<Option<i64>>,
    read: Vec<Option<i64>>,
    ended: Vec<Option<i64>>,
}

/// One write, ready for the database.
struct Prepared<'a> {
    write: &'a LedgerWrite,
    sealed: Vec<u8>,
    spent: Option<spending::Row>,
    /// Of the recipient, in the first write of an entry.
    mark: Option<Vec<u8>>,
    /// The marks of the caller's own words, in the first write; separated by commas, since a column of an array of arrays
    /// can't be passed.
    words: Option<String>,
}

fn words(vault: &Vault, entry: &LedgerEntry) -> Option<String> {
    let first = entry.version == 0 && !entry.metadata.is_empty();
    let marks = || entry.metadata.iter().map(|one| index::word(vault, &entry.key.tenant, one).to_string());
    first.then(|| marks().collect::<Vec<_>>().join(","))
}

impl<'a> Columns<'a> {
    fn push(&mut self, ord: i64, prepared: &'a Prepared<'a>, spends: bool) {
        let Prepared { write, sealed, spent, mark, words } = prepared;
        let entry = &write.entry;
        let spent = spent.as_ref().filter(|_| spends);
        self.ords.push(ord);
        self.fence_sessions.push(write.fence.as_ref().map(|fence| fence.session.as_str()));
        self.fence_epochs.push(write.fence.as_ref().map(|fence| rows::epoch(fence.epoch)));
        self.tenants.push(entry.key.tenant.as_str());
        self.jobs.push(entry.key.job.as_uuid());
        self.versions.push(rows::count(entry.version));
        self.sessions.push(entry.session.as_ref().map(SessionId::as_str));
        self.message_ids.push(entry.message_id.as_str());
        self.states.push(entry.state.as_str());
        self.entries.push(sealed);
        self.paces.push(spent.map(|row| row.pace));
        self.turns.push(spent.map(|row| row.turn));
        self.spent.push(spent.map(|row| row.spent.as_str()));
        self.met.push(spent.and_then(|row| row.met.as_deref()));
        self.lanes.push(entry.lane.as_str());
        self.marks.push(mark.as_deref());
        self.batches.push(entry.batch.map(BatchId::as_uuid));
        self.enqueued.push(entry.enqueued_at.as_millis());
        self.bulk.push(spent.and_then(|row| row.bulk.as_deref()));
        self.words.push(words.as_deref());
        self.sent.push(entry.sent_at.map(Timestamp::as_millis));
        self.delivered.push(entry.delivered_at.map(Timestamp::as_millis));
        self.read.push(entry.read_at.map(Timestamp::as_millis));
        self.ended.push(entry.ended_at.map(Timestamp::as_millis));
    }
}

/// The writes of one call, sealed, numbered and spread over rounds: a round names no entry twice.
struct Plan<'a> {
    rounds: Vec<Vec<(i64, &'a Prepared<'a>)>>,
}

impl<'a> Plan<'a> {
    fn new(writes: &'a [Prepared<'a>]) -> Self {
        let mut turns: HashMap<&JobKey, usize> = HashMap::new();
        let mut rounds: Vec<Vec<_>> = Vec::new();
        for (ord, prepared) in (0..).zip(writes) {
            let turn = turns.entry(&prepared.write.entry.key).or_default();
            if rounds.len() == *turn {
                rounds.push(Vec::new());
            }
            rounds[*turn].push((ord, prepared));
            *turn += 1;
        }
        Self { rounds }
    }

    /// The columns of a round.
    fn columns(&self, round: usize, spends: bool) -> Columns<'a> {
        let mut columns = Columns::default();
        for (ord, prepared) in &self.rounds[round] {
            columns.push(*ord, prepared, spends);
        }
        columns
    }
}

async fn write_round(
    executor: impl PgExecutor<'_>,
    columns: &Columns<'_>,
    events: &EventColumns<'_>,
) -> Result<Vec<(i64, Written)>, sqlx::Error> {
    let rows = sqlx::query(WRITE)
        .bind(&columns.ords)
        .bind(&columns.fence_sessions)
        .bind(&columns.fence_epochs)
        .bind(&columns.tenants)
        .bind(&columns.jobs)
        .bind(&columns.versions)
        .bind(&columns.sessions)
        .bind(&columns.message_ids)
        .bind(&columns.states)
        .bind(&columns.entries)
        .bind(&columns.paces)
        .bind(&columns.turns)
        .bind(&columns.spent)
        .bind(&columns.met)
        .bind(&columns.lanes)
        .bind(&columns.marks)
        .bind(&columns.batches)
        .bind(&columns.enqueued)
        .bind(&events.of)
        .bind(&events.ids)
        .bind(&events.tenants)
        .bind(&events.sessions)
        .bind(&events.kinds)
        .bind(&events.ats)
        .bind(&events.bodies)
        .bind(&columns.bulk)
        .bind(&columns.words)
        .bind(&columns.sent)
        .bind(&columns.delivered)
        .bind(&columns.read)
        .bind(&columns.ended)
        .fetch_all(executor)
        .await?;
    rows.iter()
        .map(|row| {
            let written = match (row.try_get("allowed")?, row.try_get("done")?) {
                (false, _) => Written::Fenced,
                (true, true) => Written::Done,
                (true, false) => Written::Conflict,
            };
            Ok((row.try_get("ord")?, written))
        })
        .collect()
}

impl PostgresStore {
    /// No entry is named twice: one statement does it all.
    async fn write_once(
        &self,
        columns: &Columns<'_>,
        events: &EventColumns<'_>,
    ) -> Result<HashMap<i64, Written>, sqlx::Error> {
        Ok(write_round(&self.pool, columns, events).await?.into_iter().collect())
    }

    /// Entries named more than once: a statement a round, so that a later write sees the earlier one; then what is
    /// spent and the events of those that were done, in the order of the call.
    async fn write_rounds(
        &self,
        writes: &[Prepared<'_>],
        plan: &Plan<'_>,
    ) -> Result<HashMap<i64, Written>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let mut answers = HashMap::new();
        for round in 0..plan.rounds.len() {
            let columns = plan.columns(round, false);
            answers.extend(write_round(&mut *transaction, &columns, &EventColumns::default()).await?);
        }
        let mut events = EventColumns::default();
        let mut spent = Together::default();
        for (ord, Prepared { write, spent: row, .. }) in (0..).zip(writes) {
            if answers.get(&ord) == Some(&Written::Done) {
                events.extend(&self.vault, ord, &write.events);
                if let (Some(fence), Some(row)) = (&write.fence, row) {
                    spent.add(fence.session.as_str(), row);
                }
            }
        }
        spent.save(&mut transaction).await?;
        if !events.ids.is_empty() {
            outbox::add(&mut *transaction, &events).await?;
        }
        transaction.commit().await?;
        Ok(answers)
    }

    pub(super) fn entry(&self, key: &JobKey, sealed: &[u8]) -> Result<LedgerEntry, PortError> {
        self.vault.open_json(&Place::Job(key), sealed)
    }

    pub(super) fn entry_with_key(&self, row: &PgRow) -> Result<Option<LedgerEntry>, PortError> {
        let failed = |e| port_error("reading the ledger by message", e);
        let Some(tenant) = row.try_get::<Option<&str>, _>("tenant").map_err(failed)? else { return Ok(None) };
        let tenant = TenantId::new(tenant).map_err(|e| corrupt("the tenant of a job".to_owned(), e))?;
        let job: Uuid = row.try_get("job").map_err(failed)?;
        let key = JobKey::new(tenant, kurir_core::domain::JobId::new(job));
        self.entry(&key, row.try_get("entry").map_err(failed)?).map(Some)
    }
}

#[async_trait]
impl Ledger for PostgresStore {
    async fn write(&self, writes: Vec<LedgerWrite>) -> Result<Vec<Written>, PortError> {
        const ACTION: &str = "writing the ledger";
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let prepared = writes
            .iter()
            .map(|write| {
                let next = write.entry.as_written();
                let sealed = self.vault.seal_json(&Place::Job(&next.key), &next)?;
                let mark = write.entry.to.as_ref().map(|to| index::mark(&self.vault, &next.key.tenant, to));
                let words = words(&self.vault, &write.entry);
                Ok(Prepared { write, sealed, spent: spending::row(&self.vault, write)?, mark, words })
            })
            .collect::<Result<Vec<_>, PortError>>()?;
        let (writes, prepared, plan) = (&writes, &prepared, &Plan::new(&prepared));
        let answers = if plan.rounds.len() == 1 {
            let columns = &plan.columns(0, true);
            let mut events = EventColumns::default();
            for (ord, write) in (0..).zip(writes) {
                events.extend(&self.vault, ord, &write.events);
            }
            let events = &events;
            self.retrying(ACTION, |_| self.write_once(columns, events)).await?
        } else {
            self.retrying(ACTION, |_| self.write_rounds(prepared, plan)).await?
        };
        (0..)
            .zip(writes)
            .map(|(ord, write)| {
                answers.get(&ord).copied().ok_or_else(|| {
                    corrupt(format!("the answer to the write of job {}", write.entry.key.job), "it is missing")
                })
            })
            .collect()
    }

    async fn get(&self, keys: &[JobKey]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        const ACTION: &str = "reading the ledger";
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let tenants: Vec<&str> = keys.iter().map(|key| key.tenant.as_str()).collect();
        let jobs: Vec<Uuid> = keys.iter().map(|key| key.job.as_uuid()).collect();
        let rows = sqlx::query(GET)
            .bind(&tenants)
            .bind(&jobs)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error(ACTION, e))?;
        keys.iter()
            .zip(&rows)
            .map(|(key, row)| {
                let sealed: Option<&[u8]> = row.try_get(0).map_err(|e| port_error(ACTION, e))?;
                sealed.map(|sealed| self.entry(key, sealed)).transpose()
            })
            .collect()
    }

    async fn by_message(&self, session: &SessionId, ids: &[MessageId]) -> Result<Vec<Option<LedgerEntry>>, PortError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // Ids in receipts are what others chose. A text of the database can't hold a zero byte, so no entry has such
        // an id; asking for it would be an error.
        let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str()).filter(|id| !id.contains('\0'))).collect();
        let rows = sqlx::query(BY_MESSAGE)
            .bind(session.as_str())
            .bind(&ids)
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading the ledger by message", e))?;
        rows.iter().map(|row| self.entry_with_key(row)).collect()
    }

    async fn open_of(&self, session: &SessionId, limit: u32) -> Result<Vec<LedgerEntry>, PortError> {
        let rows = sqlx::query(OPEN_OF)
            .bind(session.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(|e| port_error("reading a session's open jobs", e))?;
        rows.iter().filter_map(|row| self.entry_with_key(row).transpose()).collect()
    }

    async fn met(&self, session: &SessionId, recipients: &[PhoneNumber]) -> Result<Vec<bool>, PortError> {
        if recipients.is_empty() {
            return Ok(Vec::new());
        }
        self.who_was_met(&self.pool, session, recipients).await
    }

    async fn forget(&self, before: Timestamp, limit: u32) -> Result<u64, PortError> {
        self.retrying("forgetting old jobs", |_| async move {
            let done = sqlx::query(FORGET).bind(before.as_millis()).bind(i64::from(limit)).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
        .await
    }
}
