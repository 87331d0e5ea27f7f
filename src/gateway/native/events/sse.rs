//! A stream as Server-Sent Events.
//!
//! Between the log and the connection there is room for a few events only. A reader who does not take them in time gets the
//! last word behind what was sent already, and then the connection is closed over his head.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::telling::{End, Item, Outlet, Stream};
use crate::gateway::server::ConnectionEnd;

/// Frames between the log and the connection.
const ROOM: usize = 16;

/// After how many milliseconds a reader should come back.
const RETRY: Duration = Duration::from_secs(2);

struct Frames {
    frames: mpsc::Sender<Event>,
    patience: Duration,
}

fn frame(item: Item) -> Event {
    match item {
        Item::Begun { missed: false } => Event::default().retry(RETRY).comment("kurir"),
        Item::Begun { missed: true } => {
            Event::default().retry(RETRY).event("gap").data(r#"{"reason":"some events are not kept any more"}"#)
        }
        Item::Event(entry) => Event::default()
            .id(entry.position.to_string())
            .event(entry.event.kind.as_str())
            .data(String::from_utf8_lossy(&entry.event.body)),
        // Without data nobody sees it, but a reader who comes back does so from here.
        Item::Beat(position) => Event::default().id(position.to_string()).comment("still here"),
    }
}

fn last_word(end: End) -> Event {
    Event::default().event("end").data(format!(r#"{{"reason":"{}"}}"#, end.reason()))
}

impl Outlet for Frames {
    async fn send(&mut self, item: Item) -> Result<(), End> {
        match timeout(self.patience, self.frames.send(frame(item))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}

pub(super) fn answer(stream: Stream, connection: Option<ConnectionEnd>) -> Response {
    let (frames, taken) = mpsc::channel(ROOM);
    let (say, said) = oneshot::channel();
    let written = CancellationToken::new();
    let body_ends = written.clone().drop_guard();
    let patience = stream.app.stream_patience;
    let tasks = stream.app.tasks.clone();
    let telling = async move {
        let mut out = Frames { frames: frames.clone(), patience };
        let end = stream.tell(&mut out, frames.closed()).await;
        tracing::debug!(reason = end.reason(), "a stream of events ends");
        // Nobody there to hear it: the reader is gone.
        let _ = say.send(end);
        drop((out, frames));
        // What was sent is still to be written. A reader who takes none of it would keep his connection for ever.
        if end == End::TooSlow
            && timeout(patience, written.cancelled()).await.is_err()
            && let Some(connection) = connection
        {
            connection.end();
        }
        drop(stream);
    };
    tasks.spawn(telling.instrument(tracing::Span::current()));
    let body = stream::unfold((taken, Some(said), body_ends), |(mut taken, mut said, body_ends)| async move {
        if let Some(frame) = taken.recv().await {
            return Some((Ok::<_, Infallible>(frame), (taken, said, body_ends)));
        }
        let end = said.take()?.await.ok()?;
        Some((Ok(last_word(end)), (taken, None, body_ends)))
    });
    let mut response = Sse::new(body).into_response();
    // Proxies that gather answers would keep events back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
