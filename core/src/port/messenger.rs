//! WhatsApp: one connection per session.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Incoming, Outgoing, Stored, Uploaded};
use crate::domain::{
    Account, Fence, MediaKind, MessageId, PhoneNumber, Presence, Secret, SendAnswer, Timestamp, Typing,
};

/// How long asking for a pairing code may take; whoever asks for one waits longer than this.
pub const PAIRING_LIMIT: Duration = Duration::from_secs(12);

/// Opens connections.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Starts a session's client: it pairs if the session has no credentials, else it logs in, and it reconnects by
    /// itself after cuts. All of its writes to the store go under `fence`. Returns once it runs; what follows comes
    /// as events.
    async fn open(&self, fence: Fence) -> Result<Connection, MessengerError>;
}

/// A running client.
pub struct Connection {
    /// To send with.
    pub sender: std::sync::Arc<dyn Sender>,
    /// What happens on it, in order; ends after the client has stopped. Bounded: the client waits for its reader.
    pub events: mpsc::Receiver<MessengerEvent>,
}

/// The sending side of a connection.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Asks WhatsApp which of these numbers have an account; the answers are in order.
    async fn check(&self, numbers: &[PhoneNumber]) -> Result<Vec<NumberStatus>, MessengerError>;

    /// Sends a message and waits for the answer of WhatsApp's server, at most `patience`.
    async fn send(&self, message: &Outgoing, patience: Duration) -> Result<SendAnswer, MessengerError>;

    /// Sends a text to a number, as [`Sender::send`] does.
    async fn send_text(
        &self,
        to: &PhoneNumber,
        id: &MessageId,
        text: &Secret<String>,
        patience: Duration,
    ) -> Result<SendAnswer, MessengerError> {
        self.send(&Outgoing::text(to.clone(), id.clone(), text.clone()), patience).await
    }

    /// Brings a file to WhatsApp, encrypted, so that a message can name it. All of it is in memory meanwhile, twice: whoever
    /// calls sees to it that there is room.
    async fn upload(&self, kind: MediaKind, bytes: Vec<u8>, patience: Duration) -> Result<Uploaded, MessengerError>;

    /// Fetches a file that came in, by the words of [`IncomingMedia::source`](super::IncomingMedia::source), and holds it
    /// against its hash. All of it is in memory.
    async fn fetch(&self, source: &Secret<String>, patience: Duration) -> Result<Vec<u8>, FetchError>;

    /// Asks WhatsApp for a code that links the session when it is typed on the phone of this number; only before the session
    /// is linked, and after its first [`MessengerEvent::Qr`]. While a code is valid the same is given again; it is told as
    /// [`MessengerEvent::PairingCode`] once. Takes at most [`PAIRING_LIMIT`].
    async fn pairing_code(&self, number: &PhoneNumber) -> Result<PairingCode, MessengerError>;

    /// Asks WhatsApp until when it lets the account begin no new chats; `None` when it does not restrict it, or does not
    /// say until when.
    async fn restriction(&self) -> Result<Option<Timestamp>, MessengerError>;

    /// Logs the device out at WhatsApp; its credentials are void afterwards.
    async fn logout(&self) -> Result<(), MessengerError>;

    /// Shows the writer of these messages that they were read.
    async fn mark_read(&self, chat: &PhoneNumber, messages: &[MessageId]) -> Result<(), MessengerError>;

    /// Shows in a chat that somebody writes, or not any more.
    async fn show_typing(&self, chat: &PhoneNumber, typing: Typing) -> Result<(), MessengerError>;

    /// Shows the account's contacts that it is there, or not; until the connection ends, and from the moment on in which the
    /// account's name is known.
    async fn show_presence(&self, presence: Presence) -> Result<(), MessengerError>;

    /// Disconnects, flushing what is not stored yet, within `deadline`. Tells whether all was flushed.
    async fn close(&self, deadline: Duration) -> bool;
}

/// A code that links a session when it is typed on a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingCode {
    /// Eight letters and digits.
    pub code: Secret<String>,
    /// How long WhatsApp still takes it.
    pub valid_for: Duration,
}

/// Whether a number has a WhatsApp account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberStatus {
    /// It has.
    Registered,
    /// It has not.
    Unregistered,
}

/// Why the messenger could not do what it was asked. In all of these nothing was put on the wire.
#[derive(Debug, thiserror::Error)]
pub enum MessengerError {
    /// The session is not connected.
    #[error("the session is not connected")]
    NotConnected,
    /// WhatsApp did not answer a query.
    #[error("WhatsApp did not answer {0}")]
    NoAnswer(&'static str),
    /// The session is linked already.
    #[error("the session is linked already")]
    Linked,
    /// WhatsApp refused; it may allow it later.
    #[error("WhatsApp refused {0}")]
    Refused(&'static str),
    /// The message was not on the wire by its [`Outgoing::not_after`].
    #[error("the message was not on the wire in time")]
    TooLate,
    /// The session's store refused a write because the session has another owner.
    #[error("the session belongs to another worker by now")]
    Fenced,
    /// The client could not be started or could not build the message.
    #[error("the WhatsApp client failed while {action}")]
    Client {
        /// What was being done.
        action: &'static str,
        /// The library's error, which must not hold content.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// WhatsApp does not have it any more, or it is not the one that was announced.
    #[error("WhatsApp does not have the file any more")]
    Gone,
    /// It may come another time.
    #[error(transparent)]
    Messenger(#[from] MessengerError),
}

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptKind {
    /// On the phone.
    Delivered,
    /// Seen.
    Read,
}

/// A receipt for messages of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which messages.
    pub ids: Vec<MessageId>,
    /// How far they have come.
    pub kind: ReceiptKind,
    /// When, by WhatsApp's clock.
    pub at: Timestamp,
}

/// What happens on a connection.
#[derive(Debug)]
pub enum MessengerEvent {
    /// A QR code to scan, valid for this long.
    Qr {
        /// What the code says.
        text: Secret<String>,
        /// How long WhatsApp takes it.
        valid_for: Duration,
    },
    /// A code waits to be typed on the phone of a number that somebody named.
    PairingCode(PairingCode),
    /// All codes of the round went by unscanned; the client has stopped.
    QrExhausted,
    /// The phone has linked the session; the connection restarts by itself.
    Paired(Account),
    /// It can send now.
    Connected,
    /// The connection is gone; the client tries again by itself.
    Disconnected,
    /// Logged out on the phone or removed by WhatsApp; the client has stopped.
    LoggedOut,
    /// Another connection took the session's place: the lease is lost. The client has stopped.
    Replaced,
    /// Banned, perhaps for a time; the client has stopped.
    Banned {
        /// How long, if WhatsApp said so.
        for_: Option<Duration>,
        /// WhatsApp's code.
        code: u16,
    },
    /// WhatsApp lets the account begin no new chats before this moment.
    Restricted {
        /// Until when.
        until: Timestamp,
    },
    /// WhatsApp lets the account begin new chats again.
    Unrestricted,
    /// WhatsApp refuses this client version; the client has stopped.
    Outdated,
    /// The store refused a write: the session has another owner. The client has stopped.
    Fenced,
    /// A receipt for messages of ours. It is acknowledged to WhatsApp once `stored` was told; dropping `stored` leaves it
    /// unacknowledged and costs the connection, and WhatsApp delivers it again with the next one. Nothing else goes out
    /// meanwhile, so whoever gets this must not wait for an answer of WhatsApp's before he tells.
    Receipt {
        /// Of what, and how far it has come.
        receipt: Receipt,
        /// To be told when it is recorded.
        stored: Stored,
    },
    /// Somebody wrote. The message is acknowledged to WhatsApp once `stored` was told that it is durable; dropping
    /// `stored` leaves it unacknowledged, and WhatsApp delivers it again.
    Incoming {
        /// What came, in order.
        messages: Vec<Incoming>,
        /// To be told when it is durable.
        stored: Stored,
    },
}
