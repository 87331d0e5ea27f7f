//! Keys: what devices publish and what they ask of others.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef};

use super::super::{Session, key_supply, stanza};
use crate::account::{DeviceAddress, SignedPreKey};

/// Answers `encrypt` requests.
pub(crate) fn handle(session: &Session<'_>, node: &NodeRef<'_>, id: &str, set: bool) -> Node {
    if set {
        return match publish(session, node) {
            Ok(()) => stanza::result(id, []),
            Err(reason) => {
                tracing::debug!(reason, "published keys refused");
                stanza::error(id, 400, "bad-request")
            }
        };
    }
    if node.get_optional_child("count").is_some() {
        let count = session.device.keys().count();
        return stanza::result(id, [NodeBuilder::new("count").attr("value", count).build()]);
    }
    if node.get_optional_child("digest").is_some() {
        return stanza::result(id, [digest(session)]);
    }
    let users = node.get_optional_child("key").into_iter().flat_map(|key| key.get_children_by_tag("user"));
    let bundles: Vec<Node> =
        users.filter_map(|user| stanza::jid_attr(user, "jid")).map(|jid| bundle(session, &jid)).collect();
    stanza::result(id, [NodeBuilder::new("list").children(bundles).build()])
}

fn content<const N: usize>(node: &NodeRef<'_>, tag: &str) -> Option<[u8; N]> {
    node.get_optional_child(tag)?.content_bytes()?.try_into().ok()
}

fn read_signed(node: &NodeRef<'_>) -> Option<SignedPreKey> {
    Some(SignedPreKey {
        id: stanza::read_key_id(node.get_optional_child("id")?.content_bytes()?)?,
        public: content(node, "value")?,
        signature: content::<64>(node, "signature")?.to_vec(),
    })
}

/// Upload of keys, or a new signed key (`rotate`).
fn publish(session: &Session<'_>, node: &NodeRef<'_>) -> Result<(), &'static str> {
    const BAD_SIGNED: &str = "the signed key is malformed";
    if let Some(rotate) = node.get_optional_child("rotate") {
        let signed = rotate.get_optional_child("skey").and_then(read_signed).ok_or(BAD_SIGNED)?;
        session.device.keys().signed = signed;
        return Ok(());
    }
    let identity: [u8; 32] = content(node, "identity").ok_or("the identity key is malformed")?;
    let registration: [u8; 4] = content(node, "registration").ok_or("the registration id is malformed")?;
    let signed = node.get_optional_child("skey").and_then(read_signed).ok_or(BAD_SIGNED)?;
    let list = node.get_optional_child("list").ok_or("there is no list of one-time keys")?;
    let one_time: Option<Vec<(u32, [u8; 32])>> = list
        .get_children_by_tag("key")
        .map(|key| Some((stanza::read_key_id(key.get_optional_child("id")?.content_bytes()?)?, content(key, "value")?)))
        .collect();
    let one_time = one_time.ok_or("a one-time key is malformed")?;
    let mut keys = session.device.keys();
    if keys.identity != identity {
        return Err("the identity key is not that of the linked device");
    }
    keys.registration_id = u32::from_be_bytes(registration);
    keys.signed = signed;
    keys.upload(one_time);
    drop(keys);
    session.world.journal.touch();
    Ok(())
}

fn digest(session: &Session<'_>) -> Node {
    let keys = session.device.keys();
    let ids = keys.one_time().map(|(id, _)| stanza::bytes("id", stanza::key_id(*id)));
    NodeBuilder::new("digest")
        .children([
            stanza::bytes("registration", keys.registration_id.to_be_bytes()),
            stanza::bytes("type", stanza::KEY_TYPE),
            stanza::bytes("identity", keys.identity),
            stanza::signed_key(&keys.signed),
            NodeBuilder::new("list").children(ids).build(),
            stanza::bytes("hash", keys.digest()),
        ])
        .build()
}

/// The keys of one device, under the address exactly as it was asked for. Each answer consumes a
/// one-time key.
fn bundle(session: &Session<'_>, jid: &Jid) -> Node {
    let user = NodeBuilder::new("user").attr("jid", jid);
    let keys = DeviceAddress::from_jid(jid).and_then(|address| {
        if address.device == 0 { phone_bundle(session, address) } else { device_bundle(session, address) }
    });
    match keys {
        Some(keys) => user.children(keys).build(),
        None => user
            .children([NodeBuilder::new("error").attr("code", "404").attr("text", "item-not-found").build()])
            .build(),
    }
}

fn phone_bundle(session: &Session<'_>, address: DeviceAddress) -> Option<Vec<Node>> {
    let bundle = session.world.account(address.account)?.phone().bundle();
    let mut nodes = vec![stanza::bytes("registration", bundle.registration_id.to_be_bytes())];
    nodes.extend(stanza::phone_keys(&bundle));
    Some(nodes)
}

fn device_bundle(session: &Session<'_>, address: DeviceAddress) -> Option<Vec<Node>> {
    let device = session.world.device(address)?;
    let mut keys = device.keys();
    let mut nodes = vec![
        stanza::bytes("registration", keys.registration_id.to_be_bytes()),
        stanza::bytes("type", stanza::KEY_TYPE),
        stanza::bytes("identity", keys.identity),
    ];
    if let Some((id, public)) = keys.take_one_time() {
        nodes.push(stanza::one_time_key(id, &public));
    }
    nodes.push(stanza::signed_key(&keys.signed));
    nodes.push(stanza::bytes("device-identity", device.signed_identity.as_slice()));
    drop(keys);
    key_supply::taken(session.world, &device);
    Some(nodes)
}
