//! The limit per recipient: so many messages within 24 hours.

use std::time::Duration;

use super::recipients::{Book, Limits, MINUTE};
use crate::port::{Charge, RecipientRule};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

const fn rule(every: Duration, per_day: u32) -> RecipientRule {
    RecipientRule { every, per_day }
}

pub(super) async fn so_many_within_a_day(limits: Limits) {
    let book = Book::new(limits, rule(SECOND, 3));
    for n in 0..3 {
        book.allow(n * SECOND).await;
    }
    let until = Charge::NotBefore(book.at(DAY));
    for after in [3 * SECOND, DAY / 2, DAY.saturating_sub(MS)] {
        assert_eq!(book.charge_new(after).await, until);
    }
    book.allow(DAY).await;
}

pub(super) async fn the_day_slides(limits: Limits) {
    let book = Book::new(limits, rule(SECOND, 2));
    book.allow(Duration::ZERO).await;
    book.allow(DAY / 2).await;
    assert_eq!(book.charge_new(DAY.saturating_sub(MS)).await, Charge::NotBefore(book.at(DAY)));
    book.allow(DAY).await;
    assert_eq!(book.charge_new(DAY + SECOND).await, Charge::NotBefore(book.at(DAY + DAY / 2)));
    book.allow(DAY + DAY / 2).await;
}

pub(super) async fn the_later_of_both_limits_tells(limits: Limits) {
    let book = Book::new(limits, rule(MINUTE, 2));
    book.allow(Duration::ZERO).await;
    book.allow(MINUTE).await;
    assert_eq!(book.charge_new(MINUTE + SECOND).await, Charge::NotBefore(book.at(DAY)), "the day is the later one");

    let book = Book::new(book.limits.clone(), rule(MINUTE, 2));
    book.allow(Duration::ZERO).await;
    book.allow(DAY.saturating_sub(30 * SECOND)).await;
    let until = Charge::NotBefore(book.at(DAY + 30 * SECOND));
    assert_eq!(book.charge_new(DAY.saturating_sub(SECOND)).await, until, "the span is the later one");
    assert_eq!(book.charge_new(DAY).await, until);
}

pub(super) async fn a_day_without_a_span(limits: Limits) {
    let book = Book::new(limits, rule(Duration::ZERO, 3));
    for _ in 0..3 {
        book.allow(Duration::ZERO).await;
    }
    assert_eq!(book.charge_new(Duration::ZERO).await, Charge::NotBefore(book.at(DAY)));
}

pub(super) async fn a_refund_frees_the_day(limits: Limits) {
    let book = Book::new(limits, rule(SECOND, 2));
    let first = book.allow(Duration::ZERO).await;
    book.allow(SECOND).await;
    book.limits.refund(&first, &book.to).await.unwrap();
    book.allow(2 * SECOND).await;
    assert_eq!(book.charge_new(3 * SECOND).await, Charge::NotBefore(book.at(DAY + SECOND)));
}

pub(super) async fn no_limit_per_day(limits: Limits) {
    let book = Book::new(limits, rule(SECOND, 0));
    for n in 0..50 {
        book.allow(n * SECOND).await;
    }
}

pub(super) async fn a_repeated_job_spends_no_day(limits: Limits) {
    let book = Book::new(limits, rule(SECOND, 2));
    let first = book.allow(Duration::ZERO).await;
    for n in 0..5 {
        assert_eq!(book.charge(&first, n * SECOND).await, Charge::Allowed);
    }
    book.allow(10 * SECOND).await;
    assert_eq!(book.charge(&first, 11 * SECOND).await, Charge::Allowed, "its own booking does not stop it");
    assert_eq!(book.charge_new(12 * SECOND).await, Charge::NotBefore(book.at(DAY)));
}
