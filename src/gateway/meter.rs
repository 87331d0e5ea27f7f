//! Who counts requests, and tells what a process has counted.

use std::time::Duration;

/// The media type of what [`Meter::exposition`] gives.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What counts. It is called on the way of every request, so it must neither block nor wait.
pub trait Meter: Send + Sync {
    /// A request was answered. `route` is the template of its path, or `unmatched`; `took` until the answer's head.
    fn answered(&self, method: &str, route: &str, status: u16, took: Duration);

    /// A request was refused because its key makes too many.
    fn key_limited(&self);

    /// All that this process has counted, in the text format of OpenMetrics.
    fn exposition(&self) -> String;
}
