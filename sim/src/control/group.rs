//! Routes about groups.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::http::{Control, Shared};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::group::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Refusal};
use crate::{operations, server};

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/groups", get(all).post(create))
        .route("/groups/{id}", get(one))
        .route("/groups/{id}/change", post(change))
        .route("/groups/{id}/send", post(send))
}

async fn all(State(control): Shared) -> Json<Vec<Group>> {
    let groups = control.world.groups.all();
    Json(groups.iter().map(|group| Group::clone(group)).collect())
}

async fn one(State(control): Shared, Path(id): Path<GroupId>) -> Result<Json<Group>, SimError> {
    let unknown = || SimError::Group { group: Some(id), reason: Refusal::Unknown.to_string(), unknown: true };
    Ok(Json(Group::clone(&*control.world.groups.get(id).ok_or_else(unknown)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    creator: PhoneNumber,
    subject: String,
    members: Vec<PhoneNumber>,
    #[serde(default)]
    addressing: Addressing,
}

async fn create(State(control): Shared, Json(create): Json<Create>) -> Result<Json<Group>, SimError> {
    let Create { creator, subject, members, addressing } = create;
    let group = operations::create_group(&control.world, creator, &subject, members, addressing)?;
    Ok(Json(Group::clone(&group)))
}

#[derive(Deserialize)]
struct Change {
    by: PhoneNumber,
    #[serde(flatten)]
    change: GroupChange,
}

async fn change(
    State(control): Shared,
    Path(id): Path<GroupId>,
    Json(Change { by, change }): Json<Change>,
) -> Result<Json<Vec<MemberOutcome>>, SimError> {
    operations::change_group(&control.world, id, by, change).map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    from: PhoneNumber,
    text: String,
}

async fn send(
    State(control): Shared,
    Path(id): Path<GroupId>,
    Json(Send { from, text }): Json<Send>,
) -> Result<Json<serde_json::Value>, SimError> {
    let id = server::send_group_text(&control.world, from, id, &text).await?;
    Ok(Json(json!({ "id": id })))
}
