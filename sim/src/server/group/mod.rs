//! Groups on the server: descriptions, changes, messages.

mod change;
mod describe;
mod fan_out;
mod outgoing;

use std::collections::BTreeSet;

use crate::account::DeviceAddress;
use crate::error::SimError;
use crate::group::{Group, GroupId, Refusal};
use crate::world::World;

pub(crate) use change::{change, create};
pub(super) use describe::{describe, members_hash, outcome};
pub(super) use fan_out::{handle, read};
pub(super) use outgoing::send_again;
pub(crate) use outgoing::send_text;

fn refused(group: GroupId, refusal: Refusal) -> SimError {
    SimError::Group { group: Some(group), reason: refusal.to_string(), unknown: refusal == Refusal::Unknown }
}

/// All devices of all members, phones included.
fn devices(world: &World, group: &Group) -> BTreeSet<DeviceAddress> {
    let mut devices = BTreeSet::new();
    for &account in group.members.keys() {
        devices.insert(DeviceAddress { account, device: 0 });
        // An account that nothing happened to has only its phone.
        if let Some(account) = world.registry.get(account) {
            devices.extend(account.linked().iter().map(|device| device.address));
        }
    }
    devices
}
