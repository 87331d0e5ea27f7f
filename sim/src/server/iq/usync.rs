//! Directory look-ups: who has WhatsApp, which LID is theirs, which devices they have.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

use super::super::{Session, device_list, stanza};
use super::profile;
use crate::account::{DeviceAddress, PhoneNumber};

/// Who is asked about in one entry of a look-up.
struct Subject {
    /// The address as the client gave it.
    asked: Option<Jid>,
    /// The number as the client gave it, with its plus sign.
    contact: Option<String>,
    number: Option<PhoneNumber>,
}

impl Subject {
    fn read(user: &NodeRef<'_>) -> Self {
        let asked = stanza::jid_attr(user, "jid").or_else(|| stanza::jid_attr(user, "pn_jid"));
        let contact = user
            .get_optional_child("contact")
            .and_then(NodeRef::content_as_string)
            .map(String::from)
            .filter(|text| !text.is_empty());
        // whatsmeow writes the number as an address of the days before linked devices.
        let plain = contact.as_deref().map(|text| text.trim_end_matches("@c.us"));
        let by_contact = plain.and_then(|text| text.parse().ok());
        let by_jid = || asked.as_ref().and_then(DeviceAddress::from_jid).map(|address| address.account);
        Self { number: by_contact.or_else(by_jid), asked, contact }
    }
}

/// Answers a look-up.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str) -> Node {
    let Some(request) = node.get_optional_child("usync") else {
        return stanza::error(id, 400, "bad-request");
    };
    let queries: Vec<&str> = request
        .get_optional_child("query")
        .and_then(|query| query.children())
        .unwrap_or_default()
        .iter()
        .map(|query| query.tag.as_ref())
        .collect();
    let users: Vec<Node> = request
        .get_optional_child("list")
        .into_iter()
        .flat_map(|list| list.get_children_by_tag("user"))
        .map(|user| answer(session, &queries, &Subject::read(user)))
        .collect();
    let outcomes = queries.iter().map(|query| NodeBuilder::new_dynamic((*query).to_owned()).build());
    let reply = NodeBuilder::new("usync")
        .attr("sid", stanza::attr(request, "sid"))
        .attr("mode", stanza::attr(request, "mode"))
        .attr("context", stanza::attr(request, "context"))
        .attr("index", "0")
        .attr("last", "true")
        .children([
            NodeBuilder::new("result").children(outcomes).build(),
            NodeBuilder::new("list").children(users).build(),
        ])
        .build();
    stanza::result(id, [reply])
}

fn answer(session: &Session<'_>, queries: &[&str], subject: &Subject) -> Node {
    let registered = subject.number.filter(|number| session.world.config.phones.registered(*number));
    let jid = subject.asked.clone().or_else(|| subject.number.map(PhoneNumber::jid));
    let mut user = NodeBuilder::new("user");
    if let Some(jid) = jid {
        user = user.attr("jid", jid);
    }
    let parts = queries.iter().filter_map(|query| match *query {
        "contact" => Some(contact(subject, registered.is_some())),
        "lid" => Some(lid(registered)),
        "devices" => Some(devices(session, registered)),
        "status" => Some(profile::about(registered.is_some())),
        _ => None,
    });
    user.children(parts.collect::<Vec<_>>()).build()
}

fn contact(subject: &Subject, registered: bool) -> Node {
    let contact = NodeBuilder::new("contact").attr("type", if registered { "in" } else { "out" });
    match &subject.contact {
        Some(text) => contact.bytes(text.as_bytes()).build(),
        None => contact.build(),
    }
}

fn lid(registered: Option<PhoneNumber>) -> Node {
    let lid = NodeBuilder::new("lid");
    match registered {
        Some(number) => lid.attr("val", number.lid()).build(),
        None => lid.build(),
    }
}

fn devices(session: &Session<'_>, registered: Option<PhoneNumber>) -> Node {
    match registered {
        Some(number) => device_list::answer(session.world, number),
        None => NodeBuilder::new("devices").children([NodeBuilder::new("device-list").build()]).build(),
    }
}
