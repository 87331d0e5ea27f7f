//! Linking a client to a phone by a code that the client shows and the phone's owner types.
//!
//! The client says hello for a number and gets a reference; it makes the code itself, and the server never sees it. When
//! a code is typed on the phone of that number, the phone says hello back, the client answers with a key bundle, and if
//! the phone can open it the link goes on as after a scan.
//!
//! The refusals are those for which whatsapp-rust 0.7 has names. A wrong code is told to nobody but the phone's owner;
//! after the last try the client is told to show a new one (`refresh_code`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::pairing::{self, LinkedDevice, Waiting};
use super::{Command, stanza};
use crate::account::{Account, DeviceAddress, PhoneNumber};
use crate::config::PairCodeRules;
use crate::error::SimError;
use crate::phone::{BundleError, HIDDEN_KEY, LinkCode, read_code};
use crate::world::World;

const REGISTRATION: &str = "link_code_companion_reg";

/// How far the linking with one code is.
#[derive(Debug)]
enum Progress {
    /// The client shows the code.
    Shown,
    /// It was typed; the client's key bundle goes here.
    Typed(oneshot::Sender<Vec<u8>>),
}

/// A client that shows a code for one number.
struct Pending {
    /// Its `until` is the code's.
    client: Waiting,
    reference: Vec<u8>,
    hidden: [u8; HIDDEN_KEY],
    progress: Progress,
    tries_left: u32,
    /// Codes in a row for this number, this one included.
    asked: u32,
}

/// What the phone gets when a code is typed.
struct Typed {
    client: Waiting,
    reference: Vec<u8>,
    hidden: [u8; HIDDEN_KEY],
    bundle: oneshot::Receiver<Vec<u8>>,
}

/// The clients that show codes now. The phone is found by its number, so the latest client for a number counts.
#[derive(Default)]
pub(crate) struct PairCodes(Mutex<HashMap<PhoneNumber, Pending>>);

impl PairCodes {
    fn lock(&self) -> MutexGuard<'_, HashMap<PhoneNumber, Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a client for a number in place of an earlier one. `false` when too many codes were asked for in a row.
    fn open(
        &self,
        number: PhoneNumber,
        mut client: Waiting,
        reference: Vec<u8>,
        hidden: [u8; HIDDEN_KEY],
        rules: PairCodeRules,
        now: Instant,
    ) -> bool {
        let mut all = self.lock();
        let before = all.get(&number).filter(|pending| pending.client.until > now).map_or(0, |pending| pending.asked);
        if before >= rules.codes_in_a_row {
            return false;
        }
        // One connection shows one code.
        all.retain(|_, pending| pending.client.serial != client.serial);
        client.until = now + rules.valid;
        let (progress, tries_left) = (Progress::Shown, rules.tries);
        all.insert(number, Pending { client, reference, hidden, progress, tries_left, asked: before + 1 });
        true
    }

    /// Forgets a connection's code.
    pub(crate) fn close(&self, serial: u64) {
        self.lock().retain(|_, pending| pending.client.serial != serial);
    }

    /// The numbers for which a client shows a code now.
    pub(crate) fn numbers(&self, now: Instant) -> Vec<PhoneNumber> {
        let all = self.lock();
        let shown = all.iter().filter(|(_, pending)| pending.client.until > now && pending.tries_left > 0);
        let mut numbers: Vec<_> = shown.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// Uses up one try for the code of a number.
    fn typed(&self, number: PhoneNumber, now: Instant) -> Result<Typed, SimError> {
        let mut all = self.lock();
        let pending = all.get_mut(&number).filter(|pending| pending.client.until > now && pending.tries_left > 0);
        let pending = pending.ok_or(SimError::NoPairCode(number))?;
        if matches!(&pending.progress, Progress::Typed(answer) if !answer.is_closed()) {
            return Err(SimError::PairingFailed { reason: "a code is being typed already".into() });
        }
        let (answer, bundle) = oneshot::channel();
        pending.progress = Progress::Typed(answer);
        pending.tries_left -= 1;
        let Pending { client, reference, hidden, .. } = &*pending;
        Ok(Typed { client: client.clone(), reference: reference.clone(), hidden: *hidden, bundle })
    }

    /// Where the key bundle of a client goes, if a code was typed for it.
    fn answered(&self, number: PhoneNumber, serial: u64, reference: &[u8]) -> Option<oneshot::Sender<Vec<u8>>> {
        let mut all = self.lock();
        let pending = all.get_mut(&number)?;
        if pending.client.serial != serial || pending.reference != reference {
            return None;
        }
        match std::mem::replace(&mut pending.progress, Progress::Shown) {
            Progress::Typed(answer) => Some(answer),
            Progress::Shown => None,
        }
    }

    /// The tries left for the code with this reference.
    fn tries_left(&self, number: PhoneNumber, reference: &[u8]) -> u32 {
        let all = self.lock();
        all.get(&number).filter(|pending| pending.reference == reference).map_or(0, |pending| pending.tries_left)
    }
}

/// Answers a client's part of the procedure; `None` when the request is something else.
pub(crate) fn handle(world: &World, serial: u64, node: &NodeRef<'_>, id: &str) -> Option<Node> {
    let request = node.get_optional_child(REGISTRATION)?;
    let reply = match stanza::attr(request, "stage").as_str() {
        "companion_hello" => hello(world, serial, request),
        "companion_finish" => finish(world, serial, request).map(|()| None),
        _ => Err(BAD_REQUEST),
    };
    Some(match reply {
        Ok(content) => stanza::result(id, content),
        Err((code, text)) => {
            tracing::debug!(serial, code, "a request about linking by code is refused");
            stanza::error(id, code, text)
        }
    })
}

type Refusal = (u16, &'static str);
const BAD_REQUEST: Refusal = (400, "bad-request");
const FORBIDDEN: Refusal = (403, "forbidden");

fn content<'a>(request: &'a NodeRef<'_>, tag: &str) -> Result<&'a [u8], Refusal> {
    request.get_optional_child(tag).and_then(|child| child.content_bytes()).ok_or(BAD_REQUEST)
}

fn number(request: &NodeRef<'_>) -> Result<PhoneNumber, Refusal> {
    let jid = stanza::jid_attr(request, "jid").and_then(|jid| DeviceAddress::from_jid(&jid));
    jid.map(|address| address.account).ok_or(BAD_REQUEST)
}

/// `Browser (System)`: WhatsApp refuses other names.
fn is_display_name(text: &str) -> bool {
    let parts = text.strip_suffix(')').and_then(|text| text.split_once(" ("));
    parts.is_some_and(|(browser, system)| !browser.is_empty() && !system.is_empty())
}

fn hello(world: &World, serial: u64, request: &NodeRef<'_>) -> Result<Option<Node>, Refusal> {
    let number = number(request)?;
    let hidden = content(request, "link_code_pairing_wrapped_companion_ephemeral_pub")?;
    let hidden: [u8; HIDDEN_KEY] = hidden.try_into().map_err(|_| BAD_REQUEST)?;
    // A client whose QR code was scanned can't change its mind.
    let client = world.pairings.of(serial).ok_or(BAD_REQUEST)?;
    let display = request.get_optional_child("companion_platform_display").and_then(NodeRef::content_as_string);
    if content(request, "companion_server_auth_key_pub")? != client.client_static
        || request.get_optional_child("companion_platform_id").is_none()
        || !display.is_some_and(|text| is_display_name(&text))
    {
        return Err(BAD_REQUEST);
    }
    let account = world.account(number).ok_or(BAD_REQUEST)?;
    if account.devices().ban(world.now_millis()).is_some() {
        return Err(FORBIDDEN);
    }
    let mut random = [0; 32];
    world.entropy.stream("pair code", world.next_serial()).fill_bytes(&mut random);
    let reference = format!("2@{}", STANDARD.encode(random)).into_bytes();
    if !world.pair_codes.open(number, client, reference.clone(), hidden, world.config.pair_codes, Instant::now()) {
        // Seen by whatsapp-rust's authors: the limit per number is told as a bad request.
        return Err(BAD_REQUEST);
    }
    world.journal.touch();
    let reference = stanza::bytes("link_code_pairing_ref", reference);
    Ok(Some(NodeBuilder::new(REGISTRATION).attr("stage", "companion_hello").children([reference]).build()))
}

fn finish(world: &World, serial: u64, request: &NodeRef<'_>) -> Result<(), Refusal> {
    let reference = content(request, "link_code_pairing_ref")?;
    let bundle = content(request, "link_code_pairing_wrapped_key_bundle")?;
    let identity = content(request, "companion_identity_public")?;
    let client = world.pairings.of(serial).ok_or(BAD_REQUEST)?;
    if identity != client.registration.identity {
        return Err(BAD_REQUEST);
    }
    let answer = world.pair_codes.answered(number(request)?, serial, reference).ok_or(BAD_REQUEST)?;
    // The phone may have given up; the client learns no more from the real server either.
    let _ = answer.send(bundle.to_vec());
    Ok(())
}

/// The owner of a phone types the code that a client shows, and the client is linked if it is the right one.
pub(crate) async fn enter(world: &World, number: PhoneNumber, typed: &str) -> Result<LinkedDevice, SimError> {
    let code = read_code(typed).ok_or(SimError::BadPairCode)?;
    let account = world.account(number).ok_or(SimError::NotRegistered(number))?;
    pairing::may_link(world, &account)?;
    let Typed { client, reference, hidden, bundle } = world.pair_codes.typed(number, Instant::now())?;
    let failed = |reason: &str| SimError::PairingFailed { reason: reason.into() };
    let rng = world.entropy.stream("link code", world.next_serial());
    let link = tokio::task::spawn_blocking(move || LinkCode::begin(&code, &hidden, rng))
        .await
        .ok()
        .flatten()
        .ok_or_else(|| failed("the phone's keys could not be made"))?;
    send(&client, primary_hello(world, &account, &link, &reference)).await?;
    let patience = world.config.limits.pairing;
    let bundle = match tokio::time::timeout(patience, bundle).await {
        Ok(Ok(bundle)) => bundle,
        Ok(Err(_)) => return Err(failed("its connection ended, or it showed another code, before it answered")),
        Err(_) => return Err(failed("it did not answer the phone in time")),
    };
    let identity = account.phone().identity().clone();
    match link.open(&bundle, &identity, &client.registration.identity) {
        Ok(secret) => pairing::link(world, &account, &client, &secret).await,
        Err(BundleError::WrongCode) => {
            let left = world.pair_codes.tries_left(number, &reference);
            if left == 0 {
                // The client's connection may be gone; then it needs no new code.
                drop(send(&client, refresh(world, &reference)).await);
            }
            Err(SimError::WrongPairCode { left })
        }
        Err(BundleError::Malformed(reason)) => Err(failed(reason)),
    }
}

async fn send(client: &Waiting, notification: Node) -> Result<(), SimError> {
    let order = Command::Notify(Box::new(notification));
    let gone = |_| SimError::PairingFailed { reason: "its connection is gone".into() };
    client.commands.send(order).await.map_err(gone)
}

fn notification(world: &World, content: Node) -> Node {
    NodeBuilder::new("notification")
        .attr("from", stanza::server())
        .attr("id", format!("code-{}", world.next_serial()))
        .attr("type", REGISTRATION)
        .attr("t", world.now_secs())
        .children([content])
        .build()
}

fn primary_hello(world: &World, account: &Account, link: &LinkCode, reference: &[u8]) -> Node {
    let identity = account.phone().identity().public_key().public_key_bytes().to_vec();
    let hello = NodeBuilder::new(REGISTRATION).attr("stage", "primary_hello").children([
        stanza::bytes("link_code_pairing_wrapped_primary_ephemeral_pub", link.hidden.as_slice()),
        stanza::bytes("primary_identity_pub", identity),
        stanza::bytes("link_code_pairing_ref", reference),
    ]);
    notification(world, hello.build())
}

/// The code can't be used any more: the client is to show a new one.
fn refresh(world: &World, reference: &[u8]) -> Node {
    let refresh = NodeBuilder::new(REGISTRATION)
        .attr("stage", "refresh_code")
        .attr("force_manual_refresh", "true")
        .children([stanza::bytes("link_code_pairing_ref", reference)]);
    notification(world, refresh.build())
}
