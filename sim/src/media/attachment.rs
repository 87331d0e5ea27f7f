//! A file that a message carries: how it is sealed, and whether what was downloaded is it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wacore::download::{DownloadUtils, MediaType};
use wacore::upload::encrypt_media_with_key;
use waproto::whatsapp as wa;

use super::store::StoreError;
use super::ticket::FileHash;
use crate::error::SimError;
use crate::world::World;

/// What a file is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound or a voice message.
    Audio,
    /// Any other file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// The word that stands in stanzas, like `mediatype="image"`.
    pub(crate) fn as_wire(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }

    fn keys(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::Audio => MediaType::Audio,
            Self::Document => MediaType::Document,
            Self::Sticker => MediaType::Sticker,
        }
    }
}

/// Where a message says its file is, and how to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub kind: MediaKind,
    pub direct_path: Option<String>,
    pub media_key: Option<Vec<u8>>,
    pub enc_sha256: Option<Vec<u8>>,
    pub sha256: Option<Vec<u8>>,
    /// Length of the file itself, in bytes.
    pub length: Option<u64>,
}

macro_rules! attachment {
    ($kind:expr, $message:expr) => {
        Attachment {
            kind: $kind,
            direct_path: $message.direct_path.clone(),
            media_key: $message.media_key.clone(),
            enc_sha256: $message.file_enc_sha256.clone(),
            sha256: $message.file_sha256.clone(),
            length: $message.file_length,
        }
    };
}

impl Attachment {
    /// The file of a message, with its MIME type; wrappers must have been taken off.
    pub(crate) fn of(message: &wa::Message) -> Option<(Self, Option<String>)> {
        if let Some(image) = message.image_message.as_option() {
            return Some((attachment!(MediaKind::Image, image), image.mimetype.clone()));
        }
        let video = message.video_message.as_option().or(message.ptv_message.as_option());
        if let Some(video) = video {
            return Some((attachment!(MediaKind::Video, video), video.mimetype.clone()));
        }
        if let Some(audio) = message.audio_message.as_option() {
            return Some((attachment!(MediaKind::Audio, audio), audio.mimetype.clone()));
        }
        if let Some(document) = message.document_message.as_option() {
            return Some((attachment!(MediaKind::Document, document), document.mimetype.clone()));
        }
        let sticker = message.sticker_message.as_option()?;
        Some((attachment!(MediaKind::Sticker, sticker), sticker.mimetype.clone()))
    }
}

/// Takes what is written to it only to know it.
#[derive(Default)]
struct Digesting {
    hash: Sha256,
    bytes: u64,
}

impl Write for Digesting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Digesting {
    fn finish(self) -> ([u8; 32], u64) {
        (self.hash.finalize().into(), self.bytes)
    }
}

/// Checks a downloaded file as phones do, with the message that announced it.
fn open(mut file: impl Read + Seek, attachment: &Attachment) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("it can't be read: {error}");
    let key = attachment.media_key.as_deref().filter(|key| key.len() == 32).ok_or("its media_key is not 32 bytes")?;
    let mut sealed = Digesting::default();
    io::copy(&mut file, &mut sealed).map_err(unreadable)?;
    if attachment.enc_sha256.as_deref() != Some(sealed.finish().0.as_slice()) {
        return Err("its file_enc_sha256 does not match what was downloaded".into());
    }
    file.rewind().map_err(unreadable)?;
    let mut plain = Digesting::default();
    DownloadUtils::decrypt_stream_to_writer(BufReader::new(file), key, attachment.kind.keys(), &mut plain)
        .map_err(|error| format!("it can't be decrypted: {error}"))?;
    let (sha256, bytes) = plain.finish();
    if attachment.sha256.as_deref() != Some(sha256.as_slice()) {
        return Err("its file_sha256 does not match what was decrypted".into());
    }
    match attachment.length {
        Some(length) if length != bytes => Err(format!("its file_length is {length}, but it has {bytes} bytes")),
        _ => Ok(()),
    }
}

/// A phone downloads a file. The error says what is wrong with it.
pub(crate) async fn check(world: &World, attachment: Attachment) -> Result<(), String> {
    let path = attachment.direct_path.as_deref().ok_or("it has no direct_path")?;
    let found = world.media.find(path, world.now_secs()).map_err(|missing| format!("its direct_path: {missing}"))?;
    // Reading and decrypting a large file would hold up other connections.
    let checked = tokio::task::spawn_blocking(move || {
        let file = File::open(found.file).map_err(|error| format!("it can't be read: {error}"))?;
        open(file, &attachment)
    });
    checked.await.unwrap_or_else(|error| Err(format!("it could not be checked: {error}")))
}

/// A file that a phone sends.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub kind: MediaKind,
    pub mimetype: String,
    pub bytes: Vec<u8>,
    pub caption: Option<String>,
    pub file_name: Option<String>,
}

/// A phone encrypts a file with `media_key` and uploads it. Returns the message that announces it.
pub(crate) async fn seal(world: &World, outgoing: Outgoing, media_key: [u8; 32]) -> Result<wa::Message, SimError> {
    if outgoing.caption.is_some() && matches!(outgoing.kind, MediaKind::Audio | MediaKind::Sticker) {
        return Err(SimError::BadFile { reason: "an audio or a sticker has no caption".into() });
    }
    let failed = |error: &dyn std::fmt::Display| SimError::Media { reason: format!("the file can't be sent: {error}") };
    let (kind, bytes) = (outgoing.kind.keys(), outgoing.bytes);
    let length = bytes.len() as u64;
    let sealed = tokio::task::spawn_blocking(move || encrypt_media_with_key(&bytes, kind, Some(&media_key)));
    let sealed = sealed.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let now = world.now_secs();
    let kept = world.media.keep(FileHash(sealed.file_enc_sha256), sealed.data_to_upload, now).await;
    let path = kept.map_err(|error| match error {
        StoreError::TooLarge { .. } => SimError::BadFile { reason: error.to_string() },
        error => failed(&error),
    })?;
    let url = world.media.url(&path);
    let timestamp = i64::try_from(now).ok();
    let (caption, file_name) = (outgoing.caption, outgoing.file_name);

    macro_rules! announce {
        ($message:ident { $($field:ident: $value:expr),* }) => {
            wa::message::$message {
                url: Some(url),
                direct_path: Some(path),
                media_key: Some(media_key.to_vec()),
                media_key_timestamp: timestamp,
                file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
                file_sha256: Some(sealed.file_sha256.to_vec()),
                file_length: Some(length),
                mimetype: Some(outgoing.mimetype),
                $($field: $value,)*
                ..Default::default()
            }
            .into()
        };
    }
    let mut message = wa::Message::default();
    match outgoing.kind {
        MediaKind::Image => message.image_message = announce!(ImageMessage { caption: caption }),
        MediaKind::Video => {
            message.video_message =
                announce!(VideoMessage { caption: caption, streaming_sidecar: sealed.streaming_sidecar });
        }
        MediaKind::Audio => {
            message.audio_message = announce!(AudioMessage { streaming_sidecar: sealed.streaming_sidecar });
        }
        MediaKind::Document => {
            message.document_message =
                announce!(DocumentMessage { caption: caption, title: file_name.clone(), file_name: file_name });
        }
        MediaKind::Sticker => message.sticker_message = announce!(StickerMessage {}),
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with Python's hashlib and hmac (HKDF, MAC) and OpenSSL (AES-256-CBC), from the key 0, 1,
    /// 2 ... 31: the whole encrypted file as an image.
    const SEALED_IMAGE: &str = "9d06b95353f6cfb0e0c556126f8ed8a0b424d2a9d54239ec79526b60724388310042e5ac7012d9325564f5b79fc180ac5557529b5df655159af9";
    const PLAIN: &[u8; 33] = b"A file of thirty-three bytes here";
    const PLAIN_SHA256: &str = "5bcd949523649cfe1b1539d2faebd805927a82ccf601dc5dbad7645b3eafe63d";
    /// SHA-256 of the file encrypted as each kind.
    const SEALED_SHA256: [(MediaKind, &str); 5] = [
        (MediaKind::Image, "14c129f43a8af94547e392a13b7cc167db61fb6a11c7cb0789f6d9226da67dba"),
        (MediaKind::Sticker, "14c129f43a8af94547e392a13b7cc167db61fb6a11c7cb0789f6d9226da67dba"),
        (MediaKind::Video, "00b02df2c68881ea5d15ec0269ebb966f62412fb51e23e65377cac8528415a1a"),
        (MediaKind::Audio, "bbab918e669ce3495ca95ede5d4160c7d8912549e601d38b5e8aa0ff6f5060f5"),
        (MediaKind::Document, "f43e39c9481f5948c23c64f98ff1efa754cdeb13966717ec498f2ca165a4a124"),
    ];

    fn unhex(text: &str) -> Vec<u8> {
        let digit = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    fn key() -> [u8; 32] {
        std::array::from_fn(|index| u8::try_from(index).expect("below 32"))
    }

    fn announced() -> Attachment {
        Attachment {
            kind: MediaKind::Image,
            direct_path: None,
            media_key: Some(key().to_vec()),
            enc_sha256: Some(unhex(SEALED_SHA256[0].1)),
            sha256: Some(unhex(PLAIN_SHA256)),
            length: Some(33),
        }
    }

    fn opened(sealed: &[u8], announced: &Attachment) -> Result<(), String> {
        open(io::Cursor::new(sealed), announced)
    }

    #[test]
    fn files_are_encrypted_as_other_tools_do() {
        for (kind, sha256) in SEALED_SHA256 {
            let sealed = encrypt_media_with_key(PLAIN, kind.keys(), Some(&key())).expect("encrypts");
            assert_eq!(sealed.file_enc_sha256.to_vec(), unhex(sha256), "{kind:?}");
            assert_eq!(sealed.file_sha256.to_vec(), unhex(PLAIN_SHA256));
        }
    }

    #[test]
    fn a_file_encrypted_by_other_tools_is_good() {
        assert_eq!(opened(&unhex(SEALED_IMAGE), &announced()), Ok(()));
    }

    #[test]
    fn a_changed_file_is_not_good_even_if_its_hash_was_changed_with_it() {
        let sealed = unhex(SEALED_IMAGE);
        for place in [0, 20, 50] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(opened(&changed, &announced()).is_err_and(|reason| reason.contains("file_enc_sha256")));
            let hash = Some(Sha256::digest(&changed).to_vec());
            let told = opened(&changed, &Attachment { enc_sha256: hash, ..announced() });
            assert!(told.as_ref().is_err_and(|reason| reason.contains("decrypted")), "byte {place}: {told:?}");
        }
        for length in [0, 5, 57] {
            let cut = &sealed[..length];
            let hash = Some(Sha256::digest(cut).to_vec());
            assert!(opened(cut, &Attachment { enc_sha256: hash, ..announced() }).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn keys_of_another_kind_do_not_fit() {
        assert!(opened(&unhex(SEALED_IMAGE), &Attachment { kind: MediaKind::Document, ..announced() }).is_err());
        assert_eq!(opened(&unhex(SEALED_IMAGE), &Attachment { kind: MediaKind::Sticker, ..announced() }), Ok(()));
    }
}
