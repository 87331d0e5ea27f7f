//! Entrances for fuzzers: what a client can reach with bytes of its choice. None of these may panic, whatever the bytes.
//!
//! Compiled only with the feature `fuzzing`; the targets are in `sim/fuzz`, `make fuzz` runs them.

use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use wacore::libsignal::protocol::KeyPair;
use wacore::noise::XxHandshakeState;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::marshal::{marshal_to_vec, unmarshal_ref};
use wacore_binary::{Node, NodeRef};
use waproto::buffa::Message as _;
use waproto::whatsapp as wa;

use crate::account::{Device, DeviceAddress, NewDevice, PhoneNumber, PreKeyPool, SignedPreKey};
use crate::config::SimConfig;
use crate::server::{self, Effects, Receipts, Registration, Restarts, Session};
use crate::transport::{Answer, FrameReader, ServerKeys, answer_hello, check_nesting};
use crate::world::World;

const SEED: u64 = 1;
const NOW_SECS: u64 = 1_700_000_000;
const FRAME_LIMIT: usize = 1 << 16;

/// Cuts bytes into frames. The first byte says in what pieces they arrive.
pub fn frames(bytes: &[u8]) {
    let Some((&size, rest)) = bytes.split_first() else {
        return;
    };
    let mut reader = FrameReader::new(FRAME_LIMIT);
    if size % 2 == 0 {
        reader.push(&WA_CONN_HEADER);
    }
    let mut frames = 0;
    for piece in rest.chunks(usize::from(size / 2) + 1) {
        reader.push(piece);
        while let Ok(Some(frame)) = reader.next_frame() {
            assert!(frame.len() <= FRAME_LIMIT, "a frame over the limit");
            frames += 1;
        }
    }
    assert!(frames <= bytes.len(), "more frames than bytes");
}

/// Reads the plaintext of a frame as a stanza. What was written and read must stay the same when that is done again; the
/// first time something may go, such as an empty list of children.
pub fn node(bytes: &[u8]) {
    // Some oddities can be read and not written, or written and not read, such as an address without its parts.
    if let Some(node) = read_stanza(bytes)
        && let Some(once) = rewritten(&node)
        && let Some(twice) = rewritten(&once)
    {
        assert_eq!(once, twice, "a stanza changes when it is written");
    }
}

fn read_stanza(bytes: &[u8]) -> Option<Node> {
    let plain = wacore_binary::util::unpack(bytes).ok()?;
    check_nesting(&plain).ok()?;
    Some(unmarshal_ref(&plain).ok()?.to_owned())
}

/// The stanza after it was written and read, if both can be done.
fn rewritten(node: &Node) -> Option<Node> {
    let mut written = Vec::new();
    marshal_to_vec(node, &mut written).ok()?;
    read_stanza(&written)
}

/// Plays a client's handshake: the first byte says which message is nonsense.
pub fn handshake(bytes: &[u8]) {
    let Some((&which, message)) = bytes.split_first() else {
        return;
    };
    let mut rng = StdRng::seed_from_u64(SEED);
    let keys = ServerKeys::generate(&mut rng, NOW_SECS).expect("keys can be made");
    match which % 3 {
        0 => drop(answer_hello(&keys, message, &mut rng)),
        1 => {
            let client = XxHandshakeState::new(KeyPair::generate(&mut rng), Vec::new(), &WA_CONN_HEADER)
                .expect("a client can be made");
            let hello = client.build_client_hello().expect("a good hello");
            if let Ok(Answer::AwaitFinish { pending, .. }) = answer_hello(&keys, &hello, &mut rng) {
                drop(pending.finish(message));
            }
        }
        _ => {
            let Ok(payload) = wa::ClientPayload::decode_from_slice(message) else {
                return;
            };
            if let Some(data) = payload.device_pairing_data.as_option() {
                drop(Registration::read(data));
            }
        }
    }
}

/// Makes stanzas out of bytes and lets a logged-in device send them.
pub fn session(bytes: &[u8]) {
    let stop = CancellationToken::new();
    let (receipts, _queue) = Receipts::channel();
    let config = SimConfig { seed: Some(SEED), ..SimConfig::default() };
    let world = Arc::new(World::new(config, stop, receipts, Restarts::channel().0).expect("keys can be made"));
    let number = PhoneNumber::from_u64(15_551_230_001).expect("a number");
    let account = world.account(number).expect("every number exists");
    let device = Arc::new(device(DeviceAddress { account: number, device: 1 }));
    account.devices().linked.insert(1, Arc::clone(&device));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");

    let mut source = Source(bytes);
    while !source.0.is_empty() {
        let stanza = source.node(0);
        let mut written = Vec::new();
        if marshal_to_vec(&stanza, &mut written).is_err() {
            continue;
        }
        let plain = wacore_binary::util::unpack(&written).expect("what was written unpacks");
        let Ok(read): Result<NodeRef<'_>, _> = unmarshal_ref(&plain) else {
            continue;
        };
        let mut effects = Effects::default();
        let session = Session { world: &world, account: &account, device: &device };
        server::dispatch(&session, &read, &mut effects);
        for reply in &effects.replies {
            let mut written = Vec::new();
            marshal_to_vec(reply, &mut written).expect("an answer can be written");
        }
        for errand in effects.errands {
            runtime.block_on(server::run_errand(&world, errand));
        }
    }
}

fn device(address: DeviceAddress) -> Device {
    let signed = SignedPreKey { id: 1, public: [2; 32], signature: vec![3; 64] };
    Device::new(NewDevice {
        address,
        key_index: 1,
        noise_static: [4; 32],
        signed_identity: vec![5; 40],
        name: "fuzzer".into(),
        linked_at: NOW_SECS * 1000,
        keys: PreKeyPool::new(1, [1; 32], signed),
        mailbox_limit: 100,
    })
}

/// Words that mean something to the server, so that the fuzzer need not guess them.
const TAGS: &[&str] = &[
    "iq",
    "message",
    "receipt",
    "ack",
    "ib",
    "presence",
    "chatstate",
    "notification",
    "usync",
    "query",
    "list",
    "user",
    "contact",
    "devices",
    "lid",
    "participants",
    "to",
    "enc",
    "encrypt",
    "key",
    "skey",
    "identity",
    "registration",
    "type",
    "id",
    "value",
    "signature",
    "count",
    "digest",
    "passive",
    "active",
    "sync",
    "collection",
    "patch",
    "privacy",
    "tokens",
    "token",
    "props",
    "remove-companion-device",
    "link_code_companion_reg",
    "media_conn",
    "create",
    "item",
    "participant",
    "subject",
    "add",
    "remove",
    "retry",
    "keys",
    "device-identity",
    "unified_session",
    "composing",
];
const NAMES: &[&str] = &[
    "id",
    "type",
    "to",
    "from",
    "xmlns",
    "jid",
    "t",
    "v",
    "count",
    "class",
    "participant",
    "recipient",
    "name",
    "mode",
    "context",
    "sid",
    "reason",
    "stage",
    "version",
    "value",
    "code",
    "offline",
    "error",
    "phash",
    "category",
];
const WORDS: &[&str] = &[
    "get",
    "set",
    "result",
    "1",
    "2",
    "",
    "encrypt",
    "usync",
    "passive",
    "md",
    "abt",
    "blocklist",
    "privacy",
    "w:sync:app:state",
    "w:p",
    "urn:xmpp:ping",
    "w:g2",
    "w:m",
    "tos",
    "text",
    "media",
    "pkmsg",
    "msg",
    "skmsg",
    "retry",
    "read",
    "inactive",
    "available",
    "unavailable",
    "message",
    "receipt",
    "s.whatsapp.net",
    "15551230001@s.whatsapp.net",
    "15551230001:1@s.whatsapp.net",
    "15551230002@s.whatsapp.net",
    "15551230002:7@s.whatsapp.net",
    "115551230002@lid",
    "g.us",
    "120363000000000001@g.us",
    "status@broadcast",
    "query",
    "interactive",
    "companion_hello",
    "companion_finish",
    "18446744073709551615",
    "-1",
    "regular",
    "critical_block",
];

/// Bytes as a source of choices.
struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn bytes(&mut self, most: usize) -> &'a [u8] {
        let length = usize::from(self.byte()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn word(&mut self, words: &[&str]) -> String {
        match self.byte() {
            255 => String::from_utf8_lossy(self.bytes(40)).into_owned(),
            choice => words[usize::from(choice) % words.len()].to_owned(),
        }
    }

    fn node(&mut self, depth: usize) -> Node {
        let mut node = NodeBuilder::new_dynamic(self.word(TAGS));
        for _ in 0..self.byte() % 6 {
            let name = self.byte();
            node = node.attr(NAMES[usize::from(name) % NAMES.len()], self.word(WORDS));
        }
        match self.byte() % 4 {
            0 if depth < 5 => {
                let children = self.byte() % 5;
                node.children((0..children).map(|_| self.node(depth + 1)).collect::<Vec<_>>()).build()
            }
            1 => node.bytes(self.bytes(200).to_vec()).build(),
            _ => node.build(),
        }
    }
}
