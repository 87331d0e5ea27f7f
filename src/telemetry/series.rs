//! Every series: its name, its labels, and what it says. The table in `docs/OPERATIONS.md` is made of this.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use kurir_core::domain::{DeliveryEnd, DeliveryFault, DisabledReason, FailReason, Lane, SessionState};
use kurir_workers::LeaseChange;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::Part;

/// What stands in a label that has nothing to say.
pub(super) const NONE: &str = "none";

macro_rules! labels {
    ($($name:ident { $($field:ident: $type:ty),+ })*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name { $(pub $field: $type),+ }
    )*};
}

labels! {
    JobLabels { state: &'static str, lane: &'static str, reason: &'static str }
    LaneLabel { lane: &'static str }
    LimitLabel { limit: &'static str }
    ChangeLabel { change: &'static str }
    StateLabel { state: &'static str }
    SessionLabels { state: &'static str, wanted: &'static str }
    TypeLabel { r#type: &'static str }
    QueueLabels { kind: &'static str, lane: &'static str }
    SessionQueueLabels { session: String, lane: &'static str }
    RouteLabels { method: &'static str, route: String }
    RequestLabels { method: &'static str, route: String, status: u16 }
    WhatLabel { what: &'static str }
    AttemptLabels { result: &'static str, end: &'static str }
    DisabledLabel { reason: &'static str }
    BuildLabels { version: &'static str }
}

type Timed<L> = Family<L, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, AtomicU64>;

/// From a queue to WhatsApp and further: from a twentieth of a second to a day.
const LONG: [f64; 16] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];
/// An answer to a request, a batch of events at the broker.
const SHORT: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

fn long() -> Histogram {
    Histogram::new(LONG)
}

fn short() -> Histogram {
    Histogram::new(SHORT)
}

/// One series as it is documented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As Prometheus has it, without `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// Which parts tell it.
    pub parts: &'static [Part],
    /// What it says.
    pub help: &'static str,
}

/// The handles of all series.
pub(super) struct Counted {
    pub jobs: Family<JobLabels, Counter>,
    pub server_ack: Timed<LaneLabel>,
    pub delivery: Timed<LaneLabel>,
    pub queue_wait: Timed<LaneLabel>,
    pub jobs_in_work: Family<LaneLabel, Gauge>,
    pub oldest_job_age: Family<LaneLabel, Seconds>,
    pub limit_hits: Family<LimitLabel, Counter>,
    pub lease_changes: Family<ChangeLabel, Counter>,
    pub refused_writes: Counter,
    pub session_changes: Family<StateLabel, Counter>,
    pub worker_sessions: Gauge,
    pub worker_capacity: Gauge,
    pub events: Family<TypeLabel, Counter>,
    pub event_failures: Counter,
    pub event_publish: Histogram,
    pub queue_jobs: Family<QueueLabels, Gauge>,
    pub session_queue_jobs: Family<SessionQueueLabels, Gauge>,
    pub sessions: Family<SessionLabels, Gauge>,
    pub outbox_events: Gauge,
    pub outbox_age: Seconds,
    pub sample_failures: Family<WhatLabel, Counter>,
    pub webhook_attempts: Family<AttemptLabels, Counter>,
    pub webhook_answer: Histogram,
    pub webhooks_disabled: Family<DisabledLabel, Counter>,
    pub requests: Family<RequestLabels, Counter>,
    pub request_time: Timed<RouteLabels>,
}

impl Counted {
    fn new() -> Self {
        Self {
            jobs: Family::default(),
            server_ack: Family::new_with_constructor(long),
            delivery: Family::new_with_constructor(long),
            queue_wait: Family::new_with_constructor(long),
            jobs_in_work: Family::default(),
            oldest_job_age: Family::default(),
            limit_hits: Family::default(),
            lease_changes: Family::default(),
            refused_writes: Counter::default(),
            session_changes: Family::default(),
            worker_sessions: Gauge::default(),
            worker_capacity: Gauge::default(),
            events: Family::default(),
            event_failures: Counter::default(),
            event_publish: short(),
            queue_jobs: Family::default(),
            session_queue_jobs: Family::default(),
            sessions: Family::default(),
            outbox_events: Gauge::default(),
            outbox_age: Seconds::default(),
            sample_failures: Family::default(),
            webhook_attempts: Family::default(),
            webhook_answer: short(),
            webhooks_disabled: Family::default(),
            requests: Family::default(),
            request_time: Family::new_with_constructor(short),
        }
    }

    /// Rates need a zero to begin with: what can happen is there from the start.
    fn begin(&self) {
        for change in LeaseChange::ALL {
            drop(self.lease_changes.get_or_create(&ChangeLabel { change: change.as_str() }));
        }
        for limit in FailReason::ALL.iter().filter_map(|reason| limit_of(*reason)).chain([API_KEY]) {
            drop(self.limit_hits.get_or_create(&LimitLabel { limit }));
        }
        for lane in Lane::ALL {
            let label = LaneLabel { lane: lane.as_str() };
            drop(self.server_ack.get_or_create(&label));
            drop(self.delivery.get_or_create(&label));
            drop(self.queue_wait.get_or_create(&label));
        }
        for state in SessionState::ALL {
            drop(self.session_changes.get_or_create(&StateLabel { state: state.as_str() }));
        }
        for (result, end) in attempts() {
            drop(self.webhook_attempts.get_or_create(&AttemptLabels { result, end }));
        }
        for reason in [DisabledReason::Gone, DisabledReason::Failing] {
            drop(self.webhooks_disabled.get_or_create(&DisabledLabel { reason: reason.as_str() }));
        }
    }
}

/// The result of an attempt that the webhook took.
pub(super) const DELIVERED: &str = "delivered";

const TAKEN: &str = "taken";
const AGAIN: &str = "again";
const GIVEN_UP: &str = "given_up";

/// What an attempt left of its delivery, in a word.
pub(super) const fn end_of(end: DeliveryEnd) -> &'static str {
    match end {
        DeliveryEnd::Taken => TAKEN,
        DeliveryEnd::Again(_) => AGAIN,
        DeliveryEnd::GivenUp => GIVEN_UP,
    }
}

/// Every way in which an attempt may end.
fn attempts() -> impl Iterator<Item = (&'static str, &'static str)> {
    let failed = DeliveryFault::ALL.iter().flat_map(|fault| [(fault.as_str(), AGAIN), (fault.as_str(), GIVEN_UP)]);
    std::iter::once((DELIVERED, TAKEN)).chain(failed)
}

/// The gateway's limit of an API key, among the limits.
pub(super) const API_KEY: &str = "api_key";

/// The limit that a reason to wait is, if it is one.
pub(super) const fn limit_of(reason: FailReason) -> Option<&'static str> {
    match reason {
        FailReason::RecipientLimited
        | FailReason::SenderLimited
        | FailReason::SenderDailyCap
        | FailReason::SenderWarmingUp
        | FailReason::SenderColdContacts
        | FailReason::SenderRestricted
        | FailReason::RateLimited => Some(reason.as_str()),
        _ => None,
    }
}

/// Where series are entered, each with its description.
struct Book<'a> {
    parts: &'a [Part],
    registry: Registry,
    series: Vec<Series>,
}

const GATEWAY: &[Part] = &[Part::Gateway];
const WORKER: &[Part] = &[Part::Worker];
const RELAY: &[Part] = &[Part::Relay];
const TRACKS_JOBS: &[Part] = &[Part::Gateway, Part::Worker];
const PUBLISHES: &[Part] = &[Part::Worker, Part::Relay];

/// Parts, kind, name, unit and labels.
type Head = (&'static [Part], &'static str, &'static str, Option<Unit>, &'static [&'static str]);

impl Book<'_> {
    fn enter(&mut self, (parts, kind, name, unit, labels): Head, help: &'static str, metric: impl Metric) {
        if !parts.iter().any(|part| self.parts.contains(part)) {
            return;
        }
        let mut full = format!("kurir_{name}");
        if let Some(unit) = &unit {
            full = format!("{full}_{}", unit.as_str());
        }
        let tail = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        self.series.push(Series { name: full + tail, kind, labels, parts, help });
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, metric),
            None => self.registry.register(name, help, metric),
        }
    }
}

/// All that these parts can tell.
pub(super) fn register(parts: &[Part]) -> (Registry, Counted) {
    let counted = Counted::new();
    counted.begin();
    (enter_all(parts, &counted).registry, counted)
}

/// Every series there is, whatever part tells it.
pub fn series() -> Vec<Series> {
    enter_all(&Part::ALL, &Counted::new()).series
}

fn enter_all<'a>(parts: &'a [Part], counted: &Counted) -> Book<'a> {
    let mut book = Book { parts, registry: Registry::with_prefix("kurir"), series: Vec::new() };
    of_jobs(&mut book, counted);
    of_workers(&mut book, counted);
    of_the_fleet(&mut book, counted);
    of_webhooks(&mut book, counted);
    of_requests(&mut book, counted);
    let version = env!("CARGO_PKG_VERSION");
    let build = Info::new(BuildLabels { version });
    book.enter((&Part::ALL, "info", "build", None, &["version"]), "The version that runs, always 1", build);
    book
}

fn of_jobs(book: &mut Book, counted: &Counted) {
    let of_lane: &[&str] = &["lane"];
    book.enter(
        (TRACKS_JOBS, "counter", "jobs", None, &["state", "lane", "reason"]),
        "Jobs that came to stand in a state; `sending` counts attempts, `reason` says why one waits or failed",
        counted.jobs.clone(),
    );
    book.enter(
        (WORKER, "histogram", "job_server_ack", Some(Unit::Seconds), of_lane),
        "From the moment a job was enqueued until WhatsApp's server took it",
        counted.server_ack.clone(),
    );
    book.enter(
        (WORKER, "histogram", "job_delivery", Some(Unit::Seconds), of_lane),
        "From the moment a job was enqueued until the phone had it",
        counted.delivery.clone(),
    );
    book.enter(
        (WORKER, "histogram", "job_queue_wait", Some(Unit::Seconds), of_lane),
        "From the moment a job was enqueued until a worker took it for the first time",
        counted.queue_wait.clone(),
    );
    book.enter(
        (WORKER, "gauge", "jobs_in_work", None, of_lane),
        "Jobs in this worker's hands",
        counted.jobs_in_work.clone(),
    );
    book.enter(
        (WORKER, "gauge", "oldest_job_age", Some(Unit::Seconds), of_lane),
        "Since when the oldest job in this worker's hands waits; queues are first in, first out, so none of its sessions' is older",
        counted.oldest_job_age.clone(),
    );
    book.enter(
        (TRACKS_JOBS, "counter", "limit_hits", None, &["limit"]),
        "Jobs that a limit put off, and requests that `api_key` refused",
        counted.limit_hits.clone(),
    );
}

fn of_workers(book: &mut Book, counted: &Counted) {
    book.enter(
        (WORKER, "counter", "lease_changes", None, &["change"]),
        "Leases `acquired`, `released` and `lost`",
        counted.lease_changes.clone(),
    );
    book.enter(
        (WORKER, "counter", "refused_writes", None, &[]),
        "Writes that the store refused because the session had another owner by then",
        counted.refused_writes.clone(),
    );
    book.enter(
        (WORKER, "counter", "session_changes", None, &["state"]),
        "Sessions of this worker that came to stand in a state",
        counted.session_changes.clone(),
    );
    book.enter(
        (WORKER, "gauge", "worker_sessions", None, &[]),
        "Sessions that this worker holds",
        counted.worker_sessions.clone(),
    );
    book.enter(
        (WORKER, "gauge", "worker_capacity", None, &[]),
        "Sessions that this worker is ready to hold",
        counted.worker_capacity.clone(),
    );
    book.enter(
        (PUBLISHES, "counter", "events_published", None, &["type"]),
        "Events that the broker confirmed",
        counted.events.clone(),
    );
    book.enter(
        (PUBLISHES, "counter", "event_publish_failures", None, &[]),
        "Publications of events that failed; they are tried again, and workers stop sending meanwhile",
        counted.event_failures.clone(),
    );
    book.enter(
        (PUBLISHES, "histogram", "event_publish", Some(Unit::Seconds), &[]),
        "How long one publication took, of many events or one",
        counted.event_publish.clone(),
    );
}

fn of_the_fleet(book: &mut Book, counted: &Counted) {
    book.enter(
        (RELAY, "gauge", "queue_jobs", None, &["kind", "lane"]),
        "Jobs that wait in the queues of all sessions, or all pools (`kind`), without those that are parked",
        counted.queue_jobs.clone(),
    );
    book.enter(
        (RELAY, "gauge", "session_queue_jobs", None, &["session", "lane"]),
        "The same of each session that has any; only with `metrics.per_session`",
        counted.session_queue_jobs.clone(),
    );
    book.enter(
        (RELAY, "gauge", "sessions", None, &["state", "wanted"]),
        "Sessions in the register by state and by what is wanted of them",
        counted.sessions.clone(),
    );
    book.enter(
        (RELAY, "gauge", "outbox_events", None, &[]),
        "Events that wait to be published, counted up to 100,000",
        counted.outbox_events.clone(),
    );
    book.enter(
        (RELAY, "gauge", "outbox_oldest_age", Some(Unit::Seconds), &[]),
        "Since when the oldest of them waits",
        counted.outbox_age.clone(),
    );
    book.enter(
        (RELAY, "counter", "sample_failures", None, &["what"]),
        "Questions for the gauges above that got no answer; these keep their last values then",
        counted.sample_failures.clone(),
    );
}

fn of_webhooks(book: &mut Book, counted: &Counted) {
    book.enter(
        (RELAY, "counter", "webhook_attempts", None, &["result", "end"]),
        "Attempts to tell webhooks of events: `delivered` or why not, and whether the delivery is `taken`, tried `again` or `given_up`",
        counted.webhook_attempts.clone(),
    );
    book.enter(
        (RELAY, "histogram", "webhook_answer", Some(Unit::Seconds), &[]),
        "How long webhooks took to answer, whatever they answered",
        counted.webhook_answer.clone(),
    );
    book.enter(
        (RELAY, "counter", "webhooks_disabled", None, &["reason"]),
        "Webhooks that are told nothing any more, because they answered 410 (`gone`) or failed for too long (`failing`)",
        counted.webhooks_disabled.clone(),
    );
}

fn of_requests(book: &mut Book, counted: &Counted) {
    book.enter(
        (GATEWAY, "counter", "http_requests", None, &["method", "route", "status"]),
        "Answered requests by the template of their route; `unmatched` for paths that lead nowhere",
        counted.requests.clone(),
    );
    book.enter(
        (GATEWAY, "histogram", "http_request_duration", Some(Unit::Seconds), &["method", "route"]),
        "From the head of a request until the head of its answer",
        counted.request_time.clone(),
    );
}

/// The table of the docs.
pub fn series_in_markdown() -> String {
    let mut text = String::from("| series | kind | labels | told by | says |\n|---|---|---|---|---|\n");
    for Series { name, kind, labels, parts, help } in series() {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let parts = if parts.len() == Part::ALL.len() {
            "all".to_owned()
        } else {
            parts.iter().map(|part| part.as_str()).collect::<Vec<_>>().join(", ")
        };
        // Writing into a String does not fail.
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {parts} | {help} |");
    }
    text
}

/// What a ledger entry's reason is in a label.
pub(super) fn reason(reason: Option<FailReason>) -> &'static str {
    reason.map_or(NONE, FailReason::as_str)
}
