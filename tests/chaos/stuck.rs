//! Where the jobs are that have not come to an end: what somebody would look at first.

use serde_json::Value;
use tokio::process::Command;

use crate::fleet::Fleet;
use crate::world::variable;

/// Queues with messages, and who reads them; sessions that can't send.
pub async fn look(fleet: &Fleet) -> Vec<String> {
    let mut told = Vec::new();
    let (_, answer) = fleet.world.gateway.get("/v1/sessions?limit=100").await;
    for session in answer["sessions"].as_array().into_iter().flatten().filter(|session| session["state"] != "connected")
    {
        let of = |field: &str| session[field].to_string();
        let [id, state, since, worker, reason, epoch] = ["id", "state", "since", "worker", "reason", "epoch"].map(of);
        told.push(format!("{id} is {state} since {since}, with {worker}, {reason}, epoch {epoch}"));
    }
    let queues = "list_queues name messages_ready messages_unacknowledged consumers leader online --formatter json";
    let queues = ask(queues).await;
    let has = |queue: &&Value| ["messages_ready", "messages_unacknowledged"].iter().any(|count| queue[count] != 0);
    let full: Vec<&Value> = queues.iter().filter(has).collect();
    told.extend(full.iter().map(ToString::to_string));
    let consumers = "list_consumers queue_name channel_pid active activity_status prefetch_count --formatter json";
    let of_full = |consumer: &Value| full.iter().any(|queue| queue["name"] == consumer["queue_name"]);
    told.extend(ask(consumers).await.iter().filter(|consumer| of_full(consumer)).map(ToString::to_string));
    told
}

async fn ask(question: &str) -> Vec<Value> {
    let answer = Command::new(variable("KURIR_TEST_RABBITMQCTL")).arg("-q").args(question.split(' ')).output().await;
    let answer = answer.map(|answer| serde_json::from_slice(&answer.stdout));
    match answer {
        Ok(Ok(Value::Array(rows))) => rows,
        other => vec![Value::String(format!("no answer: {other:?}"))],
    }
}
