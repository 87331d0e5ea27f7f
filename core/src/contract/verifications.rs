//! The register of verifications.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::Stores;
use super::fixture::{event, now, number, session, tenant};
use crate::domain::{
    Channel, CodeDelivery, ConversionRule, Hop, Keyring, OutboxEvent, PhoneNumber, Secret, TenantId, Timestamp,
    Traffic, Verification, VerificationId, VerificationStatus,
};
use crate::port::{Entered, Tally, VerificationFilter, VerificationWrite, Written};

const MINUTE: Duration = Duration::from_mins(1);

/// Blocks after two losses.
pub(super) const RULE: ConversionRule =
    ConversionRule { window: Duration::from_hours(24), most_lost: 2, block: Duration::from_hours(6) };

pub(super) fn code() -> Secret<String> {
    Secret::new("493817".to_owned())
}

/// A verification that nobody else has; ids are in the order of time.
pub(super) fn verification(tenant: &TenantId, to: &PhoneNumber) -> Verification {
    let keys = Keyring::parse("1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key").code_keys();
    let (at, id) = (now(), VerificationId::new(Uuid::now_v7()));
    let hop = |channel| Hop { channel, patience: Duration::from_secs(30) };
    Verification {
        id,
        tenant: tenant.clone(),
        version: 0,
        to: to.clone(),
        status: VerificationStatus::Pending,
        mark: keys.mark(tenant, id, &code()),
        text: "Kode \u{1f600} 'x': {code}".into(),
        hops: vec![
            hop(Channel::Session(session())),
            hop(Channel::Webhook(Secret::new("https://sms.example/x?key=1".into()))),
        ],
        hop: 0,
        delivery: CodeDelivery::Begun,
        hop_at: at,
        tries: 0,
        sends: 1,
        max_sends: 5,
        sent_at: at,
        checks: 0,
        max_checks: 5,
        created_at: at,
        expires_at: at.plus(10 * MINUTE),
        ended_at: None,
        due_at: Some(at.plus(MINUTE)),
        metadata: BTreeMap::from([("order".into(), "77 \"x\"".into())]),
    }
}

pub(super) fn write(record: &Verification) -> VerificationWrite {
    VerificationWrite { record: record.clone(), tally: None, events: Vec::new() }
}

pub(super) fn tally(of: &Verification, what: Traffic, at: Timestamp) -> (Tally, OutboxEvent) {
    let blocked = event(&of.tenant, None);
    (Tally { what, rule: RULE, at, blocked: blocked.clone() }, blocked)
}

impl Stores {
    /// Enters a verification and gives it as it stands then.
    pub(super) async fn entered(&self, tenant: &TenantId, to: &PhoneNumber) -> Verification {
        let record = verification(tenant, to);
        assert!(matches!(self.verifications.enter(write(&record), &code()).await.unwrap(), Entered::New));
        Verification { version: 1, ..record }
    }

    async fn look(&self, of: &Verification) -> Option<Verification> {
        self.verifications.verification(&of.tenant, of.id).await.unwrap()
    }

    /// Writes what must be the next version of it.
    pub(super) async fn saved(&self, record: &Verification) -> Verification {
        assert_eq!(self.verifications.save(write(record)).await.unwrap(), Written::Done);
        Verification { version: record.version + 1, ..record.clone() }
    }
}

pub(super) async fn a_verification_is_read_back_whole(stores: Stores) {
    let (tenant, to) = (tenant(), number());
    let entered = stores.entered(&tenant, &to).await;
    assert_eq!(stores.look(&entered).await, Some(entered.clone()));
    assert_eq!(stores.verifications.latest_to(&tenant, &to).await.unwrap(), Some(entered.clone()));
    assert_eq!(stores.verifications.code_of(&tenant, entered.id).await.unwrap(), Some(code()));
    let next = Verification {
        hop: 1,
        delivery: CodeDelivery::Reached,
        sends: 3,
        checks: 2,
        tries: 1,
        due_at: Some(now()),
        ..entered
    };
    let saved = stores.saved(&next).await;
    assert_eq!(stores.look(&saved).await, Some(saved));
}

pub(super) async fn one_is_open_to_a_number_and_its_end_makes_room(stores: Stores) {
    let (tenant, to) = (tenant(), number());
    let first = stores.entered(&tenant, &to).await;
    let second = verification(&tenant, &to);
    match stores.verifications.enter(write(&second), &code()).await.unwrap() {
        Entered::Open(open) => assert_eq!(*open, first),
        Entered::New => panic!("two are open to one number"),
    }
    assert_eq!(stores.look(&second).await, None);
    stores.saved(&first.ended(VerificationStatus::Canceled, now()).unwrap()).await;
    let second = stores.entered(&tenant, &to).await;
    assert_eq!(stores.verifications.latest_to(&tenant, &to).await.unwrap(), Some(second.clone()));
    let second = stores.saved(&second.ended(VerificationStatus::Approved, now()).unwrap()).await;
    assert_eq!(stores.verifications.latest_to(&tenant, &to).await.unwrap(), Some(second));
    // Ids made in one moment may be in any order: the open one counts.
    let old = Verification { id: VerificationId::new(Uuid::nil()), ..verification(&tenant, &to) };
    assert!(matches!(stores.verifications.enter(write(&old), &code()).await.unwrap(), Entered::New));
    let open = Verification { version: 1, ..old };
    assert_eq!(stores.verifications.latest_to(&tenant, &to).await.unwrap(), Some(open));
}

pub(super) async fn of_many_who_enter_one_is_new(stores: Stores) {
    let (tenant, to) = (tenant(), number());
    let tries: Vec<_> = (0..8).map(|_| verification(&tenant, &to)).collect();
    let mut running = tokio::task::JoinSet::new();
    for record in tries {
        let stores = stores.clone();
        running.spawn(async move {
            matches!(stores.verifications.enter(write(&record), &code()).await.unwrap(), Entered::New)
        });
    }
    let new = running.join_all().await.into_iter().filter(|new| *new).count();
    assert_eq!(new, 1);
}

pub(super) async fn of_many_who_write_one_version_one_is_done(stores: Stores) {
    let entered = stores.entered(&tenant(), &number()).await;
    let mut running = tokio::task::JoinSet::new();
    for checks in 1..=8 {
        let (stores, record) = (stores.clone(), Verification { checks, ..entered.clone() });
        running.spawn(async move { (checks, stores.verifications.save(write(&record)).await.unwrap()) });
    }
    let answers = running.join_all().await;
    let done: Vec<_> = answers.iter().filter(|(_, written)| *written == Written::Done).collect();
    let conflicts = answers.iter().filter(|(_, written)| *written == Written::Conflict).count();
    assert_eq!((done.len(), conflicts), (1, 7));
    let found = stores.look(&entered).await.unwrap();
    assert_eq!((found.checks, found.version), (done[0].0, 2));
    let unknown = verification(&entered.tenant, &number());
    let later = Verification { version: 1, ..unknown };
    assert_eq!(stores.verifications.save(write(&later)).await.unwrap(), Written::Conflict, "it was never entered");
}

pub(super) async fn events_come_with_their_write_only(stores: Stores) {
    let (tenant, to) = (tenant(), number());
    let told: Vec<_> = (0..3).map(|_| event(&tenant, None)).collect();
    let record = verification(&tenant, &to);
    let enter = |events: &[OutboxEvent]| VerificationWrite { events: events.to_vec(), ..write(&record) };
    stores.verifications.enter(enter(&told[..1]), &code()).await.unwrap();
    stores.verifications.enter(enter(&[event(&tenant, None)]), &code()).await.unwrap();
    let next = Verification { version: 1, checks: 1, ..record.clone() };
    let save = |events: &[OutboxEvent]| VerificationWrite { events: events.to_vec(), ..write(&next) };
    assert_eq!(stores.verifications.save(save(&told[1..])).await.unwrap(), Written::Done);
    assert_eq!(stores.verifications.save(save(&[event(&tenant, None)])).await.unwrap(), Written::Conflict);
    assert_eq!(stores.waiting().await, told);
}

pub(super) async fn a_code_goes_with_the_end(stores: Stores) {
    let entered = stores.entered(&tenant(), &number()).await;
    let checked = stores.saved(&Verification { checks: 1, ..entered }).await;
    assert_eq!(stores.verifications.code_of(&checked.tenant, checked.id).await.unwrap(), Some(code()));
    let ended = stores.saved(&checked.ended(VerificationStatus::Approved, now()).unwrap()).await;
    assert_eq!(stores.verifications.code_of(&ended.tenant, ended.id).await.unwrap(), None);
    assert_eq!(stores.look(&ended).await.unwrap().status, VerificationStatus::Approved);
}

pub(super) async fn tenants_have_their_own(stores: Stores) {
    let (mine, other, to) = (tenant(), tenant(), number());
    let entered = stores.entered(&mine, &to).await;
    stores.entered(&other, &to).await;
    assert_eq!(stores.verifications.verification(&other, entered.id).await.unwrap(), None);
    assert_eq!(stores.verifications.code_of(&other, entered.id).await.unwrap(), None);
    let all = VerificationFilter::default();
    let found = stores.verifications.verifications(&mine, &all, None, 10).await.unwrap();
    assert_eq!(found, [entered]);
    assert_eq!(stores.verifications.latest_to(&tenant(), &to).await.unwrap(), None);
}

pub(super) async fn pages_are_filtered_and_newest_first(stores: Stores) {
    let tenant = tenant();
    let mut all = Vec::new();
    for at in 0..5 {
        let entered = stores.entered(&tenant, &number()).await;
        all.push(if at % 2 == 0 {
            entered
        } else {
            stores.saved(&entered.ended(VerificationStatus::Expired, now()).unwrap()).await
        });
    }
    all.reverse();
    let page = async |filter: &VerificationFilter, before, limit| {
        stores.verifications.verifications(&tenant, filter, before, limit).await.unwrap()
    };
    let every = VerificationFilter::default();
    assert_eq!(page(&every, None, 10).await, all);
    assert_eq!(page(&every, None, 2).await, all[..2]);
    assert_eq!(page(&every, Some(all[1].id), 10).await, all[2..]);
    let expired = VerificationFilter { status: Some(VerificationStatus::Expired), to: None };
    assert_eq!(page(&expired, None, 10).await, [all[1].clone(), all[3].clone()]);
    let to = VerificationFilter { status: None, to: Some(all[2].to.clone()) };
    assert_eq!(page(&to, None, 10).await, [all[2].clone()]);
}

pub(super) async fn late_ones_are_counted_by_status(stores: Stores) {
    let mine = tenant();
    let mut all = Vec::new();
    for end in [Some(VerificationStatus::Expired), Some(VerificationStatus::Approved), None, None] {
        let entered = stores.entered(&mine, &number()).await;
        if let Some(end) = end {
            stores.saved(&entered.ended(end, now()).expect("it is open")).await;
        }
        all.push(entered.id);
    }
    stores.entered(&tenant(), &number()).await;
    let from = |id| {
        let (stores, mine) = (&stores, &mine);
        async move { stores.verifications.count_from(mine, id).await.unwrap() }
    };
    let pending = (VerificationStatus::Pending, 2);
    let approved = (VerificationStatus::Approved, 1);
    let first = VerificationId::new(Uuid::nil());
    assert_eq!(from(first).await, [pending, approved, (VerificationStatus::Expired, 1)]);
    assert_eq!(from(all[1]).await, [pending, approved]);
    assert_eq!(from(all[3]).await, [(VerificationStatus::Pending, 1)]);
    assert_eq!(from(VerificationId::new(Uuid::max())).await, []);
}

pub(super) async fn what_is_due_comes_in_order_and_ends_are_never_due(stores: Stores) {
    let tenant = tenant();
    let at = |minutes: u32| Some(now().plus(MINUTE * minutes));
    let mut due = Vec::new();
    for minutes in [3, 1, 2] {
        let entered = stores.entered(&tenant, &number()).await;
        due.push(stores.saved(&Verification { due_at: at(minutes), ..entered }).await);
    }
    let ended = stores.entered(&tenant, &number()).await;
    stores.saved(&ended.ended(VerificationStatus::Canceled, now()).unwrap()).await;
    let found = |minutes: u32, limit| {
        let (stores, at) = (stores.clone(), now().plus(MINUTE * minutes));
        async move { stores.verifications.due(at, limit).await.unwrap() }
    };
    assert_eq!(found(0, 10).await, []);
    assert_eq!(found(10, 10).await, [due[1].clone(), due[2].clone(), due[0].clone()]);
    assert_eq!(found(10, 1).await, [due[1].clone()]);
}

pub(super) async fn ended_ones_are_forgotten_and_open_ones_are_not(stores: Stores) {
    let tenant = tenant();
    let open = stores.entered(&tenant, &number()).await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        let entered = stores.entered(&tenant, &number()).await;
        ended.push(stores.saved(&entered.ended(VerificationStatus::Expired, now()).unwrap()).await);
    }
    let later = now().plus(MINUTE);
    assert_eq!(stores.verifications.forget_ended(now().minus(MINUTE), 10).await.unwrap(), 0);
    assert_eq!(stores.verifications.forget_ended(later, 2).await.unwrap(), 2);
    assert_eq!(stores.verifications.forget_ended(later, 2).await.unwrap(), 1);
    assert_eq!(stores.look(&open).await, Some(open));
    assert_eq!(stores.look(&ended[0]).await, None);
}
