//! Jobs: how they are taken from a lane, and the path of one job from the queue to WhatsApp and back.

mod in_work;
mod lane;
mod limits;
mod path;
mod step;

pub(crate) use in_work::InWork;
pub(crate) use lane::serve_lane;
pub(crate) use limits::bounded;
