//! Starting, driving and stopping a simulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::account::PhoneNumber;
use crate::config::SimConfig;
use crate::control;
use crate::error::SimError;
use crate::fault::{Fault, FaultId};
use crate::journal::{Counters, JournalEntry};
use crate::media::{self, MediaKind};
use crate::operations::{self, AccountView, PhonePage, PhoneView};
use crate::phone::{InboxMessage, PhoneBehaviour};
use crate::server::{self, LinkedDevice, Receipts, WaitingClient};
use crate::world::World;

/// A WhatsApp server on this computer, with phones.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts a simulator. It runs until `shutdown` is cancelled or [`SimHandle::stop`] is called.
    ///
    /// Simulators do not share anything: several in one process work apart.
    pub async fn start(mut config: SimConfig, shutdown: CancellationToken) -> Result<SimHandle, SimError> {
        config.check()?;
        let websocket = listen(config.websocket).await?;
        let control = listen(config.control).await?;
        let media = listen(config.media.address).await?;
        let address = |listener: &TcpListener, asked| {
            listener.local_addr().map_err(|source| SimError::Listen { address: asked, source })
        };
        let websocket_address = address(&websocket, config.websocket)?;
        let control_address = address(&control, config.control)?;
        config.media.address = address(&media, config.media.address)?;
        let (receipts, queue) = Receipts::channel();
        let world = Arc::new(World::new(config, shutdown.child_token(), receipts)?);
        world.tasks.spawn(queue.run(Arc::clone(&world)));
        world.tasks.spawn(accept(Arc::clone(&world), websocket));
        world.tasks.spawn(media::serve(Arc::clone(&world), media));
        let serve = control::serve(Arc::clone(&world), control, websocket_address);
        world.tasks.spawn(serve);
        tracing::info!(%websocket_address, %control_address, "simulator started");
        Ok(SimHandle { world, websocket: websocket_address, control: control_address })
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SimError> {
    TcpListener::bind(address).await.map_err(|source| SimError::Listen { address, source })
}

/// Gives a place back when a connection is over, however it ends.
struct Place(Arc<World>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}

async fn accept(world: Arc<World>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = world.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let place = Place(Arc::clone(&world));
                if world.connections.fetch_add(1, Ordering::AcqRel) >= world.config.limits.connections {
                    tracing::warn!(limit = world.config.limits.connections, "connection refused: too many");
                    drop(place);
                    continue;
                }
                let shared = Arc::clone(&world);
                world.tasks.spawn(async move {
                    server::serve(shared, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be returned.
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What a stop left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopReport {
    /// Connections that were open when the stop began.
    pub connections: usize,
    /// Tasks that did not end before the deadline.
    pub abandoned: usize,
}

/// A running simulator. Clones drive the same one.
#[derive(Clone)]
pub struct SimHandle {
    pub(crate) world: Arc<World>,
    websocket: SocketAddr,
    control: SocketAddr,
}

impl std::fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimHandle")
            .field("websocket", &self.websocket)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl SimHandle {
    /// Where clients connect: `ws://127.0.0.1:PORT/ws/chat`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}/ws/chat", self.websocket)
    }

    /// Where the control interface and its page are: `http://127.0.0.1:PORT`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The public key that signs the server's certificates, for clients whose root can be set.
    pub fn root_key(&self) -> [u8; 32] {
        self.world.keys.root_public()
    }

    /// The phone of `phone` scans the QR code whose text is `qr`.
    pub async fn scan(&self, qr: &str, phone: &str) -> Result<LinkedDevice, SimError> {
        server::scan(&self.world, qr, phone.parse()?).await
    }

    /// The messages that reached a phone, in order of arrival; empty for an untouched phone.
    pub fn inbox(&self, phone: &str) -> Result<Vec<InboxMessage>, SimError> {
        Ok(self.phone(phone)?.inbox)
    }

    /// All that a phone shows.
    pub fn phone(&self, phone: &str) -> Result<PhoneView, SimError> {
        Ok(operations::phone(&self.world, phone.parse()?))
    }

    /// Up to `limit` phones that have something to show, after the number `after`.
    pub fn inboxes(&self, after: Option<PhoneNumber>, limit: usize) -> PhonePage {
        operations::phones(&self.world, after, limit)
    }

    /// Accounts with linked devices.
    pub fn accounts(&self) -> Vec<AccountView> {
        operations::accounts(&self.world)
    }

    /// The phone's owner logs a linked device out.
    pub async fn logout(&self, account: &str, device: u16) -> Result<(), SimError> {
        operations::log_out(&self.world, account.parse()?, device).await
    }

    /// Cuts a device's connection without a word.
    pub async fn drop_connection(&self, account: &str, device: u16) -> Result<(), SimError> {
        operations::drop_connection(&self.world, account.parse()?, device).await
    }

    /// Makes something go wrong. Returns the name of a fault that stays in force.
    pub async fn fault(&self, fault: Fault) -> Result<Option<FaultId>, SimError> {
        operations::fault(&self.world, fault).await
    }

    /// Takes a fault back. Returns whether it was in force.
    pub fn clear_fault(&self, fault: FaultId) -> bool {
        self.world.faults.remove(fault)
    }

    /// The faults in force.
    pub fn faults(&self) -> Vec<(FaultId, Fault)> {
        self.world.faults.list()
    }

    /// The clients that show a QR code now.
    pub fn waiting(&self) -> Vec<WaitingClient> {
        server::waiting(&self.world)
    }

    /// The phone of `from` sends a text to the account `to`. Returns the message id.
    pub async fn send_text(&self, from: &str, to: &str, text: &str) -> Result<String, SimError> {
        server::send_text(&self.world, from.parse()?, to.parse()?, text).await
    }

    /// The certificate that signs the media server's, as PEM: clients that upload or download must
    /// trust it.
    pub fn media_ca_pem(&self) -> String {
        self.world.media.ca_pem().to_owned()
    }

    /// The phone of `from` sends a file to the account `to`. Returns the message id.
    pub async fn send_media(
        &self,
        from: &str,
        to: &str,
        kind: MediaKind,
        mimetype: &str,
        bytes: Vec<u8>,
        caption: Option<&str>,
    ) -> Result<String, SimError> {
        let file = media::Outgoing {
            kind,
            mimetype: mimetype.to_owned(),
            bytes,
            caption: caption.map(str::to_owned),
            file_name: None,
        };
        server::send_media(&self.world, from.parse()?, to.parse()?, file).await
    }

    /// The media server loses a file before its time. `direct_path` is as in the message. Returns
    /// whether it was there.
    pub async fn lose_media(&self, direct_path: &str) -> bool {
        self.world.media.forget(direct_path).await
    }

    /// Changes how one phone behaves.
    pub fn set_phone(&self, phone: &str, behaviour: PhoneBehaviour) -> Result<(), SimError> {
        operations::set_phone(&self.world, phone.parse()?, behaviour)
    }

    /// Up to `limit` journal entries after position `after`.
    pub fn journal(&self, after: u64, limit: usize) -> Vec<Arc<JournalEntry>> {
        self.world.journal.read(after, limit)
    }

    /// New journal entries as they are written.
    pub fn follow_journal(&self) -> broadcast::Receiver<Arc<JournalEntry>> {
        self.world.journal.follow()
    }

    /// A number that grows whenever something happened that the other methods can tell.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.world.journal.changes()
    }

    /// Totals since the start.
    pub fn counters(&self) -> Counters {
        self.world.journal.counters()
    }

    /// Waits until `reached` says so, asking again whenever something happened. `what` names the
    /// awaited state in the error.
    pub async fn wait_until<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        mut reached: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, SimError> {
        let mut changes = self.changes();
        let wait = async {
            loop {
                changes.borrow_and_update();
                if let Some(state) = reached(self) {
                    return Ok(state);
                }
                if changes.changed().await.is_err() {
                    return Err(SimError::Stopping);
                }
            }
        };
        match tokio::time::timeout(deadline, wait).await {
            Ok(state) => state,
            Err(_) => Err(SimError::Timeout { what, millis: deadline.as_millis() }),
        }
    }

    /// Waits until a phone shows at least `count` messages.
    pub async fn wait_for_messages(
        &self,
        phone: &str,
        count: usize,
        deadline: Duration,
    ) -> Result<Vec<InboxMessage>, SimError> {
        let number: PhoneNumber = phone.parse()?;
        self.wait_until("arrival of the messages", deadline, |sim| {
            let inbox = operations::phone(&sim.world, number).inbox;
            (inbox.len() >= count).then_some(inbox)
        })
        .await
    }

    /// Waits until the simulator stops because its shutdown token was cancelled.
    pub async fn stopped(&self) {
        self.world.stop.cancelled().await;
    }

    /// Stops the simulator: closes all connections and waits for its tasks, up to `deadline`.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        let connections = self.world.connections.load(Ordering::Acquire);
        self.world.stop.cancel();
        self.world.tasks.close();
        let finished = tokio::time::timeout(deadline, self.world.tasks.wait()).await.is_ok();
        let abandoned = if finished { 0 } else { self.world.tasks.len() };
        StopReport { connections, abandoned }
    }
}

/// Runs a simulator until `shutdown` is cancelled, telling `started` where it listens. This is what
/// a command line needs.
pub async fn serve(
    config: SimConfig,
    shutdown: CancellationToken,
    stop_within: Duration,
    started: impl FnOnce(&SimHandle),
) -> Result<StopReport, SimError> {
    let handle = Simulator::start(config, shutdown).await?;
    started(&handle);
    handle.stopped().await;
    Ok(handle.stop(stop_within).await)
}
