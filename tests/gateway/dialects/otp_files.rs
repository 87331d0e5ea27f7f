//! Files that the dialect `otp` is given.

use kurir_core::domain::{Lane, SessionState};
use serde_json::json;

use crate::fixture::{Answer, Fixture};

const BASE: &str = "/dialects/otp";

/// A form as a browser sends it.
fn form(to: Option<&str>, name: &str, kind: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    if let Some(to) = to {
        body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\n{to}\r\n").bytes());
    }
    let head = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: {kind}");
    body.extend(format!("--b\r\n{head}\r\n\r\n").bytes());
    body.extend(content);
    body.extend(b"\r\n--b--\r\n");
    body
}

/// With a session that is connected, of which nobody sends.
fn connected() -> Fixture {
    let it = Fixture::new();
    it.ask("POST", &format!("{BASE}/api/sessions/create"), &json!({"sessionId": "s1"}));
    it.put("s1", SessionState::Connected, None);
    it
}

fn send(it: &Fixture, body: &[u8]) -> Answer {
    let kind = [("Content-Type", "multipart/form-data; boundary=b")];
    it.call("POST", &format!("{BASE}/api/messages/s1/image"), &kind, body)
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((&answer["success"], &answer["message"]), (&json!(false), &json!(message)));
}

#[test]
fn a_file_is_what_its_content_says() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR-and-so-on";
    let it = connected();
    let send = |body: Vec<u8>| send(&it, &body);
    let to = Some("08123456789");
    let sent = send(form(to, "a.png", "image/png", PNG));
    assert_eq!((sent.status, &sent.json()["data"]["mimetype"]), (202, &json!("image/png")), "{}", sent.text());
    assert_eq!(send(form(to, "a.csv", "text/csv", b"a,b\n1,2\n")).status, 202);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    refused(&send(form(to, "a.svg", "image/svg+xml", svg)), 415, "Tipe file image/svg+xml tidak didukung");
    refused(&send(form(to, "a.pdf", "application/pdf", PNG)), 415, "Tipe file image/png tidak didukung");
    refused(&send(form(None, "a.png", "image/png", PNG)), 400, "Nomor telepon diperlukan");
    refused(&send(form(to, "a.png", "image/png", &PNG.repeat(20_000))), 413, "Ukuran file terlalu besar");
    let no_form = it.ask("POST", &format!("{BASE}/api/messages/s1/image"), &json!({"to": "1"}));
    refused(&no_form, 400, "Format permintaan tidak valid");
    assert_eq!(it.depth("s1", Lane::Bulk), 2);
}

const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0";
const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\0\0";
const WORD_XML: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const EXCEL_XML: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Every type that the older system names: ending, type, and how such a file begins.
const LISTED: [(&str, &str, &[u8]); 22] = [
    ("jpeg", "image/jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    ("jpg", "image/jpeg", b"\xff\xd8\xff\xe1\0\x10Exif\0"),
    ("png", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("gif", "image/gif", b"GIF89a\x01\0\x01\0"),
    ("webp", "image/webp", b"RIFF\x24\0\0\0WEBPVP8 "),
    ("mp4", "video/mp4", b"\0\0\0\x20ftypisom\0\0\x02\0"),
    ("avi", "video/x-msvideo", b"RIFF\x24\0\0\0AVI LIST"),
    ("mov", "video/quicktime", b"\0\0\0\x14ftypqt  \0\0\0\0"),
    ("wmv", "video/x-ms-wmv", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa"),
    ("3gp", "video/3gpp", b"\0\0\0\x18ftyp3gp5\0\0\0\0"),
    ("mp3", "audio/mpeg", b"ID3\x03\0\0\0\0\0\0"),
    ("wav", "audio/x-wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ("ogg", "audio/ogg", b"OggS\0\x02\0\0\0\0\0\0\0\0"),
    ("m4a", "audio/m4a", b"\0\0\0\x20ftypM4A \0\0\0\0"),
    ("mpeg", "audio/mpeg", b"\xff\xfb\x90\x64\0\0\0\0"),
    ("pdf", "application/pdf", b"%PDF-1.7\n"),
    ("doc", "application/msword", OLE),
    ("docx", WORD_XML, ZIP),
    ("xls", "application/vnd.ms-excel", OLE),
    ("xlsx", EXCEL_XML, ZIP),
    ("txt", "text/plain", b"halo dunia\n"),
    ("csv", "text/csv", b"nama;nomor\n"),
];

/// Declared, as a browser does, and undeclared, as curl does with most files.
#[test]
fn every_type_that_is_listed_is_taken() {
    let it = connected();
    std::thread::scope(|scope| {
        for (ending, kind, head) in LISTED {
            let it = &it;
            scope.spawn(move || {
                for declared in [kind, "application/octet-stream"] {
                    let name = format!("berkas.{ending}");
                    let sent = send(it, &form(Some("08123456789"), &name, declared, head));
                    let told = sent.json()["data"]["mimetype"].clone();
                    assert_eq!((sent.status, told), (202, json!(kind)), "{ending}, {declared}: {}", sent.text());
                }
            });
        }
    });
    assert_eq!(it.depth("s1", Lane::Bulk), 44);
}

#[test]
fn a_name_or_a_declared_type_alone_opens_no_door() {
    let it = connected();
    let program = [b"\x7fELF\x02\x01\x01".as_slice(), &[0; 64]].concat();
    let program = program.as_slice();
    let picture: &[u8] = b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    for (name, declared, content, found) in [
        ("a.svg", "image/svg+xml", picture, "image/svg+xml"),
        ("a.png", "image/png", program, "application/x-executable"),
        ("a.txt", "text/plain", program, "application/x-executable"),
        ("a.pdf", "application/octet-stream", program, "application/x-executable"),
        ("a.doc", "application/msword", b"halo", "application/octet-stream"),
        ("a.docx", WORD_XML, b"halo", "application/octet-stream"),
        ("a.csv", "text/csv", b"a\0b", "application/octet-stream"),
        ("a.bin", "application/octet-stream", b"halo", "application/octet-stream"),
    ] {
        let answer = send(&it, &form(Some("08123456789"), name, declared, content));
        refused(&answer, 415, &format!("Tipe file {found} tidak didukung"));
    }
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
}
