//! Each finding is found when its defect is there, and nothing is found in a clean run.

use std::collections::BTreeMap;

use super::*;
use crate::journal::Journal;

const PHONE: u64 = 2;

fn number(last: u64) -> PhoneNumber {
    PhoneNumber::from_u64(15_551_230_000 + last).expect("in range")
}

fn sender(account: u64, device: u16) -> DeviceAddress {
    DeviceAddress { account: number(account), device }
}

fn accepted(id: &str) -> JournalEvent {
    JournalEvent::Accepted { from: sender(1, 1), id: id.into() }
}

fn arrived(id: &str, duplicate: bool) -> JournalEvent {
    JournalEvent::Arrived { phone: number(PHONE), from: sender(1, 1), id: id.into(), duplicate }
}

fn replayed(id: &str, duplicate: bool) -> JournalEvent {
    JournalEvent::CounterReplayed { phone: number(PHONE), from: sender(1, 1), id: id.into(), duplicate }
}

fn unreadable(id: &str) -> JournalEvent {
    let (phone, from) = (number(PHONE), sender(1, 1));
    JournalEvent::Unreadable { phone, from, id: id.into(), count: 1, reason: "no session".into() }
}

/// A journal in which one millisecond passes from entry to entry.
fn journal(limit: usize, events: impl IntoIterator<Item = JournalEvent>) -> Journal {
    let journal = Journal::new(limit);
    for (at, event) in (1..).zip(events) {
        journal.write(at, event);
    }
    journal
}

fn expect(journal: &Journal, deadlines: &[(&str, u64)]) {
    let deadlines: BTreeMap<String, u64> = deadlines.iter().map(|(id, at)| ((*id).to_owned(), *at)).collect();
    journal.expect(deadlines).expect("few ids");
}

fn audit(journal: &Journal, after: u64, now: u64) -> Audit {
    judge(journal.evidence(after, now))
}

fn ids(arrivals: &[Arrival]) -> Vec<&str> {
    arrivals.iter().map(|arrival| arrival.id.as_str()).collect()
}

fn missing(missing: &[super::super::Missing]) -> Vec<(&str, bool)> {
    missing.iter().map(|missing| (missing.id.as_str(), missing.overdue)).collect()
}

#[test]
fn a_clean_run_is_clean() {
    let journal = journal(100, [accepted("a"), arrived("a", false), accepted("b"), arrived("b", false)]);
    expect(&journal, &[("a", 2), ("b", 10)]);
    let audit = audit(&journal, 0, 1_000);
    assert!(audit.clean && audit.complete);
    assert_eq!(ids(&audit.arrived), ["a", "b"]);
    assert_eq!((audit.arrived[1].first_at, audit.arrived[1].arrivals, audit.arrived[1].shown), (Some(4), 1, 1));
    assert_eq!(audit.totals, AuditTotals { arrived: 2, ..AuditTotals::default() });
    let counts = AccountCounts { accepted: 2, arrived: 2, ..AccountCounts::default() };
    assert_eq!(audit.accounts, BTreeMap::from([(number(1), counts)]));
}

#[test]
fn a_second_arrival_on_the_wire_is_found() {
    let journal = journal(100, [arrived("a", false), arrived("a", true), arrived("b", false)]);
    let found = audit(&journal, 0, 1_000);
    assert!(!found.clean);
    assert_eq!(ids(&found.twice_on_wire), ["a"]);
    assert_eq!((found.twice_on_wire[0].arrivals, found.totals.shown_twice), (2, 0));
    assert_eq!(found.accounts[&number(1)].twice_on_wire, 1);
    // Also when the first arrival was before the run.
    let found = audit(&journal, 1, 1_000);
    assert_eq!((ids(&found.twice_on_wire), found.twice_on_wire[0].first_at), (vec!["a"], None));
    assert!(audit(&journal, 2, 1_000).clean);
}

#[test]
fn the_same_id_at_two_phones_or_of_two_accounts_is_not_twice() {
    let at = |phone, from| JournalEvent::Arrived { phone, from, id: "a".into(), duplicate: false };
    let other_phone = at(number(3), sender(1, 1));
    let other_account = at(number(PHONE), sender(4, 1));
    let journal = journal(100, [arrived("a", false), other_phone, other_account]);
    assert!(audit(&journal, 0, 1_000).clean);
    assert_eq!(audit(&journal, 0, 1_000).totals.arrived, 3);
}

#[test]
fn two_devices_of_one_account_that_send_the_same_id_are_found() {
    let second = JournalEvent::Arrived { phone: number(PHONE), from: sender(1, 2), id: "a".into(), duplicate: true };
    let journal = journal(100, [arrived("a", false), second]);
    assert_eq!(ids(&audit(&journal, 0, 1_000).twice_on_wire), ["a"]);
}

#[test]
fn a_message_shown_twice_is_found() {
    let journal = journal(100, [arrived("a", false), arrived("b", false), arrived("a", false)]);
    let audit = audit(&journal, 0, 1_000);
    assert!(!audit.clean);
    assert_eq!((ids(&audit.shown_twice), audit.shown_twice[0].shown), (vec!["a"], 2));
    assert_eq!(audit.accounts[&number(1)].shown_twice, 1);
}

#[test]
fn a_message_that_is_asked_for_again_is_no_second_arrival() {
    let journal = journal(100, [unreadable("a"), arrived("a", false)]);
    let audit = audit(&journal, 0, 1_000);
    assert!(audit.clean);
    assert_eq!((audit.arrived[0].arrivals, audit.arrived[0].unreadable, audit.arrived[0].shown), (2, 1, 1));
    assert_eq!(audit.accounts[&number(1)].unreadable, 1);
}

#[test]
fn what_never_could_be_read_has_not_arrived() {
    let journal = journal(100, [unreadable("a")]);
    expect(&journal, &[("a", 10)]);
    let audit = audit(&journal, 0, 1_000);
    assert!(audit.arrived.is_empty());
    assert_eq!(missing(&audit.missing), [("a", true)]);
}

#[test]
fn a_late_arrival_is_found_also_when_its_deadline_is_registered_afterwards() {
    let journal = journal(100, [arrived("a", false), arrived("b", false), arrived("b", true)]);
    expect(&journal, &[("a", 0), ("b", 2)]);
    let audit = audit(&journal, 0, 1_000);
    assert_eq!(audit.late.len(), 1);
    assert_eq!((audit.late[0].id.as_str(), audit.late[0].deadline, audit.late[0].arrived_at), ("a", 0, 1));
    assert_eq!((audit.totals.late, audit.accounts[&number(1)].late, audit.clean), (1, 1, false));
}

#[test]
fn a_missing_message_is_found_once_its_deadline_is_over() {
    let journal = journal(100, [arrived("a", false)]);
    expect(&journal, &[("a", 10), ("b", 500)]);
    let early = audit(&journal, 0, 499);
    assert_eq!((missing(&early.missing), early.clean), (vec![("b", false)], true));
    let over = audit(&journal, 0, 501);
    assert_eq!((missing(&over.missing), over.clean, over.totals.overdue), (vec![("b", true)], false, 1));
    journal.expect_nothing();
    assert!(audit(&journal, 0, 501).clean);
}

#[test]
fn a_key_that_is_used_twice_is_found_whether_the_message_is_known_or_not() {
    let journal = journal(100, [arrived("a", false), replayed("a", true), replayed("b", false)]);
    let audit = audit(&journal, 0, 1_000);
    let reused: Vec<_> = audit.keys_used_twice.iter().map(|reuse| (reuse.id.as_str(), reuse.seq)).collect();
    assert_eq!(reused, [("a", 2), ("b", 3)]);
    assert_eq!(ids(&audit.twice_on_wire), ["a"]);
    assert_eq!(ids(&audit.arrived), ["a"]);
    assert_eq!((audit.accounts[&number(1)].keys_used_twice, audit.clean), (2, false));
}

#[test]
fn two_sockets_of_a_device_are_found() {
    let journal = journal(100, [JournalEvent::Overlap { device: sender(1, 2) }]);
    let audit = audit(&journal, 0, 1_000);
    assert_eq!((audit.overlaps[0].device, audit.overlaps[0].at, audit.clean), (sender(1, 2), 1, false));
    assert_eq!(audit.accounts[&number(1)].overlaps, 1);
}

#[test]
fn dropped_entries_are_admitted_and_registered_ids_are_known_all_the_same() {
    let journal = Journal::new(2);
    expect(&journal, &[("on time", 10), ("late", 1), ("never", 5)]);
    for (at, event) in
        [(1, arrived("on time", false)), (2, arrived("late", false)), (3, accepted("x")), (4, accepted("y"))]
    {
        journal.write(at, event);
    }
    let found = audit(&journal, 0, 1_000);
    assert_eq!((found.complete, found.lost_entries), (false, 2));
    assert!(found.arrived.is_empty(), "their entries are gone");
    assert_eq!(missing(&found.missing), [("never", true)]);
    assert_eq!(found.late.iter().map(|late| late.id.as_str()).collect::<Vec<_>>(), ["late"]);
    // What is asked for is still there as a whole.
    assert!(audit(&journal, 2, 1_000).complete);
    assert_eq!(audit(&journal, 1, 1_000).lost_entries, 1);
}

#[test]
fn an_id_registered_after_entries_were_dropped_is_not_called_missing() {
    let journal = journal(1, [arrived("a", false), accepted("x")]);
    expect(&journal, &[("a", 10), ("b", 10)]);
    let found = audit(&journal, 0, 1_000);
    assert_eq!(missing(&found.undecided), [("a", true), ("b", true)]);
    assert_eq!((found.missing.len(), found.clean, found.complete), (0, false, false));
    // Once it is seen, it is decided.
    journal.write(5, arrived("b", true));
    let found = audit(&journal, 0, 1_000);
    assert_eq!(missing(&found.undecided), [("a", true)]);
    assert_eq!(ids(&found.twice_on_wire), ["b"], "the phone knew it already");
}

#[test]
fn lists_are_shortened_but_totals_are_not() {
    let journal = journal(100, ["a", "b", "c"].map(|id| arrived(id, false)));
    let mut audit = audit(&journal, 0, 1_000);
    audit.shorten(3);
    assert!(!audit.truncated);
    audit.shorten(1);
    assert_eq!((audit.truncated, ids(&audit.arrived), audit.totals.arrived), (true, vec!["a"], 3));
}

#[test]
fn ids_that_can_not_be_meant_are_refused() {
    let journal = Journal::new(1);
    assert!(journal.expect(BTreeMap::from([(String::new(), 1)])).is_err());
    assert!(journal.expect(BTreeMap::from([("x".repeat(257), 1)])).is_err());
}
