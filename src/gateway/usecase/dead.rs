//! The dead letters, as far as a reader may see and touch them.
//!
//! To look at them costs: RabbitMQ can't be looked through, only taken from, letter by letter, and whoever looks meanwhile sees
//! a queue that lacks them. So a gateway takes one look at a time, remembers for a few seconds what may be told of the
//! letters (never their bodies), and answers pages, filters and counts from that.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{Target, TenantId, Timestamp};
use kurir_core::port::{DeadFilter, DeadId, Retried};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::dead_facts::DeadFacts;
use super::{UseCaseError, UseCases};

/// Most letters that are looked at, the oldest first. So many bodies may be held for a moment.
pub const MOST_DEAD: u32 = 1000;

/// How long a look is good.
const FRESH: Duration = Duration::from_secs(10);

/// How long a look may take, the wait for somebody else's included.
const PATIENCE: Duration = Duration::from_secs(12);

/// Who looks.
#[derive(Clone, Debug)]
pub struct DeadReader {
    /// Whose letters they see.
    pub tenant: TenantId,
    /// Whether they also see those that nobody can be proven to own.
    pub operator: bool,
}

/// Which letters; what is left out does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLook {
    /// Only those that died of this.
    pub reason: Option<String>,
    /// Only those that were for the session or pool of this name.
    pub target: Option<String>,
}

impl DeadLook {
    fn means(&self, letter: &DeadFacts) -> bool {
        self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.target.as_deref().is_none_or(|target| letter.target() == Some(target))
    }
}

/// One page of letters.
#[derive(Debug)]
pub struct DeadPage {
    /// The oldest first.
    pub letters: Vec<DeadFacts>,
    /// The letter behind which the next page begins, if there is one.
    pub next: Option<DeadId>,
    /// All that are meant, this page's and others'.
    pub ids: Vec<DeadId>,
    /// What the reader's letters died of, whichever are meant.
    pub reasons: BTreeSet<String>,
    /// Whether there are more letters than were looked at.
    pub more: bool,
    /// When they were looked at.
    pub at: Timestamp,
}

/// What became of letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadDone {
    /// How many are no letters any more.
    pub done: usize,
    /// How many stay: no queue takes them.
    pub stay: usize,
    /// How many were not there any more, or are not the reader's.
    pub missing: usize,
}

/// A letter that was looked at.
struct Seen {
    facts: DeadFacts,
    owner: Option<TenantId>,
}

impl DeadReader {
    fn sees(&self, seen: &Seen) -> bool {
        seen.owner.as_ref().map_or(self.operator, |owner| *owner == self.tenant)
    }
}

struct Look {
    at: Timestamp,
    seen: Vec<Seen>,
    more: bool,
}

/// The newest look, and the turn of whoever looks or acts.
#[derive(Clone, Default)]
pub(super) struct DeadDesk(Arc<Mutex<Option<Look>>>);

impl UseCases {
    /// A page of the letters, behind `after`. One that has gone meanwhile leads to the first page.
    pub async fn dead_letters(
        &self,
        reader: &DeadReader,
        which: &DeadLook,
        after: Option<&DeadId>,
        limit: usize,
    ) -> Result<DeadPage, UseCaseError> {
        self.looked(|look| {
            let own = || look.seen.iter().filter(|seen| reader.sees(seen)).map(|seen| &seen.facts);
            let reasons = own().map(|letter| letter.reason.clone()).collect();
            let meant: Vec<_> = own().filter(|letter| which.means(letter)).collect();
            let ids: Vec<_> = meant.iter().map(|letter| letter.id.clone()).collect();
            let start = after.and_then(|after| ids.iter().position(|id| id == after)).map_or(0, |at| at + 1);
            let letters: Vec<_> = meant.into_iter().skip(start).take(limit).cloned().collect();
            let next = letters.last().filter(|_| start + letters.len() < ids.len()).map(|last| last.id.clone());
            DeadPage { letters, next, ids, reasons, more: look.more, at: look.at }
        })
        .await
    }

    /// One letter.
    pub async fn dead_letter(&self, reader: &DeadReader, id: &DeadId) -> Result<DeadFacts, UseCaseError> {
        let found = self.looked(|look| {
            look.seen.iter().find(|seen| seen.facts.id == *id && reader.sees(seen)).map(|seen| seen.facts.clone())
        });
        found.await?.ok_or(UseCaseError::NotFound { what: "dead letter", field: None })
    }

    /// Puts the jobs of these letters back into their queues. Must not be dropped halfway: run it in a task of its own.
    pub async fn retry_dead(&self, reader: &DeadReader, ids: &[DeadId]) -> Result<DeadDone, UseCaseError> {
        let (mut desk, own) = self.own_letters(reader, ids).await?;
        let missing = ids.len() - own.len();
        if own.is_empty() {
            return Ok(DeadDone { missing, ..DeadDone::default() });
        }
        // Whatever comes of it, what was seen is not so any more.
        *desk = None;
        let count = own.len();
        let answers = self.ports.dead.retry(&DeadFilter { ids: own, ..DeadFilter::default() }).await?;
        let done = answers.iter().filter(|(_, retried)| *retried == Retried::Enqueued).count();
        let stay = answers.len() - done;
        tracing::info!(tenant = %reader.tenant, done, stay, "dead letters were tried again");
        Ok(DeadDone { done, stay, missing: missing + count.saturating_sub(answers.len()) })
    }

    /// Removes these letters for good. Must not be dropped halfway: run it in a task of its own.
    pub async fn drop_dead(&self, reader: &DeadReader, ids: &[DeadId]) -> Result<DeadDone, UseCaseError> {
        let (mut desk, own) = self.own_letters(reader, ids).await?;
        if own.is_empty() {
            return Ok(DeadDone { missing: ids.len(), ..DeadDone::default() });
        }
        *desk = None;
        let gone = self.ports.dead.discard(&DeadFilter { ids: own, ..DeadFilter::default() }).await?;
        tracing::info!(tenant = %reader.tenant, dropped = gone.len(), "dead letters were dropped");
        Ok(DeadDone { done: gone.len(), stay: 0, missing: ids.len().saturating_sub(gone.len()) })
    }

    /// Those of these letters that are the reader's, and the turn.
    async fn own_letters(
        &self,
        reader: &DeadReader,
        ids: &[DeadId],
    ) -> Result<(MutexGuard<'_, Option<Look>>, Vec<DeadId>), UseCaseError> {
        let asked: BTreeSet<_> = ids.iter().collect();
        let turn = async {
            let mut desk = self.dead.0.lock().await;
            let look = self.look(&mut desk).await?;
            let own = look.seen.iter().filter(|seen| asked.contains(&seen.facts.id) && reader.sees(seen));
            let own = own.map(|seen| seen.facts.id.clone()).collect();
            Ok((desk, own))
        };
        timeout(PATIENCE, turn).await.map_err(|_| UseCaseError::DeadTooSlow)?
    }

    /// What is read off a look that is not old.
    async fn looked<T>(&self, read: impl FnOnce(&Look) -> T) -> Result<T, UseCaseError> {
        let turn = async {
            let mut desk = self.dead.0.lock().await;
            let look = self.look(&mut desk).await?;
            Ok(read(look))
        };
        // Cut off, it has changed nothing: whatever was taken goes back.
        timeout(PATIENCE, turn).await.map_err(|_| UseCaseError::DeadTooSlow)?
    }

    async fn look<'a>(&self, desk: &'a mut Option<Look>) -> Result<&'a Look, UseCaseError> {
        let now = self.ports.clock.now();
        let look = match desk.take().filter(|look| look.at <= now && now.since(look.at) < FRESH) {
            Some(look) => look,
            None => self.new_look(now).await?,
        };
        Ok(desk.insert(look))
    }

    async fn new_look(&self, at: Timestamp) -> Result<Look, UseCaseError> {
        let most = usize::try_from(MOST_DEAD).unwrap_or(usize::MAX);
        let mut letters = self.ports.dead.list(&DeadFilter::default(), None, MOST_DEAD + 1).await?;
        let more = letters.len() > most;
        letters.truncate(most);
        let mut owners: HashMap<Target, Option<TenantId>> = HashMap::new();
        let mut seen = Vec::with_capacity(letters.len());
        for letter in letters {
            let facts = DeadFacts::of(letter);
            let owner = match &facts.place {
                None => None,
                Some((target, _)) => {
                    if let Some(known) = owners.get(target) {
                        known.clone()
                    } else {
                        let owner = self.owner_of(target).await?;
                        owners.insert(target.clone(), owner.clone());
                        owner
                    }
                }
            };
            seen.push(Seen { owner: facts.proven(owner.as_ref()), facts });
        }
        Ok(Look { at, seen, more })
    }

    async fn owner_of(&self, target: &Target) -> Result<Option<TenantId>, UseCaseError> {
        Ok(match target {
            Target::Session(session) => self.ports.sessions.get(session).await?.map(|record| record.tenant),
            Target::Pool(pool) => self.ports.sessions.pool_of(pool).await?,
        })
    }
}
