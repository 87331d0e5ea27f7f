//! The journal and its totals.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::http::{Routes, Shared, page_size};
use super::input::{Json, Query};
use super::problem::Problems;
use crate::journal::{Counters, JournalEntry};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(journal)).routes(routes!(counters))
}

/// Which part of the journal.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// Only entries after this position.
    #[serde(default)]
    #[param(example = 0)]
    after: u64,
    /// At most so many; 100 when absent.
    #[param(example = 50, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// What happened, in order.
#[utoipa::path(get, path = "/journal", tag = "journal", params(Part),
    responses((status = 200, body = [JournalEntry]), Problems))]
async fn journal(State(control): Shared, Query(part): Query<Part>) -> Json<Vec<JournalEntry>> {
    let entries = control.world.journal.read(part.after, page_size(part.limit));
    Json(entries.iter().map(|entry| (**entry).clone()).collect())
}

/// Totals since the start.
#[utoipa::path(get, path = "/counters", tag = "journal", responses((status = 200, body = Counters), Problems))]
async fn counters(State(control): Shared) -> Json<Counters> {
    Json(control.world.journal.counters())
}
