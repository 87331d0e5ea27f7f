//! Accepting clients, and the restart during which nobody is accepted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection;
use crate::error::SimError;
use crate::journal::JournalEvent;
use crate::world::World;

/// Restarts that may wait for each other.
const BACKLOG: usize = 4;
/// How long cut connections may take to end.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// Pause between two tries to get the address back.
const RETRY: Duration = Duration::from_millis(50);
/// How long somebody else may hold the address.
const RETRY_PATIENCE: Duration = Duration::from_secs(30);
/// Longest restart: a day.
const LONGEST_DOWN: Duration = Duration::from_hours(24);

struct Restart {
    down_for: Duration,
    done: oneshot::Sender<()>,
}

/// The way to the task that accepts clients.
#[derive(Clone)]
pub(crate) struct Restarts(mpsc::Sender<Restart>);

/// The receiving end, for [`accept`].
pub(crate) struct RestartQueue(mpsc::Receiver<Restart>);

impl Restarts {
    pub(crate) fn channel() -> (Self, RestartQueue) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        (Self(sender), RestartQueue(receiver))
    }

    /// Cuts all connections and accepts none for so long. Returns when clients are served again.
    pub(crate) async fn order(&self, down_for: Duration) -> Result<(), SimError> {
        if down_for > LONGEST_DOWN {
            return Err(SimError::BadFault { reason: "a restart takes a day at most" });
        }
        let (done, served) = oneshot::channel();
        self.0.send(Restart { down_for, done }).await.map_err(|_| SimError::Stopping)?;
        served.await.map_err(|_| SimError::Stopping)
    }
}

/// Accepts clients until the simulator stops.
pub(crate) async fn accept(world: Arc<World>, listener: TcpListener, mut restarts: RestartQueue) {
    let Ok(address) = listener.local_addr() else {
        tracing::error!("the listener has no address");
        return;
    };
    let mut listener = listener;
    loop {
        // All connections of the time between two restarts end with this.
        let cut = world.stop.child_token();
        let Some(restart) = accept_until_restart(&world, &listener, &mut restarts, &cut).await else {
            return;
        };
        drop(listener);
        cut.cancel();
        let down_ms = u64::try_from(restart.down_for.as_millis()).unwrap_or(u64::MAX);
        world.log(JournalEvent::Restarting { down_ms });
        let back = async {
            let up = Instant::now() + restart.down_for;
            wait_for_end(&world).await;
            tokio::time::sleep_until(up).await;
            listen_again(address).await
        };
        let again = tokio::select! {
            () = world.stop.cancelled() => return,
            again = back => again,
        };
        match again {
            Ok(again) => listener = again,
            Err(error) => {
                tracing::error!(%error, %address, "the address is gone after the restart; clients can't connect any more");
                return;
            }
        }
        world.log(JournalEvent::Restarted);
        // Whoever ordered it may have gone.
        let _ = restart.done.send(());
    }
}

/// Waits until the connections that were cut have ended.
async fn wait_for_end(world: &World) {
    let mut changes = world.journal.changes();
    let ended = async {
        while world.connections.load(Ordering::Acquire) > 0 {
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    if tokio::time::timeout(CUT_PATIENCE, ended).await.is_err() {
        tracing::warn!("some connections take long to end before the restart");
    }
}

async fn listen_again(address: SocketAddr) -> std::io::Result<TcpListener> {
    let deadline = Instant::now() + RETRY_PATIENCE;
    loop {
        match TcpListener::bind(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                tokio::time::sleep(RETRY).await;
            }
            bound => return bound,
        }
    }
}

/// `None` when the simulator stops.
async fn accept_until_restart(
    world: &Arc<World>,
    listener: &TcpListener,
    restarts: &mut RestartQueue,
    cut: &CancellationToken,
) -> Option<Restart> {
    loop {
        let accepted = tokio::select! {
            () = world.stop.cancelled() => return None,
            Some(restart) = restarts.0.recv() => return Some(restart),
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => begin(world, stream, cut.clone()),
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be returned.
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Gives a place back when a connection is over, however it ends.
struct Place(Arc<World>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
        self.0.journal.touch();
    }
}

fn begin(world: &Arc<World>, stream: TcpStream, cut: CancellationToken) {
    let place = Place(Arc::clone(world));
    if world.connections.fetch_add(1, Ordering::AcqRel) >= world.config.limits.connections {
        tracing::warn!(limit = world.config.limits.connections, "connection refused: too many");
        drop(place);
        return;
    }
    let shared = Arc::clone(world);
    world.tasks.spawn(async move {
        connection::serve(shared, stream, cut).await;
        drop(place);
    });
}
