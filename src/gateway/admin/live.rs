//! Tells open pages that there is something new to show. What it is they ask for themselves.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use kurir_core::domain::{EventKind, LoggedEvent};
use tokio::time::{Instant, sleep, timeout_at};

use super::guard::{MayLook, SignedIn};
use super::refusal::{Answer, Refused};
use crate::gateway::app::App;
use crate::gateway::stream_limit::Place;
use crate::gateway::tail::Listener;
use crate::gateway::usecase::UseCaseError;

/// How long what happens is gathered: a page is told no more often.
const GATHER: Duration = Duration::from_millis(400);

/// How often something is said, so that both ends notice when the other one is gone; the sign-in is looked at then too.
const HEARTBEAT: Duration = Duration::from_secs(10);

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new().route("/admin/live", get(live))
}

/// What of the page an event changes.
const fn topic(kind: EventKind) -> &'static str {
    use EventKind as Kind;
    match kind {
        Kind::SessionCreated
        | Kind::SessionQr
        | Kind::SessionPairingCode
        | Kind::SessionPaired
        | Kind::SessionConnected
        | Kind::SessionDisconnected
        | Kind::SessionLoggedOut
        | Kind::SessionLimited
        | Kind::SessionBanned => "sessions",
        Kind::MessageQueued
        | Kind::MessageDelayed
        | Kind::MessageSent
        | Kind::MessageDelivered
        | Kind::MessageRead
        | Kind::MessageFailed
        | Kind::MessageExpired
        | Kind::MessageUncertain
        | Kind::MessageCancelled
        | Kind::MessageReceived => "messages",
        Kind::VerificationCreated
        | Kind::VerificationSent
        | Kind::VerificationApproved
        | Kind::VerificationFailed
        | Kind::VerificationExpired
        | Kind::VerificationCanceled
        | Kind::VerificationMaxAttemptsReached
        | Kind::VerificationFallback
        | Kind::VerificationPrefixBlocked => "verifications",
        Kind::WebhookDisabled | Kind::WebhookTest => "webhooks",
        Kind::WorkerJoined | Kind::WorkerLeft => "fleet",
        _ => "other",
    }
}

/// One page's ear.
struct Ear {
    app: Arc<App>,
    signed_in: SignedIn,
    listener: Listener,
    /// It is held.
    _place: Place,
}

impl Ear {
    fn concerns(&self, event: &LoggedEvent) -> bool {
        event.event.tenant == *self.signed_in.tenant()
    }

    /// What to tell next; `None`: the stream ends.
    async fn next(&mut self) -> Option<Event> {
        let beat = Instant::now() + HEARTBEAT;
        let mut topics = BTreeSet::new();
        loop {
            let heard = tokio::select! {
                () = self.app.stopping.cancelled() => return None,
                heard = timeout_at(beat, self.listener.next()) => heard,
            };
            match heard {
                Ok(Some(piece)) => {
                    topics.extend(
                        piece.events.iter().filter(|event| self.concerns(event)).map(|event| topic(event.event.kind)),
                    );
                }
                // Some were missed: everything may be new.
                Ok(None) => {
                    topics.extend(["sessions", "messages", "verifications", "webhooks", "fleet"]);
                    self.listener = self.app.tail.listen();
                }
                Err(_) => return self.signed_in.still(&self.app).await.then(|| Event::default().comment("still here")),
            }
            if !topics.is_empty() {
                sleep(GATHER).await;
                let data = topics.into_iter().collect::<Vec<_>>().join(" ");
                return Some(Event::default().event("news").data(data));
            }
        }
    }
}

async fn live(State(app): State<Arc<App>>, MayLook(signed_in): MayLook) -> Answer {
    let place = app.streams.take_for(signed_in.mark()).ok_or(Refused::UseCase(UseCaseError::SessionBusy))?;
    let listener = app.tail.listen();
    let ear = Ear { app, signed_in, listener, _place: place };
    let first = Event::default().retry(Duration::from_secs(2)).event("news").data("sessions messages");
    let events = stream::unfold((ear, Some(first)), |(mut ear, first)| async move {
        let event = match first {
            Some(first) => first,
            None => ear.next().await?,
        };
        Some((Ok::<_, Infallible>(event), (ear, None)))
    });
    Ok(unbuffered(Sse::new(events).into_response()))
}

/// Proxies that gather answers would keep events back.
fn unbuffered(mut response: Response) -> Response {
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
