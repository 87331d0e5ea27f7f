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
    Turn { lane: Lane, latest: Timestamp, answer: oneshot::Sender<Turn> },
    Rest { until: Timestamp },
}

/// The entrance to a sender's turnstile.
#[derive(Clone)]
pub(crate) struct Turnstile {
    queue: mpsc::Sender<Request>,
    clock: Arc<dyn Clock>,
    max_wait: Duration,
}

/// Most requests that wait outside; those in work are bounded by the lanes' windows.
const QUEUE: usize = 64;

impl Turnstile {
    /// Starts it; it ends with `stop` or when the last entrance is dropped.
    pub(crate) fn start(pacer: Pacer, clock: Arc<dyn Clock>, max_wait: Duration, stop: CancellationToken) -> Self {
        let (queue, requests) = mpsc::channel(QUEUE);
        let gate = Gate { pacer, clock: Arc::clone(&clock), rest: None, otp: VecDeque::new(), bulk: VecDeque::new() };
        tokio::spawn(gate.run(requests, stop));
        Self { queue, clock, max_wait }
    }

    /// Waits for a turn, at most `max_wait`, and not beyond the job's deadline.
    pub(crate) async fn turn(&self, lane: Lane, deadline: Option<Timestamp>) -> Turn {
        let mut latest = self.clock.now().plus(self.max_wait);
        if let Some(deadline) = deadline {
            latest = latest.min(deadline);
        }
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Request::Turn { lane, latest, answer }).await.is_err() {
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
    latest: Timestamp,
    answer: oneshot::Sender<Turn>,
}

struct Gate {
    pacer: Pacer,
    clock: Arc<dyn Clock>,
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
                Some(Request::Turn { lane, latest, answer }) => {
                    let waiting = Waiting { latest, answer };
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
                    let next = now.plus(pause);
                    let mut soonest = next;
                    for queue in [&mut self.otp, &mut self.bulk] {
                        let (stay, park): (VecDeque<_>, VecDeque<_>) =
                            queue.drain(..).partition(|waiting| waiting.latest >= next && waiting.latest > now);
                        for waiting in park {
                            let _ = waiting.answer.send(Turn::Park(next));
                        }
                        soonest = stay.iter().map(|waiting| waiting.latest).fold(soonest, Timestamp::min);
                        *queue = stay;
                    }
                    if self.otp.is_empty() && self.bulk.is_empty() {
                        return None;
                    }
                    return Some(soonest.since(now).max(Duration::from_millis(1)));
                }
            }
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
    async fn who_would_wait_too_long_is_parked_at_once() {
        let (gate, clock, _stop) = turnstile(60_000, 1, 5000);
        assert!(matches!(gate.turn(Lane::Otp, None).await, Turn::Go(_)));
        let before = clock.now();
        let Turn::Park(until) = gate.turn(Lane::Otp, None).await else { panic!("not parked") };
        assert!(until.since(before) > Duration::from_secs(59), "{until}");
        assert!(clock.now().since(before) < Duration::from_secs(1));
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
