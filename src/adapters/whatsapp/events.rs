//! What the library tells, in kurir's words.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use kurir_core::domain::{Account, MessageId, PhoneNumber, Secret, Timestamp};
use kurir_core::port::{MessengerEvent, PairingCode, Receipt, ReceiptKind, SendAnswer};
use tokio_util::sync::CancellationToken;
use whatsapp_rust::Client;
use whatsapp_rust::types::events::{
    ConnectFailureReason, Event, EventHandler, EventInterest, EventKind, Receipt as LibraryReceipt, ServerAck,
};
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::wacore_binary::{Jid, JidExt as _};

use super::event_queue::EventQueue;
use super::pairing::ShownCode;
use super::pending::Pending;
use super::receipt_gate::ReceiptGate;
use super::restriction;
use super::write_fence::WriteFence;

/// Why a client stops for good; told once it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    QrExhausted,
    LoggedOut,
    Replaced,
    Banned { for_: Option<std::time::Duration>, code: u16 },
    Outdated,
    Fenced,
}

impl From<Verdict> for MessengerEvent {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::QrExhausted => Self::QrExhausted,
            Verdict::LoggedOut => Self::LoggedOut,
            Verdict::Replaced => Self::Replaced,
            Verdict::Banned { for_, code } => Self::Banned { for_, code },
            Verdict::Outdated => Self::Outdated,
            Verdict::Fenced => Self::Fenced,
        }
    }
}

/// The first verdict on a connection; it asks the client to stop. Later ones are its echoes.
pub(super) struct Court {
    verdict: Mutex<Option<Verdict>>,
    pub stop: CancellationToken,
}

impl Court {
    pub fn new() -> Self {
        Self { verdict: Mutex::new(None), stop: CancellationToken::new() }
    }

    pub fn pass(&self, verdict: Verdict) {
        // Nothing panics while it holds the lock.
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(verdict);
        self.stop.cancel();
    }

    pub fn verdict(&self) -> Option<Verdict> {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens to the library's event bus. It is called in the middle of the library's work, so it never waits.
pub(super) struct Listener {
    pub client: Weak<Client>,
    pub events: Arc<EventQueue>,
    pub receipts: Arc<ReceiptGate>,
    pub pending: Arc<Pending>,
    pub writes: Arc<WriteFence>,
    pub court: Arc<Court>,
    pub shown: Arc<ShownCode>,
}

/// What a listener does about an event.
#[derive(Debug)]
enum Step {
    Tell(MessengerEvent),
    Record(Receipt),
    Cut,
    Answer(String, SendAnswer),
    Stop(Verdict),
    Nothing,
}

impl EventHandler for Listener {
    fn interest(&self) -> EventInterest {
        EventInterest::of(&[
            EventKind::PairingQrCode,
            EventKind::PairingQrCodesExhausted,
            EventKind::PairSuccess,
            EventKind::PairError,
            EventKind::PairingCode,
            EventKind::PairingCodeRefresh,
            EventKind::Connected,
            EventKind::Disconnected,
            EventKind::LoggedOut,
            EventKind::StreamReplaced,
            EventKind::TemporaryBan,
            EventKind::ClientOutdated,
            EventKind::ConnectFailure,
            EventKind::Receipt,
            EventKind::ServerAck,
            EventKind::MexNotification,
            EventKind::AppStateSyncFailed,
        ])
    }

    fn handle_event(&self, event: Arc<Event>) {
        if matches!(&*event, Event::PairingCodeRefresh(_) | Event::Disconnected(_) | Event::PairSuccess(_)) {
            self.shown.forget();
        }
        let own = || {
            let client = self.client.upgrade();
            client.map_or([None, None], |client| [client.pn(), client.lid()])
        };
        match translate(&event, own) {
            Step::Tell(event) => self.events.push(event),
            Step::Record(receipt) => {
                let stored = self.receipts.enter();
                self.events.push(MessengerEvent::Receipt { receipt, stored });
            }
            Step::Cut => {
                self.pending.give_up();
                self.events.push(MessengerEvent::Disconnected);
            }
            Step::Answer(id, answer) => {
                self.writes.answered(&id);
                self.pending.answer(&id, answer);
            }
            Step::Stop(verdict) => self.court.pass(verdict),
            Step::Nothing => {}
        }
    }
}

fn translate(event: &Event, own: impl FnOnce() -> [Option<Jid>; 2]) -> Step {
    match event {
        Event::PairingQrCode(qr) => {
            Step::Tell(MessengerEvent::Qr { text: Secret::new(qr.code.clone()), valid_for: qr.timeout })
        }
        Event::PairingCode(shown) => {
            let (code, valid_for) = (Secret::new(shown.code.clone()), shown.timeout);
            Step::Tell(MessengerEvent::PairingCode(PairingCode { code, valid_for }))
        }
        Event::PairingQrCodesExhausted(_) => Step::Stop(Verdict::QrExhausted),
        Event::PairSuccess(paired) => {
            let number = PhoneNumber::from_digits(paired.id.user.to_string());
            number.map_or_else(
                |error| {
                    tracing::warn!(%error, "linked to an account whose number can't be read");
                    Step::Nothing
                },
                |number| Step::Tell(MessengerEvent::Paired(Account { number, device: paired.id.device })),
            )
        }
        Event::PairError(_) => {
            tracing::warn!("a phone scanned the code, but its proof did not hold; the next code follows");
            Step::Nothing
        }
        Event::Connected(_) => Step::Tell(MessengerEvent::Connected),
        Event::Disconnected(_) => Step::Cut,
        Event::LoggedOut(_) => Step::Stop(Verdict::LoggedOut),
        Event::StreamReplaced(_) => Step::Stop(Verdict::Replaced),
        Event::TemporaryBan(ban) => {
            let code = u16::try_from(ban.code.code()).unwrap_or_default();
            Step::Stop(Verdict::Banned { for_: ban.expire.to_std().ok(), code })
        }
        Event::ClientOutdated(_) => Step::Stop(Verdict::Outdated),
        Event::ConnectFailure(failure) => connect_failure(failure.reason),
        Event::Receipt(receipt) => {
            kind_of(receipt, own).map_or(Step::Nothing, |kind| Step::Record(receipt_of(receipt, kind)))
        }
        Event::ServerAck(ack) => answer(ack),
        Event::MexNotification(told) => {
            restriction::notified(&told.op_name, &told.payload).map_or(Step::Nothing, Step::Tell)
        }
        Event::AppStateSyncFailed(failed) => {
            tracing::debug!(fatal = failed.fatal.len(), "app state is not in step with the phone");
            Step::Nothing
        }
        _ => Step::Nothing,
    }
}

/// A failed login that has no event of its own. 500 and 503 are tried again by the library.
fn connect_failure(reason: ConnectFailureReason) -> Step {
    match reason {
        // A ban without a term, or one that WhatsApp did not say in a way that can be read.
        ConnectFailureReason::TempBanned => Step::Stop(Verdict::Banned { for_: None, code: 402 }),
        ConnectFailureReason::BadUserAgent => Step::Stop(Verdict::Outdated),
        reason if reason.should_reconnect() => Step::Nothing,
        reason => {
            tracing::warn!(code = reason.code(), "WhatsApp refused the login; the client has stopped");
            Step::Cut
        }
    }
}

fn answer(ack: &ServerAck) -> Step {
    if ack.class.as_deref().is_some_and(|class| class != "message") {
        return Step::Nothing;
    }
    let answer = ack.error.as_deref().map_or(SendAnswer::Accepted, |code| {
        // Never seen: a code that is no number. It is a refusal all the same.
        SendAnswer::Refused(code.parse().unwrap_or_default())
    });
    Step::Answer(ack.id.clone(), answer)
}

/// What a receipt says of a message of ours; `None` when it is about something else: own devices, requests
/// to encrypt again, what a companion device of the recipient has. In a group the first member's receipt counts: it
/// tells that the message went out, and nobody waits for the last member's.
fn kind_of(receipt: &LibraryReceipt, own: impl FnOnce() -> [Option<Jid>; 2]) -> Option<ReceiptKind> {
    let kind = match receipt.r#type {
        ReceiptType::Delivered => ReceiptKind::Delivered,
        ReceiptType::Read => ReceiptKind::Read,
        _ => return None,
    };
    let source = &receipt.source;
    let chat = source.chat.is_pn() || source.chat.is_lid() || source.chat.is_group();
    let is_own = own().iter().flatten().any(|own| source.sender.is_same_user_as(own));
    (chat && !is_own).then_some(kind)
}

fn receipt_of(receipt: &LibraryReceipt, kind: ReceiptKind) -> Receipt {
    Receipt {
        ids: receipt.message_ids.iter().map(MessageId::from_wire).collect(),
        kind,
        at: Timestamp::from_millis(receipt.timestamp.timestamp_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use whatsapp_rust::chrono::DateTime;
    use whatsapp_rust::types::message::MessageSource;

    fn jid(text: &str) -> Jid {
        text.parse().expect("a JID")
    }

    fn own() -> [Option<Jid>; 2] {
        [Some(jid("15550000001:4@s.whatsapp.net")), Some(jid("100000000000001:4@lid"))]
    }

    fn receipt(from: &str, kind: ReceiptType) -> Event {
        let source = MessageSource { chat: jid(from), sender: jid(from), ..MessageSource::default() };
        Event::Receipt(
            LibraryReceipt::builder()
                .source(source)
                .message_ids(vec!["A".into(), "B".into()])
                .timestamp(DateTime::from_timestamp(7, 0).unwrap())
                .r#type(kind)
                .offline(false)
                .build(),
        )
    }

    #[test]
    fn receipts_of_the_recipient_are_told_and_no_others() {
        for from in ["15550000002@s.whatsapp.net", "100000000000002@lid", "120363000000000001@g.us"] {
            for (kind, told) in
                [(ReceiptType::Delivered, ReceiptKind::Delivered), (ReceiptType::Read, ReceiptKind::Read)]
            {
                let Step::Record(receipt) = translate(&receipt(from, kind), own) else { panic!("{from}") };
                assert_eq!((receipt.ids.len(), receipt.kind, receipt.at), (2, told, Timestamp::from_millis(7000)));
            }
            for kind in [ReceiptType::Sender, ReceiptType::Retry, ReceiptType::ReadSelf, ReceiptType::Played] {
                assert!(matches!(translate(&receipt(from, kind), own), Step::Nothing));
            }
        }
        for from in ["15550000001@s.whatsapp.net", "100000000000001@lid", "100000000000001:7@lid", "status@broadcast"] {
            assert!(matches!(translate(&receipt(from, ReceiptType::Read), own), Step::Nothing), "{from}");
        }
    }

    #[test]
    fn acks_of_messages_are_answers() {
        let ack = |class: Option<&str>, error: Option<&str>| {
            let class = class.map(str::to_owned);
            let ack = ServerAck::builder().id("A".into()).maybe_class(class).maybe_error(error.map(str::to_owned));
            translate(&Event::ServerAck(ack.build()), own)
        };
        assert!(matches!(ack(Some("message"), None), Step::Answer(id, SendAnswer::Accepted) if id == "A"));
        assert!(matches!(ack(None, Some("463")), Step::Answer(_, SendAnswer::Refused(463))));
        assert!(matches!(ack(Some("receipt"), None), Step::Nothing));
    }

    #[test]
    fn failed_logins_end_the_client_or_are_tried_again() {
        assert!(matches!(
            connect_failure(ConnectFailureReason::TempBanned),
            Step::Stop(Verdict::Banned { for_: None, code: 402 })
        ));
        assert!(matches!(connect_failure(ConnectFailureReason::ServiceUnavailable), Step::Nothing));
        assert!(matches!(connect_failure(ConnectFailureReason::CatInvalid), Step::Cut));
    }

    #[test]
    fn the_first_verdict_counts() {
        let court = Court::new();
        court.pass(Verdict::Replaced);
        court.pass(Verdict::LoggedOut);
        assert_eq!(court.verdict(), Some(Verdict::Replaced));
        assert!(court.stop.is_cancelled());
    }
}
