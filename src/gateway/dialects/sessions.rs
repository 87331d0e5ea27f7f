//! Sessions by the names that the older systems' users know.

use std::collections::BTreeMap;

use kurir_core::domain::{Scope, SessionId, SessionRecord, SessionState, TenantId, Wanted};

use tokio::time::{Instant, MissedTickBehavior};

use super::qr::LOOK_EVERY;
use super::{Desk, Guest, Refusal};
use crate::gateway::usecase::{Create, Order, Search, UseCaseError};

/// Sessions of one read, and all that a dialect lists: these systems knew no pages.
const PAGE: u32 = 200;
const MOST: usize = 2000;

/// Whether a session can send.
pub(super) fn is_connected(session: &SessionRecord) -> bool {
    session.status.state == SessionState::Connected && session.wanted == Wanted::Running
}

/// Where a session stands, in one word; `scan` is the dialect's for one that waits to be scanned.
pub(super) fn word(session: &SessionRecord, scan: &'static str) -> &'static str {
    match session.status.state {
        SessionState::Connected if is_connected(session) => "connected",
        SessionState::AwaitingScan => scan,
        SessionState::Created | SessionState::Paired => "connecting",
        SessionState::LoggedOut => "logged_out",
        SessionState::Banned => "banned",
        SessionState::Connected | SessionState::Disconnected | SessionState::ScanTimedOut | SessionState::Outdated => {
            "disconnected"
        }
    }
}

/// What people call a session; one without a name is called by its id.
pub(super) fn name_of(session: &SessionRecord) -> &str {
    session.name.as_ref().map_or_else(|| session.id.as_str(), |name| name.as_str())
}

/// Reads the id of a session; what can't be one is the id of none.
pub(super) fn session_id(id: &str) -> Result<SessionId, Refusal> {
    SessionId::new(id).map_err(|_| Refusal::NoSession)
}

impl Desk {
    /// One of the caller's sessions.
    pub async fn session(&self, guest: &Guest, id: &str) -> Result<SessionRecord, Refusal> {
        guest.needs(Scope::Read)?;
        let id = session_id(id)?;
        if !guest.covers(&id) {
            return Err(Refusal::NoSession);
        }
        let session = self.app.cases.session(guest.tenant(), &id).await?;
        // One that is on its way out is gone for these callers.
        if session.wanted == Wanted::Deleted { Err(Refusal::NoSession) } else { Ok(session) }
    }

    /// The caller's session of this name, or, without one, the one that has it for its id and no name.
    pub async fn named(&self, guest: &Guest, name: &str) -> Result<Option<SessionRecord>, Refusal> {
        let search = || Search { name: Some(name.to_owned()), ..Search::default() };
        // The oldest, if somebody gave two of them one name.
        let found = self.sessions(guest, search).await?.into_iter().min_by_key(|session| session.created_at);
        if found.is_some() {
            return Ok(found);
        }
        match self.session(guest, name).await {
            Ok(session) if session.name.is_none() => Ok(Some(session)),
            Ok(_) | Err(Refusal::NoSession) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// The caller's sessions, ordered by id, those apart that are on their way out.
    pub async fn sessions(&self, guest: &Guest, search: impl Fn() -> Search) -> Result<Vec<SessionRecord>, Refusal> {
        guest.needs(Scope::Read)?;
        let all = self.sessions_of(guest.tenant(), search).await?;
        Ok(all.into_iter().filter(|session| guest.covers(&session.id)).collect())
    }

    /// A tenant's sessions, also those that the caller's key is not good for: to count them, not to show them.
    pub async fn sessions_of(
        &self,
        tenant: &TenantId,
        search: impl Fn() -> Search,
    ) -> Result<Vec<SessionRecord>, Refusal> {
        let (mut all, mut after): (Vec<SessionRecord>, Option<SessionId>) = (Vec::new(), None);
        while all.len() < MOST {
            let page = self.app.cases.sessions(tenant, search(), after.as_ref(), PAGE).await?;
            all.extend(page.sessions.into_iter().filter(|session| session.wanted != Wanted::Deleted));
            let Some(next) = page.next else { break };
            after = Some(next);
        }
        Ok(all)
    }

    /// Creates a session and starts it.
    pub async fn create(
        &self,
        guest: &Guest,
        id: Option<SessionId>,
        name: Option<String>,
        start: bool,
    ) -> Result<SessionRecord, Refusal> {
        guest.needs(Scope::Control)?;
        // A key for some sessions makes those only.
        if !id.as_ref().map_or_else(|| guest.covers_all(), |id| guest.covers(id)) {
            return Err(Refusal::NotAllowed);
        }
        let named = id.map(String::from);
        let wish = Create { id: named.clone(), pool: None, name, labels: BTreeMap::new(), default: false, start };
        let (cases, tenant) = (self.app.cases.clone(), guest.tenant().clone());
        let done = self.app.tasks.spawn(async move { cases.create_session(&tenant, wish).await });
        match done.await.map_err(|_| Refusal::Unavailable)? {
            Ok(session) => Ok(session),
            Err(UseCaseError::SessionExists(_) | UseCaseError::SessionIdTaken) => {
                Err(Refusal::SessionExists(named.unwrap_or_default()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The session of this id, made and started if there is none. `true`: it is new.
    pub async fn open(&self, guest: &Guest, id: SessionId) -> Result<(SessionRecord, bool), Refusal> {
        match self.session(guest, id.as_str()).await {
            Ok(session) => Ok((session, false)),
            Err(Refusal::NoSession) => match self.create(guest, Some(id.clone()), None, true).await {
                Ok(session) => Ok((session, true)),
                // Somebody was faster; or it is somebody else's, which is nobody's business.
                Err(Refusal::SessionExists(_)) => Ok((self.session(guest, id.as_str()).await?, false)),
                Err(refusal) => Err(refusal),
            },
            Err(refusal) => Err(refusal),
        }
    }

    /// Tells a session something.
    pub async fn tell(&self, guest: &Guest, session: &SessionRecord, order: Order) -> Result<SessionRecord, Refusal> {
        guest.needs(Scope::Control)?;
        Ok(self.app.cases.order(guest.tenant(), &session.id, order).await?)
    }

    /// Logs a session out and removes it. Its worker does that; in the older systems it was done when they answered, so this
    /// waits for it, as long as a send does. After that it is done all the same.
    pub async fn remove(&self, guest: &Guest, session: &SessionRecord) -> Result<(), Refusal> {
        guest.needs(Scope::Control)?;
        let end = Instant::now() + self.options.send_wait;
        match self.app.cases.delete_session(guest.tenant(), &session.id).await {
            Ok(_) => {}
            Err(UseCaseError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.app.stopping.cancelled() => break,
            }
            match self.app.cases.session(guest.tenant(), &session.id).await {
                Ok(_) => {}
                Err(UseCaseError::NotFound { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
