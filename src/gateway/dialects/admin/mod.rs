//! admin: one session or a few, kept by an operator with a name, a number and a description; messages go out through the default
//! one, or through the one that is named.
//!
//! It has no address of its own: it stands where its users know it on the gateway's.

mod card;
mod enter;
mod send;
mod sessions;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use kurir_core::domain::FailReason;
use serde_json::{Value, json};

use super::{Desk, Fields, Guest, Refusal, indonesian};
use crate::gateway::usecase::UseCaseError;

/// Where it stands, on the gateway's address too.
pub(super) const PATH: &str = "/api/admin/whatsapp-sessions";

/// Its routes, below [`PATH`].
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(sessions::list).post(sessions::create).put(sessions::change).delete(sessions::remove))
        .route("/send", post(send::send))
        .route("/{id}", get(sessions::one))
        .route("/{id}/status", get(sessions::one))
        .route("/{id}/qr", get(sessions::qr))
        .route("/{id}/start", post(sessions::start))
}

/// Why this dialect does not do what it was asked, beside what all of them refuse.
#[derive(Debug)]
enum Denied {
    /// As in every dialect.
    Refused(Refusal),
    /// The tenant has as many sessions as it may have.
    TooMany(u32),
    /// Another session has this name; messages would go out through either.
    NameTaken,
    /// A session keeps its id.
    IdStays,
    /// The default session can't be removed.
    DefaultStays,
    /// No session is named, and there is no default one.
    NoDefault,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<UseCaseError> for Denied {
    fn from(error: UseCaseError) -> Self {
        Self::Refused(error.into())
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Refused(refusal) => return refusal.into_response(),
            Self::TooMany(most) => {
                let message =
                    format!("Sistem hanya mengizinkan {most} WhatsApp session, gunakan session yang sudah ada");
                (StatusCode::CONFLICT, message)
            }
            Self::NameTaken => (StatusCode::CONFLICT, "Nama session sudah digunakan".to_owned()),
            Self::IdStays => (StatusCode::BAD_REQUEST, "Session ID tidak dapat diubah".to_owned()),
            Self::DefaultStays => (StatusCode::CONFLICT, "Session default tidak dapat dihapus".to_owned()),
            Self::NoDefault => (StatusCode::NOT_FOUND, "Tidak ada session default".to_owned()),
        };
        (status, Json(problem(&message))).into_response()
    }
}

/// What a request comes to here.
type Answer = Result<Response, Denied>;

fn success(message: &str, data: Value) -> Response {
    let mut answer = json!({"success": true, "message": message});
    answer["data"] = data;
    Json(answer).into_response()
}

/// An error in this dialect's shape. Its users look for the words in `error` or in `message`.
fn problem(message: &str) -> Value {
    json!({"success": false, "error": message, "message": message})
}

/// The same, of what all dialects refuse.
pub(super) fn refuse(refusal: &Refusal) -> Response {
    let message = match refusal {
        Refusal::BadNumber => "Nomor telepon tidak valid, gunakan format +6281234567890".to_owned(),
        Refusal::Missing("id") => "ID session diperlukan".to_owned(),
        Refusal::Bad { field: "name", .. } => "Nama session tidak valid (maksimal 100 karakter)".to_owned(),
        Refusal::Bad { field: "phoneNumber", .. } => "Nomor WhatsApp tidak valid".to_owned(),
        Refusal::Bad { field: "description", .. } => "Deskripsi tidak valid (maksimal 1000 karakter)".to_owned(),
        refusal => indonesian::words(refusal),
    };
    let mut answer = problem(&message);
    match refusal {
        Refusal::Bad { field, message } if !message.is_empty() => {
            answer["detail"] = json!({"field": field, "detail": message});
        }
        Refusal::NotSent { state, reason } => {
            answer["detail"] = json!({"state": state.as_str(), "reason": reason.map(FailReason::as_str)});
        }
        _ => {}
    }
    refusal.answer(Json(answer).into_response())
}
