//! Which files are sent: pictures, films, sounds and documents of the types that the older system took.
//!
//! What has marks of its own is what they say, whatever it is called. Documents have few or none; what they are said to be must
//! at least be possible.

use kurir_core::domain::UNKNOWN_MEDIA;

use super::super::Refusal;

/// Types that are sent, under the names that they have.
const TYPES: [&str; 36] = [
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/x-m4v",
    "video/x-msvideo",
    "video/msvideo",
    "video/avi",
    "video/quicktime",
    "video/x-ms-wmv",
    "video/wmv",
    "video/3gpp",
    "video/mpeg",
    "audio/mpeg",
    "audio/mp3",
    "audio/wav",
    "audio/x-wav",
    "audio/wave",
    "audio/vnd.wave",
    "audio/ogg",
    "audio/opus",
    "application/ogg",
    "audio/m4a",
    "audio/x-m4a",
    "audio/mp4",
    "application/pdf",
    WORD,
    WORD_XML,
    EXCEL,
    EXCEL_XML,
    TEXT,
    CSV,
    "application/csv",
    "audio/3gpp",
];

const WORD: &str = "application/msword";
const EXCEL: &str = "application/vnd.ms-excel";
const WORD_XML: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const EXCEL_XML: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const TEXT: &str = "text/plain";
const CSV: &str = "text/csv";

/// Documents whose content alone does not tell them apart, by the endings of their names: for callers that say nothing of the
/// type, as curl does with most files.
const ENDINGS: [(&str, &str); 6] =
    [("doc", WORD), ("docx", WORD_XML), ("xls", EXCEL), ("xlsx", EXCEL_XML), ("txt", TEXT), ("csv", CSV)];

/// What the older Office's documents and what the newer one's begin with.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
const ZIP: &[u8] = b"PK\x03\x04";

/// What a document is by the ending of its name.
pub(super) fn named(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, kind)| kind)
}

/// Whether a file of this type that begins with `head` is sent.
pub(super) fn check(mime_type: &str, head: &[u8]) -> Result<(), Refusal> {
    if !TYPES.contains(&mime_type) {
        return Err(Refusal::FileType(mime_type.to_owned()));
    }
    let possible = match mime_type {
        WORD => head.starts_with(OLE),
        // Browsers on Windows call CSV so.
        EXCEL => head.starts_with(OLE) || is_text(head),
        WORD_XML | EXCEL_XML => head.starts_with(ZIP),
        TEXT | CSV | "application/csv" => is_text(head),
        _ => true,
    };
    if possible { Ok(()) } else { Err(Refusal::FileType(UNKNOWN_MEDIA.to_owned())) }
}

/// Whether it can be text: in UTF-16 it says so, in other encodings it has no zeros.
fn is_text(head: &[u8]) -> bool {
    head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_without_a_type_are_what_their_names_say() {
        assert_eq!(named("Laporan.2026.XLSX"), Some(EXCEL_XML));
        assert_eq!(named("a.csv"), Some(CSV));
        for name in ["a", "a.", "a.exe", "csv", "a.csv.png"] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn what_a_document_is_called_must_be_possible() {
        for (kind, head) in [(WORD, OLE), (EXCEL, OLE), (WORD_XML, ZIP), (EXCEL_XML, ZIP), (EXCEL, b"a;b".as_slice())] {
            assert!(check(kind, head).is_ok(), "{kind}");
        }
        assert!(check(TEXT, b"\xff\xfeh\0a\0").is_ok() && check(CSV, "é,漢".as_bytes()).is_ok());
        for (kind, head) in [(WORD, ZIP), (WORD_XML, OLE), (TEXT, b"a\0b".as_slice()), (CSV, &[0; 8])] {
            assert!(matches!(check(kind, head), Err(Refusal::FileType(found)) if found == UNKNOWN_MEDIA), "{kind}");
        }
        assert!(matches!(check("image/svg+xml", b"<svg/>"), Err(Refusal::FileType(found)) if found == "image/svg+xml"));
    }
}
