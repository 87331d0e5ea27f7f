//! Whether a message really goes to its recipient.
//!
//! The library leaves out a device that it has no keys for, or can't encrypt for just now, and sends what is left: in the end only
//! the copy for the account's own phone (`whatsapp-rust` 0.7, `wacore/send/encrypt.rs`, "Skipping"). WhatsApp acknowledges
//! that like any other.

use whatsapp_rust::wacore_binary::{Jid, JidExt as _, Node};

/// Whether the stanza of a message has a copy for a device that is none of `own`'s. A stanza that is not made of copies has what it
/// says for whom it is addressed to.
pub(super) fn reaches_somebody(message: &Node, own: &[Option<Jid>]) -> bool {
    let Some(copies) = message.get_optional_child_by_tag(&["participants"]) else { return true };
    let to = message.attrs().optional_jid("to");
    let is_own = |jid: &Jid| own.iter().flatten().any(|own| own.user == jid.user && own.server == jid.server);
    // A group's message is encrypted once for all; what the account writes to itself has no other copies.
    if to.is_none_or(|to| to.is_group() || is_own(&to)) {
        return true;
    }
    let copies = copies.children().unwrap_or_default().iter().filter(|copy| copy.tag == "to");
    let mut jids = copies.filter_map(|copy| copy.attrs().optional_jid("jid"));
    jids.any(|jid| !is_own(&jid))
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::wacore_binary::builder::NodeBuilder;

    use super::*;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn message(to: &str, copies: &[&str]) -> Node {
        let copies = copies.iter().map(|copy| NodeBuilder::new("to").attr("jid", jid(copy)).build());
        let copies = NodeBuilder::new("participants").children(copies).build();
        NodeBuilder::new("message").attr("to", jid(to)).children([copies]).build()
    }

    #[test]
    fn a_message_that_only_the_own_phone_gets_is_none() {
        let own = [Some(jid("100@s.whatsapp.net")), Some(jid("900@lid"))];
        for (to, copies, reaches) in [
            ("200@s.whatsapp.net", &["200@s.whatsapp.net", "100@s.whatsapp.net"][..], true),
            ("200@s.whatsapp.net", &["800@lid", "900@lid"], true),
            ("200@s.whatsapp.net", &["100@s.whatsapp.net"], false),
            ("200@s.whatsapp.net", &["900@lid", "900:3@lid"], false),
            // The phone is left out, but somebody may read it.
            ("200@s.whatsapp.net", &["200:7@s.whatsapp.net", "100@s.whatsapp.net"], true),
            ("200@s.whatsapp.net", &[], false),
            // Digits that are another's under the other server.
            ("900@s.whatsapp.net", &["900@s.whatsapp.net", "100@s.whatsapp.net"], true),
            ("100@s.whatsapp.net", &["100@s.whatsapp.net"], true),
            ("123@g.us", &["100@s.whatsapp.net"], true),
        ] {
            assert_eq!(reaches_somebody(&message(to, copies), &own), reaches, "{to} {copies:?}");
        }
        let repetition = NodeBuilder::new("message").attr("to", jid("200@s.whatsapp.net")).build();
        assert!(reaches_somebody(&repetition, &own));
    }
}
