//! What senders have spent, and whom they have met.

use kurir_core::domain::{PaceState, PhoneNumber, SenderPace, SessionId};
use kurir_core::port::PortError;
use sqlx::sqlite::SqliteConnection;

use super::database::Database;
use super::error::{corrupt, sql};
use super::state::hexadecimal;

pub(super) const MEET: &str = "INSERT INTO met (session, recipient) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

pub(super) const BULK: &str = "INSERT INTO bulk_recipient (session, recipient) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// The fingerprint of a recipient of a session.
pub(super) fn fingerprint(db: &Database, session: &SessionId, recipient: &PhoneNumber) -> [u8; 16] {
    db.sealer.fingerprint(&format!("met/{session}"), recipient.digits())
}

/// What a recipient of a session's bulk messages is known by.
pub(super) fn bulk_fingerprint(db: &Database, session: &SessionId, recipient: &PhoneNumber) -> [u8; 16] {
    db.sealer.fingerprint(&format!("bulk/{session}"), recipient.digits())
}

/// The fingerprints of whom a write addresses: who is met, who gets a bulk message.
#[derive(Clone, Copy, Default)]
pub(super) struct Addressed {
    pub(super) met: Option<[u8; 16]>,
    pub(super) bulk: Option<[u8; 16]>,
}

/// Reads a sender's state. A row that an earlier version wrote has its pace and nothing else.
pub(super) fn read(session: &str, pace: i64, spent: Option<&str>) -> Result<SenderPace, PortError> {
    match spent {
        None => Ok(SenderPace { next: PaceState(pace.cast_unsigned()), ..SenderPace::default() }),
        Some(json) => {
            serde_json::from_str(json).map_err(|error| corrupt(format!("what session {session:?} has spent"), error))
        }
    }
}

/// What the writes of one call spend together, of one session.
#[derive(Default)]
pub(super) struct Together {
    latest: Option<(SenderPace, String)>,
    addressed: Vec<Addressed>,
}

impl Together {
    /// Adds what one write spends that was done: the state, how it will stand there, whom it addresses.
    pub(super) fn add(&mut self, state: SenderPace, json: String, addressed: Addressed) {
        if self.latest.as_ref().is_none_or(|(latest, _)| latest.turn <= state.turn) {
            self.latest = Some((state, json));
        }
        self.addressed.push(addressed);
    }

    /// Saves the state unless a later one is there, and who was addressed.
    pub(super) async fn save(self, connection: &mut SqliteConnection, session: &SessionId) -> Result<(), sqlx::Error> {
        if let Some((state, json)) = self.latest {
            sqlx::query(
                "UPDATE session SET pace = ?2, spent = ?3 WHERE id = ?1 AND coalesce(spent ->> 'turn', 0) <= ?4",
            )
            .bind(session.as_str())
            .bind(state.next.0.cast_signed())
            .bind(json)
            .bind(state.turn.cast_signed())
            .execute(&mut *connection)
            .await?;
        }
        for Addressed { met, bulk } in self.addressed {
            for (statement, recipient) in [(MEET, met), (BULK, bulk)] {
                let Some(recipient) = recipient else { continue };
                sqlx::query(statement)
                    .bind(session.as_str())
                    .bind(recipient.as_slice())
                    .execute(&mut *connection)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Which recipients the session has met, in order.
pub(super) async fn met(
    db: &Database,
    session: &SessionId,
    recipients: &[PhoneNumber],
) -> Result<Vec<bool>, PortError> {
    let asked: Vec<_> = recipients.iter().map(|number| hexadecimal(&fingerprint(db, session, number))).collect();
    let asked = serde_json::to_string(&asked).map_err(|error| corrupt("a list of recipients", error))?;
    let rows: Vec<(bool,)> = sqlx::query_as(
        "SELECT EXISTS (SELECT 1 FROM met WHERE session = ?1 AND recipient = unhex(asked.value)) \
         FROM json_each(?2) AS asked ORDER BY asked.key",
    )
    .bind(session.as_str())
    .bind(asked)
    .fetch_all(&db.readers)
    .await
    .map_err(|error| sql("looking up whom a session has met", error))?;
    Ok(rows.into_iter().map(|(met,)| met).collect())
}
