//! The OpenAPI document, made of the descriptions beside the handlers, and a page that shows it.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::App;

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "kurir",
        version = "1",
        description = "Sends WhatsApp messages through a fleet of linked accounts. Every message has an id, the caller's own or one that is \
                       made; the same id again is the same message, so that a request whose answer was lost is simply repeated. Errors are \
                       problem details (RFC 9457) with a `code` that does not change. Nothing is ever to be cached.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    modifiers(&Keys),
    security(("bearer" = []), ("header" = [])),
    servers((url = "/", description = "The gateway that serves this document")),
    tags(
        (name = "sessions", description = "Linked WhatsApp accounts"),
        (name = "messages", description = "What is sent, and what becomes of it"),
        (name = "media", description = "Files that messages carry"),
        (name = "verifications", description = "Codes that are sent to numbers and asked back"),
        (name = "events", description = "What happens, as it happens"),
        (name = "webhooks", description = "Where to tell what happens"),
        (name = "keys", description = "Who may call, and what for"),
        (name = "pools", description = "Sessions that share messages"),
        (name = "numbers", description = "What is asked of WhatsApp at once: who is there, what was read, who writes"),
        (name = "templates", description = "Texts with placeholders, in several languages"),
        (name = "suppressions", description = "Who gets no bulk messages"),
        (name = "health", description = "For whoever watches the process; no key needed"),
    )
)]
pub(super) struct Description;

/// How callers show who they are.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let parts = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key")).build();
        parts.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::with_description("X-Api-Key", "An API key");
        parts.add_security_scheme("header", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// Where the document and its page are.
pub(super) fn routes(document: utoipa::openapi::OpenApi) -> Router<Arc<App>> {
    let document = Arc::new(document);
    Router::new()
        .route("/openapi.json", get(async move || Json(document.as_ref().clone())))
        .merge(super::docs::routes())
}

/// The document that a gateway serves at `/openapi.json`, as JSON.
pub fn document() -> String {
    let mut document = super::described(None).into_openapi();
    super::repeatable::describe(&mut document);
    // It is made of text and numbers only, which JSON always takes.
    document.to_pretty_json().unwrap_or_default()
}
