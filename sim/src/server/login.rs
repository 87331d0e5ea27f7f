//! From a finished handshake to a seat: who is it, and may it come in?

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp as wa;

use super::{Command, stanza, state_patch};
use crate::account::{Account, Ban, Device, DeviceAddress, Link, PhoneNumber};
use crate::journal::JournalEvent;
use crate::world::World;

/// How long an older connection may take to say whether it is alive.
const YIELD_PATIENCE: Duration = Duration::from_secs(2);

/// Why a login is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such account or device, or not its key: 401.
    Unknown,
    /// Banned for a time: 402, or for good: 403.
    Banned(Ban),
    /// By a fault: the code, and the seconds a temporary ban names.
    Fault { code: u16, expire_secs: Option<u64> },
}

impl Refusal {
    pub(crate) fn code(&self) -> u16 {
        match self {
            Self::Unknown => 401,
            Self::Banned(Ban::Temporary { .. }) => 402,
            Self::Banned(Ban::Permanent) => 403,
            Self::Fault { code, .. } => *code,
        }
    }

    pub(crate) fn node(&self) -> Node {
        let mut node = NodeBuilder::new("failure").attr("reason", self.code());
        match self {
            Self::Banned(Ban::Temporary { code, expire_secs }) => {
                node = node.attr("code", *code).attr("expire", *expire_secs);
            }
            Self::Fault { code: 402, expire_secs } => {
                node = node.attr("code", Ban::TOO_MANY_MESSAGES).attr("expire", expire_secs.unwrap_or_default());
            }
            Self::Fault { .. } | Self::Unknown | Self::Banned(Ban::Permanent) => {}
        }
        node.build()
    }
}

/// An admitted device.
#[derive(Clone)]
pub(crate) struct Seat {
    pub account: Arc<Account>,
    pub device: Arc<Device>,
}

/// Finds the device that a client payload names and checks its credential.
pub(crate) fn admit(
    world: &World,
    payload: &wa::ClientPayload,
    client_static: &[u8; 32],
) -> Result<Seat, (Option<DeviceAddress>, Refusal)> {
    let number = payload.username.and_then(PhoneNumber::from_u64);
    let device = payload.device.and_then(|device| u16::try_from(device).ok());
    let (Some(account), Some(device)) = (number, device) else {
        return Err((None, Refusal::Unknown));
    };
    let address = DeviceAddress { account, device };
    let refuse = |refusal| Err((Some(address), refusal));
    let Some(account) = world.registry.get(account) else {
        return refuse(Refusal::Unknown);
    };
    let ban = account.devices().ban(world.now_millis());
    if let Some(ban) = ban {
        return refuse(Refusal::Banned(ban));
    }
    match account.device(address.device) {
        Some(device) if device.noise_static == *client_static => Ok(Seat { account, device }),
        _ => refuse(Refusal::Unknown),
    }
}

/// Makes `link` the device's connection. An older one is told to go; if it was still alive, the
/// device had two at once, which is journaled.
pub(crate) async fn take_over(world: &World, device: &Device, link: Link) {
    let Some(previous) = device.attach(link) else {
        return;
    };
    let (verdict, alive) = oneshot::channel();
    if previous.commands.send(Command::Yield(verdict)).await.is_err() {
        return;
    }
    let overlap = match tokio::time::timeout(YIELD_PATIENCE, alive).await {
        Ok(verdict) => verdict.unwrap_or(false),
        Err(_) => true,
    };
    if overlap {
        world.log(JournalEvent::Overlap { device: device.address });
    }
}

/// The stanzas that open a session: the confirmation, and the phone's app-state keys.
///
/// A new client object of whatsapp-rust 0.7 that has no push name waits up to 10 s for these keys
/// before it reports to be connected, also when it has them in its store. The synchronised state of
/// the simulator holds no push name, so the phone sends its keys at each login.
pub(crate) fn welcome(world: &World, seat: &Seat) -> Vec<Node> {
    let success = NodeBuilder::new("success")
        .attr("t", world.now_secs())
        .attr("lid", seat.device.address.lid())
        .attr("props", "27")
        .attr("location", "sim")
        .attr("creation", seat.device.linked_at / 1000)
        .build();
    let mut nodes = vec![success];
    state_patch::ensure_name(world, &seat.account);
    match app_state_keys(world, seat) {
        Ok(node) => nodes.push(node),
        Err(error) => tracing::warn!(%error, "the phone's app-state keys can't be sent"),
    }
    nodes
}

fn app_state_keys(world: &World, seat: &Seat) -> Result<Node, wacore::libsignal::protocol::SignalProtocolError> {
    let address = seat.device.address;
    let (id, sealed) = {
        let mut phone = seat.account.phone();
        let (id, plaintext) = phone.app_state_keys(world.now_millis());
        // No one-time key: at its first login a device has not uploaded any.
        let bundle =
            if phone.has_session(address) { None } else { Some(seat.device.keys().bundle(address.device, false)?) };
        (id, phone.seal(address, bundle.as_ref(), &plaintext)?)
    };
    let (kind, ciphertext) = sealed;
    Ok(NodeBuilder::new("message")
        .attr("from", seat.account.number.jid())
        .attr("category", "peer")
        .attr("id", id)
        .attr("type", "text")
        .attr("t", world.now_secs())
        .children([stanza::enc(kind.as_wire(), ciphertext)])
        .build())
}
