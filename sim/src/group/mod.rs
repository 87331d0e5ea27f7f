//! Groups: who is in them, what they are called, who may change that.
//!
//! The state is plain data under one lock. Telling members' devices, and the messages themselves,
//! are the server's.

mod id;
mod model;
mod registry;

pub use id::GroupId;
pub(crate) use model::Refusal;
pub use model::{Addressing, Group, GroupChange, MemberOutcome, Role};
pub(crate) use registry::Groups;
