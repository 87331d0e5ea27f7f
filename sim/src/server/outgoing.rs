//! What phones write: to the devices of another account, with copies for their own.

use std::sync::Arc;

use rand::Rng;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use super::message::{Errand, run_errand};
use super::{key_supply, stanza};
use crate::account::{Account, Device, DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::error::SimError;
use crate::journal::JournalEvent;
use crate::media::{self, MediaKind};
use crate::phone::{EncKind, Envelope, Phone};
use crate::world::World;

/// An encrypted copy of a message.
pub(super) type Sealed = (EncKind, Vec<u8>);

/// The phone of `from` sends a text to the account `to`. Returns the message id.
pub(crate) async fn send_text(
    world: &World,
    from: PhoneNumber,
    to: PhoneNumber,
    text: &str,
) -> Result<String, SimError> {
    let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    send(world, from, to, message, None).await
}

/// The phone of `from` sends a file to the account `to`. Returns the message id.
pub(crate) async fn send_media(
    world: &World,
    from: PhoneNumber,
    to: PhoneNumber,
    file: media::Outgoing,
) -> Result<String, SimError> {
    let sender = world.account(from).ok_or(SimError::NotRegistered(from))?;
    let (kind, mut key) = (file.kind, [0; 32]);
    sender.phone().rng().fill_bytes(&mut key);
    let message = media::seal(world, file, key).await?;
    send(world, from, to, message, Some(kind)).await
}

async fn send(
    world: &World,
    from: PhoneNumber,
    to: PhoneNumber,
    content: wa::Message,
    media: Option<MediaKind>,
) -> Result<String, SimError> {
    let sender = world.account(from).ok_or(SimError::NotRegistered(from))?;
    let recipient = world.account(to).ok_or(SimError::NotRegistered(to))?;
    let (id, plaintext) = sender.phone().write(to, &content, world.now_millis());
    world.log(JournalEvent::Written { phone: from, to, id: id.clone() });
    let blocked = recipient.contacts.blocks(from);
    if blocked {
        let from = DeviceAddress { account: from, device: 0 };
        world.log(JournalEvent::Withheld { from, to, id: id.clone() });
    } else if from != to {
        sender.contacts.met(to);
        recipient.contacts.met(from);
    }
    for device in recipient.linked().iter().filter(|_| !blocked) {
        let sealed = seal_for(world, &sender, device, &plaintext, false)?;
        world.post(device, message(world, &sender, &id, None, (sealed, media)));
    }
    if from != to {
        let copy = Phone::copy_of(content, to);
        for device in sender.linked() {
            let sealed = seal_for(world, &sender, &device, &copy, false)?;
            world.post(&device, message(world, &sender, &id, Some(to), (sealed, media)));
        }
    }
    if from != to && !blocked {
        let (kind, ciphertext) = seal_for_phone(&sender, &recipient, &plaintext, false)?;
        let envelope = Envelope { from: DeviceAddress { account: from, device: 0 }, id: id.clone(), kind, ciphertext };
        let read = Errand::Read { account: Arc::clone(&recipient), chat: to.jid(), envelope };
        Box::pin(run_errand(world, read)).await;
    }
    Ok(id)
}

/// Sends a text once more, for a device that could not read it, in a new session.
pub(crate) fn send_again(world: &World, sender: &Account, to: DeviceAddress, id: &str) {
    let Some(device) = world.device(to) else {
        return;
    };
    let Some(plaintext) = sender.phone().again(id) else {
        tracing::debug!("a device asks for a message that its phone no longer has");
        return;
    };
    match seal_for(world, sender, &device, &plaintext, true) {
        Ok(sealed) => world.post(&device, message(world, sender, id, None, (sealed, None))),
        Err(error) => tracing::warn!(%error, "a message can't be sent again"),
    }
}

pub(super) fn seal_for(
    world: &World,
    sender: &Account,
    device: &Device,
    plaintext: &[u8],
    renew: bool,
) -> Result<Sealed, SimError> {
    let to = device.address;
    let failed = |error: wacore::libsignal::protocol::SignalProtocolError| SimError::Encrypt {
        account: to.account,
        device: to.device,
        reason: error.to_string(),
    };
    let mut phone = sender.phone();
    let bundle = if renew || !phone.has_session(to) {
        Some(device.keys().bundle(to.device, true).map_err(failed)?)
    } else {
        None
    };
    let sealed = phone.seal(to, bundle.as_ref(), plaintext).map_err(failed)?;
    drop(phone);
    if bundle.is_some() {
        key_supply::taken(world, device);
    }
    Ok(sealed)
}

/// Two phones are never locked at once, so that two which write to each other do not wait for ever.
pub(super) fn seal_for_phone(
    sender: &Account,
    recipient: &Account,
    plaintext: &[u8],
    renew: bool,
) -> Result<Sealed, SimError> {
    let to = DeviceAddress { account: recipient.number, device: 0 };
    let failed = |error: wacore::libsignal::protocol::SignalProtocolError| SimError::Encrypt {
        account: to.account,
        device: to.device,
        reason: error.to_string(),
    };
    let known = !renew && sender.phone().has_session(to);
    let bundle = if known { None } else { Some(recipient.phone().published().map_err(failed)?) };
    sender.phone().seal(to, bundle.as_ref(), plaintext).map_err(failed)
}

fn message(
    world: &World,
    sender: &Account,
    id: &str,
    copy_to: Option<PhoneNumber>,
    sealed: (Sealed, Option<MediaKind>),
) -> Stanza {
    let (((kind, ciphertext), media), from) = (sealed, sender.number);
    let mut enc = stanza::enc(kind.as_wire(), ciphertext);
    if let Some(media) = media {
        enc.attrs.insert("mediatype", media.as_wire());
    }
    let name = sender.phone().name().to_owned();
    let mut message = NodeBuilder::new("message")
        .attr("from", from.jid())
        .attr("id", id)
        .attr("type", if media.is_some() { "media" } else { "text" })
        .attr("t", world.now_secs())
        .attr("notify", name)
        .attr("sender_lid", from.lid());
    if let Some(to) = copy_to {
        message = message.attr("recipient", to.jid());
    }
    let node: Node = message.children([enc]).build();
    Stanza { class: StanzaClass::Message, id: id.to_owned(), kind: None, node }
}
