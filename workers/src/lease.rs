//! A lease in its holder's hands, and the keeper that renews all leases of a worker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kurir_core::domain::{LeaseToken, SessionId};
use kurir_core::port::{Clock, LeaseStore, Renewal};
use tokio_util::sync::CancellationToken;

use crate::observer::{LeaseChange, Observer};

/// Why a lease is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The store says that somebody else holds it, or nobody.
    Refused,
    /// It could not be renewed before the local deadline.
    Deadline,
}

/// A lease as its holder sees it. The local deadline counts from before the request was sent, so it lies before the
/// remote one whatever the network did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// Held until this moment of boot time.
    Held {
        /// The local deadline.
        until: Duration,
    },
    /// Not held any more; final.
    Lost(Loss),
}

impl Lease {
    /// Acquired or renewed by a request sent at `sent` (boot time). A margin of one renewal is kept, in which the
    /// holder closes its socket.
    pub fn held(sent: Duration, ttl: Duration, margin: Duration) -> Self {
        Self::Held { until: sent + ttl.saturating_sub(margin) }
    }

    /// After a renewal sent at `sent` was answered.
    #[must_use]
    pub fn renewed(self, granted: bool, sent: Duration, ttl: Duration, margin: Duration) -> Self {
        match self {
            Self::Held { .. } if granted => Self::held(sent, ttl, margin),
            Self::Held { .. } => Self::Lost(Loss::Refused),
            lost @ Self::Lost(_) => lost,
        }
    }

    /// As it stands at `now` (boot time).
    #[must_use]
    pub fn at(self, now: Duration) -> Self {
        match self {
            Self::Held { until } if now >= until => Self::Lost(Loss::Deadline),
            same => same,
        }
    }
}

struct Entry {
    token: LeaseToken,
    lease: Lease,
    lost: CancellationToken,
}

/// How often per renewal the deadlines are looked at.
const LOOKS: u32 = 8;

/// Renews the leases of all sessions of a worker in one request per round.
pub(crate) struct Keeper {
    store: Arc<dyn LeaseStore>,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    every: Duration,
    observer: Arc<dyn Observer>,
    held: Mutex<HashMap<SessionId, Entry>>,
}

impl Keeper {
    pub(crate) fn new(
        store: Arc<dyn LeaseStore>,
        clock: Arc<dyn Clock>,
        ttl: Duration,
        every: Duration,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { store, clock, ttl, every, observer, held: Mutex::new(HashMap::new()) }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to take a session's lease; the token is cancelled when it is lost.
    pub(crate) async fn acquire(
        &self,
        session: &SessionId,
        token: LeaseToken,
    ) -> Result<Option<CancellationToken>, kurir_core::port::PortError> {
        let sent = self.clock.boot();
        if !self.store.acquire(session, &token, self.ttl).await? {
            return Ok(None);
        }
        let lost = CancellationToken::new();
        let lease = Lease::held(sent, self.ttl, self.every);
        let entry = Entry { token, lease, lost: lost.clone() };
        self.entries().insert(session.clone(), entry);
        self.observer.lease(LeaseChange::Acquired);
        Ok(Some(lost))
    }

    /// Gives a session's lease back. A failure is no harm: it runs out by itself.
    pub(crate) async fn release(&self, session: &SessionId) {
        let Some(entry) = self.entries().remove(session) else { return };
        self.observer.lease(LeaseChange::Released);
        if let Err(error) = self.store.release(session, &entry.token).await {
            tracing::warn!(%session, error = %error.chain(), "the lease could not be given back; it runs out by itself");
        }
    }

    /// Renews until stopped. Started once per worker.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut renewals = tokio::time::interval(self.every);
        renewals.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // A deadline is noticed soon after it has passed, also while a renewal hangs.
        let mut looks = tokio::time::interval(self.every / LOOKS);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut round = std::pin::pin!(None);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => self.expire(),
                _ = renewals.tick(), if round.is_none() => round.set(Some(self.round())),
                () = async { if let Some(round) = round.as_mut().as_pin_mut() { round.await } }, if round.is_some() => round.set(None),
            }
        }
    }

    async fn round(&self) {
        // A process that was stopped or a machine that slept finds its leases run out before it asks for anything.
        self.expire();
        let held: Vec<(SessionId, LeaseToken)> =
            self.entries().iter().map(|(session, entry)| (session.clone(), entry.token.clone())).collect();
        if held.is_empty() {
            return;
        }
        let sent = self.clock.boot();
        match tokio::time::timeout(self.every, self.store.renew(&held, self.ttl)).await {
            Ok(Ok(answers)) => {
                for ((session, token), answer) in held.into_iter().zip(answers) {
                    let granted = match answer {
                        Renewal::Extended => true,
                        Renewal::Taken => false,
                        Renewal::Vanished => self.enter_again(&session, &token).await,
                    };
                    let mut entries = self.entries();
                    let Some(entry) = entries.get_mut(&session).filter(|entry| entry.token == token) else { continue };
                    entry.lease = entry.lease.renewed(granted, sent, self.ttl, self.every);
                }
            }
            Ok(Err(error)) => tracing::warn!(error = %error.chain(), "leases could not be renewed"),
            Err(_) => tracing::warn!("the renewal of the leases got no answer in time"),
        }
        self.expire();
    }

    /// The store does not know a lease that has not run out: it has forgotten it. Nobody else can hold it yet, because
    /// nobody takes a session soon after such a loss; so its holder enters it again. If somebody does hold it, the
    /// store refuses.
    async fn enter_again(&self, session: &SessionId, token: &LeaseToken) -> bool {
        if !self.is_held(session, token) {
            // Given back meanwhile.
            return false;
        }
        match self.store.acquire(session, token, self.ttl).await {
            Ok(true) if self.is_held(session, token) => {
                tracing::info!(%session, "the lease store had forgotten a lease; it is entered again");
                true
            }
            Ok(entered) => {
                // Given back between the two steps: it must not stay behind.
                if entered && let Err(error) = self.store.release(session, token).await {
                    tracing::warn!(%session, error = %error.chain(), "the lease could not be given back; it runs out by itself");
                }
                false
            }
            Err(error) => {
                tracing::warn!(%session, error = %error.chain(), "a forgotten lease could not be entered again");
                false
            }
        }
    }

    fn is_held(&self, session: &SessionId, token: &LeaseToken) -> bool {
        self.entries().get(session).is_some_and(|entry| entry.token == *token)
    }

    fn expire(&self) {
        let now = self.clock.boot();
        self.entries().retain(|session, entry| {
            entry.lease = entry.lease.at(now);
            if let Lease::Lost(loss) = entry.lease {
                tracing::warn!(%session, ?loss, "lease lost");
                self.observer.lease(LeaseChange::Lost);
                entry.lost.cancel();
                return false;
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_local_deadline_lies_before_the_remote_one() {
        let lease = Lease::held(s(100), s(15), s(3));
        assert_eq!(lease.at(s(111)), lease);
        assert_eq!(lease.at(s(112)), Lease::Lost(Loss::Deadline));
    }

    #[test]
    fn a_loss_is_final() {
        let lost = Lease::held(s(100), s(15), s(3)).renewed(false, s(103), s(15), s(3));
        assert_eq!(lost, Lease::Lost(Loss::Refused));
        assert_eq!(lost.renewed(true, s(104), s(15), s(3)), lost);
        assert_eq!(lost.at(s(0)), lost);
    }
}
