//! The list of blocked accounts, as an account's devices read and change it.

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

use super::super::{Session, stanza};
use crate::account::{Account, DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::world::World;

/// Answers `blocklist` requests.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str, set: bool) -> Node {
    if set {
        let Some((other, address, block)) = node.get_optional_child("item").and_then(change) else {
            return stanza::error(id, 400, "bad-request");
        };
        apply(session.world, session.account, other, &address, block);
    }
    let blocked = session.account.contacts.blocked();
    let items = blocked.iter().map(|jid| NodeBuilder::new("item").attr("jid", jid).build()).collect::<Vec<_>>();
    let list = NodeBuilder::new("list").attr("dhash", hash(&blocked)).children(items).build();
    stanza::result(id, [list])
}

/// Who is blocked or unblocked. whatsmeow names a number, whatsapp-rust 0.7 a LID with the number
/// beside it.
fn change(item: &NodeRef<'_>) -> Option<(PhoneNumber, Jid, bool)> {
    let address = stanza::jid_attr(item, "jid")?.to_non_ad();
    let block = match stanza::attr(item, "action").as_str() {
        "block" => true,
        "unblock" => false,
        _ => return None,
    };
    Some((DeviceAddress::from_jid(&address)?.account, address, block))
}

fn hash(blocked: &[Jid]) -> String {
    MessageUtils::participant_list_hash(blocked).unwrap_or_default()
}

/// Blocks or unblocks, and tells the account's devices if that changed anything.
pub(crate) fn apply(world: &World, account: &Account, other: PhoneNumber, address: &Jid, block: bool) {
    let before = hash(&account.contacts.blocked());
    let changed = if block { account.contacts.block(other, address.clone()) } else { account.contacts.unblock(other) };
    if !changed {
        return;
    }
    let after = hash(&account.contacts.blocked());
    let item =
        NodeBuilder::new("item").attr("jid", address).attr("action", if block { "block" } else { "unblock" }).build();
    for device in account.linked() {
        let id = format!("blocklist-{}", world.next_serial());
        let list = NodeBuilder::new("blocklist")
            .attr("action", "modify")
            .attr("dhash", after.as_str())
            .attr("prev_dhash", before.as_str())
            .children([item.clone()])
            .build();
        let node = NodeBuilder::new("notification")
            .attr("from", account.number.jid())
            .attr("id", id.as_str())
            .attr("type", "account_sync")
            .attr("t", world.now_secs())
            .children([list])
            .build();
        world.post(&device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
}
