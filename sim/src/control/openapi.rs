//! The OpenAPI document, made of the descriptions beside the handlers.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi;

use super::http::{Control, Shared, described};
use super::problem::Problem;

/// What the document says beside the operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "kurir simulator",
        description = "Drives a simulated WhatsApp: links clients, reads and writes on phones, and lets things go wrong. \
                       It listens on this machine only and asks for no key. Errors are problem details (RFC 9457) with \
                       a `code` that does not change.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem)),
    servers((url = "/", description = "The simulator that serves this document")),
    tags(
        (name = "simulator", description = "The simulator itself"),
        (name = "linking", description = "Clients that want to be linked"),
        (name = "accounts", description = "Accounts and their linked devices"),
        (name = "phones", description = "Phones: what they show, write and do"),
        (name = "groups", description = "Groups: made, changed and written in by phones"),
        (name = "media", description = "Files"),
        (name = "faults", description = "What goes wrong on purpose"),
        (name = "journal", description = "What happened"),
    )
)]
pub(super) struct Description;

pub(super) fn routes() -> Router<std::sync::Arc<Control>> {
    Router::new().route("/openapi.json", get(async |State(control): Shared| Json(control.document.clone())))
}

/// The document that a simulator serves at `/openapi.json`, as JSON.
pub fn document() -> String {
    let document = described().into_openapi();
    // It is made of text and numbers only, which JSON always takes.
    document.to_pretty_json().unwrap_or_default()
}
