//! Where and with which permission a device may upload files.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::super::{Session, stanza};

/// Answers `media_conn`: whom to ask, and a permission that holds for a while.
///
/// The fallback host is the same server: the simulator has one. whatsmeow insists on all four
/// attributes.
pub(crate) fn connection(session: &Session<'_>, id: &str) -> Node {
    let media = &session.world.media;
    let seconds = media.permission_secs();
    let host = |kind: &'static str| {
        let kinds = ["image", "video", "audio", "ptt", "document", "sticker"];
        let download = kinds.into_iter().map(|kind| NodeBuilder::new(kind).build());
        NodeBuilder::new("host")
            .attr("hostname", media.host())
            .attr("type", kind)
            .children([NodeBuilder::new("upload").build(), NodeBuilder::new("download").children(download).build()])
    };
    let primary = host("primary").attr("fallback_hostname", media.host()).build();
    let connection = NodeBuilder::new("media_conn")
        .attr("auth", media.permit(session.device.address, session.world.now_secs()))
        .attr("auth_ttl", seconds)
        .attr("ttl", seconds)
        .attr("max_buckets", "12")
        .children([primary, host("fallback").build()])
        .build();
    stanza::result(id, [connection])
}
