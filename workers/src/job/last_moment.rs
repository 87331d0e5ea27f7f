//! Until when a job may be put on the wire.

use kurir_core::domain::{Job, Timestamp};

use crate::session::Owned;

/// The moment after which it could arrive after its deadline; none without a deadline.
pub(super) fn last_moment(owned: &Owned, job: &Job) -> Option<Timestamp> {
    job.last_moment(owned.shared.options.deadline_margin)
}

/// Whether it could arrive after its deadline, put on the wire at `at`.
pub(super) fn too_late(owned: &Owned, job: &Job, at: Timestamp) -> bool {
    last_moment(owned, job).is_some_and(|last| at >= last)
}
