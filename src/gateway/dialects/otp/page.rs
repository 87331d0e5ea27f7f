//! A page that shows a session's code and says when it is linked.

use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use kurir_core::domain::SessionId;

use super::super::Refusal;
use super::super::path::InPath;
use super::Answer;

/// Scripts, styles and requests come from here and nowhere else; the code comes as a `data:` URL.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn file(kind: &'static str, content: impl IntoResponse) -> Response {
    let policy: (HeaderName, &str) = (header::CONTENT_SECURITY_POLICY, POLICY);
    ([(header::CONTENT_TYPE, kind), policy], content).into_response()
}

/// The page is the same for whoever asks; what it shows, its script asks for with the key that the address has, if any.
pub(super) async fn page(InPath(id): InPath) -> Answer {
    // An id has no characters that mean something in HTML.
    let id = SessionId::new(&id).map_err(|_| Refusal::NoSession)?;
    let page = include_str!("page/page.html").replace("{{session}}", id.as_str());
    Ok(file("text/html; charset=utf-8", page))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("page/page.css"))
}
