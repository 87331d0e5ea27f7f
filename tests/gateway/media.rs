//! `/v1/media`

use std::time::Duration;

use kurir_core::domain::{Lane, MediaState};
use kurir_core::port::{JobQueue as _, MediaStore as _};
use kurir_core::wire::JobV1;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, session, tenant};

const PDF: &[u8] = b"%PDF-1.7 yours";

fn png(length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend((bytes.len()..length).map(|at| u8::try_from(at % 251).unwrap()));
    bytes
}

impl Fixture {
    fn upload(&self, key: &str, query: &str, kind: &str, bytes: &[u8]) -> Answer {
        self.call("POST", &format!("/v1/media{query}"), &[("X-Api-Key", key), ("Content-Type", kind)], bytes)
    }

    fn limited_key(&self, session: &str) -> String {
        let made = self.post("/v1/keys", &json!({"scopes": ["send", "read"], "sessions": [session]}));
        made.json()["key"].as_str().unwrap().to_owned()
    }

    fn get_as(&self, key: &str, path: &str) -> Answer {
        self.get_with(path, &[("X-Api-Key", key)])
    }
}

fn place(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.header("location").unwrap().to_owned()
}

fn message(media: &Value, kind: &str) -> Value {
    json!({"session": "s1", "to": "+6281234567890", "content": {"type": "media", "kind": kind, "media": media}})
}

#[test]
fn a_file_comes_back_as_it_was_uploaded() {
    let it = Fixture::new();
    // More than one piece.
    let picture = png(290_000);
    let answer = it.upload(KEY, "?filename=foto%20baru.png", "image/png", &picture);
    let view = answer.json();
    assert_eq!((&view["mime_type"], &view["size"]), (&json!("image/png"), &json!(290_000)));
    assert_eq!(view["expires_at"], "2026-11-28T12:00:00.000Z");
    let path = place(&answer);
    let file = it.get(&path);
    assert_eq!((file.status, file.header("content-type")), (200, Some("image/png")));
    assert_eq!(file.header("content-disposition"), Some("attachment; filename*=UTF-8''foto%20baru.png"));
    assert_eq!(file.header("content-length"), Some("290000"));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert!(file.header("content-security-policy").unwrap().starts_with("sandbox"));
    assert!(file.bytes == picture);
    it.get_as(OTHER_KEY, &path).error(404, "not_found");
    assert_eq!(it.delete(&path).status, 204);
    it.get(&path).error(404, "not_found");
    it.delete(&path).error(404, "not_found");
}

#[test]
fn a_form_has_its_file_in_a_part() {
    let it = Fixture::new();
    let form = |part: &str, kind: &str| {
        format!(
            "--X\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nx\r\n--X\r\nContent-Disposition: form-data; \
             name=\"{part}\"; filename=\"scan/tagihan.pdf\"\r\nContent-Type: {kind}\r\n\r\n%PDF-1.7 yours\r\n--X--\r\n"
        )
    };
    let send = |body: &str| it.upload(KEY, "", "multipart/form-data; boundary=X", body.as_bytes());
    let answer = send(&form("file", "application/pdf"));
    assert_eq!(answer.json()["filename"], "tagihan.pdf");
    assert_eq!(it.get(&place(&answer)).bytes, PDF);
    assert_eq!(send(&form("other", "application/pdf")).error(422, "bad_field")["field"], "file");
    send(&form("file", "image/png")).error(415, "media_contradicts");
    send("--Y").error(400, "bad_body");
}

#[test]
fn what_is_no_file_or_too_large_is_refused() {
    let it = Fixture::new();
    it.upload(KEY, "", "image/jpeg", &png(100)).error(415, "media_contradicts");
    it.upload(KEY, "", "application/pdf", b"hello").error(415, "media_contradicts");
    it.upload(KEY, "", "image/png", &png(300_001)).error(413, "media_too_large");
    it.upload(KEY, "", "text/csv", &vec![b'x'; 1_000_001]).error(413, "media_too_large");
    assert_eq!(it.upload(KEY, "", "application/pdf", b"").error(422, "bad_field")["field"], "file");
    let error = it.upload(KEY, "?filename=..%2Fx", "application/pdf", PDF).error(422, "bad_field");
    assert_eq!(error["field"], "filename");
    it.upload(KEY, "?color=red", "application/pdf", PDF).error(422, "bad_field");
    assert_eq!(it.upload(KEY, "?session=nobodys", "application/pdf", PDF).error(404, "not_found")["field"], "session");
    for path in ["/v1/media/nonsense", "/v1/media/0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c"] {
        it.get(path).error(404, "not_found");
    }
}

#[test]
fn a_file_of_one_session_is_not_there_for_another() {
    let it = Fixture::new();
    for name in ["s1", "s2"] {
        it.create(name);
    }
    let (first, second) = (it.limited_key("s1"), it.limited_key("s2"));
    assert_eq!(it.upload(&first, "", "application/pdf", PDF).error(422, "bad_field")["field"], "session");
    it.upload(&first, "?session=s2", "application/pdf", PDF).error(404, "not_found");
    let answer = it.upload(&first, "?session=s1", "application/pdf", PDF);
    let (path, id) = (place(&answer), answer.json()["id"].clone());
    for key in [KEY, first.as_str()] {
        assert_eq!(it.get_as(key, &path).status, 200);
    }
    it.get_as(&second, &path).error(404, "not_found");
    it.call("DELETE", &path, &[("X-Api-Key", &second)], b"").error(404, "not_found");
    let through = |key: &str, session: &str, id: &Value| {
        let mut body = message(id, "document");
        body["session"] = json!(session);
        it.post_as(key, "/v1/messages", &body)
    };
    for key in [KEY, second.as_str()] {
        assert_eq!(through(key, "s2", &id).error(422, "bad_field")["field"], "content.media");
    }
    assert_eq!(through(&first, "s1", &id).status, 202);
    // One for all sessions is for keys that are good for all.
    let shared = it.upload(KEY, "", "application/pdf", PDF).json()["id"].clone();
    assert_eq!(through(&first, "s1", &shared).error(422, "bad_field")["field"], "content.media");
    assert_eq!(through(KEY, "s2", &shared).status, 202);
}

#[test]
fn a_message_names_a_file_that_is_there_and_fits() {
    let it = Fixture::new();
    it.create("s1");
    let id = it.upload(KEY, "", "image/png", &png(100)).json()["id"].clone();
    let answer = it.post("/v1/messages", &message(&id, "image"));
    assert_eq!(answer.status, 202, "{}", answer.text());
    let delivery = it.runtime.block_on(async {
        let mut jobs = it.queue.subscribe(&session("s1"), Lane::Bulk, 1).await.unwrap();
        jobs.next().await.unwrap().unwrap()
    });
    JobV1::decode(&delivery.headers.kind, &delivery.body, None).unwrap();
    let error = it.post("/v1/messages", &message(&id, "video")).error(422, "bad_field");
    assert_eq!(error["field"], "content.kind");
    let nobodys = json!("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c");
    let error = it.post("/v1/messages", &message(&nobodys, "image")).error(422, "bad_field");
    assert_eq!(error["field"], "content.media");
    // It is kept until the message's deadline, and no longer than it has to be.
    let mut late = message(&id, "image");
    late["ttl"] = json!(20 * 24 * 3600);
    assert_eq!(it.post("/v1/messages", &late).status, 202);
    let kept = it.runtime.block_on(it.stores.media(&tenant("acme"), id.as_str().unwrap().parse().unwrap()));
    assert_eq!(kept.unwrap().unwrap().expires_at.to_rfc3339(), "2026-12-11T13:00:00.000Z");
    it.clock.advance(Duration::from_hours(24 * 21));
    it.get(&format!("/v1/media/{}", id.as_str().unwrap())).error(404, "not_found");
    for (url, field) in [("ftp://example.com/x", "content.url"), ("https://user@example.com/x", "content.url")] {
        let mut body = message(&id, "image");
        body["content"] = json!({"type": "media", "kind": "image", "url": url});
        assert_eq!(it.post("/v1/messages", &body).error(422, "bad_field")["field"], field, "{url}");
    }
}

#[test]
fn a_file_that_is_awaited_or_lost_says_so() {
    const ID: &str = "0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2c";
    let it = Fixture::new();
    it.enter_file(ID);
    let store = &it.stores;
    it.runtime.block_on(async {
        let record = store.media(&tenant("acme"), ID.parse().unwrap()).await.unwrap().unwrap();
        let states = [
            (MediaState::Awaited, 'd'),
            (MediaState::Lost, 'e'),
            (MediaState::Filling, 'f'),
            (MediaState::Unkept, 'a'),
        ];
        for (state, digit) in states {
            let id = ID.replace("2c", &format!("2{digit}")).parse().unwrap();
            let mut entered = record.clone();
            (entered.id, entered.state) = (id, state);
            assert!(store.enter_media(&entered).await.unwrap());
        }
    });
    for digit in ["d", "f"] {
        let answer = it.get(&format!("/v1/media/{}", ID.replace("2c", &format!("2{digit}"))));
        answer.error(409, "media_not_ready");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    it.get(&format!("/v1/media/{}", ID.replace("2c", "2e"))).error(410, "media_lost");
    it.get(&format!("/v1/media/{}", ID.replace("2c", "2a"))).error(410, "media_not_kept");
}

#[test]
fn a_tenants_files_have_a_bound_and_removing_one_makes_room() {
    let it = Fixture::new();
    let file = vec![b'x'; 900_000];
    let places: Vec<String> = (0..2).map(|_| place(&it.upload(KEY, "", "text/plain", &file))).collect();
    let full = it.upload(KEY, "", "text/plain", &file);
    let problem = full.error(413, "media_quota");
    assert_eq!((&problem["used"], &problem["allowed"]), (&json!(1_800_000), &json!(2_500_000)));
    // What was refused took nothing.
    let small = place(&it.upload(KEY, "", "text/plain", &vec![b'x'; 700_000]));
    it.upload(KEY, "", "text/plain", b"x").error(413, "media_quota");
    place(&it.upload(OTHER_KEY, "", "text/plain", &file));
    for path in [&places[0], &small] {
        assert_eq!(it.call("DELETE", path, &[("X-Api-Key", KEY)], b"").status, 204);
    }
    place(&it.upload(KEY, "", "text/plain", &file));
}
