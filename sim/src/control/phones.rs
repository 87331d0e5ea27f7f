//! Routes for what the owner of a phone does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;

use super::http::Control;
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::owner::{self, ContactView};
use crate::phone::ChatState;

type Shared = State<Arc<Control>>;
type Done = Result<StatusCode, SimError>;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/phones/{number}/contacts", get(contacts))
        .route("/phones/{number}/contacts/{contact}", get(contact))
        .route("/phones/{number}/contacts/{contact}/block", put(block).delete(unblock))
        .route("/phones/{number}/contacts/{contact}/watch", post(watch))
        .route("/phones/{number}/contacts/{contact}/chat-state", put(chat_state))
        .route("/phones/{number}/contacts/{contact}/trust", post(trust))
        .route("/phones/{number}/available", put(available))
        .route("/phones/{number}/name", put(name))
        .route("/phones/{number}/reinstall", post(reinstall))
        .route("/accounts/{number}/devices/{device}/drain-keys", post(drain_keys))
        .route("/accounts/{number}/devices/{device}/waiting", delete(forget_waiting))
}

async fn contacts(State(control): Shared, Path(phone): Path<PhoneNumber>) -> Result<Json<Vec<ContactView>>, SimError> {
    owner::contacts(&control.world, phone).map(Json)
}

async fn contact(
    State(control): Shared,
    Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>,
) -> Result<Json<ContactView>, SimError> {
    owner::contact(&control.world, phone, contact).map(Json)
}

async fn block(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::block(&control.world, phone, contact, true)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unblock(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::block(&control.world, phone, contact, false)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn watch(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::watch(&control.world, phone, contact)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    state: ChatState,
}

async fn chat_state(
    State(control): Shared,
    Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>,
    Json(Typing { state }): Json<Typing>,
) -> Done {
    owner::type_to(&control.world, phone, contact, state)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn trust(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::trust(&control.world, phone, contact)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Available {
    available: bool,
}

async fn available(
    State(control): Shared,
    Path(phone): Path<PhoneNumber>,
    Json(Available { available }): Json<Available>,
) -> Done {
    owner::set_available(&control.world, phone, available)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

async fn name(State(control): Shared, Path(phone): Path<PhoneNumber>, Json(Name { name }): Json<Name>) -> Done {
    owner::rename(&control.world, phone, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reinstall(State(control): Shared, Path(phone): Path<PhoneNumber>) -> Done {
    owner::reinstall(&control.world, phone).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn forget_waiting(
    State(control): Shared,
    Path((account, device)): Path<(PhoneNumber, u16)>,
) -> Result<Json<serde_json::Value>, SimError> {
    let lost = owner::forget_waiting(&control.world, account, device)?;
    Ok(Json(serde_json::json!({ "lost": lost })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drain {
    /// How many keys stay.
    keep: usize,
}

async fn drain_keys(
    State(control): Shared,
    Path((account, device)): Path<(PhoneNumber, u16)>,
    Json(Drain { keep }): Json<Drain>,
) -> Done {
    owner::drain_keys(&control.world, account, device, keep)?;
    Ok(StatusCode::NO_CONTENT)
}
