//! How groups are described to clients.

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::account::PhoneNumber;
use crate::group::{Addressing, Group, MemberOutcome};

/// A member, by the address that the group uses, with the other one beside it.
pub(super) fn member(addressing: Addressing, number: PhoneNumber) -> NodeBuilder {
    let other = match addressing {
        Addressing::Lid => "phone_number",
        Addressing::Pn => "lid",
    };
    NodeBuilder::new("participant").attr("jid", addressing.member(number)).attr(other, addressing.other(number))
}

/// What became of a change for one member.
pub(in super::super) fn outcome(addressing: Addressing, outcome: MemberOutcome) -> Node {
    let node = member(addressing, outcome.member);
    if outcome.code == 200 { node.build() } else { node.attr("error", outcome.code).build() }
}

/// The whole group. Clients choose by `addressing_mode` how they address its members.
pub(in super::super) fn describe(group: &Group) -> Node {
    let addressing = group.addressing;
    let mut node = NodeBuilder::new("group")
        .attr("id", group.id.digits())
        .attr("subject", group.subject.as_str())
        .attr("creation", group.created_at)
        .attr("creator", addressing.member(group.creator))
        .attr("s_t", group.subject_at)
        .attr("s_o", addressing.member(group.subject_by))
        .attr("addressing_mode", addressing.as_wire())
        .attr("p_v_id", group.version)
        .attr("a_v_id", group.version)
        .attr("size", group.members.len());
    if addressing == Addressing::Lid {
        node = node.attr("creator_pn", group.creator.jid()).attr("s_o_pn", group.subject_by.jid());
    }
    let members = group.members.iter().map(|(number, role)| {
        let node = member(addressing, *number);
        match role.as_wire() {
            Some(role) => node.attr("type", role).build(),
            None => node.build(),
        }
    });
    let anybody_adds = NodeBuilder::new("member_add_mode").string_content("all_member_add").build();
    node.children(members.chain([anybody_adds]).collect::<Vec<_>>()).build()
}

/// Hash of the members, with which whatsapp-rust asks whether they are still the same.
pub(in super::super) fn members_hash(group: &Group) -> Option<String> {
    let members: Vec<Jid> = group.members.keys().map(|number| group.addressing.member(*number)).collect();
    MessageUtils::participant_list_hash(&members).ok()
}
