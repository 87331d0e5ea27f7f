//! The books of the limit per recipient within one process.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::lock;
use crate::domain::{JobId, JobKey, PhoneNumber, TenantId, Timestamp};
use crate::port::{Charge, PortError, RecipientLimits, RecipientRule};

const DAY: Duration = Duration::from_hours(24);

/// Below this many recipients nobody looks for those without a booking that still counts.
const SWEEP_FROM: usize = 1024;

struct Booking {
    job: JobId,
    at: Timestamp,
    /// From this moment on it limits nobody.
    until: Timestamp,
}

#[derive(Default)]
struct Books {
    /// By recipient, in order of `at`.
    of: HashMap<(TenantId, PhoneNumber), Vec<Booking>>,
    /// The size at which empty books are looked for: twice what was left last time.
    sweep_at: usize,
}

impl Books {
    fn sweep(&mut self, now: Timestamp) {
        if self.of.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.of.retain(|_, bookings| {
                bookings.retain(|booking| now < booking.until);
                !bookings.is_empty()
            });
            self.sweep_at = self.of.len() * 2;
        }
    }
}

/// When the next message may go, if not now.
fn not_before(bookings: &[Booking], rule: RecipientRule, now: Timestamp) -> Option<Timestamp> {
    let span = bookings.last().filter(|_| !rule.every.is_zero()).map(|last| last.at.plus(rule.every));
    let per_day = usize::try_from(rule.per_day).unwrap_or(usize::MAX);
    // The one that has to leave the day before another may come.
    let day = (per_day > 0).then(|| bookings.len().checked_sub(per_day)).flatten();
    let day = day.map(|at| bookings[at].at.plus(DAY));
    span.into_iter().chain(day).filter(|until| now < *until).max()
}

/// The books of one process. A booking is forgotten after 24 hours (or the rule's span, if that is longer).
#[derive(Default)]
pub struct MemoryRecipientLimits {
    books: Mutex<Books>,
}

impl MemoryRecipientLimits {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl RecipientLimits for MemoryRecipientLimits {
    async fn charge(
        &self,
        job: &JobKey,
        to: &PhoneNumber,
        rule: RecipientRule,
        now: Timestamp,
    ) -> Result<Charge, PortError> {
        let mut books = lock(&self.books);
        books.sweep(now);
        let bookings = books.of.entry((job.tenant.clone(), to.clone())).or_default();
        bookings.retain(|booking| now < booking.until);
        if bookings.iter().any(|booking| booking.job == job.job) {
            return Ok(Charge::Allowed);
        }
        if let Some(until) = not_before(bookings, rule, now) {
            return Ok(Charge::NotBefore(until));
        }
        let place = bookings.partition_point(|booking| booking.at <= now);
        bookings.insert(place, Booking { job: job.job, at: now, until: now.plus(DAY.max(rule.every)) });
        Ok(Charge::Allowed)
    }

    async fn refund(&self, job: &JobKey, to: &PhoneNumber) -> Result<(), PortError> {
        let mut books = lock(&self.books);
        let of = (job.tenant.clone(), to.clone());
        if let Some(bookings) = books.of.get_mut(&of) {
            bookings.retain(|booking| booking.job != job.job);
            if bookings.is_empty() {
                books.of.remove(&of);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn old_books_are_dropped() {
        let limits = MemoryRecipientLimits::new();
        let rule = RecipientRule { every: Duration::from_mins(1), per_day: 5 };
        let tenant = TenantId::new("t").unwrap();
        for n in 0..20_000_u32 {
            let job = JobKey::new(tenant.clone(), JobId::new(Uuid::from_u128(n.into())));
            let to = PhoneNumber::from_digits(format!("628{n:09}")).unwrap();
            let now = Timestamp::from_millis(0).plus(n * Duration::from_mins(10));
            assert_eq!(limits.charge(&job, &to, rule, now).await.unwrap(), Charge::Allowed);
        }
        let left = lock(&limits.books).of.len();
        assert!(left <= 2 * SWEEP_FROM, "{left} books are kept where 144 count");
    }
}
