//! What a stream tells, whatever it is carried by.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{ApiKeyRecord, LogFilter, LogPosition, LoggedEvent};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::super::App;
use crate::gateway::stream_limit::Place;

/// How often something is sent, so that both ends notice when the other one is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How often it is asked whether the key is still taken.
const KEY_CHECK: Duration = Duration::from_secs(2);

/// Most events of one look into the log.
const PAGE: u32 = 100;

/// Where a stream begins.
pub(super) struct Start {
    /// After this place.
    pub after: LogPosition,
    /// Whether some events between are not kept any more.
    pub missed: bool,
}

/// A stream that was asked for.
pub(super) struct Stream {
    pub app: Arc<App>,
    pub key: ApiKeyRecord,
    pub filter: LogFilter,
    pub start: Start,
    pub follow: bool,
    /// Its place among the streams, given back with it.
    #[expect(dead_code, reason = "it is held")]
    pub place: Place,
}

/// What is told.
pub(super) enum Item {
    /// The stream begins; some events may be missing before its first one.
    Begun { missed: bool },
    /// An event.
    Event(LoggedEvent),
    /// Nothing new; the log was looked through up to here.
    Beat(LogPosition),
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The gateway stops.
    Stopping,
    /// The key was revoked or has ended.
    KeyEnded,
    /// The reader did not take what was sent in time.
    TooSlow,
    /// The log can't be read.
    Unavailable,
    /// All there was has been told, and no more was wanted.
    CaughtUp,
    /// The reader is gone.
    Gone,
}

impl End {
    /// The last word of the stream.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::KeyEnded => "key_ended",
            Self::TooSlow => "too_slow",
            Self::Unavailable => "unavailable",
            Self::CaughtUp => "caught_up",
            Self::Gone => "gone",
        }
    }
}

/// What carries a stream.
pub(super) trait Outlet: Send {
    /// Sends one item, waiting for the reader no longer than it is patient.
    fn send(&mut self, item: Item) -> impl Future<Output = Result<(), End>> + Send;
}

impl Stream {
    /// Tells the stream until something ends it; `gone` says that nobody reads it any more.
    pub async fn tell(&self, out: &mut impl Outlet, gone: impl Future<Output = ()> + Send) -> End {
        tokio::select! {
            biased;
            () = self.app.stopping.cancelled() => End::Stopping,
            () = gone => End::Gone,
            () = self.key_ended() => End::KeyEnded,
            told = self.told(out) => match told {
                Ok(()) => End::CaughtUp,
                Err(end) => end,
            },
        }
    }

    async fn key_ended(&self) {
        loop {
            sleep(KEY_CHECK).await;
            // While the register does not answer, what was known counts.
            if matches!(self.app.keys.still(&self.key).await, Ok(false)) {
                return;
            }
        }
    }

    async fn told(&self, out: &mut impl Outlet) -> Result<(), End> {
        // Before the log is read, so that nothing comes between.
        let mut tail = self.app.tail.listen();
        let mut beat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        out.send(Item::Begun { missed: self.start.missed }).await?;
        let mut at = self.start.after;
        loop {
            at = self.caught_up(at, out).await?;
            if !self.follow {
                return Ok(());
            }
            loop {
                let piece = tokio::select! {
                    piece = tail.next() => piece,
                    _ = beat.tick() => {
                        out.send(Item::Beat(at)).await?;
                        continue;
                    }
                };
                // The log knows what the tail has passed over.
                let Some(piece) = piece.filter(|piece| piece.after <= at) else { break };
                for entry in piece.events.iter() {
                    if entry.position > at && self.filter.passes(&entry.event) {
                        out.send(Item::Event(entry.clone())).await?;
                    }
                }
                at = at.max(piece.to);
            }
        }
    }

    /// Tells what the log has; gives how far that is.
    async fn caught_up(&self, mut at: LogPosition, out: &mut impl Outlet) -> Result<LogPosition, End> {
        loop {
            let page = self.app.tail.log().read(at, &self.filter, PAGE).await.map_err(|error| {
                tracing::warn!(error = %error.chain(), "the log of events can't be read");
                End::Unavailable
            })?;
            let more = u32::try_from(page.events.len()).is_ok_and(|count| count == PAGE);
            for entry in page.events {
                out.send(Item::Event(entry)).await?;
            }
            at = page.to;
            if !more {
                return Ok(at);
            }
        }
    }
}
