//! From bytes on a socket to stanzas and back: WebSocket, frames, Noise, binary nodes.

mod cert;
mod frame;
mod nesting;
mod noise;
mod quick_ack;
mod wire;

pub(crate) use cert::ServerKeys;
#[cfg(feature = "fuzzing")]
pub(crate) use frame::FrameReader;
#[cfg(feature = "fuzzing")]
pub(crate) use nesting::check as check_nesting;
pub(crate) use noise::{Answer, answer_hello};
pub(crate) use wire::{Wire, WireError};
