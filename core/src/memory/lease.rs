//! Leases within one process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::lock;
use crate::domain::{LeaseHolder, LeaseToken, SessionId};
use crate::port::{Clock, LeaseStore, PortError, Renewal};

/// Below this many leases nobody looks for expired ones.
const SWEEP_FROM: usize = 64;

struct Lease {
    token: LeaseToken,
    /// Boot time from which it is free.
    until: Duration,
}

#[derive(Default)]
struct Table {
    leases: HashMap<SessionId, Lease>,
    /// The size at which expired leases are looked for: twice what was left last time, so that a look is paid for by
    /// as many acquisitions.
    sweep_at: usize,
}

impl Table {
    fn live(&self, session: &SessionId, now: Duration) -> Option<&Lease> {
        self.leases.get(session).filter(|lease| now < lease.until)
    }

    fn sweep(&mut self, now: Duration) {
        if self.leases.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.leases.retain(|_, lease| now < lease.until);
            self.sweep_at = self.leases.len() * 2;
        }
    }
}

/// The leases of one process, by boot time: those of a machine that slept through them have run out when it wakes.
pub struct MemoryLeases {
    clock: Arc<dyn Clock>,
    table: Mutex<Table>,
}

impl MemoryLeases {
    /// No leases.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, table: Mutex::default() }
    }
}

#[async_trait]
impl LeaseStore for MemoryLeases {
    async fn acquire(&self, session: &SessionId, token: &LeaseToken, ttl: Duration) -> Result<bool, PortError> {
        let now = self.clock.boot();
        let mut table = lock(&self.table);
        if table.live(session, now).is_some() {
            return Ok(false);
        }
        table.sweep(now);
        table.leases.insert(session.clone(), Lease { token: token.clone(), until: now.saturating_add(ttl) });
        Ok(true)
    }

    async fn renew(&self, held: &[(SessionId, LeaseToken)], ttl: Duration) -> Result<Vec<Renewal>, PortError> {
        let now = self.clock.boot();
        let mut table = lock(&self.table);
        let renewed =
            held.iter().map(|(session, token)| match table.leases.get_mut(session).filter(|lease| now < lease.until) {
                None => Renewal::Vanished,
                Some(lease) if lease.token != *token => Renewal::Taken,
                Some(lease) => {
                    lease.until = now.saturating_add(ttl);
                    Renewal::Extended
                }
            });
        Ok(renewed.collect())
    }

    async fn release(&self, session: &SessionId, token: &LeaseToken) -> Result<bool, PortError> {
        let now = self.clock.boot();
        let mut table = lock(&self.table);
        let mine = table.live(session, now).is_some_and(|lease| lease.token == *token);
        if mine {
            table.leases.remove(session);
        }
        Ok(mine)
    }

    async fn evict(&self, holder: &LeaseHolder, sessions: &[SessionId]) -> Result<u64, PortError> {
        let mut table = lock(&self.table);
        let mut evicted = 0;
        for session in sessions {
            if table.leases.get(session).is_some_and(|lease| lease.token.is_of(holder)) {
                table.leases.remove(session);
                evicted += 1;
            }
        }
        Ok(evicted)
    }

    async fn era(&self) -> Result<String, PortError> {
        // It forgets only with the process, and everybody who asks with it.
        Ok("one".to_owned())
    }

    async fn held(&self, sessions: &[SessionId]) -> Result<Vec<bool>, PortError> {
        let now = self.clock.boot();
        let table = lock(&self.table);
        Ok(sessions.iter().map(|session| table.live(session, now).is_some()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, WorkerName};
    use crate::memory::ManualClock;

    #[tokio::test]
    async fn expired_leases_are_dropped() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let leases = MemoryLeases::new(clock.clone());
        let token = LeaseToken::new(&LeaseHolder::new(&WorkerName::new("w").unwrap(), 1), 1);
        for n in 0..10_000 {
            let id = SessionId::new(format!("s{n}")).unwrap();
            assert!(leases.acquire(&id, &token, Duration::from_secs(10)).await.unwrap());
            clock.advance(Duration::from_secs(1));
        }
        let left = lock(&leases.table).leases.len();
        assert!(left <= 2 * SWEEP_FROM, "{left} leases are kept where 10 are alive");
    }
}
