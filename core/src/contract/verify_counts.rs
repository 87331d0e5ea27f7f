//! What is counted for verifications: limits and prefixes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Stores;
use super::fixture::{now, number, tenant};
use super::verifications::{RULE, code, tally, verification, write};
use crate::domain::{NumberPrefix, PhoneNumber, TenantId, Timestamp, Traffic, Verification, VerificationStatus};
use crate::port::{Entered, LimitCharge, LimitOf, VerificationWrite, Written};

const HOUR: Duration = Duration::from_hours(1);

fn charge(of: LimitOf, start: Timestamp, most: u32) -> LimitCharge {
    LimitCharge { of, start, span: HOUR, most }
}

fn address(last: u8) -> LimitOf {
    LimitOf::Ip(IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)))
}

impl Stores {
    async fn charged(&self, tenant: &TenantId, charges: &[LimitCharge]) -> Option<usize> {
        self.verifications.charge_all(tenant, charges).await.unwrap()
    }

    /// Begins a verification, and ends it.
    async fn ended(&self, tenant: &TenantId, to: &PhoneNumber, how: VerificationStatus, at: Timestamp) -> bool {
        let record = verification(tenant, to);
        let (begun, _) = tally(&record, Traffic::Begun, at);
        let new = VerificationWrite { tally: Some(begun), ..write(&record) };
        assert!(matches!(self.verifications.enter(new, &code()).await.unwrap(), Entered::New));
        let record = Verification { version: 1, ..record }.ended(how, at).unwrap();
        let what = if how == VerificationStatus::Approved { Traffic::Approved } else { Traffic::Lost };
        let (ended, blocked) = tally(&record, what, at);
        let save = VerificationWrite { tally: Some(ended), ..write(&record) };
        assert_eq!(self.verifications.save(save).await.unwrap(), Written::Done);
        self.waiting().await.contains(&blocked)
    }
}

pub(super) async fn a_limit_holds_within_its_window(stores: Stores) {
    let (tenant, to, start) = (tenant(), number(), now());
    let of = LimitOf::Recipient(to);
    for _ in 0..3 {
        assert_eq!(stores.charged(&tenant, &[charge(of.clone(), start, 3)]).await, None);
    }
    assert_eq!(stores.charged(&tenant, &[charge(of.clone(), start, 3)]).await, Some(0));
    assert_eq!(stores.charged(&tenant, &[charge(of.clone(), start.plus(HOUR), 3)]).await, None, "another window");
    assert_eq!(stores.charged(&super::fixture::tenant(), &[charge(of, start, 3)]).await, None, "another tenant");
}

pub(super) async fn who_is_over_one_limit_is_counted_by_none(stores: Stores) {
    let (tenant, start) = (tenant(), now());
    let to = LimitOf::Recipient(number());
    let both = |last, most| [charge(address(last), start, 100), charge(to.clone(), start, most)];
    assert_eq!(stores.charged(&tenant, &both(1, 1)).await, None);
    assert_eq!(stores.charged(&tenant, &both(1, 1)).await, Some(1));
    // The address was charged once: 99 are left.
    assert_eq!(stores.charged(&tenant, &[charge(address(1), start, 2)]).await, None);
    assert_eq!(stores.charged(&tenant, &[charge(address(1), start, 2)]).await, Some(0));
    assert_eq!(stores.charged(&tenant, &both(2, 2)).await, None, "the number was charged once, too");
    assert_eq!(stores.charged(&tenant, &[]).await, None);
}

pub(super) async fn many_at_once_do_not_exceed_a_limit(stores: Stores) {
    let (tenant, start) = (tenant(), now());
    let of = [LimitOf::Prefix(NumberPrefix::of(&number())), LimitOf::Country("62".into()), address(9)];
    let mut running = tokio::task::JoinSet::new();
    for at in 0..24 {
        let (stores, tenant, mut of) = (stores.clone(), tenant.clone(), of.clone());
        // In every order: nobody may wait for somebody who waits for him.
        of.rotate_left(at % 3);
        running.spawn(async move {
            let charges: Vec<_> = of.into_iter().map(|of| charge(of, start, 10)).collect();
            stores.charged(&tenant, &charges).await.is_none()
        });
    }
    assert_eq!(running.join_all().await.into_iter().filter(|allowed| *allowed).count(), 10);
}

pub(super) async fn a_prefix_counts_and_is_blocked_by_losses(stores: Stores) {
    let (tenant, to, at) = (tenant(), number(), now());
    let prefix = NumberPrefix::of(&to);
    assert_eq!(stores.verifications.prefix(&tenant, &prefix).await.unwrap(), None);
    assert!(!stores.ended(&tenant, &to, VerificationStatus::Expired, at).await);
    let record = stores.verifications.prefix(&tenant, &prefix).await.unwrap().unwrap();
    assert_eq!((record.begun, record.approved, record.lost, record.blocked_until), (1, 0, 1, None));
    assert_eq!((&record.prefix, record.since), (&prefix, at));
    assert!(stores.ended(&tenant, &to, VerificationStatus::MaxAttemptsReached, at).await, "its event is told");
    let record = stores.verifications.prefix(&tenant, &prefix).await.unwrap().unwrap();
    assert_eq!(record.blocked_until, Some(at.plus(RULE.block)));
    assert_eq!(stores.verifications.prefix(&super::fixture::tenant(), &prefix).await.unwrap(), None);
}

pub(super) async fn one_approval_keeps_a_prefix_open(stores: Stores) {
    let (tenant, to, at) = (tenant(), number(), now());
    for how in [VerificationStatus::Expired, VerificationStatus::Approved, VerificationStatus::Expired] {
        assert!(!stores.ended(&tenant, &to, how, at).await);
    }
    let record = stores.verifications.prefix(&tenant, &NumberPrefix::of(&to)).await.unwrap().unwrap();
    assert_eq!((record.begun, record.approved, record.lost, record.blocked_until), (3, 1, 2, None));
}

pub(super) async fn prefixes_are_listed_and_unblocked(stores: Stores) {
    let (tenant, other, at) = (tenant(), tenant(), now());
    let numbers: Vec<_> = ["628110001", "628110002", "628110003"]
        .map(|prefix| PhoneNumber::from_digits(format!("{prefix}1234")).unwrap())
        .into();
    for to in &numbers {
        for _ in 0..2 {
            stores.ended(&tenant, to, VerificationStatus::Expired, at).await;
        }
    }
    let all = stores.verifications.prefixes(&tenant, None, 10).await.unwrap();
    assert!(all.is_sorted_by(|a, b| a.id < b.id) && all.len() == 3, "{all:?}");
    assert!(all.iter().all(|record| record.blocked(at).is_some()));
    assert_eq!(stores.verifications.prefixes(&tenant, Some(all[0].id), 1).await.unwrap(), all[1..2]);
    assert_eq!(stores.verifications.prefixes(&other, None, 10).await.unwrap(), []);
    assert_eq!(stores.verifications.unblock(&other, all[1].id, at).await.unwrap(), None);
    let open = stores.verifications.unblock(&tenant, all[1].id, at).await.unwrap().unwrap();
    assert_eq!((open.blocked_until, open.lost), (None, 0));
    assert_eq!(stores.verifications.prefixes(&tenant, None, 10).await.unwrap()[1], open);
}

pub(super) async fn losses_at_once_block_once(stores: Stores) {
    let (tenant, at) = (tenant(), now());
    let mut running = tokio::task::JoinSet::new();
    for last in 0..6 {
        let (stores, tenant) = (stores.clone(), tenant.clone());
        let to = PhoneNumber::from_digits(format!("62811999000{last}")).unwrap();
        running.spawn(async move { stores.ended(&tenant, &to, VerificationStatus::Expired, at).await });
    }
    let told = running.join_all().await.into_iter().filter(|told| *told).count();
    // A block begins its counts anew, and nothing blocks what is blocked.
    assert_eq!(told, 1);
    let prefix = NumberPrefix::of(&PhoneNumber::from_digits("628119990001".into()).unwrap());
    let record = stores.verifications.prefix(&tenant, &prefix).await.unwrap().unwrap();
    assert_eq!((record.lost, record.blocked_until), (4, Some(at.plus(RULE.block))));
}
