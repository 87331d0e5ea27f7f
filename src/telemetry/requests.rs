//! What the gateway tells of its requests.

use std::time::Duration;

use super::Telemetry;
use super::series::{API_KEY, LimitLabel, RequestLabels, RouteLabels};
use crate::gateway::Meter;

/// The method as a label; callers may send any word.
fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

impl Meter for Telemetry {
    fn answered(&self, name: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method(name), route.to_owned());
        let labels = RouteLabels { method, route: route.clone() };
        self.counted.request_time.get_or_create(&labels).observe(took.as_secs_f64());
        self.counted.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    fn key_limited(&self) {
        self.counted.limit_hits.get_or_create(&LimitLabel { limit: API_KEY }).inc();
    }

    fn exposition(&self) -> String {
        Self::exposition(self)
    }
}
