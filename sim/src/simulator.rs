//! Starting, driving and stopping a simulator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::account::PhoneNumber;
use crate::audit::{self, Audit};
use crate::config::SimConfig;
use crate::control;
use crate::error::SimError;
use crate::fault::{self, Fault, FaultId, Scenario};
use crate::group::{Addressing, Group, GroupChange, GroupId, MemberOutcome};
use crate::journal::{Counters, JournalEntry};
use crate::media::{self, MediaKind};
use crate::operations::{self, AccountView, PhonePage, PhoneView};
use crate::phone::{InboxMessage, PhoneBehaviour};
use crate::server::{self, LinkedDevice, Receipts, Restarts, WaitingClient};
use crate::state::Keeper;
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
        let (restarts_sender, restarts) = Restarts::channel();
        let stop = shutdown.child_token();
        // A kept state is read from disk.
        let opened = tokio::task::spawn_blocking(move || World::new(config, stop, receipts, restarts_sender));
        let world = Arc::new(opened.await.map_err(|_| SimError::Stopping)??);
        world.tasks.spawn(Keeper::run(Arc::clone(&world)));
        world.tasks.spawn(queue.run(Arc::clone(&world)));
        if let Some(scenario) = world.config.scenario.clone() {
            fault::run_scenario(&world, scenario).await;
        }
        world.tasks.spawn(server::accept(Arc::clone(&world), websocket, restarts));
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

    /// The owner of the phone of `phone` types the code that a client shows. The code may have its dash; after
    /// [`SimError::WrongPairCode`] with tries left another code may be typed.
    pub async fn enter_pair_code(&self, phone: &str, code: &str) -> Result<LinkedDevice, SimError> {
        server::enter_pair_code(&self.world, phone.parse()?, code).await
    }

    /// The numbers for which a client shows a code now, to be typed on the phone.
    pub fn pair_codes(&self) -> Vec<PhoneNumber> {
        self.world.pair_codes.numbers(Instant::now())
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
        fault::order(&self.world, fault).await
    }

    /// Restarts the service: all connections are cut, connections are refused for `down_for`, then clients
    /// are served again. Accounts, phones and what waits for devices stay. Returns when it is over.
    pub async fn restart(&self, down_for: Duration) -> Result<(), SimError> {
        self.world.restarts.order(down_for).await
    }

    /// Saves what changed, if a state is kept. It is on disk when this returns; without this call it is
    /// within a second.
    pub async fn save(&self) -> Result<(), SimError> {
        Keeper::save(&self.world).await
    }

    /// Takes a fault back. Returns whether it was in force.
    pub fn clear_fault(&self, fault: FaultId) -> bool {
        self.world.faults.remove(fault)
    }

    /// Takes all faults back that are in force. Returns how many.
    pub fn clear_faults(&self) -> usize {
        self.world.faults.clear()
    }

    /// Begins a scenario now; its times count from here.
    pub async fn scenario(&self, scenario: Scenario) {
        fault::run_scenario(&self.world, scenario).await;
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

    /// The phone of `creator` makes a group of itself and `members`. Those who are not on WhatsApp
    /// stay out.
    pub fn create_group(
        &self,
        creator: &str,
        subject: &str,
        members: &[&str],
        addressing: Addressing,
    ) -> Result<Arc<Group>, SimError> {
        let members = members.iter().map(|member| member.parse()).collect::<Result<_, _>>()?;
        operations::create_group(&self.world, creator.parse()?, subject, members, addressing)
    }

    /// The phone of `by` changes a group. Returns what became of each named member.
    pub fn change_group(&self, group: GroupId, by: &str, change: GroupChange) -> Result<Vec<MemberOutcome>, SimError> {
        operations::change_group(&self.world, group, by.parse()?, change)
    }

    /// A group as it is now, if there is one.
    pub fn group(&self, group: GroupId) -> Option<Arc<Group>> {
        self.world.groups.get(group)
    }

    /// All groups, by address.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        self.world.groups.all()
    }

    /// The phone of `from` writes a text in a group. Returns the message id.
    pub async fn send_group_text(&self, from: &str, group: GroupId, text: &str) -> Result<String, SimError> {
        server::send_group_text(&self.world, from.parse()?, group, text).await
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

    /// Registers by when message ids should arrive at phones, in milliseconds since 1970. An id that is
    /// registered again gets the new deadline. Returns how many ids are registered now.
    pub fn expect_by(&self, deadlines: impl IntoIterator<Item = (String, u64)>) -> Result<usize, SimError> {
        self.world.journal.expect(deadlines.into_iter().collect())
    }

    /// Forgets all registered deadlines.
    pub fn expect_nothing(&self) {
        self.world.journal.expect_nothing();
    }

    /// Judges what happened after journal position `after`, and all registered deadlines.
    pub fn audit(&self, after: u64) -> Audit {
        audit::of(&self.world, after)
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
        if let Err(error) = Keeper::close(&self.world).await {
            tracing::error!(%error, "the last of the state could not be saved");
        }
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
