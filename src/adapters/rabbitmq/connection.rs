//! A supervised connection: lost, it is built again with back-off, and the topology is declared on it first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, Stream, StreamExt};
use kurir_core::policy::Backoff;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{RabbitError, RabbitOptions, topology};

/// How often a connection's state is looked at, in case its end was not told as an event.
const LOOK: Duration = Duration::from_secs(1);

/// How long the broker gets to answer an orderly close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Knows how to connect.
#[derive(Clone)]
pub(super) struct Dialer {
    uri: AMQPUri,
    name: String,
    limit: Duration,
    backoff: Backoff,
}

impl Dialer {
    pub(super) fn new(options: &RabbitOptions) -> Result<Self, RabbitError> {
        let mut uri: AMQPUri = options.url.parse().map_err(|_| RabbitError::Url)?;
        uri.query.heartbeat = Some(u16::try_from(options.heartbeat.as_secs()).unwrap_or(u16::MAX));
        let (name, limit) = (options.connection_name.clone(), options.connect_timeout);
        Ok(Self { uri, name, limit, backoff: options.reconnect })
    }

    pub(super) fn for_role(&self, role: &str) -> Self {
        Self { name: format!("{} {role}", self.name), ..self.clone() }
    }

    /// The user that we log in as.
    pub(super) fn user(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    async fn dial(&self) -> Result<Arc<Connection>, RabbitError> {
        let connect = async {
            let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
            let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
            let channel = connection.create_channel().await?;
            topology::declare_fleet(&channel).await?;
            Ok(Arc::new(connection))
        };
        timeout(self.limit, connect).await.map_err(|_| RabbitError::Timeout(self.limit))?
    }
}

#[derive(Clone)]
enum State {
    Up(Arc<Connection>),
    Down(Arc<str>),
    Closed,
}

/// A connection that is built again when it is lost.
pub(super) struct Link {
    state: watch::Receiver<State>,
    suspect: Arc<Notify>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Link {
    /// Connects, and from then on keeps connected.
    pub(super) async fn open(dialer: Dialer) -> Result<Self, RabbitError> {
        let first = dialer.dial().await?;
        Ok(Self::kept(dialer, Ok(first)))
    }

    /// The same, but a broker that can't be reached now is not an error: it is tried again until it is there. One that
    /// refuses what it is asked is an error all the same.
    pub(super) async fn open_when_there(dialer: Dialer) -> Result<Self, RabbitError> {
        match dialer.dial().await {
            Err(error) if error.is_final() => Err(error),
            first => Ok(Self::kept(dialer, first)),
        }
    }

    fn kept(dialer: Dialer, first: Result<Arc<Connection>, RabbitError>) -> Self {
        let (first, state) = match first {
            Ok(connection) => (Some(connection.clone()), State::Up(connection)),
            Err(error) => {
                warn!(connection = %dialer.name, %error, "RabbitMQ can't be reached; it is tried again until it can");
                (None, State::Down(error.to_string().into()))
            }
        };
        let (tell, state) = watch::channel(state);
        let (suspect, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let keeper = Keeper { dialer, tell, suspect: suspect.clone(), stop: stop.clone() };
        let task = Mutex::new(Some(tokio::spawn(keeper.keep(first))));
        Self { state, suspect, stop, task }
    }

    /// The connection; waits for it while it is built again.
    pub(super) async fn connection(&self, within: Duration) -> Result<Arc<Connection>, RabbitError> {
        let mut state = self.state.clone();
        let usable = |state: &State| match state {
            State::Up(connection) => connection.status().connected(),
            State::Down(_) => false,
            State::Closed => true,
        };
        match timeout(within, state.wait_for(usable)).await {
            Ok(Ok(state)) => match &*state {
                State::Up(connection) => Ok(connection.clone()),
                State::Down(why) => Err(RabbitError::Down(why.clone())),
                State::Closed => Err(RabbitError::Closed),
            },
            Ok(Err(_)) => Err(RabbitError::Closed),
            Err(_) => Err(self.timed_out(within)),
        }
    }

    /// Why a call could not be answered in time.
    pub(super) fn timed_out(&self, after: Duration) -> RabbitError {
        match &*self.state.borrow() {
            State::Up(connection) if connection.status().blocked() => RabbitError::Blocked,
            State::Up(_) => RabbitError::Timeout(after),
            State::Down(why) => RabbitError::Down(why.clone()),
            State::Closed => RabbitError::Closed,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(connection) if connection.status().connected())
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(&*self.state.borrow(), State::Closed)
    }

    /// Whether the broker reads nothing from this connection at the moment.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(&*self.state.borrow(), State::Up(connection) if connection.status().blocked())
    }

    /// Builds the connection anew, because the topology on it is not what it should be.
    pub(super) fn suspect(&self) {
        self.suspect.notify_one();
    }

    pub(super) async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // Only a panic of the task makes this an error, and then there is nothing left to wait for.
            let _ = task.await;
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The task behind a [`Link`].
struct Keeper {
    dialer: Dialer,
    tell: watch::Sender<State>,
    suspect: Arc<Notify>,
    stop: CancellationToken,
}

impl Keeper {
    async fn keep(self, first: Option<Arc<Connection>>) {
        let mut standing = match first {
            Some(first) => Some(first),
            None => self.back().await,
        };
        while let Some(current) = standing {
            let events = current.events_listener();
            let why = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                why = loss(&current, events) => Some(why),
                () = self.suspect.notified() => Some("the topology is to be declared again".into()),
            };
            let Some(why) = why else {
                self.tell.send_replace(State::Closed);
                return close(&current).await;
            };
            warn!(connection = %self.dialer.name, %why, "RabbitMQ connection is gone, connecting again");
            self.tell.send_replace(State::Down(why));
            close(&current).await;
            standing = self.back().await;
        }
        self.tell.send_replace(State::Closed);
    }

    /// Connects again and tells of it; `None` when told to stop.
    async fn back(&self) -> Option<Arc<Connection>> {
        let next = self.again().await?;
        // What was suspected of the old connection is settled with the new one.
        let _ = self.suspect.notified().now_or_never();
        info!(connection = %self.dialer.name, "RabbitMQ connection is back");
        self.tell.send_replace(State::Up(next.clone()));
        Some(next)
    }

    /// Connects again, however long it takes; `None` when told to stop.
    async fn again(&self) -> Option<Arc<Connection>> {
        for attempt in 1_u32.. {
            let pause = self.dialer.backoff.delay(attempt, rand::random());
            let dial = async {
                tokio::time::sleep(pause).await;
                self.dialer.dial().await
            };
            match self.stop.run_until_cancelled(dial).await? {
                Ok(connection) => return Some(connection),
                Err(error) => {
                    warn!(connection = %self.dialer.name, attempt, %error, "RabbitMQ can't be reached");
                    self.tell.send_replace(State::Down(error.to_string().into()));
                }
            }
        }
        None
    }
}

/// Waits until the connection is lost and tells why.
async fn loss(connection: &Connection, events: impl Stream<Item = Event> + Send) -> Arc<str> {
    let mut events = std::pin::pin!(events);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => match event {
                // The client tells a channel's error here, too; the connection and its other channels go on then.
                Some(Event::Error(error)) if !connection.status().connected() => return error.to_string().into(),
                Some(Event::ConnectionBlocked(reason)) => warn!(%reason, "RabbitMQ takes no messages"),
                Some(Event::ConnectionUnblocked) => info!("RabbitMQ takes messages again"),
                Some(_) => {}
                None => return "the connection has ended".into(),
            },
            _ = look.tick() => {
                if !connection.status().connected() {
                    return "the connection has ended".into();
                }
            }
        }
    }
}

/// Closes what is still open; one that is broken already needs no answer.
async fn close(connection: &Connection) {
    if connection.status().connected() {
        let _ = timeout(CLOSE_LIMIT, connection.close(200, "OK".into())).await;
    }
}
