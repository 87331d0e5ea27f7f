//! Linking by a code that is typed on the phone.

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

/// The numbers for which a client shows a code now.
#[utoipa::path(get, path = "/pair-codes", tag = "linking", responses((status = 200, body = [PhoneNumber]), Problems))]
async fn shown(State(control): Shared) -> Json<Vec<PhoneNumber>> {
    Json(control.world.pair_codes.numbers(Instant::now()))
}

/// A code as its owner types it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Typed {
    /// Eight letters and digits; a dash and small letters do no harm.
    code: String,
}

/// The owner of a phone types the code that a client shows.
#[utoipa::path(post, path = "/phones/{number}/pair-code", tag = "linking",
    params(("number" = String, Path, example = "15551230001")),
    request_body(content = Typed, example = json!({ "code": "ABCD-1234" })),
    responses((status = 200, body = LinkedDevice), Problems))]
async fn enter(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Json(Typed { code }): Json<Typed>,
) -> Result<Json<LinkedDevice>, Failure> {
    Ok(Json(server::enter_pair_code(&control.world, number, &code).await?))
}
