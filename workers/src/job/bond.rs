//! Who may send a pool's job: whoever of the pool takes it first, until it was on the wire; from then on the session that
//! sent it, because only under that session's id of it a second copy is recognised by the phone. A refusal that means the
//! account and not the message sets it free again: WhatsApp has said that it did not take it.

use std::time::Duration;

use kurir_core::domain::{FailReason, Job, LedgerEntry, Outcome, PoolId, SessionId, Target};
use kurir_core::policy::Backoff;

/// How often a job goes from one sender to the next before it pauses.
pub(super) const AT_ONCE: u32 = 3;

/// The pauses after that.
const PAUSES: Backoff = Backoff { base: Duration::from_secs(1), max: Duration::from_mins(1) };

/// The pauses of a job that is one too many new recipient for the day: there may be very many of them, and each pause that
/// ends is work for the broker and the store.
const COLD: Backoff = Backoff { base: Duration::from_secs(10), max: Duration::from_mins(15) };

/// The shortest pause before a deadline.
const LEAST: Duration = Duration::from_secs(1);

/// Whose a job is, as a session sees it that was handed it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim<'a> {
    /// This session's.
    Ours(Bond<'a>),
    /// A pool's, and pinned to this session.
    Pinned(SessionId),
    /// A pool's, free for anybody; it does not belong into the queue that it came from.
    Free(&'a PoolId),
    /// Another session's.
    Foreign,
}

/// How a job is bound to the session that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bond<'a> {
    /// The job's pool, if it has one.
    pool: Option<&'a PoolId>,
    /// Whether it came out of the pool's queue.
    from_pool: bool,
    /// Whether another session may still send it.
    free: bool,
}

impl<'a> Bond<'a> {
    /// Whose the job is that `own` was handed from the queue of `stood`.
    pub(super) fn of(job: &'a Job, stood: &Target, entry: &LedgerEntry, own: &SessionId) -> Claim<'a> {
        let from_pool = matches!(stood, Target::Pool(_));
        match (&job.target, &entry.session) {
            (Target::Session(_), Some(other)) if other != own => Claim::Foreign,
            (Target::Session(_), _) => Claim::Ours(Self { pool: None, from_pool, free: false }),
            (Target::Pool(pool), None) if from_pool => Claim::Ours(Self { pool: Some(pool), from_pool, free: true }),
            (Target::Pool(pool), None) => Claim::Free(pool),
            (Target::Pool(pool), Some(bound)) if bound == own => {
                Claim::Ours(Self { pool: Some(pool), from_pool, free: false })
            }
            (Target::Pool(_), Some(other)) => Claim::Pinned(other.clone()),
        }
    }

    /// The bond of a job whose session is gone without having sent it.
    pub(super) fn freed(job: &'a Job, stood: &Target) -> Self {
        let pool = if let Target::Pool(pool) = &job.target { Some(pool) } else { None };
        Self { pool, from_pool: matches!(stood, Target::Pool(_)), free: pool.is_some() }
    }

    /// Whether another session may still send it.
    pub(super) const fn is_free(self) -> bool {
        self.free
    }

    /// Where the job is to wait once it is bound to `own`, if that is not the queue that it came from.
    pub(super) fn home(self, own: &SessionId) -> Option<Target> {
        (self.pool.is_some() && self.from_pool).then(|| Target::from(own))
    }

    /// The pool to which the job goes back, and the pause before somebody else gets it: when it is the sender that can't
    /// send it now. `hop`: how often it was put off before. `left`: until the last moment to send it.
    pub(super) fn to_others(
        self,
        outcome: &Outcome,
        code: Option<u16>,
        hop: u32,
        left: Option<Duration>,
        fraction: f64,
    ) -> Option<(Target, Duration)> {
        let pool = self.pool.filter(|_| self.free)?;
        let pause = |pauses: Backoff| {
            let pause = pauses.delay(hop.saturating_sub(AT_ONCE - 1).max(1), fraction);
            // As long as it can still go in time others get a chance.
            left.map_or(pause, |left| pause.min((left / 2).max(LEAST)))
        };
        let soon = || if hop < AT_ONCE { Duration::ZERO } else { pause(PAUSES) };
        let pause = match outcome {
            Outcome::ParkUntil(_, reason) => match reason {
                FailReason::SenderDisconnected
                | FailReason::SenderDailyCap
                | FailReason::SenderWarmingUp
                | FailReason::SenderRestricted
                | FailReason::RateLimited => soon(),
                // The sender goes on with other jobs, so this one may come back to it.
                FailReason::SenderLimited => pause(PAUSES),
                FailReason::SenderColdContacts => pause(COLD),
                _ => return None,
            },
            Outcome::RetryAfter(_, FailReason::SenderRestricted | FailReason::RateLimited) => soon(),
            // It never came to the wire: the client says so.
            Outcome::RetryAfter(after, FailReason::SendFailed) => *after,
            Outcome::Expire if matches!(code, Some(463 | 475 | 429)) => soon(),
            _ => return None,
        };
        Some((pool.into(), pause))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kurir_core::domain::{Content, JobId, Lane, MessageState, PhoneNumber, Secret, TenantId, Timestamp};

    use super::*;

    fn session(id: &str) -> SessionId {
        SessionId::new(id).unwrap()
    }

    fn job(target: Target) -> Job {
        Job {
            id: "018f2a52-7c4e-7a3b-9d10-0123456789ab".parse::<JobId>().unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            target,
            to: PhoneNumber::parse("6281234567890", None).unwrap().into(),
            lane: Lane::Bulk,
            content: Content::Text(Secret::new("halo".to_owned())),
            reply_to: None,
            expires_at: None,
            enqueued_at: None,
            metadata: BTreeMap::new(),
        }
    }

    fn pool() -> PoolId {
        PoolId::new("p").unwrap()
    }

    #[test]
    fn a_pools_job_is_anybodys_until_a_session_has_sent_it() {
        let (job, own) = (job((&pool()).into()), session("a"));
        let queue = Target::from(&pool());
        let mut entry = LedgerEntry::new(&job, Timestamp::from_millis(0));
        let Claim::Ours(free) = Bond::of(&job, &queue, &entry, &own) else { panic!("not ours") };
        assert!(free.is_free());
        assert_eq!(Bond::of(&job, &(&own).into(), &entry, &own), Claim::Free(&pool()), "it stands in our own queue");

        entry = entry.advance(MessageState::Sending, Timestamp::from_millis(1)).unwrap();
        entry.session = Some(own.clone());
        let Claim::Ours(bound) = Bond::of(&job, &queue, &entry, &own) else { panic!("not ours") };
        assert_eq!((bound.is_free(), bound.home(&own)), (false, Some(Target::from(&own))));
        let Claim::Ours(home) = Bond::of(&job, &(&own).into(), &entry, &own) else { panic!("not ours") };
        assert_eq!(home.home(&own), None, "it is there already");
        assert_eq!(Bond::of(&job, &queue, &entry, &session("b")), Claim::Pinned(own));
    }

    #[test]
    fn what_means_the_sender_sends_the_job_to_others_and_what_means_the_job_does_not() {
        let job = job((&pool()).into());
        let free = Bond::freed(&job, &(&pool()).into());
        let until = Timestamp::from_millis(9);
        let goes = |outcome: Outcome, code| free.to_others(&outcome, code, 0, None, 0.5).map(|(_, pause)| pause);
        assert_eq!(goes(Outcome::ParkUntil(until, FailReason::SenderDailyCap), None), Some(Duration::ZERO));
        let refused = Outcome::RetryAfter(Duration::from_mins(15), FailReason::SenderRestricted);
        assert_eq!(goes(refused.clone(), Some(463)), Some(Duration::ZERO));
        let failed = Outcome::RetryAfter(Duration::from_secs(4), FailReason::SendFailed);
        assert_eq!(goes(failed, None), Some(Duration::from_secs(4)), "it never came to the wire");
        assert_eq!(goes(Outcome::Expire, Some(463)), Some(Duration::ZERO), "too late for this sender only");
        assert!(goes(Outcome::ParkUntil(until, FailReason::SenderColdContacts), None) > Some(Duration::ZERO));
        for outcome in [
            Outcome::ParkUntil(until, FailReason::RecipientLimited),
            Outcome::RetryAfter(Duration::ZERO, FailReason::NoAnswer),
            Outcome::Fail(FailReason::NotOnWhatsapp),
            Outcome::Expire,
            Outcome::Uncertain,
        ] {
            assert_eq!(goes(outcome.clone(), None), None, "{outcome:?}");
        }
        assert!(free.to_others(&refused, Some(463), 9, None, 0.5).unwrap().1 > Duration::ZERO, "not round and round");
        let cold = Outcome::ParkUntil(until, FailReason::SenderColdContacts);
        let pause = |left| free.to_others(&cold, None, 30, left, 1.0).unwrap().1;
        assert_eq!(pause(None), Duration::from_mins(15));
        assert_eq!(
            pause(Some(Duration::from_mins(4))),
            Duration::from_mins(2),
            "another one may still send it in time"
        );
        assert_eq!(pause(Some(Duration::ZERO)), LEAST);
        let own = Bond { pool: Some(&pool()), from_pool: true, free: false };
        assert_eq!(own.to_others(&refused, Some(463), 0, None, 0.5), None, "it may have arrived");
    }

    #[test]
    fn a_sessions_job_is_that_sessions() {
        let own = session("a");
        let job = job((&own).into());
        let mut entry = LedgerEntry::new(&job, Timestamp::from_millis(0));
        let Claim::Ours(bond) = Bond::of(&job, &(&own).into(), &entry, &own) else { panic!("not ours") };
        assert_eq!((bond.is_free(), bond.home(&own)), (false, None));
        entry.session = Some(session("b"));
        assert_eq!(Bond::of(&job, &(&own).into(), &entry, &own), Claim::Foreign);
    }
}
