//! Forms as browsers send them, of a bounded size and within a bounded time.

use std::collections::HashMap;

use axum::Form;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, Request};
use axum::http::{HeaderMap, StatusCode, header};
use kurir_core::domain::Secret;

use super::turned_away::TurnedAway;
use crate::gateway::app::App;
use crate::gateway::native;

const KIND: &str = "application/x-www-form-urlencoded";

/// Whether the body is a form of the plain kind.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(KIND)
}

/// Takes in a whole body.
pub(super) async fn collect(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, TurnedAway> {
    let reading = native::collect(headers, body, app.body_limit);
    let read = tokio::time::timeout(app.request_timeout, reading).await.map_err(|_| TurnedAway::TooSlow)?;
    read.map_err(|error| match error.status {
        StatusCode::PAYLOAD_TOO_LARGE => TurnedAway::TooLarge,
        _ => TurnedAway::BadForm,
    })
}

/// The fields of a form. There are passwords among them, so it can not be printed.
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    /// Reads a form that was taken in.
    pub async fn parse(bytes: &Bytes) -> Result<Self, TurnedAway> {
        let request = Request::post("/").header(header::CONTENT_TYPE, KIND).body(Body::from(bytes.clone()));
        let request = request.map_err(|_| TurnedAway::BadForm)?;
        let Form(fields) = Form::from_request(request, &()).await.map_err(|_| TurnedAway::BadForm)?;
        Ok(Self(fields))
    }

    /// Reads a whole request, if it is a form.
    pub async fn read(app: &App, request: Request) -> Result<Self, TurnedAway> {
        let (parts, body) = request.into_parts();
        if !is_form(&parts.headers) {
            return Err(TurnedAway::BadForm);
        }
        Self::parse(&collect(app, &parts.headers, body).await?).await
    }

    /// A field's text; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// A field's text that must not be shown, as it was typed.
    pub fn secret(&self, name: &str) -> Secret<String> {
        Secret::new(self.text(name).to_owned())
    }
}
