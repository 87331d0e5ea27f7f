//! Numbers and events as the tables hold them.

use kurir_core::domain::{Epoch, EventId, EventKind, OutboxEvent, SessionId, TenantId, Timestamp};
use kurir_core::port::PortError;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::error::{corrupt, port_error};
use super::sealing::{Place, Vault};

/// A count as the database holds it. One that does not fit can't be stored, so it equals none that is: -1.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// An epoch as the database holds it.
pub(super) fn epoch(epoch: Epoch) -> i64 {
    count(epoch.0)
}

/// A count from the database.
pub(super) fn to_count(number: i64, what: impl FnOnce() -> String) -> Result<u64, PortError> {
    u64::try_from(number).map_err(|e| corrupt(what(), e))
}

/// Events, column by column.
#[derive(Default)]
pub(super) struct EventColumns<'a> {
    /// The number of the write that each belongs to.
    pub(super) of: Vec<i64>,
    pub(super) ids: Vec<Uuid>,
    pub(super) tenants: Vec<&'a str>,
    pub(super) sessions: Vec<Option<&'a str>>,
    pub(super) kinds: Vec<&'static str>,
    pub(super) ats: Vec<i64>,
    pub(super) bodies: Vec<Vec<u8>>,
}

impl<'a> EventColumns<'a> {
    /// The events of one write.
    pub(super) fn of_one(vault: &Vault, events: &'a [OutboxEvent]) -> Self {
        let mut columns = Self::default();
        columns.extend(vault, 0, events);
        columns
    }

    /// Adds the events of the write numbered `of`.
    pub(super) fn extend(&mut self, vault: &Vault, of: i64, events: &'a [OutboxEvent]) {
        for event in events {
            self.of.push(of);
            self.ids.push(event.id.0);
            self.tenants.push(event.tenant.as_str());
            self.sessions.push(event.session.as_ref().map(SessionId::as_str));
            self.kinds.push(event.kind.as_str());
            self.ats.push(event.at.as_millis());
            self.bodies.push(vault.seal(&Place::Event(event.id), &event.body));
        }
    }
}

/// What is wrong with a column that kurir did not write.
#[derive(Debug, thiserror::Error)]
#[error("{column} holds {found:?}, a word that this version does not know")]
pub(super) struct UnknownWord {
    pub(super) column: &'static str,
    pub(super) found: String,
}

/// Reads a row of the outbox.
pub(super) fn event(vault: &Vault, row: &PgRow) -> Result<OutboxEvent, PortError> {
    const ACTION: &str = "reading the outbox";
    let failed = |e| port_error(ACTION, e);
    let id = EventId(row.try_get("id").map_err(failed)?);
    let place = Place::Event(id);
    let kind: String = row.try_get("kind").map_err(failed)?;
    let session: Option<&str> = row.try_get("session").map_err(failed)?;
    Ok(OutboxEvent {
        id,
        tenant: TenantId::new(row.try_get::<&str, _>("tenant").map_err(failed)?)
            .map_err(|e| corrupt(format!("the tenant of event {id}"), e))?,
        session: session
            .map(SessionId::new)
            .transpose()
            .map_err(|e| corrupt(format!("the session of event {id}"), e))?,
        kind: EventKind::parse(&kind)
            .ok_or_else(|| corrupt(format!("event {id}"), UnknownWord { column: "kind", found: kind }))?,
        at: Timestamp::from_millis(row.try_get("at").map_err(failed)?),
        body: vault.open(&place, row.try_get("body").map_err(failed)?)?,
    })
}
