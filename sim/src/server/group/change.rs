//! Making and changing groups, and telling the members' devices.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::describe::{describe, member};
use crate::account::{DeviceAddress, PhoneNumber, Stanza, StanzaClass};
use crate::group::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Refusal};
use crate::journal::JournalEvent;
use crate::world::World;

/// Makes a group of `creator` and those of `members` that are on WhatsApp. Returns it, and what
/// became of each of `members`. All devices but `by_device` are told.
pub(crate) fn create(
    world: &World,
    (creator, by_device): (PhoneNumber, Option<DeviceAddress>),
    subject: &str,
    members: Vec<PhoneNumber>,
    addressing: Addressing,
) -> Result<(Arc<Group>, Vec<MemberOutcome>), Refusal> {
    let id = world.groups.create(creator, subject, addressing, world.now_secs())?;
    let first = GroupChange::Add { members };
    let (group, outcomes) = apply(world, id, creator, &first)?;
    world.log(JournalEvent::GroupChanged { group: id, by: creator, what: None });
    let create = NodeBuilder::new("create").attr("type", "new").children([describe(&group)]).build();
    let everybody = group.members.keys().copied().collect();
    tell(world, &group, creator, &everybody, by_device, &create);
    Ok((group, outcomes))
}

fn apply(
    world: &World,
    group: GroupId,
    by: PhoneNumber,
    change: &GroupChange,
) -> Result<(Arc<Group>, Vec<MemberOutcome>), Refusal> {
    let exists = |number| world.config.phones.registered(number);
    world.groups.change(group, by, change, exists, world.now_secs())
}

/// Makes a change that `by` asks for and tells the devices of all who are or were members.
pub(crate) fn change(
    world: &World,
    group: GroupId,
    by: PhoneNumber,
    change: GroupChange,
) -> Result<(Arc<Group>, Vec<MemberOutcome>), Refusal> {
    let (group, outcomes) = apply(world, group, by, &change)?;
    let done: Vec<PhoneNumber> =
        outcomes.iter().filter(|outcome| outcome.code == 200).map(|outcome| outcome.member).collect();
    let list = |tag: &'static str| {
        let members = done.iter().map(|number| member(group.addressing, *number).build());
        NodeBuilder::new(tag)
            .attr("prev_v_id", group.version - 1)
            .attr("v_id", group.version)
            .children(members.collect::<Vec<_>>())
            .build()
    };
    let content = match &change {
        GroupChange::Subject { subject } => {
            let mut node = NodeBuilder::new("subject")
                .attr("subject", subject.as_str())
                .attr("s_t", group.subject_at)
                .attr("s_o", group.addressing.member(by));
            if group.addressing == Addressing::Lid {
                node = node.attr("s_o_pn", by.jid());
            }
            Some(node.build())
        }
        _ if done.is_empty() => None,
        GroupChange::Add { .. } => Some(list("add")),
        GroupChange::Remove { .. } | GroupChange::Leave => Some(list("remove")),
        GroupChange::Promote { .. } => Some(list("promote")),
        GroupChange::Demote { .. } => Some(list("demote")),
    };
    if let Some(content) = content {
        let who = group.members.keys().chain(&done).copied().collect();
        tell(world, &group, by, &who, None, &content);
        world.log(JournalEvent::GroupChanged { group: group.id, by, what: Some(change) });
    }
    Ok((group, outcomes))
}

/// Sends a notification to the linked devices of `who`, except `but`.
fn tell(
    world: &World,
    group: &Group,
    by: PhoneNumber,
    who: &BTreeSet<PhoneNumber>,
    but: Option<DeviceAddress>,
    content: &Node,
) {
    let devices = who.iter().filter_map(|number| world.registry.get(*number)).flat_map(|account| account.linked());
    for device in devices.filter(|device| Some(device.address) != but) {
        let id = format!("group-{}", world.next_serial());
        let mut node = NodeBuilder::new("notification")
            .attr("from", group.id.jid())
            .attr("id", id.as_str())
            .attr("type", "w:gp2")
            .attr("t", world.now_secs())
            .attr("participant", group.addressing.member(by))
            .attr("addressing_mode", group.addressing.as_wire());
        if group.addressing == Addressing::Lid {
            node = node.attr("participant_pn", by.jid());
        }
        let node = node.children([content.clone()]).build();
        world.post(&device, Stanza { class: StanzaClass::Notification, id, kind: None, node });
    }
}
