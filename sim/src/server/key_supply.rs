//! Tells devices that their one-time keys run out.

use wacore_binary::builder::NodeBuilder;

use super::stanza;
use crate::account::{Device, Stanza, StanzaClass};
use crate::journal::JournalEvent;
use crate::world::World;

/// Call this after a one-time key was taken: a device that has few left is told once, and again
/// after it uploaded more.
pub(crate) fn taken(world: &World, device: &Device) {
    let Some(left) = device.keys().low(world.config.limits.low_one_time_keys) else {
        return;
    };
    world.log(JournalEvent::KeysLow { device: device.address, left });
    let id = format!("keys-{}", world.next_serial());
    let node = NodeBuilder::new("notification")
        .attr("from", stanza::server())
        .attr("id", id.as_str())
        .attr("type", "encrypt")
        .attr("t", world.now_secs())
        .children([NodeBuilder::new("count").attr("value", left).build()])
        .build();
    world.post(device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
}
