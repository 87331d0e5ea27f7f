//! What a phone's owner does with contacts and with the phone itself.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::problem::{Failure, Problems};
use crate::account::PhoneNumber;
use crate::owner::{self, ContactView};
use crate::phone::ChatState;

type Done = Result<StatusCode, Failure>;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(contacts))
        .routes(routes!(contact))
        .routes(routes!(block, unblock))
        .routes(routes!(watch))
        .routes(routes!(type_to))
        .routes(routes!(trust))
        .routes(routes!(set_available))
        .routes(routes!(rename))
        .routes(routes!(reinstall))
        .routes(routes!(drain_keys))
        .routes(routes!(forget_waiting))
}

/// The contacts of a phone, by number.
#[utoipa::path(get, path = "/phones/{number}/contacts", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")),
    responses((status = 200, body = [ContactView]), Problems))]
async fn contacts(State(control): Shared, Path(phone): Path<PhoneNumber>) -> Result<Json<Vec<ContactView>>, Failure> {
    Ok(Json(owner::contacts(&control.world, phone)?))
}

/// What a phone knows about one contact.
#[utoipa::path(get, path = "/phones/{number}/contacts/{contact}", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002"), ("contact" = PhoneNumber, Path, example = "15551230001")),
    responses((status = 200, body = ContactView), Problems))]
async fn contact(
    State(control): Shared,
    Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>,
) -> Result<Json<ContactView>, Failure> {
    Ok(Json(owner::contact(&control.world, phone, contact)?))
}

/// Block a contact. What it sends is taken by the server and goes nowhere.
#[utoipa::path(put, path = "/phones/{number}/contacts/{contact}/block", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230005"), ("contact" = PhoneNumber, Path, example = "15551230006")),
    responses((status = 204, description = "It is blocked"), Problems))]
async fn block(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::block(&control.world, phone, contact, true)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a block back.
#[utoipa::path(delete, path = "/phones/{number}/contacts/{contact}/block", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230005"), ("contact" = PhoneNumber, Path, example = "15551230006")),
    responses((status = 204, description = "It is not blocked"), Problems))]
async fn unblock(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::block(&control.world, phone, contact, false)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Open the chat with a contact, so that the phone shows whether it is there.
#[utoipa::path(post, path = "/phones/{number}/contacts/{contact}/watch", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002"), ("contact" = PhoneNumber, Path, example = "15551230001")),
    responses((status = 204, description = "The phone is told from now on"), Problems))]
async fn watch(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::watch(&control.world, phone, contact)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What somebody does in a chat.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Typing {
    /// What it is.
    state: ChatState,
}

/// Write, record or stop in the chat with a contact, whose devices are told.
#[utoipa::path(put, path = "/phones/{number}/contacts/{contact}/chat-state", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002"), ("contact" = PhoneNumber, Path, example = "15551230001")),
    request_body(content = Typing, example = json!({ "state": "composing" })), responses((status = 204, description = "The contact is told"), Problems))]
async fn type_to(
    State(control): Shared,
    Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>,
    Json(Typing { state }): Json<Typing>,
) -> Done {
    owner::type_to(&control.world, phone, contact, state)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a contact a privacy token, which its devices show from then on.
#[utoipa::path(post, path = "/phones/{number}/contacts/{contact}/trust", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002"), ("contact" = PhoneNumber, Path, example = "15551230001")),
    responses((status = 204, description = "The contact has it"), Problems))]
async fn trust(State(control): Shared, Path((phone, contact)): Path<(PhoneNumber, PhoneNumber)>) -> Done {
    owner::trust(&control.world, phone, contact)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody is at a phone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Available {
    /// Whether somebody is.
    #[schema(example = true)]
    available: bool,
}

/// Take a phone up, or lay it down. Those who watch it are told.
#[utoipa::path(put, path = "/phones/{number}/available", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")), request_body = Available,
    responses((status = 204, description = "It is so"), Problems))]
async fn set_available(
    State(control): Shared,
    Path(phone): Path<PhoneNumber>,
    Json(Available { available }): Json<Available>,
) -> Done {
    owner::set_available(&control.world, phone, available)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The name of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Name {
    /// The name; what is longer than 64 characters is cut.
    #[schema(example = "Anna")]
    name: String,
}

/// Change the name that contacts see. Linked devices synchronise it.
#[utoipa::path(put, path = "/phones/{number}/name", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230002")), request_body = Name,
    responses((status = 204, description = "It has this name"), Problems))]
async fn rename(State(control): Shared, Path(phone): Path<PhoneNumber>, Json(Name { name }): Json<Name>) -> Done {
    owner::rename(&control.world, phone, &name)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The number comes back on a new phone: linked devices are logged out, contacts see a new identity.
#[utoipa::path(post, path = "/phones/{number}/reinstall", tag = "phones",
    params(("number" = PhoneNumber, Path, example = "15551230005")),
    responses((status = 204, description = "It has new keys"), Problems))]
async fn reinstall(State(control): Shared, Path(phone): Path<PhoneNumber>) -> Done {
    owner::reinstall(&control.world, phone).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many one-time keys stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Drain {
    /// Their number.
    #[schema(example = 5)]
    keep: usize,
}

/// Throw away one-time keys of a device, as if others had fetched them.
#[utoipa::path(post, path = "/accounts/{number}/devices/{device}/drain-keys", tag = "accounts",
    params(("number" = PhoneNumber, Path, example = "15551230001"), ("device" = u16, Path, example = 1)),
    request_body = Drain, responses((status = 204, description = "They are gone"), Problems))]
async fn drain_keys(
    State(control): Shared,
    Path((account, device)): Path<(PhoneNumber, u16)>,
    Json(Drain { keep }): Json<Drain>,
) -> Done {
    owner::drain_keys(&control.world, account, device, keep)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was lost.
#[derive(Serialize, ToSchema)]
struct Lost {
    /// How many stanzas.
    lost: usize,
}

/// Lose everything that waits for a device, as a server does that keeps it for a limited time.
#[utoipa::path(delete, path = "/accounts/{number}/devices/{device}/waiting", tag = "accounts",
    params(("number" = PhoneNumber, Path, example = "15551230001"), ("device" = u16, Path, example = 1)),
    responses((status = 200, body = Lost), Problems))]
async fn forget_waiting(
    State(control): Shared,
    Path((account, device)): Path<(PhoneNumber, u16)>,
) -> Result<Json<Lost>, Failure> {
    Ok(Json(Lost { lost: owner::forget_waiting(&control.world, account, device)? }))
}
