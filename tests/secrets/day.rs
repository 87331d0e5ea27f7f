//! A day on which much goes wrong, at one process: refused, swallowed, repeated and parked messages, bad requests, a lost
//! connection, an incoming message, a log-out on the phone. Failures are where secrets slip into logs.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::Client;
use super::running::Running;
use super::search::Secrets;
use super::{API_KEY, FINEST, assert_silent, encryption_key};

const SESSION: &str = "bad-day-1";
const SENDER: &str = "6281100000077";
const STRANGER: &str = "6281399990004";
const WRONG_KEY: &str = "a-wrong-key-that-somebody-tried";
const INCOMING: &str = "Saya tidak minta kode ini";

/// Who gets a message on that day, what it says, its one-time password if it has one, and the states one of which it comes
/// to; none where nobody waits for it.
fn messages() -> Vec<(&'static str, Value, Option<&'static str>, &'static [&'static str])> {
    let otp = |code: &str| json!({"type": "otp", "code": code, "text": "Kode rahasia {code} untuk Anda"});
    vec![
        ("+62 812-7777-0001", otp("918271"), Some("918271"), &["read"]),
        // One OTP a minute: the second one waits.
        ("0812 7777 0001", otp("918272"), Some("918272"), &[]),
        ("+62 812-7777-0002", json!({"type": "text", "text": "Diskon rahasia untuk Anda"}), None, &["read"]),
        (
            "+62 812-7777-0003",
            json!({"type": "template", "text": "Halo {siapa}", "values": {"siapa": "Bu Sri Rahayu"}}),
            None,
            &["read"],
        ),
        // The simulator's endings: no WhatsApp, refused, no answer, asked for again.
        ("+62 812-7777-0000", otp("918273"), Some("918273"), &["failed"]),
        ("+62 812-7777-9479", otp("918274"), Some("918274"), &["failed"]),
        ("+62 812-7777-9999", otp("918275"), Some("918275"), &["uncertain", "failed", "expired"]),
        ("+62 812-7777-9333", otp("918276"), Some("918276"), &["read"]),
    ]
}

pub async fn a_bad_day(format: &str) {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().expect("temporary folders have plain names");
    let mut arguments = vec!["up".to_owned(), "--config".into(), "config/embedded.toml".into()];
    for setting in [
        format!("sqlite.path={folder}/kurir.db"),
        format!("store.encryption_keys_file={folder}/encryption.keys"),
        format!("log.format={format}"),
        format!("log.filter={FINEST}"),
        "gateway.listen=127.0.0.1:0".into(),
        "simulator.listen=127.0.0.1:0".into(),
        "simulator.control=127.0.0.1:0".into(),
        "simulator.magic_endings=true".into(),
        "fleet.default_country=62".into(),
        "limits.sender.every=10ms".into(),
        "worker.scan_every=300ms".into(),
        "worker.ack_patience=500ms".into(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    let mut up = Running::start("up", &arguments, [("KURIR_GATEWAY__API_KEY", API_KEY)]);
    let after = |name: &'static str| move |line: &str| line.strip_prefix(name).map(|url| url.trim().to_owned());
    let gateway = up.line("gateway's address", after("gateway ")).await;
    let phones = up.line("phones' address", after("phones ")).await;

    let mut secrets = Secrets::default();
    secrets.word("API key", API_KEY);
    secrets.word("wrong API key", WRONG_KEY);
    secrets.word("encryption key", &encryption_key(data.path()));
    secrets.word("QR payload", "2@");
    secrets.word("incoming message", INCOMING);
    secrets.number(SENDER);
    secrets.number(STRANGER);
    live(&Client::new(&gateway, Some(API_KEY)), &Client::new(phones.trim_end_matches('/'), None), &mut secrets).await;
    let (status, _) = Client::new(&gateway, Some(WRONG_KEY)).get("/v1/sessions").await;
    assert_eq!(status, 401);

    up.signal("TERM").await;
    let (status, output) = up.ended(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{output}");
    assert_silent(&output, &secrets, SESSION, 40);
}

async fn live(gateway: &Client, phones: &Client, secrets: &mut Secrets) {
    let session = format!("/v1/sessions/{SESSION}");
    let state = |wanted: &'static str| move |_, body: &Value| (body["state"] == wanted).then_some(());
    assert_eq!(gateway.post("/v1/sessions", json!({"id": SESSION})).await.0, 201);
    let qr = gateway
        .until("QR code", 30, &format!("{session}/qr?format=json"), |status, body| {
            (status == 200).then(|| body["text"].as_str().unwrap().to_owned())
        })
        .await;
    // A reference and three keys; what else there is names the kind of client, in a character.
    let parts: Vec<&str> = qr.split(',').filter(|part| part.len() > 20).collect();
    assert_eq!(parts.len(), 4);
    for part in parts {
        secrets.word("QR payload", part.trim_end_matches('='));
    }
    for drawing in ["png", "svg", "text"] {
        assert_eq!(gateway.get(&format!("{session}/qr?format={drawing}")).await.0, 200, "{drawing}");
    }
    let (status, _) = phones.post("/scan", json!({"qr": qr.replace("2@", "2@x"), "phone": SENDER})).await;
    assert!(status >= 400);
    let (status, device) = phones.post("/scan", json!({"qr": qr, "phone": SENDER})).await;
    assert_eq!(status, 200, "{device}");
    gateway.until("connection", 30, &session, state("connected")).await;

    send_all(gateway, secrets).await;
    ask_badly(gateway, secrets).await;
    verify(gateway, phones, secrets).await;

    let (status, _) = phones.post(&format!("/phones/{STRANGER}/send"), json!({"to": SENDER, "text": INCOMING})).await;
    assert_eq!(status, 200);
    let written = format!("/phones/{STRANGER}");
    phones
        .until("delivery of the incoming message", 30, &written, |_, body| {
            (body["outgoing"][0]["delivered"] == true).then_some(())
        })
        .await;
    let (status, _) = phones.post("/connections/drop", json!({"account": SENDER, "device": device["device"]})).await;
    assert_eq!(status, 204);
    let log_out = format!("/accounts/{SENDER}/devices/{}/logout", device["device"]);
    assert_eq!(phones.post(&log_out, json!({})).await.0, 204);
    gateway.until("log-out", 60, &session, state("logged_out")).await;
}

/// Sends the day's messages and waits for their ends.
async fn send_all(gateway: &Client, secrets: &mut Secrets) {
    let mut ends = Vec::new();
    for (to, content, code, states) in messages() {
        let (lane, ttl) = if code.is_some() { ("otp", Some(8)) } else { ("bulk", None) };
        let mut body = json!({"session": SESSION, "to": to, "lane": lane, "content": content});
        body["metadata"] = json!({"order": "nomor pesanan rahasia"});
        if let Some(ttl) = ttl {
            body["ttl"] = ttl.into();
        }
        let (status, answer) = gateway.post("/v1/messages", body).await;
        assert_eq!(status, 202, "{to}: {answer}");
        ends.push((format!("/v1/messages/{}", answer["id"].as_str().unwrap()), states));
        let digits: String = to.chars().filter(char::is_ascii_digit).collect();
        secrets.word("number as written", to);
        secrets.number(digits.strip_prefix('0').map_or(digits.clone(), |rest| format!("62{rest}")).as_str());
        if let Some(code) = code {
            secrets.code(code);
        }
    }
    for word in ["Kode rahasia", "Diskon rahasia", "Bu Sri Rahayu", "Halo ", "nomor pesanan rahasia"] {
        secrets.word("text", word);
    }
    for (path, states) in ends.iter().filter(|(_, states)| !states.is_empty()) {
        let ended = |_, body: &Value| states.iter().any(|state| body["state"] == *state).then_some(());
        gateway.until(&format!("{states:?}"), 60, path, ended).await;
    }
}

/// Codes that kurir makes itself: one that arrives, and one that takes every channel in vain.
async fn verify(gateway: &Client, phones: &Client, secrets: &mut Secrets) {
    const ARRIVES: &str = "6281277770011";
    const HOOK: &str = "https://sms-rahasia.invalid/kunci-hook";
    for (what, word) in [("address of a webhook", "sms-rahasia"), ("key of a webhook", "kunci-hook")] {
        secrets.word(what, word);
    }
    secrets.word("text", "Kode saja");
    secrets.number(ARRIVES);
    let made = |to: &str, fallback: Value| {
        let wish = json!({
            "to": to, "session": SESSION, "text": "Kode saja {code}", "fallback": fallback, "ip": "203.0.113.77",
            "metadata": {"order": "nomor pesanan rahasia"},
        });
        let gateway = gateway.clone();
        async move {
            let (status, made) = gateway.post("/v1/verifications", wish).await;
            assert_eq!(status, 201, "{made}");
            format!("/v1/verifications/{}", made["id"].as_str().unwrap())
        }
    };
    // No WhatsApp there, so the webhook is asked, which does not exist.
    let lost = made("6281277780000", json!([{"webhook": HOOK}])).await;
    secrets.number("6281277780000");
    let arrived = made(ARRIVES, json!([])).await;
    let text = phones
        .until("code on the phone", 30, &format!("/phones/{ARRIVES}/inbox"), |_, body| {
            body[0]["text"].as_str().map(str::to_owned)
        })
        .await;
    let code = text.strip_prefix("Kode saja ").expect("the text that was given");
    secrets.code(code);
    let wrong: String = code.chars().rev().collect();
    for given in [format!("x{wrong}"), code.to_owned(), code.to_owned()] {
        assert_eq!(gateway.post(&format!("{arrived}/check"), json!({ "code": given })).await.0, 200);
    }
    let (status, _) = gateway.post(&format!("{arrived}/check"), json!({"kode-rahasia": code})).await;
    assert_eq!(status, 422);
    secrets.word("bad input", "kode-rahasia");
    gateway.until("fall-back", 30, &lost, |_, body| (body["channel"] == "webhook").then_some(())).await;
    let (status, _) = gateway.get(&format!("/v1/verifications?to={ARRIVES}")).await;
    assert_eq!(status, 200);
}

/// Requests that are refused, each with something secret in it.
async fn ask_badly(gateway: &Client, secrets: &mut Secrets) {
    let content = json!({"type": "otp", "code": "918281"});
    secrets.code("918281");
    for (what, body) in [
        (
            "a number that is none",
            json!({"session": SESSION, "to": "0812-nomor-rahasia", "content": content, "ttl": 60}),
        ),
        (
            "a number as a number",
            json!({"session": SESSION, "to": 6_281_277_770_009_u64, "content": content, "ttl": 60}),
        ),
        (
            "a code as a number",
            json!({"session": SESSION, "to": "6281277770009", "content": {"type": "otp", "code": 918_282}}),
        ),
        ("an unknown kind", json!({"session": SESSION, "to": "6281277770009", "content": {"type": "isi-rahasia"}})),
        (
            "an unknown field",
            json!({"session": SESSION, "to": "6281277770009", "content": content, "bidang-rahasia": 1}),
        ),
        ("an unknown session", json!({"session": "nobody", "to": "6281277770009", "content": content, "ttl": 60})),
        ("a text instead of an object", json!("badan-rahasia")),
    ] {
        let (status, answer) = gateway.post("/v1/messages", body).await;
        assert!((400..500).contains(&status), "{what}: {status} {answer}");
    }
    secrets.code("918282");
    secrets.number("6281277770009");
    for word in ["nomor-rahasia", "isi-rahasia", "bidang-rahasia", "badan-rahasia", "kunci-rahasia"] {
        secrets.word("bad input", word);
    }
    let (status, _) = gateway.get("/v1/sessions?token=kunci-rahasia").await;
    assert!(status < 500);
}
