//! The server: what it does with each stanza, and how connections come and go.

mod connection;
mod device_list;
mod group;
mod handshake;
mod iq;
mod keep_alive;
mod key_supply;
mod listen;
mod login;
mod message;
mod outgoing;
mod pair_code;
mod pairing;
mod presence;
mod receipt;
mod stanza;
mod state_patch;
mod tamper;
mod trust;
mod unlinked;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wacore_binary::Node;

use crate::account::{Account, Device};
use crate::fault::Effect;
use crate::world::World;

#[cfg(feature = "fuzzing")]
pub(crate) use connection::dispatch;
pub(crate) use device_list::{DeviceChange, announce as announce_devices, identity_changed, tell_contacts};
pub(crate) use group::{change as change_group, create as create_group, send_text as send_group_text};
pub(crate) use iq::block;
pub(crate) use key_supply::taken as one_time_key_taken;
pub(crate) use listen::{Restarts, accept};
#[cfg(feature = "fuzzing")]
pub(crate) use message::run_errand;
pub(crate) use outgoing::{send_media, send_text};
pub(crate) use pair_code::{PairCodes, enter as enter_pair_code};
pub use pairing::LinkedDevice;
#[cfg(feature = "fuzzing")]
pub(crate) use pairing::Registration;
pub(crate) use pairing::{Pairings, scan};
pub(crate) use presence::{change as change_presence, told_to as presence_for, typing};
pub(crate) use receipt::Receipts;
pub(crate) use stanza::server as server_address;
pub(crate) use state_patch::{read_names, rename};
pub(crate) use trust::issue as issue_token;
pub use waiting::WaitingClient;
pub(crate) use waiting::{present, scan_waiting, waiting};

/// Orders to a connection from elsewhere.
#[derive(Debug)]
pub(crate) enum Command {
    /// Offer the link to an unlinked client and report its answer.
    Offer(Box<pairing::Offer>),
    /// Hand a notification to an unlinked client.
    Notify(Box<Node>),
    /// A newer connection of the same device is there. Says whether this one was still alive.
    Yield(oneshot::Sender<bool>),
    /// Hand a stanza over that nobody acknowledges, if the client is served by now.
    Tell(Box<Node>),
    /// End in this way.
    End(EndReason),
    /// Do to the connection what a fault says.
    Tamper(Effect),
}

/// How a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The client closed it.
    ClientClosed,
    /// Cut without a word.
    Cut,
    /// Cut without a word, but with all that was to be written before.
    CutAfterWriting,
    /// The client sent what it may not send, or the socket broke.
    Broken(String),
    /// Replaced by a newer connection of the same device.
    Replaced,
    /// The device was logged out.
    Removed,
    /// A stream error with this code.
    StreamError(u16),
    /// The login was refused with this failure.
    LoginRefused(login::Refusal),
    /// The simulator stops.
    Stopping,
}

impl EndReason {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::ClientClosed => "closed by the client".into(),
            Self::Cut | Self::CutAfterWriting => "cut".into(),
            Self::Broken(reason) => reason.clone(),
            Self::Replaced => "replaced by a newer connection".into(),
            Self::Removed => "logged out".into(),
            Self::StreamError(code) => format!("stream error {code}"),
            Self::LoginRefused(refusal) => format!("login refused with {}", refusal.code()),
            Self::Stopping => "the simulator stops".into(),
        }
    }
}

/// A logged-in device, as the handlers of its stanzas see it.
pub(crate) struct Session<'a> {
    pub world: &'a Arc<World>,
    pub account: &'a Arc<Account>,
    pub device: &'a Arc<Device>,
}

/// What the handling of one stanza leads to.
#[derive(Default)]
pub(crate) struct Effects {
    /// Answers to the client, in order.
    pub replies: Vec<Node>,
    /// Answers that are to wait.
    pub late: Vec<(Duration, Node)>,
    /// Work for phones, done after the answers are on their way.
    pub errands: Vec<message::Errand>,
    /// The client wants what waits for it.
    pub activate: bool,
    /// The connection ends after the answers.
    pub end: Option<EndReason>,
}
