//! One client's connection, from the first byte to the last.
//!
//! A connection is one task. It takes what the client sends, orders from elsewhere, and what waits
//! in the device's mailbox; it answers in one write for all that arrived together. Work for phones
//! is done after the answers are written, so that an acknowledgement does not wait for it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::marshal::unmarshal_ref;
use waproto::whatsapp as wa;

use super::handshake::{Opened, handshake};
use super::keep_alive::{Due, KeepAlive};
use super::login::{self, Refusal, Seat};
use super::message::{self, Errand};
use super::pairing::{self, Registration};
use super::tamper::{Incoming, Tamper, receive, until};
use super::unlinked::{self, PendingOffer};
use super::{Command, Effects, EndReason, Session, iq, presence, receipt, stanza};
use crate::account::{DeviceAddress, Link};
use crate::journal::JournalEvent;
use crate::operations;
use crate::transport::{Wire, WireError};
use crate::world::World;

/// Orders that may wait for one connection.
const COMMAND_BACKLOG: usize = 16;
/// WebSocket messages that are handled before the answers are written.
const BATCH: usize = 64;
/// How long a client may leave what the server sends unread.
const STALL: Duration = Duration::from_secs(30);
/// How long the server leaves it to the client to close, after it said why. whatsmeow handles what it
/// has not read yet only while its connection is open, so a server that closes at once is not heard.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client may take to close after the server did.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection is at the moment.
enum Stage {
    /// Not linked: it shows QR codes.
    Unlinked { offer: Option<PendingOffer> },
    /// Logged in, does not want messages yet.
    Passive(Seat),
    /// Logged in and served.
    Active(Seat),
}

impl Stage {
    fn seat(&self) -> Option<&Seat> {
        match self {
            Self::Unlinked { .. } => None,
            Self::Passive(seat) | Self::Active(seat) => Some(seat),
        }
    }

    fn address(&self) -> Option<DeviceAddress> {
        self.seat().map(|seat| seat.device.address)
    }
}

struct Connection {
    world: Arc<World>,
    serial: u64,
    wire: Wire,
    stage: Stage,
    errands: Vec<Errand>,
    requests: u64,
    keep_alive: KeepAlive,
    tamper: Tamper,
    /// Ends with the simulator and with a restart of the service.
    cut: CancellationToken,
}

/// Serves one client until either side ends the connection.
pub(super) async fn serve(world: Arc<World>, stream: TcpStream, cut: CancellationToken) {
    let serial = world.next_serial();
    let rng = world.entropy.stream("connection", serial);
    let limit = world.config.limits.handshake;
    let opened = tokio::select! {
        () = cut.cancelled() => return,
        opened = tokio::time::timeout(limit, handshake(&world, stream, rng)) => opened,
    };
    match opened {
        Ok(Ok(opened)) => begin(world, serial, opened, cut).await,
        Ok(Err(reason)) => tracing::debug!(serial, reason, "handshake failed"),
        Err(_) => tracing::debug!(serial, "handshake took too long"),
    }
}

async fn begin(world: Arc<World>, serial: u64, opened: Opened, cut: CancellationToken) {
    let Opened { wire, client_static, payload } = opened;
    let (commands, orders) = mpsc::channel(COMMAND_BACKLOG);
    let keep_alive = KeepAlive::new(world.config.limits.silence);
    let mut connection = Connection {
        world,
        serial,
        wire,
        stage: Stage::Unlinked { offer: None },
        errands: Vec::new(),
        requests: 0,
        tamper: Tamper::default(),
        cut,
        keep_alive,
    };
    let begun = match payload.device_pairing_data.as_option() {
        Some(data) => connection.begin_unlinked(data, client_static, &commands),
        None => connection.begin_login(&payload, client_static, commands.clone()).await,
    };
    // The connection's own sender is dropped: from here on others hold it.
    drop(commands);
    let reason = match begun {
        Ok(()) => connection.run(orders).await,
        Err(reason) => reason,
    };
    connection.end(reason).await;
}

impl Connection {
    fn begin_unlinked(
        &mut self,
        data: &wa::client_payload::DevicePairingRegistrationData,
        client_static: [u8; 32],
        commands: &mpsc::Sender<Command>,
    ) -> Result<(), EndReason> {
        let registration = Registration::read(data).map_err(|reason| EndReason::Broken(reason.into()))?;
        let mut rng = self.world.entropy.stream("pairing", self.serial);
        let timings = self.world.config.qr;
        let references = self.world.pairings.open(
            self.serial,
            client_static,
            &registration,
            commands,
            timings,
            (Instant::now(), &mut rng),
        );
        self.world.journal.touch();
        let id = self.next_request();
        self.push(&pairing::pair_device(&id, &references))
    }

    async fn begin_login(
        &mut self,
        payload: &wa::ClientPayload,
        client_static: [u8; 32],
        commands: mpsc::Sender<Command>,
    ) -> Result<(), EndReason> {
        let seat = match login::admit(&self.world, payload, &client_static) {
            Ok(seat) => seat,
            Err((device, refusal)) => {
                if let Some(device) = device {
                    self.world.log(JournalEvent::LoginRefused { device, code: refusal.code() });
                }
                return Err(EndReason::LoginRefused(refusal));
            }
        };
        if let Some((code, expire_secs)) = self.world.login_fault(seat.device.address) {
            self.world.log(JournalEvent::LoginRefused { device: seat.device.address, code });
            return Err(EndReason::LoginRefused(Refusal::Fault { code, expire_secs }));
        }
        let link = Link { serial: self.serial, commands };
        login::take_over(&self.world, &seat.device, link).await;
        self.stage = Stage::Passive(seat.clone());
        // A logout or ban may have come between the check and the seat; what comes from now on
        // arrives as a command.
        if let Err((_, refusal)) = login::admit(&self.world, payload, &client_static) {
            return Err(EndReason::LoginRefused(refusal));
        }
        self.world.log(JournalEvent::Connected { device: seat.device.address });
        for node in login::welcome(&self.world, &seat) {
            self.push(&node)?;
        }
        Ok(())
    }

    fn next_request(&mut self) -> String {
        self.requests += 1;
        format!("sim-{}-{}", self.serial, self.requests)
    }

    fn push(&mut self, node: &wacore_binary::Node) -> Result<(), EndReason> {
        let device = self.stage.address();
        self.tamper.push(&self.world, device, &mut self.wire, node)
    }

    async fn run(&mut self, mut orders: mpsc::Receiver<Command>) -> EndReason {
        loop {
            let frozen = self.tamper.frozen();
            if !frozen && let Err(reason) = self.write_out().await {
                return reason;
            }
            for errand in std::mem::take(&mut self.errands) {
                message::run_errand(&self.world, errand).await;
            }
            let next = tokio::select! {
                biased;
                () = self.cut.cancelled() => ControlFlow::Break(self.why_cut()),
                Some(order) = orders.recv() => self.obey(order),
                () = until(self.tamper.next()) => ControlFlow::Continue(()),
                () = mail(&self.stage), if !frozen => ControlFlow::Continue(()),
                received = receive(&mut self.wire, self.tamper.next_read()), if !frozen => self.received(received),
                due = self.keep_alive.due(), if !frozen => self.quiet(due),
            };
            if let ControlFlow::Break(reason) = next {
                return reason;
            }
        }
    }

    /// Writes the answers and what waits in the mailbox.
    async fn write_out(&mut self) -> Result<(), EndReason> {
        for node in self.tamper.due() {
            self.push(&node)?;
        }
        if let Stage::Active(seat) = &self.stage {
            let (wire, tamper, mut result) = (&mut self.wire, &mut self.tamper, Ok(()));
            seat.device.mailbox.send_pending(|node| {
                if result.is_ok() {
                    result = tamper.push(&self.world, Some(seat.device.address), wire, node);
                }
            });
            result?;
        }
        tokio::select! {
            biased;
            () = self.cut.cancelled() => Err(self.why_cut()),
            written = tokio::time::timeout(STALL, self.wire.flush()) => match written {
                Ok(written) => written.map_err(broken),
                Err(_) => Err(EndReason::Broken("the client does not read".into())),
            },
        }
    }

    fn quiet(&mut self, due: Due) -> ControlFlow<EndReason> {
        if due == Due::GiveUp {
            return ControlFlow::Break(EndReason::Broken(self.keep_alive.reason()));
        }
        let id = self.next_request();
        let node = self.keep_alive.asking(&id);
        self.push(&node).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn why_cut(&self) -> EndReason {
        if self.world.stop.is_cancelled() { EndReason::Stopping } else { EndReason::Cut }
    }

    fn obey(&mut self, order: Command) -> ControlFlow<EndReason> {
        match order {
            Command::End(reason) => ControlFlow::Break(reason),
            Command::Tell(node) => match &self.stage {
                Stage::Active(_) => self.push(&node).map_or_else(ControlFlow::Break, ControlFlow::Continue),
                Stage::Unlinked { .. } | Stage::Passive(_) => ControlFlow::Continue(()),
            },
            Command::Tamper(effect) => match self.tamper.apply(&mut self.wire, &effect) {
                Ok(()) => ControlFlow::Continue(()),
                Err(reason) => ControlFlow::Break(reason),
            },
            Command::Yield(verdict) => {
                let closed = self.already_closed();
                // The newer connection may have given up waiting.
                let _ = verdict.send(!closed);
                ControlFlow::Break(if closed { EndReason::ClientClosed } else { EndReason::Replaced })
            }
            Command::Notify(notification) => {
                if self.stage.seat().is_some() {
                    return ControlFlow::Continue(());
                }
                self.push(&notification).map_or_else(ControlFlow::Break, ControlFlow::Continue)
            }
            Command::Offer(offer) => {
                let id = self.next_request();
                let Stage::Unlinked { offer: pending } = &mut self.stage else {
                    return ControlFlow::Continue(());
                };
                let node = offer.node(&id);
                *pending = Some(PendingOffer { id, answer: offer.answer });
                match self.push(&node) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(reason) => ControlFlow::Break(reason),
                }
            }
        }
    }

    /// Whether the client had closed before it was told to go. What it sent before counts.
    fn already_closed(&mut self) -> bool {
        while let Some(received) = self.wire.receive_ready() {
            if !matches!(received, Ok(true)) {
                return true;
            }
        }
        false
    }

    fn received(&mut self, first: Result<bool, WireError>) -> ControlFlow<EndReason> {
        self.keep_alive.heard();
        let mut received = first;
        for _ in 0..BATCH {
            match received {
                Ok(true) => self.handle_buffered()?,
                Ok(false) => return ControlFlow::Break(EndReason::ClientClosed),
                Err(error) => return ControlFlow::Break(broken(error)),
            }
            let more = if self.tamper.read_one() { self.wire.receive_ready() } else { None };
            match more {
                Some(more) => received = more,
                None => break,
            }
        }
        ControlFlow::Continue(())
    }

    fn handle_buffered(&mut self) -> ControlFlow<EndReason> {
        loop {
            let bytes = match self.wire.next_stanza() {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => return ControlFlow::Break(broken(error)),
            };
            let node = match unmarshal_ref(&bytes) {
                Ok(node) => node,
                Err(error) => {
                    return ControlFlow::Break(broken(WireError::Stanza(error.to_string())));
                }
            };
            self.handle(&node)?;
        }
    }

    fn handle(&mut self, node: &NodeRef<'_>) -> ControlFlow<EndReason> {
        match self.tamper.incoming(&self.world, self.stage.address(), &mut self.wire, node) {
            Incoming::Handle => self.handle_whole(node),
            Incoming::Lose => ControlFlow::Continue(()),
            Incoming::End(reason) => ControlFlow::Break(reason),
            Incoming::HandleThenCut { halfway } => {
                let start = self.wire.pending();
                self.handle_whole(node)?;
                if halfway {
                    self.wire.halve_from(start);
                }
                ControlFlow::Break(EndReason::CutAfterWriting)
            }
        }
    }

    fn handle_whole(&mut self, node: &NodeRef<'_>) -> ControlFlow<EndReason> {
        let mut effects = Effects::default();
        match &mut self.stage {
            Stage::Unlinked { offer } => unlinked::handle((&self.world, self.serial), node, offer, &mut effects),
            Stage::Passive(seat) | Stage::Active(seat) => {
                let session = Session { world: &self.world, account: &seat.account, device: &seat.device };
                dispatch(&session, node, &mut effects);
            }
        }
        self.errands.append(&mut effects.errands);
        for (after, reply) in effects.late {
            self.tamper.delay(after, reply);
        }
        for reply in &effects.replies {
            if let Err(reason) = self.push(reply) {
                return ControlFlow::Break(reason);
            }
        }
        if effects.activate
            && let Err(reason) = self.activate()
        {
            return ControlFlow::Break(reason);
        }
        effects.end.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }

    /// Hands over what waited while the device was away, announced and closed by counts.
    fn activate(&mut self) -> Result<(), EndReason> {
        let Stage::Passive(seat) = &self.stage else {
            return Ok(());
        };
        let seat = seat.clone();
        let waiting = seat.device.mailbox.rewind();
        if waiting.total() > 0 {
            let preview = NodeBuilder::new("offline_preview")
                .attr("count", waiting.total())
                .attr("message", waiting.messages)
                .attr("receipt", waiting.receipts)
                .attr("notification", waiting.notifications)
                .build();
            self.push(&NodeBuilder::new("ib").children([preview]).build())?;
        }
        let (wire, tamper, mut result, mut position) = (&mut self.wire, &mut self.tamper, Ok(()), 0_usize);
        seat.device.mailbox.send_pending(|node| {
            if result.is_ok() {
                let mut node = node.clone();
                node.attrs.insert("offline", position.to_string());
                position += 1;
                result = tamper.push(&self.world, Some(seat.device.address), wire, &node);
            }
        });
        result?;
        let done = NodeBuilder::new("offline").attr("count", position).build();
        self.push(&NodeBuilder::new("ib").children([done]).build())?;
        self.stage = Stage::Active(seat);
        Ok(())
    }

    async fn end(mut self, reason: EndReason) {
        self.world.pairings.close(self.serial);
        self.world.pair_codes.close(self.serial);
        if let Some(seat) = self.stage.seat() {
            if seat.device.detach(self.serial) {
                presence::gone(&self.world, &seat.account, seat.device.address);
            }
            let event = JournalEvent::Disconnected { device: seat.device.address, reason: reason.describe() };
            self.world.log(event);
        } else {
            self.world.journal.touch();
        }
        if let (EndReason::Removed, Some(seat)) = (&reason, self.stage.seat()) {
            // By a fault on this connection; otherwise the device is already gone.
            operations::forget_device(&self.world, &seat.account, seat.device.address.device, false);
        }
        tracing::debug!(serial = self.serial, reason = reason.describe(), "connection ends");
        let farewell = match &reason {
            EndReason::Cut | EndReason::CutAfterWriting => None,
            EndReason::Replaced => Some(Some(stanza::stream_error(None, Some("replaced")))),
            EndReason::Removed => Some(Some(stanza::stream_error(Some(401), Some("device_removed")))),
            EndReason::StreamError(code) => Some(Some(stanza::stream_error(Some(*code), None))),
            EndReason::LoginRefused(refusal) => Some(Some(Refusal::node(refusal))),
            EndReason::ClientClosed | EndReason::Broken(_) | EndReason::Stopping => Some(None),
        };
        // What was acknowledged must reach its phone, whatever became of the connection.
        for errand in std::mem::take(&mut self.errands) {
            message::run_errand(&self.world, errand).await;
        }
        if let Some(last) = farewell {
            let goodbye = async {
                if let Some(node) = &last {
                    self.wire.push(node)?;
                }
                // A client that logged itself out closes when it has read the answer.
                if last.is_some() || reason == EndReason::ClientClosed {
                    self.wire.flush().await?;
                    tokio::select! {
                        () = self.world.stop.cancelled() => {}
                        // Nothing more can be done for a client that sends what makes no sense now.
                        _ = tokio::time::timeout(LINGER, self.wire.until_closed()) => {}
                    }
                }
                self.wire.close().await
            };
            // A client that does not take the goodbye gets none.
            drop(tokio::time::timeout(LINGER + FAREWELL, goodbye).await);
        } else if reason == EndReason::CutAfterWriting {
            drop(tokio::time::timeout(FAREWELL, self.wire.cut()).await);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
pub(super) fn broken(error: WireError) -> EndReason {
    EndReason::Broken(error.to_string())
}

/// Waits for mail, if the client wants it.
async fn mail(stage: &Stage) {
    match stage {
        Stage::Active(seat) => seat.device.mailbox.filled().await,
        Stage::Unlinked { .. } | Stage::Passive(_) => std::future::pending().await,
    }
}

/// Does what a stanza of a logged-in device asks for.
pub(crate) fn dispatch(session: &Session<'_>, node: &NodeRef<'_>, effects: &mut Effects) {
    match node.tag.as_ref() {
        "iq" => iq::handle(session, node, effects),
        "message" => message::handle(session, node, effects),
        "receipt" => receipt::handle(session, node, effects),
        "ack" => receipt::handle_ack(session, node),
        "presence" => presence::handle(session, node),
        "chatstate" => presence::handle_chat_state(session, node),
        "ib" => {}
        tag => tracing::debug!(tag, "a stanza without meaning here"),
    }
}
