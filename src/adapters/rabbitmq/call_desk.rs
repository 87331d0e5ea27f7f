//! Calling a session's owner: the side that answers.
//!
//! A process that owns sessions has one queue, exclusive to its connection and gone with it, bound to `kurir.calls` once for
//! each session that it listens for. Lost with the connection, queue and bindings are made again on the next one.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use kurir_core::domain::SessionId;
use kurir_core::port::{CallStream, IncomingCall, WAITING_CALLS};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::call_line::{BUSY, GONE};
use super::consume::start;
use super::publish::Outgoing;
use super::{RabbitError, Shared, topology};

/// Calls that are handed to this process before it has taken note of the ones before.
const WINDOW: u16 = 64;

/// Calls that wait at the broker for this process; more are refused.
const BACKLOG: i64 = 1000;

/// The pause before the queue is made again.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest that an answer is waited for, whatever the call says.
const LONGEST: Duration = Duration::from_mins(2);

/// Who listens for a session; the number tells a later listener from an earlier one.
struct Listener {
    number: u64,
    calls: mpsc::Sender<IncomingCall>,
}

/// Who listens for which session.
#[derive(Default)]
struct Listeners {
    last: u64,
    of: HashMap<SessionId, Listener>,
}

#[derive(Default)]
struct Board {
    listeners: Mutex<Listeners>,
    changed: Notify,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> HashSet<SessionId> {
        self.lock().of.keys().cloned().collect()
    }
}

/// The calls that come to this process.
#[derive(Default)]
pub(super) struct CallDesk {
    board: Arc<Board>,
    started: AtomicBool,
}

struct Listening {
    board: Arc<Board>,
    session: SessionId,
    number: u64,
    calls: mpsc::Receiver<IncomingCall>,
}

#[async_trait]
impl CallStream for Listening {
    async fn next(&mut self) -> Option<IncomingCall> {
        self.calls.recv().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.board.lock();
        if listeners.of.get(&self.session).is_some_and(|listener| listener.number == self.number) {
            listeners.of.remove(&self.session);
        }
        drop(listeners);
        self.board.changed.notify_one();
    }
}

impl CallDesk {
    /// Listens for a session's calls. The first listener has the queue made.
    pub(super) fn listen(&self, shared: &Arc<Shared>, session: &SessionId) -> Box<dyn CallStream> {
        let (sender, calls) = mpsc::channel(WAITING_CALLS);
        let number = {
            let mut listeners = self.board.lock();
            listeners.last += 1;
            let number = listeners.last;
            listeners.of.insert(session.clone(), Listener { number, calls: sender });
            number
        };
        self.board.changed.notify_one();
        if !self.started.swap(true, Ordering::Relaxed) {
            tokio::spawn(serve(Arc::downgrade(shared), Arc::clone(&self.board)));
        }
        Box::new(Listening { board: Arc::clone(&self.board), session: session.clone(), number, calls })
    }
}

/// Keeps the queue and takes calls out of it, until the connections are closed.
async fn serve(shared: Weak<Shared>, board: Arc<Board>) {
    loop {
        let opened = match shared.upgrade() {
            Some(shared) if !shared.consuming[0].is_closed() => open(&shared).await,
            _ => return,
        };
        let ended = match opened {
            Ok(mut queue) => queue.take(&shared, &board).await,
            Err(error) => error,
        };
        note(&ended, "calls to the owners of sessions are not heard; their queue is made again");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Logs a failure. Most pass by themselves; a refusal stays until somebody gives kurir's user a right, and shows nowhere else: all
/// but calls goes on.
fn note(error: &RabbitError, what: &str) {
    if error.lacks_rights() {
        tracing::warn!(%error, "{what}; does kurir's user of RabbitMQ have the rights that docs/OPERATIONS.md names?");
    } else {
        tracing::debug!(%error, "{what}");
    }
}

/// The queue of this process.
struct Queue {
    channel: Channel,
    name: ShortString,
    consumer: Consumer,
    bound: HashSet<SessionId>,
}

async fn open(shared: &Shared) -> Result<Queue, RabbitError> {
    let limit = shared.options.publish_timeout;
    let link = &shared.consuming[0];
    let opening = async {
        let channel = link.connection(limit).await?.create_channel().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongLongInt(BACKLOG));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        let queue = channel.queue_declare(ShortString::default(), options, arguments).await?;
        let name = queue.name().clone();
        let consumer = start(&channel, name.as_str(), ShortString::default(), WINDOW, FieldTable::default()).await?;
        Ok(Queue { channel, name, consumer, bound: HashSet::new() })
    };
    timeout(limit, opening).await.map_err(|_| link.timed_out(limit))?
}

impl Queue {
    /// Takes calls until the queue is lost, and tells why.
    async fn take(&mut self, shared: &Weak<Shared>, board: &Arc<Board>) -> RabbitError {
        loop {
            if let Err(error) = self.bind(board).await {
                let error = RabbitError::from(error);
                if let Some(shared) = shared.upgrade().filter(|_| error.lacks_topology()) {
                    // Somebody removed the exchange. The publishing connection brings it back: no stream ends with it.
                    shared.publishing.suspect();
                }
                return error;
            }
            tokio::select! {
                call = self.consumer.next() => match call {
                    Some(Ok(call)) => {
                        if let Err(error) = call.acker.ack(BasicAckOptions::default()).await {
                            return error.into();
                        }
                        hand_over(shared, board, call);
                    }
                    Some(Err(error)) => return error.into(),
                    None => return RabbitError::ConsumerEnded,
                },
                () = board.changed.notified() => {}
            }
        }
    }

    /// Brings the bindings to what is listened for.
    async fn bind(&mut self, board: &Board) -> lapin::Result<()> {
        let wanted = board.sessions();
        let name = &self.name;
        for session in wanted.difference(&self.bound) {
            let (key, options, none) = (session.as_str().into(), QueueBindOptions::default(), FieldTable::default());
            self.channel.queue_bind(name.clone(), topology::CALLS.into(), key, options, none).await?;
        }
        for session in self.bound.difference(&wanted) {
            let (key, none) = (session.as_str().into(), FieldTable::default());
            self.channel.queue_unbind(name.clone(), topology::CALLS.into(), key, none).await?;
        }
        self.bound = wanted;
        Ok(())
    }
}

/// Gives a call to its listener, and has its answer sent back.
fn hand_over(shared: &Weak<Shared>, board: &Board, call: Delivery) {
    let Some(reply_to) = call.properties.reply_to().clone() else { return };
    let number = call.properties.correlation_id().clone().unwrap_or_default();
    let within = call.properties.expiration().as_ref().and_then(|span| span.as_str().parse().ok());
    let within = within.map_or(LONGEST, Duration::from_millis).min(LONGEST);
    let listener = SessionId::new(call.routing_key.as_str()).ok();
    let listener = listener.and_then(|session| Some(board.lock().of.get(&session)?.calls.clone()));
    let (answer, answered) = oneshot::channel();
    let kind = match listener.map(|listener| listener.try_send(IncomingCall { body: call.data, within, answer })) {
        Some(Ok(())) => None,
        Some(Err(mpsc::error::TrySendError::Full(_))) => Some(BUSY),
        Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Some(GONE),
    };
    let shared = Weak::clone(shared);
    tokio::spawn(async move {
        let body = match kind {
            Some(_) => Vec::new(),
            // Not answered: the caller's own patience ends.
            None => match timeout(within, answered).await {
                Ok(Ok(body)) => body,
                Ok(Err(_)) | Err(_) => return,
            },
        };
        let mut properties = BasicProperties::default().with_correlation_id(number);
        if let Some(kind) = kind {
            properties = properties.with_type(kind.into());
        }
        let Some(shared) = shared.upgrade() else { return };
        // The default exchange leads to the caller's channel; a caller that has gone gets nothing.
        let outgoing = Outgoing { exchange: "", key: reply_to.to_string(), properties, body: &body, mandatory: false };
        if let Err(error) = shared.publisher.publish(vec![outgoing]).await {
            note(&error, "a call's answer could not be sent");
        }
    });
}
