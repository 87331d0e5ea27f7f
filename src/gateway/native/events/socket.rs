//! A stream as a WebSocket: one JSON message an event.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::telling::{End, Item, Outlet, Stream};

/// A reader of whom nothing is heard for so long, not even the answer to a ping, is gone.
const SILENCE: Duration = Duration::from_secs(45);

/// How long the last word may take.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Largest message of a reader; there is nothing to say.
const MOST_HEARD: usize = 1024;

struct Socket {
    socket: SplitSink<WebSocket, Message>,
    patience: Duration,
}

fn message(item: Item) -> Option<Message> {
    Some(match item {
        Item::Begun { missed: false } => return None,
        Item::Begun { missed: true } => Message::text(r#"{"gap":"some events are not kept any more"}"#),
        Item::Event(entry) => {
            // The envelope is JSON already.
            let event = String::from_utf8_lossy(&entry.event.body);
            Message::text(format!(r#"{{"position":"{}","event":{event}}}"#, entry.position))
        }
        Item::Beat(_) => Message::Ping(Bytes::new()),
    })
}

impl Outlet for Socket {
    async fn send(&mut self, item: Item) -> Result<(), End> {
        let Some(message) = message(item) else { return Ok(()) };
        match timeout(self.patience, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::TooSlow),
        }
    }
}

/// The codes of RFC 6455 and its register.
const fn code(end: End) -> u16 {
    match end {
        End::CaughtUp | End::Gone => 1000,
        End::Stopping => 1001,
        End::KeyEnded => 1008,
        End::TooSlow | End::Unavailable => 1013,
    }
}

/// Waits until the reader hangs up or is silent for too long.
async fn hung_up(mut heard: SplitStream<WebSocket>) {
    while let Ok(Some(Ok(message))) = timeout(SILENCE, heard.next()).await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

pub(super) fn answer(upgrade: WebSocketUpgrade, stream: Stream) -> Response {
    // Held from now on, so that a stop waits for the stream's last word.
    let held = stream.app.tasks.token();
    let span = tracing::Span::current();
    upgrade.max_message_size(MOST_HEARD).on_upgrade(move |socket| {
        async move {
            let (socket, heard) = socket.split();
            let mut out = Socket { socket, patience: stream.app.stream_patience };
            let end = stream.tell(&mut out, hung_up(heard)).await;
            tracing::debug!(reason = end.reason(), "a stream of events ends");
            if end != End::Gone {
                let frame = CloseFrame { code: code(end), reason: end.reason().into() };
                // A reader who does not take it is left alone: the connection ends here.
                let _ = timeout(LAST_WORD, out.socket.send(Message::Close(Some(frame)))).await;
            }
            drop((stream, held));
        }
        .instrument(span)
    })
}
