//! Files: the authority to trust for the media server, and sending one from a phone.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::{Json, Path};
use super::phones::SentMessage;
use super::problem::{Failure, Problems};
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::media::{MediaKind, Outgoing};
use crate::server;

/// Files sent through here come whole and in base64.
const BODY_LIMIT: usize = 32 << 20;

pub(super) fn routes() -> Routes {
    Routes::new()
        .routes(routes!(authority))
        .merge(Routes::new().routes(routes!(send_file)).layer(DefaultBodyLimit::max(BODY_LIMIT)))
}

/// The certificate of the authority behind the media server, for clients that check it.
#[utoipa::path(get, path = "/media-ca.pem", tag = "media",
    responses((status = 200, content_type = "application/x-pem-file", body = String), Problems))]
async fn authority(State(control): Shared) -> Response {
    let pem = control.world.media.ca_pem().to_owned();
    ([(header::CONTENT_TYPE, "application/x-pem-file")], pem).into_response()
}

/// A file that a phone sends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SendFile {
    /// The account that gets it.
    to: PhoneNumber,
    /// What it is sent as.
    kind: MediaKind,
    /// Its type, like `image/png`.
    mimetype: String,
    /// The file in base64.
    #[schema(content_encoding = "base64")]
    data: String,
    /// A text below it.
    caption: Option<String>,
    /// Its name, for documents.
    file_name: Option<String>,
}

/// Let a phone encrypt, upload and send a file.
#[utoipa::path(post, path = "/phones/{number}/send-media", tag = "media",
    params(("number" = String, Path, example = "15551230002")),
    request_body(content = SendFile, example = json!({ "to": "15551230001", "kind": "image", "mimetype": "image/png",
        "data": "iVBORw0KGgo=", "caption": "look" })),
    responses((status = 200, body = SentMessage), Problems))]
async fn send_file(
    State(control): Shared,
    Path(from): Path<PhoneNumber>,
    Json(send): Json<SendFile>,
) -> Result<Json<SentMessage>, Failure> {
    let SendFile { to, kind, mimetype, data, caption, file_name } = send;
    let bytes =
        STANDARD.decode(data).map_err(|error| SimError::BadFile { reason: format!("data is not base64: {error}") })?;
    let file = Outgoing { kind, mimetype, bytes, caption, file_name };
    Ok(Json(SentMessage { id: server::send_media(&control.world, from, to, file).await? }))
}
