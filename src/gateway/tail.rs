//! The end of the log of events as it grows, read once for all streams of this gateway.
//!
//! A subscription to the live events says that there is something to read; what is read is the log. Nothing runs while nobody
//! listens.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use kurir_core::domain::{LogFilter, LogPosition, LoggedEvent};
use kurir_core::port::{EventFilter, EventLog, EventSource, EventStream, PortError};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Most events of one read.
const READ: u32 = 200;

/// So many reads wait for a listener that is behind; then it goes back to the log.
const BEHIND: usize = 32;

/// Pauses between looks into the log: the first after a sign of something new, the longest without one.
const SOON: Duration = Duration::from_millis(20);
const IDLE: Duration = Duration::from_secs(1);

/// How often the subscription is asked for again while it can't be had.
const AGAIN: Duration = Duration::from_secs(5);

/// A piece of the log.
#[derive(Clone)]
pub(super) struct Piece {
    /// Where it begins: it has everything after this position,
    pub after: LogPosition,
    /// up to this one.
    pub to: LogPosition,
    /// The events, of all tenants.
    pub events: Arc<[LoggedEvent]>,
}

/// Hands the growing end of the log to whoever listens.
pub(super) struct Tail {
    log: Arc<dyn EventLog>,
    source: Arc<dyn EventSource>,
    stopping: CancellationToken,
    listeners: Mutex<Weak<broadcast::Sender<Piece>>>,
}

/// One listener's end. The reading ends with the last one.
pub(super) struct Listener {
    pieces: broadcast::Receiver<Piece>,
    _line: Arc<broadcast::Sender<Piece>>,
}

impl Listener {
    /// The next piece; `None` when some were missed, so that the log itself must be read.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await.ok()
    }
}

impl Tail {
    pub fn new(log: Arc<dyn EventLog>, source: Arc<dyn EventSource>, stopping: CancellationToken) -> Self {
        Self { log, source, stopping, listeners: Mutex::new(Weak::new()) }
    }

    /// The log.
    pub fn log(&self) -> &dyn EventLog {
        &*self.log
    }

    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        // Nothing panics while it holds the lock.
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = listeners.upgrade() {
            return Listener { pieces: line.subscribe(), _line: line };
        }
        let line = Arc::new(broadcast::Sender::new(BEHIND));
        *listeners = Arc::downgrade(&line);
        let pieces = line.subscribe();
        let reading = follow(Arc::clone(&self.log), Arc::clone(&self.source), Arc::downgrade(&line));
        let stopping = self.stopping.clone();
        // It writes nothing, so a stop need not wait for it.
        tokio::spawn(async move { stopping.run_until_cancelled(reading).await });
        Listener { pieces, _line: line }
    }
}

/// Reads the log's end until nobody listens.
async fn follow(log: Arc<dyn EventLog>, source: Arc<dyn EventSource>, line: Weak<broadcast::Sender<Piece>>) {
    let (mut at, mut pause) = (None, SOON);
    let mut signs = Signs { source, stream: None, asked: None };
    while line.strong_count() > 0 {
        let read = match at {
            None => log.span().await.map(|span| (span.map(|span| span.newest).unwrap_or_default(), None)),
            Some(after) => log.read(after, &LogFilter::default(), READ).await.map(|page| (page.to, Some(page.events))),
        };
        pause = match read {
            Ok((to, events)) => {
                let news = at.is_none_or(|at| to > at);
                if news {
                    let Some(line) = line.upgrade() else { return };
                    // The first one is empty: who has read less far learns so. It fails if nobody listens, and then this ends.
                    let after = at.unwrap_or(to);
                    let _ = line.send(Piece { after, to, events: events.unwrap_or_default().into() });
                }
                at = Some(to);
                if news { SOON } else { (pause * 2).min(IDLE) }
            }
            Err(error) => {
                tracing::warn!(error = %error.chain(), "the log of events can't be read");
                IDLE
            }
        };
        if signs.within(pause).await {
            pause = SOON;
        }
    }
}

/// The live events, of which only counts that there are some.
struct Signs {
    source: Arc<dyn EventSource>,
    stream: Option<Box<dyn EventStream>>,
    asked: Option<tokio::time::Instant>,
}

impl Signs {
    /// Waits so long, or until there is a sign. Whether there was one.
    async fn within(&mut self, pause: Duration) -> bool {
        let now = tokio::time::Instant::now();
        if self.stream.is_none() && self.asked.is_none_or(|asked| now.duration_since(asked) >= AGAIN) {
            self.asked = Some(now);
            match self.source.subscribe(EventFilter::default()).await {
                Ok(stream) => self.stream = Some(stream),
                Err(error) => {
                    tracing::debug!(error = %error.chain(), "no live events; the log is looked at every second");
                }
            }
        }
        let Some(stream) = &mut self.stream else {
            tokio::time::sleep(pause).await;
            return false;
        };
        let sign = tokio::time::timeout_at(now + pause, stream.next()).await;
        match sign {
            Ok(Ok(Some(_))) => {
                // What comes close behind it is read together.
                let soon = tokio::time::Instant::now() + SOON;
                while let Ok(Ok(Some(_))) = tokio::time::timeout_at(soon, stream.next()).await {}
                true
            }
            Ok(Ok(None) | Err(PortError::Closed(_))) => {
                self.stream = None;
                tokio::time::sleep_until(now + pause).await;
                false
            }
            // It may have missed some, which is a sign as well.
            Ok(Err(_)) => {
                self.stream = None;
                true
            }
            Err(_) => false,
        }
    }
}
