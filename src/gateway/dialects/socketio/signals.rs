//! What the sockets are told of an event of the log.

use kurir_core::domain::{EventKind, OutboxEvent, SessionState};
use serde::Deserialize;

/// Something that is told of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It was made.
    Created,
    /// There is a new code to scan.
    Qr,
    /// No code was scanned; why, for people.
    NoQr(&'static str),
    /// The phone has linked it.
    Authenticated,
    /// It can send.
    Ready,
    /// WhatsApp does not take it; why, for people.
    Refused(&'static str),
    /// It can't send any more; why, in a word.
    Lost(&'static str),
}

/// The kinds of events that something is told of.
pub(super) const KINDS: [EventKind; 7] = [
    EventKind::SessionCreated,
    EventKind::SessionQr,
    EventKind::SessionPaired,
    EventKind::SessionConnected,
    EventKind::SessionDisconnected,
    EventKind::SessionLoggedOut,
    EventKind::SessionBanned,
];

/// The part of an event that is needed here; what links a session is not in it.
#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    state: String,
}

/// What is told of an event, in this order.
pub(super) fn of(event: &OutboxEvent) -> &'static [Signal] {
    match event.kind {
        EventKind::SessionCreated => &[Signal::Created],
        EventKind::SessionQr => &[Signal::Qr],
        EventKind::SessionPaired => &[Signal::Authenticated],
        EventKind::SessionConnected => &[Signal::Ready],
        EventKind::SessionLoggedOut => &[Signal::Lost("LOGOUT")],
        EventKind::SessionBanned => &[Signal::Refused("Nomor ini diblokir oleh WhatsApp"), Signal::Lost("BANNED")],
        EventKind::SessionDisconnected => {
            let envelope = serde_json::from_slice::<Envelope>(&event.body).ok();
            match envelope.and_then(|envelope| SessionState::parse(&envelope.data.state)) {
                Some(SessionState::ScanTimedOut) => {
                    &[Signal::NoQr("QR code tidak dipindai, silakan mulai session lagi")]
                }
                Some(SessionState::Outdated) => {
                    &[Signal::Refused("WhatsApp menolak versi klien ini"), Signal::Lost("OUTDATED")]
                }
                _ => &[Signal::Lost("CONNECTION_LOST")],
            }
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::{Epoch, SessionId, SessionStatus, TenantId, Timestamp};
    use kurir_core::wire::SessionDataV1;

    use super::*;

    fn event(kind: EventKind, state: SessionState) -> OutboxEvent {
        let at = Timestamp::from_millis(1_790_000_000_000);
        let status = SessionStatus { state, ..SessionStatus::created(at) };
        let (tenant, session) = (TenantId::new("acme").unwrap(), SessionId::new("s1").unwrap());
        SessionDataV1::event(kind, &tenant, &session, &status, (Epoch(1), 1), at).unwrap()
    }

    #[test]
    fn something_is_told_of_exactly_the_kinds_that_are_asked_for() {
        for kind in EventKind::ALL {
            let told = !of(&event(*kind, SessionState::Connected)).is_empty();
            assert_eq!(told, KINDS.contains(kind), "{kind:?}");
        }
    }

    #[test]
    fn a_lost_connection_a_scan_that_nobody_made_and_a_refusal_are_told_apart() {
        let of_state = |state| of(&event(EventKind::SessionDisconnected, state));
        assert_eq!(of_state(SessionState::Disconnected), [Signal::Lost("CONNECTION_LOST")]);
        assert!(matches!(of_state(SessionState::ScanTimedOut), [Signal::NoQr(_)]));
        assert!(matches!(of_state(SessionState::Outdated), [Signal::Refused(_), Signal::Lost("OUTDATED")]));
        let broken =
            OutboxEvent { body: b"{".to_vec(), ..event(EventKind::SessionDisconnected, SessionState::Outdated) };
        assert_eq!(of(&broken), [Signal::Lost("CONNECTION_LOST")]);
    }
}
