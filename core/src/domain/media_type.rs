//! What a file is, by its content, and how large it may be.

use super::MediaKind;

/// What is said of a file that nobody knows anything of.
pub const UNKNOWN_MEDIA: &str = "application/octet-stream";

/// A declared type that the content contradicts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the file is declared as another type than its content shows{}", .found.map(|found| format!(" ({found})")).unwrap_or_default())]
pub struct Contradiction {
    /// What the content shows.
    pub found: Option<&'static str>,
}

/// The largest files, in bytes, and how much a tenant's take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaLimits {
    /// Of a picture or a sticker.
    pub image: u64,
    /// Of a film.
    pub video: u64,
    /// Of a sound.
    pub audio: u64,
    /// Of anything else.
    pub document: u64,
    /// Of all files of a tenant together.
    pub tenant: u64,
}

impl MediaLimits {
    /// The limit of a file of this type.
    pub fn of(&self, mime_type: &str) -> u64 {
        match family(mime_type) {
            "image" => self.image,
            "video" => self.video,
            "audio" => self.audio,
            _ => self.document,
        }
    }

    /// The largest of them.
    pub fn largest(&self) -> u64 {
        self.image.max(self.video).max(self.audio).max(self.document)
    }
}

/// The type of a file that begins with `head`. Of what has marks of its own the content counts, and a declaration that
/// contradicts it is refused; of the rest the declaration counts.
pub fn judge_media(declared: Option<&str>, head: &[u8]) -> Result<String, Contradiction> {
    let found = found_in(head);
    let declared = declared.map(plain).filter(|declared| declared != UNKNOWN_MEDIA && declared.contains('/'));
    let Some(declared) = declared else { return Ok(found.unwrap_or(UNKNOWN_MEDIA).to_owned()) };
    let contradiction = Contradiction { found };
    match found {
        Some(found) if agree(&declared, found) => Ok(declared),
        Some(_) => Err(contradiction),
        // These have marks, and this has none of them.
        None if matches!(family(&declared), "image" | "video" | "audio") && declared != "image/svg+xml" => {
            Err(contradiction)
        }
        None if declared == "application/pdf" || declared == "application/zip" => Err(contradiction),
        None => Ok(declared),
    }
}

/// Whether a file of this type can be shown as this kind.
pub fn media_fits(kind: MediaKind, mime_type: &str) -> bool {
    match kind {
        MediaKind::Image => matches!(mime_type, "image/jpeg" | "image/png" | "image/webp" | "image/gif"),
        MediaKind::Video => matches!(mime_type, "video/mp4" | "video/3gpp" | "video/quicktime" | "video/webm"),
        MediaKind::Audio | MediaKind::Voice => family(mime_type) == "audio",
        MediaKind::Sticker => mime_type == "image/webp",
        MediaKind::Document => true,
    }
}

/// What the content shows.
fn found_in(head: &[u8]) -> Option<&'static str> {
    match infer::get(head) {
        Some(kind) => Some(kind.mime_type()),
        // Films of older phones: their mark is not among those that are known there.
        None => matches!(head.get(4..10), Some(b"ftyp3g")).then_some("video/3gpp"),
    }
}

/// The type alone, in small letters: without parameters.
fn plain(mime_type: &str) -> String {
    mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn family(mime_type: &str) -> &str {
    mime_type.split('/').next().unwrap_or_default()
}

/// Names that are not equal and yet mean the same bytes.
fn agree(declared: &str, found: &str) -> bool {
    const SAME: [(&str, &str); 21] = [
        ("image/jpg", "image/jpeg"),
        ("audio/mp4", "video/mp4"),
        ("audio/mp4", "audio/m4a"),
        ("audio/x-m4a", "audio/m4a"),
        ("audio/mp3", "audio/mpeg"),
        ("audio/wav", "audio/x-wav"),
        ("audio/opus", "audio/ogg"),
        ("application/ogg", "audio/ogg"),
        ("audio/webm", "video/webm"),
        ("video/3gpp", "video/mp4"),
        ("audio/3gpp", "video/3gpp"),
        ("audio/ogg", "audio/opus"),
        ("application/ogg", "audio/opus"),
        ("audio/wave", "audio/x-wav"),
        ("audio/vnd.wave", "audio/x-wav"),
        ("video/avi", "video/x-msvideo"),
        ("video/msvideo", "video/x-msvideo"),
        ("video/wmv", "video/x-ms-wmv"),
        ("video/x-ms-asf", "video/x-ms-wmv"),
        ("video/mp4", "video/x-m4v"),
        ("image/svg+xml", "text/xml"),
    ];
    if declared == found || SAME.contains(&(declared, found)) {
        return true;
    }
    // Many documents are archives of their own make, and a text may be of any application.
    // Those of the older Office are all found as the one of Word.
    let container = matches!(found, "application/zip" | "application/msword" | "application/gzip");
    let document = family(declared) == "application" && !matches!(declared, "application/pdf" | "application/zip");
    (container && document)
        || (family(found) == "text"
            && matches!(family(declared), "text" | "application")
            && declared != "application/pdf")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F'];
    const PDF: &[u8] = b"%PDF-1.7\n";

    #[test]
    fn the_content_counts_where_it_has_marks() {
        assert_eq!(judge_media(None, PNG).unwrap(), "image/png");
        assert_eq!(judge_media(Some("image/PNG; x=1"), PNG).unwrap(), "image/png");
        assert_eq!(judge_media(Some(UNKNOWN_MEDIA), PDF).unwrap(), "application/pdf");
        assert_eq!(judge_media(Some("image/jpg"), JPEG).unwrap(), "image/jpg");
        assert_eq!(judge_media(None, b"a,b\n1,2\n").unwrap(), UNKNOWN_MEDIA);
        assert_eq!(judge_media(Some("text/csv"), b"a,b\n1,2\n").unwrap(), "text/csv");
        for (declared, head) in [
            ("image/png", JPEG),
            ("image/jpeg", b"hello".as_slice()),
            ("application/pdf", PNG),
            ("application/pdf", b"hello"),
            ("text/plain", PNG),
            ("video/mp4", PDF),
        ] {
            assert!(judge_media(Some(declared), head).is_err(), "{declared}");
        }
    }

    #[test]
    fn one_content_has_many_names() {
        let opus = [b"OggS".as_slice(), &[0; 24], b"OpusHead"].concat();
        let old_office: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0";
        for (declared, head) in [
            ("video/3gpp", b"\0\0\0\x18ftyp3gp5\0\0\0\0".as_slice()),
            ("video/avi", b"RIFF\0\0\0\0AVI LIST"),
            ("video/wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\0"),
            ("video/mp4", b"\0\0\0\x20ftypM4V \0\0\0\0"),
            ("audio/wave", b"RIFF\0\0\0\0WAVEfmt "),
            ("audio/ogg", &opus),
            ("application/msword", old_office),
            ("application/vnd.ms-excel", old_office),
            ("image/svg+xml", b"<?xml version=\"1.0\"?><svg/>"),
        ] {
            assert_eq!(judge_media(Some(declared), head).as_deref(), Ok(declared));
        }
        assert_eq!(judge_media(None, b"\0\0\0\x18ftyp3gp5\0\0\0\0").as_deref(), Ok("video/3gpp"));
        for declared in ["image/png", "application/pdf", "text/plain"] {
            assert!(judge_media(Some(declared), old_office).is_err(), "{declared}");
        }
    }

    #[test]
    fn kinds_have_their_types_and_limits() {
        assert!(media_fits(MediaKind::Image, "image/png") && !media_fits(MediaKind::Image, "application/pdf"));
        assert!(media_fits(MediaKind::Document, "image/png") && !media_fits(MediaKind::Sticker, "image/png"));
        let limits = MediaLimits { image: 1, video: 2, audio: 3, document: 4, tenant: 5 };
        assert_eq!((limits.of("image/png"), limits.of("audio/ogg"), limits.of("text/csv")), (1, 3, 4));
    }
}
