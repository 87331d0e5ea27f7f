//! What happened at a session of late.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use kurir_core::domain::{EventKind, LogFilter, SessionId, TenantId, Timestamp};

use super::{UseCaseError, UseCases};

/// How far back is looked, the nearest first: of a session at which much happens a short look is enough.
const BACK: [Duration; 3] = [Duration::from_hours(1), Duration::from_hours(24), Duration::from_hours(24 * 7)];

/// Events of one read, and reads of one look.
const READ: u32 = 200;
const READS: u32 = 5;

impl UseCases {
    /// What the log of events has of a session itself, not of its messages: kinds and times, the latest first, at most `most`.
    pub async fn session_events(
        &self,
        tenant: &TenantId,
        id: &SessionId,
        most: usize,
    ) -> Result<Vec<(EventKind, Timestamp)>, UseCaseError> {
        self.own_session(tenant, id).await?;
        let own = EventKind::ALL.iter().copied().filter(|kind| kind.as_str().starts_with("session."));
        let filter = LogFilter {
            tenant: Some(tenant.clone()),
            sessions: Some(BTreeSet::from([id.clone()])),
            kinds: Some(own.collect()),
        };
        let mut latest = VecDeque::new();
        for back in BACK {
            let Some(found) = self.events_within(back, &filter, most).await? else { break };
            latest = found;
            if latest.len() >= most {
                break;
            }
        }
        Ok(latest.into_iter().rev().collect())
    }

    /// The last events of this span; `None`: there are too many to look through.
    async fn events_within(
        &self,
        back: Duration,
        filter: &LogFilter,
        most: usize,
    ) -> Result<Option<VecDeque<(EventKind, Timestamp)>>, UseCaseError> {
        let log = &self.ports.event_log;
        let mut at = log.before(self.ports.clock.now().minus(back)).await?;
        let mut latest = VecDeque::with_capacity(most);
        for _ in 0..READS {
            let page = log.read(at, filter, READ).await?;
            let last = page.events.len() < READ as usize;
            for logged in page.events {
                if latest.len() == most {
                    latest.pop_front();
                }
                latest.push_back((logged.event.kind, logged.event.at));
            }
            if last {
                return Ok(Some(latest));
            }
            at = page.to;
        }
        Ok(None)
    }
}
