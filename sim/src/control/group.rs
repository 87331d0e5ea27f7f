//! Groups: what they are, and what phones do to and in them.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::phones::SentMessage;
use super::problem::{Failure, Problems};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::group::{Addressing, Group, GroupChange, GroupId, MemberOutcome, Refusal};
use crate::{operations, server};

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(groups, create_group))
        .routes(routes!(group))
        .routes(routes!(change))
        .routes(routes!(write))
}

/// All groups, by address.
#[utoipa::path(get, path = "/groups", tag = "groups", responses((status = 200, body = [Group]), Problems))]
async fn groups(State(control): Shared) -> Json<Vec<Group>> {
    let groups = control.world.groups.all();
    Json(groups.iter().map(|group| Group::clone(group)).collect())
}

/// One group.
#[utoipa::path(get, path = "/groups/{id}", tag = "groups",
    params(("id" = GroupId, Path, example = "120363000000000001@g.us")),
    responses((status = 200, body = Group), Problems))]
async fn group(State(control): Shared, Path(id): Path<GroupId>) -> Result<Json<Group>, Failure> {
    let unknown = || SimError::Group { group: Some(id), reason: Refusal::Unknown.to_string(), unknown: true };
    Ok(Json(Group::clone(&*control.world.groups.get(id).ok_or_else(unknown)?)))
}

/// A group that a phone makes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Create {
    /// Whose phone makes it.
    creator: PhoneNumber,
    /// Its name.
    subject: String,
    /// The other members. Those who are not on WhatsApp stay out.
    members: Vec<PhoneNumber>,
    /// How members are addressed.
    #[serde(default)]
    addressing: Addressing,
}

/// Let a phone make a group.
#[utoipa::path(post, path = "/groups", tag = "groups",
    request_body(content = Create, example = json!({ "creator": "15551230001", "subject": "friends",
        "members": ["15551230002", "15551230003"] })),
    responses((status = 200, body = Group), Problems))]
async fn create_group(State(control): Shared, Json(create): Json<Create>) -> Result<Json<Group>, Failure> {
    let Create { creator, subject, members, addressing } = create;
    let group = operations::create_group(&control.world, creator, &subject, members, addressing)?;
    Ok(Json(Group::clone(&group)))
}

/// A change and who makes it.
#[derive(Deserialize, ToSchema)]
struct Change {
    /// Whose phone makes it.
    by: PhoneNumber,
    #[serde(flatten)]
    change: GroupChange,
}

/// Let a phone change a group. The answer tells what became of each named member.
#[utoipa::path(post, path = "/groups/{id}/change", tag = "groups",
    params(("id" = GroupId, Path, example = "120363000000000001@g.us")),
    request_body(content = Change, examples(
        ("add" = (value = json!({ "by": "15551230001", "change": "add", "members": ["15551230004"] }))),
        ("remove" = (value = json!({ "by": "15551230001", "change": "remove", "members": ["15551230004"] }))),
        ("promote" = (value = json!({ "by": "15551230001", "change": "promote", "members": ["15551230002"] }))),
        ("demote" = (value = json!({ "by": "15551230001", "change": "demote", "members": ["15551230002"] }))),
        ("subject" = (value = json!({ "by": "15551230001", "change": "subject", "subject": "old friends" }))),
        ("leave" = (value = json!({ "by": "15551230003", "change": "leave" }))),
    )),
    responses((status = 200, body = [MemberOutcome]), Problems))]
async fn change(
    State(control): Shared,
    Path(id): Path<GroupId>,
    Json(Change { by, change }): Json<Change>,
) -> Result<Json<Vec<MemberOutcome>>, Failure> {
    Ok(Json(operations::change_group(&control.world, id, by, change)?))
}

/// A text for a group.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WriteInGroup {
    /// Whose phone writes it.
    from: PhoneNumber,
    /// The text.
    text: String,
}

/// Let a phone write a text in a group.
#[utoipa::path(post, path = "/groups/{id}/send", tag = "groups",
    params(("id" = GroupId, Path, example = "120363000000000001@g.us")),
    request_body(content = WriteInGroup, example = json!({ "from": "15551230002", "text": "hello, all" })),
    responses((status = 200, body = SentMessage), Problems))]
async fn write(
    State(control): Shared,
    Path(id): Path<GroupId>,
    Json(WriteInGroup { from, text }): Json<WriteInGroup>,
) -> Result<Json<SentMessage>, Failure> {
    Ok(Json(SentMessage { id: server::send_group_text(&control.world, from, id, &text).await? }))
}
