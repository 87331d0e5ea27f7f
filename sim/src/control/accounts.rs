//! Accounts and their linked devices.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::http::{LARGEST_PAGE, Routes, Shared, apart};
use super::input::{Json, Path, Query};
use super::problem::{Failure, Problems};
use crate::account::PhoneNumber;
use crate::operations::{self, AccountView};

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(accounts)).routes(routes!(log_out)).routes(routes!(drop_connection))
}

/// Which accounts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Only those after this number, in the order of numbers.
    after: Option<PhoneNumber>,
    /// How many to leave out at the beginning.
    #[serde(default)]
    #[param(example = 0)]
    offset: usize,
    /// At most so many, up to 1000; all when absent.
    #[param(example = 100, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only numbers that contain these digits.
    #[param(example = "1230001")]
    search: Option<String>,
}

/// Accounts that have linked devices or are banned, by number.
#[utoipa::path(get, path = "/accounts", tag = "accounts", params(Wanted),
    responses((status = 200, body = [AccountView],
        headers(("x-total-count" = u64, description = "How many accounts fit, in this part or not"))), Problems))]
async fn accounts(
    State(control): Shared,
    Query(wanted): Query<Wanted>,
) -> Result<([(&'static str, String); 1], Json<Vec<AccountView>>), Failure> {
    let found = apart(move || {
        let digits = digits_of(wanted.search.as_deref());
        let mut found = operations::accounts(&control.world);
        found.retain(|account| {
            wanted.after.is_none_or(|after| account.number > after) && account.number.to_string().contains(&digits)
        });
        let total = found.len();
        found.drain(..wanted.offset.min(total));
        found.truncate(wanted.limit.map_or(usize::MAX, |limit| limit.clamp(1, LARGEST_PAGE)));
        (total, found)
    });
    let (total, found) = found.await?;
    Ok(([("x-total-count", total.to_string())], Json(found)))
}

/// What somebody typed to find a number: spaces, plus signs and dashes do not count.
pub(super) fn digits_of(search: Option<&str>) -> String {
    search.unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
}

/// The phone's owner logs a linked device out.
#[utoipa::path(post, path = "/accounts/{number}/devices/{device}/logout", tag = "accounts",
    params(("number" = PhoneNumber, Path, example = "15551230001"), ("device" = u16, Path, example = 1)),
    responses((status = 204, description = "It is logged out"), Problems))]
async fn log_out(
    State(control): Shared,
    Path((number, device)): Path<(PhoneNumber, u16)>,
) -> Result<StatusCode, Failure> {
    operations::log_out(&control.world, number, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Names a device's connection.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Connection {
    /// The account.
    account: PhoneNumber,
    /// The linked device.
    #[schema(example = 1)]
    device: u16,
}

/// Cut a device's connection without a word.
#[utoipa::path(post, path = "/connections/drop", tag = "accounts", request_body = Connection,
    responses((status = 204, description = "It is cut"), Problems))]
async fn drop_connection(
    State(control): Shared,
    Json(Connection { account, device }): Json<Connection>,
) -> Result<StatusCode, Failure> {
    operations::drop_connection(&control.world, account, device).await?;
    Ok(StatusCode::NO_CONTENT)
}
