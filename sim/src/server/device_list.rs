//! The devices of an account, as others ask for them and as its own devices are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef, Server};

use super::{Session, stanza};
use crate::account::{Account, Device, DeviceAddress, PhoneNumber, Stanza, StanzaClass, key_index_list};
use crate::world::World;

/// The phone and all linked devices, for a look-up. A client that asks about its own account finds
/// itself there and leaves itself out.
pub(crate) fn answer(world: &World, number: PhoneNumber) -> Node {
    // Asking about a number does not make its phone; a number without an account has only a phone.
    let Some(account) = world.registry.get(number) else {
        return list(&[], |_, id| NodeBuilder::new("device").attr("id", id).build(), number, None, world);
    };
    let linked = account.linked();
    let device = |device: Option<&Device>, id: u16| {
        let node = NodeBuilder::new("device").attr("id", id);
        match device {
            Some(device) => node.attr("key-index", device.key_index).build(),
            None => node.build(),
        }
    };
    let signed = signed_index(world, &account, &linked);
    list(&linked, device, number, signed, world)
}

fn list(
    linked: &[Arc<Device>],
    describe: impl Fn(Option<&Device>, u16) -> Node,
    number: PhoneNumber,
    signed: Option<Vec<u8>>,
    world: &World,
) -> Node {
    let devices = std::iter::once(describe(None, 0))
        .chain(linked.iter().map(|device| describe(Some(device), device.address.device)))
        .collect::<Vec<_>>();
    let mut device_list = NodeBuilder::new("device-list");
    if let Some(hash) = hash(number, linked) {
        device_list = device_list.attr("hash", hash);
    }
    let device_list = device_list.children(devices).build();
    NodeBuilder::new("devices").children([device_list, index(world, signed)]).build()
}

fn hash(number: PhoneNumber, linked: &[Arc<Device>]) -> Option<String> {
    hash_by(number, linked, DeviceAddress::jid)
}

fn hash_by(number: PhoneNumber, linked: &[Arc<Device>], address: impl Fn(DeviceAddress) -> Jid) -> Option<String> {
    let phone = DeviceAddress { account: number, device: 0 };
    let all = std::iter::once(phone).chain(linked.iter().map(|device| device.address));
    MessageUtils::participant_list_hash(&all.map(address).collect::<Vec<_>>()).ok()
}

fn index(world: &World, signed: Option<Vec<u8>>) -> Node {
    let node = NodeBuilder::new("key-index-list").attr("ts", world.now_secs());
    match signed {
        Some(signed) => node.bytes(signed).build(),
        None => node.build(),
    }
}

/// The phone's signature over the key indexes that are valid; none without linked devices.
fn signed_index(world: &World, account: &Account, linked: &[Arc<Device>]) -> Option<Vec<u8>> {
    if linked.is_empty() {
        return None;
    }
    let valid: Vec<u32> = linked.iter().map(|device| device.key_index).collect();
    let mut phone = account.phone();
    let (own, raw_id) = (phone.identity().clone(), phone.raw_id());
    match key_index_list(&own, raw_id, world.now_secs(), &valid, phone.rng()) {
        Ok(signed) => Some(signed),
        Err(error) => {
            tracing::warn!(%error, "a key index list can't be signed");
            None
        }
    }
}

/// Tells all linked devices of an account which devices it has now, except `newest`, which asks by
/// itself. Without this a device would send no copies to one that was linked after it.
pub(crate) fn announce(world: &World, account: &Account, newest: Option<u16>) {
    let linked = account.linked();
    let signed = signed_index(world, account, &linked);
    for target in linked.iter().filter(|device| Some(device.address.device) != newest) {
        let phone = NodeBuilder::new("device").attr("jid", account.number.jid()).build();
        let others = linked.iter().map(|device| {
            NodeBuilder::new("device").attr("jid", device.address.jid()).attr("key-index", device.key_index).build()
        });
        let devices = std::iter::once(phone).chain(others).chain([index(world, signed.clone())]).collect::<Vec<_>>();
        let id = format!("devices-{}", world.next_serial());
        let mut list = NodeBuilder::new("devices");
        if let Some(hash) = hash(account.number, &linked) {
            list = list.attr("dhash", hash);
        }
        let node = NodeBuilder::new("notification")
            .attr("from", account.number.jid())
            .attr("id", id.as_str())
            .attr("type", "account_sync")
            .attr("t", world.now_secs())
            .children([list.children(devices).build()])
            .build();
        world.post(target, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
}

/// A change of an account's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceChange {
    /// Linked just now.
    Linked,
    /// Logged out just now.
    Removed,
}

/// Tells the linked devices of all who have a chat or share a group with `account` what became of
/// one of its devices. Without this they would send it no copies until they asked again, and not
/// give it the keys of their group messages.
pub(crate) fn tell_contacts(world: &World, account: &Account, device: &Device, change: DeviceChange) {
    let groups = world.groups.all();
    let shared = groups.iter().filter(|group| group.has(account.number));
    let mut others: BTreeSet<PhoneNumber> = shared.flat_map(|group| group.members.keys().copied()).collect();
    others.extend(account.contacts.chats());
    others.remove(&account.number);
    let targets: Vec<_> =
        others.into_iter().filter_map(|number| world.registry.get(number)).flat_map(|other| other.linked()).collect();
    if targets.is_empty() {
        return;
    }
    let linked = account.linked();
    let signed = if change == DeviceChange::Linked { signed_index(world, account, &linked) } else { None };
    let changed = NodeBuilder::new("device")
        .attr("jid", device.address.jid())
        .attr("lid", device.address.lid())
        .attr("key-index", device.key_index)
        .build();
    let mut action = NodeBuilder::new(if change == DeviceChange::Linked { "add" } else { "remove" });
    // whatsmeow checks its own list against these.
    if let (Some(hash), Some(lid_hash)) =
        (hash(account.number, &linked), hash_by(account.number, &linked, DeviceAddress::lid))
    {
        action = action.attr("device_hash", hash).attr("device_lid_hash", lid_hash);
    }
    let action = action.children([changed, index(world, signed)]).build();
    notify(world, account, "devices", &targets, &action);
}

/// Tells all linked devices of those who have a chat with an account that its phone has a new
/// identity.
pub(crate) fn identity_changed(world: &World, account: &Account) {
    for contact in account.contacts.chats().iter().filter_map(|chat| world.registry.get(*chat)) {
        notify(world, account, "encrypt", &contact.linked(), &NodeBuilder::new("identity").build());
    }
}

fn notify(world: &World, about: &Account, kind: &'static str, told: &[Arc<Device>], content: &Node) {
    for device in told {
        let id = format!("{kind}-{}", world.next_serial());
        let node = NodeBuilder::new("notification")
            .attr("from", about.number.jid())
            .attr("lid", about.number.lid())
            .attr("id", id.as_str())
            .attr("type", kind)
            .attr("t", world.now_secs())
            .children([content.clone()])
            .build();
        world.post(device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
}

/// When a message to one account is not encrypted for exactly the devices that the account and the
/// sender have, the sender's lists are old. Returns the hash of the right list, with which the
/// sender notices it; the sending device is not in it (seen with whatsapp-rust 0.7).
pub(crate) fn missed(session: &Session<'_>, message: &NodeRef<'_>, to: &Jid, chat: DeviceAddress) -> Option<String> {
    let participants = message.get_optional_child("participants")?;
    let given = participants.get_children_by_tag("to").filter_map(|copy| stanza::jid_attr(copy, "jid"));
    let mut given: Vec<DeviceAddress> = given.filter_map(|jid| DeviceAddress::from_jid(&jid)).collect();
    let own = session.device.address;
    let mut right = all_addresses(session.account);
    if chat.account != own.account {
        let other = session.world.registry.get(chat.account);
        match &other {
            Some(other) => right.extend(all_addresses(other)),
            // Nobody touched it yet: there is only the phone, if the number has WhatsApp.
            None if session.world.config.phones.registered(chat.account) => right.push(chat),
            None => {}
        }
    }
    right.retain(|address| *address != own);
    given.sort_unstable();
    given.dedup();
    right.sort_unstable();
    if given == right {
        return None;
    }
    let lid = to.server == Server::Lid;
    let jids: Vec<Jid> = right.iter().map(|address| if lid { address.lid() } else { address.jid() }).collect();
    MessageUtils::participant_list_hash(&jids).ok()
}

fn all_addresses(account: &Account) -> Vec<DeviceAddress> {
    let phone = DeviceAddress { account: account.number, device: 0 };
    let linked = account.devices();
    std::iter::once(phone).chain(linked.linked.values().map(|device| device.address)).collect()
}
