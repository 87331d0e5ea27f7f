//! Receipts: those that phones send, now or later, and those that devices send.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, NodeRef};

use super::message::Errand;
use super::{Effects, Session, stanza};
use crate::account::{DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::config::ReceiptDelays;
use crate::fault::ReceiptFate;
use crate::group::{Group, GroupId};
use crate::phone::PhoneBundle;
use crate::world::World;

/// Receipts that may wait to be scheduled before a phone's answer waits too.
const BACKLOG: usize = 4096;

/// A receipt that is due later.
struct Due {
    at: Instant,
    order: u64,
    to: DeviceAddress,
    stanza: Stanza,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The way to the task that sends receipts when they are due.
#[derive(Clone)]
pub(crate) struct Receipts(mpsc::Sender<(Instant, DeviceAddress, Stanza)>);

/// The receiving end, for [`run`].
pub(crate) struct ReceiptQueue(mpsc::Receiver<(Instant, DeviceAddress, Stanza)>);

impl Receipts {
    pub(crate) fn channel() -> (Self, ReceiptQueue) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        (Self(sender), ReceiptQueue(receiver))
    }
}

impl ReceiptQueue {
    /// Sends receipts when they are due, until the simulator stops.
    pub(crate) async fn run(mut self, world: Arc<World>) {
        let mut waiting: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
        let mut order = 0;
        loop {
            let next = waiting.peek().map(|Reverse(due)| due.at);
            let timer = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = world.stop.cancelled() => return,
                received = self.0.recv() => match received {
                    Some((at, to, stanza)) => {
                        order += 1;
                        waiting.push(Reverse(Due { at, order, to, stanza }));
                    }
                    None => return,
                },
                () = timer => {
                    let now = Instant::now();
                    while waiting.peek().is_some_and(|Reverse(due)| due.at <= now) {
                        if let Some(Reverse(due)) = waiting.pop() {
                            post(&world, due.to, due.stanza);
                        }
                    }
                }
            }
        }
    }
}

fn post(world: &World, to: DeviceAddress, stanza: Stanza) {
    if to.device == 0 {
        // A phone that wrote to another phone notes that its text arrived.
        if let Some(account) = world.registry.get(to.account) {
            account.phone().confirm(&stanza.id, stanza.kind == Some("read"));
            world.journal.touch();
        }
    } else if let Some(device) = world.device(to) {
        world.post(&device, stanza);
    }
}

/// A phone's answers to one message.
pub(crate) struct PhoneAnswer {
    /// The chat as the sender addressed it.
    pub chat: Jid,
    /// Whose answers they are.
    pub phone: PhoneNumber,
    /// The phone's address, where the chat is a group.
    pub participant: Option<Jid>,
    pub to: DeviceAddress,
    pub id: String,
    pub delays: ReceiptDelays,
}

impl PhoneAnswer {
    /// Says that the message arrived.
    pub(crate) async fn delivered(&self, world: &World) {
        if let Some(delay) = self.delays.delivered {
            self.send(world, None, delay).await;
        }
    }

    /// Says that the message arrived, and later that it was read.
    pub(crate) async fn delivered_and_read(&self, world: &World) {
        let after = self.delays.read.map(|read| read.max(self.delays.delivered.unwrap_or_default()));
        if let Some(after) = after.filter(|_| world.swaps_receipts(self.to, self.phone, &self.id)) {
            self.send(world, Some("read"), self.delays.delivered.unwrap_or(after)).await;
            if self.delays.delivered.is_some() {
                self.send(world, None, after).await;
            }
            return;
        }
        self.delivered(world).await;
        if let Some(after) = after {
            self.send(world, Some("read"), after).await;
        }
    }

    /// Sends a receipt as faults want it.
    async fn send(&self, world: &World, kind: Option<&'static str>, delay: Duration) {
        if let ReceiptFate::Send { copies, later } = world.receipt_fate(self.to, self.phone, &self.id, kind.is_some()) {
            for _ in 0..copies {
                self.send_one(world, kind, delay + later).await;
            }
        }
    }

    async fn send_one(&self, world: &World, kind: Option<&'static str>, delay: Duration) {
        let mut receipt = NodeBuilder::new("receipt")
            .attr("from", &self.chat)
            .attr("id", self.id.as_str())
            .attr("t", world.now_secs() + delay.as_secs());
        if let Some(participant) = &self.participant {
            receipt = receipt.attr("participant", participant);
        }
        if let Some(kind) = kind {
            receipt = receipt.attr("type", kind);
        }
        let stanza = Stanza { class: StanzaClass::Receipt, id: self.id.clone(), kind, node: receipt.build() };
        if delay.is_zero() {
            post(world, self.to, stanza);
        } else if world.receipts.0.send((Instant::now() + delay, self.to, stanza)).await.is_err() {
            tracing::debug!("a receipt comes after the simulator stopped");
        }
    }

    /// Asks for the message again, with keys for a new session.
    pub(crate) fn retry(&self, world: &World, count: u32, bundle: &PhoneBundle) {
        let now = world.now_secs();
        let retry = NodeBuilder::new("retry")
            .attr("count", count)
            .attr("id", self.id.as_str())
            .attr("t", now)
            .attr("v", "1")
            .build();
        let mut receipt = NodeBuilder::new("receipt")
            .attr("from", &self.chat)
            .attr("id", self.id.as_str())
            .attr("type", "retry")
            .attr("t", now);
        if let Some(participant) = &self.participant {
            receipt = receipt.attr("participant", participant);
        }
        let node = receipt
            .children([
                retry,
                stanza::bytes("registration", bundle.registration_id.to_be_bytes()),
                NodeBuilder::new("keys").children(stanza::phone_keys(bundle)).build(),
            ])
            .build();
        let stanza = Stanza { class: StanzaClass::Receipt, id: self.id.clone(), kind: Some("retry"), node };
        post(world, self.to, stanza);
    }
}

/// Takes a receipt from a device: it has the message, or it wants it again.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, effects: &mut Effects) {
    let (id, kind) = (stanza::attr(node, "id"), stanza::optional_attr(node, "type"));
    let Some(to) = stanza::jid_attr(node, "to") else {
        return;
    };
    let mut answer = stanza::ack("receipt", &id, &to, session.world.now_secs());
    if let Some(kind) = &kind {
        answer = answer.attr("type", kind.as_str());
    }
    // In a group, the one who wrote the message.
    let participant = stanza::jid_attr(node, "participant").filter(|_| to.is_group());
    if let Some(participant) = &participant {
        answer = answer.attr("participant", participant);
    }
    effects.replies.push(answer.build());

    let listed = node.get_optional_child("list").into_iter().flat_map(|list| list.get_children_by_tag("item"));
    let ids: Vec<String> = std::iter::once(id).chain(listed.map(|item| stanza::attr(item, "id"))).collect();
    for id in &ids {
        session.device.mailbox.settle(StanzaClass::Message, id, None);
    }
    let target = DeviceAddress::from_jid(participant.as_ref().unwrap_or(&to));
    let group = GroupId::from_jid(&to).and_then(|group| session.world.groups.get(group));
    match (kind.as_deref(), target) {
        (Some("retry"), Some(target)) if target.device != 0 => {
            forward_retry(session, node, target, &ids, group.as_deref());
        }
        (kind, target) => answer_kind(session, kind, target, ids, group.as_deref(), effects),
    }
    session.world.journal.touch();
}

fn answer_kind(
    session: &Session<'_>,
    kind: Option<&str>,
    target: Option<DeviceAddress>,
    ids: Vec<String>,
    group: Option<&Group>,
    effects: &mut Effects,
) {
    match (kind, target) {
        (Some("retry"), Some(target)) if target.device == 0 => {
            let account = session.world.registry.get(target.account);
            if let (Some(account), Some(id)) = (account, ids.into_iter().next()) {
                let (device, group) = (session.device.address, group.map(|group| group.id));
                effects.errands.push(Errand::SendAgain { account, device, group, id });
            }
        }
        (None | Some("inactive" | "read"), Some(target)) => confirm(session, kind, target, &ids, group),
        _ => {}
    }
}

/// Passes on that a device wants a message of another device again, with the keys it sent along.
fn forward_retry(
    session: &Session<'_>,
    node: &NodeRef<'_>,
    sender: DeviceAddress,
    ids: &[String],
    group: Option<&Group>,
) {
    let (own, Some(id)) = (session.device.address, ids.first()) else {
        return;
    };
    let receipt = match group {
        Some(group) if !(group.has(own.account) && group.has(sender.account)) => return,
        Some(group) => {
            NodeBuilder::new("receipt").attr("from", group.id.jid()).attr("participant", group.addressing.device(own))
        }
        None => NodeBuilder::new("receipt").attr("from", own.jid()),
    };
    let content = node.children().unwrap_or_default().iter().map(NodeRef::to_owned).collect::<Vec<_>>();
    let node = receipt
        .attr("id", id.as_str())
        .attr("type", "retry")
        .attr("t", session.world.now_secs())
        .children(content)
        .build();
    post(session.world, sender, Stanza { class: StanzaClass::Receipt, id: id.clone(), kind: Some("retry"), node });
}

/// Tells the sender of a message that a linked device has it.
fn confirm(session: &Session<'_>, kind: Option<&str>, sender: DeviceAddress, ids: &[String], group: Option<&Group>) {
    let own = session.device.address;
    if sender.device == 0 {
        if let Some(account) = session.world.registry.get(sender.account) {
            let mut phone = account.phone();
            for id in ids {
                phone.confirm(id, kind == Some("read"));
            }
        }
        return;
    }
    // A background device's receipt is kept from the sender.
    if kind == Some("inactive") || sender.account == own.account {
        return;
    }
    let kind = kind.and(Some("read"));
    for id in ids {
        let mut receipt = match group {
            Some(group) => NodeBuilder::new("receipt")
                .attr("from", group.id.jid())
                .attr("participant", group.addressing.member(own.account)),
            None => NodeBuilder::new("receipt").attr("from", own.account.jid()),
        };
        receipt = receipt.attr("id", id.as_str()).attr("t", session.world.now_secs());
        if let Some(kind) = kind {
            receipt = receipt.attr("type", kind);
        }
        let stanza = Stanza { class: StanzaClass::Receipt, id: id.clone(), kind, node: receipt.build() };
        post(session.world, sender, stanza);
    }
}

/// Takes an `ack` of a device: the stanza need not be sent again.
pub(crate) fn handle_ack(session: &Session<'_>, node: &NodeRef<'_>) {
    let class = match stanza::attr(node, "class").as_str() {
        "message" => StanzaClass::Message,
        "receipt" => StanzaClass::Receipt,
        "notification" => StanzaClass::Notification,
        _ => return,
    };
    let kind = stanza::optional_attr(node, "type");
    session.device.mailbox.settle(class, &stanza::attr(node, "id"), kind.as_deref());
    session.world.journal.touch();
}
