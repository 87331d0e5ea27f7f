//! The record of requests: carried out once, answered the same each time.

use std::time::Duration;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::Stores;
use super::fixture::{now, tenant};
use crate::domain::{RecordedAnswer, RequestKey, RequestSeed, TenantId, Timestamp};
use crate::port::{Begun, NewRun, RunEnd};

const LEASE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn key(tenant: &TenantId, name: &str) -> RequestKey {
    RequestKey::new(tenant.clone(), name.as_bytes()).expect("a name")
}

fn run(key: &RequestKey, request: u8, at: Timestamp) -> NewRun {
    NewRun {
        key: key.clone(),
        request: [request; 32],
        runner: Uuid::new_v4().as_u128(),
        seed: RequestSeed(*Uuid::new_v4().as_bytes()),
        at,
        lease: at.plus(LEASE),
        keep: at.plus(DAY),
    }
}

fn answer() -> RecordedAnswer {
    let headers = vec![("location".to_owned(), "/v1/messages/1".to_owned())];
    RecordedAnswer { status: 202, headers, body: (0..=u8::MAX).collect() }
}

pub(super) async fn a_request_is_carried_out_once_and_answered_the_same(stores: Stores) {
    let (log, at) = (&stores.requests, now());
    let first = run(&key(&tenant(), "order 77"), 1, at);
    assert_eq!(log.begin(&first).await.unwrap(), Begun::Run(first.seed));
    let again = run(&first.key, 1, at.plus(Duration::from_secs(1)));
    assert_eq!(log.begin(&again).await.unwrap(), Begun::Running(first.lease));
    let end = RunEnd::Answered(answer());
    assert!(!log.end(&first.key, again.runner, &end).await.unwrap(), "it is not that run's");
    assert!(log.end(&first.key, first.runner, &end).await.unwrap());
    for at in [at, first.lease.plus(LEASE), first.keep] {
        let repeated = run(&first.key, 1, at);
        assert_eq!(log.begin(&repeated).await.unwrap(), Begun::Answered(answer()));
        assert_eq!(log.begin(&run(&first.key, 2, at)).await.unwrap(), Begun::Reused);
    }
    assert!(!log.end(&first.key, first.runner, &RunEnd::Nothing).await.unwrap(), "what was answered stays");
}

pub(super) async fn names_are_the_tenants_own(stores: Stores) {
    let (log, at) = (&stores.requests, now());
    let (one, two) = (key(&tenant(), "same"), key(&tenant(), "same"));
    for (key, request) in [(&one, 1), (&two, 2), (&key(&one.tenant, "other"), 3)] {
        let new = run(key, request, at);
        assert_eq!(log.begin(&new).await.unwrap(), Begun::Run(new.seed));
    }
    assert_eq!(log.begin(&run(&one, 2, at)).await.unwrap(), Begun::Reused);
}

pub(super) async fn a_dead_run_is_taken_over_with_its_seed(stores: Stores) {
    let (log, at) = (&stores.requests, now());
    let dead = run(&key(&tenant(), "x"), 1, at);
    assert_eq!(log.begin(&dead).await.unwrap(), Begun::Run(dead.seed));
    let later = dead.lease.plus(Duration::from_millis(1));
    assert_eq!(log.begin(&run(&dead.key, 2, later)).await.unwrap(), Begun::Reused, "its name is taken all the same");
    let next = run(&dead.key, 1, later);
    assert_eq!(log.begin(&next).await.unwrap(), Begun::Run(dead.seed));
    // It was not dead after all, only slow: what it says counts no more.
    assert!(!log.end(&dead.key, dead.runner, &RunEnd::Answered(answer())).await.unwrap());
    assert_eq!(log.begin(&run(&dead.key, 1, later)).await.unwrap(), Begun::Running(next.lease));
    // Its outcome is not known: the next one goes on at once.
    assert!(log.end(&dead.key, next.runner, &RunEnd::Unknown).await.unwrap());
    let third = run(&dead.key, 1, later);
    assert_eq!(log.begin(&third).await.unwrap(), Begun::Run(dead.seed));
    assert!(log.end(&dead.key, third.runner, &RunEnd::Answered(answer())).await.unwrap());
}

pub(super) async fn a_run_that_did_nothing_leaves_nothing(stores: Stores) {
    let (log, at) = (&stores.requests, now());
    let idle = run(&key(&tenant(), "x"), 1, at);
    assert_eq!(log.begin(&idle).await.unwrap(), Begun::Run(idle.seed));
    assert!(log.end(&idle.key, idle.runner, &RunEnd::Nothing).await.unwrap());
    let other = run(&idle.key, 2, at);
    assert_eq!(log.begin(&other).await.unwrap(), Begun::Run(other.seed), "with ids of its own");
}

pub(super) async fn one_of_many_at_once_carries_it_out(stores: Stores) {
    let key = key(&tenant(), "at once");
    let at = now();
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let (stores, run) = (stores.clone(), run(&key, 1, at));
        tasks.spawn(async move { stores.requests.begin(&run).await.unwrap() });
    }
    let (mut runs, mut waits) = (0, 0);
    while let Some(begun) = tasks.join_next().await {
        match begun.unwrap() {
            Begun::Run(_) => runs += 1,
            Begun::Running(_) => waits += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((runs, waits), (1, 15));
}

pub(super) async fn what_is_old_is_forgotten_and_its_name_is_free(stores: Stores) {
    let (log, at) = (&stores.requests, now());
    let tenant = tenant();
    let runs: Vec<_> = (0..5).map(|n| run(&key(&tenant, &format!("k{n}")), 1, at)).collect();
    for run in &runs {
        assert_eq!(log.begin(run).await.unwrap(), Begun::Run(run.seed));
        assert!(log.end(&run.key, run.runner, &RunEnd::Answered(answer())).await.unwrap());
    }
    // Nobody has swept yet, and it is forgotten all the same: another request, with ids of its own.
    let after = at.plus(DAY).plus(Duration::from_millis(1));
    let reused = run(&runs[0].key, 9, after);
    assert_eq!(log.begin(&reused).await.unwrap(), Begun::Run(reused.seed));
    assert_eq!(log.forget_requests(at, 100).await.unwrap(), 0);
    for expected in [3, 1, 0] {
        assert_eq!(log.forget_requests(after, 3).await.unwrap(), expected);
    }
    assert_eq!(log.begin(&run(&reused.key, 9, after)).await.unwrap(), Begun::Running(reused.lease));
}
