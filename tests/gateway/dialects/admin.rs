use kurir_core::domain::{Lane, SessionState};
use serde_json::{Value, json};

use super::is_picture;
use crate::fixture::{Answer, Fixture, KEY, OTHER_KEY, Wishes};

const HOME: &str = "/api/admin/whatsapp-sessions";

fn ask_as(it: &Fixture, key: &str, method: &str, path: &str, body: &Value) -> Answer {
    it.ask_as(&[("X-API-Key", key)], method, &format!("{HOME}{path}"), body)
}

fn ask(it: &Fixture, method: &str, path: &str, body: &Value) -> Answer {
    ask_as(it, KEY, method, path, body)
}

/// A gateway whose tenants may have as many sessions as they like.
fn roomy() -> Fixture {
    Fixture::with(Wishes { max_sessions: 0, ..Wishes::default() })
}

/// The body of the older system's own example.
fn example() -> Value {
    json!({
        "name": "Customer Support",
        "sessionId": "customer_support",
        "phoneNumber": "+6285117132297",
        "isActive": true,
        "isDefault": false,
        "description": "Main customer support session"
    })
}

fn made(it: &Fixture, id: &str, name: &str) -> Value {
    let answer = ask(it, "POST", "", &json!({"name": name, "sessionId": id}));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["data"].clone()
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(
        (&answer["success"], &answer["message"], &answer["error"]),
        (&json!(false), &json!(message), &json!(message))
    );
}

#[test]
fn the_first_session_is_the_default_and_runs_and_there_is_no_second_one() {
    let it = Fixture::new();
    let mut first = example();
    first["isActive"] = json!(false);
    let answer = ask(&it, "POST", "", &first);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let data = &answer.json()["data"];
    for (field, value) in [
        ("id", json!("customer_support")),
        ("sessionId", json!("customer_support")),
        ("name", json!("Customer Support")),
        ("phoneNumber", json!("+6285117132297")),
        ("description", json!("Main customer support session")),
        ("isActive", json!(true)),
        ("isDefault", json!(true)),
        ("isConnected", json!(false)),
        ("status", json!("connecting")),
        ("createdAt", json!("2026-11-21T12:00:00.000Z")),
    ] {
        assert_eq!(data[field], value, "{field}: {data}");
    }
    refused(&ask(&it, "POST", "", &example()), 409, "Session customer_support sudah ada");
    let second = json!({"name": "Marketing", "sessionId": "marketing"});
    let most = "Sistem hanya mengizinkan 1 WhatsApp session, gunakan session yang sudah ada";
    refused(&ask(&it, "POST", "", &second), 409, most);
    let listed = ask(&it, "GET", "", &Value::Null).json();
    assert_eq!((listed["success"].as_bool(), listed["data"].as_array().map(Vec::len)), (Some(true), Some(1)));
    assert_eq!(listed["data"][0], *data);
    // The same stands below the path that all dialects have.
    let below = it.ask_as(&[("X-API-Key", KEY)], "GET", &format!("/dialects/admin{HOME}"), &Value::Null);
    assert_eq!(below.json(), listed);
    // Other tenants have theirs.
    assert_eq!(ask_as(&it, OTHER_KEY, "POST", "", &second).status, 201);
    // One that somebody makes otherwise counts as well.
    it.create("v1");
    refused(&ask(&it, "POST", "", &second), 409, most);
}

#[test]
fn two_that_are_made_at_once_are_one() {
    let it = Fixture::new();
    let made: Vec<u16> = std::thread::scope(|scope| {
        let make =
            |n: usize| ask(&it, "POST", "", &json!({"name": format!("n{n}"), "sessionId": format!("s{n}")})).status;
        let running: Vec<_> = (0..8).map(|n| scope.spawn(move || make(n))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|status| **status == 201).count(), 1, "{made:?}");
    assert_eq!(made.iter().filter(|status| **status == 409).count(), 7, "{made:?}");
}

#[test]
fn a_session_is_changed_by_its_id_and_what_is_left_out_stays() {
    let it = roomy();
    ask(&it, "POST", "", &example());
    made(&it, "marketing", "Marketing");
    let change = |body: Value| ask(&it, "PUT", "", &body);
    it.clock.advance(std::time::Duration::from_secs(5));
    let changed = change(json!({"id": "customer_support", "description": "Pendaftaran <b>2026</b>"})).json();
    assert_eq!(changed["data"]["description"], "Pendaftaran <b>2026</b>", "{changed}");
    assert_eq!(
        (&changed["data"]["name"], &changed["data"]["phoneNumber"]),
        (&json!("Customer Support"), &json!("+6285117132297"))
    );
    assert_eq!(changed["data"]["updatedAt"], "2026-11-21T12:00:05.000Z");
    let changed = change(json!({"sessionId": "customer_support", "phoneNumber": null, "name": "CS"})).json();
    assert_eq!((&changed["data"]["name"], &changed["data"]["phoneNumber"]), (&json!("CS"), &Value::Null));
    assert_eq!(changed["data"]["description"], "Pendaftaran <b>2026</b>");

    let stopped = change(json!({"id": "marketing", "isActive": false})).json();
    assert_eq!(
        (&stopped["data"]["isActive"], &stopped["data"]["isDefault"]),
        (&json!(false), &json!(false)),
        "{stopped}"
    );
    let started = change(json!({"id": "marketing", "isActive": "true", "isDefault": true})).json();
    assert_eq!(
        (&started["data"]["isActive"], &started["data"]["isDefault"]),
        (&json!(true), &json!(true)),
        "{started}"
    );
    let other = ask(&it, "GET", "/customer_support", &Value::Null).json();
    assert_eq!(other["data"]["isDefault"], false, "there is one default");

    refused(&change(json!({"id": "marketing", "name": "CS"})), 409, "Nama session sudah digunakan");
    refused(&change(json!({"id": "marketing", "sessionId": "sales"})), 400, "Session ID tidak dapat diubah");
    refused(&change(json!({"id": "nobody", "name": "x"})), 404, "Session tidak ditemukan");
    refused(&change(json!({"name": "x"})), 400, "ID session diperlukan");
}

#[test]
fn the_default_session_stays_and_others_go() {
    let it = roomy();
    made(&it, "one", "One");
    made(&it, "two", "Two");
    let remove = |query: &str| ask(&it, "DELETE", query, &Value::Null);
    refused(&remove("?id=one"), 409, "Session default tidak dapat dihapus");
    refused(&remove(""), 400, "ID session diperlukan");
    refused(&remove("?id=three"), 404, "Session tidak ditemukan");
    refused(&ask_as(&it, OTHER_KEY, "DELETE", "?id=two", &Value::Null), 404, "Session tidak ditemukan");
    let gone = remove("?id=two");
    assert_eq!((gone.status, &gone.json()["data"]), (200, &json!({"id": "two"})), "{}", gone.text());
    let left = ask(&it, "GET", "", &Value::Null).json();
    assert_eq!(left["data"].as_array().map(Vec::len), Some(1), "{left}");
}

#[test]
fn messages_go_out_through_the_default_or_the_named_session() {
    let it = roomy();
    let send = |body: Value| ask(&it, "POST", "/send", &body);
    let hello = json!({"to": "+6281234567890", "message": "Hello from default session!"});
    refused(&send(hello.clone()), 404, "Tidak ada session default");
    made(&it, "one", "Customer Support");
    made(&it, "two", "Marketing");
    refused(&send(hello.clone()), 409, "Session tidak terhubung");
    it.put("one", SessionState::Connected, None);
    it.put("two", SessionState::Connected, None);
    let sent = send(hello.clone());
    assert_eq!(sent.status, 202, "{}", sent.text());
    let data = &sent.json()["data"];
    assert_eq!((&data["sessionName"], &data["status"]), (&json!("Customer Support"), &json!("accepted")), "{data}");
    assert!(data["messageId"].as_str().unwrap().starts_with("3EB0"), "{data}");
    let with = |field: &str, value: Value| {
        let mut body = hello.clone();
        body[field] = value;
        send(body)
    };
    assert_eq!(with("sessionName", json!("Marketing")).json()["data"]["sessionId"], "two");
    refused(&with("sessionName", json!("marketing")), 404, "Session tidak ditemukan");
    refused(&with("sessionName", json!({"x": 1})), 400, "Parameter tidak valid");
    refused(&with("to", json!("+62 12")), 400, "Nomor telepon tidak valid, gunakan format +6281234567890");
    refused(&with("to", Value::Null), 400, "Nomor telepon diperlukan");
    refused(&with("message", json!("  ")), 400, "Pesan diperlukan");
    assert_eq!((it.depth("one", Lane::Bulk), it.depth("two", Lane::Bulk)), (1, 1));
}

#[test]
fn a_code_is_shown_and_a_session_is_started() {
    let it = Fixture::new();
    made(&it, "one", "One");
    refused(&ask(&it, "GET", "/one/qr", &Value::Null), 503, "QR code belum tersedia, coba lagi sebentar");
    it.shows("one", "2@abc");
    let qr = ask(&it, "GET", "/one/qr", &Value::Null).json();
    assert!(is_picture(&qr["data"]["qr"]) && qr["data"]["isConnected"] == false, "{qr}");
    assert_eq!(ask(&it, "GET", "/one/status", &Value::Null).json()["data"]["status"], "qr");
    ask(&it, "PUT", "", &json!({"id": "one", "isActive": false}));
    let started = ask(&it, "POST", "/one/start", &Value::Null).json();
    assert_eq!((&started["success"], &started["data"]["isActive"]), (&json!(true), &json!(true)));
    it.put("one", SessionState::Connected, None);
    let linked = ask(&it, "GET", "/one/qr", &Value::Null).json();
    assert_eq!((&linked["data"]["isConnected"], &linked["data"]["qr"]), (&json!(true), &Value::Null));
    assert_eq!(ask(&it, "GET", "/one", &Value::Null).json()["data"]["isConnected"], true);
}

#[test]
fn what_is_wrong_is_told_and_makes_nothing() {
    let it = Fixture::new();
    let with = |field: &str, value: Value| {
        let mut body = example();
        body[field] = value;
        ask(&it, "POST", "", &body)
    };
    refused(&with("name", json!("")), 400, "Nama session diperlukan");
    refused(&with("name", json!("x".repeat(101))), 400, "Nama session tidak valid (maksimal 100 karakter)");
    refused(&with("sessionId", Value::Null), 400, "Session ID diperlukan");
    let id = "Session ID tidak valid: gunakan huruf, angka, '-' dan '_' (maksimal 64 karakter)";
    for bad in ["a b", "../x", "a\r\nX: y", "<b>"] {
        refused(&with("sessionId", json!(bad)), 400, id);
    }
    refused(&with("sessionId", json!("default")), 400, id);
    for bad in [json!("abc"), json!("+62\r\n"), json!("12"), json!("9".repeat(40)), json!(["6281234567890"])] {
        refused(&with("phoneNumber", bad), 400, "Nomor WhatsApp tidak valid");
    }
    for bad in [json!("x\u{0}"), json!("x".repeat(1001)), json!({})] {
        refused(&with("description", bad), 400, "Deskripsi tidak valid (maksimal 1000 karakter)");
    }
    refused(&with("isActive", json!("mungkin")), 400, "Parameter tidak valid");
    refused(&it.call("POST", HOME, &[("X-API-Key", KEY)], b"{"), 400, "Format permintaan tidak valid");
    let listed = ask(&it, "GET", "", &Value::Null).json();
    assert_eq!(listed["data"], json!([]));
}

#[test]
fn strangers_are_not_let_in_and_keys_do_what_they_may() {
    let it = Fixture::new();
    let none = |method: &str, path: &str| it.ask(method, &format!("{HOME}{path}"), &Value::Null);
    refused(&none("GET", ""), 401, "API key diperlukan");
    refused(&none("POST", "/send"), 401, "API key diperlukan");
    refused(&ask_as(&it, "wrong", "GET", "", &Value::Null), 401, "API key tidak valid");
    refused(&ask(&it, "GET", "/one/nothing", &Value::Null), 404, "Endpoint tidak ditemukan");
    refused(&ask(&it, "PATCH", "", &Value::Null), 405, "Metode tidak diizinkan");
    made(&it, "one", "One");
    let reader = it.post("/v1/keys", &json!({"label": "r", "scopes": ["read"]})).json();
    let reader = reader["key"].as_str().unwrap();
    assert_eq!(ask_as(&it, reader, "GET", "", &Value::Null).status, 200);
    let no = "API key ini tidak memiliki izin untuk permintaan ini";
    for (method, path, body) in [
        ("POST", "", example()),
        ("PUT", "", json!({"id": "one", "name": "x"})),
        ("DELETE", "?id=one", Value::Null),
        ("POST", "/one/start", Value::Null),
        ("GET", "/one/qr", Value::Null),
        ("POST", "/send", json!({"to": "+6281234567890", "message": "x"})),
    ] {
        refused(&ask_as(&it, reader, method, path, &body), 403, no);
    }
    refused(&ask_as(&it, OTHER_KEY, "GET", "/one", &Value::Null), 404, "Session tidak ditemukan");
    assert_eq!(ask_as(&it, OTHER_KEY, "GET", "", &Value::Null).json()["data"], json!([]));
}
