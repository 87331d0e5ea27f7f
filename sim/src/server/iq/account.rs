//! Requests about the device's own account: logging out, privacy.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::super::{Effects, EndReason, Session, stanza, trust};
use crate::account::DeviceAddress;
use crate::operations;

/// `md` requests: a device logs itself out.
pub(crate) fn linked_devices(session: &Session<'_>, node: &NodeRef<'_>, id: &str, effects: &mut Effects) -> Node {
    let own = session.device.address;
    let Some(removal) = node.get_optional_child("remove-companion-device") else {
        return stanza::error(id, 501, "feature-not-implemented");
    };
    let named = stanza::jid_attr(removal, "jid").and_then(|jid| DeviceAddress::from_jid(&jid));
    if named != Some(own) {
        return stanza::error(id, 403, "forbidden");
    }
    operations::forget_device(session.world, session.account, own.device, true);
    // The client knows what it asked for, so it gets no stream error.
    effects.end = Some(EndReason::ClientClosed);
    stanza::result(id, [])
}

/// Privacy settings, and the tokens that contacts are trusted with.
pub(crate) fn privacy(session: &Session<'_>, node: &NodeRef<'_>, id: &str, set: bool) -> Node {
    if !set {
        let settings = session.account.contacts.settings();
        let settings =
            settings.iter().map(|(name, value)| NodeBuilder::new("category").attr("name", *name).attr("value", *value));
        let settings = settings.map(NodeBuilder::build).collect::<Vec<_>>();
        return stanza::result(id, [NodeBuilder::new("privacy").children(settings).build()]);
    }
    if let Some(tokens) = node.get_optional_child("tokens") {
        // The token itself goes to the contact only.
        trust::issue_listed(session.world, session.account, tokens);
        return stanza::result(id, []);
    }
    let changes = node.get_optional_child("privacy").into_iter().flat_map(|list| list.get_children_by_tag("category"));
    for change in changes {
        let (name, value) = (stanza::attr(change, "name"), stanza::attr(change, "value"));
        if session.account.contacts.set(&name, &value).is_none() {
            return stanza::error(id, 400, "bad-request");
        }
    }
    stanza::result(id, [])
}
