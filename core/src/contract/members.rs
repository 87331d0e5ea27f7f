//! The suite of the fleet's register. Members are forgotten in real time.

use std::sync::Arc;
use std::time::Duration;

use super::fixture::worker;
use super::suite::{SOON, checks, eventually, throughout};
use crate::domain::WorkerName;
use crate::port::{Beat, Membership};

const LONG: Duration = Duration::from_mins(5);
const SHORT: Duration = Duration::from_millis(300);
const BRIEF: Duration = Duration::from_secs(2);

/// Checks what the register of living workers promises. `make` gives an empty one.
pub async fn membership(make: impl AsyncFn() -> Arc<dyn Membership>) {
    use self as members;
    checks!(
        "membership",
        make,
        [
            members::an_empty_fleet_has_no_members,
            members::a_beat_is_read_back_whole,
            members::a_beat_replaces_the_one_before,
            members::members_are_ordered_by_name_and_instance,
            members::who_stops_beating_is_forgotten,
            members::a_beat_renews,
            members::who_leaves_is_gone_at_once,
            members::two_of_one_name_are_two,
        ]
    );
}

type Members = Arc<dyn Membership>;

fn beat(worker: &WorkerName, instance: u128) -> Beat {
    Beat { worker: worker.clone(), instance, capacity: 50, held: 3, leaving: false }
}

async fn an_empty_fleet_has_no_members(members: Members) {
    assert_eq!(members.members().await.unwrap(), []);
    members.leave(&worker(), 1).await.unwrap();
}

async fn a_beat_is_read_back_whole(members: Members) {
    let one = Beat { capacity: u32::MAX, held: 0, leaving: true, ..beat(&worker(), u128::MAX) };
    members.beat(&one, LONG).await.unwrap();
    assert_eq!(members.members().await.unwrap(), [one]);
}

async fn a_beat_replaces_the_one_before(members: Members) {
    let one = beat(&worker(), 7);
    members.beat(&one, LONG).await.unwrap();
    let later = Beat { held: 9, capacity: 60, leaving: true, ..one };
    members.beat(&later, LONG).await.unwrap();
    assert_eq!(members.members().await.unwrap(), [later]);
}

async fn members_are_ordered_by_name_and_instance(members: Members) {
    let name = |text: &str| WorkerName::new(text).unwrap();
    // Instances whose decimal texts are in another order than their values.
    let mut all = vec![
        beat(&name("b"), 1),
        beat(&name("a-1"), 10),
        beat(&name("a-1"), 9),
        beat(&name("a-1"), 1 << 100),
        beat(&name("a"), 5),
        beat(&name("B"), 2),
        beat(&name("a1"), 3),
    ];
    for beat in &all {
        members.beat(beat, LONG).await.unwrap();
    }
    all.sort_by(|one, two| (&one.worker, one.instance).cmp(&(&two.worker, two.instance)));
    assert_eq!(members.members().await.unwrap(), all);
}

async fn who_stops_beating_is_forgotten(members: Members) {
    let (dead, alive) = (beat(&worker(), 1), beat(&worker(), 2));
    members.beat(&alive, LONG).await.unwrap();
    members.beat(&dead, SHORT).await.unwrap();
    eventually("the dead one is forgotten", SOON, async || {
        let left = members.members().await.unwrap();
        assert!(left.contains(&alive), "the living one was forgotten");
        (!left.contains(&dead)).then_some(())
    })
    .await;
}

async fn a_beat_renews(members: Members) {
    let one = beat(&worker(), 1);
    members.beat(&one, BRIEF).await.unwrap();
    members.beat(&one, LONG).await.unwrap();
    throughout("a renewed member was forgotten", BRIEF + SHORT, async || {
        members.members().await.unwrap() == [one.clone()]
    })
    .await;
}

async fn who_leaves_is_gone_at_once(members: Members) {
    let (leaves, stays) = (beat(&worker(), 1), beat(&worker(), 1));
    for beat in [&leaves, &stays] {
        members.beat(beat, LONG).await.unwrap();
    }
    members.leave(&leaves.worker, leaves.instance).await.unwrap();
    assert_eq!(members.members().await.unwrap(), [stays]);
    members.beat(&leaves, LONG).await.unwrap();
    assert_eq!(members.members().await.unwrap().len(), 2, "it may come back");
}

async fn two_of_one_name_are_two(members: Members) {
    let name = worker();
    let (one, two) = (beat(&name, 1), Beat { held: 4, ..beat(&name, 2) });
    for beat in [&one, &two] {
        members.beat(beat, LONG).await.unwrap();
    }
    assert_eq!(members.members().await.unwrap(), [one.clone(), two.clone()]);
    members.leave(&name, 3).await.unwrap();
    members.leave(&name, one.instance).await.unwrap();
    assert_eq!(members.members().await.unwrap(), [two]);
}
