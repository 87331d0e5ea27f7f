use kurir_core::domain::{Lane, SessionState};
use serde_json::{Value, json};

use super::is_picture;
use crate::fixture::{Answer, Fixture, OTHER_KEY};

const BASE: &str = "/dialects/otp";

fn ask(it: &Fixture, method: &str, path: &str, body: &Value) -> Answer {
    it.ask(method, &format!("{BASE}{path}"), body)
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let answer = answer.json();
    assert_eq!((&answer["success"], &answer["message"]), (&json!(false), &json!(message)));
}

#[test]
fn sessions_are_made_listed_restarted_and_removed() {
    let it = Fixture::new();
    let made = ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "test-session"}));
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["data"]["sessionId"], "test-session");
    refused(
        &ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "test-session"})),
        409,
        "Session test-session sudah ada",
    );
    refused(&ask(&it, "POST", "/api/sessions/create", &json!({})), 400, "Session ID diperlukan");

    let list = ask(&it, "GET", "/api/sessions", &Value::Null).json();
    assert_eq!(list["success"], true);
    assert_eq!(list["data"]["sessions"]["test-session"]["isConnected"], false);
    it.put("test-session", SessionState::Connected, None);
    let status = ask(&it, "GET", "/api/sessions/test-session/status", &Value::Null).json();
    assert_eq!((&status["data"]["isConnected"], &status["data"]["status"]), (&json!(true), &json!("connected")));
    assert_eq!(ask(&it, "PUT", "/api/sessions/test-session/restart", &Value::Null).status, 200);
    // Nobody carries the deletion out here, so it is told when the wait is over; for callers the session is gone at once.
    assert_eq!(ask(&it, "DELETE", "/api/sessions/test-session", &Value::Null).json()["success"], true);
    refused(&ask(&it, "GET", "/api/sessions/test-session/status", &Value::Null), 404, "Session tidak ditemukan");
    assert_eq!(ask(&it, "GET", "/api/sessions", &Value::Null).json()["data"]["sessions"], json!({}));
}

#[test]
fn a_code_to_scan_is_a_picture_and_its_page_runs_no_foreign_script() {
    let it = Fixture::new();
    ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "s1"}));
    refused(&ask(&it, "GET", "/api/sessions/s1/qr", &Value::Null), 503, "QR code belum tersedia, coba lagi sebentar");
    it.shows("s1", "2@abc");
    let qr = ask(&it, "GET", "/api/sessions/s1/qr", &Value::Null);
    assert_eq!(qr.status, 200, "{}", qr.text());
    assert!(is_picture(&qr.json()["data"]["qr"]), "{}", qr.text());
    let page = ask(&it, "GET", "/api/sessions/s1/qr-page", &Value::Null);
    assert!(page.text().contains("Session <strong>s1</strong>"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    for file in ["/qr-page.js", "/qr-page.css"] {
        assert_eq!(ask(&it, "GET", file, &Value::Null).status, 200);
    }
    assert_eq!(ask(&it, "GET", "/api/sessions/%3Cb%3E/qr-page", &Value::Null).status, 404);
}

#[test]
fn what_can_not_be_sent_is_told_in_indonesian_and_nothing_is_enqueued() {
    let it = Fixture::new();
    ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "s1"}));
    let text = |body: Value| ask(&it, "POST", "/api/messages/s1/text", &body);
    refused(&text(json!({"to": "08123456789", "message": "halo"})), 409, "Session tidak terhubung");
    it.put("s1", SessionState::Connected, None);
    refused(&text(json!({"message": "halo"})), 400, "Nomor telepon diperlukan");
    refused(&text(json!({"to": "", "message": "halo"})), 400, "Nomor telepon diperlukan");
    refused(&text(json!({"to": "08123456789"})), 400, "Pesan diperlukan");
    let bad = "Nomor telepon tidak valid, gunakan format 08123456789 atau 628123456789";
    for to in ["+628123456789", "081-234-56789", "abc"] {
        refused(&text(json!({"to": to, "message": "halo"})), 400, bad);
    }
    refused(&it.call("POST", &format!("{BASE}/api/messages/s1/text"), &[], b"{"), 400, "Format permintaan tidak valid");
    refused(
        &ask(&it, "POST", "/api/messages/nobody/text", &json!({"to": "08123456789", "message": "x"})),
        404,
        "Session tidak ditemukan",
    );
    assert_eq!((it.depth("s1", Lane::Bulk), it.depth("s1", Lane::Otp)), (0, 0));
}

/// Nobody sends here: so it is accepted, and never called sent.
#[test]
fn what_is_only_queued_is_accepted_and_a_second_code_has_to_wait() {
    let it = Fixture::new();
    ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "s1"}));
    it.put("s1", SessionState::Connected, None);
    let answer = ask(&it, "POST", "/api/messages/s1/text", &json!({"to": 8_123_456_789_u64, "message": "halo"}));
    assert_eq!(answer.status, 202, "{}", answer.text());
    let data = &answer.json()["data"];
    assert_eq!((&data["status"], &data["to"]), (&json!("accepted"), &json!("628123456789")));
    assert!(data["messageId"].as_str().unwrap().starts_with("3EB0"), "{data}");

    let otp = |body: Value| ask(&it, "POST", "/api/messages/s1/otp", &body);
    let first = otp(json!({"to": "08123456789"}));
    assert_eq!(first.status, 202, "{}", first.text());
    let code = first.json()["data"]["otp"].as_str().unwrap().to_owned();
    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
    refused(&otp(json!({"to": "628123456789"})), 429, "OTP sudah dikirim ke nomor ini, coba lagi dalam 60 detik");
    it.clock.advance(std::time::Duration::from_mins(1));
    let own = otp(json!({"to": "08123456789", "otp": "778899"}));
    assert_eq!((own.status, &own.json()["data"]["otp"]), (202, &json!("778899")));
    assert_eq!((it.depth("s1", Lane::Bulk), it.depth("s1", Lane::Otp)), (1, 2));
}

#[test]
fn numbers_are_brought_into_form() {
    let it = Fixture::new();
    for number in ["08123456789", "8123456789", "628123456789"] {
        let answer = ask(&it, "GET", &format!("/api/messages/format-phone/{number}"), &Value::Null);
        assert_eq!(answer.json()["data"]["formatted"], "628123456789", "{}", answer.text());
    }
    for number in ["%2B628123456789", "081-234-56789"] {
        assert_eq!(ask(&it, "GET", &format!("/api/messages/format-phone/{number}"), &Value::Null).status, 400);
    }
}

#[test]
fn the_service_tells_of_itself() {
    let it = Fixture::new();
    assert_eq!(ask(&it, "GET", "/", &Value::Null).json()["success"], true);
    assert_eq!(ask(&it, "GET", "/api/health", &Value::Null).json()["data"]["status"], "healthy");
    let stats = ask(&it, "GET", "/api/webhook/stats", &Value::Null).json();
    for field in ["totalOTPSent", "failedRequests", "activeSessions", "failureRate"] {
        assert_eq!(stats["data"][field].as_f64(), Some(0.0), "{field}: {stats}");
    }
}

#[test]
fn whoever_gives_a_key_is_its_tenant_and_sees_nothing_else() {
    let it = Fixture::new();
    ask(&it, "POST", "/api/sessions/create", &json!({"sessionId": "s1"}));
    let other = [("X-API-Key", OTHER_KEY)];
    let path = |path: &str| format!("{BASE}{path}");
    refused(&it.ask_as(&other, "GET", &path("/api/sessions/s1/status"), &Value::Null), 404, "Session tidak ditemukan");
    refused(
        &it.ask_as(&other, "POST", &path("/api/sessions/create"), &json!({"sessionId": "s1"})),
        409,
        "Session s1 sudah ada",
    );
    assert_eq!(it.ask_as(&other, "GET", &path("/api/sessions"), &Value::Null).json()["data"]["total"], 0);
    refused(
        &it.ask_as(&[("X-API-Key", "wrong")], "GET", &path("/api/sessions"), &Value::Null),
        401,
        "API key tidak valid",
    );
}
