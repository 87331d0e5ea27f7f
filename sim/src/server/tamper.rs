//! What faults do to one connection.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Node, NodeRef};

use super::EndReason;
use crate::account::DeviceAddress;
use crate::fault::{Effect, Facts, Moment};
use crate::transport::{Wire, WireError};
use crate::world::World;

/// Late answers that may wait on one connection; beyond it the first one goes at once.
const MOST_LATE: usize = 10_000;

/// The state of a connection that faults made.
#[derive(Default)]
pub(super) struct Tamper {
    flow: Flow,
    /// Pause between two WebSocket messages.
    pace: Option<Duration>,
    next_read: Option<Instant>,
    /// Answers that are due later.
    late: VecDeque<(Instant, Node)>,
}

/// Whether the connection reads and writes.
#[derive(Default)]
enum Flow {
    #[default]
    Open,
    /// Neither, but the socket stays open; until then, or for ever.
    Still(Option<Instant>),
}

/// What a fault makes of a stanza of the client.
pub(super) enum Incoming {
    /// It is handled as usual.
    Handle,
    /// It is handled, then the connection is cut: after the answers, or in the middle of the first.
    HandleThenCut { halfway: bool },
    /// It is not handled.
    Lose,
    /// The connection ends.
    End(EndReason),
}

impl Tamper {
    /// Whether the connection neither reads nor writes.
    pub(super) fn frozen(&mut self) -> bool {
        if let Flow::Still(Some(until)) = self.flow
            && until <= Instant::now()
        {
            self.flow = Flow::Open;
        }
        matches!(self.flow, Flow::Still(_))
    }

    /// When something of this is due.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.flow {
            Flow::Still(until) => until,
            Flow::Open => self.late.iter().map(|(at, _)| *at).min(),
        }
    }

    /// Keeps an answer back.
    pub(super) fn delay(&mut self, after: Duration, node: Node) {
        let now = Instant::now();
        if self.late.len() == MOST_LATE
            && let Some((at, _)) = self.late.front_mut()
        {
            *at = now;
        }
        self.late.push_back((now + after, node));
    }

    /// The late answers that are due.
    pub(super) fn due(&mut self) -> Vec<Node> {
        if self.late.is_empty() {
            return Vec::new();
        }
        let now = Instant::now();
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        VecDeque::into_iter(due).map(|(_, node)| node).collect()
    }

    /// Whether several messages may be read at once; notes that one was read.
    pub(super) fn read_one(&mut self) -> bool {
        self.next_read = self.pace.map(|pace| Instant::now() + pace);
        self.pace.is_none()
    }

    /// When the next message may be read.
    pub(super) fn next_read(&self) -> Option<Instant> {
        self.next_read
    }

    /// Does to the connection what does not need a stanza. `Err` when it ends.
    pub(super) fn apply(&mut self, wire: &mut Wire, effect: &Effect) -> Result<(), EndReason> {
        match effect {
            Effect::StreamError { code } => Err(EndReason::StreamError(*code)),
            Effect::DeviceRemoved => Err(EndReason::Removed),
            Effect::Replaced => Err(EndReason::Replaced),
            Effect::Cut { .. } => Err(EndReason::CutAfterWriting),
            Effect::HalfOpen { for_ms } => {
                self.flow = Flow::Still(for_ms.map(|millis| Instant::now() + Duration::from_millis(millis)));
                Ok(())
            }
            Effect::SlowReading { delay_ms } => {
                self.pace = Some(Duration::from_millis(*delay_ms));
                self.read_one();
                Ok(())
            }
            Effect::CorruptFrame => corrupt(wire, &NodeBuilder::new("ib").build()).map_err(super::connection::broken),
            _ => Ok(()),
        }
    }

    /// What a fault makes of a stanza of the client.
    pub(super) fn incoming(
        &mut self,
        world: &World,
        device: Option<DeviceAddress>,
        wire: &mut Wire,
        node: &NodeRef<'_>,
    ) -> Incoming {
        let Some(effect) = world.stanza_fault(device, || Facts::incoming(node)) else {
            return Incoming::Handle;
        };
        match effect {
            Effect::Cut { moment: Moment::During } => Incoming::HandleThenCut { halfway: true },
            Effect::Cut { moment: Moment::After } => Incoming::HandleThenCut { halfway: false },
            effect => match self.apply(wire, &effect) {
                Err(reason) => Incoming::End(reason),
                Ok(()) if matches!(effect, Effect::SlowReading { .. } | Effect::CorruptFrame) => Incoming::Handle,
                Ok(()) => Incoming::Lose,
            },
        }
    }

    /// Adds a stanza to what is written next, or does to it what a fault says.
    pub(super) fn push(
        &mut self,
        world: &World,
        device: Option<DeviceAddress>,
        wire: &mut Wire,
        node: &Node,
    ) -> Result<(), EndReason> {
        let broken = super::connection::broken;
        let Some(effect) = world.stanza_fault(device, || Facts::outgoing(node)) else {
            return wire.push(node).map_err(broken);
        };
        match effect {
            Effect::Cut { moment: Moment::During } => {
                let start = wire.pending();
                wire.push(node).map_err(broken)?;
                wire.halve_from(start);
                Err(EndReason::CutAfterWriting)
            }
            Effect::Cut { moment: Moment::After } => {
                wire.push(node).map_err(broken)?;
                Err(EndReason::CutAfterWriting)
            }
            Effect::CorruptFrame => corrupt(wire, node).map_err(broken),
            effect @ Effect::SlowReading { .. } => {
                self.apply(wire, &effect)?;
                wire.push(node).map_err(broken)
            }
            effect => self.apply(wire, &effect),
        }
    }
}

/// Waits for a moment that may never come.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next WebSocket message, not before `from`.
pub(super) async fn receive(wire: &mut Wire, from: Option<Instant>) -> Result<bool, WireError> {
    if from.is_some() {
        until(from).await;
    }
    wire.receive().await
}

/// Adds a frame that can't be decrypted.
fn corrupt(wire: &mut Wire, node: &Node) -> Result<(), WireError> {
    let start = wire.pending();
    wire.push(node)?;
    wire.spoil_from(start);
    Ok(())
}
