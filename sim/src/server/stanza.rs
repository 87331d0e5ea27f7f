//! The stanzas that the server builds.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeRef, Server};

use crate::account::SignedPreKey;
use crate::phone::PhoneBundle;

/// Text of an attribute; empty when it is absent.
pub(crate) fn attr(node: &NodeRef<'_>, name: &str) -> String {
    node.get_attr(name).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

/// Text of an attribute, if present.
pub(crate) fn optional_attr(node: &NodeRef<'_>, name: &str) -> Option<String> {
    node.get_attr(name).map(|value| value.as_str().into_owned())
}

pub(crate) fn jid_attr(node: &NodeRef<'_>, name: &str) -> Option<Jid> {
    node.get_attr(name)?.to_jid()
}

/// The server's own address. It is an address without a user, not a word: whatsmeow does not see a
/// word as one, and ignores the request.
pub(crate) fn server() -> Jid {
    Jid::new("", Server::Pn)
}

/// The answer to a request.
pub(crate) fn result(id: &str, content: impl IntoIterator<Item = Node>) -> Node {
    let answer = NodeBuilder::new("iq").attr("from", server()).attr("id", id).attr("type", "result");
    let content: Vec<Node> = content.into_iter().collect();
    if content.is_empty() { answer.build() } else { answer.children(content).build() }
}

/// The refusal of a request.
pub(crate) fn error(id: &str, code: u16, text: &'static str) -> Node {
    NodeBuilder::new("iq")
        .attr("from", server())
        .attr("id", id)
        .attr("type", "error")
        .children([NodeBuilder::new("error").attr("code", code).attr("text", text).build()])
        .build()
}

/// `stream:error` with a code and an optional conflict.
pub(crate) fn stream_error(code: Option<u16>, conflict: Option<&'static str>) -> Node {
    let mut node = NodeBuilder::new("stream:error");
    if let Some(code) = code {
        node = node.attr("code", code);
    }
    if let Some(kind) = conflict {
        node = node.children([NodeBuilder::new("conflict").attr("type", kind).build()]);
    }
    node.build()
}

/// `ack` for a stanza of the client.
pub(crate) fn ack(class: &'static str, id: &str, from: &Jid, now_secs: u64) -> NodeBuilder {
    NodeBuilder::new("ack").attr("class", class).attr("id", id).attr("from", from).attr("t", now_secs)
}

/// The last three bytes of a key's number, as keys are numbered on the wire.
pub(crate) fn key_id(id: u32) -> Vec<u8> {
    id.to_be_bytes()[1..].to_vec()
}

/// A key's number from the wire.
pub(crate) fn read_key_id(bytes: &[u8]) -> Option<u32> {
    match *bytes {
        [a, b, c] => Some(u32::from_be_bytes([0, a, b, c])),
        _ => None,
    }
}

pub(crate) fn bytes(tag: &'static str, content: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(content).build()
}

pub(crate) fn one_time_key(id: u32, public: &[u8; 32]) -> Node {
    NodeBuilder::new("key").children([bytes("id", key_id(id)), bytes("value", public.as_slice())]).build()
}

pub(crate) fn signed_key(key: &SignedPreKey) -> Node {
    NodeBuilder::new("skey")
        .children([
            bytes("id", key_id(key.id)),
            bytes("value", key.public.as_slice()),
            bytes("signature", key.signature.as_slice()),
        ])
        .build()
}

/// The type byte of Curve25519 keys.
pub(crate) const KEY_TYPE: [u8; 1] = [5];

/// A phone's keys, without the registration number that stands beside them.
pub(crate) fn phone_keys(bundle: &PhoneBundle) -> Vec<Node> {
    let signed = SignedPreKey { id: bundle.signed_id, public: bundle.signed, signature: bundle.signature.to_vec() };
    vec![
        bytes("type", KEY_TYPE),
        bytes("identity", bundle.identity),
        one_time_key(bundle.one_time_id, &bundle.one_time),
        signed_key(&signed),
    ]
}

/// `enc` around a sealed message.
pub(crate) fn enc(kind: &'static str, ciphertext: Vec<u8>) -> Node {
    NodeBuilder::new("enc").attr("v", "2").attr("type", kind).bytes(ciphertext).build()
}
