//! Which numbers have WhatsApp: asked in batches at a pace of its own, answers remembered for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kurir_core::domain::{PaceState, PhoneNumber, Timestamp};
use kurir_core::policy::Pacer;
use kurir_core::port::{Clock, MessengerError, NumberStatus, Sender};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::options::WorkerOptions;

/// Most numbers in one query; WhatsApp's own clients ask for that many.
const BATCH: usize = 50;

/// Most answers remembered per session.
const REMEMBERED: usize = 20_000;

/// How long answers are believed.
#[derive(Clone, Copy)]
struct Belief {
    registered: Duration,
    unregistered: Duration,
}

type Asked = (PhoneNumber, oneshot::Sender<Option<NumberStatus>>);

/// The check of one session's recipients.
#[derive(Clone)]
pub(crate) struct Numbers {
    queue: mpsc::Sender<Asked>,
    known: Arc<Known>,
}

struct Known {
    answers: Mutex<Answers>,
    clock: Arc<dyn Clock>,
    belief: Belief,
}

#[derive(Default)]
struct Answers {
    by_number: HashMap<PhoneNumber, (NumberStatus, Timestamp)>,
    order: VecDeque<PhoneNumber>,
}

impl Known {
    fn get(&self, number: &PhoneNumber) -> Option<NumberStatus> {
        let now = self.clock.now();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.by_number.get(number).filter(|(_, until)| now < *until).map(|(status, _)| *status)
    }

    fn put(&self, number: PhoneNumber, status: NumberStatus) {
        let ttl = match status {
            NumberStatus::Registered => self.belief.registered,
            NumberStatus::Unregistered => self.belief.unregistered,
        };
        let until = self.clock.now().plus(ttl);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.by_number.insert(number.clone(), (status, until)).is_none() {
            answers.order.push_back(number);
        }
        if answers.order.len() > REMEMBERED
            && let Some(oldest) = answers.order.pop_front()
        {
            answers.by_number.remove(&oldest);
        }
    }
}

impl Numbers {
    /// Starts it; it ends with `stop`. `link`: whether there is a connection to ask on.
    pub(crate) fn start(
        sender: Arc<dyn Sender>,
        link: watch::Receiver<bool>,
        clock: Arc<dyn Clock>,
        options: &WorkerOptions,
        stop: CancellationToken,
    ) -> Self {
        let pacer = Pacer::new(options.check_pace, PaceState::default());
        let belief = Belief { registered: options.registered_ttl, unregistered: options.unregistered_ttl };
        let (queue, asked) = mpsc::channel(BATCH * 2);
        let known = Arc::new(Known { answers: Mutex::default(), clock: Arc::clone(&clock), belief });
        tokio::spawn(run(asked, sender, link, clock, pacer, Arc::clone(&known), stop));
        Self { queue, known }
    }

    /// Whether the number has WhatsApp; `None` when WhatsApp did not answer or the session is stopping.
    pub(crate) async fn check(&self, number: &PhoneNumber) -> Option<NumberStatus> {
        if let Some(status) = self.known.get(number) {
            return Some(status);
        }
        let (answer, answered) = oneshot::channel();
        self.queue.send((number.clone(), answer)).await.ok()?;
        answered.await.ok().flatten()
    }
}

async fn run(
    mut asked: mpsc::Receiver<Asked>,
    sender: Arc<dyn Sender>,
    mut link: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
    mut pacer: Pacer,
    known: Arc<Known>,
    stop: CancellationToken,
) {
    let mut batch: Vec<Asked> = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            count = asked.recv_many(&mut batch, BATCH) => if count == 0 { return },
        }
        while let Err(pause) = pacer.take(clock.now()) {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
        // What came during the pause goes with this query.
        while batch.len() < BATCH
            && let Ok(more) = asked.try_recv()
        {
            batch.push(more);
        }
        let (numbers, answers): (Vec<PhoneNumber>, Vec<_>) = batch.drain(..).unzip();
        let statuses = tokio::select! {
            () = stop.cancelled() => return,
            checked = sender.check(&numbers) => checked,
            // The library waits for an answer that can't come any more.
            _ = link.wait_for(|up| !up) => Err(MessengerError::NotConnected),
        };
        match statuses {
            Ok(statuses) => {
                for ((number, answer), status) in numbers.into_iter().zip(answers).zip(statuses) {
                    known.put(number, status);
                    let _ = answer.send(Some(status));
                }
            }
            // Dropping the answers tells those who asked.
            Err(error) => tracing::debug!(%error, numbers = numbers.len(), "numbers could not be checked"),
        }
    }
}
