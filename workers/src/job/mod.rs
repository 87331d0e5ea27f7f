//! Jobs: how they are taken from a lane, and the path of one job from the queue to WhatsApp and back.

mod bond;
mod carry;
mod conclude;
mod in_work;
mod lane;
mod last_moment;
mod limits;
mod path;
mod pool;
mod ready;
mod remains;
mod send;
mod step;

pub(crate) use in_work::InWork;
pub(crate) use lane::{HELD, serve_lane};
pub(crate) use limits::bounded;
pub(crate) use pool::{HELD as HELD_FOR_POOL, serve_pool};
pub(crate) use remains::{Remains, conclude_remains};
