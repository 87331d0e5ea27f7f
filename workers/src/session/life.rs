//! A session's life as its owner records it: what happens on the connection becomes a state, an event, a decision.

use kurir_core::domain::{EventKind, FailReason, OutboxEvent, QrCode, Rest, SessionState, SessionStatus};
use kurir_core::port::{MessengerEvent, PairingCode, PortError, Written};
use kurir_core::wire::SessionDataV1;

use super::Owned;

/// What the owner does after something happened on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Go on.
    Go,
    /// The connection can send from now on, or can't any more.
    Link(bool),
    /// The client has stopped and the session rests: it is not opened again until somebody wants it to run.
    Rest,
    /// The client has stopped; try again once the ban is over.
    Banned,
    /// Another owner has the session.
    Lost,
    /// Another connection took the session's place at WhatsApp.
    Replaced,
}

/// The session's status in its owner's hands.
pub(crate) struct Life {
    status: SessionStatus,
    /// Counts the session's events of this epoch, so that each has an id of its own.
    turn: u64,
}

impl Life {
    pub(crate) const fn new(status: SessionStatus) -> Self {
        Self { status, turn: 0 }
    }

    /// What is known of the session.
    pub(crate) const fn status(&self) -> &SessionStatus {
        &self.status
    }

    /// Records what happened. Receipts and incoming messages are not its business.
    pub(crate) async fn record(&mut self, owned: &Owned, event: &MessengerEvent) -> Result<Next, PortError> {
        let now = owned.shared.ports.clock.now();
        let (state, kind, next) = match event {
            MessengerEvent::Qr { .. } => (SessionState::AwaitingScan, EventKind::SessionQr, Next::Go),
            MessengerEvent::PairingCode(code) => return self.pairing_code(owned, code).await,
            MessengerEvent::QrExhausted => (SessionState::ScanTimedOut, EventKind::SessionDisconnected, Next::Rest),
            MessengerEvent::Paired(_) => (SessionState::Paired, EventKind::SessionPaired, Next::Go),
            MessengerEvent::Connected => (SessionState::Connected, EventKind::SessionConnected, Next::Link(true)),
            MessengerEvent::Disconnected => {
                // Before the pairing, and during the restart after it, a cut is nobody's business.
                if self.status.state != SessionState::Connected {
                    return Ok(Next::Link(false));
                }
                (SessionState::Disconnected, EventKind::SessionDisconnected, Next::Link(false))
            }
            MessengerEvent::LoggedOut => (SessionState::LoggedOut, EventKind::SessionLoggedOut, Next::Rest),
            MessengerEvent::Banned { for_, .. } => {
                let next = if for_.is_some() { Next::Banned } else { Next::Rest };
                (SessionState::Banned, EventKind::SessionBanned, next)
            }
            MessengerEvent::Outdated => (SessionState::Outdated, EventKind::SessionDisconnected, Next::Rest),
            MessengerEvent::Replaced => return Ok(Next::Replaced),
            MessengerEvent::Fenced => return Ok(Next::Lost),
            MessengerEvent::Receipt { .. }
            | MessengerEvent::Incoming { .. }
            | MessengerEvent::Restricted { .. }
            | MessengerEvent::Unrestricted => return Ok(Next::Go),
        };
        let mut status = match self.status.advance(owned.id(), state, now) {
            Ok(status) => status,
            Err(error) => {
                tracing::warn!(session = %owned.id(), %error, "the connection told of a state out of turn; it is ignored");
                return Ok(Next::Go);
            }
        };
        match event {
            MessengerEvent::Qr { text, valid_for } => {
                status.qr = Some(QrCode { text: text.clone(), expires_at: now.plus(*valid_for) });
            }
            MessengerEvent::Paired(account) => status.link(account.clone(), now),
            // A restriction of the account outlives its connections.
            MessengerEvent::Connected | MessengerEvent::Disconnected => {
                if let Some(rest) = self.status.rest().filter(|rest| rest.until > now) {
                    (status.reason, status.until) = (Some(rest.reason), Some(rest.until));
                }
            }
            MessengerEvent::Banned { for_, .. } => {
                status.until = for_.map(|span| now.plus(span));
                status.reason = Some(kurir_core::domain::FailReason::SenderBanned);
            }
            MessengerEvent::LoggedOut => status.reason = Some(kurir_core::domain::FailReason::SenderLoggedOut),
            _ => {}
        }
        self.write(owned, status, kind).await.map(|written| if written { next } else { Next::Lost })
    }

    /// Tells of a code to type; the state stays.
    async fn pairing_code(&mut self, owned: &Owned, code: &PairingCode) -> Result<Next, PortError> {
        let now = owned.shared.ports.clock.now();
        let (code, occasion) = ((&code.code, now.plus(code.valid_for)), (owned.fence.epoch, self.turn));
        let event = SessionDataV1::pairing_code(&owned.tenant, owned.id(), &self.status, code, occasion, now);
        let written = self.put(owned, self.status.clone(), vec![event]).await?;
        Ok(if written { Next::Go } else { Next::Lost })
    }

    /// Tells that WhatsApp limits the account; the state stays.
    pub(crate) async fn limited(&mut self, owned: &Owned, rest: Rest) -> Result<Next, PortError> {
        // Many jobs meet one limit, each with an answer of its own; it is told once.
        if self.status.rest().is_some_and(|told| told.until >= rest.until) {
            return Ok(Next::Go);
        }
        let mut status = self.status.clone();
        (status.reason, status.until) = (Some(rest.reason), Some(rest.until));
        let written = self.write(owned, status, EventKind::SessionLimited).await?;
        Ok(if written { Next::Go } else { Next::Lost })
    }

    /// Notes that WhatsApp has lifted its restriction. The connection is as good as it was before, so the event is that
    /// of a connection.
    pub(crate) async fn lifted(&mut self, owned: &Owned) -> Result<Next, PortError> {
        let restricted = self.status.reason == Some(FailReason::SenderRestricted) && self.status.until.is_some();
        if !restricted || self.status.state != SessionState::Connected {
            return Ok(Next::Go);
        }
        let mut status = self.status.clone();
        (status.reason, status.until) = (None, None);
        let written = self.write(owned, status, EventKind::SessionConnected).await?;
        Ok(if written { Next::Go } else { Next::Lost })
    }

    /// Writes a status with its event; tells whether the session is still ours.
    async fn write(&mut self, owned: &Owned, status: SessionStatus, kind: EventKind) -> Result<bool, PortError> {
        let now = owned.shared.ports.clock.now();
        let occasion = (owned.fence.epoch, self.turn);
        let event: Vec<OutboxEvent> = match SessionDataV1::event(
            kind,
            &owned.tenant,
            owned.id(),
            &status,
            occasion,
            now,
        ) {
            Ok(event) => vec![event],
            Err(error) => {
                tracing::error!(session = %owned.id(), %error, "the QR code can't be drawn; the state is kept without its event");
                Vec::new()
            }
        };
        self.put(owned, status, event).await
    }

    /// Writes a status with these events; tells whether the session is still ours.
    async fn put(&mut self, owned: &Owned, status: SessionStatus, event: Vec<OutboxEvent>) -> Result<bool, PortError> {
        let written = owned.shared.ports.sessions.update(&owned.fence, &status, &event).await?;
        owned.shared.ports.refused.note(&[written]);
        match written {
            Written::Done => {
                tracing::info!(session = %owned.id(), state = %status.state, "session");
                if status.state != self.status.state {
                    owned.shared.ports.observer.session(status.state);
                }
                self.status = status;
                self.turn += 1;
                // The owner goes on: a broker that is away must not keep it from hearing its connection.
                owned.shared.publisher.publish_later(event);
                Ok(true)
            }
            Written::Conflict | Written::Fenced => Ok(false),
        }
    }
}
