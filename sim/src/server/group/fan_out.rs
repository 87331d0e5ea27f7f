//! Group messages, from one device to the phones and devices of all members.

use std::collections::HashMap;
use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

use super::super::message::{self, Errand};
use super::super::outgoing::Sealed;
use super::super::{Effects, Session, stanza};
use super::{devices, outgoing};
use crate::account::{Account, DeviceAddress, Stanza, StanzaClass};
use crate::group::{Addressing, Group, GroupId};
use crate::journal::JournalEvent;
use crate::phone::{EncKind, GroupEnvelope, Reaction};
use crate::server::receipt::PhoneAnswer;
use crate::world::World;

/// What is encrypted for one device alone.
pub(super) type Pairwise = HashMap<DeviceAddress, Sealed>;

/// Where a member was put out, or never was.
const NOT_A_MEMBER: u16 = 403;

/// What is encrypted once for all.
pub(super) struct Broadcast {
    pub ciphertext: Arc<[u8]>,
    pub mediatype: Option<String>,
    pub decrypt_fail: Option<String>,
}

/// A message on its way to members.
pub(super) struct Delivery<'a> {
    pub group: &'a Group,
    pub from: DeviceAddress,
    pub id: &'a str,
    pub kind: &'a str,
    /// What is for one device alone.
    pub pairwise: Pairwise,
    pub broadcast: Option<Broadcast>,
    /// The sender's signed identity, if it is a linked device.
    pub identity: Option<&'a [u8]>,
}

/// Takes a group message from a device.
pub(in super::super) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: String, to: &Jid, effects: &mut Effects) {
    let (world, from) = (session.world, session.device.address);
    let ack = || stanza::ack("message", &id, to, world.now_secs());
    let group = GroupId::from_jid(to).and_then(|group| world.groups.get(group));
    let Some(group) = group.filter(|group| group.has(from.account)) else {
        effects.replies.push(ack().attr("error", NOT_A_MEMBER).build());
        world.log(JournalEvent::Refused { from, id, code: NOT_A_MEMBER, delivered: false });
        return;
    };
    let hash = differing_hash(world, &group, node);
    let answered = |code: Option<u16>| match (code, &hash) {
        (Some(code), _) => ack().attr("error", code).build(),
        (None, Some(hash)) => ack().attr("phash", hash.as_str()).build(),
        (None, None) => ack().build(),
    };
    let fate = world.fate_in_group(from, &id);
    if !message::answer(session, &id, fate, answered, effects) {
        return;
    }
    let kind = stanza::optional_attr(node, "type").unwrap_or_else(|| "text".into());
    let identity = Some(session.device.signed_identity.as_slice());
    let (pairwise, broadcast) = read_content(node);
    let delivery = Delivery { group: &group, from, id: &id, kind: &kind, pairwise, broadcast, identity };
    effects.errands.extend(deliver(world, delivery));
}

/// The hash of all devices in the group, if the client's differs: it does not know the group as it
/// is, and is told so with the ack.
fn differing_hash(world: &World, group: &Group, node: &NodeRef<'_>) -> Option<String> {
    let theirs = stanza::optional_attr(node, "phash")?;
    let all: Vec<Jid> = devices(world, group).into_iter().map(|device| group.addressing.device(device)).collect();
    let ours = MessageUtils::participant_list_hash(&all).ok()?;
    (ours != theirs).then_some(ours)
}

fn read_enc(enc: &NodeRef<'_>) -> Option<Sealed> {
    let kind = EncKind::from_wire(&stanza::attr(enc, "type"))?;
    Some((kind, enc.content_bytes()?.to_vec()))
}

fn read_content(node: &NodeRef<'_>) -> (Pairwise, Option<Broadcast>) {
    let device =
        |node: &NodeRef<'_>, name: &str| stanza::jid_attr(node, name).and_then(|jid| DeviceAddress::from_jid(&jid));
    let mut pairwise = HashMap::new();
    let mut broadcast = None;
    let copies = node.get_optional_child("participants").into_iter().flat_map(|list| list.get_children_by_tag("to"));
    for copy in copies {
        let sealed = copy.get_optional_child("enc").and_then(read_enc);
        if let (Some(device), Some(sealed)) = (device(copy, "jid"), sealed) {
            pairwise.insert(device, sealed);
        }
    }
    if let Some(enc) = node.get_optional_child("enc") {
        if stanza::attr(enc, "type") == "skmsg" {
            broadcast = enc.content_bytes().map(|ciphertext| Broadcast {
                ciphertext: ciphertext.into(),
                mediatype: stanza::optional_attr(enc, "mediatype"),
                decrypt_fail: stanza::optional_attr(enc, "decrypt-fail"),
            });
        } else if let (Some(device), Some(sealed)) = (device(node, "participant"), read_enc(enc)) {
            // A repetition, for the one that asked.
            pairwise.insert(device, sealed);
        }
    }
    (pairwise, broadcast)
}

/// Hands a message to each device that it is for. What phones have to read is returned.
pub(super) fn deliver(world: &World, mut delivery: Delivery<'_>) -> Vec<Errand> {
    let mut errands = Vec::new();
    for target in devices(world, delivery.group) {
        let pairwise = delivery.pairwise.remove(&target);
        if target == delivery.from || (pairwise.is_none() && delivery.broadcast.is_none()) {
            continue;
        }
        if target.device == 0 {
            if let Some(account) = world.account(target.account) {
                let envelope = GroupEnvelope {
                    group: delivery.group.id,
                    from: delivery.from,
                    own: target.account == delivery.from.account,
                    id: delivery.id.to_owned(),
                    pairwise,
                    broadcast: delivery.broadcast.as_ref().map(|broadcast| Arc::clone(&broadcast.ciphertext)),
                };
                errands.push(Errand::ReadInGroup { account, addressing: delivery.group.addressing, envelope });
            }
        } else if let Some(device) = world.device(target) {
            let node = message_node(world, &delivery, pairwise);
            let id = delivery.id.to_owned();
            world.post(&device, Stanza { class: StanzaClass::Message, id, kind: None, node });
        }
    }
    errands
}

/// The message as a linked device gets it.
fn message_node(world: &World, delivery: &Delivery<'_>, pairwise: Option<Sealed>) -> Node {
    let Delivery { group, from, id, kind, broadcast, identity, .. } = delivery;
    let other = match group.addressing {
        Addressing::Lid => "participant_pn",
        Addressing::Pn => "participant_lid",
    };
    let mut content = Vec::new();
    if let Some((kind, ciphertext)) = pairwise {
        content.push(stanza::enc(kind.as_wire(), ciphertext));
        if let Some(identity) = identity.filter(|_| kind == EncKind::PreKey) {
            content.push(stanza::bytes("device-identity", identity));
        }
    }
    if let Some(broadcast) = broadcast {
        let mut enc = stanza::enc("skmsg", broadcast.ciphertext.to_vec());
        if let Some(mediatype) = &broadcast.mediatype {
            enc.attrs.insert("mediatype", mediatype.clone());
        }
        if let Some(decrypt_fail) = &broadcast.decrypt_fail {
            enc.attrs.insert("decrypt-fail", decrypt_fail.clone());
        }
        content.push(enc);
    }
    NodeBuilder::new("message")
        .attr("from", group.id.jid())
        .attr("participant", group.addressing.device(*from))
        .attr(other, group.addressing.other(from.account))
        .attr("addressing_mode", group.addressing.as_wire())
        .attr("id", *id)
        .attr("type", *kind)
        .attr("t", world.now_secs())
        .attr("notify", "Simulated phone")
        .children(content)
        .build()
}

/// A phone reads a group message, and answers as its settings say.
pub(in super::super) async fn read(world: &World, account: &Account, addressing: Addressing, envelope: GroupEnvelope) {
    let (reaction, attachment, delays) = {
        let mut phone = account.phone();
        let reaction = phone.receive_in_group(&envelope, world.now_millis());
        message::note(world, account.number, envelope.from, &envelope.id, &reaction);
        (reaction, phone.take_attachment(), phone.behaviour.delays(world.config.receipts))
    };
    let GroupEnvelope { group, from, id, .. } = envelope;
    if from.device == 0 && matches!(reaction, Reaction::Unreadable { count: 1, .. }) {
        // Asked of a phone, it is done at once; asking again and again would not help.
        let reader = DeviceAddress { account: account.number, device: 0 };
        if let Some(sender) = world.registry.get(from.account) {
            Box::pin(outgoing::send_again(world, &sender, reader, group, &id)).await;
        }
    }
    let participant = Some(addressing.member(account.number));
    let answer =
        PhoneAnswer { chat: group.jid(), participant, phone: account.number, to: from, id: id.clone(), delays };
    message::react(world, account, from, id, (reaction, attachment), answer).await;
}
