//! `/v1/media`

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use kurir_core::domain::{MediaId, MediaRecord, Secret, SessionId};
use kurir_core::port::pieces_of;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::auth::{Caller, MayRead, MaySend};
use super::error::ApiError;
use super::idempotency::{Entered, Named, settle};
use super::problem::{Problem, Problems};
use super::{App, Routes};
use crate::gateway::usecase::{Upload, UseCaseError, UseCases};

/// Where files are uploaded.
pub(super) const PATH: &str = "/v1/media";

/// Longest name of a file, in bytes.
const MAX_NAME: usize = 512;

/// The part of a form that holds the file.
const PART: &str = "file";

pub(super) fn routes() -> Routes {
    let uploads = Routes::new().routes(routes!(upload)).layer(DefaultBodyLimit::disable());
    uploads.merge(Routes::new().routes(routes!(download, remove)))
}

/// A file that is kept for a while.
#[derive(Serialize, ToSchema)]
#[schema(as = Media)]
struct MediaView {
    /// Its id: `content.media` of a message.
    #[schema(format = "uuid", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")]
    id: String,
    /// What it is, judged by its content.
    #[schema(example = "application/pdf")]
    mime_type: String,
    /// Its length in bytes.
    #[schema(example = 21034)]
    size: u64,
    /// SHA-256 of it, in hexadecimal.
    #[schema(example = "5bcd949523649cfe1b1539d2faebd805927a82ccf601dc5dbad7645b3eafe63d")]
    sha256: String,
    /// What it is called.
    #[schema(example = "tagihan.pdf")]
    filename: Option<String>,
    /// The session that it is for; none: all of the tenant's.
    #[schema(example = json!(null))]
    session: Option<String>,
    /// When it is removed, unless a message that is to carry it waits longer.
    #[schema(format = DateTime)]
    expires_at: String,
}

impl MediaView {
    fn of(media: MediaRecord) -> Self {
        Self {
            id: media.id.to_string(),
            sha256: media.detail.sha256.map(|byte| format!("{byte:02x}")).concat(),
            mime_type: media.detail.mime_type,
            size: media.size,
            filename: media.detail.filename.map(Secret::into_inner),
            session: media.session.map(|session| session.to_string()),
            expires_at: media.expires_at.to_rfc3339(),
        }
    }
}

/// What is said of a file beside its content.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct About {
    /// The session that it is for, if for one only. A key that is good for some sessions only has to name one of them.
    #[serde(default)]
    session: Option<String>,
    /// What it is called.
    #[serde(default)]
    #[param(example = "tagihan.pdf")]
    filename: Option<String>,
}

/// Upload a file, to send it in messages. Its type is judged by its content; one that is declared and contradicts that is
/// refused. A form (`multipart/form-data`) has the file in its part `file`.
#[utoipa::path(post, path = "/v1/media", tag = "media", operation_id = "uploadMedia",
    params(About),
    request_body(content(
        (String = "application/octet-stream", example = json!("%PDF-1.7 a file")),
        (String = "multipart/form-data")
    ), description = "The file"),
    responses(
        (status = 201, description = "It is there; its place stands in `Location`", body = MediaView),
        (status = 413, description = "`media_too_large`: larger than a file of its type may be; `media_quota`: no room is left for it, `used` and `allowed` say so", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`media_contradicts`: it is not what its `Content-Type` says", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn upload(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    about: Result<Query<About>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let Query(about) = about.map_err(|_| bad("session", "only session and filename are known in the query"))?;
    let session = session_of(&app, &caller, about.session).await?;
    let name = Named::of(&app, &caller, &request)?;
    let declared = declared(request.headers());
    if declared.as_deref().is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        return upload_form(&app, &caller, name, session, about.filename, request).await;
    }
    // What a library says that was told nothing.
    let declared = declared.filter(|kind| !kind.starts_with("application/x-www-form-urlencoded"));
    let mut upload = app.cases.upload(caller.tenant(), session, declared, named(about.filename)?);
    let mut body = request.into_body().into_data_stream();
    while let Some(bytes) = body.next().await {
        upload.push(&bytes.map_err(|_| cut_off())?).await?;
    }
    done(&app, name, upload).await
}

async fn upload_form(
    app: &App,
    caller: &Caller,
    mut name: Option<Named>,
    session: Option<SessionId>,
    filename: Option<String>,
    request: Request,
) -> Result<Response, ApiError> {
    let bad_form = || ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "this is no form with a file in it");
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| bad_form())?;
    while let Some(mut part) = form.next_field().await.map_err(|_| bad_form())? {
        if part.name() != Some(PART) {
            continue;
        }
        let declared = part.content_type().map(str::to_owned);
        // A browser tells the name alone; anything before it is no business of ours.
        let called = part.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
        let filename = named(filename.or(called.filter(|name| !name.is_empty())))?;
        if let Some(name) = &mut name {
            name.part(filename.as_deref().unwrap_or_default().as_bytes());
        }
        let mut upload = app.cases.upload(caller.tenant(), session, declared, filename);
        while let Some(bytes) = part.chunk().await.map_err(|_| cut_off())? {
            upload.push(&bytes).await?;
        }
        return done(app, name, upload).await;
    }
    Err(bad(PART, "missing: the form has no part of this name"))
}

/// The end of an upload. One with a name is compared by the file's hash, which is known when all of it is here; nobody can
/// read it before. So a repetition sends the file again, and it is thrown away again.
async fn done(app: &App, name: Option<Named>, upload: Upload<'_>) -> Result<Response, ApiError> {
    let Some(mut name) = name else { return made(upload).await };
    name.part(&upload.digest());
    match name.enter(app).await {
        Ok(Entered::Run(run)) => {
            let answer = made(upload).await.unwrap_or_else(ApiError::into_response);
            Ok(settle(app, &run, answer).await)
        }
        Ok(Entered::Known(answer)) => {
            upload.discard().await;
            Ok(answer)
        }
        Err(error) => {
            upload.discard().await;
            Err(error)
        }
    }
}

async fn made(upload: Upload<'_>) -> Result<Response, ApiError> {
    let media = upload.finish().await?;
    let place = format!("{PATH}/{}", media.id);
    let mut response = (StatusCode::CREATED, Json(MediaView::of(media))).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

fn cut_off() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "the body ended before its time")
}

fn bad(field: &'static str, message: &str) -> ApiError {
    UseCaseError::field(field, message).into()
}

fn declared(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase)
}

/// A name that says of no folder where it is to go.
fn named(name: Option<String>) -> Result<Option<String>, ApiError> {
    match name {
        Some(name) if name.len() > MAX_NAME || name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\')) => {
            Err(bad("filename", "a name without folders and control characters, of at most 512 bytes"))
        }
        name => Ok(name),
    }
}

/// The session that a file is for, if it is the caller's.
async fn session_of(app: &App, caller: &Caller, session: Option<String>) -> Result<Option<SessionId>, ApiError> {
    let Some(session) = session else {
        if caller.key().sessions.is_some() {
            return Err(bad("session", "this key is good for some sessions only; name the one that the file is for"));
        }
        return Ok(None);
    };
    let session = super::sessions::session_id(&session).map_err(|error| error.field("session"))?;
    caller.covers(&session).map_err(|error| error.field("session"))?;
    app.cases.session(caller.tenant(), &session).await.map_err(|error| ApiError::from(error).field("session"))?;
    Ok(Some(session))
}

/// A file that the key is good for.
async fn own(app: &App, caller: &Caller, id: &str) -> Result<MediaRecord, ApiError> {
    let no_such = || UseCaseError::NotFound { what: "file", field: None };
    let media = app.cases.file(caller.tenant(), id.parse::<MediaId>().map_err(|_| no_such())?).await?;
    if caller.covers_file(media.session.as_ref()) { Ok(media) } else { Err(no_such().into()) }
}

/// A file, to be saved: one that was uploaded, or one that came in with a message.
#[utoipa::path(get, path = "/v1/media/{id}", tag = "media", operation_id = "getMedia",
    params(("id" = String, Path, description = "The file", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    responses(
        (status = 200, description = "The file, in its own type", body = Vec<u8>, content_type = "*/*"),
        (status = 409, description = "`media_not_ready`: it is on its way from WhatsApp", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "`media_lost`: WhatsApp does not have it any more; `media_not_kept`: it came in, and was too large or found no room", body = Problem, content_type = "application/problem+json"),
        Problems
    ))]
async fn download(
    State(app): State<Arc<App>>,
    MayRead(caller): MayRead,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let media = UseCases::readable(own(&app, &caller, &id).await?)?;
    let (id, count) = (media.id, pieces_of(media.size));
    let pieces = stream::try_unfold(0, move |at| {
        let app = Arc::clone(&app);
        async move {
            if at == count {
                return Ok(None);
            }
            // The answer has begun, so all that can be told now is that it ends too early.
            let piece = app.cases.piece(id, at).await.map_err(std::io::Error::other)?;
            let piece = piece.ok_or_else(|| std::io::Error::other("the file was removed meanwhile"))?;
            Ok::<_, std::io::Error>(Some((piece, at + 1)))
        }
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(media.size));
    let kind = HeaderValue::from_str(&media.detail.mime_type);
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    let name = media.detail.filename.as_ref().map(|name| name.expose().as_str());
    headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    // Whatever it is, nothing of it runs in the gateway's name.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok(response)
}

/// To be saved, under this name (RFC 6266).
fn attachment(name: Option<&str>) -> HeaderValue {
    let Some(name) = name else { return HeaderValue::from_static("attachment") };
    let mut text = String::from("attachment; filename*=UTF-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Remove a file. Messages that are to carry it and were not sent yet fail.
#[utoipa::path(delete, path = "/v1/media/{id}", tag = "media", operation_id = "removeMedia",
    params(("id" = String, Path, description = "The file", example = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c")),
    responses((status = 204, description = "It is removed"), Problems))]
async fn remove(
    State(app): State<Arc<App>>,
    MaySend(caller): MaySend,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let media = own(&app, &caller, &id).await?;
    app.cases.remove_file(caller.tenant(), media.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
