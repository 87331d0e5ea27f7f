//! Calling a session's owner: the side that asks.
//!
//! All calls share one channel, on which the broker hands the answers out (`amq.rabbitmq.reply-to`, so no queue is declared
//! for them). Each carries a number that its answer repeats. A call that no queue wants comes back to us: no worker holds the
//! session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use kurir_core::domain::SessionId;
use kurir_core::port::Called;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::connection::Link;
use super::consume::Unread;
use super::{RabbitError, topology};

/// Calls under way at a time; the next ones wait within their patience.
const AT_ONCE: usize = 256;

/// The queue that is none: what is sent to it reaches the channel that consumes it.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The `type` of an answer that the owner itself did not give: too much waits for it.
pub(super) const BUSY: &str = "kurir.busy";

/// The `type` of an answer of a worker that has let the session go.
pub(super) const GONE: &str = "kurir.gone";

/// Who waits, by the number of the call.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Called>>>>;

fn lock(waiting: &Waiting) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Called>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives an answer to whoever waits for it; nobody may, any more.
fn tell(waiting: &Waiting, properties: &BasicProperties, called: Called) {
    let number = properties.correlation_id().as_ref().and_then(|number| number.as_str().parse().ok());
    if let Some(answer) = number.and_then(|number: u64| lock(waiting).remove(&number)) {
        let _ = answer.send(called);
    }
}

/// A channel that is consumed for answers.
#[derive(Clone)]
struct Line {
    channel: Channel,
    waiting: Waiting,
}

/// Forgets a call whose caller has gone.
struct Place<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(self.waiting).remove(&self.number);
    }
}

/// Calls owners.
pub(super) struct CallLine {
    link: Arc<Link>,
    line: Mutex<Option<Line>>,
    /// One task opens the line, the others wait.
    opening: Semaphore,
    room: Semaphore,
    number: AtomicU64,
}

impl CallLine {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            line: Mutex::new(None),
            opening: Semaphore::new(1),
            room: Semaphore::new(AT_ONCE),
            number: AtomicU64::new(0),
        }
    }

    pub(super) async fn call(
        &self,
        session: &SessionId,
        request: Vec<u8>,
        within: Duration,
    ) -> Result<Called, RabbitError> {
        // What is written to a blocked connection is taken when the alarm ends, long after anybody waits for it.
        if self.link.is_blocked() {
            return Err(RabbitError::Blocked);
        }
        let until = Instant::now() + within;
        let Ok(room) = timeout_at(until, self.room.acquire()).await else { return Ok(Called::Busy) };
        let _room = room.map_err(|_| RabbitError::Closed)?;
        let line = timeout_at(until, self.line(within)).await.map_err(|_| self.link.timed_out(within))??;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&line.waiting).insert(number, answer);
        let _place = Place { waiting: &line.waiting, number };
        let left = until.saturating_duration_since(Instant::now());
        // In a task of its own: what is returned comes with the confirm of any call, which must not go unheard.
        let link = Arc::clone(&self.link);
        tokio::spawn(publish(link, line.clone(), session.as_str().into(), number, request, left));
        match timeout_at(until, answered).await {
            Ok(Ok(called)) => Ok(called),
            Ok(Err(_)) => Err(RabbitError::Down("the connection was lost while a call was under way".into())),
            Err(_) => Ok(Called::NoAnswer),
        }
    }

    /// The line, opened anew if it is not there.
    async fn line(&self, within: Duration) -> Result<Line, RabbitError> {
        if let Some(line) = self.open_line() {
            return Ok(line);
        }
        let _turn = self.opening.acquire().await.map_err(|_| RabbitError::Closed)?;
        if let Some(line) = self.open_line() {
            return Ok(line);
        }
        let channel = self.link.connection(within).await?.create_channel().await?;
        let unread = Unread::of(&channel);
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        // Answers are not acknowledged; the broker asks for that.
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let answers =
            channel.basic_consume(REPLY_TO.into(), ShortString::default(), options, FieldTable::default()).await?;
        unread.read_from_now();
        let line = Line { channel, waiting: Waiting::default() };
        tokio::spawn(hear(answers, Arc::clone(&line.waiting)));
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(line.clone());
        Ok(line)
    }

    fn open_line(&self) -> Option<Line> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.clone().filter(|line| line.channel.status().connected())
    }
}

/// Hands answers out until the channel ends; then nobody gets one any more.
async fn hear(mut answers: Consumer, waiting: Waiting) {
    while let Some(Ok(answer)) = answers.next().await {
        let called = match answer.properties.kind().as_ref().map(ShortString::as_str) {
            Some(BUSY) => Called::Busy,
            Some(GONE) => Called::NoOwner,
            _ => Called::Answered(answer.data),
        };
        tell(&waiting, &answer.properties, called);
    }
    lock(&waiting).clear();
}

/// Puts a call on its way and sees what becomes of it.
async fn publish(link: Arc<Link>, line: Line, session: ShortString, number: u64, request: Vec<u8>, left: Duration) {
    let own = BasicProperties::default().with_correlation_id(number.to_string().into());
    let properties = own
        .clone()
        .with_reply_to(REPLY_TO.into())
        // A call that nobody takes in time goes away by itself.
        .with_expiration(left.as_millis().max(1).to_string().into());
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let confirm = line.channel.basic_publish(topology::CALLS.into(), session, options, &request, properties).await;
    let confirmed = match confirm {
        Ok(confirm) => confirm.await,
        Err(error) => Err(error),
    };
    match confirmed {
        Ok(Confirmation::Ack(None)) => {}
        // The client hands a returned message out with whichever confirm comes next: it may be another call's.
        Ok(Confirmation::Ack(Some(returned))) => tell(&line.waiting, &returned.delivery.properties, Called::NoOwner),
        // The worker's queue is full.
        Ok(Confirmation::Nack(_) | Confirmation::NotRequested) => tell(&line.waiting, &own, Called::Busy),
        Err(error) => {
            let error = RabbitError::from(error);
            if error.lacks_topology() {
                // Somebody removed the exchange; it is declared with every connection.
                link.suspect();
            }
            tracing::debug!(%error, "a call could not be published");
            lock(&line.waiting).remove(&number);
        }
    }
}
