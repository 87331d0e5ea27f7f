//! Calls to a session's owner.

use std::time::Duration;

use kurir_core::domain::{MessageId, PhoneNumber, Presence, SessionState, Typing};
use kurir_core::memory::Shown;
use kurir_core::port::{Called, MessengerEvent};
use kurir_core::wire::{CallAnswerV1, CallV1};

use crate::world::{PATIENCE, World, in_time, next_event, options, session, until};

fn number(at: u32) -> PhoneNumber {
    PhoneNumber::from_digits(format!("62812{at:08}")).unwrap()
}

impl World {
    async fn ask(&self, call: &CallV1) -> CallAnswerV1 {
        match self.ports.calls.call(&session(), call.encode(), PATIENCE).await.unwrap() {
            Called::Answered(answer) => CallAnswerV1::decode(&answer).expect("an answer of ours"),
            other => panic!("{other:?}"),
        }
    }

    async fn is_called(&self) -> bool {
        let call = CallV1::CheckNumbers { numbers: vec![] };
        self.ports.calls.call(&session(), call.encode(), Duration::from_secs(2)).await.unwrap() != Called::NoOwner
    }
}

#[tokio::test]
async fn numbers_are_checked_like_recipients_and_remembered() {
    let (world, worker) = World::serving(options("w1")).await;
    world.messenger.unregistered([number(2)]);
    let numbers = vec![number(1), number(2), number(3)];
    let call = CallV1::CheckNumbers { numbers: numbers.clone() };
    for _ in 0..2 {
        assert_eq!(world.ask(&call).await, CallAnswerV1::Numbers { on_whatsapp: vec![true, false, true] });
    }
    let mut asked = world.messenger.checked();
    asked.sort();
    assert_eq!(asked, numbers, "WhatsApp is asked once");
    world.emit(MessengerEvent::Disconnected).await;
    until("word of the cut", async || (world.ask(&call).await == CallAnswerV1::NotConnected).then_some(())).await;
    worker.stop().await;
}

#[tokio::test]
async fn read_marks_typing_and_presence_are_shown_by_the_owner() {
    let (world, worker) = World::serving(options("w1")).await;
    let chat = number(1);
    let read = CallV1::MarkRead { chat: chat.clone(), messages: vec!["3EB0".into()] };
    assert_eq!(world.ask(&read).await, CallAnswerV1::Done);
    let typing = CallV1::ShowTyping { chat: chat.clone(), typing: Typing::Recording };
    assert_eq!(world.ask(&typing).await, CallAnswerV1::Done);
    let presence = CallV1::ShowPresence { presence: Presence::Unavailable };
    assert_eq!(world.ask(&presence).await, CallAnswerV1::Done);
    let shown = [
        Shown::Read(chat.clone(), vec![MessageId::from_wire("3EB0")]),
        Shown::Typing(chat, Typing::Recording),
        Shown::Presence(Presence::Unavailable),
    ];
    assert_eq!(world.messenger.shown(), shown);
    let unknown = world.ports.calls.call(&session(), b"{\"call\":\"of_tomorrow\"}".to_vec(), PATIENCE).await.unwrap();
    assert_eq!(unknown, Called::Answered(CallAnswerV1::NotUnderstood.encode()));
    worker.stop().await;
    until("silence of a session that was let go", async || (!world.is_called().await).then_some(())).await;
}

#[tokio::test]
async fn a_pairing_code_is_answered_and_told() {
    let world = World::new();
    world.create().await;
    let mut events = world.events().await;
    let worker = kurir_workers::Worker::start(options("w1"), world.ports.clone());
    in_time("connection", world.messenger.until_open(&session(), true)).await;
    let text = "2@code".to_owned().into();
    world.emit(MessengerEvent::Qr { text, valid_for: Duration::from_mins(1) }).await;
    let before = world.until_state(SessionState::AwaitingScan).await;
    let CallAnswerV1::PairingCode { code, expires_at } = world.ask(&CallV1::PairingCode { number: number(77) }).await
    else {
        panic!("no code");
    };
    assert_eq!(code.expose(), "CODE0077");
    assert!(expires_at > before.status.since);
    let event = next_event(&mut *events, "session.pairing_code").await;
    assert_eq!(event.data["pairing_code"]["code"], "CODE0077");
    assert_eq!((&event.data["state"], &event.data["qr"]), (&"awaiting_scan".into(), &serde_json::Value::Null));
    let after = world.record().await;
    assert_eq!(after.status.qr, before.status.qr, "the QR code can still be scanned");

    world.link().await;
    let linked = world.ask(&CallV1::PairingCode { number: number(77) }).await;
    assert_eq!(linked, CallAnswerV1::Linked);
    worker.stop().await;
    until("silence", async || (!world.is_called().await).then_some(())).await;
}
