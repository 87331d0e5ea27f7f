//! Messages that devices send, on their way to phones and other devices.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node, NodeRef};

use super::{Effects, Session, device_list, group, outgoing, receipt, stanza, trust};
use crate::account::{Account, DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::fault::{MessageFate, Verdict};
use crate::group::{Addressing, GroupId};
use crate::journal::JournalEvent;
use crate::media::{self, Attachment};
use crate::phone::{Download, EncKind, Envelope, GroupEnvelope, Reaction};
use crate::world::World;

/// Work that a stanza leaves for a phone.
pub(crate) enum Errand {
    /// Read a message and answer it.
    Read { account: Arc<Account>, chat: Jid, envelope: Envelope },
    /// Read a group message and answer it.
    ReadInGroup { account: Arc<Account>, addressing: Addressing, envelope: GroupEnvelope },
    /// Send a message once more to a device that could not read it.
    SendAgain { account: Arc<Account>, device: DeviceAddress, group: Option<GroupId>, id: String },
}

/// Does an errand.
pub(crate) async fn run_errand(world: &World, errand: Errand) {
    match errand {
        Errand::Read { account, chat, envelope } => read(world, &account, chat, envelope).await,
        Errand::ReadInGroup { account, addressing, envelope } => {
            group::read(world, &account, addressing, envelope).await;
        }
        Errand::SendAgain { account, device, group: None, id } => outgoing::send_again(world, &account, device, &id),
        Errand::SendAgain { account, device, group: Some(group), id } => {
            group::send_again(world, &account, device, group, &id).await;
        }
    }
}

/// Takes a message from a device.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, effects: &mut Effects) {
    let (id, world) = (stanza::attr(node, "id"), session.world);
    let Some(to) = stanza::jid_attr(node, "to") else {
        tracing::debug!("a message without a recipient");
        return;
    };
    if to.is_group() && !id.is_empty() {
        group::handle(session, node, id, &to, effects);
        return;
    }
    let from = session.device.address;
    let ack = || stanza::ack("message", &id, &to, world.now_secs());
    let Some(chat) = DeviceAddress::from_jid(&to).filter(|_| !id.is_empty()) else {
        // Broadcasts and channels are not simulated.
        effects.replies.push(ack().attr("error", 400_u16).build());
        return;
    };
    let own = chat.account == from.account;
    let fate = if own { MessageFate::ACCEPT } else { world.fate(from, chat.account, &id) };
    let answered = |code: Option<u16>| match code {
        Some(code) => ack().attr("error", code).build(),
        None => match device_list::missed(session, node, &to, chat) {
            Some(hash) => ack().attr("phash", hash).build(),
            None => ack().build(),
        },
    };
    if !answer(session, &id, fate, answered, effects) {
        return;
    }
    let blocked = acquaint(session, node, chat);
    if blocked {
        world.log(JournalEvent::Withheld { from, to: chat.account, id: id.clone() });
    }
    let skip = blocked.then_some(chat.account);
    distribute(session, node, (&id, &to), chat, skip, effects);
}

/// Notes that the two accounts have a chat, and looks at the sender's token. Returns whether the
/// recipient blocks the sender: then the message is taken but goes nowhere, as with WhatsApp.
fn acquaint(session: &Session<'_>, node: &NodeRef<'_>, chat: DeviceAddress) -> bool {
    let own = session.account.number;
    if chat.account == own {
        return false;
    }
    let Some(recipient) = session.world.account(chat.account) else {
        return false;
    };
    if recipient.contacts.blocks(own) {
        return true;
    }
    session.account.contacts.met(chat.account);
    recipient.contacts.met(own);
    trust::check(session.world, node, session.device.address, &recipient);
    false
}

/// Answers a message as its fate has it: with the acknowledgement for no error, or for one. Returns whether it goes on to
/// its recipients.
pub(super) fn answer(
    session: &Session<'_>,
    id: &str,
    fate: MessageFate,
    ack: impl Fn(Option<u16>) -> Node,
    effects: &mut Effects,
) -> bool {
    let (world, from) = (session.world, session.device.address);
    let refused = |code, delivered| world.log(JournalEvent::Refused { from, id: id.to_owned(), code, delivered });
    match fate.verdict {
        Verdict::Accept => {
            let acks = std::iter::repeat_n(ack(None), 1 + usize::from(fate.ack_copies));
            if fate.ack_after.is_zero() {
                effects.replies.extend(acks);
            } else {
                effects.late.extend(acks.map(|ack| (fate.ack_after, ack)));
            }
            world.log(JournalEvent::Accepted { from, id: id.to_owned() });
            true
        }
        Verdict::Error(code) => {
            effects.replies.push(ack(Some(code)));
            refused(code, false);
            false
        }
        Verdict::Silence { deliver } => {
            refused(0, deliver);
            deliver
        }
    }
}

/// Hands each encrypted copy to the device it is for.
fn distribute(
    session: &Session<'_>,
    node: &NodeRef<'_>,
    (id, to): (&str, &Jid),
    chat: DeviceAddress,
    skip: Option<PhoneNumber>,
    effects: &mut Effects,
) {
    // A first sending has one copy per device; a repetition for one device has its copy at the top.
    match node.get_optional_child("participants") {
        Some(participants) => {
            for copy in participants.get_children_by_tag("to") {
                let target = stanza::jid_attr(copy, "jid").and_then(|jid| DeviceAddress::from_jid(&jid));
                if let (Some(target), Some(enc)) = (target, copy.get_optional_child("enc"))
                    && Some(target.account) != skip
                {
                    hand_over(session, node, enc, id, to, target, effects);
                }
            }
        }
        None => {
            if let Some(enc) = node.get_optional_child("enc")
                && skip.is_none()
            {
                hand_over(session, node, enc, id, to, chat, effects);
            }
        }
    }
}

fn hand_over(
    session: &Session<'_>,
    node: &NodeRef<'_>,
    enc: &NodeRef<'_>,
    id: &str,
    to: &Jid,
    target: DeviceAddress,
    effects: &mut Effects,
) {
    let from = session.device.address;
    let kind = stanza::optional_attr(enc, "type").and_then(|kind| EncKind::from_wire(&kind));
    let (Some(kind), Some(ciphertext)) = (kind, enc.content_bytes()) else {
        return;
    };
    if target.device == 0 {
        let Some(account) = session.world.account(target.account) else {
            return;
        };
        let envelope = Envelope { from, id: id.to_owned(), kind, ciphertext: ciphertext.to_vec() };
        effects.errands.push(Errand::Read { account, chat: to.to_non_ad(), envelope });
        return;
    }
    let Some(device) = session.world.device(target) else {
        return;
    };
    let mut message = NodeBuilder::new("message")
        .attr("from", from.jid())
        .attr("id", id)
        .attr("type", stanza::optional_attr(node, "type").unwrap_or_else(|| "text".into()))
        .attr("t", session.world.now_secs())
        .attr("sender_lid", from.lid());
    if target.account == from.account {
        message = message.attr("recipient", to.to_non_ad());
    }
    let mut content = vec![stanza::enc(kind.as_wire(), ciphertext.to_vec())];
    if kind == EncKind::PreKey {
        content.push(stanza::bytes("device-identity", session.device.signed_identity.as_slice()));
    }
    let node = message.children(content).build();
    let stanza = Stanza { class: StanzaClass::Message, id: id.to_owned(), kind: None, node };
    session.world.post(&device, stanza);
}

/// A phone reads a message, and answers as its settings say.
async fn read(world: &World, account: &Account, chat: Jid, envelope: Envelope) {
    let (reaction, attachment, delays) = {
        let mut phone = account.phone();
        let reaction = phone.receive(&envelope, world.now_millis());
        note(world, account.number, envelope.from, &envelope.id, &reaction);
        (reaction, phone.take_attachment(), phone.behaviour.delays(world.config.receipts))
    };
    let Envelope { from, id, .. } = envelope;
    let answer =
        receipt::PhoneAnswer { chat, participant: None, phone: account.number, to: from, id: id.clone(), delays };
    react(world, account, from, id, (reaction, attachment), answer).await;
}

/// Writes down what a phone made of a message. Called while the phone is locked: whoever sees the message in the inbox
/// finds it in the journal and in the counters too.
pub(super) fn note(world: &World, phone: PhoneNumber, from: DeviceAddress, id: &str, reaction: &Reaction) {
    let id = id.to_owned();
    world.log(match reaction {
        // A copy of an own device's message is no event, but somebody may wait for it.
        Reaction::Silent => return world.journal.touch(),
        Reaction::Shown => JournalEvent::Arrived { phone, from, id, duplicate: false },
        Reaction::Duplicate => JournalEvent::Arrived { phone, from, id, duplicate: true },
        Reaction::Replayed { shown_before } => {
            JournalEvent::CounterReplayed { phone, from, id, duplicate: *shown_before }
        }
        Reaction::Unreadable { count, reason, .. } => {
            JournalEvent::Unreadable { phone, from, id, count: *count, reason: reason.clone() }
        }
    });
}

/// Answers a message as the phone took it.
pub(super) async fn react(
    world: &World,
    account: &Account,
    from: DeviceAddress,
    id: String,
    (reaction, attachment): (Reaction, Option<Attachment>),
    answer: receipt::PhoneAnswer,
) {
    match reaction {
        Reaction::Silent | Reaction::Replayed { shown_before: false } => (),
        Reaction::Shown => {
            answer.delivered_and_read(world).await;
            if let Some(attachment) = attachment {
                download(world, account, from, id, attachment).await;
            }
        }
        Reaction::Duplicate | Reaction::Replayed { shown_before: true } => answer.delivered(world).await,
        Reaction::Unreadable { count, bundle, .. } => answer.retry(world, count, &bundle),
    }
}

/// A phone downloads a file and notes whether it is what the message announced.
async fn download(world: &World, account: &Account, from: DeviceAddress, id: String, attachment: Attachment) {
    let outcome = match media::check(world, attachment).await {
        Ok(()) => Download::Good,
        Err(reason) => Download::Broken { reason },
    };
    account.phone().downloaded(from.account, &id, outcome.clone());
    match outcome {
        Download::Broken { reason } => {
            world.log(JournalEvent::BrokenMedia { phone: account.number, from, id, reason });
        }
        Download::Pending | Download::Good => world.journal.touch(),
    }
}
