//! Synchronised app state: devices fetch patches and add their own.

use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::super::{Session, stanza, state_patch};
use crate::account::AppStateRefusal;

/// Answers a request for collections.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str) -> Node {
    let asked = node.get_optional_child("sync").into_iter().flat_map(|sync| sync.get_children_by_tag("collection"));
    let collections: Vec<Node> = asked.map(|collection| answer(session, collection)).collect();
    stanza::result(id, [NodeBuilder::new("sync").children(collections).build()])
}

fn answer(session: &Session<'_>, asked: &NodeRef<'_>) -> Node {
    let name = stanza::attr(asked, "name");
    let state = &session.account.app_state;
    // A client that wants a snapshot names no version; here it gets all patches instead.
    let known: u64 = stanza::attr(asked, "version").parse().unwrap_or_default();
    let mut reply = NodeBuilder::new("collection").attr("name", name.as_str());
    if let Some(patch) = asked.get_optional_child("patch") {
        let patch = patch.content_bytes().and_then(|bytes| wa::SyncdPatch::decode_from_slice(bytes).ok());
        let Some(patch) = patch else {
            return refused(&name, state.version(&name), 400, "bad-request");
        };
        return match state_patch::add(session.world, session.account, &name, known, &patch, session.device.address) {
            Ok(version) => reply.attr("version", version).attr("has_more_patches", "false").build(),
            Err(AppStateRefusal::Conflict) => refused(&name, state.version(&name), 409, "conflict"),
            Err(AppStateRefusal::Full) => refused(&name, state.version(&name), 406, "not-acceptable"),
        };
    }
    let (patches, more) = state.after(&name, known);
    reply = reply.attr("version", state.version(&name)).attr("has_more_patches", if more { "true" } else { "false" });
    if patches.is_empty() {
        return reply.build();
    }
    let patches = patches.into_iter().map(|patch| stanza::bytes("patch", patch)).collect::<Vec<_>>();
    reply.children([NodeBuilder::new("patches").children(patches).build()]).build()
}

fn refused(name: &str, version: u64, code: u16, text: &'static str) -> Node {
    NodeBuilder::new("collection")
        .attr("name", name)
        .attr("type", "error")
        .attr("version", version)
        .children([NodeBuilder::new("error").attr("code", code).attr("text", text).build()])
        .build()
}
