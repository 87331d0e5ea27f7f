//! A WhatsApp that does as it is told, for tests of what stands above it.

mod sender;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc, oneshot};

use super::lock;
use crate::domain::{Fence, MessageId, PhoneNumber, Presence, Quoted, Recipient, SessionId, Timestamp, Typing};
use crate::port::{Body, Connection, Messenger, MessengerError, MessengerEvent, SendAnswer};
use sender::MemorySender;

/// How many events a connection holds for its reader.
const EVENTS: usize = 256;

/// A message on the wire, or on its way there.
#[derive(Clone, Debug, PartialEq)]
pub struct SentMessage {
    /// Under which ownership the connection was opened.
    pub fence: Fence,
    /// To whom.
    pub to: Recipient,
    /// Under which id.
    pub id: MessageId,
    /// What it says.
    pub body: Body,
    /// What it answers.
    pub reply_to: Option<Quoted>,
    /// By when it must be on the wire.
    pub not_after: Option<Timestamp>,
}

impl SentMessage {
    /// The text; empty for what is more than a text.
    pub fn text(&self) -> &str {
        if let Body::Text(text) = &self.body { text.expose() } else { "" }
    }
}

/// What is to become of one message.
#[derive(Debug)]
pub enum Reply {
    /// It is on the wire, and this is the answer.
    Answer(SendAnswer),
    /// It is on the wire, and the answer is the test's to give; [`SendAnswer::Unknown`] once the caller's patience or
    /// the other end of this channel is gone.
    Held(oneshot::Receiver<SendAnswer>),
    /// It is not on the wire: the session is not connected.
    NotConnected,
    /// It is not on the wire: the store refused a write.
    Fenced,
    /// It is not on the wire: it took until after its [`not_after`](crate::port::Outgoing::not_after).
    TooLate,
}

/// What a session showed beside messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// That these messages were read.
    Read(PhoneNumber, Vec<MessageId>),
    /// That somebody writes, or not.
    Typing(PhoneNumber, Typing),
    /// That it is there, or not.
    Presence(Presence),
}

type Script = Box<dyn FnMut(&SentMessage) -> Reply + Send>;

struct Client {
    /// Counts all clients ever opened.
    number: u64,
    connected: bool,
    events: mpsc::Sender<MessengerEvent>,
}

struct State {
    script: Script,
    connect_on_open: bool,
    unregistered: HashSet<PhoneNumber>,
    unanswered: Option<SessionId>,
    restricted: Option<Timestamp>,
    clients: HashMap<SessionId, Client>,
    opened: Vec<Fence>,
    replaced: u64,
    checked: Vec<PhoneNumber>,
    sent: Vec<SentMessage>,
    logged_out: Vec<SessionId>,
    uploads: Vec<Vec<u8>>,
    failing_uploads: u32,
    files: HashMap<String, Option<Vec<u8>>>,
    fetched: u32,
    shown: Vec<Shown>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

/// Connections to nowhere. Unless told otherwise, a connection is connected as soon as it is opened, every number is
/// registered, and every message is accepted.
///
/// As at WhatsApp, a session has one connection: opening another replaces the first.
#[derive(Clone)]
pub struct MemoryMessenger {
    shared: Arc<Shared>,
}

impl Default for MemoryMessenger {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryMessenger {
    /// Nothing is open.
    pub fn new() -> Self {
        let state = State {
            script: Box::new(|_| Reply::Answer(SendAnswer::Accepted)),
            connect_on_open: true,
            unregistered: HashSet::new(),
            unanswered: None,
            restricted: None,
            clients: HashMap::new(),
            opened: Vec::new(),
            replaced: 0,
            checked: Vec::new(),
            sent: Vec::new(),
            logged_out: Vec::new(),
            uploads: Vec::new(),
            failing_uploads: 0,
            files: HashMap::new(),
            fetched: 0,
            shown: Vec::new(),
        };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }) }
    }

    /// Decides from now on what becomes of each message. It is called under a lock, so it must not call this
    /// messenger.
    pub fn script(&self, script: impl FnMut(&SentMessage) -> Reply + Send + 'static) {
        lock(&self.shared.state).script = Box::new(script);
    }

    /// Whether connections opened from now on are connected at once, without an event of the test's.
    pub fn connect_on_open(&self, connect: bool) {
        lock(&self.shared.state).connect_on_open = connect;
    }

    /// From now on these numbers, and no others, have no account.
    pub fn unregistered(&self, numbers: impl IntoIterator<Item = PhoneNumber>) {
        lock(&self.shared.state).unregistered = numbers.into_iter().collect();
    }

    /// From now on this session's questions about numbers get no answer, not even an error.
    pub fn leave_checks_unanswered(&self, session: Option<SessionId>) {
        lock(&self.shared.state).unanswered = session;
    }

    /// What is said from now on when somebody asks until when new chats are restricted.
    pub fn restricted(&self, until: Option<Timestamp>) {
        lock(&self.shared.state).restricted = until;
    }

    /// Lets something happen on a session's connection; waits for room if its reader is slow. Gives the event back if
    /// the session has no connection. Events after which a client has stopped end the connection, the others say
    /// whether it can send.
    pub async fn emit(&self, session: &SessionId, event: MessengerEvent) -> Result<(), MessengerEvent> {
        let (stops, connects) = effect(&event);
        let events = {
            let mut state = lock(&self.shared.state);
            let Some(client) = state.clients.get_mut(session) else { return Err(event) };
            client.connected = connects.unwrap_or(client.connected);
            let events = client.events.clone();
            if stops {
                state.clients.remove(session);
            }
            events
        };
        self.shared.changed.notify_waiters();
        events.send(event).await.map_err(|back| back.0)
    }

    /// What was put on the wire, in order.
    pub fn sent(&self) -> Vec<SentMessage> {
        lock(&self.shared.state).sent.clone()
    }

    /// Waits until so many messages were put on the wire and tells them; without end, so give it a deadline.
    pub async fn sent_at_least(&self, count: usize) -> Vec<SentMessage> {
        loop {
            let changed = self.shared.changed.notified();
            let sent = self.sent();
            if sent.len() >= count {
                return sent;
            }
            changed.await;
        }
    }

    /// Waits until a session's connection is open (or is not); without end, so give it a deadline.
    pub async fn until_open(&self, session: &SessionId, open: bool) {
        loop {
            let changed = self.shared.changed.notified();
            if lock(&self.shared.state).clients.contains_key(session) == open {
                return;
            }
            changed.await;
        }
    }

    /// The sessions whose connections are open, in order of their names.
    pub fn open_sessions(&self) -> Vec<SessionId> {
        let mut open: Vec<_> = lock(&self.shared.state).clients.keys().cloned().collect();
        open.sort();
        open
    }

    /// Under which ownership connections were opened, in order.
    pub fn opened(&self) -> Vec<Fence> {
        lock(&self.shared.state).opened.clone()
    }

    /// How often a session's connection was opened while another was open: two owners at a time.
    pub fn replaced(&self) -> u64 {
        lock(&self.shared.state).replaced
    }

    /// The numbers that were asked for, in order.
    pub fn checked(&self) -> Vec<PhoneNumber> {
        lock(&self.shared.state).checked.clone()
    }

    /// The files that were uploaded, in order.
    pub fn uploads(&self) -> Vec<Vec<u8>> {
        lock(&self.shared.state).uploads.clone()
    }

    /// What is given out from now on for this source; `None`: no answer. What was never put is gone.
    pub fn put_file(&self, source: &str, bytes: Option<Vec<u8>>) {
        lock(&self.shared.state).files.insert(source.to_owned(), bytes);
    }

    /// Waits until files were asked for so often; without end, so give it a deadline.
    pub async fn fetched_at_least(&self, count: u32) {
        loop {
            let changed = self.shared.changed.notified();
            if lock(&self.shared.state).fetched >= count {
                return;
            }
            changed.await;
        }
    }

    /// So many uploads get no answer from now on.
    pub fn fail_uploads(&self, count: u32) {
        lock(&self.shared.state).failing_uploads = count;
    }

    /// What was shown in chats, in order.
    pub fn shown(&self) -> Vec<Shown> {
        lock(&self.shared.state).shown.clone()
    }

    /// The sessions that were logged out by us, in order.
    pub fn logged_out(&self) -> Vec<SessionId> {
        lock(&self.shared.state).logged_out.clone()
    }
}

/// Whether the client has stopped after the event, and whether it can send.
const fn effect(event: &MessengerEvent) -> (bool, Option<bool>) {
    match event {
        MessengerEvent::QrExhausted
        | MessengerEvent::LoggedOut
        | MessengerEvent::Replaced
        | MessengerEvent::Banned { .. }
        | MessengerEvent::Outdated
        | MessengerEvent::Fenced => (true, Some(false)),
        MessengerEvent::Connected => (false, Some(true)),
        MessengerEvent::Disconnected | MessengerEvent::Paired(_) | MessengerEvent::Qr { .. } => (false, Some(false)),
        MessengerEvent::PairingCode(_)
        | MessengerEvent::Receipt { .. }
        | MessengerEvent::Incoming { .. }
        | MessengerEvent::Restricted { .. }
        | MessengerEvent::Unrestricted => (false, None),
    }
}

#[async_trait]
impl Messenger for MemoryMessenger {
    async fn open(&self, fence: Fence) -> Result<Connection, MessengerError> {
        let (events, receiver) = mpsc::channel(EVENTS);
        let number = {
            let mut state = lock(&self.shared.state);
            state.opened.push(fence.clone());
            let number = state.opened.len() as u64;
            let connected = state.connect_on_open;
            if connected {
                // The channel is new, so there is room.
                let _ = events.try_send(MessengerEvent::Connected);
            }
            let client = Client { number, connected, events };
            if let Some(older) = state.clients.insert(fence.session.clone(), client) {
                state.replaced += 1;
                // A reader that is 256 events behind notices by the end of the channel.
                let _ = older.events.try_send(MessengerEvent::Replaced);
            }
            number
        };
        self.shared.changed.notify_waiters();
        let sender = Arc::new(MemorySender { shared: self.shared.clone(), fence, number });
        Ok(Connection { sender, events: receiver })
    }
}
