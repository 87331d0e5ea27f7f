//! What a client may do before it is linked: answer an offered link, ask for a code to be typed, and keep its connection
//! alive.

use tokio::sync::oneshot;
use wacore_binary::NodeRef;

use super::{Effects, pair_code, stanza};
use crate::world::World;

/// An offered link that the client has not answered.
pub(super) struct PendingOffer {
    pub(super) id: String,
    pub(super) answer: oneshot::Sender<Result<Vec<u8>, String>>,
}

/// Handles what an unlinked client sends over the connection `serial`.
pub(super) fn handle(
    (world, serial): (&World, u64),
    node: &NodeRef<'_>,
    offer: &mut Option<PendingOffer>,
    effects: &mut Effects,
) {
    if node.tag.as_ref() != "iq" {
        return;
    }
    let id = stanza::attr(node, "id");
    let kind = stanza::attr(node, "type");
    if kind == "get" || kind == "set" {
        let reply = pair_code::handle(world, serial, node, &id);
        effects.replies.push(reply.unwrap_or_else(|| stanza::result(&id, [])));
        return;
    }
    let Some(pending) = offer.take_if(|pending| pending.id == id) else {
        return;
    };
    let answer = node
        .get_optional_child_by_tag(&["pair-device-sign", "device-identity"])
        .and_then(|identity| identity.content_bytes())
        .map(<[u8]>::to_vec)
        .ok_or_else(|| {
            let text = node.get_optional_child("error").map(|error| stanza::attr(error, "text"));
            format!("it refused: {}", text.unwrap_or_else(|| "no reason given".into()))
        });
    // The phone may have given up.
    let _ = pending.answer.send(answer);
}
