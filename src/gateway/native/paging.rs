//! Pages of lists: how long one is, where it begins, and what is wrong with a query that asks for one.

use std::fmt::Display;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;

use super::error::ApiError;

/// How long a page is without a wish.
const USUAL: u32 = 50;

/// The pages of a list.
pub(super) struct Pages {
    /// How long one may be.
    pub most: u32,
}

impl Pages {
    /// As most lists have them.
    pub const USUAL: Self = Self { most: 200 };

    /// How long a page is that was asked for.
    pub fn limit(&self, asked: Option<u32>) -> Result<u32, ApiError> {
        let limit = asked.unwrap_or(USUAL);
        let fits = (1..=self.most).contains(&limit);
        if fits { Ok(limit) } else { Err(bad("limit", format!("must be from 1 to {}", self.most))) }
    }
}

/// A query that was read. `takes` says what may stand in it.
pub(super) fn query<T>(read: Result<Query<T>, QueryRejection>, takes: &str) -> Result<T, ApiError> {
    read.map(|Query(query)| query).map_err(|_| bad_query(takes))
}

/// Something stands in a query that it does not take, or that is of another kind.
pub(super) fn bad_query(takes: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", format!("the query takes {takes}"))
}

/// Where a page begins: what `field` says, unless it is left out or empty.
pub(super) fn place<'a, T, E: Display>(
    field: &'static str,
    text: Option<&'a str>,
    read: impl FnOnce(&'a str) -> Result<T, E>,
) -> Result<Option<T>, ApiError> {
    let read = text.filter(|text| !text.is_empty()).map(read).transpose();
    read.map_err(|error| bad(field, error.to_string()))
}

fn bad(field: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message).field(field)
}
