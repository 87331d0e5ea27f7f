//! The dialect socketio with the official client of Socket.IO, by each of its transports.

use serde_json::{Value, json};

use crate::program::Program;
use crate::world::{KEY, World};

/// A client that listens at this address; `None`, after a message, where there is no Node.
fn listen(url: &str, options: &Value) -> Option<Program> {
    Program::start("socketio/client.mjs", &[url, &options.to_string()], &[])
}

/// The data of the next event of this name, of this session where one is given.
async fn event(client: &mut Program, name: &str, session: Option<&str>) -> Value {
    loop {
        let mut line = client.line(name).await;
        let data = line["data"].take();
        if line["event"] == name && session.is_none_or(|session| data["sessionId"] == session) {
            return data;
        }
    }
}

/// Waits until the client is connected, and by WebSocket if it `upgrades`; which of both comes first is open.
async fn connected(client: &mut Program, upgrades: bool) {
    let (mut connected, mut upgraded) = (false, !upgrades);
    while !(connected && upgraded) {
        let line = client.line("the connection").await;
        connected |= line["event"] == "connect";
        if line["event"] == "upgrade" {
            assert_eq!(line["data"], "websocket");
            upgraded = true;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn socketio_tells_of_a_code_a_link_and_a_logout_by_every_transport() {
    let world = World::start().await;
    let (own, below) = (world.address("socketio").to_owned(), world.gateway.clone());
    let path = "/dialects/socketio/socket.io";
    let ways = [
        (&own, json!({"transports": ["websocket"]}), "websocket", "6281100000091"),
        (&own, json!({"transports": ["polling"]}), "polling", "6281100000092"),
        (&own, json!({}), "polling", "6281100000093"),
        (
            &below,
            json!({"path": path, "auth": {"key": KEY}, "transports": ["websocket"]}),
            "websocket",
            "6281100000094",
        ),
        (&below, json!({"path": path, "query": {"key": KEY}}), "polling", "6281100000095"),
    ];
    let mut codes = Vec::new();
    for (url, options, transport, number) in ways {
        let Some(mut client) = listen(url, &options) else { return };
        assert_eq!(event(&mut client, "open", None).await, transport, "{options}");
        connected(&mut client, options["transports"].is_null()).await;
        // Nobody listens for it.
        client.send(&json!(["start", {"sessionId": "none"}])).await;
        let (status, made) = world.dialect("socketio").post("/api/sessions", json!({"name": "Nama Session"})).await;
        assert_eq!(status, 201, "{made}");
        let id = made["sessionId"].as_str().unwrap().to_owned();
        let (status, started) = world.dialect("socketio").post(&format!("/api/sessions/{id}/start"), json!({})).await;
        assert_eq!((status, &started["success"]), (200, &json!(true)), "{started}");

        let shown = event(&mut client, "qr", Some(&id)).await;
        let code = shown["qr"].as_str().unwrap().to_owned();
        let (status, scanned) = world.phones.post("/scan", json!({"qr": code, "phone": number})).await;
        assert_eq!(status, 200, "{scanned}");
        let ready = event(&mut client, "ready", Some(&id)).await;
        assert_eq!((&ready["phoneNumber"], &ready["name"]), (&json!(number), &json!("Nama Session")));

        let text = json!({"to": "081288880009", "message": "Halo dari socketio"});
        let (status, sent) = world.dialect("socketio").post(&format!("/api/sessions/{id}/send"), text).await;
        assert_eq!((status, &sent["status"]), (200, &json!("sent")), "{sent}");

        let device = format!("/accounts/{number}/devices/{}/logout", scanned["device"]);
        assert!(world.phones.post(&device, json!({})).await.0 < 300);
        assert_eq!(event(&mut client, "disconnected", Some(&id)).await["reason"], "LOGOUT");
        let (status, one) = world.dialect("socketio").get(&format!("/api/sessions/{id}")).await;
        assert_eq!((status, &one["session"]["status"]), (200, &json!("logged_out")), "{one}");
        codes.push(code);
    }
    assert_eq!(world.texts("6281288880009", 5).await, ["Halo dari socketio"; 5]);
    let said = world.stop().await;
    for code in codes {
        assert!(!said.contains(&code), "a code is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn socketio_turns_away_who_has_no_key_where_one_is_needed() {
    let world = World::start().await;
    let path = "/dialects/socketio/socket.io";
    for (auth, reason) in [
        (json!({}), "API key diperlukan"),
        (json!({"key": "nobody's-key-0123456789"}), "API key tidak valid"),
        (json!({"token": ["odd"]}), "API key diperlukan"),
    ] {
        for transport in ["websocket", "polling"] {
            let options = json!({"path": path, "auth": auth, "transports": [transport]});
            let Some(mut client) = listen(&world.gateway, &options) else { return };
            assert_eq!(event(&mut client, "connect_error", None).await, reason, "{options}");
        }
    }
    world.stop().await;
}
