//! The suite of the limit per recipient, and its first part: one message within a span.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::fixture::{job, now, number, tenant};
use super::recipients_day;
use super::suite::checks;
use crate::domain::{JobKey, PhoneNumber, TenantId, Timestamp};
use crate::port::{Charge, RecipientLimits, RecipientRule};

/// Checks what the books of the limit promise. Moments are passed in, real ones and up to two days ahead.
pub async fn recipient_limits(make: impl AsyncFn() -> Arc<dyn RecipientLimits>) {
    use self as span;
    checks!(
        "recipient limits",
        make,
        [
            span::one_message_within_the_span,
            span::a_refusal_books_nothing,
            span::a_job_is_booked_once,
            span::a_job_stays_allowed_after_the_next_one,
            span::numbers_and_tenants_are_apart,
            span::a_refund_frees_the_span,
            span::a_refund_is_of_one_job,
            span::a_clock_behind_books_no_second_message,
            span::one_of_sixteen_jobs_is_allowed,
            span::sixteen_charges_of_one_job_are_one,
            recipients_day::so_many_within_a_day,
            recipients_day::the_day_slides,
            recipients_day::the_later_of_both_limits_tells,
            recipients_day::a_day_without_a_span,
            recipients_day::a_refund_frees_the_day,
            recipients_day::no_limit_per_day,
            recipients_day::a_repeated_job_spends_no_day,
        ]
    );
}

pub(super) type Limits = Arc<dyn RecipientLimits>;

pub(super) const MINUTE: Duration = Duration::from_mins(1);
const RULE: RecipientRule = RecipientRule { every: MINUTE, per_day: 0 };

/// One recipient and its tenant.
pub(super) struct Book {
    pub(super) limits: Limits,
    pub(super) tenant: TenantId,
    pub(super) to: PhoneNumber,
    pub(super) start: Timestamp,
    pub(super) rule: RecipientRule,
}

impl Book {
    pub(super) fn new(limits: Limits, rule: RecipientRule) -> Self {
        Self { limits, tenant: tenant(), to: number(), start: now(), rule }
    }

    /// The moment so long after the start.
    pub(super) fn at(&self, after: Duration) -> Timestamp {
        self.start.plus(after)
    }

    pub(super) async fn charge(&self, job: &JobKey, after: Duration) -> Charge {
        self.limits.charge(job, &self.to, self.rule, self.at(after)).await.unwrap()
    }

    /// Charges a job that nobody has seen yet.
    pub(super) async fn charge_new(&self, after: Duration) -> Charge {
        self.charge(&job(&self.tenant), after).await
    }

    pub(super) async fn allow(&self, after: Duration) -> JobKey {
        let job = job(&self.tenant);
        assert_eq!(self.charge(&job, after).await, Charge::Allowed, "after {after:?}");
        job
    }
}

const MS: Duration = Duration::from_millis(1);

async fn one_message_within_the_span(limits: Limits) {
    let book = Book::new(limits, RULE);
    let until = Charge::NotBefore(book.at(MINUTE));
    book.allow(Duration::ZERO).await;
    assert_eq!(book.charge_new(Duration::ZERO).await, until);
    assert_eq!(book.charge_new(MS).await, until);
    assert_eq!(book.charge_new(MINUTE.saturating_sub(MS)).await, until);
    book.allow(MINUTE).await;
    assert_eq!(book.charge_new(MINUTE + MS).await, Charge::NotBefore(book.at(2 * MINUTE)));
}

async fn a_refusal_books_nothing(limits: Limits) {
    let book = Book::new(limits, RULE);
    book.allow(Duration::ZERO).await;
    let waits = job(&book.tenant);
    for second in [1, 20, 40, 59] {
        let answer = book.charge(&waits, Duration::from_secs(second)).await;
        assert_eq!(answer, Charge::NotBefore(book.at(MINUTE)), "asking does not push the moment away");
    }
    assert_eq!(book.charge(&waits, MINUTE).await, Charge::Allowed);
}

async fn a_job_is_booked_once(limits: Limits) {
    let book = Book::new(limits, RULE);
    let first = book.allow(Duration::ZERO).await;
    for second in [0, 1, 59] {
        assert_eq!(book.charge(&first, Duration::from_secs(second)).await, Charge::Allowed);
    }
    book.allow(MINUTE).await;
}

async fn a_job_stays_allowed_after_the_next_one(limits: Limits) {
    let book = Book::new(limits, RULE);
    let first = book.allow(Duration::ZERO).await;
    book.allow(MINUTE).await;
    assert_eq!(book.charge(&first, MINUTE + 10 * MS).await, Charge::Allowed, "it was booked a minute ago");
    assert_eq!(book.charge_new((2 * MINUTE).saturating_sub(MS)).await, Charge::NotBefore(book.at(2 * MINUTE)));
}

async fn numbers_and_tenants_are_apart(limits: Limits) {
    let book = Book::new(limits.clone(), RULE);
    let first = book.allow(Duration::ZERO).await;
    let other_number = Book { to: number(), tenant: book.tenant.clone(), ..Book::new(limits.clone(), RULE) };
    other_number.allow(Duration::ZERO).await;
    let other_tenant = Book { to: book.to.clone(), ..Book::new(limits, RULE) };
    other_tenant.allow(Duration::ZERO).await;
    let same_id = JobKey::new(other_tenant.tenant.clone(), first.job);
    assert!(matches!(other_tenant.charge(&same_id, MS).await, Charge::NotBefore(_)), "the id alone is not the job");
    assert_eq!(book.charge_new(MS).await, Charge::NotBefore(book.at(MINUTE)));
}

async fn a_refund_frees_the_span(limits: Limits) {
    let book = Book::new(limits, RULE);
    let first = book.allow(Duration::ZERO).await;
    book.limits.refund(&first, &book.to).await.unwrap();
    let second = book.allow(MS).await;
    let until = Charge::NotBefore(book.at(MINUTE + MS));
    assert_eq!(book.charge(&first, 2 * MS).await, until, "what was taken back is booked anew");
    book.limits.refund(&first, &book.to).await.unwrap();
    assert_eq!(book.charge_new(2 * MS).await, until, "a second refund takes nothing back");
    book.limits.refund(&second, &book.to).await.unwrap();
    book.allow(3 * MS).await;
}

async fn a_refund_is_of_one_job(limits: Limits) {
    let book = Book::new(limits, RULE);
    book.limits.refund(&job(&book.tenant), &book.to).await.unwrap();
    book.allow(Duration::ZERO).await;
    let second = book.allow(MINUTE).await;
    book.limits.refund(&job(&book.tenant), &book.to).await.unwrap();
    book.limits.refund(&second, &number()).await.unwrap();
    assert_eq!(book.charge_new(MINUTE).await, Charge::NotBefore(book.at(2 * MINUTE)));
    book.limits.refund(&second, &book.to).await.unwrap();
    book.allow(MINUTE).await;
}

async fn a_clock_behind_books_no_second_message(limits: Limits) {
    let book = Book::new(limits, RULE);
    book.allow(10 * MINUTE).await;
    let behind = (10 * MINUTE).saturating_sub(Duration::from_secs(5));
    assert_eq!(book.charge_new(behind).await, Charge::NotBefore(book.at(11 * MINUTE)));
}

async fn one_of_sixteen_jobs_is_allowed(limits: Limits) {
    let book = Arc::new(Book::new(limits, RULE));
    let mut charges = JoinSet::new();
    for _ in 0..16 {
        let book = book.clone();
        charges.spawn(async move { book.charge_new(Duration::ZERO).await });
    }
    let answers = charges.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Charge::Allowed).count(), 1);
    let until = Charge::NotBefore(book.at(MINUTE));
    assert_eq!(answers.iter().filter(|answer| **answer == until).count(), 15);
}

async fn sixteen_charges_of_one_job_are_one(limits: Limits) {
    let book = Arc::new(Book::new(limits, RecipientRule { every: Duration::ZERO, per_day: 2 }));
    let same = job(&book.tenant);
    let mut charges = JoinSet::new();
    for _ in 0..16 {
        let (book, same) = (book.clone(), same.clone());
        charges.spawn(async move { book.charge(&same, Duration::ZERO).await });
    }
    assert_eq!(charges.join_all().await, [Charge::Allowed; 16]);
    book.allow(MS).await;
    assert!(matches!(book.charge_new(2 * MS).await, Charge::NotBefore(_)));
}
