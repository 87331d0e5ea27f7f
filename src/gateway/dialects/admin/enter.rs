//! Making and changing sessions, so that there are never more than may be and one of them is the default.

use std::collections::BTreeMap;

use kurir_core::domain::{Scope, SessionId, SessionName, SessionRecord, Wanted};

use super::card::Card;
use super::{Denied, Desk, Guest, Refusal};
use crate::gateway::usecase::{Order, Search, SessionChange};

impl Desk {
    /// Makes a session. The first one becomes the default and is started, whatever its card says. One at a time, since each
    /// looks at what is there; two gateways that are asked at the same moment may let one in too many.
    pub(super) async fn enter(&self, guest: &Guest, id: SessionId, card: Card) -> Result<SessionRecord, Denied> {
        guest.needs(Scope::Control)?;
        let tenant = guest.tenant();
        let _one_at_a_time = self.entering.lock().await;
        let there = self.sessions_of(tenant, Search::default).await?;
        if there.iter().any(|session| session.id == id && guest.covers(&id)) {
            return Err(Refusal::SessionExists(id.to_string()).into());
        }
        let most = self.options.max_sessions;
        if most > 0 && there.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
            return Err(Denied::TooMany(most));
        }
        check_name(&there, &id, card.name.as_ref())?;
        let has_default = self.app.cases.default_session(tenant).await?.is_some();
        let name = card.name.as_ref().map(|name| name.as_str().to_owned());
        let session = self.create(guest, Some(id), name, false).await?;
        if let Some(note) = card.note(None, self.app.clock.now())? {
            self.app.cases.note_session(tenant, &session.id, &note).await?;
        }
        if card.default || !has_default {
            self.app.cases.set_default(tenant, Some(&session.id)).await?;
        }
        if there.is_empty() || card.active != Some(false) {
            return Ok(self.tell(guest, &session, Order::Start).await?);
        }
        Ok(session)
    }

    /// Changes what a card says of a session.
    pub(super) async fn amend(
        &self,
        guest: &Guest,
        session: &SessionRecord,
        card: Card,
    ) -> Result<SessionRecord, Denied> {
        guest.needs(Scope::Control)?;
        let (tenant, id) = (guest.tenant(), &session.id);
        let _one_at_a_time = self.entering.lock().await;
        if let Some(name) = card.name.as_ref().filter(|name| session.name.as_ref() != Some(*name)) {
            check_name(&self.sessions_of(tenant, Search::default).await?, id, Some(name))?;
            let name = Some(Some(name.as_str().to_owned()));
            self.app.cases.describe_session(tenant, id, SessionChange { name, labels: BTreeMap::new() }).await?;
        }
        let before = self.app.cases.notes(std::slice::from_ref(session)).await?;
        if let Some(note) = card.note(before.get(id), self.app.clock.now())? {
            self.app.cases.note_session(tenant, id, &note).await?;
        }
        if card.default {
            self.app.cases.set_default(tenant, Some(id)).await?;
        }
        match card.active {
            Some(true) if session.wanted != Wanted::Running => Ok(self.tell(guest, session, Order::Start).await?),
            Some(false) if session.wanted == Wanted::Running => Ok(self.tell(guest, session, Order::Stop).await?),
            Some(_) | None => Ok(self.app.cases.session(tenant, id).await?),
        }
    }
}

/// Whether a session may be called so: callers name sessions to send through by these names.
fn check_name(there: &[SessionRecord], id: &SessionId, name: Option<&SessionName>) -> Result<(), Denied> {
    let is_taken = |session: &SessionRecord| session.id != *id && name.is_some() && session.name.as_ref() == name;
    if there.iter().any(is_taken) { Err(Denied::NameTaken) } else { Ok(()) }
}
