//! Routes for linking by a typed code.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::time::Instant;

use super::http::{Control, Shared};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::server::{self, LinkedDevice};

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new().route("/pair-codes", get(shown)).route("/phones/{number}/pair-code", post(enter))
}

/// The numbers for which a client shows a code now.
async fn shown(State(control): Shared) -> Json<Vec<PhoneNumber>> {
    Json(control.world.pair_codes.numbers(Instant::now()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    code: String,
}

/// The owner of a phone types the code that a client shows.
async fn enter(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Json(Typed { code }): Json<Typed>,
) -> Result<Json<LinkedDevice>, SimError> {
    Ok(Json(server::enter_pair_code(&control.world, number, &code).await?))
}
