//! Routes about files.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::http::{Control, Shared};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::media::{MediaKind, Outgoing};
use crate::server;

/// Files sent through here come whole and in base64.
const BODY_LIMIT: usize = 32 << 20;

pub(super) fn routes() -> Router<Arc<Control>> {
    Router::new()
        .route("/media-ca.pem", get(authority))
        .route("/phones/{number}/send-media", post(send).layer(DefaultBodyLimit::max(BODY_LIMIT)))
}

async fn authority(State(control): Shared) -> Response {
    let pem = control.world.media.ca_pem().to_owned();
    ([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: PhoneNumber,
    kind: MediaKind,
    mimetype: String,
    /// The file in base64.
    data: String,
    caption: Option<String>,
    file_name: Option<String>,
}

async fn send(
    State(control): Shared,
    Path(from): Path<PhoneNumber>,
    Json(send): Json<Send>,
) -> Result<Json<serde_json::Value>, SimError> {
    let Send { to, kind, mimetype, data, caption, file_name } = send;
    let bytes =
        STANDARD.decode(data).map_err(|error| SimError::BadFile { reason: format!("data is not base64: {error}") })?;
    let file = Outgoing { kind, mimetype, bytes, caption, file_name };
    let id = server::send_media(&control.world, from, to, file).await?;
    Ok(Json(json!({ "id": id })))
}
