//! A gateway that dies in the middle of a large batch: its caller, who got no answer, sends the same request again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::death::{died, stop};
use crate::http::until;
use crate::in_both_modes;
use crate::world::{Mode, World};

/// Rows of the batch: several chunks of 500.
const ROWS: usize = 2_500;

/// They go to so many phones, so that not every message is the first to its recipient.
const PHONES: usize = 100;

in_both_modes!(between_two_chunks, within_a_chunk);

/// As fast as the machine allows: what counts is what arrives, not when.
const SETTINGS: [(&str, &str); 9] = [
    // A chunk of 500 takes its time on a busy machine, and one that is not confirmed in time is refused; the others keep their relations.
    ("KURIR_RABBITMQ__PUBLISH_TIMEOUT", "10s"),
    ("KURIR_WORKER__STOP_DEADLINE", "19s"),
    ("KURIR_WORKER__LEASE_TTL", "20s"),
    ("KURIR_RELAY__AGE", "11s"),
    ("KURIR_LIMITS__SENDER__EVERY", "0s"),
    ("KURIR_LIMITS__SENDER__PER_DAY", "0"),
    ("KURIR_LIMITS__SENDER__WARM_UP", ""),
    ("KURIR_LIMITS__SENDER__COLD_PER_DAY", "0"),
    ("KURIR_LIMITS__NUMBERS__EVERY", "0s"),
];

fn number(at: usize) -> String {
    format!("62816{:08}", 1_000 + at % PHONES)
}

fn text(at: usize) -> String {
    format!("Pesan {at}")
}

fn batch(session: &str) -> Value {
    let messages = (0..ROWS).map(|at| json!({"to": number(at), "content": {"type": "text", "text": text(at)}}));
    json!({"session": session, "lane": "bulk", "messages": messages.collect::<Vec<_>>()})
}

/// The gateway dies at the point; then the same request under the same key completes what it left.
async fn sent_again(mode: Mode, point: &str, taken_before: usize) {
    let mut world = World::start(mode, &SETTINGS).await;
    let front = world.front(Some(point)).await;
    let worker = if mode == Mode::Fleet { Some(world.sender(None).await) } else { None };
    world.link().await;
    let body = batch(&world.session);
    let first = world.gateway().post_named("/v1/messages/batch", body.clone(), "friday").await;
    assert_eq!(first, None, "the gateway answered before it died");
    died(front, point).await;
    let front = world.front(None).await;
    let answer = until("answer to the repetition", async || {
        let answer = world.gateway().post_named("/v1/messages/batch", body.clone(), "friday").await;
        match answer {
            Some((202, answer)) => Ok(answer),
            // The dead one may still be at it, for all that anybody knows; on a slow machine the new one is.
            Some((409 | 503, answer)) => Err(answer.to_string()),
            other => panic!("{other:?}"),
        }
    })
    .await;
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(ROWS), &json!(0)));
    let rows = answer["messages"].as_array().unwrap();
    let known = rows.iter().filter(|row| row["known"] == true).count();
    assert_eq!(known, taken_before, "what the dead one had stored is recognised");
    let ids: BTreeSet<&str> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), ROWS, "each row is a message of its own");
    // Under the same key nothing is done any more: it is answered as before.
    let again = world.gateway().post_named("/v1/messages/batch", body, "friday").await;
    assert_eq!(again.as_ref(), Some(&(202, answer.clone())));

    // What was answered with 2xx is not lost: all of it is sent.
    let path = format!("/v1/batches/{}", answer["id"].as_str().unwrap());
    world
        .gateway()
        .until("whole batch", &path, |(_, body)| (body["counts"] == json!({"sent": ROWS})).then_some(()))
        .await;
    world.settles().await;
    for phone in 0..PHONES {
        let (status, inbox) = world.sim.get(&format!("/phones/{}/inbox", number(phone))).await;
        assert_eq!(status, 200, "{inbox}");
        let mut shown = inbox.as_array().unwrap().iter().filter(|message| message["shown"] == 1);
        let texts: BTreeSet<&str> = shown.by_ref().map(|message| message["text"].as_str().unwrap()).collect();
        let wanted: BTreeSet<String> = (phone..ROWS).step_by(PHONES).map(text).collect();
        assert_eq!(texts.len(), inbox.as_array().unwrap().len(), "phone {phone} shows something twice: {inbox}");
        assert!(texts.iter().copied().eq(wanted.iter().map(String::as_str)), "phone {phone}: {texts:?}");
    }
    for process in worker.into_iter().chain([front]) {
        stop(process).await;
    }
}

/// Row "between two chunks of a batch": the third one is in the queue, the fourth was not begun.
async fn between_two_chunks(mode: Mode) {
    sent_again(mode, "job-published:3", 1_500).await;
}

/// Row "the gateway's ledger entry and its publish", for the third chunk of a batch: it is in the ledger alone.
async fn within_a_chunk(mode: Mode) {
    sent_again(mode, "entry-written:3", 1_500).await;
}
