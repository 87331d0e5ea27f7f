//! What this gateway's own callers do to sessions and no event tells of, told to the gateway's other callers.
//!
//! Nothing is kept: who does not listen misses it.

use kurir_core::domain::{SessionId, TenantId};
use tokio::sync::broadcast;

/// So many wait for a listener that is behind; then it has to look for itself.
const BEHIND: usize = 128;

/// What there is to tell of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Somebody asks for it to run, so whoever watches may want to see where it stands.
    Asked,
    /// It was asked to run, and no code to scan came in time.
    NoQr,
    /// It was asked to rest.
    Stopped,
    /// It was removed.
    Deleted,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// Whose session it is.
    pub tenant: TenantId,
    /// Which.
    pub session: SessionId,
    /// What there is to tell.
    pub news: News,
}

/// Where they are told and heard.
pub(super) struct Notices(broadcast::Sender<Notice>);

/// Somebody who hears them.
pub(super) struct Hearer(broadcast::Receiver<Notice>);

impl Notices {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }

    /// Tells whoever listens.
    pub fn tell(&self, tenant: &TenantId, session: &SessionId, news: News) {
        // It fails where nobody listens.
        let _ = self.0.send(Notice { tenant: tenant.clone(), session: session.clone(), news });
    }

    /// Listens from now on.
    pub fn listen(&self) -> Hearer {
        Hearer(self.0.subscribe())
    }
}

impl Hearer {
    /// The next one; `None` when some were missed.
    pub async fn next(&mut self) -> Option<Notice> {
        self.0.recv().await.ok()
    }
}
