//! The turnstile of a sender: lets one job through at a time, at the sender's pace, OTPs before bulk jobs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{Lane, PaceState, Timestamp};
use kurir_core::policy::Pacer;
use kurir_core::port::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// The answer to a job that asked for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes now; this state is to be saved with it.
    Go(PaceState),
    /// Not before about this moment: too long to wait for here.
    Park(Timestamp),
    /// The turnstile is closed.
    Closed,
}

enum Request {
    Turn { lane: Lane, deadline: Option<Timestamp>, answer: oneshot::Sender<Turn> },
    Rest { until: Timestamp },
}

/// The entrance to a sender's turnstile.
#[derive(Clone)]
pub(crate) struct Turnstile {
    queue: mpsc::Sender<Request>,
}

/// Most requests that wait outside; those in work are bounded by the lanes' windows.
const QUEUE: usize = 64;

impl Turnstile {
    /// Starts it; it ends with `stop` or when the last entrance is dropped. A rest longer than `max_wait` sends those
    /// who wait away; how many wait for the pace is bounded by the windows of the lanes.
    pub(crate) fn start(pacer: Pacer, clock: Arc<dyn Clock>, max_wait: Duration, stop: CancellationToken) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let (otp, bulk) = (VecDeque::new(), VecDeque::new());
        tokio::spawn(Gate { pacer, clock, max_wait, rest: None, otp, bulk }.run(requests, stop));
        Self { queue }
    }

    /// Waits for a turn; sent away at once when it would come after the job's deadline.
    pub(crate) async fn turn(&self, lane: Lane, deadline: Option<Timestamp>) -> Turn {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Request::Turn { lane, deadline, answer }).await.is_err() {
            return Turn::Closed;
        }
        answered.await.unwrap_or(Turn::Closed)
    }

    /// Lets nobody through until this moment: WhatsApp asked for a rest.
    pub(crate) async fn rest(&self, until: Timestamp) {
        // Closed means that nobody goes through anyhow.
        let _ = self.queue.send(Request::Rest { until }).await;
    }
}

struct Waiting {
    deadline: Option<Timestamp>,
    answer: oneshot::Sender<Turn>,
}

struct Gate {
    pacer: Pacer,
    clock: Arc<dyn Clock>,
    max_wait: Duration,
    rest: Option<Timestamp>,
    otp: VecDeque<Waiting>,
    bulk: VecDeque<Waiting>,
}

impl Gate {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>, stop: CancellationToken) {
        loop {
            let pause = self.serve();
            let request = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                request = requests.recv() => request,
                () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)), if pause.is_some() => continue,
            };
            match request {
                None => return,
                Some(Request::Rest { until }) => self.rest = self.rest.max(Some(until)),
                Some(Request::Turn { lane, deadline, answer }) => {
                    let waiting = Waiting { deadline, answer };
                    match lane {
                        Lane::Otp => self.otp.push_back(waiting),
                        Lane::Bulk => self.bulk.push_back(waiting),
                    }
                }
            }
        }
    }

    /// Lets through whom the pace allows; tells how long to wait before the next one may go, `None` when nobody waits.
    fn serve(&mut self) -> Option<Duration> {
        loop {
            // Who has stopped waiting must not cost a turn.
            for queue in [&mut self.otp, &mut self.bulk] {
                queue.retain(|waiting| !waiting.answer.is_closed());
            }
            let now = self.clock.now();
            let queue = if self.otp.is_empty() { &mut self.bulk } else { &mut self.otp };
            queue.front()?;
            let resting = self.rest.map(|until| until.since(now)).filter(|rest| !rest.is_zero());
            let taken = resting.map_or_else(|| self.pacer.take(now), Err);
            match taken {
                Ok(()) => {
                    if let Some(first) = queue.pop_front() {
                        let _ = first.answer.send(Turn::Go(self.pacer.state()));
                    }
                }
                Err(pause) => {
                    let long_rest = resting.is_some_and(|rest| rest > self.max_wait);
                    self.send_away(now.plus(pause), long_rest);
                    if self.otp.is_empty() && self.bulk.is_empty() {
                        return None;
                    }
                    return Some(pause.max(Duration::from_millis(1)));
                }
            }
        }
    }

    /// Parks those who can't go in time, each until its own place in the line, so that they don't all come back at
    /// once: in a long rest all of them, else those whose deadline comes before their turn.
    fn send_away(&mut self, next: Timestamp, all: bool) {
        let every = self.pacer.rule().every;
        let mut place = 0;
        for queue in [&mut self.otp, &mut self.bulk] {
            let mut stay = VecDeque::with_capacity(queue.len());
            for waiting in queue.drain(..) {
                let turn = next.plus(every.saturating_mul(place));
                place += 1;
                if all || waiting.deadline.is_some_and(|deadline| turn >= deadline) {
                    let _ = waiting.answer.send(Turn::Park(turn));
                } else {
                    stay.push_back(waiting);
                }
            }
            *queue = stay;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use kurir_core::policy::PaceRule;

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
        let pacer = Pacer::new(rule, PaceState::default());
        let stop = CancellationToken::new();
        let entrance = Turnstile::start(pacer, Arc::clone(&clock) as _, Duration::from_millis(max_wait), stop.clone());
        (entrance, clock, stop)
    }

    #[tokio::test]
    async fn an_otp_overtakes_the_bulk_jobs_that_wait() {
        let (gate, _clock, _stop) = turnstile(100, 1, 10_000);
        assert!(matches!(gate.turn(Lane::Bulk, None).await, Turn::Go(_)));
        let (done, mut order) = mpsc::unbounded_channel();
        for lane in [Lane::Bulk, Lane::Bulk, Lane::Otp] {
            let (gate, done) = (gate.clone(), done.clone());
            tokio::spawn(async move {
                assert!(matches!(gate.turn(lane, None).await, Turn::Go(_)));
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
        assert!(matches!(gate.turn(Lane::Otp, None).await, Turn::Go(_)));
        let before = clock.now();
        let deadline = Some(before.plus(Duration::from_secs(30)));
        let Turn::Park(until) = gate.turn(Lane::Otp, deadline).await else { panic!("not parked") };
        assert!(until.since(before) > Duration::from_secs(59), "{until}");
        assert!(clock.now().since(before) < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn in_a_long_rest_each_is_parked_until_its_own_place() {
        let (gate, clock, _stop) = turnstile(1000, 1, 5000);
        let until = clock.now().plus(Duration::from_mins(1));
        gate.rest(until).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let gate = gate.clone();
            waiting.push(tokio::spawn(async move { gate.turn(Lane::Bulk, None).await }));
        }
        for task in waiting {
            let Turn::Park(turn) = task.await.unwrap() else { panic!("not parked") };
            assert!(turn >= until.minus(Duration::from_millis(5)), "{turn} lies in the rest until {until}");
        }
    }

    #[tokio::test]
    async fn a_rest_holds_everybody_and_a_stop_closes() {
        let (gate, clock, stop) = turnstile(1, 10, 5000);
        gate.rest(clock.now().plus(Duration::from_mins(1))).await;
        assert!(matches!(gate.turn(Lane::Otp, None).await, Turn::Park(_)));
        stop.cancel();
        assert_eq!(gate.turn(Lane::Otp, None).await, Turn::Closed);
    }
}
