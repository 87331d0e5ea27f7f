//! Requests about the device's own account: logging out, privacy, synchronised state.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::super::{Effects, EndReason, Session, stanza};
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
pub(crate) fn privacy(node: &NodeRef<'_>, id: &str) -> Node {
    const SETTINGS: [(&str, &str); 6] = [
        ("last", "all"),
        ("online", "all"),
        ("profile", "all"),
        ("status", "contacts"),
        ("readreceipts", "all"),
        ("groupadd", "all"),
    ];
    if stanza::attr(node, "type") == "set" {
        return stanza::result(id, []);
    }
    let settings = SETTINGS
        .iter()
        .map(|(name, value)| NodeBuilder::new("category").attr("name", *name).attr("value", *value).build());
    stanza::result(id, [NodeBuilder::new("privacy").children(settings).build()])
}

/// Collections of synchronised state. They are empty; a patch only raises the version.
pub(crate) fn app_state(session: &Session<'_>, node: &NodeRef<'_>, id: &str) -> Node {
    let asked = node.get_optional_child("sync").into_iter().flat_map(|sync| sync.get_children_by_tag("collection"));
    let collections: Vec<Node> = asked
        .map(|collection| {
            let name = stanza::attr(collection, "name");
            let version = session.device.collection_version(&name, collection.get_optional_child("patch").is_some());
            NodeBuilder::new("collection")
                .attr("name", name)
                .attr("version", version)
                .attr("has_more_patches", "false")
                .build()
        })
        .collect();
    stanza::result(id, [NodeBuilder::new("sync").children(collections).build()])
}
