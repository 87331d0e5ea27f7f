//! What others show about themselves: a line of text, a picture, a business.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::super::stanza;

/// The line that phones begin with.
const ABOUT: &str = "Hey there! I am using WhatsApp.";

/// The `status` part of a look-up.
pub(crate) fn about(registered: bool) -> Node {
    let status = NodeBuilder::new("status");
    if registered { status.bytes(ABOUT.as_bytes()).build() } else { status.build() }
}

/// Requests for a picture. Phones of the simulator have none, which is an error to the clients:
/// whatsmeow and whatsapp-rust 0.7 read 404 as "not set".
pub(crate) fn picture(id: &str) -> Node {
    stanza::error(id, 404, "item-not-found")
}
