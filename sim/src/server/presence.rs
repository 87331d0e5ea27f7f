//! Who is there and who is typing, from devices and phones to devices and phones.
//!
//! Nobody acknowledges these stanzas and nobody gets them late: a device that is not connected, or
//! at which nobody is, is told nothing. That the server wants a device to be available before it
//! tells it about others is documented by whatsmeow.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

use super::{Command, Session, stanza};
use crate::account::{Account, Availability, Device, DeviceAddress};
use crate::phone::ChatState;
use crate::world::World;

/// Takes a `presence` stanza of a device.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>) {
    let own = session.device.address;
    let subject = || {
        let asked = stanza::jid_attr(node, "to")?.to_non_ad();
        let account = session.world.account(DeviceAddress::from_jid(&asked)?.account)?;
        Some((asked, account))
    };
    match stanza::optional_attr(node, "type").as_deref() {
        // Without a type it only tells the push name, which others learn from the app state.
        None => {}
        Some("available") => change(session.world, session.account, own.device, true),
        Some("unavailable") => change(session.world, session.account, own.device, false),
        Some("subscribe") => {
            if let Some((asked, account)) = subject() {
                session.account.presence.watches(own.device, account.number, true);
                account.presence.watch(own, asked.clone());
                if session.account.presence.is_here(own.device)
                    && let Some(known) = told_to(&account, own)
                {
                    tell(session.device, presence(&asked, known, &account));
                }
            }
        }
        Some("unsubscribe") => {
            if let Some((_, account)) = subject() {
                session.account.presence.watches(own.device, account.number, false);
                account.presence.unwatch(own);
            }
        }
        Some(kind) => tracing::debug!(kind, "a presence without meaning here"),
    }
}

/// Somebody comes to a device of an account (0 is its phone), or goes.
pub(crate) fn change(world: &World, account: &Account, device: u16, here: bool) {
    if let Some(news) = account.presence.set(device, here, world.now_secs()) {
        for (watcher, asked) in account.presence.watchers() {
            if account.contacts.blocks(watcher.account) {
                continue;
            }
            if watcher.device == 0 {
                if let Some(other) = world.registry.get(watcher.account) {
                    other.phone().activity.seen(account.number, news);
                }
            } else if let Some((device, true)) = at_device(world, watcher) {
                tell(&device, presence(&asked, news, account));
            }
        }
    }
    world.journal.touch();
}

/// A device, and whether somebody is at it.
fn at_device(world: &World, address: DeviceAddress) -> Option<(Arc<Device>, bool)> {
    let account = world.registry.get(address.account)?;
    Some((account.device(address.device)?, account.presence.is_here(address.device)))
}

/// A device's connection ended: nobody is at it, and it watches nobody.
pub(crate) fn gone(world: &World, account: &Account, device: DeviceAddress) {
    change(world, account, device.device, false);
    for watched in account.presence.forget_watched(device.device) {
        if let Some(other) = world.registry.get(watched) {
            other.presence.unwatch(device);
        }
    }
}

/// What a watcher may know about an account.
pub(crate) fn told_to(account: &Account, watcher: DeviceAddress) -> Option<Availability> {
    (!account.contacts.blocks(watcher.account)).then(|| account.presence.availability())
}

fn presence(asked: &Jid, news: Availability, account: &Account) -> Node {
    let node = NodeBuilder::new("presence").attr("from", asked);
    match news {
        Availability::Here => node.build(),
        Availability::Away(since) => {
            let node = node.attr("type", "unavailable");
            match since {
                Some(_) if account.contacts.setting("last") == "none" => node.attr("last", "deny").build(),
                Some(since) => node.attr("last", since).build(),
                None => node.build(),
            }
        }
    }
}

/// Takes a `chatstate` stanza of a device.
pub(crate) fn handle_chat_state(session: &Session<'_>, node: &NodeRef<'_>) {
    let to = stanza::jid_attr(node, "to").and_then(|to| DeviceAddress::from_jid(&to));
    let state = node
        .children()
        .and_then(<[_]>::first)
        .and_then(|child| ChatState::from_wire(child.tag.as_ref(), stanza::optional_attr(child, "media").as_deref()));
    if let (Some(to), Some(state)) = (to, state)
        && to.account != session.account.number
        && let Some(other) = session.world.account(to.account)
    {
        typing(session.world, session.account, &other, state);
    }
}

/// Tells the devices and the phone of `to` what somebody of `from` does in their chat.
pub(crate) fn typing(world: &World, from: &Account, to: &Account, state: ChatState) {
    if to.contacts.blocks(from.number) {
        return;
    }
    to.phone().activity.typing(from.number, state);
    let (tag, media) = state.as_wire();
    for device in to.linked() {
        let child = NodeBuilder::new(tag);
        let child = match media {
            Some(media) => child.attr("media", media).build(),
            None => child.build(),
        };
        tell(&device, NodeBuilder::new("chatstate").attr("from", from.number.jid()).children([child]).build());
    }
    world.journal.touch();
}

/// Hands a stanza to a device that is there to see it.
fn tell(device: &Device, node: Node) {
    if let Some(link) = device.link() {
        // A connection that has this many orders waiting misses it, as a slow network would.
        drop(link.commands.try_send(Command::Tell(Box::new(node))));
    }
}
