//! What a sender has spent: saved with its intents, found by the next owner.

use super::Stores;
use super::fixture::{entry, job, now, number, worker};
use super::stores::Owned;
use crate::domain::{
    DayCount, FailReason, Fence, LedgerEntry, PaceState, PhoneNumber, Rest, SenderPace, Spent, Timestamp, Wanted,
};
use crate::port::{LedgerWrite, Written};

/// A state that has something in each of its parts.
fn state(turn: u64) -> SenderPace {
    let (part, until) = (u32::try_from(turn).unwrap(), Timestamp::from_millis(1_790_000_000_123));
    SenderPace {
        turn,
        next: PaceState(u64::MAX - turn),
        day: DayCount { day: 20_778, otp: part, bulk: 2 * part, cold_otp: part / 2, cold_bulk: part },
        rest: Some(Rest { until, reason: FailReason::SenderRestricted }),
    }
}

fn write(fence: &Fence, entry: LedgerEntry, spent: Option<Spent>) -> LedgerWrite {
    LedgerWrite { fence: Some(fence.clone()), entry, spent, events: vec![] }
}

/// An intent that spends, of a job that nobody has seen yet.
fn intent(owned: &Owned, spent: impl Into<Spent>) -> LedgerWrite {
    write(&owned.fence, entry(&job(&owned.tenant), Some(&owned.id)), Some(spent.into()))
}

/// An intent for a recipient that the session writes to for the first time.
fn first_to(owned: &Owned, to: &PhoneNumber) -> LedgerWrite {
    intent(owned, Spent { pace: SenderPace::default(), met: Some(to.clone()), bulk: None })
}

async fn saved(stores: &Stores, owned: &Owned) -> SenderPace {
    stores.sessions.get(&owned.id).await.unwrap().unwrap().pace
}

async fn met(stores: &Stores, owned: &Owned, recipients: &[&PhoneNumber]) -> Vec<bool> {
    let recipients: Vec<_> = recipients.iter().map(|number| (*number).clone()).collect();
    stores.ledger.met(&owned.id, &recipients).await.unwrap()
}

pub(super) async fn what_is_spent_is_saved_with_the_session(stores: Stores) {
    let owned = stores.owned().await;
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    let second = LedgerEntry { version: 1, ..first.clone() };
    let intent = |entry: &LedgerEntry, spent: Option<Spent>| vec![write(&owned.fence, entry.clone(), spent)];
    assert_eq!(stores.ledger.write(intent(&first, Some(state(7).into()))).await.unwrap(), [Written::Done]);
    assert_eq!(saved(&stores, &owned).await, state(7));
    assert_eq!(stores.ledger.write(intent(&second, None)).await.unwrap(), [Written::Done]);
    assert_eq!(saved(&stores, &owned).await, state(7), "a write that spends nothing leaves it as it was");
    let refused = stores.ledger.write(intent(&first, Some(state(9).into()))).await.unwrap();
    assert_eq!((refused, saved(&stores, &owned).await), (vec![Written::Conflict], state(7)));
    let next = stores.sessions.claim(&owned.id, &worker()).await.unwrap().unwrap();
    assert_eq!(next.pace, state(7), "the next owner goes on where the last one stopped");
    let listed = stores.sessions.list(None, None, 10).await.unwrap();
    assert_eq!(listed.into_iter().map(|record| record.pace).collect::<Vec<_>>(), [state(7)]);
}

pub(super) async fn a_later_state_stays_whatever_the_order_of_the_writes(stores: Stores) {
    let owned = stores.owned().await;
    for turns in [vec![4], vec![2], vec![9, 3, 8], vec![7], vec![]] {
        let writes = turns.iter().map(|turn| intent(&owned, state(*turn))).collect();
        let answers = stores.ledger.write(writes).await.unwrap();
        assert_eq!(answers, vec![Written::Done; turns.len()], "the job is written all the same");
    }
    assert_eq!(saved(&stores, &owned).await, state(9));
    // The same job twice in one call takes another way through some stores.
    let first = entry(&job(&owned.tenant), Some(&owned.id));
    let second = LedgerEntry { version: 1, ..first.clone() };
    let twice = |a: u64, b: u64| {
        vec![
            write(&owned.fence, first.clone(), Some(state(a).into())),
            write(&owned.fence, second.clone(), Some(state(b).into())),
        ]
    };
    assert_eq!(stores.ledger.write(twice(12, 11)).await.unwrap(), [Written::Done, Written::Done]);
    assert_eq!(saved(&stores, &owned).await, state(12));
}

pub(super) async fn an_old_owner_spends_nothing(stores: Stores) {
    let (old, owned) = stores.taken_over().await;
    assert_eq!(stores.ledger.write(vec![intent(&owned, state(3))]).await.unwrap(), [Written::Done]);
    let to = number();
    let late = Spent { pace: state(8), met: Some(to.clone()), bulk: None };
    let late = LedgerWrite { fence: Some(old), ..intent(&owned, late) };
    let nobody =
        LedgerWrite { fence: None, ..intent(&owned, Spent { pace: state(9), met: Some(to.clone()), bulk: None }) };
    let answers = stores.ledger.write(vec![late, nobody]).await.unwrap();
    assert_eq!(answers, [Written::Fenced, Written::Done]);
    assert_eq!(saved(&stores, &owned).await, state(3));
    assert_eq!(met(&stores, &owned, &[&to]).await, [false]);
}

pub(super) async fn recipients_are_known_once_they_were_met(stores: Stores) {
    let (one, two) = (stores.owned().await, stores.owned().await);
    let (a, b, c) = (number(), number(), number());
    assert_eq!(met(&stores, &one, &[&a, &b]).await, [false, false]);
    assert_eq!(met(&stores, &one, &[]).await, [false; 0]);
    let conflict = LedgerWrite { entry: LedgerEntry { version: 5, ..first_to(&one, &c).entry }, ..first_to(&one, &c) };
    let answers = stores.ledger.write(vec![first_to(&one, &a), conflict, first_to(&two, &b)]).await.unwrap();
    assert_eq!(answers, [Written::Done, Written::Conflict, Written::Done]);
    assert_eq!(met(&stores, &one, &[&c, &a, &b, &a]).await, [false, true, false, true]);
    assert_eq!(met(&stores, &two, &[&a, &b]).await, [false, true], "each session has its own");
    let again = stores.ledger.write(vec![first_to(&one, &a), first_to(&one, &c), first_to(&one, &c)]).await.unwrap();
    assert_eq!(again, [Written::Done, Written::Done, Written::Done]);
    stores.claim(&one.id).await;
    assert_eq!(met(&stores, &one, &[&a, &b, &c]).await, [true, false, true], "the next owner knows them");
}

pub(super) async fn who_was_met_outlives_the_job_and_goes_with_the_session(stores: Stores) {
    let owned = stores.owned().await;
    let numbers: Vec<_> = (0..300).map(|_| number()).collect();
    let writes: Vec<_> = numbers.iter().map(|to| first_to(&owned, to)).collect();
    let mut writes_of_sent = Vec::new();
    for write in &writes {
        let mut sent = write.clone();
        (sent.entry.state, sent.entry.version) = (crate::domain::MessageState::Sent, 1);
        writes_of_sent.push(LedgerWrite { spent: None, ..sent });
    }
    assert_eq!(stores.ledger.write(writes).await.unwrap(), vec![Written::Done; 300]);
    assert_eq!(stores.ledger.write(writes_of_sent).await.unwrap(), vec![Written::Done; 300]);
    let later = now().plus(std::time::Duration::from_hours(1));
    assert_eq!(stores.ledger.forget(later, 1000).await.unwrap(), 300);
    assert_eq!(stores.ledger.met(&owned.id, &numbers).await.unwrap(), vec![true; 300]);

    stores.sessions.want(&owned.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Done);
    assert_eq!(stores.ledger.met(&owned.id, &numbers).await.unwrap(), vec![false; 300]);
    stores.created(&owned.tenant, &owned.id).await;
    assert_eq!(stores.ledger.met(&owned.id, &numbers).await.unwrap(), vec![false; 300]);
}
