//! Sessions that were asked to run and have nothing to scan yet: their users are told when that takes too long.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kurir_core::domain::{SessionId, SessionRecord, SessionState, Timestamp, Wanted};

use super::super::Desk;
use crate::gateway::notices::News;

/// Most sessions that are watched at the same time; the start of a further one goes unwatched.
const MOST: usize = 10_000;

/// The sessions that are watched.
#[derive(Default)]
pub(in crate::gateway::dialects) struct Starts(Arc<Mutex<HashSet<SessionId>>>);

fn lock(watched: &Mutex<HashSet<SessionId>>) -> MutexGuard<'_, HashSet<SessionId>> {
    // Nothing panics while it holds the lock.
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session's place among those watched; dropping it gives it back.
struct Watch {
    among: Arc<Mutex<HashSet<SessionId>>>,
    session: SessionId,
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.among).remove(&self.session);
    }
}

impl Starts {
    /// A place for this session; `None`: it has one, or there is none.
    fn watch(&self, session: &SessionId) -> Option<Watch> {
        let mut watched = lock(&self.0);
        let fits = watched.len() < MOST && watched.insert(session.clone());
        fits.then(|| Watch { among: Arc::clone(&self.0), session: session.clone() })
    }

    /// Tells the sockets when this session, asked to run just now, has no code to scan in time.
    pub(super) fn expect_code(&self, desk: &Arc<Desk>, session: &SessionRecord) {
        let Some(watch) = self.watch(&session.id) else { return };
        let (desk, tenant) = (Arc::clone(desk), session.tenant.clone());
        // It writes nothing, so a stop need not wait for it.
        tokio::spawn(async move {
            let waited = desk.app.stopping.run_until_cancelled(tokio::time::sleep(desk.options.qr_timeout)).await;
            if waited.is_none() {
                return;
            }
            match desk.app.cases.session(&tenant, &watch.session).await {
                Ok(session) if has_nothing_to_scan(&session, desk.app.clock.now()) => {
                    desk.app.notices.tell(&tenant, &session.id, News::NoQr);
                }
                // Meanwhile it is linked, or shows its code, or is gone.
                Ok(_) => {}
                Err(_) => {
                    tracing::debug!(session = %watch.session, "nobody knows whether a session has a code to scan");
                }
            }
        });
    }
}

/// The code that a session shows, while it is good.
pub(super) fn to_scan(session: &SessionRecord, now: Timestamp) -> Option<&str> {
    let shows = session.status.state == SessionState::AwaitingScan && session.wanted == Wanted::Running;
    let code = session.status.qr.as_ref().filter(|code| shows && code.expires_at > now)?;
    Some(code.text.expose())
}

/// Whether a session is still to be linked and shows no code.
fn has_nothing_to_scan(session: &SessionRecord, now: Timestamp) -> bool {
    let unlinked = matches!(
        session.status.state,
        SessionState::Created | SessionState::AwaitingScan | SessionState::ScanTimedOut | SessionState::LoggedOut
    );
    session.wanted == Wanted::Running && unlinked && to_scan(session, now).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_watched_once_until_its_watch_ends() {
        let starts = Starts::default();
        let id = SessionId::new("s1").unwrap();
        let watch = starts.watch(&id).unwrap();
        assert!(starts.watch(&id).is_none());
        assert!(starts.watch(&SessionId::new("s2").unwrap()).is_some());
        drop(watch);
        assert!(starts.watch(&id).is_some());
    }
}
