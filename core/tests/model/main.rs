//! The protocol of leases, epochs and jobs as a small state machine, checked over every order in which two workers, a
//! store, a broker, a lease store and WhatsApp can take their steps, with trouble in between.
//!
//! It keeps to `workers/src/lease.rs`, `workers/src/session/owner.rs` and `workers/src/job/path.rs`; the states of a
//! message, the ledger's entries, the verdict on an answer, message ids and event ids are kurir's own. A worker that
//! sleeps, however long, is one that takes no step for a while, so every order has it.

mod check;
mod invariant;
mod path;
mod rules;
mod state;
mod step;
mod trouble;
mod variant;

use check::{Found, check};
use invariant::Breach;
use kurir_core::domain::MessageState;
use rules::Rules;
use state::{At, OTP, Phase, State, Trouble};
use variant::Variant;

const NONE: Trouble = Trouble {
    crashes: 0,
    leases: 0,
    duplicates: 0,
    channels: 0,
    cuts: 0,
    answers: 0,
    refusals: 0,
    receipts: 0,
    waits: 0,
    ticks: 0,
};

fn holds(jobs: usize, trouble: Trouble) -> Found {
    let found = check(&Rules::new(Variant::AsCoded, None), State::first(jobs, trouble));
    println!("{} states, {} steps, {} ends", found.states.len(), found.steps, found.ends);
    if let Some((breach, trace)) = &found.breach {
        panic!("{breach}:\n{trace}");
    }
    assert!(found.ends > 0, "nothing ever ends");
    found
}

fn caught(variant: Variant, only: Option<Breach>, expected: Breach, jobs: usize, trouble: Trouble) {
    let found = check(&Rules::new(variant, only), State::first(jobs, trouble));
    let (breach, trace) = found.breach.expect("a rule that is missing is noticed");
    println!("{variant:?}: {breach}, after {} steps ({} states):\n{trace}", trace.len(), found.states.len());
    assert_eq!(breach, expected, "{variant:?}\n{trace}");
}

/// The check has really been where it is meant to go.
fn reached(found: &Found, what: &str, is: impl Fn(&State) -> bool) {
    assert!(found.states.iter().any(is), "never reached: {what}");
}

fn ends_as(found: &Found, ends: &[MessageState]) {
    for end in ends {
        reached(found, end.as_str(), |s| s.store.entries[OTP].is_some_and(|entry| entry.state == *end));
    }
}

#[test]
fn two_jobs_a_crash_and_a_duplicate() {
    let found = holds(2, Trouble { crashes: 1, duplicates: 1, ticks: 2, ..NONE });
    ends_as(&found, &[MessageState::Sent, MessageState::Expired, MessageState::Uncertain]);
}

#[test]
fn two_jobs_and_an_early_take_over() {
    let found = holds(2, Trouble { leases: 1, ..NONE });
    reached(&found, "two that serve", |s| s.workers.iter().all(|w| w.phase == Phase::Serving));
    reached(&found, "a refused write", |s| s.workers.iter().any(|w| w.lost));
    reached(&found, "keys of two reservations in one hand", |s| s.workers.iter().any(|w| w.keys.next > 3));
}

#[test]
fn a_crash_an_early_take_over_and_a_duplicate() {
    let found = holds(1, Trouble { crashes: 1, leases: 1, duplicates: 1, ticks: 2, ..NONE });
    reached(&found, "a third epoch", |s| s.store.epoch.0 > 2);
    reached(&found, "a former owner that spends a key of its own", |s| {
        s.workers.iter().any(|w| {
            w.epoch != s.store.epoch && w.tasks[OTP].is_some_and(|task| matches!(task.at, At::Encrypted { .. }))
        })
    });
}

#[test]
fn two_early_take_overs() {
    holds(1, Trouble { leases: 2, ticks: 2, ..NONE });
}

#[test]
fn a_take_over_while_whatsapp_refuses_or_stays_silent() {
    let found = holds(1, Trouble { leases: 1, answers: 1, refusals: 1, receipts: 1, ticks: 2, ..NONE });
    ends_as(&found, &[MessageState::Sent, MessageState::Delivered, MessageState::Expired, MessageState::Uncertain]);
}

#[test]
fn a_take_over_while_connections_are_cut() {
    let found = holds(1, Trouble { leases: 1, cuts: 1, waits: 1, ticks: 2, ..NONE });
    reached(&found, "a former owner that pushes out the new one", |s| {
        s.socket.is_some_and(|w| s.workers[usize::from(w)].epoch < s.store.epoch)
            && s.workers.iter().any(|w| w.epoch == s.store.epoch && w.phase == Phase::Serving)
    });
}

#[test]
fn a_crash_while_all_others_make_trouble() {
    let most = Trouble { duplicates: 1, channels: 1, cuts: 1, answers: 1, refusals: 2, waits: 1, ticks: 2, ..NONE };
    let found = holds(1, Trouble { crashes: 1, ..most });
    ends_as(&found, &[MessageState::Sent, MessageState::Failed, MessageState::Expired, MessageState::Uncertain]);
    reached(&found, "three copies", |s| s.jobs[OTP].ready + s.jobs[OTP].parked > 2);
}

#[test]
fn an_unfenced_ledger_is_caught() {
    caught(Variant::LedgerUnfenced, None, Breach::OldEpoch, 1, Trouble { leases: 1, ..NONE });
}

#[test]
fn unfenced_keys_are_caught() {
    let trouble = Trouble { leases: 1, cuts: 1, ..NONE };
    caught(Variant::SignalUnfenced, None, Breach::OldEpoch, 1, trouble);
    caught(Variant::SignalUnfenced, Some(Breach::KeyReused), Breach::KeyReused, 2, trouble);
}

#[test]
fn keys_read_before_the_epoch_are_caught() {
    caught(Variant::KeysBeforeEpoch, None, Breach::KeyReused, 1, Trouble { leases: 1, ..NONE });
}

#[test]
fn an_acknowledgement_before_the_result_is_caught() {
    caught(Variant::AckBeforePersist, None, Breach::NoEnd, 1, Trouble { crashes: 1, ..NONE });
}

#[test]
fn an_acknowledgement_before_the_copy_is_caught() {
    caught(Variant::AckBeforeCopy, None, Breach::NoEnd, 1, Trouble { crashes: 1, answers: 1, ..NONE });
}

#[test]
fn a_send_without_an_intent_is_caught() {
    caught(Variant::NoIntent, Some(Breach::Untrue), Breach::Untrue, 1, Trouble { crashes: 1, ticks: 2, ..NONE });
}

#[test]
fn a_message_id_for_each_attempt_is_caught() {
    caught(Variant::OwnMessageId, None, Breach::ShownTwice, 1, Trouble { crashes: 1, ..NONE });
}

#[test]
fn events_beside_the_outbox_are_caught() {
    caught(Variant::OutboxApart, None, Breach::NoEnd, 1, Trouble { crashes: 1, ..NONE });
}

#[test]
fn entries_without_a_version_are_caught() {
    caught(Variant::NoVersion, None, Breach::Overwritten, 1, Trouble { receipts: 1, ..NONE });
}

#[test]
fn a_send_without_a_last_look_at_the_clock_is_caught() {
    caught(Variant::NoLastLook, None, Breach::LateOtp, 1, Trouble { ticks: 2, ..NONE });
}

#[test]
fn a_silence_taken_for_a_no_is_caught() {
    caught(Variant::NoDoubt, None, Breach::Untrue, 1, Trouble { answers: 1, ticks: 2, ..NONE });
}

#[test]
fn an_event_id_that_depends_on_chance_is_caught() {
    caught(Variant::EventIdByAttempt, None, Breach::TwoIds, 1, Trouble { refusals: 2, ..NONE });
}
