//! What phones write in groups.

use waproto::whatsapp as wa;

use super::super::message::{Errand, run_errand};
use super::super::outgoing::{Sealed, seal_for, seal_for_phone};
use super::fan_out::{Broadcast, Delivery, Pairwise, deliver};
use super::{devices, refused};
use crate::account::{Account, DeviceAddress, PhoneNumber};
use crate::error::SimError;
use crate::group::{Group, GroupId, Refusal};
use crate::journal::JournalEvent;
use crate::world::World;

/// The phone of `from` writes a text in a group. Returns the message id.
pub(crate) async fn send_text(
    world: &World,
    from: PhoneNumber,
    group: GroupId,
    text: &str,
) -> Result<String, SimError> {
    let sender = world.account(from).ok_or(SimError::NotRegistered(from))?;
    let current = world.groups.get(group).ok_or_else(|| refused(group, Refusal::Unknown))?;
    if !current.has(from) {
        return Err(refused(group, Refusal::NotAMember));
    }
    let own = DeviceAddress { account: from, device: 0 };
    let failed = |error: wacore::libsignal::protocol::SignalProtocolError| SimError::Encrypt {
        account: from,
        device: 0,
        reason: error.to_string(),
    };
    let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    let mut all = devices(world, &current);
    all.remove(&own);
    let (id, plaintext, distribution) = {
        let mut phone = sender.phone();
        let (id, plaintext) = phone.write_in_group(from, group, &message, world.now_millis());
        (id, plaintext, phone.distribute(from, group, &all).map_err(failed)?)
    };
    world.log(JournalEvent::WrittenInGroup { phone: from, group, id: id.clone() });
    let mut pairwise = Pairwise::new();
    for target in distribution.lacking {
        let Some(sealed) = seal(world, &sender, target, &distribution.plaintext, false)? else {
            continue;
        };
        sender.phone().note_given(group, target);
        pairwise.insert(target, sealed);
    }
    let ciphertext = sender.phone().seal_for_group(from, group, &plaintext).map_err(failed)?.into();
    let broadcast = Some(Broadcast { ciphertext, mediatype: None, decrypt_fail: None });
    run(world, Delivery { group: &current, from: own, id: &id, kind: "text", pairwise, broadcast, identity: None })
        .await;
    Ok(id)
}

/// Seals for one device, unless it is gone.
fn seal(
    world: &World,
    sender: &Account,
    target: DeviceAddress,
    plaintext: &[u8],
    renew: bool,
) -> Result<Option<Sealed>, SimError> {
    if target.device == 0 {
        let Some(recipient) = world.account(target.account) else {
            return Ok(None);
        };
        return seal_for_phone(sender, &recipient, plaintext, renew).map(Some);
    }
    world.device(target).map(|device| seal_for(world, sender, &device, plaintext, renew)).transpose()
}

/// Sends a message once more, for a device that could not read it, to that device alone. The next
/// message brings it the phone's key.
pub(in super::super) async fn send_again(world: &World, sender: &Account, to: DeviceAddress, group: GroupId, id: &str) {
    let plaintext = {
        let mut phone = sender.phone();
        phone.note_lacking(group, to);
        phone.again(id)
    };
    let current = world.groups.get(group).filter(|current: &std::sync::Arc<Group>| current.has(to.account));
    let (Some(plaintext), Some(current)) = (plaintext, current) else {
        tracing::debug!("a device asks for a group message that its phone no longer has");
        return;
    };
    let from = DeviceAddress { account: sender.number, device: 0 };
    match seal(world, sender, to, &plaintext, true) {
        Ok(Some(sealed)) => {
            let pairwise = Pairwise::from([(to, sealed)]);
            let delivery =
                Delivery { group: &current, from, id, kind: "text", pairwise, broadcast: None, identity: None };
            run(world, delivery).await;
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "a group message can't be sent again"),
    }
}

async fn run(world: &World, delivery: Delivery<'_>) {
    let errands: Vec<Errand> = deliver(world, delivery);
    for errand in errands {
        Box::pin(run_errand(world, errand)).await;
    }
}
