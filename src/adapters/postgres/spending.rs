//! What senders have spent, and whom they have met.

use kurir_core::domain::{PaceState, PhoneNumber, SenderPace, SessionId};
use kurir_core::port::{Acquaintances, LedgerWrite, PortError};
use sqlx::postgres::PgExecutor;

use super::PostgresStore;
use super::error::{corrupt, port_error, refused};
use super::sealing::Vault;

// A session is named once.
const SAVE: &str = "\
INSERT INTO session_pace (session, pace, turn, spent)
SELECT p.session, p.pace, p.turn, p.spent
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS p(session, pace, turn, spent)
ORDER BY p.session COLLATE \"C\"
ON CONFLICT (session) DO UPDATE SET pace = excluded.pace, turn = excluded.turn, spent = excluded.spent
WHERE session_pace.turn <= excluded.turn";

const MEET: &str = "\
INSERT INTO met (session, recipient)
SELECT DISTINCT m.session COLLATE \"C\", m.recipient FROM unnest($1::text[], $2::bytea[]) AS m(session, recipient)
ORDER BY 1, 2
ON CONFLICT DO NOTHING";

const MEET_IN_BULK: &str = "\
INSERT INTO bulk_recipient (session, recipient)
SELECT DISTINCT m.session COLLATE \"C\", m.recipient FROM unnest($1::text[], $2::bytea[]) AS m(session, recipient)
ORDER BY 1, 2
ON CONFLICT DO NOTHING";

const MET: &str = "\
SELECT EXISTS (SELECT 1 FROM met WHERE session = $1 AND recipient = r.recipient)
FROM unnest($2::bytea[]) WITH ORDINALITY AS r(recipient, ord)
ORDER BY r.ord";

const GOT_BULK: &str = "\
SELECT EXISTS (SELECT 1 FROM bulk_recipient WHERE session = $1 AND recipient = r.recipient)
FROM unnest($2::bytea[]) WITH ORDINALITY AS r(recipient, ord)
ORDER BY r.ord";

/// A sender's state as its columns.
pub(super) struct Row {
    pub(super) pace: i64,
    pub(super) turn: i64,
    pub(super) spent: String,
    /// The fingerprint of the recipient that was met.
    pub(super) met: Option<Vec<u8>>,
    /// The fingerprint of the recipient of a bulk message.
    pub(super) bulk: Option<Vec<u8>>,
}

fn fingerprint(vault: &Vault, session: &SessionId, recipient: &PhoneNumber) -> Vec<u8> {
    vault.fingerprint(&format!("met/{session}"), recipient.digits()).to_vec()
}

/// What a recipient of bulk messages is known by.
pub(super) fn bulk_fingerprint(vault: &Vault, session: &SessionId, recipient: &PhoneNumber) -> Vec<u8> {
    vault.fingerprint(&format!("bulk/{session}"), recipient.digits()).to_vec()
}

/// Enters whom a session has written to.
pub(super) async fn acquaint(
    vault: &Vault,
    connection: &mut sqlx::PgConnection,
    session: &SessionId,
    known: &Acquaintances,
) -> Result<(), sqlx::Error> {
    let met: Vec<_> = known.met.iter().map(|number| fingerprint(vault, session, number)).collect();
    let bulk: Vec<_> = known.bulk.iter().map(|number| bulk_fingerprint(vault, session, number)).collect();
    for (statement, marks) in [(MEET, met), (MEET_IN_BULK, bulk)] {
        if !marks.is_empty() {
            let sessions = vec![session.as_str(); marks.len()];
            sqlx::query(statement).bind(sessions).bind(marks).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// What a write spends; nothing without a fence, because it is the owner's.
pub(super) fn row(vault: &Vault, write: &LedgerWrite) -> Result<Option<Row>, PortError> {
    let (Some(fence), Some(spent)) = (&write.fence, &write.spent) else { return Ok(None) };
    Ok(Some(Row {
        pace: spent.pace.next.0.cast_signed(),
        turn: spent.pace.turn.cast_signed(),
        spent: serde_json::to_string(&spent.pace).map_err(|e| refused("writing a sender's state as JSON", e))?,
        met: spent.met.as_ref().map(|recipient| fingerprint(vault, &fence.session, recipient)),
        bulk: spent.bulk.as_ref().map(|recipient| bulk_fingerprint(vault, &fence.session, recipient)),
    }))
}

/// Reads a sender's state. A row that an earlier version wrote has its pace and nothing else.
pub(super) fn read(session: &SessionId, pace: Option<i64>, spent: Option<&str>) -> Result<SenderPace, PortError> {
    match spent {
        None => Ok(SenderPace { next: PaceState(pace.unwrap_or_default().cast_unsigned()), ..SenderPace::default() }),
        Some(json) => serde_json::from_str(json).map_err(|e| corrupt(format!("what session {session} has spent"), e)),
    }
}

/// What the writes of one call spend together.
#[derive(Default)]
pub(super) struct Together<'a> {
    states: std::collections::BTreeMap<&'a str, &'a Row>,
    met: Vec<(&'a str, &'a [u8])>,
    bulk: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Together<'a> {
    /// Adds what one write spends that was done.
    pub(super) fn add(&mut self, session: &'a str, row: &'a Row) {
        let latest = self.states.entry(session).or_insert(row);
        if row.turn >= latest.turn {
            *latest = row;
        }
        self.met.extend(row.met.as_deref().map(|recipient| (session, recipient)));
        self.bulk.extend(row.bulk.as_deref().map(|recipient| (session, recipient)));
    }

    /// Saves it.
    pub(super) async fn save(&self, connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
        if !self.states.is_empty() {
            let rows = self.states.values();
            sqlx::query(SAVE)
                .bind(self.states.keys().copied().collect::<Vec<_>>())
                .bind(rows.clone().map(|row| row.pace).collect::<Vec<_>>())
                .bind(rows.clone().map(|row| row.turn).collect::<Vec<_>>())
                .bind(rows.map(|row| row.spent.as_str()).collect::<Vec<_>>())
                .execute(&mut *connection)
                .await?;
        }
        for (statement, recipients) in [(MEET, &self.met), (MEET_IN_BULK, &self.bulk)] {
            if !recipients.is_empty() {
                let (sessions, recipients): (Vec<&str>, Vec<&[u8]>) = recipients.iter().copied().unzip();
                sqlx::query(statement).bind(sessions).bind(recipients).execute(&mut *connection).await?;
            }
        }
        Ok(())
    }
}

impl PostgresStore {
    /// Which recipients the session has met, in order.
    pub(super) async fn who_was_met(
        &self,
        executor: impl PgExecutor<'_>,
        session: &SessionId,
        recipients: &[PhoneNumber],
    ) -> Result<Vec<bool>, PortError> {
        let marks: Vec<_> = recipients.iter().map(|number| fingerprint(&self.vault, session, number)).collect();
        sqlx::query_scalar(MET)
            .bind(session.as_str())
            .bind(&marks)
            .fetch_all(executor)
            .await
            .map_err(|e| port_error("looking up whom a session has met", e))
    }

    /// Which recipients got bulk messages of the session, in order.
    pub(super) async fn who_got_bulk(
        &self,
        executor: impl PgExecutor<'_>,
        session: &SessionId,
        recipients: &[PhoneNumber],
    ) -> Result<Vec<bool>, PortError> {
        let marks: Vec<_> = recipients.iter().map(|number| bulk_fingerprint(&self.vault, session, number)).collect();
        sqlx::query_scalar(GOT_BULK)
            .bind(session.as_str())
            .bind(&marks)
            .fetch_all(executor)
            .await
            .map_err(|e| port_error("looking up who got bulk messages of a session", e))
    }
}
