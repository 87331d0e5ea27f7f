//! Faults: ordering them, seeing which wait, taking them back; scenarios; restarts.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::problem::{Failure, Problems};
use crate::fault::{self, Fault, FaultId, Scenario};

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(faults, set_fault, clear_faults))
        .routes(routes!(clear_fault))
        .routes(routes!(begin_scenario))
        .routes(routes!(restart))
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
        ("cut_at_a_stanza" = (summary = "The next message of a device cuts its connection before the answer is whole",
            value = json!({ "kind": "rule", "account": "15551230001", "device": 1, "times": 1,
                "stanza": { "tag": "message", "direction": "from_client" }, "effect": { "do": "cut", "moment": "during" } }))),
        ("by_chance" = (summary = "One in ten acknowledgements comes a second late, the same ones for the same seed",
            value = json!({ "kind": "rule", "probability": 0.1, "seed": 7, "effect": { "do": "slow_ack", "delay_ms": 1000 } }))),
        ("timelock" = (summary = "An account may not begin new chats for an hour",
            value = json!({ "kind": "reachout_timelock", "account": "15551230009", "for_secs": 3600 }))),
        ("ban" = (summary = "An account may not log in for an hour",
            value = json!({ "kind": "ban", "account": "15551230009", "expire_secs": 3600 }))),
        ("pardon" = (summary = "It may log in again", value = json!({ "kind": "lift_ban", "account": "15551230009" }))),
    )),
    responses((status = 200, body = FaultSet), Problems))]
async fn set_fault(State(control): Shared, Json(fault): Json<Fault>) -> Result<Json<FaultSet>, Failure> {
    Ok(Json(FaultSet { id: fault::order(&control.world, fault).await? }))
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

/// Faults that were taken back.
#[derive(Serialize, ToSchema)]
struct Cleared {
    /// How many there were.
    cleared: usize,
}

/// Take all faults back.
#[utoipa::path(delete, path = "/faults", tag = "faults", responses((status = 200, body = Cleared), Problems))]
async fn clear_faults(State(control): Shared) -> Json<Cleared> {
    Json(Cleared { cleared: control.world.faults.clear() })
}

/// A scenario that has begun.
#[derive(Serialize, ToSchema)]
struct Begun {
    /// How many faults it has.
    faults: usize,
}

/// Begin a scenario: faults that come at their time, counted from now, and after their number of messages.
///
/// An entry is a fault as `POST /faults` takes it, with `at_ms` and `after_messages` beside it, both optional. The
/// body is JSON, or TOML with a list of `[[faults]]`.
#[utoipa::path(post, path = "/scenario", tag = "faults",
    request_body(content = Object, examples(
        ("later" = (summary = "Two messages are taken, the third is refused; then the server restarts all streams",
            value = json!({ "faults": [
                { "after_messages": 2, "kind": "rule", "times": 1, "effect": { "do": "ack_error", "code": 463 } },
                { "at_ms": 60000, "kind": "rule", "effect": { "do": "stream_error", "code": 515 } }] }))))),
    responses((status = 200, body = Begun), Problems))]
async fn begin_scenario(State(control): Shared, text: String) -> Result<Json<Begun>, Failure> {
    let scenario = Scenario::parse(&text)?;
    let faults = scenario.steps.len();
    fault::run_scenario(&control.world, scenario).await;
    Ok(Json(Begun { faults }))
}

/// How to restart.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Restart {
    /// Milliseconds for which nobody is served.
    #[schema(example = 20)]
    down_for_ms: u64,
}

/// Restart the service: all connections are cut, and nobody is served for a while. What accounts and phones have stays.
///
/// It answers when clients are served again.
#[utoipa::path(post, path = "/restart", tag = "faults", request_body = Restart,
    responses((status = 204, description = "Clients are served again"), Problems))]
async fn restart(State(control): Shared, Json(restart): Json<Restart>) -> Result<StatusCode, Failure> {
    control.world.restarts.order(Duration::from_millis(restart.down_for_ms)).await?;
    Ok(StatusCode::NO_CONTENT)
}
