//! Linking a session to a phone, as people do it: look where it stands, ask for codes where it rests.

use kurir_core::domain::{QrCode, SessionId, SessionRecord, SessionState, TenantId, Timestamp, Wanted};

use super::session_desk::Order;
use super::{UseCaseError, UseCases};

/// How far the linking of a session is.
#[derive(Clone, Debug)]
pub enum LinkStanding {
    /// This code waits to be scanned.
    Code(QrCode),
    /// The next code is to come.
    Coming,
    /// Nothing comes before somebody asks for it: it was never started or was stopped, nobody scanned in time, or it was
    /// logged out. The state tells which.
    Rests(SessionState),
    /// It is linked; the state tells whether it is connected.
    Linked(SessionState),
    /// It is being logged out or deleted.
    Ending,
}

impl LinkStanding {
    fn of(record: &SessionRecord, now: Timestamp) -> Self {
        let state = record.status.state;
        if record.wanted.is_errand() {
            return Self::Ending;
        }
        if state.is_linked() {
            return Self::Linked(state);
        }
        if record.wanted == Wanted::Stopped {
            return Self::Rests(state);
        }
        match &record.status.qr {
            Some(qr) if state == SessionState::AwaitingScan && qr.expires_at > now => Self::Code(qr.clone()),
            _ => Self::Coming,
        }
    }
}

impl UseCases {
    /// How far the linking of a session is. Looking changes nothing.
    pub async fn link_standing(
        &self,
        tenant: &TenantId,
        id: &SessionId,
    ) -> Result<(SessionRecord, LinkStanding), UseCaseError> {
        let record = self.own_session(tenant, id).await?;
        let standing = LinkStanding::of(&record, self.ports.clock.now());
        Ok((record, standing))
    }

    /// Has a session that rests show codes again; one that does not rest goes on.
    pub async fn ask_to_link(&self, tenant: &TenantId, id: &SessionId) -> Result<(), UseCaseError> {
        let (_, standing) = self.link_standing(tenant, id).await?;
        match standing {
            LinkStanding::Rests(_) => self.order(tenant, id, Order::Start).await.map(drop),
            LinkStanding::Ending => Err(UseCaseError::SessionDeleted),
            LinkStanding::Code(_) | LinkStanding::Coming | LinkStanding::Linked(_) => Ok(()),
        }
    }
}
