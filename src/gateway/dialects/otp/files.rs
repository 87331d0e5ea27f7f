//! Files: a form with the number and the file, judged by its content.

use std::sync::Arc;

use axum::extract::multipart::Field;
use axum::extract::{FromRequest as _, Multipart, Request, State};
use kurir_core::domain::{MediaKind, MediaRecord, SessionId, UNKNOWN_MEDIA, media_fits};
use kurir_core::wire::ContentV1;
use serde_json::json;

use super::super::numbers::indonesian;
use super::super::path::InPath;
use super::super::send::Letter;
use super::super::{Desk, Guest, Refusal};
use super::Answer;
use super::messages::posted;
use super::types;

/// Longest field beside the file, and longest name, in bytes.
const MAX_FIELD: usize = 64 * 1024;
const MAX_NAME: usize = 512;

/// So much of a file's beginning is looked at, in bytes.
const HEAD: usize = 512;

/// What a form has.
#[derive(Default)]
struct Form {
    to: Option<String>,
    caption: Option<String>,
    file: Option<Taken>,
}

/// A file that is in the store, and how it begins.
struct Taken {
    record: MediaRecord,
    head: Vec<u8>,
}

pub(super) async fn send(State(desk): State<Arc<Desk>>, InPath(id): InPath, request: Request) -> Answer {
    let guest = desk.guest_of(request.headers()).await?;
    let session = desk.session(&guest, &id).await?;
    let form = Multipart::from_request(request, &()).await.map_err(|_| Refusal::BadBody)?;
    let Form { to, caption, file } = read(&desk, &guest, &session.id, form).await?;
    // Whatever is wrong with the rest, nobody needs the file then.
    let checked = to.as_deref().filter(|to| !to.is_empty()).ok_or(Refusal::Missing("to")).and_then(indonesian);
    let Taken { record: file, head } = file.ok_or(Refusal::Missing("file"))?;
    let to = match checked {
        Ok(to) => to,
        Err(refusal) => return forget(&desk, &guest, &file, refusal).await,
    };
    let mime_type = file.detail.mime_type.as_str();
    if let Err(refusal) = types::check(mime_type, &head) {
        return forget(&desk, &guest, &file, refusal).await;
    }
    let kinds = [MediaKind::Image, MediaKind::Video, MediaKind::Audio];
    let kind = kinds.into_iter().find(|kind| media_fits(*kind, mime_type)).unwrap_or(MediaKind::Document);
    let content = ContentV1::Media {
        kind,
        media: Some(file.id.as_uuid()),
        url: None,
        caption: caption.filter(|caption| !caption.is_empty() && kind != MediaKind::Audio),
        filename: file.detail.filename.as_ref().map(|name| name.expose().clone()),
        reply_to: None,
    };
    let letter = Letter { to: to.digits().to_owned(), content, lane: None, ttl: None };
    match desk.post(&guest, &session, letter).await {
        Ok(sent) => Ok(posted(&sent, json!({"to": to.digits(), "mimetype": mime_type}))),
        Err(refusal @ Refusal::NotConnected(_)) => forget(&desk, &guest, &file, refusal).await,
        Err(refusal) => Err(refusal),
    }
}

/// Removes a file that is not sent; one that stays goes by itself after a while.
async fn forget(desk: &Desk, guest: &Guest, file: &MediaRecord, refusal: Refusal) -> Answer {
    if let Err(error) = desk.app.cases.remove_file(guest.tenant(), file.id).await {
        tracing::debug!(%error, "a file that is not sent stays until it expires");
    }
    Err(refusal)
}

/// Takes a form in; the file goes into the store piece by piece.
async fn read(desk: &Desk, guest: &Guest, session: &SessionId, mut form: Multipart) -> Result<Form, Refusal> {
    let mut read = Form::default();
    while let Some(part) = form.next_field().await.map_err(|_| Refusal::BadBody)? {
        let name = part.name().unwrap_or_default().to_owned();
        if part.file_name().is_some() {
            if read.file.is_none() {
                read.file = Some(take(desk, guest, session, part).await?);
            }
            continue;
        }
        match name.as_str() {
            "to" => read.to = Some(text(part).await?.trim().to_owned()),
            "caption" | "message" => read.caption = Some(text(part).await?),
            _ => {}
        }
    }
    Ok(read)
}

async fn text(mut part: Field<'_>) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(more) = part.chunk().await.map_err(|_| Refusal::BadBody)? {
        if bytes.len() + more.len() > MAX_FIELD {
            return Err(Refusal::BodyTooLarge);
        }
        bytes.extend_from_slice(&more);
    }
    String::from_utf8(bytes).map_err(|_| Refusal::BadBody)
}

async fn take(desk: &Desk, guest: &Guest, session: &SessionId, mut part: Field<'_>) -> Result<Taken, Refusal> {
    let declared = part.content_type().filter(|kind| !kind.starts_with(UNKNOWN_MEDIA)).map(str::to_owned);
    // A browser tells the name alone; anything before it is no business of ours.
    let called = part.file_name().and_then(|name| name.rsplit(['/', '\\']).next()).map(str::to_owned);
    let fits = |name: &String| !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control);
    let called = called.filter(fits);
    let declared = declared.or_else(|| types::named(called.as_deref()?).map(str::to_owned));
    let mut upload = desk.app.cases.upload(guest.tenant(), Some(session.clone()), declared, called);
    let mut head = Vec::new();
    while let Some(bytes) = part.chunk().await.map_err(|_| Refusal::BadBody)? {
        head.extend(bytes.iter().take(HEAD - head.len()));
        upload.push(&bytes).await?;
    }
    Ok(Taken { record: upload.finish().await?, head })
}
