//! The turnstile of a sender: lets one job through at a time, as the sender's limits allow, OTPs before bulk jobs.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{FailReason, Rest, SenderPace, Timestamp};
use kurir_core::policy::{DayRule, PaceRule, Zone};
use kurir_core::port::Clock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::gate::{Ask, Gate, Limits, Turn, Waiting};
use super::standing::Standings;

enum Request {
    Turn(Waiting),
    Look { ask: Ask, answer: oneshot::Sender<Option<(Timestamp, FailReason)>> },
    Rest { rest: Rest, answer: oneshot::Sender<SenderPace> },
    Lift,
    Settle { zone: Zone, linked: Timestamp },
    Change { pace: PaceRule, day: DayRule },
}

/// The entrance to a sender's turnstile.
#[derive(Clone)]
pub(crate) struct Turnstile {
    queue: mpsc::Sender<Request>,
    standings: watch::Receiver<Standings>,
}

/// The shortest wait for a lane to open: moments are told in milliseconds.
const LEAST: Duration = Duration::from_millis(1);

/// Most requests that wait outside; those in work are bounded by the lanes' windows.
const QUEUE: usize = 64;

impl Turnstile {
    /// Starts it; it ends with `stop` or when the last entrance is dropped. How many wait for the pace is bounded by the
    /// windows of the lanes.
    pub(crate) fn start(limits: Limits, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let gate = Gate::new(limits);
        let (tell, standings) = watch::channel(gate.standings(clock.now()));
        tokio::spawn(run(gate, clock, requests, tell, stop));
        Self { queue, standings }
    }

    /// What the sender could take of a pool's jobs, followed live; it ends with the turnstile.
    pub(crate) fn standings(&self) -> watch::Receiver<Standings> {
        self.standings.clone()
    }

    /// Waits for a turn; sent away at once when it would come after the job's deadline, or not for long.
    pub(crate) async fn turn(&self, ask: Ask) -> Turn {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Request::Turn(Waiting { ask, answer })).await.is_err() {
            return Turn::Closed;
        }
        answered.await.unwrap_or(Turn::Closed)
    }

    /// Until when, and why, such a job would be sent away at once; `None` when it may ask for its turn.
    pub(crate) async fn look(&self, ask: Ask) -> Option<(Timestamp, FailReason)> {
        let (answer, answered) = oneshot::channel();
        // Closed means that nobody goes through anyhow; asking for a turn tells.
        self.queue.send(Request::Look { ask, answer }).await.ok()?;
        answered.await.ok().flatten()
    }

    /// Lets nobody through before the rest is over; gives the state to save, `None` when it is closed.
    pub(crate) async fn rest(&self, rest: Rest) -> Option<SenderPace> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Request::Rest { rest, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Ends a rest that WhatsApp's restriction of the account demanded.
    pub(crate) async fn lift(&self) {
        let _ = self.queue.send(Request::Lift).await;
    }

    /// The session has been linked to a number that lives in `zone`, at `linked` for the first time.
    pub(crate) async fn settle(&self, zone: Zone, linked: Timestamp) {
        let _ = self.queue.send(Request::Settle { zone, linked }).await;
    }

    /// From now on these rules hold, also for those who wait already.
    pub(crate) async fn change(&self, pace: PaceRule, day: DayRule) {
        let _ = self.queue.send(Request::Change { pace, day }).await;
    }
}

async fn run(
    mut gate: Gate,
    clock: Arc<dyn Clock>,
    mut requests: mpsc::Receiver<Request>,
    tell: watch::Sender<Standings>,
    stop: CancellationToken,
) {
    loop {
        let now = clock.now();
        let next = gate.serve(now);
        let standings = gate.standings(now);
        tell.send_if_modified(|told| std::mem::replace(told, standings) != standings);
        let opens = standings.opens().map(|opens| opens.since(now).max(LEAST));
        let pause = [next, opens].into_iter().flatten().min();
        let request = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            request = requests.recv() => request,
            () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)), if pause.is_some() => continue,
        };
        match request {
            None => return,
            Some(Request::Turn(waiting)) => gate.line_up(waiting),
            // Who does not listen for the answer any more is no loss.
            Some(Request::Look { ask, answer }) => drop(answer.send(gate.look(ask, clock.now()))),
            Some(Request::Rest { rest, answer }) => drop(answer.send(gate.rest(rest))),
            Some(Request::Lift) => gate.lift(),
            Some(Request::Settle { zone, linked }) => gate.settle(zone, linked),
            Some(Request::Change { pace, day }) => gate.change(pace, day, clock.now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use kurir_core::domain::{DayCount, Lane, PaceState};
    use kurir_core::policy::{Budget, Pacer};

    use super::*;

    /// A wall clock that starts at a fixed moment.
    struct Since(tokio::time::Instant);

    impl Clock for Since {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_790_000_000_000).plus(self.0.elapsed())
        }

        fn boot(&self) -> Duration {
            self.0.elapsed()
        }
    }

    fn turnstile(every: u64, burst: u32, max_wait: u64) -> (Turnstile, Arc<Since>, CancellationToken) {
        let clock = Arc::new(Since(tokio::time::Instant::now()));
        let rule = PaceRule { every: Duration::from_millis(every), burst: NonZeroU32::new(burst).unwrap() };
        let limits = Limits {
            pacer: Pacer::new(rule, PaceState::default()),
            budget: Budget::new(DayRule::default(), Zone::UTC, None, DayCount::default()),
            rest: None,
            turn: 0,
            max_wait: Duration::from_millis(max_wait),
        };
        let stop = CancellationToken::new();
        let entrance = Turnstile::start(limits, Arc::clone(&clock) as _, stop.clone());
        (entrance, clock, stop)
    }

    fn ask(lane: Lane, deadline: Option<Timestamp>) -> Ask {
        Ask { lane, deadline, cold: false, repeated: false, elsewhere: false }
    }

    fn restricted(until: Timestamp) -> Rest {
        Rest { until, reason: FailReason::SenderRestricted }
    }

    #[tokio::test]
    async fn an_otp_overtakes_the_bulk_jobs_that_wait() {
        let (gate, _clock, _stop) = turnstile(100, 1, 10_000);
        assert!(matches!(gate.turn(ask(Lane::Bulk, None)).await, Turn::Go(_)));
        let (done, mut order) = mpsc::unbounded_channel();
        for lane in [Lane::Bulk, Lane::Bulk, Lane::Otp] {
            let (gate, done) = (gate.clone(), done.clone());
            tokio::spawn(async move {
                assert!(matches!(gate.turn(ask(lane, None)).await, Turn::Go(_)));
                done.send(lane).unwrap();
            });
            tokio::task::yield_now().await;
        }
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(order.recv().await.unwrap());
        }
        assert_eq!(seen, [Lane::Otp, Lane::Bulk, Lane::Bulk]);
    }

    #[tokio::test]
    async fn whose_turn_comes_after_the_deadline_is_sent_away_at_once() {
        let (gate, clock, _stop) = turnstile(60_000, 1, 5000);
        assert!(matches!(gate.turn(ask(Lane::Otp, None)).await, Turn::Go(_)));
        let before = clock.now();
        let deadline = Some(before.plus(Duration::from_secs(30)));
        let Turn::Park(until, FailReason::SenderLimited) = gate.turn(ask(Lane::Otp, deadline)).await else {
            panic!("not parked")
        };
        assert!(until.since(before) > Duration::from_secs(59), "{until}");
        assert!(clock.now().since(before) < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn in_a_long_rest_each_is_parked_until_its_own_place() {
        let (gate, clock, _stop) = turnstile(1000, 1, 5000);
        let until = clock.now().plus(Duration::from_mins(1));
        let saved = gate.rest(restricted(until)).await.expect("it is open");
        assert_eq!((saved.rest, saved.turn), (Some(restricted(until)), 1));
        for place in 0..3 {
            let parked = Turn::Park(until.plus(Duration::from_secs(place)), FailReason::SenderRestricted);
            assert_eq!(gate.turn(ask(Lane::Bulk, None)).await, parked);
        }
        assert!(gate.look(ask(Lane::Bulk, None)).await.is_some());
        gate.lift().await;
        assert_eq!(gate.look(ask(Lane::Bulk, None)).await, None);
    }

    #[tokio::test]
    async fn a_rest_holds_everybody_and_a_stop_closes() {
        let (gate, clock, stop) = turnstile(1, 10, 5000);
        gate.rest(restricted(clock.now().plus(Duration::from_mins(1)))).await;
        assert!(matches!(gate.turn(ask(Lane::Otp, None)).await, Turn::Park(..)));
        stop.cancel();
        assert_eq!(gate.turn(ask(Lane::Otp, None)).await, Turn::Closed);
        assert_eq!(gate.look(ask(Lane::Otp, None)).await, None);
    }
}
