//! What could not be done, as a page.

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kurir_core::port::PortError;
use maud::html;

use super::language::Language;
use super::page::Frame;
use super::reader::asks_for_a_part;
use super::words;
use crate::gateway::native::ApiError;
use crate::gateway::usecase::UseCaseError;

/// Why a request for the admin page came to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// The reader may look and not change.
    NotAllowed,
    /// A form that can't be read.
    BadForm,
    /// There is no such page or thing.
    NoSuchPage,
    /// What the use case says.
    UseCase(UseCaseError),
}

impl From<UseCaseError> for Refused {
    fn from(error: UseCaseError) -> Self {
        Self::UseCase(error)
    }
}

impl From<PortError> for Refused {
    fn from(error: PortError) -> Self {
        Self::UseCase(error.into())
    }
}

impl From<QueryRejection> for Refused {
    fn from(_: QueryRejection) -> Self {
        Self::BadForm
    }
}

/// What a handler comes to.
pub(super) type Answer = Result<Response, Refused>;

impl Refused {
    /// Status, and in words; what the use cases say is English, like the rest of what programs are told.
    pub fn told(self, language: Language) -> (StatusCode, String) {
        let plain = |status, id: &str, en: &str| (status, language.of_two(id, en).to_owned());
        match self {
            Self::NotAllowed => plain(
                StatusCode::FORBIDDEN,
                "Akun Anda hanya boleh melihat. Mintalah admin untuk mengubah ini.",
                "Your account may only look. Ask an admin to change this.",
            ),
            Self::BadForm => plain(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Formulir ini tidak dapat dibaca. Periksa isinya, lalu coba lagi.",
                "This form can't be read. Look through its fields and try again.",
            ),
            Self::NoSuchPage | Self::UseCase(UseCaseError::NotFound { .. }) => plain(
                StatusCode::NOT_FOUND,
                "Tidak ada di sini, atau sudah dihapus.",
                "There is no such thing here, or it was removed.",
            ),
            Self::UseCase(error) => {
                let error = ApiError::from(error);
                let field = error.field.map(|field| format!("{field}: ")).unwrap_or_default();
                (error.status, format!("{field}{}", error.detail))
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // Said by `in_words`, which knows the reader's language.
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Puts refusals into a page, in the reader's language.
pub(super) async fn in_words(request: Request, next: Next) -> Response {
    let frame = Frame::of(request.headers(), request.uri());
    let part = asks_for_a_part(request.headers());
    let mut response = next.run(request).await;
    let Some(refused) = response.extensions_mut().remove::<Arc<Refused>>().and_then(Arc::into_inner) else {
        return response;
    };
    let language = frame.language();
    let (status, text) = refused.told(language);
    if part {
        return (status, html! { p .problem role="alert" { (text) } }).into_response();
    }
    let title = language.of_two("Tidak berhasil", "That did not work");
    let body = html! {
        p .problem role="alert" { (text) }
        p { a href="/admin" { (words::of(language).back) } }
    };
    (status, frame.bare(title, &body)).into_response()
}
