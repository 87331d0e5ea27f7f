//! Room for connections: whoever opens them and asks nothing makes room for whoever comes with a request.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The connections of a server: how many there may be, and which of them wait for nothing but their next request.
#[derive(Clone)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    idle: Arc<Idle>,
}

#[derive(Default)]
struct Idle {
    waiting: Mutex<Waiting>,
    /// One more connection waits.
    more: Notify,
}

/// Idle connections, the longest idle first, by the turn in which they came to be so.
#[derive(Default)]
struct Waiting {
    turn: u64,
    ends: BTreeMap<u64, CancellationToken>,
}

impl Idle {
    fn with<T>(&self, work: impl FnOnce(&mut Waiting) -> T) -> T {
        // Nothing panics while it holds the lock.
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Room {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), idle: Arc::default() }
    }

    /// A place for a connection that is there already. If all are taken, the connections that have been idle longest
    /// are asked to end until there is one.
    pub(super) async fn enter(&self) -> Place {
        let place = loop {
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                break place;
            }
            // Whoever becomes idle after this is seen below.
            let more = self.idle.more.notified();
            if let Some((_, end)) = self.idle.with(|waiting| waiting.ends.pop_first()) {
                end.cancel();
            }
            tokio::select! {
                // Never closed, so there is a place in the end.
                Ok(place) = Arc::clone(&self.places).acquire_owned() => break place,
                () = more => {}
            }
        };
        let visit =
            Arc::new(Visit { idle: Arc::clone(&self.idle), end: CancellationToken::new(), turn: Mutex::default() });
        visit.rest();
        Place { visit, _place: place }
    }
}

/// A connection's place in the room, given back when it is dropped.
pub(super) struct Place {
    visit: Arc<Visit>,
    _place: OwnedSemaphorePermit,
}

impl Place {
    /// Told when the connection is to make room: it ends after the request at hand, if one has come meanwhile.
    pub(super) fn end(&self) -> CancellationToken {
        self.visit.end.clone()
    }

    /// To be told of the connection's requests.
    pub(super) fn visit(&self) -> Arc<Visit> {
        Arc::clone(&self.visit)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.visit.leave();
    }
}

/// One connection, idle or with a request at hand.
pub(super) struct Visit {
    idle: Arc<Idle>,
    end: CancellationToken,
    /// Its turn among the idle ones; `None`: it has a request at hand.
    turn: Mutex<Option<u64>>,
}

impl Visit {
    fn turn<T>(&self, work: impl FnOnce(&mut Option<u64>) -> T) -> T {
        work(&mut self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rest(&self) {
        let turn = self.idle.with(|waiting| {
            waiting.turn += 1;
            waiting.ends.insert(waiting.turn, self.end.clone());
            waiting.turn
        });
        self.turn(|held| *held = Some(turn));
        self.idle.more.notify_one();
    }

    fn leave(&self) {
        if let Some(turn) = self.turn(Option::take) {
            self.idle.with(|waiting| waiting.ends.remove(&turn));
        }
    }

    /// A request has come; until the end of its answer the connection is not idle.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.leave();
        Busy(Arc::clone(self))
    }
}

/// A request at hand.
pub(super) struct Busy(Arc<Visit>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

/// The body of an answer, at whose end its connection is idle again.
pub(super) struct Answer {
    body: Body,
    _busy: Busy,
}

impl Answer {
    pub(super) const fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
