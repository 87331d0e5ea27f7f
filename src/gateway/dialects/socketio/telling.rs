//! What one socket is told: what happens to its caller's sessions, from the log of events and from this gateway's notices.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{LogFilter, LogPosition, LoggedEvent, Scope, SessionId, SessionRecord, SessionState};
use serde_json::{Value, json};
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::super::sessions::is_connected;
use super::super::{Desk, Guest};
use super::sessions::name;
use super::signals::{self, Signal};
use super::starts::to_scan;
use crate::gateway::notices::{News, Notice};
use crate::gateway::usecase::{Search, UseCaseError};

/// How often is looked whether the socket and its key are still there.
const CHECK: Duration = Duration::from_secs(2);

/// How often a socket whose buffer is full is tried again.
const FULL: Duration = Duration::from_millis(50);

/// How long the close of all sockets may take.
const LAST_WORD: Duration = Duration::from_secs(2);

/// A pause after something that is needed did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// Most events of one look into the log.
const PAGE: u32 = 100;

/// Who comes within this time after a session was linked is told so: the socket may have been cut off meanwhile.
const RECENT: Duration = Duration::from_mins(1);

/// A socket and whose it is.
pub(super) struct Telling {
    pub desk: Arc<Desk>,
    pub guest: Guest,
    pub io: SocketIo,
    pub socket: SocketRef,
    /// The socket is gone.
    pub gone: CancellationToken,
}

/// Why it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopping,
    KeyEnded,
    TooSlow,
    Gone,
}

impl End {
    const fn reason(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::KeyEnded => "key_ended",
            Self::TooSlow => "too_slow",
            Self::Gone => "gone",
        }
    }
}

impl Telling {
    /// Tells until something ends it.
    pub async fn run(self) {
        let end = tokio::select! {
            biased;
            () = self.desk.app.stopping.cancelled() => End::Stopping,
            () = self.gone.cancelled() => End::Gone,
            end = self.watched() => end,
            told = self.told() => told.err().unwrap_or(End::Gone),
        };
        tracing::debug!(reason = end.reason(), "a socket's events end");
        match end {
            End::Gone => {}
            // Cut off, and not sent away: its client comes back by itself.
            End::Stopping => {
                // What is not cut off by then ends with the process.
                let _ = timeout(LAST_WORD, self.io.close()).await;
            }
            End::KeyEnded | End::TooSlow => self.send_away().await,
        }
    }

    /// Ends the socket. Its last word needs room as well; a socket that makes none ends with its heartbeat.
    async fn send_away(&self) {
        while self.socket.connected() && self.socket.clone().disconnect().is_err() {
            tokio::select! {
                () = self.desk.app.stopping.cancelled() => return,
                () = self.gone.cancelled() => return,
                () = sleep(FULL) => {}
            }
        }
    }

    /// Ends when the socket or its key does.
    async fn watched(&self) -> End {
        loop {
            sleep(CHECK).await;
            if !self.socket.connected() {
                return End::Gone;
            }
            if !self.desk.still(&self.guest).await {
                return End::KeyEnded;
            }
        }
    }

    async fn told(&self) -> Result<(), End> {
        let app = &self.desk.app;
        // Before anything is looked at, so that nothing comes between.
        let (mut notices, mut tail) = (app.notices.listen(), app.tail.listen());
        let filter = LogFilter {
            tenant: Some(self.guest.tenant().clone()),
            sessions: self.guest.record().sessions.clone(),
            kinds: Some(signals::KINDS.into()),
        };
        let mut at = self.newest().await;
        self.look_around().await?;
        loop {
            tokio::select! {
                piece = tail.next() => match piece.filter(|piece| piece.after <= at) {
                    Some(piece) => {
                        let new = |entry: &&LoggedEvent| entry.position > at && filter.passes(&entry.event);
                        for entry in piece.events.iter().filter(new) {
                            self.tell(entry).await?;
                        }
                        at = at.max(piece.to);
                    }
                    // The log knows what the tail has passed over.
                    None => at = self.caught_up(at, &filter).await?,
                },
                notice = notices.next() => match notice {
                    Some(notice) => self.hear(&notice).await?,
                    None => self.look_around().await?,
                },
            }
        }
    }

    /// The end of the log.
    async fn newest(&self) -> LogPosition {
        loop {
            match self.desk.app.tail.log().span().await {
                Ok(span) => return span.map(|span| span.newest).unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "the log of events can't be read");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Tells what the log has; gives how far that is.
    async fn caught_up(&self, mut at: LogPosition, filter: &LogFilter) -> Result<LogPosition, End> {
        loop {
            match self.desk.app.tail.log().read(at, filter, PAGE).await {
                Ok(page) => {
                    let more = u32::try_from(page.events.len()).is_ok_and(|count| count == PAGE);
                    for entry in &page.events {
                        self.tell(entry).await?;
                    }
                    at = page.to;
                    if !more {
                        return Ok(at);
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "the log of events can't be read");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    /// Tells how the sessions stand that are being linked.
    async fn look_around(&self) -> Result<(), End> {
        loop {
            match self.desk.sessions(&self.guest, Search::default).await {
                Ok(sessions) => {
                    let now = self.desk.app.clock.now();
                    for session in &sessions {
                        self.show(session, now.since(session.status.since) < RECENT).await?;
                    }
                    return Ok(());
                }
                // Its reason is in the log.
                Err(_) => sleep(AGAIN).await,
            }
        }
    }

    async fn tell(&self, entry: &LoggedEvent) -> Result<(), End> {
        let Some(session) = &entry.event.session else { return Ok(()) };
        for signal in signals::of(&entry.event) {
            self.say(session, *signal).await?;
        }
        Ok(())
    }

    /// Tells what this gateway's callers did, if it is of a session that this one may see.
    async fn hear(&self, notice: &Notice) -> Result<(), End> {
        if notice.tenant != *self.guest.tenant() || !self.guest.covers(&notice.session) {
            return Ok(());
        }
        let session = &notice.session;
        match notice.news {
            News::Asked => match self.session(session).await {
                Some(session) => self.show(&session, true).await,
                None => Ok(()),
            },
            News::NoQr => {
                let seconds = self.desk.options.qr_timeout.as_secs();
                let message = format!("QR code tidak tersedia dalam {seconds} detik, silakan mulai session lagi");
                self.emit("qr_timeout", &json!({"sessionId": session.as_str(), "message": message})).await
            }
            News::Stopped => self.say(session, Signal::Lost("STOPPED")).await,
            News::Deleted => self.say(session, Signal::Lost("DELETED")).await,
        }
    }

    /// Tells how a session stands that is being linked; that it can send, if it is `told`.
    async fn show(&self, session: &SessionRecord, told: bool) -> Result<(), End> {
        if session.status.state == SessionState::Paired {
            return self.emit("authenticated", &json!({"sessionId": session.id.as_str()})).await;
        }
        if told && is_connected(session) {
            return self.emit("ready", &ready(session)).await;
        }
        match to_scan(session, self.desk.app.clock.now()) {
            // Whoever sees it may link the session, so it takes more than looking.
            Some(code) if self.guest.needs(Scope::Control).is_ok() => {
                self.emit("qr", &json!({"qr": code, "sessionId": session.id.as_str()})).await
            }
            _ => Ok(()),
        }
    }

    async fn say(&self, session: &SessionId, signal: Signal) -> Result<(), End> {
        let id = session.as_str();
        match signal {
            Signal::Qr | Signal::Ready | Signal::Created => {
                // The events have neither codes nor whole numbers; the record has.
                let Some(record) = self.session(session).await else { return Ok(()) };
                match signal {
                    Signal::Ready => self.emit("ready", &ready(&record)).await,
                    Signal::Created => self.emit("created", &json!({"sessionId": id, "name": name(&record)})).await,
                    _ => self.show(&record, false).await,
                }
            }
            Signal::NoQr(message) => self.emit("qr_timeout", &json!({"sessionId": id, "message": message})).await,
            Signal::Authenticated => self.emit("authenticated", &json!({"sessionId": id})).await,
            Signal::Refused(message) => self.emit("auth_failure", &json!({"sessionId": id, "message": message})).await,
            Signal::Lost(reason) => self.emit("disconnected", &json!({"sessionId": id, "reason": reason})).await,
        }
    }

    async fn session(&self, id: &SessionId) -> Option<SessionRecord> {
        match self.desk.app.cases.session(self.guest.tenant(), id).await {
            Ok(session) => Some(session),
            Err(UseCaseError::NotFound { .. }) => None,
            Err(_) => {
                tracing::warn!(session = %id, "a session can't be read that a socket is to be told of");
                None
            }
        }
    }

    /// Emits an event; a socket that makes no room for it in time is too slow.
    async fn emit(&self, event: &str, data: &Value) -> Result<(), End> {
        let end = Instant::now() + self.desk.app.stream_patience;
        loop {
            match self.socket.emit(event, data) {
                Ok(()) => return Ok(()),
                Err(SendError::Socket(SocketError::InternalChannelFull)) if Instant::now() < end => sleep(FULL).await,
                Err(SendError::Socket(SocketError::InternalChannelFull)) => return Err(End::TooSlow),
                Err(_) => return Err(End::Gone),
            }
        }
    }
}

fn ready(session: &SessionRecord) -> Value {
    json!({
        "sessionId": session.id.as_str(),
        "name": name(session),
        "phoneNumber": session.status.account.as_ref().map(|account| account.number.digits()),
    })
}
