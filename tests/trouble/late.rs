//! A gateway that starts while the servers that it can do without are away.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::fleet::PATIENCE;
use crate::servers::{self, Alone};
use crate::world::World;

/// As short as their relations allow, so that a server is missed and found again soon.
const SETTINGS: [(&str, &str); 4] = [
    ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "1s"),
    ("KURIR_RABBITMQ__RECONNECT_MAX", "500ms"),
    ("KURIR_REDIS__TIMEOUT", "500ms"),
    ("KURIR_REDIS__CONNECT_TIMEOUT", "500ms"),
];

/// Waits until the gateway says that this is down, and nothing else; gives its answer.
async fn down(world: &World, names: &[&str]) -> (u16, Value) {
    let seconds = PATIENCE.as_secs();
    let as_said = |status, body: &Value| (body["down"] == json!(names)).then(|| (status, body.clone()));
    world.gateway.until("readiness", seconds, "/readyz", as_said).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_starts_without_redis_and_rabbitmq_and_finds_them_later() {
    let _alone = Alone::wait().await;
    servers::stop("redis").await;
    servers::stop("rabbitmq").await;
    // It comes up, which this waits for.
    let world = World::start_with(&SETTINGS).await;
    let (status, told) = down(&world, &["rabbitmq", "redis"]).await;
    assert_eq!(
        (status, &told["status"], &told["checks"]["postgres"]["status"]),
        (503, &json!("not_ready"), &json!("ok"))
    );
    assert_eq!(world.gateway.get("/healthz").await.0, 200);
    let (status, listed) = world.gateway.get("/v1/sessions").await;
    assert_eq!((status, &listed["sessions"]), (200, &json!([])));
    let session = world.session(0);
    // The session is stored, its queues are not there; the same request again makes them.
    let create = || world.gateway.post("/v1/sessions", json!({"id": session}));
    let (status, answer) = create().await;
    assert_eq!((status, &answer["code"]), (503, &json!("not_declared")), "{answer}");
    let text = json!({"session": session, "to": "+6281600001234", "content": {"type": "text", "text": "x"}});
    let (status, answer) = world.gateway.post("/v1/messages", text.clone()).await;
    assert_eq!((status, &answer["code"]), (503, &json!("not_queued")), "{answer}");
    assert!(answer["retryAfterSeconds"].is_u64(), "{answer}");

    servers::start("rabbitmq").await;
    let (status, told) = down(&world, &["redis"]).await;
    assert_eq!((status, &told["status"]), (200, &json!("ready")), "it is ready without Redis");
    assert_eq!(create().await.1["code"], "session_exists");
    let (status, answer) = world.gateway.post("/v1/messages", text).await;
    assert_eq!(status, 202, "{answer}");
    // Only this needs Redis.
    let path = format!("/v1/sessions/{session}/move");
    let relocate = || world.gateway.post(&path, json!({"worker": "w1"}));
    let (status, answer) = relocate().await;
    assert_eq!((status, &answer["code"]), (503, &json!("unavailable")), "{answer}");

    servers::start("redis").await;
    let (status, _) = down(&world, &[]).await;
    assert_eq!(status, 200);
    let begun = Instant::now();
    while relocate().await.0 != 202 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no session is moved");
    }
}
