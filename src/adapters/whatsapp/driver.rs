//! The life of one client, from its start to the last flush.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use whatsapp_rust::bot::{Bot, BotHandle};

use super::event_queue::EventQueue;
use super::events::{Court, Verdict};
use super::pending::Pending;
use super::state::StateBackend;

/// How long a client may take to stop that has lost its session.
const LOST_LIMIT: Duration = Duration::from_millis(500);

/// What a client's driver works with.
pub(super) struct Driver {
    backend: Arc<StateBackend>,
    pending: Arc<Pending>,
    court: Arc<Court>,
    events: Arc<EventQueue>,
    sends: TaskTracker,
}

/// How a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All that it knew is stored, or void.
    Flushed,
    /// Something could not be stored any more.
    Unflushed,
}

/// A driver that was started.
pub(super) struct Driving {
    /// `None` while the client runs.
    ended: watch::Receiver<Option<Ended>>,
    /// Makes the driver leave the client without a flush.
    pub abort: CancellationToken,
}

impl Driving {
    /// How the client ended; `None` when it still runs after `limit`.
    pub async fn ended(&self, limit: Duration) -> Option<Ended> {
        let mut ended = self.ended.clone();
        let waited = timeout(limit, ended.wait_for(Option::is_some)).await.ok()?;
        // The driver says how before it goes.
        waited.ok().and_then(|how| *how)
    }
}

impl Driver {
    pub fn new(
        backend: Arc<StateBackend>,
        pending: Arc<Pending>,
        court: Arc<Court>,
        events: Arc<EventQueue>,
        sends: TaskTracker,
    ) -> Self {
        Self { backend, pending, court, events, sends }
    }

    /// Starts the client and the task that sees to its end.
    /// `abort` makes it leave the client without a flush; it does so itself when the session is lost.
    pub fn start(self, bot: Bot, tasks: &TaskTracker, span: &tracing::Span, abort: CancellationToken) -> Driving {
        let (ended, watching) = watch::channel(None);
        let aborted = abort.clone();
        let handle = span.in_scope(|| bot.spawn());
        let driving = async move {
            let how = self.drive(handle, aborted).await;
            ended.send_replace(Some(how));
        };
        tasks.spawn(driving.instrument(span.clone()));
        Driving { ended: watching, abort }
    }

    /// Ends a while after the session was lost to another owner. The library would go on trying to store what the
    /// store refuses, for 10 s.
    async fn lost(&self) {
        if self.court.verdict() != Some(Verdict::Replaced) {
            self.backend.fenced().cancelled().await;
        }
        tokio::time::sleep(LOST_LIMIT).await;
    }

    async fn drive(self, mut handle: BotHandle, abort: CancellationToken) -> Ended {
        let fenced = self.backend.fenced();
        let running = tokio::select! {
            () = &mut handle => false,
            () = self.court.stop.cancelled() => true,
            () = fenced.cancelled() => true,
        };
        if fenced.is_cancelled() {
            self.court.pass(Verdict::Fenced);
        }
        self.court.stop.cancel();
        // A send that is under way still has to find out whether it was written; it ends at once.
        self.sends.close();
        self.sends.wait().await;
        let failed_before = self.backend.failed_writes();
        let client = handle.client();
        // Also after the client ended by itself: this is what flushes.
        let stopping = async {
            client.disconnect().await;
            if running {
                (&mut handle).await;
            }
        };
        let stopped = tokio::select! {
            () = stopping => true,
            () = abort.cancelled() => false,
            () = self.lost() => false,
        };
        if !stopped {
            // What still runs of the client ends by itself, and this cuts its socket.
            client.signal_shutdown_sync();
            handle.abort();
            abort.cancel();
        }
        self.pending.give_up();
        // A write may have been refused during the flush only.
        if fenced.is_cancelled() {
            self.court.pass(Verdict::Fenced);
        }
        let mut flushed = stopped && self.backend.failed_writes() == failed_before && !fenced.is_cancelled();
        let verdict = self.court.verdict();
        if verdict == Some(Verdict::LoggedOut) {
            // The credentials are void, and a later link must not find them.
            let wiped = self.backend.wipe().await;
            flushed = wiped.is_ok();
            if let Err(error) = wiped {
                tracing::warn!(
                    error = error.chain(),
                    "the credentials of a session that was logged out are still stored"
                );
            }
        }
        tracing::debug!(?verdict, flushed, "the client has stopped");
        if let Some(verdict) = verdict {
            self.events.push(verdict.into());
        }
        self.events.finish();
        if flushed { Ended::Flushed } else { Ended::Unflushed }
    }
}
