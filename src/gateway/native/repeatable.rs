//! Which requests take an `Idempotency-Key`: every POST of `/v1`, but for the few that do nothing a repetition could do twice.
//! (What is made by PUT, changed by PATCH and removed by DELETE comes out the same when it is repeated.)

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, OpenApi, Required, Type};

use super::auth::Caller;
use super::error::ApiError;
use super::idempotency::once;
use super::{App, media};

/// POSTs that take none.
const UNNAMED: [&str; 3] = [
    // Nothing is sent or kept.
    "/v1/templates/{name}/preview",
    // A question: an answer of an hour ago is none.
    "/v1/numbers/check",
    // The same code comes again while it is good, and one that is not must not come again. It links a session, so it is not
    // kept anywhere for longer than it must be.
    "/v1/sessions/{id}/pairing-code",
];

/// POSTs whose bodies are files or lists.
const LONG: [&str; 3] = ["/v1/messages/batch", "/v1/messages/csv", "/v1/suppressions/import"];

const HEADER: &str = "The caller's name for this request, up to 255 characters: repeated under it, the request is carried out once \
    and answered the same for a day (`gateway.idempotency_ttl`), with `Idempotent-Replayed: true`. 422 \
    `idempotency_key_reused`: it names another request; 409 `idempotency_key_in_use`: the request is being carried out";

/// Whether a POST of this path takes a name.
fn takes(path: &str) -> bool {
    path.starts_with("/v1/") && !UNNAMED.contains(&path)
}

/// Carries out a POST with a name once.
pub(super) async fn named_once(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A file is not taken into memory to be compared, so whoever takes it sees to its name.
    if *request.method() != Method::POST || !takes(path) || path == media::PATH {
        return next.run(request).await;
    }
    let limit = if LONG.contains(&path) { app.messages.batch_body_limit } else { app.body_limit };
    // Put there by the check of keys, which stands before every route of `/v1`.
    let Some(caller) = request.extensions().get::<Caller>().cloned() else { return next.run(request).await };
    once(&app, &caller, request, limit, next).await.unwrap_or_else(ApiError::into_response)
}

/// Tells of the header in the description of each request that takes it.
pub(super) fn describe(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let Some(operation) = item.post.as_mut().filter(|_| takes(path)) else { continue };
        let header = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(HEADER))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        operation.parameters.get_or_insert_default().push(header.build().into());
    }
}
