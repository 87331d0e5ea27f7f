//! The list of those who want no bulk messages.

use std::time::Duration;

use super::Stores;
use super::fixture::{entry, event, job, now, number, session, tenant};
use super::stores::Owned;
use crate::domain::{
    Applied, Initiator, KeyId, OptOut, OutboxEvent, PhoneNumber, Release, SenderPace, Spent, Suppression,
    SuppressionAct, SuppressionChange, TenantId, Timestamp, Wanted,
};
use crate::port::{LedgerWrite, Written};

const SECOND: Duration = Duration::from_secs(1);

fn api() -> Initiator {
    Initiator::Api(KeyId::new("k1").unwrap())
}

fn wish(number: &PhoneNumber, by: Initiator, note: Option<&str>) -> Suppression {
    Suppression { number: number.clone(), by, note: note.map(str::to_owned), since: now() }
}

fn release(number: &PhoneNumber, by: Initiator, at: Timestamp) -> Release {
    Release { number: number.clone(), by, note: Some("asked for".into()), at }
}

async fn is_suppressed(stores: &Stores, tenant: &TenantId, number: &PhoneNumber) -> bool {
    let answers = stores.suppressions.suppressed(&[(tenant.clone(), number.clone())]).await.unwrap();
    assert_eq!(answers.len(), 1, "one answer for each question");
    answers[0]
}

async fn acts(stores: &Stores, tenant: &TenantId, number: &PhoneNumber) -> Vec<SuppressionAct> {
    let changes = stores.suppressions.suppression_changes(tenant, number, 100).await.unwrap();
    changes.iter().map(|change| change.act).collect()
}

pub(super) async fn a_suppression_is_read_back_whole(stores: Stores) {
    let (mine, number) = (tenant(), number());
    let by = [api(), Initiator::Import(KeyId::new("k2").unwrap()), Initiator::Reply(session())];
    for (by, note) in by.into_iter().zip([None, Some("toko \u{1f600} 'x' \"y\""), Some("STOP")]) {
        let mine = tenant();
        let wish = wish(&number, by, note);
        assert_eq!(stores.suppressions.suppression(&mine, &number).await.unwrap(), None);
        assert_eq!(stores.suppressions.suppress(&mine, std::slice::from_ref(&wish)).await.unwrap(), [Applied::Added]);
        assert_eq!(stores.suppressions.suppression(&mine, &number).await.unwrap(), Some(wish.clone()));
        let change = SuppressionChange { act: SuppressionAct::Added, by: wish.by, note: wish.note, at: wish.since };
        assert_eq!(stores.suppressions.suppression_changes(&mine, &number, 9).await.unwrap(), [change]);
    }
    assert!(!is_suppressed(&stores, &mine, &number).await, "each tenant has its own list");
}

pub(super) async fn each_number_is_suppressed_for_its_tenant_alone(stores: Stores) {
    let (mine, other) = (tenant(), tenant());
    let (a, b, c) = (number(), number(), number());
    stores.suppressions.suppress(&mine, &[wish(&a, api(), None), wish(&b, api(), None)]).await.unwrap();
    stores.suppressions.suppress(&other, &[wish(&c, api(), None)]).await.unwrap();
    let asked = [(&mine, &c), (&mine, &a), (&other, &a), (&other, &c), (&mine, &b), (&mine, &a)];
    let asked: Vec<_> = asked.into_iter().map(|(tenant, number)| (tenant.clone(), number.clone())).collect();
    let answers = stores.suppressions.suppressed(&asked).await.unwrap();
    assert_eq!(answers, [false, true, false, true, true, true]);
    assert_eq!(stores.suppressions.suppressed(&[]).await.unwrap(), [false; 0]);
}

pub(super) async fn wishes_of_one_call_see_each_other_and_what_is_there(stores: Stores) {
    let (mine, a, b) = (tenant(), number(), number());
    let reply = || Initiator::Reply(session());
    let wishes = [
        wish(&a, reply(), Some("STOP")),
        wish(&a, api(), None),
        wish(&b, api(), None),
        wish(&a, api(), None),
        wish(&a, reply(), Some("STOP")),
        wish(&b, api(), Some("complaint")),
    ];
    let (added, changed, same) = (Applied::Added, Applied::Changed, Applied::Same);
    let answers = stores.suppressions.suppress(&mine, &wishes).await.unwrap();
    assert_eq!(answers, [added, changed, added, same, same, changed]);
    let kept = stores.suppressions.suppression(&mine, &a).await.unwrap().unwrap();
    assert_eq!((kept.by, kept.note, kept.since), (api(), None, wishes[0].since));
    assert_eq!(acts(&stores, &mine, &a).await, [SuppressionAct::Changed, SuppressionAct::Added]);
    assert_eq!(stores.suppressions.suppress(&mine, &wishes[5..]).await.unwrap(), [same]);
    assert_eq!(stores.suppressions.suppress(&mine, &[]).await.unwrap(), []);
}

pub(super) async fn a_release_needs_the_right_to_it(stores: Stores) {
    let (mine, by_reply, by_api) = (tenant(), number(), number());
    let stopped = wish(&by_reply, Initiator::Reply(session()), Some("STOP"));
    stores.suppressions.suppress(&mine, &[stopped.clone(), wish(&by_api, api(), None)]).await.unwrap();
    let reply = || Initiator::Reply(session());
    let (early, late) = (stopped.since.minus(SECOND), stopped.since.plus(SECOND));
    for (number, by, at) in [(&by_api, reply(), late), (&by_reply, reply(), early), (&number(), api(), late)] {
        assert_eq!(stores.suppressions.release(&mine, &release(number, by, at)).await.unwrap(), None);
    }
    assert_eq!(stores.suppressions.release(&tenant(), &release(&by_reply, api(), late)).await.unwrap(), None);
    let done = stores.suppressions.release(&mine, &release(&by_reply, reply(), late)).await.unwrap();
    assert_eq!(done, Some(stopped));
    assert!(stores.suppressions.release(&mine, &release(&by_api, api(), early)).await.unwrap().is_some());
    for number in [&by_reply, &by_api] {
        assert!(!is_suppressed(&stores, &mine, number).await);
        assert_eq!(stores.suppressions.suppression(&mine, number).await.unwrap(), None);
        assert_eq!(acts(&stores, &mine, number).await, [SuppressionAct::Removed, SuppressionAct::Added]);
    }
    let newest = stores.suppressions.suppression_changes(&mine, &by_reply, 1).await.unwrap();
    assert_eq!((newest.len(), &newest[0].by, newest[0].note.as_deref()), (1, &reply_of(&newest), Some("asked for")));
    assert_eq!(stores.suppressions.suppress(&mine, &[wish(&by_api, api(), None)]).await.unwrap(), [Applied::Added]);
    assert!(is_suppressed(&stores, &mine, &by_api).await);
}

fn reply_of(changes: &[SuppressionChange]) -> Initiator {
    let Initiator::Reply(session) = &changes[0].by else { panic!("it was a reply") };
    Initiator::Reply(session.clone())
}

pub(super) async fn pages_hold_every_number_once(stores: Stores) {
    let mine = tenant();
    let wishes: Vec<_> = (0..25).map(|_| wish(&number(), api(), None)).collect();
    stores.suppressions.suppress(&mine, &wishes).await.unwrap();
    stores.suppressions.suppress(&tenant(), &[wish(&number(), api(), None)]).await.unwrap();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = stores.suppressions.suppressions(&mine, after, 10).await.unwrap();
        assert!(page.len() <= 10);
        let Some((last, _)) = page.last() else { break };
        after = Some(last.to_string().parse().unwrap());
        found.extend(page.into_iter().map(|(_, entry)| entry));
    }
    found.sort_by(|a, b| a.number.cmp(&b.number));
    let mut wanted = wishes;
    wanted.sort_by(|a, b| a.number.cmp(&b.number));
    assert_eq!(found, wanted);
    assert_eq!(stores.suppressions.suppressions(&tenant(), None, 10).await.unwrap(), []);
}

pub(super) async fn a_thousand_wishes_in_one_call(stores: Stores) {
    let mine = tenant();
    let wishes: Vec<_> = (0..1000).map(|_| wish(&number(), api(), None)).collect();
    let answers = stores.suppressions.suppress(&mine, &wishes).await.unwrap();
    assert_eq!(answers, vec![Applied::Added; 1000]);
    let asked: Vec<_> = wishes.iter().map(|wish| (mine.clone(), wish.number.clone())).collect();
    assert_eq!(stores.suppressions.suppressed(&asked).await.unwrap(), vec![true; 1000]);
}

/// Writes a bulk message's intent to a number.
async fn write_bulk(stores: &Stores, owned: &Owned, to: &PhoneNumber, fenced: bool) {
    let spent = Some(Spent { pace: SenderPace::default(), met: None, bulk: Some(to.clone()) });
    let fence = fenced.then(|| owned.fence.clone());
    let write = LedgerWrite { fence, entry: entry(&job(&owned.tenant), Some(&owned.id)), spent, events: Vec::new() };
    assert_eq!(stores.ledger.write(vec![write]).await.unwrap(), [Written::Done]);
}

fn stop(owned: &Owned, number: &PhoneNumber) -> (OptOut, OutboxEvent) {
    let told = event(&owned.tenant, Some(&owned.id));
    let wish = wish(number, Initiator::Reply(owned.id.clone()), Some("STOP"));
    (OptOut::Stop(wish, told.clone()), told)
}

fn resume(owned: &Owned, number: &PhoneNumber, at: Timestamp) -> (OptOut, OutboxEvent) {
    let told = event(&owned.tenant, Some(&owned.id));
    (OptOut::Resume(release(number, Initiator::Reply(owned.id.clone()), at), told.clone()), told)
}

pub(super) async fn a_reply_counts_from_whom_got_a_bulk_message(stores: Stores) {
    let (owned, other) = (stores.owned().await, stores.owned().await);
    let (addressed, others, never) = (number(), number(), number());
    write_bulk(&stores, &owned, &addressed, true).await;
    // Once more: many bulk messages go to one number.
    write_bulk(&stores, &owned, &addressed, true).await;
    write_bulk(&stores, &other, &others, true).await;
    write_bulk(&stores, &owned, &never, false).await;
    let received = event(&owned.tenant, Some(&owned.id));
    let (first, told) = stop(&owned, &addressed);
    let replies = [first.clone(), stop(&owned, &others).0, stop(&owned, &never).0];
    let heed = async |events: &[OutboxEvent], replies: &[OptOut]| {
        stores.suppressions.heed(&owned.tenant, &owned.id, events, replies).await.unwrap()
    };
    assert_eq!(heed(std::slice::from_ref(&received), &replies).await, [told.id]);
    assert_eq!(stores.waiting().await, [received.clone(), told.clone()], "both in the outbox, what was received first");
    for (number, suppressed) in [(&addressed, true), (&others, false), (&never, false)] {
        assert_eq!(is_suppressed(&stores, &owned.tenant, number).await, suppressed, "{number}");
    }
    // WhatsApp delivers it again.
    assert_eq!(heed(&[received], &[first]).await, []);
    assert_eq!(stores.waiting_ids().await.len(), 2);
    let entry = stores.suppressions.suppression(&owned.tenant, &addressed).await.unwrap().unwrap();
    let (early, told_early) = resume(&owned, &addressed, entry.since.minus(SECOND));
    assert_eq!(heed(&[], &[early]).await, [], "it was written before");
    let (late, told_late) = resume(&owned, &addressed, entry.since.plus(SECOND));
    assert_eq!(heed(&[], &[late]).await, [told_late.id]);
    assert!(!is_suppressed(&stores, &owned.tenant, &addressed).await);
    assert!(!stores.waiting_ids().await.contains(&told_early.id));
    assert_eq!(acts(&stores, &owned.tenant, &addressed).await, [SuppressionAct::Removed, SuppressionAct::Added]);
}

pub(super) async fn who_got_a_bulk_message_goes_with_the_session(stores: Stores) {
    let owned = stores.owned().await;
    let number = number();
    write_bulk(&stores, &owned, &number, true).await;
    stores.sessions.want(&owned.id, Wanted::Deleted).await.unwrap();
    assert_eq!(stores.sessions.delete(&owned.fence).await.unwrap(), Written::Done);
    stores.created(&owned.tenant, &owned.id).await;
    let (reply, _) = stop(&owned, &number);
    assert_eq!(stores.suppressions.heed(&owned.tenant, &owned.id, &[], &[reply]).await.unwrap(), []);
}
