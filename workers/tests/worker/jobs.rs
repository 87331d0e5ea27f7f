//! The path of one job.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kurir_core::domain::{FailReason, Lane, MessageState, PhoneNumber, SendAnswer};
use kurir_core::memory::{Reply, SystemClock};
use kurir_core::port::{
    Clock as _, JobHeaders, JobQueue as _, MessengerEvent, Receipt, ReceiptKind, RecipientRule, Stored,
};
use kurir_core::wire::{ContentV1, JOB_KIND, JobV1};

use crate::world::{World, in_time, job_events, message_id, next_event, options, otp, session, until};

async fn until_drained(world: &World, lane: Lane) {
    until("empty queue", async || (world.queue.depth(&session(), lane).await.unwrap() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_job_is_sent_once_under_its_own_id_and_told() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    let job = otp(1);
    world.publish(&job).await;
    world.publish(&job).await;
    let told = job_events(&mut *events, &job, 1).await;
    assert_eq!(told[0].0, "message.sent");
    assert_eq!(told[0].1["metadata"]["n"], "1");
    until_drained(&world, Lane::Otp).await;
    worker.stop().await;
    let sent = world.messenger.sent();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].id, message_id(&job));
    assert_eq!(sent[0].text(), "Kode 000001");
    let entry = world.entry(&job).await.unwrap();
    assert_eq!((entry.state, entry.attempts), (MessageState::Sent, 1));
}

#[tokio::test]
async fn receipts_in_any_order_tell_every_step_once() {
    let (world, worker) = World::serving(options("w")).await;
    let (answer, held) = tokio::sync::oneshot::channel();
    let held = Mutex::new(Some(held));
    world.messenger.script(move |_| Reply::Held(held.lock().unwrap().take().expect("sent twice")));
    let mut events = world.events().await;
    let job = otp(2);
    world.publish(&job).await;
    in_time("send", world.messenger.sent_at_least(1)).await;
    // Read before delivered, both before the server's ack.
    for kind in [ReceiptKind::Read, ReceiptKind::Delivered] {
        let receipt = Receipt { ids: vec![message_id(&job)], kind, at: SystemClock.now() };
        world.emit(MessengerEvent::Receipt { receipt, stored: Stored::unawaited() }).await;
    }
    let told: Vec<String> = job_events(&mut *events, &job, 3).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, ["message.sent", "message.delivered", "message.read"]);
    answer.send(SendAnswer::Accepted).unwrap();
    until_drained(&world, Lane::Otp).await;
    worker.stop().await;
    assert_eq!(world.entry(&job).await.unwrap().state, MessageState::Read);
}

#[tokio::test]
async fn a_number_without_whatsapp_fails_before_anything_is_sent() {
    let (world, worker) = World::serving(options("w")).await;
    let job = otp(3);
    world.messenger.unregistered([PhoneNumber::parse(&job.to, None).unwrap()]);
    let mut events = world.events().await;
    world.publish(&job).await;
    let told = job_events(&mut *events, &job, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.failed", Some("not_on_whatsapp")));
    // The number's minute was given back with it: the next job of the same number fails too, and does not wait.
    let next = JobV1 { id: uuid::Uuid::new_v4(), ..job };
    world.publish(&next).await;
    let told = job_events(&mut *events, &next, 1).await;
    assert_eq!(told[0].0, "message.failed");
    worker.stop().await;
    assert!(world.messenger.sent().is_empty());
}

#[tokio::test]
async fn an_expired_job_is_never_sent() {
    let (world, worker) = World::serving(options("w")).await;
    let mut job = otp(4);
    job.expires_at = Some(SystemClock.now().minus(Duration::from_millis(1)).to_rfc3339());
    let mut events = world.events().await;
    world.publish(&job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.expired");
    worker.stop().await;
    assert!(world.messenger.sent().is_empty());
}

#[tokio::test]
async fn a_second_otp_waits_for_its_minute_and_then_goes() {
    let mut settings = options("w");
    settings.recipient = RecipientRule { every: Duration::from_secs(5), per_day: 0 };
    let (world, worker) = World::serving(settings).await;
    let mut events = world.events().await;
    let first = otp(5);
    let second = JobV1 { id: uuid::Uuid::new_v4(), ..first.clone() };
    world.publish(&first).await;
    job_events(&mut *events, &first, 1).await;
    world.publish(&second).await;
    let told = job_events(&mut *events, &second, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.delayed", Some("recipient_limited")));
    let told = job_events(&mut *events, &second, 1).await;
    assert_eq!(told[0].0, "message.sent", "{told:?}");
    let (first, second) = (world.entry(&first).await.unwrap(), world.entry(&second).await.unwrap());
    assert!(second.sending_at.unwrap().since(first.sending_at.unwrap()) >= Duration::from_millis(1400));
    worker.stop().await;
}

#[tokio::test]
async fn an_otp_that_can_not_go_before_its_deadline_expires_at_once() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    let first = otp(6);
    world.publish(&first).await;
    job_events(&mut *events, &first, 1).await;
    // The recipient's minute is longer than its life.
    let mut second = JobV1 { id: uuid::Uuid::new_v4(), ..first };
    second.expires_at = Some(SystemClock.now().plus(Duration::from_secs(30)).to_rfc3339());
    world.publish(&second).await;
    let told = job_events(&mut *events, &second, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.expired", Some("recipient_limited")));
    worker.stop().await;
}

#[tokio::test]
async fn without_an_answer_it_is_sent_again_under_the_same_id() {
    let (world, worker) = World::serving(options("w")).await;
    let mut answers = vec![SendAnswer::Accepted, SendAnswer::Unknown];
    world.messenger.script(move |_| Reply::Answer(answers.pop().expect("sent too often")));
    let job = otp(7);
    world.publish(&job).await;
    let entry = world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert_eq!(entry.attempts, 2);
    let sent = world.messenger.sent();
    assert_eq!((sent.len(), &sent[0].id), (2, &sent[1].id));
    worker.stop().await;
}

#[tokio::test]
async fn without_any_answer_it_ends_as_uncertain_and_a_late_receipt_settles_it() {
    let (world, worker) = World::serving(options("w")).await;
    world.messenger.script(|_| Reply::Answer(SendAnswer::Unknown));
    let mut events = world.events().await;
    let job = otp(8);
    world.publish(&job).await;
    let told = job_events(&mut *events, &job, 1).await;
    assert_eq!(told[0].0, "message.uncertain");
    let receipt = Receipt { ids: vec![message_id(&job)], kind: ReceiptKind::Delivered, at: SystemClock.now() };
    world.emit(MessengerEvent::Receipt { receipt, stored: Stored::unawaited() }).await;
    let told: Vec<String> = job_events(&mut *events, &job, 2).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, ["message.sent", "message.delivered"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_refused_message_fails_with_whatsapps_code() {
    let (world, worker) = World::serving(options("w")).await;
    world.messenger.script(|_| Reply::Answer(SendAnswer::Refused(479)));
    let mut events = world.events().await;
    let job = otp(9);
    world.publish(&job).await;
    let told = job_events(&mut *events, &job, 1).await;
    assert_eq!(told[0].0, "message.failed");
    assert_eq!((told[0].1["reason"].as_str(), told[0].1["code"].as_u64()), (Some("refused_by_whatsapp"), Some(479)));
    worker.stop().await;
}

#[tokio::test]
async fn what_can_not_be_read_is_dead_lettered_and_told_where_the_id_is_known() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    let good = serde_json::to_value(otp(10)).unwrap();
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut body = good.clone();
        change(&mut body);
        body.to_string().into_bytes()
    };
    let other = "application/x-other".to_owned();
    let cases: Vec<(Lane, &str, Vec<u8>, FailReason)> = vec![
        (Lane::Otp, JOB_KIND, with(&|b| b["to"] = "12ab".into()), FailReason::BadNumber),
        (Lane::Otp, &other, with(&|_| ()), FailReason::UnknownVersion),
        (Lane::Otp, JOB_KIND, with(&|b| b["expires_at"] = serde_json::Value::Null), FailReason::MissingDeadline),
        (Lane::Otp, JOB_KIND, with(&|b| b["tenant"] = "other".into()), FailReason::WrongTenant),
        (Lane::Bulk, JOB_KIND, with(&|_| ()), FailReason::WrongTarget),
        (Lane::Otp, JOB_KIND, with(&|b| b["lane"] = 7.into()), FailReason::BadField),
    ];
    let count = cases.len();
    for (lane, kind, body, reason) in cases {
        let headers = JobHeaders { kind: kind.into(), ..JobHeaders::default() };
        world.publish_raw(lane, body, headers).await;
        let job: JobV1 = serde_json::from_value(good.clone()).unwrap();
        let told = job_events(&mut *events, &job, 1).await;
        assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.failed", Some(reason.as_str())));
    }
    let headers = JobHeaders { kind: JOB_KIND.into(), ..JobHeaders::default() };
    world.publish_raw(Lane::Otp, b"\xff not JSON".to_vec(), headers).await;
    let dead = until("dead letters", async || Some(world.queue.dead_letters()).filter(|d| d.len() == count + 1)).await;
    assert_eq!(dead[count].1.reason, FailReason::BadJson);
    assert_eq!(dead[count].0, b"\xff not JSON");
    worker.stop().await;
    assert!(world.messenger.sent().is_empty());
}

#[tokio::test]
async fn a_blast_waits_and_an_otp_passes_it() {
    let mut settings = options("w");
    settings.pace.every = Duration::from_millis(60);
    settings.pace.burst = std::num::NonZeroU32::MIN;
    settings.max_wait = Duration::from_secs(10);
    let (world, worker) = World::serving(settings).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    world.messenger.script(move |sent| {
        seen.lock().unwrap().push(sent.text().to_owned());
        Reply::Answer(SendAnswer::Accepted)
    });
    for at in 0..20 {
        let content = ContentV1::text(format!("bulk {at}"));
        world.publish(&JobV1 { lane: Lane::Bulk, content, expires_at: None, ..otp(100 + at) }).await;
    }
    in_time("first bulk messages", world.messenger.sent_at_least(2)).await;
    world.publish(&otp(99)).await;
    in_time("all messages", world.messenger.sent_at_least(21)).await;
    let order = order.lock().unwrap().clone();
    let place = order.iter().position(|text| text == "Kode 000099").unwrap();
    assert!(place <= 5, "the OTP left as number {place}: {order:?}");
    worker.stop().await;
}

#[tokio::test]
async fn two_copies_in_work_at_once_go_on_the_wire_once() {
    let (world, worker) = World::serving(options("w")).await;
    let (answer, held) = tokio::sync::oneshot::channel();
    let held = Mutex::new(Some(held));
    world.messenger.script(move |_| Reply::Held(held.lock().unwrap().take().expect("the second copy was sent too")));
    let job = otp(11);
    world.publish(&job).await;
    in_time("send", world.messenger.sent_at_least(1)).await;
    world.publish(&job).await;
    // The second copy is taken from the queue, and put back, while the first waits for its answer.
    until("both copies taken", async || (world.queue.depth(&session(), Lane::Otp).await.unwrap() == 0).then_some(()))
        .await;
    answer.send(SendAnswer::Accepted).unwrap();
    world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    until_drained(&world, Lane::Otp).await;
    worker.stop().await;
    assert_eq!(world.messenger.sent().len(), 1);
}

#[tokio::test]
async fn a_refusal_after_an_attempt_in_doubt_is_uncertain_not_failed() {
    let (world, worker) = World::serving(options("w")).await;
    let mut answers = vec![SendAnswer::Refused(479), SendAnswer::Unknown];
    world.messenger.script(move |_| Reply::Answer(answers.pop().expect("sent too often")));
    let mut events = world.events().await;
    let job = otp(12);
    world.publish(&job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.uncertain");
    worker.stop().await;
}

#[tokio::test]
async fn a_restricted_sender_rests_and_says_so_even_where_the_job_ends() {
    let (world, worker) = World::serving(options("w")).await;
    world.messenger.script(|_| Reply::Answer(SendAnswer::Refused(463)));
    let mut events = world.events().await;
    let mut limited = world.events().await;
    let job = otp(13);
    world.publish(&job).await;
    // Five minutes to live, a quarter of an hour to rest.
    let told = job_events(&mut *events, &job, 1).await;
    assert_eq!((told[0].0.as_str(), told[0].1["reason"].as_str()), ("message.expired", Some("sender_restricted")));
    next_event(&mut *limited, "session.limited").await;
    let next = otp(14);
    world.publish(&next).await;
    assert_eq!(job_events(&mut *events, &next, 1).await[0].0, "message.expired");
    assert_eq!(world.messenger.sent().len(), 1, "the next one was put on the wire all the same");
    worker.stop().await;
}

#[tokio::test]
async fn a_message_has_to_be_on_the_wire_a_while_before_its_deadline() {
    let margin = Duration::from_secs(20);
    let (world, worker) =
        World::serving(kurir_workers::WorkerOptions { deadline_margin: margin, ..options("w") }).await;
    let mut events = world.events().await;
    let due = |at, left| {
        let deadline = SystemClock.now().plus(left);
        (JobV1 { expires_at: Some(deadline.to_rfc3339()), ..otp(at) }, deadline)
    };
    let (late, _) = due(16, Duration::from_millis(19_999));
    world.publish(&late).await;
    assert_eq!(job_events(&mut *events, &late, 1).await[0].0, "message.expired");
    let (in_time, deadline) = due(17, Duration::from_mins(1));
    world.publish(&in_time).await;
    assert_eq!(job_events(&mut *events, &in_time, 1).await[0].0, "message.sent");
    let sent = world.messenger.sent();
    assert_eq!(sent.len(), 1, "the first one was not begun");
    assert_eq!(sent[0].not_after, Some(deadline.minus(margin)), "the client has the last word");
    worker.stop().await;
}

#[tokio::test]
async fn what_the_client_has_no_time_left_for_expires() {
    let (world, worker) = World::serving(options("w")).await;
    world.messenger.script(|_| Reply::TooLate);
    let mut events = world.events().await;
    let job = otp(18);
    world.publish(&job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.expired");
    worker.stop().await;
    let entry = world.entry(&job).await.unwrap();
    assert_eq!((entry.attempts, world.messenger.sent().len()), (0, 0));
}

#[tokio::test]
async fn at_the_deadline_a_send_that_hangs_is_dropped() {
    let mut settings = options("w");
    settings.ack_patience = Duration::from_mins(1);
    let (world, worker) = World::serving(settings).await;
    let (_answer, held) = tokio::sync::oneshot::channel();
    let held = Mutex::new(Some(held));
    world.messenger.script(move |_| Reply::Held(held.lock().unwrap().take().expect("sent twice")));
    let mut events = world.events().await;
    let mut job = otp(15);
    job.expires_at = Some(SystemClock.now().plus(Duration::from_secs(3)).to_rfc3339());
    world.publish(&job).await;
    assert_eq!(job_events(&mut *events, &job, 1).await[0].0, "message.uncertain");
    worker.stop().await;
}
