//! Privacy tokens: an account trusts another one, whose devices then show the token with what they
//! send. Seen with whatsapp-rust 0.7 and whatsmeow; the answer to the issuer holds no token.

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

use rand::Rng;

use super::stanza;
use crate::account::{Account, DeviceAddress, Shown, Stanza, StanzaClass};
use crate::journal::JournalEvent;
use crate::world::World;

/// Gives `contact` a token of `issuer` and tells the contact's devices.
pub(crate) fn issue(world: &World, issuer: &Account, contact: &Account, at: u64) {
    let serial = world.next_serial();
    let mut bytes = [0; 16];
    world.entropy.stream("token", serial).fill_bytes(&mut bytes);
    issuer.contacts.trust(contact.number, bytes, at);
    world.log(JournalEvent::Trusted { by: issuer.number, contact: contact.number });
    for device in contact.linked() {
        let id = format!("token-{serial}-{}", device.address.device);
        let token = NodeBuilder::new("token")
            .attr("jid", contact.number.jid())
            .attr("t", at)
            .attr("type", "trusted_contact")
            .bytes(bytes)
            .build();
        let node = NodeBuilder::new("notification")
            .attr("from", issuer.number.jid())
            .attr("sender_lid", issuer.number.lid())
            .attr("id", id.as_str())
            .attr("type", "privacy_token")
            .attr("t", world.now_secs())
            .children([NodeBuilder::new("tokens").children([token]).build()])
            .build();
        world.post(&device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
}

/// Takes the tokens that a device issues for its account.
pub(crate) fn issue_listed(world: &World, issuer: &Account, tokens: &NodeRef<'_>) {
    for token in tokens.get_children_by_tag("token") {
        let contact = stanza::jid_attr(token, "jid").and_then(|jid| DeviceAddress::from_jid(&jid));
        if let Some(contact) = contact.and_then(|contact| world.account(contact.account)) {
            let at = stanza::attr(token, "t").parse().unwrap_or_else(|_| world.now_secs());
            issue(world, issuer, &contact, at);
        }
    }
}

/// Looks at the token that came with a message.
pub(crate) fn check(world: &World, message: &NodeRef<'_>, from: DeviceAddress, to: &Account) {
    let Some(token) = message.get_optional_child("tctoken").and_then(NodeRef::content_bytes) else {
        return;
    };
    let valid = match to.contacts.shown(from.account, token) {
        Shown::First => true,
        Shown::Again => return,
        Shown::Wrong => false,
    };
    world.log(JournalEvent::TokenShown { from, to: to.number, valid });
}
