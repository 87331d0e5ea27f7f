//! The devices of an account, as others ask for them and as its own devices are told.

use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::account::{Account, Device, PhoneNumber, Stanza, StanzaClass, key_index_list};
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
    let jids: Vec<Jid> =
        std::iter::once(number.jid()).chain(linked.iter().map(|device| device.address.jid())).collect();
    MessageUtils::participant_list_hash(&jids).ok()
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
