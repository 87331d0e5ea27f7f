//! Linking a client by its QR code.

use axum::extract::{DefaultBodyLimit, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared};
use super::input::Json;
use super::problem::{Failure, Problems};
use super::qr_image;
use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::server::{self, LinkedDevice, WaitingClient};

/// Room for a picture of a screen.
const PICTURE_LIMIT: usize = 12 << 20;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(waiting, present)).routes(routes!(scan)).layer(DefaultBodyLimit::max(PICTURE_LIMIT))
}

/// A code: its text, or a picture of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// The text of the QR code.
    #[schema(
        example = "2@cmVmZXJlbmNl,AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=,AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="
    )]
    qr: Option<String>,
    /// A PNG picture with the QR code in it, in base64.
    #[schema(content_encoding = "base64", content_media_type = "image/png")]
    image: Option<String>,
}

/// A code, or a waiting client whose code was shown before, and the phone that scans it. Give
/// exactly one of `qr`, `image` and `waiting`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Scan {
    /// The text of the QR code.
    qr: Option<String>,
    /// A PNG picture with the QR code in it, in base64.
    #[schema(content_encoding = "base64", content_media_type = "image/png")]
    image: Option<String>,
    /// The `id` of a waiting client whose code the simulator has seen.
    waiting: Option<u64>,
    /// The number of the phone that scans.
    phone: PhoneNumber,
}

/// The text of a code that came as text or as a picture.
async fn text_of(qr: Option<String>, image: Option<String>) -> Result<String, Failure> {
    let image = match (qr, image) {
        (Some(qr), None) => return Ok(qr),
        (None, Some(image)) => image,
        _ => return Err(bad("give exactly one of the text and the picture of a code")),
    };
    let plain = STANDARD.decode(image.trim()).map_err(|_| SimError::BadPicture { reason: "it is not base64" })?;
    let read = tokio::task::spawn_blocking(move || qr_image::read(&plain)).await;
    Ok(read.map_err(|_| SimError::Stopping)??)
}

fn bad(detail: &str) -> Failure {
    Failure::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "bad_body", detail)
}

/// Clients that show a QR code now.
#[utoipa::path(get, path = "/waiting", tag = "linking", responses((status = 200, body = [WaitingClient]), Problems))]
async fn waiting(State(control): Shared) -> Json<Vec<WaitingClient>> {
    Json(server::waiting(&control.world))
}

/// Show the simulator a code without linking its client yet.
///
/// Only the code holds the secret that a phone signs with: the client tells it to nobody. From
/// then on the client can be linked by its `id`, without its code, as long as it waits.
#[utoipa::path(post, path = "/waiting", tag = "linking", request_body = Shown,
    responses((status = 200, body = WaitingClient), Problems))]
async fn present(
    State(control): Shared,
    Json(Shown { qr, image }): Json<Shown>,
) -> Result<Json<WaitingClient>, Failure> {
    let text = text_of(qr, image).await?;
    Ok(Json(server::present(&control.world, &text)?))
}

/// A phone scans a QR code: its client becomes a linked device of the phone's account.
#[utoipa::path(post, path = "/scan", tag = "linking",
    request_body(content = Scan, examples(
        ("text" = (summary = "The text of the code", value = json!({
            "qr": "2@cmVmZXJlbmNl,AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=,AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=",
            "phone": "15551230001"
        }))),
        ("picked" = (summary = "A waiting client whose code was shown before",
            value = json!({ "waiting": 1, "phone": "15551230001" }))),
    )),
    responses((status = 200, body = LinkedDevice), Problems))]
async fn scan(
    State(control): Shared,
    Json(Scan { qr, image, waiting, phone }): Json<Scan>,
) -> Result<Json<LinkedDevice>, Failure> {
    if let Some(id) = waiting {
        if qr.is_some() || image.is_some() {
            return Err(bad("give the code or the waiting client, not both"));
        }
        return Ok(Json(server::scan_waiting(&control.world, id, phone).await?));
    }
    let text = text_of(qr, image).await?;
    Ok(Json(server::scan(&control.world, &text, phone).await?))
}
