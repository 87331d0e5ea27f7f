//! `/v1/sessions/{id}/qr`

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kurir_core::domain::QrCode;
use kurir_core::wire::QrV1;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::MayControl;
use super::error::ApiError;
use super::problem::{Problem, Problems};
use super::schemas::QrSchema;
use super::sessions::session_id;
use super::{App, Routes};
use crate::gateway::usecase::UseCaseError;

/// How a code is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Json,
    Png,
    Svg,
    Text,
    /// The PNG as a `data:` URL, for an `<img>`.
    DataUrl,
}

impl Format {
    /// In the order of preference where a caller takes several alike.
    const ALL: [(Self, &'static str); 4] = [
        (Self::Json, "application/json"),
        (Self::Png, "image/png"),
        (Self::Svg, "image/svg+xml"),
        (Self::Text, "text/plain"),
    ];

    /// What the `Accept` header asks for; JSON without one, `None` if it asks for what there is not.
    fn accepted(accept: &str) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for range in accept.split(',').filter(|range| !range.trim().is_empty()) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            // Thousandths, as precise as the header is.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and 1000")]
            let weight = (weight.clamp(0.0, 1.0) * 1000.0) as u32;
            let group = media.strip_suffix("/*");
            let fits = |name: &str| match group {
                Some("*") => true,
                Some(group) => name.split('/').next() == Some(group),
                None => name == media,
            };
            let found = Self::ALL.into_iter().find(|(_, name)| fits(name));
            if let Some((format, _)) = found
                && weight > best.map_or(0, |(weight, _)| weight)
            {
                best = Some((weight, format));
            }
        }
        best.map(|(_, format)| format)
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// `json`, `png`, `svg`, `text` or `data_url`; without it as the header `Accept` says.
    #[serde(default)]
    #[param(inline, example = "json")]
    format: Option<Format>,
}

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(show))
}

/// The QR code that waits to be scanned. Asking after a round went by unscanned, or after the session was
/// logged out, starts the next one: the session runs again.
#[utoipa::path(get, path = "/v1/sessions/{id}/qr", tag = "sessions", operation_id = "getQrCode",
    params(("id" = String, Path, description = "The session", example = "toko-1"), Wish),
    responses(
        (status = 200, description = "Whoever scans it links the session: treat it as a secret", content(
            (QrSchema = "application/json"), (Vec<u8> = "image/png"), (String = "image/svg+xml"), (String = "text/plain")
        )),
        (status = 404, description = "`no_qr`: `state` says why, `Retry-After` that one is to come", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn show(
    State(app): State<Arc<App>>,
    MayControl(caller): MayControl,
    Path(id): Path<String>,
    wish: Result<Query<Wish>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Query(wish) = wish.map_err(|_| {
        let message = "must be json, png, svg, text or data_url";
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_field", message).field("format")
    })?;
    let accept = headers.get(header::ACCEPT).map_or("*/*", |value| value.to_str().unwrap_or_default());
    let format = wish.format.or_else(|| Format::accepted(accept)).ok_or_else(|| {
        let message = "a QR code comes as application/json, image/png, image/svg+xml or text/plain";
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    })?;
    let id = session_id(&id)?;
    caller.covers(&id)?;
    let qr = app.cases.qr(caller.tenant(), &id).await?;
    Ok(draw(&qr, format).map_err(UseCaseError::Draw)?)
}

fn draw(qr: &QrCode, format: Format) -> Result<Response, kurir_core::domain::QrError> {
    Ok(match format {
        Format::Json => Json(QrV1::draw(qr)?).into_response(),
        Format::Png => ([(header::CONTENT_TYPE, "image/png")], qr.png()?).into_response(),
        Format::Svg => ([(header::CONTENT_TYPE, "image/svg+xml")], qr.svg()?).into_response(),
        Format::DataUrl => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], QrV1::draw(qr)?.png).into_response(),
        Format::Text => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], qr.terminal()?).into_response(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_is_weighed() {
        let cases = [
            ("*/*", Some(Format::Json)),
            ("image/png", Some(Format::Png)),
            ("IMAGE/*", Some(Format::Png)),
            ("text/html, image/svg+xml;q=0.9, */*;q=0.1", Some(Format::Svg)),
            ("text/plain;q=0.3, application/json;q=0.2", Some(Format::Text)),
            ("image/png;q=0", None),
            ("text/html", None),
            ("", None),
        ];
        for (accept, format) in cases {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
