//! Files, to WhatsApp's servers and from there.

use kurir_core::domain::{MediaKind, Secret};
use kurir_core::port::{FetchError, MediaBody, MessengerError, Uploaded};
use whatsapp_rust::download::MediaType;
use whatsapp_rust::upload::UploadOptions;
use whatsapp_rust::waproto::whatsapp::Message;
use whatsapp_rust::waproto::whatsapp::message::{
    AudioMessage, DocumentMessage, ImageMessage, StickerMessage, VideoMessage,
};
use whatsapp_rust::{Client, ErrorChainExt as _};

use super::{failure, incoming};

/// Which keys a kind of file is encrypted with.
pub(super) const fn keys(kind: MediaKind) -> MediaType {
    match kind {
        MediaKind::Image => MediaType::Image,
        MediaKind::Video => MediaType::Video,
        MediaKind::Audio | MediaKind::Voice => MediaType::Audio,
        MediaKind::Document => MediaType::Document,
        MediaKind::Sticker => MediaType::Sticker,
    }
}

/// Encrypts and uploads a file.
pub(super) async fn upload(client: &Client, kind: MediaKind, bytes: Vec<u8>) -> Result<Uploaded, MessengerError> {
    let uploaded = client.upload(bytes, keys(kind), UploadOptions::new()).await;
    let uploaded = uploaded.map_err(|error| match error.http_status() {
        // Its own words hold addresses with keys in them.
        Some(status) => failure::client("uploading a file", &format_args!("class {}xx", status / 100)),
        None => MessengerError::NoAnswer("an upload"),
    })?;
    Ok(Uploaded {
        url: Secret::new(uploaded.url),
        path: Secret::new(uploaded.direct_path),
        key: Secret::new(uploaded.media_key),
        key_at: uploaded.media_key_timestamp,
        sealed_sha256: uploaded.file_enc_sha256,
        sha256: uploaded.file_sha256,
        length: uploaded.file_length,
        sidecar: uploaded.streaming_sidecar,
    })
}

/// Downloads and decrypts a file.
pub(super) async fn fetch(client: &Client, source: &Secret<String>) -> Result<Vec<u8>, FetchError> {
    let params = incoming::params(source.expose()).ok_or(FetchError::Gone)?;
    client.download_from_params(&params).await.map_err(|error| match error.http_status() {
        Some(403 | 404 | 410) => FetchError::Gone,
        // Its own words hold addresses with keys in them.
        Some(status) => failure::client("fetching a file", &format_args!("class {}xx", status / 100)).into(),
        None => MessengerError::NoAnswer("a download").into(),
    })
}

/// A message that names an uploaded file.
pub(super) fn message(media: &MediaBody) -> Message {
    let file = &media.file;
    let caption = media.caption.clone().map(Secret::into_inner);
    let name = media.filename.clone().map(Secret::into_inner);
    macro_rules! announced {
        ($kind:ident { $($field:ident: $value:expr),* $(,)? }) => {
            $kind {
                url: Some(file.url.expose().clone()),
                direct_path: Some(file.path.expose().clone()),
                media_key: Some(file.key.expose().to_vec()),
                media_key_timestamp: Some(file.key_at),
                file_enc_sha256: Some(file.sealed_sha256.to_vec()),
                file_sha256: Some(file.sha256.to_vec()),
                file_length: Some(file.length),
                mimetype: Some(mime_type(media)),
                $($field: $value,)*
                ..Default::default()
            }
            .into()
        };
    }
    let mut message = Message::default();
    match media.kind {
        MediaKind::Image => message.image_message = announced!(ImageMessage { caption: caption }),
        MediaKind::Video => {
            message.video_message =
                announced!(VideoMessage { caption: caption, streaming_sidecar: file.sidecar.clone() });
        }
        MediaKind::Audio | MediaKind::Voice => {
            let voice = Some(media.kind == MediaKind::Voice);
            message.audio_message = announced!(AudioMessage { ptt: voice, streaming_sidecar: file.sidecar.clone() });
        }
        MediaKind::Document => {
            message.document_message =
                announced!(DocumentMessage { title: name.clone(), file_name: name, caption: caption });
        }
        MediaKind::Sticker => message.sticker_message = announced!(StickerMessage {}),
    }
    message
}

/// Voice messages are played by phones only when their type names the codec.
fn mime_type(media: &MediaBody) -> String {
    if media.kind == MediaKind::Voice && matches!(media.mime_type.as_str(), "audio/ogg" | "audio/opus") {
        return "audio/ogg; codecs=opus".to_owned();
    }
    media.mime_type.clone()
}
