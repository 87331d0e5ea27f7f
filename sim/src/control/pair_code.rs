//! Linking a client by a code that is typed on the phone.

use axum::extract::State;
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::problem::{Failure, Problems};
use crate::account::PhoneNumber;
use crate::server::{self, LinkedDevice};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(shown)).routes(routes!(enter))
}

/// A code as it is typed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Typed {
    /// The eight letters and digits that the client shows, with or without the dash.
    #[schema(example = "ABCD-1234")]
    code: String,
}

/// The numbers for which a client shows a code now.
#[utoipa::path(get, path = "/pair-codes", tag = "linking", responses((status = 200, body = [PhoneNumber]), Problems))]
async fn shown(State(control): Shared) -> Json<Vec<PhoneNumber>> {
    Json(control.world.pair_codes.numbers(Instant::now()))
}

/// The owner of a phone types a code: its client becomes a linked device of the phone's account.
///
/// The code goes with the number that the client asked for. A wrong code costs one of a few tries; after the last one
/// the client has to show a new code.
#[utoipa::path(post, path = "/phones/{number}/pair-code", tag = "linking",
    params(("number" = PhoneNumber, Path, example = "15551230003")), request_body = Typed,
    responses((status = 200, body = LinkedDevice), Problems))]
async fn enter(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Json(Typed { code }): Json<Typed>,
) -> Result<Json<LinkedDevice>, Failure> {
    Ok(Json(server::enter_pair_code(&control.world, number, &code).await?))
}
