//! The suite of the lease store. Leases run out in real time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fixture::{holder, session, token, token_of};
use super::suite::{SOON, checks, eventually, throughout};
use crate::domain::{LeaseToken, SessionId};
use crate::port::{LeaseStore, Renewal};

/// Longer than any check takes.
const LONG: Duration = Duration::from_mins(5);
/// Short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);
/// Short enough to wait for, long enough for a request to arrive within it on a busy machine.
const BRIEF: Duration = Duration::from_secs(2);

/// Checks what a lease store promises.
pub async fn lease_store(make: impl AsyncFn() -> Arc<dyn LeaseStore>) {
    use self as lease;
    checks!(
        "lease store",
        make,
        [
            lease::a_free_lease_is_taken_once,
            lease::one_of_sixteen_takes_it,
            lease::the_holder_can_not_take_it_again,
            lease::only_the_holder_renews,
            lease::renewals_are_answered_in_order,
            lease::a_renewal_extends,
            lease::a_lease_runs_out,
            lease::a_lease_does_not_run_out_early,
            lease::a_lease_that_ran_out_is_not_renewed,
            lease::only_the_holder_releases,
            lease::a_released_lease_is_free,
            lease::held_tells_in_order,
            lease::a_dead_process_loses_its_leases_and_nobody_else,
            lease::an_era_lasts,
        ]
    );
}

type Leases = Arc<dyn LeaseStore>;

async fn take(leases: &Leases, session: &SessionId, ttl: Duration) -> LeaseToken {
    let token = token();
    assert!(leases.acquire(session, &token, ttl).await.unwrap(), "nobody holds it");
    token
}

async fn held(leases: &Leases, session: &SessionId) -> bool {
    let answers = leases.held(std::slice::from_ref(session)).await.unwrap();
    assert_eq!(answers.len(), 1, "one answer for each session");
    answers[0]
}

async fn renew(leases: &Leases, session: &SessionId, token: &LeaseToken, ttl: Duration) -> Renewal {
    let answers = leases.renew(&[(session.clone(), token.clone())], ttl).await.unwrap();
    assert_eq!(answers.len(), 1, "one answer for each lease");
    answers[0]
}

async fn await_free(leases: &Leases, session: &SessionId) {
    eventually("the lease runs out", SOON, async || (!held(leases, session).await).then_some(())).await;
}

async fn a_free_lease_is_taken_once(leases: Leases) {
    let (id, other) = (session(), session());
    assert!(!held(&leases, &id).await);
    take(&leases, &id, LONG).await;
    assert!(held(&leases, &id).await);
    assert!(!leases.acquire(&id, &token(), LONG).await.unwrap());
    assert!(!held(&leases, &other).await);
    take(&leases, &other, LONG).await;
}

async fn one_of_sixteen_takes_it(leases: Leases) {
    let id = session();
    let mut takers = JoinSet::new();
    for _ in 0..16 {
        let (leases, id, token) = (leases.clone(), id.clone(), token());
        takers.spawn(async move { leases.acquire(&id, &token, LONG).await.unwrap().then_some(token) });
    }
    let mut winners = Vec::new();
    while let Some(ended) = takers.join_next().await {
        winners.extend(ended.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(renew(&leases, &id, &winners[0], LONG).await, Renewal::Extended, "the one that was told so holds it");
}

async fn the_holder_can_not_take_it_again(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, LONG).await;
    assert!(!leases.acquire(&id, &mine, LONG).await.unwrap(), "an acquisition is for a lease that nobody holds");
}

async fn only_the_holder_renews(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, LONG).await;
    assert_eq!(renew(&leases, &id, &token(), LONG).await, Renewal::Taken);
    assert_eq!(renew(&leases, &id, &mine, LONG).await, Renewal::Extended);
    let nobody = session();
    assert_eq!(renew(&leases, &nobody, &mine, LONG).await, Renewal::Vanished);
    assert!(!held(&leases, &nobody).await, "a renewal takes nothing");
}

async fn renewals_are_answered_in_order(leases: Leases) {
    let mut asked = Vec::new();
    let mut expected = Vec::new();
    for n in 0..100 {
        let id = session();
        let mine = take(&leases, &id, LONG).await;
        let good = n % 3 != 1;
        asked.push((id, if good { mine } else { token() }));
        expected.push(if good { Renewal::Extended } else { Renewal::Taken });
    }
    assert_eq!(leases.renew(&asked, LONG).await.unwrap(), expected);
    assert_eq!(leases.renew(&[], LONG).await.unwrap(), []);
    let ids: Vec<_> = asked.into_iter().map(|(id, _)| id).collect();
    assert_eq!(leases.held(&ids).await.unwrap(), [true; 100], "who may not renew does not end the lease either");
}

async fn a_renewal_extends(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, BRIEF).await;
    assert_eq!(renew(&leases, &id, &mine, LONG).await, Renewal::Extended);
    let past = BRIEF + Duration::from_millis(300);
    throughout("a renewed lease ran out at its old end", past, async || held(&leases, &id).await).await;
    assert!(!leases.acquire(&id, &token(), LONG).await.unwrap());
}

async fn a_lease_runs_out(leases: Leases) {
    let id = session();
    take(&leases, &id, SHORT).await;
    await_free(&leases, &id).await;
    let next = take(&leases, &id, LONG).await;
    assert_eq!(renew(&leases, &id, &next, LONG).await, Renewal::Extended);
}

async fn a_lease_does_not_run_out_early(leases: Leases) {
    let id = session();
    let start = Instant::now();
    take(&leases, &id, SHORT).await;
    let other = token();
    eventually("the next one takes it", SOON, async || leases.acquire(&id, &other, LONG).await.unwrap().then_some(()))
        .await;
    // Clocks that count milliseconds may disagree by a few of them.
    assert!(start.elapsed() + Duration::from_millis(10) >= SHORT, "it was taken after {:?}", start.elapsed());
}

async fn a_lease_that_ran_out_is_not_renewed(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, SHORT).await;
    await_free(&leases, &id).await;
    assert_eq!(renew(&leases, &id, &mine, LONG).await, Renewal::Vanished);
    assert!(!held(&leases, &id).await);
    assert!(!leases.release(&id, &mine).await.unwrap());
    let next = take(&leases, &id, LONG).await;
    assert_eq!(renew(&leases, &id, &mine, LONG).await, Renewal::Taken);
    assert!(!leases.release(&id, &mine).await.unwrap());
    let successor = renew(&leases, &id, &next, LONG).await;
    assert_eq!(successor, Renewal::Extended, "the late holder did not touch its successor's lease");
}

async fn only_the_holder_releases(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, LONG).await;
    assert!(!leases.release(&id, &token()).await.unwrap());
    assert!(held(&leases, &id).await);
    assert!(leases.release(&id, &mine).await.unwrap());
    assert!(!leases.release(&id, &mine).await.unwrap(), "it was released already");
}

async fn a_released_lease_is_free(leases: Leases) {
    let id = session();
    let mine = take(&leases, &id, LONG).await;
    assert!(leases.release(&id, &mine).await.unwrap());
    assert!(!held(&leases, &id).await);
    assert_eq!(renew(&leases, &id, &mine, LONG).await, Renewal::Vanished);
    take(&leases, &id, LONG).await;
}

async fn a_dead_process_loses_its_leases_and_nobody_else(leases: Leases) {
    let (dead, alive) = (holder(), holder());
    let mut all = Vec::new();
    let mut tokens = Vec::new();
    for n in 0..10 {
        let id = session();
        let token = token_of(if n % 2 == 0 { &dead } else { &alive });
        assert!(leases.acquire(&id, &token, LONG).await.unwrap());
        tokens.push((id.clone(), token));
        all.push(id);
    }
    assert_eq!(leases.evict(&dead, &all[..8]).await.unwrap(), 4);
    let expected: Vec<_> = (0..10).map(|n| n % 2 == 1 || n == 8).collect();
    assert_eq!(leases.held(&all).await.unwrap(), expected);
    assert_eq!(leases.evict(&dead, &all).await.unwrap(), 1);
    assert_eq!(leases.evict(&dead, &[]).await.unwrap(), 0);
    let renewed = leases.renew(&tokens, LONG).await.unwrap();
    let expected: Vec<_> = (0..10).map(|n| if n % 2 == 0 { Renewal::Vanished } else { Renewal::Extended }).collect();
    assert_eq!(renewed, expected);
}

async fn an_era_lasts(leases: Leases) {
    let era = leases.era().await.unwrap();
    assert!(!era.is_empty());
    take(&leases, &session(), LONG).await;
    assert_eq!(leases.era().await.unwrap(), era);
}

async fn held_tells_in_order(leases: Leases) {
    let ids: Vec<_> = (0..10).map(|_| session()).collect();
    for n in [1, 4, 9] {
        take(&leases, &ids[n], LONG).await;
    }
    let expected: Vec<_> = (0..10).map(|n| [1, 4, 9].contains(&n)).collect();
    assert_eq!(leases.held(&ids).await.unwrap(), expected);
    assert_eq!(leases.held(&[]).await.unwrap(), [false; 0]);
}
