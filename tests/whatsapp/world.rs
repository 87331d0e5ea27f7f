//! A simulator, a store, and sessions linked through both.

use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::whatsapp::{Endpoint, WhatsAppMessenger, WhatsAppOptions};
use kurir_core::domain::{Account, Fence, PhoneNumber, SessionId, TenantId, Timestamp, WorkerName};
use kurir_core::memory::{MemoryStores, SystemClock};
use kurir_core::port::{Connection, Messenger as _, MessengerEvent, NewSession, SessionStore, StateStore, Stored};
use kurir_sim::{CancellationToken, PhonesRule, SimConfig, SimHandle, Simulator};

/// Within this time everything that a test waits for has happened, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub const SENDER: &str = "6281230000001";
pub const FRIEND: &str = "6281230000002";

pub struct World {
    pub sim: SimHandle,
    pub stores: Arc<MemoryStores>,
    session: SessionId,
}

impl World {
    pub async fn start() -> Self {
        let phones = PhonesRule { magic_endings: true, ..PhonesRule::default() };
        let config = SimConfig { phones, ..SimConfig::default() };
        Self::with(config).await
    }

    pub async fn with(config: SimConfig) -> Self {
        let sim = Simulator::start(config, CancellationToken::new()).await.expect("the simulator");
        let stores = Arc::new(MemoryStores::new(Arc::new(SystemClock)));
        let session = SessionId::new("s1").expect("a name");
        let tenant = TenantId::new("t1").expect("a name");
        let new = NewSession::new(session.clone(), tenant, Timestamp::from_millis(0));
        stores.create(new).await.expect("the session");
        Self { sim, stores, session }
    }

    /// Another process: it shares the store with all others and nothing else.
    pub fn messenger(&self) -> WhatsAppMessenger {
        let options = WhatsAppOptions {
            endpoint: Endpoint::Simulator(self.sim.ws_url()),
            prekeys: 10,
            media_ca: Some(self.sim.media_ca_pem().clone()),
            ..WhatsAppOptions::default()
        };
        let store = Arc::clone(&self.stores) as Arc<dyn StateStore>;
        WhatsAppMessenger::new(options, store, Arc::new(SystemClock)).expect("a messenger")
    }

    /// Takes the session over.
    pub async fn claim(&self, owner: &str) -> Fence {
        let worker = WorkerName::new(owner).expect("a name");
        let record = self.stores.claim(&self.session, &worker).await.expect("the store").expect("the session");
        Fence { session: record.id, epoch: record.epoch }
    }

    pub async fn open(&self, owner: &str) -> Connection {
        let fence = self.claim(owner).await;
        self.messenger().open(fence).await.expect("a client")
    }

    /// Opens the session and has the sender's phone scan the code.
    pub async fn link(&self, owner: &str) -> (Connection, Account) {
        let mut connection = self.open(owner).await;
        let code = wait(&mut connection, "a QR code", |event| match event {
            MessengerEvent::Qr { text, valid_for } => {
                assert!(valid_for > Duration::from_secs(10));
                Some(text.into_inner())
            }
            _ => None,
        })
        .await;
        self.sim.scan(&code, SENDER).await.expect("the scan");
        let account = wait(&mut connection, "the link", |event| match event {
            MessengerEvent::Paired(account) => Some(account),
            _ => None,
        })
        .await;
        connected(&mut connection).await;
        (connection, account)
    }
}

/// The next event of a kind; those before it are skipped.
pub async fn wait<T>(connection: &mut Connection, what: &str, mut pick: impl FnMut(MessengerEvent) -> Option<T>) -> T {
    let waiting = async {
        while let Some(event) = connection.events.recv().await {
            if let Some(found) = pick(recorded(event)) {
                return found;
            }
        }
        panic!("the events ended before {what}");
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("no {what} in time"))
}

/// A receipt that nobody records costs the connection.
fn recorded(event: MessengerEvent) -> MessengerEvent {
    match event {
        MessengerEvent::Receipt { receipt, stored } => {
            stored.tell();
            MessengerEvent::Receipt { receipt, stored: Stored::unawaited() }
        }
        event => event,
    }
}

/// Records receipts as they come, so that what is sent meanwhile is not held back; all events can still be read.
pub fn recording(connection: Connection) -> Connection {
    let Connection { sender, mut events } = connection;
    let (to, kept) = tokio::sync::mpsc::channel(1024);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if to.send(recorded(event)).await.is_err() {
                return;
            }
        }
    });
    Connection { sender, events: kept }
}

pub async fn connected(connection: &mut Connection) {
    wait(connection, "a connection", |event| match event {
        MessengerEvent::Connected => Some(()),
        MessengerEvent::Qr { .. } => panic!("a second scan is asked for"),
        _ => None,
    })
    .await;
}

/// All events until the last.
pub async fn rest(connection: &mut Connection) -> Vec<MessengerEvent> {
    let collecting = async {
        let mut events = Vec::new();
        while let Some(event) = connection.events.recv().await {
            events.push(event);
        }
        events
    };
    tokio::time::timeout(DEADLINE, collecting).await.expect("the events end")
}

pub fn number(digits: &str) -> PhoneNumber {
    PhoneNumber::from_digits(digits.to_owned()).expect("a number")
}
