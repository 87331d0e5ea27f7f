//! Uploads and downloads, as clients make them.

use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, StreamExt, unfold};
use serde::Deserialize;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::net::TcpListener;

use super::store::StoreError;
use super::ticket::FileHash;
use super::tls_listener::TlsListener;
use super::{Found, Missing};
use crate::world::World;

/// What clients upload, by the word in the address (seen with whatsapp-rust 0.7, Baileys 7 and
/// whatsmeow).
const KINDS: [&str; 12] = [
    "image",
    "video",
    "audio",
    "ptt",
    "ptv",
    "document",
    "sticker-pack",
    "thumbnail-sticker-pack",
    "thumbnail-link",
    "thumbnail-document",
    "md-app-state",
    "md-msg-hist",
];
/// How long a client may pause in the middle of an upload.
const STALL: Duration = Duration::from_secs(30);
/// How long transfers may go on when the simulator stops.
const FAREWELL: Duration = Duration::from_millis(500);
const CHUNK_BYTES: usize = 64 << 10;

/// Serves uploads and downloads until the simulator stops.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener) {
    let stop = world.stop.clone();
    let listener = match TlsListener::start(&world, listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "the media server has no address");
            return;
        }
    };
    let routes = Router::new()
        .route("/mms/{kind}/{token}", post(upload))
        .route("/v/t62.7118-24/{name}", get(download))
        .with_state(world);
    let served = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::error!(%error, "the media server failed");
        },
        () = late => {}
    }
}

fn refuse(status: StatusCode, reason: &impl ToString) -> Response {
    (status, Json(json!({ "error": { "code": status.as_u16(), "message": reason.to_string() } }))).into_response()
}

#[derive(Deserialize)]
struct Upload {
    #[serde(default)]
    auth: String,
    resume: Option<String>,
    #[serde(default)]
    file_offset: u64,
}

async fn upload(
    State(world): State<Arc<World>>,
    Path((kind, token)): Path<(String, String)>,
    Query(upload): Query<Upload>,
    body: Body,
) -> Response {
    if !KINDS.contains(&kind.as_str()) {
        return refuse(StatusCode::NOT_FOUND, &"no such kind of media");
    }
    let Some(hash) = FileHash::from_token(&token) else {
        return refuse(StatusCode::BAD_REQUEST, &"the address does not end in a SHA-256 in base64url");
    };
    let permitted = world.media.permitted(&upload.auth, world.now_secs());
    if permitted.is_none_or(|device| world.device(device).is_none()) {
        return refuse(StatusCode::UNAUTHORIZED, &"the upload permission is unknown or over");
    }
    if upload.resume.is_some() {
        return progress(&world, hash).await;
    }
    let stalled = || "the client paused for too long".to_owned();
    let content = unfold(body.into_data_stream(), |mut body| async move {
        let chunk = match tokio::time::timeout(STALL, body.next()).await {
            Ok(chunk) => chunk?.map_err(|error| error.to_string()),
            Err(_) => Err(stalled()),
        };
        Some((chunk, body))
    });
    let stored = tokio::select! {
        () = world.stop.cancelled() => return refuse(StatusCode::SERVICE_UNAVAILABLE, &"the simulator stops"),
        stored = world.media.store.receive(hash, upload.file_offset, content) => stored,
    };
    match stored {
        Ok(_) => {
            world.journal.touch();
            Json(location(&world, hash)).into_response()
        }
        Err(error) => {
            tracing::debug!(%error, kind, "an upload is refused");
            let status = match &error {
                StoreError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                StoreError::WrongHash | StoreError::BrokenOff(_) => StatusCode::BAD_REQUEST,
                StoreError::WrongOffset { .. } => StatusCode::CONFLICT,
                StoreError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                StoreError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            refuse(status, &error)
        }
    }
}

fn location(world: &World, hash: FileHash) -> serde_json::Value {
    let path = world.media.direct_path(hash, world.now_secs());
    json!({ "url": world.media.url(&path), "direct_path": path })
}

/// Tells how far an upload got. whatsapp-rust asks so before it sends a large file.
async fn progress(world: &World, hash: FileHash) -> Response {
    if world.media.store.find(hash).is_some() {
        let mut answer = location(world, hash);
        answer["resume"] = "complete".into();
        return Json(answer).into_response();
    }
    let offset = world.media.store.progress(hash).await;
    Json(json!({ "resume": offset.to_string() })).into_response()
}

async fn download(State(world): State<Arc<World>>, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let asked = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let Found { file, bytes } = match world.media.find(&asked, world.now_secs()) {
        Ok(found) => found,
        Err(missing) => {
            let status = match missing {
                Missing::Unknown => StatusCode::NOT_FOUND,
                Missing::BadSignature => StatusCode::FORBIDDEN,
                Missing::Gone => StatusCode::GONE,
            };
            return refuse(status, &missing);
        }
    };
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, part) = match range.map(|text| parse_range(text, bytes)) {
        None => (StatusCode::OK, 0..bytes),
        Some(Some(part)) => (StatusCode::PARTIAL_CONTENT, part),
        Some(None) => return refuse(StatusCode::RANGE_NOT_SATISFIABLE, &"no such part of the file"),
    };
    let opened = async {
        let mut file = File::open(file).await?;
        file.seek(SeekFrom::Start(part.start)).await?;
        Ok::<_, std::io::Error>(file)
    };
    let file = match opened.await {
        Ok(file) => file,
        Err(error) => return refuse(StatusCode::GONE, &error),
    };
    let mut response = Response::new(Body::from_stream(chunks(file, part.end - part.start)));
    *response.status_mut() = status;
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_LENGTH, (part.end - part.start).into());
    answer.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/octet-stream"));
    answer.insert(header::ACCEPT_RANGES, header::HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(told) = format!("bytes {}-{}/{bytes}", part.start, part.end - 1).parse()
    {
        answer.insert(header::CONTENT_RANGE, told);
    }
    response
}

fn chunks(file: File, bytes: u64) -> impl Stream<Item = std::io::Result<Bytes>> {
    unfold((file, bytes), async |(mut file, left)| {
        if left == 0 {
            return None;
        }
        let mut chunk = vec![0; usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES))];
        Some(match file.read_exact(&mut chunk).await {
            Ok(read) => (Ok(Bytes::from(chunk)), (file, left - read as u64)),
            Err(error) => (Err(error), (file, 0)),
        })
    })
}

/// One range of bytes, as Baileys asks for when it reads a part of a file.
fn parse_range(text: &str, bytes: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = if first.is_empty() {
        bytes.saturating_sub(last.parse().ok()?)..bytes
    } else {
        let end = if last.is_empty() { bytes } else { last.parse::<u64>().ok()?.saturating_add(1).min(bytes) };
        first.parse().ok()?..end
    };
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges_are_cut_to_the_file() {
        assert_eq!(parse_range("bytes=0-", 10), Some(0..10));
        assert_eq!(parse_range("bytes=2-4", 10), Some(2..5));
        assert_eq!(parse_range("bytes=2-400", 10), Some(2..10));
        assert_eq!(parse_range("bytes=-3", 10), Some(7..10));
    }

    #[test]
    fn ranges_that_hold_nothing_are_refused() {
        for text in ["bytes=10-", "bytes=4-2", "bytes=-0", "bytes=a-b", "0-4", "bytes=", "bytes=18446744073709551615-"]
        {
            assert_eq!(parse_range(text, 10), None, "{text}");
        }
    }
}
