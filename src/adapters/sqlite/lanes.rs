//! Who works on which job: the part of the queue that lives in memory, because it ends with the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kurir_core::domain::Lane;
use tokio::sync::watch;

/// One lane of one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneKey {
    /// `s.{session}` or `p.{pool}`.
    pub(super) target: Arc<str>,
    pub(super) lane: Lane,
}

/// A subscription, unique within the process.
pub(super) type StreamId = u64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    /// Read ahead, not handed out.
    Buffered,
    /// Handed out, not settled.
    Out,
    /// Handed out; the way to settle it was dropped.
    Abandoned,
}

/// Who reads a lane.
struct Reader {
    id: StreamId,
    window: usize,
    /// Among those who share a pool; `None` in a session's lane, where the first one is active.
    priority: Option<u8>,
    /// When it claimed a job last.
    served: u64,
    /// Whether it waits for one.
    asks: bool,
}

struct LaneState {
    /// In the order of subscribing.
    streams: VecDeque<Reader>,
    claims: BTreeMap<i64, (StreamId, Held)>,
    changed: watch::Sender<()>,
}

impl LaneState {
    /// How many more jobs a reader may claim.
    fn room(&self, reader: &Reader) -> usize {
        reader.window.saturating_sub(self.claims.values().filter(|(holder, _)| *holder == reader.id).count())
    }

    /// Whose turn it is to claim jobs: the first one's, or in a pool whoever asks, has room and the highest priority, and
    /// among those the one who waits longest.
    fn next(&self) -> Option<&Reader> {
        let first = self.streams.front()?;
        if first.priority.is_none() {
            return Some(first);
        }
        let ready = self.streams.iter().filter(|reader| reader.asks && self.room(reader) > 0);
        ready.max_by_key(|reader| (reader.priority, std::cmp::Reverse(reader.served)))
    }
}

impl Default for LaneState {
    fn default() -> Self {
        Self { streams: VecDeque::new(), claims: BTreeMap::new(), changed: watch::Sender::new(()) }
    }
}

#[derive(Default)]
struct State {
    lanes: HashMap<LaneKey, LaneState>,
    streams: StreamId,
    claims: u64,
}

/// Whether a stream may take a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It may.
    Take {
        /// How many jobs to read.
        ahead: usize,
    },
    /// Another stream is active, or its window is full: wait for a change.
    Wait,
}

/// All lanes that somebody reads.
#[derive(Default)]
pub(super) struct Lanes {
    state: Mutex<State>,
}

impl Lanes {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is a single step, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new stream, behind those that are there.
    pub(super) fn join(&self, key: &LaneKey, window: usize, priority: Option<u8>) -> (StreamId, watch::Receiver<()>) {
        let mut state = self.state();
        state.streams += 1;
        let id = state.streams;
        let lane = state.lanes.entry(key.clone()).or_default();
        lane.streams.push_back(Reader { id, window, priority, served: 0, asks: false });
        (id, lane.changed.subscribe())
    }

    /// A stream has ended: what it did not hand out and what was dropped unsettled goes back; what is being worked on
    /// stays claimed until it is settled or dropped. Leaving again changes nothing.
    pub(super) fn leave(&self, key: &LaneKey, stream: StreamId) {
        let mut state = self.state();
        if let Some(lane) = state.lanes.get_mut(key) {
            lane.streams.retain(|reader| reader.id != stream);
            lane.claims.retain(|_, (holder, held)| *holder != stream || *held == Held::Out);
            lane.changed.send_replace(());
        }
        Self::tidy(&mut state, key);
    }

    fn tidy(state: &mut State, key: &LaneKey) {
        if state.lanes.get(key).is_some_and(|lane| lane.streams.is_empty() && lane.claims.is_empty()) {
            state.lanes.remove(key);
        }
    }

    /// Whether the stream may take a job, and how many it may read ahead: of a pool's one by one, since the next one
    /// may be for somebody else.
    pub(super) fn turn(&self, key: &LaneKey, stream: StreamId) -> Turn {
        let state = self.state();
        let Some(lane) = state.lanes.get(key) else { return Turn::Wait };
        let Some(reader) = lane.streams.iter().find(|reader| reader.id == stream) else { return Turn::Wait };
        let held = |wanted: bool| {
            let of = lane.claims.values().filter(|(holder, _)| *holder == stream);
            of.filter(|(_, held)| (*held == Held::Buffered) == wanted).count()
        };
        let buffered = held(true) > 0;
        if held(false) >= reader.window {
            return Turn::Wait;
        }
        if reader.priority.is_some() {
            let next = buffered || lane.next().is_some_and(|next| next.id == stream);
            return if next { Turn::Take { ahead: 1 } } else { Turn::Wait };
        }
        let active = lane.next().is_some_and(|next| next.id == stream);
        if active { Turn::Take { ahead: reader.window } } else { Turn::Wait }
    }

    /// Notes that a stream waits for a job, until what this gives is dropped: one who does not ask must not stop the
    /// others.
    pub(super) fn ask(self: &Arc<Self>, key: &LaneKey, stream: StreamId) -> Asks {
        let asks = Asks { lanes: self.clone(), key: key.clone(), stream };
        asks.set(true);
        asks
    }

    /// The jobs of the lane that somebody has.
    pub(super) fn claimed(&self, key: &LaneKey) -> Vec<i64> {
        self.state().lanes.get(key).map_or_else(Vec::new, |lane| lane.claims.keys().copied().collect())
    }

    /// Enters a job that was read ahead; false when somebody has it.
    pub(super) fn buffer(&self, key: &LaneKey, stream: StreamId, seq: i64) -> bool {
        let mut state = self.state();
        state.claims += 1;
        let claim = state.claims;
        let Some(lane) = state.lanes.get_mut(key) else { return false };
        if lane.claims.contains_key(&seq) {
            return false;
        }
        lane.claims.insert(seq, (stream, Held::Buffered));
        if let Some(reader) = lane.streams.iter_mut().find(|reader| reader.id == stream && reader.priority.is_some()) {
            reader.served = claim;
        }
        true
    }

    /// Hands out a job that was read ahead; `None` when its queue was removed since.
    pub(super) fn hand_out(self: &Arc<Self>, key: &LaneKey, stream: StreamId, seq: i64) -> Option<Claim> {
        let mut state = self.state();
        let claim =
            state.lanes.get_mut(key)?.claims.get_mut(&seq).filter(|claim| **claim == (stream, Held::Buffered))?;
        claim.1 = Held::Out;
        Some(Claim { lanes: self.clone(), key: key.clone(), stream, seq, settled: false })
    }

    /// Tells the lane's streams to look again.
    pub(super) fn wake(&self, key: &LaneKey) {
        if let Some(lane) = self.state().lanes.get(key) {
            lane.changed.send_replace(());
        }
    }

    /// The target's queues are gone with all that stood in them.
    pub(super) fn forget(&self, target: &Arc<str>) {
        let mut state = self.state();
        for lane in Lane::ALL {
            let key = LaneKey { target: target.clone(), lane };
            if let Some(lane) = state.lanes.get_mut(&key) {
                lane.claims.clear();
                lane.changed.send_replace(());
            }
            Self::tidy(&mut state, &key);
        }
    }

    fn let_go(&self, claim: &Claim) {
        let mut state = self.state();
        if let Some(lane) = state.lanes.get_mut(&claim.key) {
            let mine = lane.claims.get(&claim.seq).is_some_and(|(holder, _)| *holder == claim.stream);
            if mine && (claim.settled || !lane.streams.iter().any(|reader| reader.id == claim.stream)) {
                lane.claims.remove(&claim.seq);
                lane.changed.send_replace(());
            } else if mine {
                lane.claims.insert(claim.seq, (claim.stream, Held::Abandoned));
            }
        }
        Self::tidy(&mut state, &claim.key);
    }
}

/// The hold on a job that was handed out. Dropped without [`Claim::settled`], the job stays with its stream and goes
/// back when that ends.
pub(super) struct Claim {
    lanes: Arc<Lanes>,
    pub(super) key: LaneKey,
    stream: StreamId,
    pub(super) seq: i64,
    settled: bool,
}

impl Claim {
    /// The job is settled, or settling it was tried: when the claim is dropped, whatever then stands in the table is
    /// free for anybody.
    pub(super) fn settled(&mut self) {
        self.settled = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lanes.clone().let_go(self);
    }
}

/// A stream's wait for a job.
pub(super) struct Asks {
    lanes: Arc<Lanes>,
    key: LaneKey,
    stream: StreamId,
}

impl Asks {
    fn set(&self, asks: bool) {
        let mut state = self.lanes.state();
        let Some(lane) = state.lanes.get_mut(&self.key) else { return };
        let Some(reader) = lane.streams.iter_mut().find(|reader| reader.id == self.stream) else { return };
        reader.asks = asks;
        if !asks && reader.priority.is_some() {
            // The next job may be for somebody else, who has looked already.
            lane.changed.send_replace(());
        }
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// Wakes lanes when dropped: after a commit, whether or not the caller still waits for it.
pub(super) struct Wake {
    pub(super) lanes: Arc<Lanes>,
    pub(super) keys: Vec<LaneKey>,
}

impl Drop for Wake {
    fn drop(&mut self) {
        for key in &self.keys {
            self.lanes.wake(key);
        }
    }
}
