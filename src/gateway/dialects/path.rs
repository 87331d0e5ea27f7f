//! What a path says of a session or a number.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::Refusal;

/// The part of a path that its caller chooses. One that is no text is a path that there is not, said in the dialect's shape.
pub(super) struct InPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        found.map(|Path(text)| Self(text)).map_err(|_| Refusal::NoSuchPath)
    }
}
