//! Changes of synchronised app state, from a device or from the phone.

use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use wacore_binary::builder::NodeBuilder;

use crate::account::{Account, AppStateRefusal, DeviceAddress, Stanza, StanzaClass};
use crate::world::World;

/// The collection in which the account's own name is.
const NAMES: &str = "critical_block";

/// Adds a patch, made by a device on top of version `base`, and tells the other devices.
pub(crate) fn add(
    world: &World,
    account: &Account,
    name: &str,
    base: u64,
    patch: &wa::SyncdPatch,
    by: DeviceAddress,
) -> Result<u64, AppStateRefusal> {
    // Locked first, so that the phone knows the patches in the order in which they count.
    let mut phone = account.phone();
    let mut stored = patch.clone();
    let version = account.app_state.add(name, base, |version| {
        stored.version = wa::SyncdVersion { version: Some(version) }.into();
        stored.encode_to_vec()
    })?;
    if name == NAMES {
        phone.read_name_patch(patch, version);
    }
    drop(phone);
    announce(world, account, name, version, by.device);
    Ok(version)
}

/// The account has a name from its first login on.
pub(crate) fn ensure_name(world: &World, account: &Account) {
    if account.app_state.version(NAMES) == 0 {
        let name = account.phone().name().to_owned();
        // Nobody has an older version, so nobody needs to be told.
        set_name(world, account, &name);
    }
}

/// The phone's owner changes the account's name.
pub(crate) fn rename(world: &World, account: &Account, name: &str) {
    if let Some(version) = set_name(world, account, name) {
        announce(world, account, NAMES, version, 0);
    }
}

fn set_name(world: &World, account: &Account, name: &str) -> Option<u64> {
    let mut phone = account.phone();
    let base = account.app_state.version(NAMES);
    let patch = phone.name_patch(NAMES, base + 1, name, world.now_millis());
    let added = account.app_state.add(NAMES, base, |_| patch.encode_to_vec());
    drop(phone);
    match added {
        Ok(version) => Some(version),
        Err(refusal) => {
            tracing::warn!(?refusal, "a phone's name can't be synchronised");
            None
        }
    }
}

/// Tells the devices, except the one that made it, that there is a new version.
fn announce(world: &World, account: &Account, name: &str, version: u64, except: u16) {
    for device in account.linked().iter().filter(|device| device.address.device != except) {
        let id = format!("state-{}", world.next_serial());
        let collection = NodeBuilder::new("collection").attr("name", name).attr("version", version).build();
        let node = NodeBuilder::new("notification")
            .attr("from", account.number.jid())
            .attr("id", id.as_str())
            .attr("type", "server_sync")
            .attr("t", world.now_secs())
            .children([collection])
            .build();
        world.post(device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
    world.journal.touch();
}

/// The phone of a kept account reads what its collection of names adds up to.
pub(crate) fn read_names(account: &Account) {
    let mut version = 0;
    loop {
        let (patches, more) = account.app_state.after(NAMES, version);
        account.look_at_phone(|phone| {
            for patch in &patches {
                version += 1;
                match wa::SyncdPatch::decode_from_slice(patch) {
                    Ok(patch) => phone.read_name_patch(&patch, version),
                    Err(error) => tracing::warn!(%error, "a kept patch does not parse"),
                }
            }
        });
        if !more {
            return;
        }
    }
}
