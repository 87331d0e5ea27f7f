//! The dialects' shapes and words. That their messages arrive is shown by `tests/dialects`.

mod multi;
mod otp;
mod otp_files;
mod waziper;

use kurir_core::domain::{QrCode, Secret, SessionState};
use kurir_core::port::Clock as _;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture};

/// A QR code that waits to be scanned.
fn code(it: &Fixture, text: &str) -> QrCode {
    let expires_at = it.clock.now().plus(std::time::Duration::from_secs(20));
    QrCode { text: Secret::new(text.to_owned()), expires_at }
}

impl Fixture {
    /// A request without a key, with a JSON body unless that is null.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as(&[], method, path, body)
    }

    fn ask_as(&self, headers: &[(&str, &str)], method: &str, path: &str, body: &Value) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_null() {
            return self.call(method, path, &headers, b"");
        }
        headers.push(("Content-Type", "application/json"));
        self.call(method, path, &headers, body.to_string().as_bytes())
    }

    /// The session waits for a scan of this text.
    fn shows(&self, id: &str, text: &str) {
        let code = code(self, text);
        self.put(id, SessionState::AwaitingScan, Some(code));
    }
}

/// Whether a text is a picture, as browsers take it in an address.
fn is_picture(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.starts_with("data:image/png;base64,") && text.len() > 200)
}

/// Inputs that nobody should send; of each dialect's every field.
const ODD: [&str; 12] = [
    "",
    " ",
    "'; DROP TABLE job; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00",
    "a\r\nSet-Cookie: x=1",
    "\u{202e}\u{feff}\u{0}",
    "9999999999999999999999999999999999",
    "${jndi:ldap://x}",
    "null",
    "é漢😀",
];

/// Every call of every dialect, with the fields that it reads.
const CALLS: [(&str, &str, &[&str]); 27] = [
    ("GET", "waziper/generate-instance-id", &[]),
    ("GET", "waziper/get_qrcode", &["access_token", "instance_id"]),
    ("POST", "waziper/api/create_instance", &["access_token"]),
    ("POST", "waziper/reconnect", &["access_token", "instance_id"]),
    ("POST", "waziper/reboot", &["access_token", "instance_id"]),
    ("GET", "waziper/reset_instance", &["access_token", "instance_id"]),
    ("POST", "waziper/set_webhook", &["access_token", "instance_id", "webhook_url", "enable"]),
    ("POST", "waziper/send", &["access_token", "instance_id", "number", "message", "type", "media_url", "filename"]),
    ("GET", "otp/", &[]),
    ("GET", "otp/api/health", &[]),
    ("GET", "otp/api/webhook/stats", &[]),
    ("GET", "otp/api/sessions", &[]),
    ("POST", "otp/api/sessions/create", &["sessionId"]),
    ("GET", "otp/api/sessions/{}/status", &[]),
    ("GET", "otp/api/sessions/{}/qr", &[]),
    ("GET", "otp/api/sessions/{}/qr-page", &[]),
    ("PUT", "otp/api/sessions/{}/restart", &[]),
    ("DELETE", "otp/api/sessions/{}", &[]),
    ("GET", "otp/api/messages/format-phone/{}", &[]),
    ("POST", "otp/api/messages/{}/text", &["to", "message"]),
    ("POST", "otp/api/messages/{}/otp", &["to", "otp"]),
    ("POST", "otp/api/messages/{}/image", &["to"]),
    ("POST", "multi/api/admin/apikeys/generate", &["name"]),
    ("GET", "multi/api/qr", &["sessionId"]),
    ("GET", "multi/api/status", &["sessionId"]),
    ("DELETE", "multi/api/sessions/{}", &[]),
    ("POST", "multi/api/send-message", &["sessionId", "number", "message"]),
];

fn escaped(text: &str) -> String {
    let escape = |byte| format!("%{byte:02X}");
    text.bytes().map(escape).collect::<Vec<_>>().concat()
}

#[test]
fn no_input_makes_a_dialect_fail() {
    let it = Fixture::new();
    it.create("s1");
    let key = [("X-Api-Key", crate::fixture::KEY), ("X-Admin-Key", "admin123")];
    let mut asked = 0;
    let mut check = |answer: &Answer, what: &str| {
        asked += 1;
        // 503 says that there is no code to scan yet.
        assert!(answer.status < 500 || answer.status == 503, "{what}: {} {}", answer.status, answer.text());
        if !answer.text().starts_with("<!doctype") {
            assert!(answer.json().is_object(), "{what}: {}", answer.text());
        }
    };
    for (method, path, fields) in CALLS {
        for odd in ODD {
            let path = format!("/dialects/{}", path.replace("{}", &escaped(odd)));
            let body: Value = fields.iter().map(|field| ((*field).to_owned(), json!(odd))).collect();
            let query: Vec<_> = fields.iter().map(|field| format!("{field}={}", escaped(odd))).collect();
            let query = query.join("&");
            if method == "GET" || method == "DELETE" {
                check(&it.call(method, &format!("{path}?{query}"), &key, b""), &path);
                continue;
            }
            check(&it.ask_as(&key, method, &path, &body), &path);
            let form = [key[0], key[1], ("Content-Type", "application/x-www-form-urlencoded")];
            check(&it.call(method, &path, &form, query.as_bytes()), &path);
            check(&it.call(method, &path, &key, odd.as_bytes()), &path);
        }
    }
    assert!(asked > 500, "{asked}");
}

#[test]
fn a_path_or_a_method_that_is_none_is_told_in_the_dialects_shape() {
    let it = Fixture::new();
    for (dialect, path, field) in
        [("waziper", "/nothing", "message"), ("otp", "/api/nothing", "message"), ("multi", "/api/nothing", "error")]
    {
        let answer = it.ask("GET", &format!("/dialects/{dialect}{path}"), &Value::Null);
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.json()[field].is_string(), "{}", answer.text());
    }
    assert_eq!(it.ask("DELETE", "/dialects/otp/api/sessions/create", &Value::Null).status, 405);
    assert_eq!(it.ask("PATCH", "/dialects/otp/api/health", &Value::Null).status, 405);
    assert_eq!(it.ask("PUT", "/dialects/multi/api/qr", &Value::Null).status, 405);
}
