//! Faults: ordering them, seeing which wait, taking them back.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::problem::{Failure, Problems};
use crate::fault::{Fault, FaultId};
use crate::operations;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(faults, set_fault)).routes(routes!(clear_fault))
}

/// A fault that waits for what it is meant for.
#[derive(Serialize, ToSchema)]
struct FaultInForce {
    /// Its name.
    id: FaultId,
    /// What goes wrong.
    fault: Fault,
}

/// A fault that was ordered.
#[derive(Serialize, ToSchema)]
struct FaultSet {
    /// Its name, to take it back; `null` for one that happened at once.
    id: Option<FaultId>,
}

/// The faults in force.
#[utoipa::path(get, path = "/faults", tag = "faults", responses((status = 200, body = [FaultInForce]), Problems))]
async fn faults(State(control): Shared) -> Json<Vec<FaultInForce>> {
    let faults = control.world.faults.list();
    Json(faults.into_iter().map(|(id, fault)| FaultInForce { id, fault }).collect())
}

/// Let something go wrong, now or when a matching message comes.
#[utoipa::path(post, path = "/faults", tag = "faults",
    request_body(content = Fault, examples(
        ("refuse" = (summary = "The next message to a number is refused as if the sender may not open new chats",
            value = json!({ "kind": "ack_error", "code": 463, "to": "15551230002", "times": 1 }))),
        ("swallow" = (summary = "Messages of an account get no answer, but arrive",
            value = json!({ "kind": "no_ack", "from": "15551230001", "deliver": true }))),
        ("cut" = (summary = "A device's connection is cut",
            value = json!({ "kind": "drop_connection", "account": "15551230001", "device": 1 }))),
        ("overload" = (summary = "The server sends a device away for a while",
            value = json!({ "kind": "stream_error", "account": "15551230001", "device": 1, "code": 503 }))),
        ("ban" = (summary = "An account may not log in for an hour",
            value = json!({ "kind": "ban", "account": "15551230009", "expire_secs": 3600 }))),
        ("pardon" = (summary = "It may log in again", value = json!({ "kind": "lift_ban", "account": "15551230009" }))),
    )),
    responses((status = 200, body = FaultSet), Problems))]
async fn set_fault(State(control): Shared, Json(fault): Json<Fault>) -> Result<Json<FaultSet>, Failure> {
    Ok(Json(FaultSet { id: operations::fault(&control.world, fault).await? }))
}

/// Take a fault back.
#[utoipa::path(delete, path = "/faults/{id}", tag = "faults",
    params(("id" = u64, Path, example = 1)),
    responses((status = 204, description = "It is gone"), Problems))]
async fn clear_fault(State(control): Shared, Path(id): Path<FaultId>) -> Result<StatusCode, Failure> {
    if control.world.faults.remove(id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::new(StatusCode::NOT_FOUND, "no_such_fault", "no fault with this number is in force"))
    }
}
