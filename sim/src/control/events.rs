//! The event stream: the journal as it is written.
//!
//! A listener has a place in the journal and reads on from there whenever something happened, so
//! what was written before it came and what comes later join without a gap, and nothing is kept for
//! a listener that is slow.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, StreamExt, unfold};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::http::{Control, Routes, Shared};
use super::input::Query;
use super::problem::{Failure, Problems};
use crate::server::{self, WaitingClient};

/// Entries that are read from the journal at once.
const BATCH: usize = 256;
/// How often a listener hears at most that something changed which the journal does not tell.
const HINT_EVERY: Duration = Duration::from_millis(250);
/// How soon a browser connects again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(events))
}

/// Where to begin.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Begin {
    /// The position in the journal after which to begin; what happens from now on when absent.
    #[param(example = 0)]
    after: Option<u64>,
}

/// A place in the journal of one run of the simulator, as the ids of events give it.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    run: Option<&'a str>,
    seq: u64,
}

impl<'a> Place<'a> {
    /// Reads `run-position`, or a position alone.
    fn read(id: &'a str) -> Option<Self> {
        match id.rsplit_once('-') {
            Some((run, seq)) => Some(Self { run: Some(run), seq: seq.parse().ok()? }),
            None => Some(Self { run: None, seq: id.parse().ok()? }),
        }
    }
}

/// The data of events that count something.
#[derive(Serialize)]
struct Missed {
    missed: u64,
}

struct Listener {
    control: Arc<Control>,
    changes: watch::Receiver<u64>,
    position: u64,
    ready: VecDeque<Event>,
    /// The waiting clients, as last told: which ones, and whether their codes were seen.
    waiting: Vec<(u64, bool)>,
    /// Something changed that the journal does not tell.
    changed: bool,
    hinted: Instant,
    /// Its place among the streams.
    _place: OwnedSemaphorePermit,
}

fn named(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).json_data(data).unwrap_or_default()
}

impl Listener {
    /// The next event; `None` when the simulator is gone.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            self.changes.borrow_and_update();
            if self.read_on() {
                continue;
            }
            self.tell_of_waiting();
            let due = self.hinted + HINT_EVERY;
            if self.changed && Instant::now() >= due {
                self.changed = false;
                self.hinted = Instant::now();
                self.ready.push_back(Event::default().event("changed").data("{}"));
            }
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    self.changed = true;
                }
                () = tokio::time::sleep_until(due), if self.changed => {}
            }
        }
    }

    /// Reads what was written since. Returns whether there was something.
    fn read_on(&mut self) -> bool {
        let entries = self.control.world.journal.read(self.position, BATCH);
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return false;
        };
        let missed = first.seq - self.position - 1;
        if missed > 0 {
            self.ready.push_back(named("missed", &Missed { missed }));
        }
        self.position = last.seq;
        let run = &self.control.run;
        let event = |entry: &crate::JournalEntry| {
            Event::default().id(format!("{run}-{}", entry.seq)).json_data(entry).unwrap_or_default()
        };
        self.ready.extend(entries.iter().map(|entry| event(entry)));
        true
    }

    fn tell_of_waiting(&mut self) {
        let clients = server::waiting(&self.control.world);
        let now: Vec<_> = clients.iter().map(|client: &WaitingClient| (client.id, client.seen)).collect();
        if now != self.waiting {
            self.waiting = now;
            self.ready.push_back(named("waiting", &clients));
        }
    }
}

/// What happens, as it happens.
///
/// Each event without a name is an entry of the journal, in order, with an id: a client that
/// reconnects with `Last-Event-ID`, as browsers do, goes on where it stopped. Other events have a
/// name and no id: `waiting` (the list of clients that show a code changed; the data is the list),
/// `changed` (something that the journal does not tell, like an acknowledgement; at most four times
/// a second), `missed` (entries between are no longer kept; the data says how many) and `reset`
/// (the simulator was started anew since the last event; the data is empty).
#[utoipa::path(get, path = "/events", tag = "journal",
    params(Begin, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that came")),
    responses((status = 200, description = "Server-sent events, until the simulator stops", body = String,
        content_type = "text/event-stream"), Problems))]
async fn events(
    State(control): Shared,
    Query(Begin { after }): Query<Begin>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let place = Arc::clone(&control.streams).try_acquire_owned().map_err(|_| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many event streams are open; close one")
    })?;
    let id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let asked = Place::read(id).or(after.map(|seq| Place { run: None, seq }));
    let last = control.world.journal.last();
    let mut ready = VecDeque::from([Event::default().retry(RETRY)]);
    let position = match asked {
        Some(Place { run, seq }) if seq > last || run.is_some_and(|run| run != control.run) => {
            ready.push_back(Event::default().event("reset").data("{}"));
            last
        }
        Some(Place { seq, .. }) => seq,
        None => last,
    };
    let stop = control.world.stop.clone().cancelled_owned();
    let listener = Listener {
        changes: control.world.journal.changes(),
        control,
        position,
        ready,
        waiting: Vec::new(),
        changed: false,
        hinted: Instant::now(),
        _place: place,
    };
    let events = unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events.take_until(stop)).keep_alive(KeepAlive::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_a_run_and_a_position() {
        assert_eq!(Place::read("19a-7"), Some(Place { run: Some("19a"), seq: 7 }));
        assert_eq!(Place::read("7"), Some(Place { run: None, seq: 7 }));
        for id in ["", "x", "19a-", "19a-x", "-"] {
            assert_eq!(Place::read(id), None, "{id}");
        }
    }
}
