//! `/admin/send`: a test message.

use kurir_core::domain::{Lane, MessageState};
use serde_json::json;

use super::reader::{Reader, hidden, leads};
use crate::fixture::{Fixture, KEY};
use crate::queue::Fault;

const TO: &str = "0812-3456-7890";

fn with_session() -> Fixture {
    let it = Fixture::new();
    it.create("s1");
    it
}

/// The hidden field of a fresh form.
fn form(reader: &Reader<'_>) -> String {
    hidden(&reader.page("/admin/send"), "id").expect("the form's id").to_owned()
}

fn job(place: &str) -> &str {
    place.strip_prefix("/admin/messages/").and_then(|rest| rest.split('?').next()).expect("a message's page")
}

#[test]
fn a_text_is_sent_once_however_often_its_form_is_sent() {
    let it = with_session();
    let admin = it.admin();
    let id = form(&admin);
    let fields = |text| [("id", id.as_str()), ("session", "s1"), ("to", TO), ("kind", "text"), ("text", text)];
    let place = leads(&admin.post("/admin/send", &fields("Halo, ini uji.")));
    assert!(place.ends_with("?done=sent"), "{place}");
    let page = admin.page(&place);
    assert!(page.contains("Pesan diterima untuk dikirim.") && page.contains("mengantre"), "{page}");
    assert!(!page.contains("ini uji") && !page.contains("81234567890"), "{page}");
    let entry = it.entry(job(&place)).unwrap();
    assert_eq!((entry.lane, entry.session.as_ref().map(ToString::to_string).as_deref()), (Lane::Bulk, Some("s1")));
    // The button twice, or the page loaded again.
    assert_eq!(leads(&admin.post("/admin/send", &fields("Halo, ini uji."))), place);
    assert_eq!(it.get("/v1/messages").json()["messages"].as_array().map(Vec::len), Some(1));
    // Gone back and typed something else: that is another message.
    assert_ne!(leads(&admin.post("/admin/send", &fields("Halo lagi."))), place);
    assert_eq!(it.get("/v1/messages").json()["messages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_one_time_password_goes_by_a_template_through_the_default_session() {
    let it = with_session();
    let admin = it.admin();
    let page = admin.in_english().page("/admin/send");
    assert!(page.contains("there is no default session") && page.contains("otp_with_name"), "{page}");
    assert!(!page.contains("\"announcement\""), "a template without a code is offered: {page}");
    let id = form(&admin);
    let fields = [
        ("id", id.as_str()),
        ("to", TO),
        ("kind", "otp"),
        ("code", "493817"),
        ("template", "otp_with_name"),
        ("values", "name=Sari"),
    ];
    let answer = admin.post("/admin/send", &fields);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("Belum ada sesi utama") && !answer.text().contains("493817"), "{}", answer.text());
    let named = json!({"session": "s1"}).to_string();
    let headers = [("X-Api-Key", KEY), ("Content-Type", "application/json")];
    assert_eq!(it.call("PUT", "/v1/sessions/default", &headers, named.as_bytes()).status, 200);
    let place = leads(&admin.post("/admin/send", &fields));
    let entry = it.entry(job(&place)).unwrap();
    assert_eq!((entry.lane, entry.state), (Lane::Otp, MessageState::Queued));
    assert!(entry.expires_at.is_some(), "a one-time password without a deadline");
    assert_eq!(it.depth("s1", Lane::Otp), 1);
}

#[test]
fn bad_input_is_told_kept_and_enqueues_nothing() {
    let it = with_session();
    let admin = it.admin();
    let id = form(&admin);
    let good = [("id", id.as_str()), ("session", "s1"), ("to", TO), ("kind", "text"), ("text", "<b>isi</b>")];
    let with = |name: &str, value: &'static str| good.map(|(each, old)| (each, if each == name { value } else { old }));
    for (fields, status, words) in [
        (with("to", "12"), 422, "Nomor ini tidak benar"),
        (with("session", "nobodys"), 422, "Tidak ada sesi dengan nama ini"),
        (with("session", "a b"), 422, "Tidak ada sesi dengan nama ini"),
        (with("text", " "), 422, "Teks pesannya masih kosong"),
        (with("kind", "otp"), 422, "Kode OTP masih kosong"),
    ] {
        let answer = admin.post("/admin/send", &fields);
        assert_eq!(answer.status, status, "{fields:?}");
        let page = answer.text();
        assert!(page.contains(words) && !page.contains("<b>isi"), "{page}");
        assert!(fields[4].1 == " " || page.contains("&lt;b&gt;isi"), "what was typed is lost: {page}");
    }
    let otp =
        [("id", id.as_str()), ("session", "s1"), ("to", TO), ("kind", "otp"), ("code", "493817"), ("template", "otp")];
    let mut lines = otp.to_vec();
    lines.push(("values", "Sari"));
    assert!(admin.post("/admin/send", &lines).text().contains("satu per baris"));
    lines[6].1 = "nama=Sari";
    let answer = admin.post("/admin/send", &lines);
    assert_eq!(answer.status, 422);
    assert!(!answer.text().contains("493817"), "the code is shown again");
    assert_eq!(admin.post("/admin/send", &with("id", "1")).status, 422);
    assert_eq!(it.get("/v1/messages").json()["messages"], json!([]));
}

#[test]
fn a_queue_that_is_away_is_told_and_the_next_try_is_another_message() {
    let it = with_session();
    let admin = it.admin();
    let id = form(&admin);
    let fields = |id| [("id", id), ("session", "s1"), ("to", TO), ("kind", "text"), ("text", "uji")];
    it.queue.fail(Fault::Down);
    let answer = admin.post("/admin/send", &fields(&id));
    assert_eq!(answer.status, 503);
    let page = answer.text();
    assert!(page.contains("Antrean tidak menjawab"), "{page}");
    let fresh = hidden(&page, "id").unwrap().to_owned();
    assert_ne!(fresh, id, "its message was cancelled, and would stay so");
    it.queue.fail(Fault::Nothing);
    let place = leads(&admin.post("/admin/send", &fields(&fresh)));
    assert_eq!(it.entry(job(&place)).unwrap().state, MessageState::Queued);
}

#[test]
fn who_may_only_look_and_who_is_somebody_else_send_nothing() {
    let it = with_session();
    let (admin, viewer, stranger) = (it.admin(), it.viewer(), it.stranger());
    let id = form(&admin);
    let fields = [("id", id.as_str()), ("session", "s1"), ("to", TO), ("kind", "text"), ("text", "uji")];
    assert_eq!((viewer.get("/admin/send").status, viewer.post("/admin/send", &fields).status), (403, 403));
    assert_eq!(admin.send("/admin/send", &fields).status, 403, "without its mark");
    assert!(!stranger.page("/admin/send").contains("\"s1\""), "a foreign session is offered");
    let answer = stranger.post("/admin/send", &fields);
    assert!(answer.status == 422 && answer.text().contains("Tidak ada sesi dengan nama ini"), "{}", answer.text());
    assert_eq!(it.depth("s1", Lane::Bulk), 0);
}
