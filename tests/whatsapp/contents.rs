//! What is more than a text: each kind as the phone shows it.

use kurir_core::domain::{ContactCard, JobId, Place, Quoted, Reaction, Recipient, Referred, Secret, Writer};
use kurir_core::port::{Body, Connection, MessengerEvent, Outgoing, ReceiptKind, SendAnswer};
use kurir_sim::{Addressing, Content, InboxMessage};

use crate::world::{DEADLINE, FRIEND, SENDER, World, number, recording, wait};
use crate::{id, text};

const MEMBER: &str = "6281230000003";

fn ours(message: &str) -> Referred {
    Referred { id: id(message), writer: Writer::Us(JobId::new(uuid::Uuid::from_u128(1))) }
}

/// Sends to a recipient and gives the message as the phone of `at` has it.
async fn shown(
    world: &World,
    connection: &Connection,
    (to, at): (&Recipient, &str),
    name: &str,
    body: Body,
    reply_to: Option<Quoted>,
) -> InboxMessage {
    let message = Outgoing { to: to.clone(), id: id(name), body, reply_to, not_after: None };
    assert_eq!(connection.sender.send(&message, DEADLINE).await.unwrap(), SendAnswer::Accepted, "{name}");
    let arrived = world
        .sim
        .wait_until("the message", DEADLINE, |sim| sim.inbox(at).ok()?.into_iter().find(|message| message.id == name));
    arrived.await.unwrap()
}

#[tokio::test]
async fn each_kind_is_shown_as_what_it_is() {
    let world = World::start().await;
    let connection = recording(world.link("a").await.0);
    let to = Recipient::from(number(FRIEND));
    let at = (&to, FRIEND);
    let place = Place {
        latitude: -6.1754,
        longitude: 106.8272,
        name: Some(text("Monas")),
        address: Some(text("Gambir, Jakarta")),
    };
    let location = shown(&world, &connection, at, "3EB001", Body::Location(place), None).await;
    let Some(Content::Location { latitude, longitude, name, address, live: false }) = location.content else {
        panic!("no place: {location:?}")
    };
    assert!((latitude.get() + 6.1754).abs() < 1e-6 && (longitude.get() - 106.8272).abs() < 1e-6);
    assert_eq!((name.as_deref(), address.as_deref()), (Some("Monas"), Some("Gambir, Jakarta")));

    let card = ContactCard { name: text("Sari; Dewi"), numbers: vec![number("6281111112222")] };
    let contact = shown(&world, &connection, at, "3EB002", Body::Contact(card), None).await;
    let Some(Content::Contacts { contacts }) = contact.content else { panic!("no contact: {contact:?}") };
    assert_eq!((contacts.len(), contacts[0].name.as_deref()), (1, Some("Sari; Dewi")));
    let vcard = contacts[0].vcard.as_deref().unwrap();
    assert!(vcard.contains("FN:Sari\\; Dewi\n") && vcard.contains("waid=6281111112222:+6281111112222"), "{vcard}");

    let first = shown(&world, &connection, at, "3EB003", Body::Text(text("first")), None).await;
    assert_eq!(first.content, None);
    for (name, emoji) in [("3EB004", "👍"), ("3EB005", "")] {
        let sign = Body::Reaction(Reaction { message: ours("3EB003"), emoji: emoji.to_owned() });
        let sign = shown(&world, &connection, at, name, sign, None).await;
        assert_eq!(sign.content, Some(Content::Reaction { to: "3EB003".into(), emoji: emoji.into() }));
    }
    let edit = Body::Edit { message: ours("3EB003"), text: text("better") };
    let edit = shown(&world, &connection, at, "3EB006", edit, None).await;
    assert_eq!(edit.content, Some(Content::Edit { of: "3EB003".into(), text: Some("better".into()) }));
    let gone = shown(&world, &connection, at, "3EB007", Body::Delete(ours("3EB003")), None).await;
    assert_eq!(gone.content, Some(Content::Revoke { of: "3EB003".into() }));
    assert_eq!(world.sim.counters().unreadable, 0);
}

#[tokio::test]
async fn answers_say_what_they_answer_and_who_wrote_that() {
    let world = World::start().await;
    let mut connection = recording(world.link("a").await.0);
    let to = Recipient::from(number(FRIEND));
    let sent = world.sim.send_text(FRIEND, SENDER, "still there?").await.unwrap();
    let incoming = wait(&mut connection, "the question", |event| match event {
        MessengerEvent::Incoming { mut messages, stored } => {
            stored.tell();
            messages.pop()
        }
        _ => None,
    });
    assert_eq!(incoming.await.id, id(&sent));
    let quoted = |message, shown: Option<Secret<String>>| Some(Quoted { message, text: shown });
    let theirs = Referred { id: id(&sent), writer: Writer::Chat };
    let question = quoted(theirs.clone(), Some(text("still there?")));
    let reply = shown(&world, &connection, (&to, FRIEND), "3EB011", Body::Text(text("yes")), question).await;
    assert_eq!(reply.text.as_deref(), Some("yes"));
    let participant = Some(format!("{FRIEND}@s.whatsapp.net"));
    assert_eq!(reply.content, Some(Content::Reply { to: sent.clone(), participant }));

    let own = quoted(ours("3EB011"), None);
    let again = shown(&world, &connection, (&to, FRIEND), "3EB012", Body::Text(text("now")), own).await;
    let participant = Some(format!("{SENDER}@s.whatsapp.net"));
    assert_eq!(again.content, Some(Content::Reply { to: "3EB011".into(), participant }));

    let sign = Body::Reaction(Reaction { message: theirs, emoji: "👍".to_owned() });
    let sign = shown(&world, &connection, (&to, FRIEND), "3EB013", sign, None).await;
    assert_eq!(sign.content, Some(Content::Reaction { to: sent, emoji: "👍".into() }));
}

#[tokio::test]
async fn a_group_reads_texts_edits_and_deletions_and_its_first_receipt_counts() {
    for addressing in [Addressing::Lid, Addressing::Pn] {
        let world = World::start().await;
        let mut connection = recording(world.link("a").await.0);
        let group = world.sim.create_group(FRIEND, "friends", &[SENDER, MEMBER], addressing).unwrap().id;
        let to = Recipient::parse(&group.to_string(), None).unwrap();
        for at in [FRIEND, MEMBER] {
            let name = format!("3EB02{}", if at == FRIEND { 1 } else { 2 });
            let message = shown(&world, &connection, (&to, at), &name, Body::Text(text("to all")), None).await;
            assert_eq!((message.text.as_deref(), message.group), (Some("to all"), Some(group)));
        }
        for wanted in [ReceiptKind::Delivered, ReceiptKind::Read] {
            wait(&mut connection, "a receipt", |event| match event {
                MessengerEvent::Receipt { receipt, .. } => {
                    (receipt.kind == wanted && receipt.ids.contains(&id("3EB021"))).then_some(())
                }
                _ => None,
            })
            .await;
        }
        let edit = Body::Edit { message: ours("3EB021"), text: text("to all of you") };
        let edit = shown(&world, &connection, (&to, MEMBER), "3EB023", edit, None).await;
        assert_eq!(edit.content, Some(Content::Edit { of: "3EB021".into(), text: Some("to all of you".into()) }));
        let gone = shown(&world, &connection, (&to, MEMBER), "3EB024", Body::Delete(ours("3EB021")), None).await;
        assert_eq!(gone.content, Some(Content::Revoke { of: "3EB021".into() }));
        let member = Writer::Member(number(FRIEND));
        let sign = Reaction { message: Referred { id: id("3A01"), writer: member }, emoji: "👍".to_owned() };
        let sign = shown(&world, &connection, (&to, MEMBER), "3EB025", Body::Reaction(sign), None).await;
        assert_eq!(sign.content, Some(Content::Reaction { to: "3A01".into(), emoji: "👍".into() }));
        assert_eq!(world.sim.counters().unreadable, 0);
    }
}
