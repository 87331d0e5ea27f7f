//! How much waits in the tenant's queues, and since when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use kurir_core::domain::{Lane, SessionId, Target, TenantId, Timestamp};
use kurir_core::port::{SessionFilter, Waiting};
use tokio::time::{Instant, timeout_at};

use super::{UseCaseError, UseCases};

/// Most sessions, and most pools, whose queues are asked for.
const MOST: u32 = 200;

/// Queues that are asked for at the same time.
const AT_ONCE: usize = 16;

/// How long all the asking may take. What did not answer by then is not known.
const PATIENCE: Duration = Duration::from_secs(2);

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStanding {
    /// Whose.
    pub target: Target,
    /// Which of its lanes.
    pub lane: Lane,
    /// How many jobs are in it, about; `None`: it did not answer.
    pub depth: Option<u64>,
    /// How many messages the ledger knows to wait for it, delayed ones included; of a pool it does not know.
    pub waiting: u64,
    /// When the oldest of these was enqueued.
    pub since: Option<Timestamp>,
}

/// The tenant's queues.
#[derive(Debug)]
pub struct QueueView {
    /// Where something waits first, the oldest message before the others.
    pub queues: Vec<QueueStanding>,
    /// What waits in pools and is bound to no session, all pools together.
    pub pooled: Vec<Waiting>,
    /// There are more sessions or pools than were asked for.
    pub more: bool,
    /// When this was looked at.
    pub at: Timestamp,
}

impl UseCases {
    /// The queues of the tenant's sessions and pools. Sessions for which messages wait come before the others, if there are more
    /// than can be asked for.
    pub async fn queues(&self, tenant: &TenantId) -> Result<QueueView, UseCaseError> {
        let waiting = self.ports.index.waiting(tenant).await?;
        let (pooled, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.session.is_none());
        let (sessions, more_sessions) = self.sessions_to_ask(tenant, &waiting).await?;
        let mut pools = self.ports.sessions.pools(tenant, None, MOST.saturating_add(1)).await?;
        let more_pools = super::page::cut(&mut pools, MOST, |_| ()).is_some();
        let known: BTreeMap<_, _> = waiting.iter().map(|one| ((one.session.as_ref(), one.lane), one)).collect();
        let of_pools = pools.into_iter().map(|pool| Target::Pool(pool.id));
        let targets = sessions.into_iter().map(Target::Session).chain(of_pools);
        let targets = targets.flat_map(|target| Lane::ALL.map(|lane| (target.clone(), lane)));
        let patience = Instant::now() + PATIENCE;
        let asked = stream::iter(targets.map(|(target, lane)| async move {
            let depth = timeout_at(patience, self.depth_of(&target, lane)).await.ok().flatten();
            (target, lane, depth)
        }));
        let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
        let queues = answers.into_iter().map(|(target, lane, depth)| {
            let waits = match &target {
                Target::Session(session) => known.get(&(Some(session), lane)),
                Target::Pool(_) => None,
            };
            let (waiting, since) = waits.map_or((0, None), |waits| (waits.messages, Some(waits.since)));
            QueueStanding { target, lane, depth, waiting, since }
        });
        let mut queues: Vec<_> = queues.collect();
        // A stable sort: the others stay in the order of their names.
        queues.sort_by_key(|queue| (queue.depth == Some(0) && queue.waiting == 0, queue.since.is_none(), queue.since));
        Ok(QueueView { queues, pooled, more: more_sessions || more_pools, at: self.ports.clock.now() })
    }

    /// The sessions to ask for, in the order of their ids, and whether there are more.
    async fn sessions_to_ask(
        &self,
        tenant: &TenantId,
        waiting: &[Waiting],
    ) -> Result<(BTreeSet<SessionId>, bool), UseCaseError> {
        let filter = SessionFilter { tenant: Some(tenant.clone()), ..SessionFilter::default() };
        let mut records = self.ports.sessions.find(&filter, None, MOST.saturating_add(1)).await?;
        let more = super::page::cut(&mut records, MOST, |_| ()).is_some();
        let mut ids: BTreeSet<SessionId> = records.into_iter().map(|record| record.id).collect();
        if more {
            let most = usize::try_from(MOST).unwrap_or(usize::MAX);
            let mut oldest: Vec<&Waiting> = waiting.iter().collect();
            oldest.sort_by_key(|one| one.since);
            for id in oldest.into_iter().filter_map(|one| one.session.as_ref()).take(most) {
                // The ledger remembers sessions that are gone; another tenant may have one of the same name by now.
                if !ids.contains(id) && self.own_session(tenant, id).await.is_ok() {
                    ids.insert(id.clone());
                }
            }
        }
        Ok((ids, more))
    }

    /// How many jobs are in a queue; `None`: it does not say.
    async fn depth_of(&self, target: &Target, lane: Lane) -> Option<u64> {
        let depth = match target {
            Target::Session(session) => self.ports.jobs.depth(session, lane).await,
            Target::Pool(pool) => self.ports.pools.pool_depth(pool, lane).await,
        };
        match depth {
            Ok(depth) => Some(depth),
            // A queue that is not there is made by the first message for it.
            Err(error) if !error.is_transient() => Some(0),
            Err(error) => {
                tracing::debug!(
                    queue = target.routing_key(lane),
                    error = error.chain(),
                    "a queue's depth can't be told"
                );
                None
            }
        }
    }
}
