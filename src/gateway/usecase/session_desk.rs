//! What callers say of their sessions: whether they run, how they are called, which one is the default.

use std::collections::BTreeMap;

use kurir_core::domain::{
    LabelChange, OwnLimits, SessionId, SessionName, SessionNote, SessionRecord, TenantId, Wanted, WorkerName,
};
use kurir_core::port::{Described, Description};

use super::{UseCaseError, UseCases};

/// What is to be changed of a session.
#[derive(Debug, Default)]
pub struct SessionChange {
    /// Another name, none (`Some(None)`), or as it is.
    pub name: Option<Option<String>>,
    /// Labels to set, or to remove where there is no value.
    pub labels: BTreeMap<String, Option<String>>,
}

/// What a caller can want of a session that stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Be connected, or ask for a scan.
    Start,
    /// Be disconnected, keep the credentials.
    Stop,
    /// Get a new connection with the credentials that it has.
    Restart,
    /// Log the device out, forget the credentials, and rest.
    LogOut,
}

impl UseCases {
    /// Changes a session's name and labels.
    pub async fn describe_session(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        change: SessionChange,
    ) -> Result<SessionRecord, UseCaseError> {
        self.own_session(tenant, id).await?;
        let name = change.name.map(|name| name.map(SessionName::new).transpose()).transpose();
        let name = name.map_err(|error| UseCaseError::field("name", error.to_string()))?;
        let labels =
            LabelChange::new(change.labels).map_err(|error| UseCaseError::field("labels", error.to_string()))?;
        match self.ports.sessions.describe(id, &Description { name, labels }).await? {
            Described::Done => self.own_session(tenant, id).await,
            Described::TooManyLabels => {
                Err(UseCaseError::field("labels", kurir_core::domain::LabelError::TooMany.to_string()))
            }
            Described::Gone => Err(UseCaseError::NotFound { what: "session", field: None }),
        }
    }

    /// Gives a session limits of its own, in the place of those that it had.
    pub async fn limit_session(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        limits: &OwnLimits,
    ) -> Result<SessionRecord, UseCaseError> {
        self.own_session(tenant, id).await?;
        limits.check().map_err(|bad| UseCaseError::field(bad.field, bad.wanted))?;
        if self.ports.sessions.limit(id, limits).await? {
            self.own_session(tenant, id).await
        } else {
            Err(UseCaseError::NotFound { what: "session", field: None })
        }
    }

    /// Notes something of a session, in the place of what was noted before.
    pub async fn note_session(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        note: &SessionNote,
    ) -> Result<(), UseCaseError> {
        self.own_session(tenant, id).await?;
        if self.ports.sessions.note(id, note).await? {
            Ok(())
        } else {
            Err(UseCaseError::NotFound { what: "session", field: None })
        }
    }

    /// What was noted of sessions that the caller has read as the tenant's.
    pub async fn notes(&self, sessions: &[SessionRecord]) -> Result<BTreeMap<SessionId, SessionNote>, UseCaseError> {
        let ids: Vec<SessionId> = sessions.iter().map(|session| session.id.clone()).collect();
        Ok(self.ports.sessions.notes(&ids).await?)
    }

    /// Says what is wanted of a session; its worker does it. The wish stands in the store before this returns, so it is
    /// carried out whichever worker dies. The latest wish counts.
    pub async fn order(&self, tenant: &TenantId, id: &SessionId, order: Order) -> Result<SessionRecord, UseCaseError> {
        let record = self.own_session(tenant, id).await?;
        if record.wanted == Wanted::Deleted {
            return Err(UseCaseError::SessionDeleted);
        }
        let sessions = &self.ports.sessions;
        let there = match order {
            Order::Start => sessions.want(id, Wanted::Running).await?,
            Order::Stop => sessions.want(id, Wanted::Stopped).await?,
            Order::LogOut => sessions.want(id, Wanted::LoggedOut).await?,
            Order::Restart => sessions.restart(id).await?,
        };
        if !there {
            return Err(UseCaseError::NotFound { what: "session", field: None });
        }
        tracing::info!(session = %id, %tenant, ?order, "session is told");
        self.nudge().await;
        self.own_session(tenant, id).await
    }

    /// Wants a session with a worker of this name from now on, or with any again. A name that no worker has waits for one that
    /// has it; the session stays where it is meanwhile.
    pub async fn move_session(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        worker: Option<&str>,
    ) -> Result<SessionRecord, UseCaseError> {
        let record = self.own_session(tenant, id).await?;
        let worker = worker.map(WorkerName::new).transpose();
        let worker = worker.map_err(|error| UseCaseError::field("worker", error.to_string()))?;
        if record.wanted == Wanted::Deleted {
            return Err(UseCaseError::SessionDeleted);
        }
        self.ports.wishes.pin(id, worker.as_ref()).await?;
        tracing::info!(session = %id, %tenant, worker = worker.as_ref().map(tracing::field::display), "session is to move");
        self.nudge().await;
        Ok(record)
    }

    /// The worker that a session of the caller's is wanted with; none while nobody can tell.
    pub async fn wished_worker(&self, record: &SessionRecord) -> Option<WorkerName> {
        match self.ports.wishes.pins().await {
            Ok(mut pins) => pins.remove(&record.id),
            Err(error) => {
                tracing::debug!(error = %error.chain(), "the wishes for the placement could not be read");
                None
            }
        }
    }

    /// The session that sends where none is named.
    pub async fn default_session(&self, tenant: &TenantId) -> Result<Option<SessionId>, UseCaseError> {
        Ok(self.ports.sessions.default_of(tenant).await?)
    }

    /// Names the session that sends where none is named, or leaves the tenant without one.
    pub async fn set_default(&self, tenant: &TenantId, id: Option<&SessionId>) -> Result<(), UseCaseError> {
        if self.ports.sessions.make_default(tenant, id).await? {
            Ok(())
        } else {
            Err(UseCaseError::NotFound { what: "session", field: Some("session") })
        }
    }
}
