//! The limits of senders and recipients, seen from outside: what goes, what waits, and what the next owner knows.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use kurir_core::domain::{
    FailReason, JobKey, Lane, LedgerEntry, MessageState, OwnLimits, PhoneNumber, Rest, SendAnswer, Timestamp,
};
use kurir_core::memory::{MemoryLeases, MemoryMembership, MemoryRecipientLimits, Reply, SystemClock};
use kurir_core::policy::{DayRule, Zone};
use kurir_core::port::{Charge, Clock as _, JobQueue as _, MessengerEvent, PortError, RecipientLimits, RecipientRule};
use kurir_core::wire::{ContentV1, JobV1};
use kurir_workers::{WhenDown, Worker, WorkerOptions};

use crate::world::{World, in_time, job_events, next_event, options, otp, session, until};

/// A bulk job for a number that ends in `at`, without a deadline.
fn bulk(at: u32) -> JobV1 {
    JobV1 { lane: Lane::Bulk, content: ContentV1::text(format!("bulk {at}")), expires_at: None, ..otp(at) }
}

/// A time zone in which it is about noon, so that no test runs over midnight.
pub fn zone() -> Zone {
    let now = SystemClock.now();
    let noon = |zone: &Zone| (9..15).contains(&(zone.next_day(now).since(now).as_secs() / 3600));
    let mut zones = (-11..=12).map(|hours| format!("Etc/GMT{hours:+}").parse().expect("a zone"));
    zones.find(noon).expect("it is noon somewhere")
}

fn with_day(name: &str, day: DayRule) -> WorkerOptions {
    let mut settings = options(name);
    settings.senders.day = day;
    settings.senders.zones.insert(session(), zone());
    settings
}

async fn until_sent(world: &World, job: &JobV1) {
    world.until_entry(job, "sent job", |entry| entry.state == MessageState::Sent).await;
}

/// Waits until a job is delayed for this reason; tells until when.
async fn until_delayed(world: &World, job: &JobV1, reason: FailReason) -> Timestamp {
    let delayed =
        |entry: &kurir_core::domain::LedgerEntry| entry.state == MessageState::Delayed && entry.reason == Some(reason);
    let entry = world.until_entry(job, &format!("job delayed for {reason}"), delayed).await;
    entry.not_before.expect("a delayed job says until when")
}

/// The next owner takes over from one that was stopped.
async fn handed_over(world: &World, first: Worker, settings: WorkerOptions) -> Worker {
    in_time("stop", first.stop()).await;
    let second = Worker::start(settings, world.ports.clone());
    in_time("take-over", world.messenger.until_open(&session(), true)).await;
    world.emit(MessengerEvent::Connected).await;
    second
}

/// The next owner takes over from one that does not know yet: the leases and the members were forgotten.
async fn taken_over(world: &World, first: Worker, settings: WorkerOptions) -> Worker {
    let mut ports = world.ports.clone();
    ports.leases = Arc::new(MemoryLeases::new(Arc::clone(&ports.clock)));
    ports.members = Arc::new(MemoryMembership::new(Arc::clone(&ports.clock)));
    let before = world.messenger.replaced();
    let second = Worker::start(settings, ports);
    until("take-over", async || (world.messenger.replaced() > before).then_some(())).await;
    in_time("stop", first.stop()).await;
    world.emit(MessengerEvent::Connected).await;
    second
}

#[tokio::test]
async fn over_the_daily_cap_bulk_waits_for_tomorrow_and_otps_have_their_share() {
    let day = DayRule { per_day: 5, otp_reserve: 40, ..DayRule::default() };
    let (world, worker) = World::serving(with_day("w", day)).await;
    for at in 1..=3 {
        let job = bulk(at);
        world.publish(&job).await;
        until_sent(&world, &job).await;
    }
    let fourth = bulk(4);
    let mut events = world.events().await;
    world.publish(&fourth).await;
    let until = until_delayed(&world, &fourth, FailReason::SenderDailyCap).await;
    let tomorrow = zone().next_day(SystemClock.now());
    assert!(until.since(tomorrow) < Duration::from_secs(1) && until >= tomorrow, "{until} is not {tomorrow}");
    let told = job_events(&mut *events, &fourth, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.delayed", Some("sender_daily_cap")));
    assert!(!world.messenger.checked().iter().any(|number| number.digits().ends_with("0004")), "WhatsApp was asked");
    for at in 5..=6 {
        let code = otp(at);
        world.publish(&code).await;
        until_sent(&world, &code).await;
    }
    let late = otp(7);
    world.publish(&late).await;
    let ended = world.until_entry(&late, "an OTP that ends", |entry| entry.state == MessageState::Expired).await;
    assert_eq!(ended.reason, Some(FailReason::SenderDailyCap), "it can't wait until tomorrow");
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 5);
}

#[tokio::test]
async fn a_new_number_is_warmed_up_unless_it_is_known_to_be_warm() {
    for warm in [false, true] {
        let day = DayRule { warm_up: "3d:1".parse().unwrap(), ..DayRule::default() };
        let mut settings = with_day("w", day);
        if warm {
            settings.senders.warm.insert(session());
        }
        let (world, worker) = World::serving(settings).await;
        let (first, second) = (bulk(1), bulk(2));
        world.publish(&first).await;
        until_sent(&world, &first).await;
        world.publish(&second).await;
        if warm {
            until_sent(&world, &second).await;
        } else {
            until_delayed(&world, &second, FailReason::SenderWarmingUp).await;
        }
        worker.stop().await;
    }
}

#[tokio::test]
async fn new_recipients_have_a_budget_and_known_ones_go_on() {
    let day = DayRule { cold_per_day: 1, ..DayRule::default() };
    let (world, worker) = World::serving(with_day("w1", day.clone())).await;
    let (first, again, other) = (bulk(1), bulk(1), bulk(2));
    world.publish(&first).await;
    until_sent(&world, &first).await;
    world.publish(&other).await;
    until_delayed(&world, &other, FailReason::SenderColdContacts).await;
    world.publish(&again).await;
    until_sent(&world, &again).await;
    // The next owner knows whom the session has met.
    let worker = handed_over(&world, worker, with_day("w2", day)).await;
    let (third, new) = (bulk(1), bulk(3));
    world.publish(&third).await;
    until_sent(&world, &third).await;
    world.publish(&new).await;
    until_delayed(&world, &new, FailReason::SenderColdContacts).await;
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 3);
}

#[tokio::test]
async fn the_next_owner_has_neither_a_new_burst_nor_a_new_day() {
    let settings = |name: &str| {
        let mut settings = with_day(name, DayRule { per_day: 4, ..DayRule::default() });
        settings.pace.every = Duration::from_mins(10);
        settings.pace.burst = 3.try_into().unwrap();
        settings
    };
    let (world, first) = World::serving(settings("w1")).await;
    for at in 1..=3 {
        let job = bulk(at);
        world.publish(&job).await;
        until_sent(&world, &job).await;
    }
    let second = handed_over(&world, first, settings("w2")).await;
    // An OTP that lives for five minutes is told at once that its turn would come later.
    let code = otp(9);
    world.publish(&code).await;
    let ended = world.until_entry(&code, "an OTP that ends", |entry| entry.state == MessageState::Expired).await;
    assert_eq!(ended.reason, Some(FailReason::SenderLimited), "the burst began anew");
    let mut faster = settings("w3");
    faster.pace.every = Duration::from_millis(1);
    let third = taken_over(&world, second, faster).await;
    let (fourth, fifth) = (bulk(4), bulk(5));
    world.publish(&fourth).await;
    until_sent(&world, &fourth).await;
    world.publish(&fifth).await;
    until_delayed(&world, &fifth, FailReason::SenderDailyCap).await;
    third.stop().await;
    assert_eq!(world.messenger.sent().len(), 4);
    assert_eq!(world.record().await.pace.day.bulk, 4);
}

#[tokio::test]
async fn the_sender_rests_as_long_as_whatsapp_says_whoever_owns_it() {
    let until = SystemClock.now().plus(Duration::from_hours(9));
    let (world, first) = World::serving(options("w1")).await;
    world.messenger.restricted(Some(until));
    world.messenger.script(|_| Reply::Answer(SendAnswer::Refused(463)));
    let mut events = world.events().await;
    let refused = bulk(1);
    world.publish(&refused).await;
    let again = until_delayed(&world, &refused, FailReason::SenderRestricted).await;
    assert!(again >= until && again.since(until) < Duration::from_mins(1), "{again} is not {until}");
    let limited = next_event(&mut *events, "session.limited").await;
    assert_eq!(limited.data["until"].as_str(), Some(until.to_rfc3339().as_str()));
    let rest = Rest { until, reason: FailReason::SenderRestricted };
    assert_eq!(world.record().await.pace.rest, Some(rest), "it is saved with the result");
    // Neither a new connection nor a new owner ends it.
    let second = handed_over(&world, first, options("w2")).await;
    let third = taken_over(&world, second, options("w3")).await;
    assert_eq!(world.record().await.status.rest(), Some(rest));
    let next = bulk(2);
    world.publish(&next).await;
    assert!(until_delayed(&world, &next, FailReason::SenderRestricted).await >= until);
    assert_eq!(world.messenger.sent().len(), 1);
    third.stop().await;
}

#[tokio::test]
async fn a_restriction_that_comes_without_a_job_is_kept_and_lifted() {
    let end = SystemClock.now().plus(Duration::from_hours(2));
    let (world, first) = World::serving(options("w1")).await;
    let mut events = world.events().await;
    world.emit(MessengerEvent::Restricted { until: end }).await;
    next_event(&mut *events, "session.limited").await;
    let second = handed_over(&world, first, options("w2")).await;
    let job = bulk(1);
    world.publish(&job).await;
    assert_eq!(until_delayed(&world, &job, FailReason::SenderRestricted).await, end);
    world.emit(MessengerEvent::Unrestricted).await;
    until("word of the end", async || world.record().await.status.rest().is_none().then_some(())).await;
    let next = bulk(2);
    world.publish(&next).await;
    until_sent(&world, &next).await;
    second.stop().await;
}

#[tokio::test]
async fn too_fast_is_told_as_such() {
    let mut settings = options("w");
    // Drawn at random between nothing and the whole span.
    settings.retry_bulk.backoff.base = Duration::from_hours(1000);
    settings.retry_bulk.backoff.max = Duration::from_hours(1000);
    let (world, worker) = World::serving(settings).await;
    world.messenger.script(|_| Reply::Answer(SendAnswer::Refused(429)));
    let mut events = world.events().await;
    let (refused, next) = (bulk(1), bulk(2));
    world.publish(&refused).await;
    until_delayed(&world, &refused, FailReason::RateLimited).await;
    assert_eq!(next_event(&mut *events, "session.limited").await.data["reason"], "rate_limited");
    world.publish(&next).await;
    until_delayed(&world, &next, FailReason::RateLimited).await;
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 1);
}

/// A limit whose place can be down.
struct Fragile {
    inner: MemoryRecipientLimits,
    down: Arc<AtomicBool>,
}

#[async_trait]
impl RecipientLimits for Fragile {
    async fn charge(
        &self,
        job: &JobKey,
        to: &PhoneNumber,
        rule: RecipientRule,
        now: Timestamp,
    ) -> Result<Charge, PortError> {
        if self.down.load(Ordering::SeqCst) {
            let source = std::io::Error::other("down").into();
            return Err(PortError::Unavailable { system: "the test", action: "charging", source });
        }
        self.inner.charge(job, to, rule, now).await
    }

    async fn refund(&self, job: &JobKey, to: &PhoneNumber) -> Result<(), PortError> {
        self.inner.refund(job, to).await
    }
}

async fn with_limits_down(when_down: WhenDown) -> (World, Worker, Arc<AtomicBool>) {
    let mut world = World::new();
    let down = Arc::new(AtomicBool::new(true));
    let fragile = Fragile { inner: MemoryRecipientLimits::new(), down: Arc::clone(&down) };
    world.ports.recipients = Arc::new(fragile);
    world.create().await;
    let settings = WorkerOptions { recipients_down: when_down, ..options("w") };
    let worker = Worker::start(settings, world.ports.clone());
    world.link().await;
    (world, worker, down)
}

#[tokio::test]
async fn while_the_recipients_limit_is_down_otps_wait_or_go_as_the_operator_chose() {
    let (world, worker, down) = with_limits_down(WhenDown::Wait).await;
    let (code, text) = (otp(1), bulk(2));
    world.publish(&code).await;
    world.publish(&text).await;
    until_sent(&world, &text).await;
    assert_eq!(world.messenger.sent().len(), 1, "the OTP went without its limit");
    down.store(false, Ordering::SeqCst);
    until_sent(&world, &code).await;
    worker.stop().await;

    let (world, worker, _down) = with_limits_down(WhenDown::Allow).await;
    let code = otp(1);
    world.publish(&code).await;
    until_sent(&world, &code).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_sessions_own_limits_hold_while_it_runs_and_for_its_next_owner() {
    let rule = DayRule { per_day: 2, ..DayRule::default() };
    let (world, worker) = World::serving(with_day("w", rule.clone())).await;
    let ended = async |at| {
        let job = bulk(at);
        world.publish(&job).await;
        let decided = |entry: &LedgerEntry| matches!(entry.state, MessageState::Sent | MessageState::Delayed);
        world.until_entry(&job, "word of it", decided).await.state
    };
    assert_eq!([ended(1).await, ended(2).await, ended(3).await], {
        use MessageState::{Delayed, Sent};
        [Sent, Sent, Delayed]
    });
    let more = OwnLimits { per_day: Some(4), ..OwnLimits::default() };
    assert!(world.ports.sessions.limit(&session(), &more).await.unwrap());
    // Its owner hears of it at its next look.
    let mut at = 3;
    while ended(at + 1).await == MessageState::Delayed {
        at += 1;
    }
    let second = handed_over(&world, worker, with_day("w2", rule)).await;
    let last = [ended(at + 2).await, ended(at + 3).await];
    assert_eq!(last, [MessageState::Sent, MessageState::Delayed], "what was sent under the old rule counts");
    in_time("stop", second.stop()).await;
}

#[tokio::test]
async fn a_slower_pace_of_its_own_takes_fewer_jobs_at_a_time() {
    let (world, worker) = World::serving(options("w")).await;
    let first = bulk(1);
    world.publish(&first).await;
    until_sent(&world, &first).await;
    let slow = OwnLimits { every_ms: Some(3_600_000), burst: NonZeroU32::new(1), ..OwnLimits::default() };
    assert!(world.ports.sessions.limit(&session(), &slow).await.unwrap());
    // Heard of at the owner's next look: from then on one goes an hour, and one is held at a time.
    let mut jobs = Vec::new();
    until("the slow pace", async || {
        let job = bulk(2);
        world.publish(&job).await;
        jobs.push(job);
        (world.queue.depth(&session(), Lane::Bulk).await.unwrap() > 20).then_some(())
    })
    .await;
    let fast = OwnLimits::default();
    assert!(world.ports.sessions.limit(&session(), &fast).await.unwrap());
    // Those that stood in line when it became slow went back for a while.
    let decided = |entry: &LedgerEntry| matches!(entry.state, MessageState::Sent | MessageState::Delayed);
    let mut sent = 0;
    for job in &jobs {
        let entry = world.until_entry(job, "word of it", decided).await;
        sent += usize::from(entry.state == MessageState::Sent);
    }
    assert!(sent >= 20, "only {sent} of {} were sent", jobs.len());
    in_time("stop", worker.stop()).await;
}
