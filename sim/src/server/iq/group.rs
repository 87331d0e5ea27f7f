//! Requests about groups (`w:g2`).

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::super::{Session, group, stanza};
use crate::account::{DeviceAddress, PhoneNumber};
use crate::group::{Group, GroupChange, GroupId, Refusal};

/// Answers a request.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str, set: bool) -> Node {
    let to = stanza::jid_attr(node, "to");
    let asked = to.as_ref().and_then(GroupId::from_jid);
    let answer = match (asked, set) {
        (Some(asked), false) => query(session, node, asked),
        (Some(asked), true) => change(session, node, asked),
        (None, false) => participating(session, node),
        (None, true) => create_or_leave(session, node),
    };
    let mut reply = match answer {
        Answer::Result(content) => stanza::result(id, content),
        Answer::Refused(refusal) => {
            let (code, word) = refusal.as_wire();
            stanza::error(id, code, word)
        }
        Answer::Malformed => stanza::error(id, 400, "bad-request"),
        Answer::Missing => stanza::error(id, 501, "feature-not-implemented"),
    };
    if let Some(to) = to {
        reply.attrs.insert("from", to);
    }
    reply
}

enum Answer {
    Result(Vec<Node>),
    Refused(Refusal),
    /// The request makes no sense.
    Malformed,
    /// The simulator does not do that.
    Missing,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The group, for one of its members.
fn group_of_member(session: &Session<'_>, asked: GroupId) -> Result<Arc<Group>, Refusal> {
    let group = session.world.groups.get(asked).ok_or(Refusal::Unknown)?;
    if group.has(session.account.number) { Ok(group) } else { Err(Refusal::NotAMember) }
}

fn query(session: &Session<'_>, node: &NodeRef<'_>, asked: GroupId) -> Answer {
    let Some(query) = node.get_optional_child("query") else {
        return Answer::Missing;
    };
    match group_of_member(session, asked) {
        // A client that knows the members is not told again.
        Ok(found) if known(query, &found) => Answer::Result(Vec::new()),
        Ok(found) => Answer::Result(vec![group::describe(&found)]),
        Err(refusal) => refusal.into(),
    }
}

fn known(query: &NodeRef<'_>, found: &Group) -> bool {
    stanza::optional_attr(query, "phash").is_some_and(|hash| group::members_hash(found) == Some(hash))
}

fn participating(session: &Session<'_>, node: &NodeRef<'_>) -> Answer {
    if node.get_optional_child("participating").is_none() {
        return Answer::Missing;
    }
    let own = session.account.number;
    let all = session.world.groups.all();
    let groups = all.iter().filter(|found| found.has(own)).map(|found| group::describe(found));
    Answer::Result(vec![NodeBuilder::new("groups").children(groups.collect::<Vec<_>>()).build()])
}

/// The accounts that a request names; `None` if one is no account.
fn members(node: &NodeRef<'_>) -> Option<Vec<PhoneNumber>> {
    let address = |node: &NodeRef<'_>| {
        let jid = stanza::jid_attr(node, "jid")?;
        DeviceAddress::from_jid(&jid).map(|address| address.account)
    };
    node.get_children_by_tag("participant").map(address).collect()
}

fn text(node: &NodeRef<'_>) -> String {
    match node.content_bytes() {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => node.content_as_string().map(String::from).unwrap_or_default(),
    }
}

fn change(session: &Session<'_>, node: &NodeRef<'_>, asked: GroupId) -> Answer {
    let Some(action) = node.children().and_then(<[NodeRef<'_>]>::first) else {
        return Answer::Malformed;
    };
    let tag = action.tag.as_ref();
    let change = if tag == "subject" {
        GroupChange::Subject { subject: text(action) }
    } else {
        let Some(members) = members(action).filter(|members| !members.is_empty()) else {
            return if matches!(tag, "add" | "remove" | "promote" | "demote") {
                Answer::Malformed
            } else {
                Answer::Missing
            };
        };
        match tag {
            "add" => GroupChange::Add { members },
            "remove" => GroupChange::Remove { members },
            "promote" => GroupChange::Promote { members },
            "demote" => GroupChange::Demote { members },
            _ => return Answer::Missing,
        }
    };
    match group::change(session.world, asked, session.account.number, change) {
        Ok((changed, outcomes)) => {
            let list = outcomes.iter().map(|outcome| group::outcome(changed.addressing, *outcome));
            let list = list.collect::<Vec<_>>();
            let answer = NodeBuilder::new_dynamic(tag.to_owned());
            let answer = if list.is_empty() { answer.build() } else { answer.children(list).build() };
            Answer::Result(vec![answer])
        }
        Err(refusal) => refusal.into(),
    }
}

fn create_or_leave(session: &Session<'_>, node: &NodeRef<'_>) -> Answer {
    let own = session.account.number;
    if let Some(create) = node.get_optional_child("create") {
        let Some(members) = members(create) else {
            return Answer::Malformed;
        };
        let members = members.into_iter().filter(|member| *member != own).collect();
        let subject = stanza::attr(create, "subject");
        let by = (own, Some(session.device.address));
        return match group::create(session.world, by, &subject, members, session.world.config.group_addressing) {
            Ok((made, _)) => Answer::Result(vec![group::describe(&made)]),
            Err(refusal) => refusal.into(),
        };
    }
    let Some(leave) = node.get_optional_child("leave") else {
        return Answer::Missing;
    };
    let mut left = Vec::new();
    for named in leave.get_children_by_tag("group") {
        let text = stanza::attr(named, "id");
        let Ok(asked) = text.parse::<GroupId>() else {
            return Answer::Malformed;
        };
        if let Err(refusal) = group::change(session.world, asked, own, GroupChange::Leave) {
            return refusal.into();
        }
        left.push(NodeBuilder::new("group").attr("id", text).build());
    }
    Answer::Result(vec![NodeBuilder::new("leave").children(left).build()])
}
