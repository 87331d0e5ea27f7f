//! One look at the fleet: idempotent, and the only way by which sessions are placed and handed over.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use kurir_core::domain::{Lane, LeaseHolder, SessionId, SessionRecord, SessionState, Timestamp, Wanted};
use kurir_core::policy::{Candidate, place};
use kurir_core::port::{Beat, PortError};

use super::{Fleet, process_of};

/// Sessions read per page.
const PAGE: u32 = 500;

/// How many queues are asked at the same time how much waits in them.
const ASKED_AT_ONCE: usize = 16;

/// How long the answers to that may take; without them the sessions are taken in their order.
const ASKED_FOR: Duration = Duration::from_millis(500);

/// A member that shows no life for so long is dead.
const SURE: Duration = Duration::from_secs(6);

/// What follows when the lease store has lost its memory: leases that it does not know may be held all the same, so
/// for one lease's span nobody takes or gives anything. Owners enter theirs again meanwhile.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    era: Option<String>,
    /// Boot time.
    until: Duration,
}

impl Quarantine {
    /// Whether it holds at `now` (boot time), with the store in this era.
    fn holds(&mut self, era: String, now: Duration, ttl: Duration) -> bool {
        if let Some(before) = self.era.as_ref().filter(|before| **before != era) {
            tracing::warn!(
                before,
                now = era,
                "the lease store has restarted; no session is taken for one lease's span"
            );
            self.until = now + ttl;
        }
        self.era = Some(era);
        now < self.until
    }
}

impl Fleet {
    /// The look that comes by itself, from time to time.
    pub(crate) async fn regular_look(&mut self) -> Result<(), PortError> {
        self.moves = self.shared.options.moves_per_scan;
        self.look().await
    }

    /// Looks through fleet and sessions, and places what is to be held.
    pub(crate) async fn look(&mut self) -> Result<(), PortError> {
        let ports = &self.shared.ports;
        let (pins, drained) = (ports.wishes.pins().await?, ports.wishes.drained().await?);
        let leaving = drained.contains(&self.shared.options.name);
        ports.members.beat(&self.beat(leaving), self.beat_ttl()).await?;
        let members = ports.members.members().await?;
        self.doubt(&members).await;
        let records = self.records().await?;
        let errands = records.iter().filter(|record| record.wanted.is_errand());
        self.errands = errands.map(|record| (record.id.clone(), record.wanted)).collect();
        self.drop_unwanted(&records);
        self.tell_pools(&records);
        self.tell_limits(&records);
        let (era, boot) = (self.shared.ports.leases.era().await?, self.shared.ports.clock.boot());
        if self.quarantine.holds(era, boot, self.shared.options.lease_ttl) {
            self.takes.fill(Vec::new());
            return Ok(());
        }
        let living = self.bury(members, &records).await?;
        let now = self.shared.ports.clock.now();
        let wanted: Vec<SessionId> =
            records.iter().filter(|record| is_to_be_held(record, now)).map(|record| record.id.clone()).collect();
        // A person is about to scan: a move would void the code on their screen.
        let scanned: HashSet<&SessionId> = records
            .iter()
            .filter(|record| matches!(record.status.state, SessionState::AwaitingScan | SessionState::Paired))
            .map(|record| &record.id)
            .collect();
        let staying: Vec<&Beat> = living.iter().filter(|beat| !beat.leaving).collect();
        let candidates: Vec<Candidate> = staying
            .iter()
            .map(|beat| Candidate { id: format!("{}/{:032x}", beat.worker, beat.instance), capacity: beat.capacity })
            .collect();
        let placed = place(&wanted, &candidates, |session| {
            let name = pins.get(session)?;
            staying.iter().position(|beat| beat.worker == *name)
        });
        let elsewhere = self.held_elsewhere(&wanted).await?;
        let mut mine = Vec::new();
        for (session, at) in wanted.into_iter().zip(placed) {
            let here = at.is_some_and(|at| staying[at].instance == self.shared.instance);
            match self.held.get(&session) {
                None if here && !elsewhere.contains(&session) && !self.takes.rests(&session, now) => mine.push(session),
                Some(held)
                    if !here
                        && at.is_some()
                        && self.moves > 0
                        && !held.stop.is_cancelled()
                        && !scanned.contains(&session) =>
                {
                    tracing::info!(%session, "session is handed over");
                    held.stop.cancel();
                    self.moves -= 1;
                }
                _ => {}
            }
        }
        let waiting = self.with_waiting_otps(mine).await;
        self.takes.fill(waiting);
        Ok(())
    }

    /// Finds members that died before this worker watched: of these the vigil tells nothing.
    /// Whoever beats shows its life before, so a member that does not is dead, or its vigil's connection is being made
    /// anew: that one shows its life again soon, so it is asked for twice.
    async fn doubt(&mut self, members: &[Beat]) {
        let processes = members.iter().map(|beat| process_of(beat.instance));
        let strangers: Vec<u64> = processes
            .filter(|process| *process != process_of(self.shared.instance) && !self.known.contains(process))
            .collect();
        self.doubted.retain(|process, _| strangers.contains(process));
        if strangers.is_empty() {
            return;
        }
        let boot = self.shared.ports.clock.boot();
        match self.shared.ports.vigil.alive().await {
            Ok(alive) => {
                for process in strangers {
                    if alive.contains(&process) {
                        self.doubted.remove(&process);
                    } else if boot.saturating_sub(*self.doubted.entry(process).or_insert(boot)) >= SURE {
                        self.known.insert(process);
                        self.dead.insert(process);
                    }
                }
            }
            Err(error) => tracing::debug!(error = %error.chain(), "it could not be asked who lives"),
        }
    }

    /// After how long a look is due that can't wait for the regular one.
    pub(crate) fn looks_again(&self) -> Option<Duration> {
        (!self.doubted.is_empty()).then_some(SURE)
    }

    /// Frees what dead processes held, and strikes them from the list. Those who remain.
    async fn bury(&mut self, members: Vec<Beat>, records: &[SessionRecord]) -> Result<Vec<Beat>, PortError> {
        let ports = &self.shared.ports;
        let (dead, living): (Vec<Beat>, Vec<Beat>) =
            members.into_iter().partition(|beat| self.dead.contains(&process_of(beat.instance)));
        for Beat { worker, instance, .. } in &dead {
            let theirs: Vec<SessionId> = records
                .iter()
                .filter(|record| record.owner.as_ref() == Some(worker))
                .map(|record| record.id.clone())
                .collect();
            let evicted = ports.leases.evict(&LeaseHolder::new(worker, *instance), &theirs).await?;
            tracing::warn!(%worker, sessions = evicted, "a worker has died; its sessions are taken over");
            // After that the others have nothing to free.
            ports.members.leave(worker, *instance).await?;
        }
        // Who is not in the list any more is remembered by nobody; who comes back is seen first.
        self.dead.retain(|process| dead.iter().any(|beat| process_of(beat.instance) == *process));
        Ok(living)
    }

    /// Which of these sessions another worker holds now; asking for their leases would be in vain.
    async fn held_elsewhere(&self, sessions: &[SessionId]) -> Result<HashSet<SessionId>, PortError> {
        let open: Vec<SessionId> =
            sessions.iter().filter(|session| !self.held.contains_key(session)).cloned().collect();
        if open.is_empty() {
            return Ok(HashSet::new());
        }
        let held = self.shared.ports.leases.held(&open).await?;
        Ok(open.into_iter().zip(held).filter_map(|(session, held)| held.then_some(session)).collect())
    }

    /// How many one-time passwords wait for each of these sessions, where that matters and can be told soon.
    async fn with_waiting_otps(&self, sessions: Vec<SessionId>) -> Vec<(SessionId, u64)> {
        let mut waiting: Vec<(SessionId, u64)> = sessions.into_iter().map(|session| (session, 0)).collect();
        if waiting.len() < 2 {
            return waiting;
        }
        let asks: Vec<_> = waiting
            .iter()
            .map(|(session, _)| {
                let (jobs, session) = (Arc::clone(&self.shared.ports.jobs), session.clone());
                async move { jobs.depth(&session, Lane::Otp).await }
            })
            .collect();
        let answers = futures_util::stream::iter(asks).buffered(ASKED_AT_ONCE).collect::<Vec<_>>();
        if let Ok(answers) = tokio::time::timeout(ASKED_FOR, answers).await {
            for ((_, otps), depth) in waiting.iter_mut().zip(answers) {
                // A session that was never served has no queue yet.
                *otps = depth.unwrap_or(0);
            }
        }
        waiting
    }

    async fn records(&self) -> Result<Vec<SessionRecord>, PortError> {
        let mut records: Vec<SessionRecord> = Vec::new();
        loop {
            let after = records.last().map(|record| record.id.clone());
            let page = self.shared.ports.sessions.list(None, after.as_ref(), PAGE).await?;
            let more = page.len() == PAGE as usize;
            records.extend(page);
            if !more {
                return Ok(records);
            }
        }
    }

    /// Tells the owners of sessions which pools those belong to now.
    fn tell_pools(&mut self, records: &[SessionRecord]) {
        self.pools = records.iter().filter_map(|record| Some((record.id.clone(), record.pool.clone()?))).collect();
        for (session, held) in &self.held {
            let pool = self.pools.get(session);
            held.pool.send_if_modified(|told| {
                let changed = told.as_ref() != pool;
                if changed {
                    *told = pool.cloned();
                }
                changed
            });
        }
    }

    /// Tells the owners of sessions which limits those have of their own now.
    fn tell_limits(&self, records: &[SessionRecord]) {
        for record in records {
            let Some(held) = self.held.get(&record.id) else { continue };
            held.limits.send_if_modified(|told| told.replace(record.limits) != Some(record.limits));
        }
    }

    /// Stops what nobody wants running any more, and what is to get a new connection: whoever takes it next makes one.
    fn drop_unwanted(&mut self, records: &[SessionRecord]) {
        for record in records {
            let Some(held) = self.held.get_mut(&record.id) else { continue };
            if held.errand != Some(record.wanted) {
                held.errand = None;
            }
            // Whoever is on that errand is to come to its end.
            let unwanted = record.wanted != Wanted::Running && held.errand.is_none();
            let restarted = record.restarts > held.restarts.load(Ordering::Relaxed);
            if unwanted || (restarted && held.errand.is_none()) {
                held.stop.cancel();
            }
        }
    }
}

/// Whether somebody should hold this session now.
fn is_to_be_held(record: &SessionRecord, now: Timestamp) -> bool {
    match record.wanted {
        Wanted::Deleted | Wanted::LoggedOut => true,
        Wanted::Stopped => false,
        Wanted::Running => {
            record.status.state != SessionState::Banned || record.status.until.is_none_or(|until| now >= until)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(30);

    #[test]
    fn a_restart_of_the_lease_store_is_followed_by_one_span_of_quiet() {
        let at = Duration::from_secs;
        let mut quarantine = Quarantine::default();
        assert!(!quarantine.holds("one".into(), at(100), TTL), "the first era is not a change");
        assert!(!quarantine.holds("one".into(), at(102), TTL));
        assert!(quarantine.holds("two".into(), at(104), TTL));
        assert!(quarantine.holds("two".into(), at(133), TTL));
        assert!(!quarantine.holds("two".into(), at(134), TTL));
    }
}
