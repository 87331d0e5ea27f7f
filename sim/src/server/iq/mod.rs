//! Requests of logged-in devices.

mod account;
mod app_state;
mod blocklist;
mod encrypt;
mod group;
mod media;
mod mex;
mod profile;
mod usync;

use wacore_binary::NodeRef;
use wacore_binary::builder::NodeBuilder;

use super::{Effects, Session, stanza};

pub(crate) use blocklist::apply as block;

/// Answers a request. What the simulator does not know gets an empty result, as most clients only
/// wait for any answer.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, effects: &mut Effects) {
    let id = stanza::attr(node, "id");
    let kind = stanza::attr(node, "type");
    if id.is_empty() || (kind != "get" && kind != "set") {
        return;
    }
    let namespace = stanza::attr(node, "xmlns");
    let reply = match namespace.as_str() {
        "encrypt" => encrypt::handle(session, node, &id, kind == "set"),
        "usync" => usync::handle(session, node, &id),
        "passive" => {
            effects.activate = node.get_optional_child("active").is_some();
            stanza::result(&id, [])
        }
        "w:g2" => group::handle(session, node, &id, kind == "set"),
        "w:m" => media::connection(session, &id),
        "md" => account::linked_devices(session, node, &id, effects),
        "abt" => stanza::result(&id, [NodeBuilder::new("props").attr("protocol", "1").attr("hash", "sim").build()]),
        "blocklist" => blocklist::handle(session, node, &id, kind == "set"),
        "privacy" => account::privacy(session, node, &id, kind == "set"),
        "w:sync:app:state" => app_state::handle(session, node, &id),
        "w:profile:picture" if kind == "get" => profile::picture(&id),
        "w:mex" => mex::handle(session, node, &id),
        // The time lets a client compare its clock.
        "w:p" | "urn:xmpp:ping" => {
            let mut pong = stanza::result(&id, []);
            pong.attrs.insert("t", session.world.now_secs().to_string());
            pong
        }
        other => {
            tracing::debug!(namespace = other, "a request the simulator does not know gets an empty result");
            stanza::result(&id, [])
        }
    };
    effects.replies.push(reply);
}
