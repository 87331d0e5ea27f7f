//! What phones send: in groups, and files that are fetched.

use kurir_core::domain::{GroupId, MediaKind, MessageId};
use kurir_core::port::{Connection, FetchError, Incoming, IncomingContent, MessengerEvent};
use kurir_sim::{Addressing, MediaKind as Shown};

use crate::text;
use crate::world::{DEADLINE, FRIEND, SENDER, World, number, wait};

async fn next(connection: &mut Connection, id: &str) -> Incoming {
    wait(connection, "the message", |event| match event {
        MessengerEvent::Incoming { messages, stored } => {
            stored.tell();
            messages.into_iter().find(|message| message.id.as_str() == id)
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn a_file_of_a_phone_is_told_of_and_fetched_until_whatsapp_loses_it() {
    let world = World::start().await;
    let (mut connection, _) = world.link("a").await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let sent = world.sim.send_media(FRIEND, SENDER, Shown::Image, "image/png", bytes.clone(), Some("look"));
    let sent = sent.await.unwrap();
    let message = next(&mut connection, &sent).await;
    assert_eq!((message.from, message.text), (Some(number(FRIEND)), Some(text("look"))));
    let IncomingContent::Media(media) = message.content else { panic!("{:?}", message.content) };
    assert_eq!((media.kind, media.mime_type.as_str(), media.size), (MediaKind::Image, "image/png", 200_000));
    assert!(connection.sender.fetch(&media.source, DEADLINE).await.unwrap() == bytes);

    let path: serde_json::Value = serde_json::from_str(media.source.expose()).unwrap();
    assert!(world.sim.lose_media(path["path"].as_str().unwrap()).await);
    let gone = connection.sender.fetch(&media.source, DEADLINE).await;
    assert!(matches!(gone, Err(FetchError::Gone)), "{gone:?}");
    let nonsense = connection.sender.fetch(&text("nonsense"), DEADLINE).await;
    assert!(matches!(nonsense, Err(FetchError::Gone)), "{nonsense:?}");
}

#[tokio::test]
async fn a_text_in_a_group_names_group_and_writer() {
    for addressing in [Addressing::Lid, Addressing::Pn] {
        let world = World::start().await;
        let (mut connection, _) = world.link("a").await;
        let group = world.sim.create_group(FRIEND, "friends", &[SENDER], addressing).unwrap().id;
        let sent = world.sim.send_group_text(FRIEND, group, "hello all").await.unwrap();
        let message = next(&mut connection, &sent).await;
        assert_eq!(message.id, MessageId::from_wire(&sent));
        assert_eq!(message.group, Some(GroupId::parse(&group.to_string()).unwrap()));
        assert_eq!((message.from, message.text), (Some(number(FRIEND)), Some(text("hello all"))));
        assert_eq!(message.content, IncomingContent::Text);
    }
}
