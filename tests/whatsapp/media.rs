//! Files: uploaded, sent, and found good by the phone.

use kurir_core::domain::{MediaKind, Recipient};
use kurir_core::port::{Body, Connection, MediaBody, MessengerError, Outgoing, SendAnswer};
use kurir_sim::{Content, Download, MediaContent, MediaKind as Shown};

use crate::world::{DEADLINE, FRIEND, World, number, recording};
use crate::{id, text};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn sent(world: &World, connection: &Connection, name: &str, kind: MediaKind, mime_type: &str) -> MediaContent {
    let content = bytes(70_001);
    let file = connection.sender.upload(kind, content, DEADLINE).await.unwrap();
    assert_eq!(file.length, 70_001);
    let body = Body::Media(MediaBody {
        kind,
        file,
        mime_type: mime_type.to_owned(),
        caption: kind.has_caption().then(|| text("look")),
        filename: Some(text("tagihan.pdf")),
    });
    let message = Outgoing { to: Recipient::from(number(FRIEND)), id: id(name), body, reply_to: None, not_after: None };
    assert_eq!(connection.sender.send(&message, DEADLINE).await.unwrap(), SendAnswer::Accepted);
    let downloaded = world.sim.wait_until("the download", DEADLINE, |sim| {
        let message = sim.inbox(FRIEND).ok()?.into_iter().find(|message| message.id == name)?;
        match message.content {
            Some(Content::Media(media)) if media.download != Download::Pending => Some(media),
            _ => None,
        }
    });
    downloaded.await.unwrap()
}

#[tokio::test]
async fn every_kind_of_file_arrives_whole() {
    let world = World::start().await;
    let connection = recording(world.link("a").await.0);
    let cases = [
        (MediaKind::Image, "image/png", Shown::Image),
        (MediaKind::Video, "video/mp4", Shown::Video),
        (MediaKind::Audio, "audio/mpeg", Shown::Audio),
        (MediaKind::Voice, "audio/ogg", Shown::Audio),
        (MediaKind::Document, "application/pdf", Shown::Document),
        (MediaKind::Sticker, "image/webp", Shown::Sticker),
    ];
    for (at, (kind, mime_type, shown)) in cases.into_iter().enumerate() {
        let media = sent(&world, &connection, &format!("3EB03{at}"), kind, mime_type).await;
        assert_eq!((media.media, &media.download), (shown, &Download::Good), "{kind}");
        assert_eq!(media.length, Some(70_001));
        let told = if kind == MediaKind::Voice { "audio/ogg; codecs=opus" } else { mime_type };
        assert_eq!(media.mimetype.as_deref(), Some(told), "{kind}");
        assert_eq!(media.caption.as_deref(), kind.has_caption().then_some("look"), "{kind}");
        let named = (kind == MediaKind::Document).then_some("tagihan.pdf");
        assert_eq!(media.file_name.as_deref(), named, "{kind}");
    }
    assert!(connection.sender.close(DEADLINE).await);
    let late = connection.sender.upload(MediaKind::Image, bytes(10), DEADLINE).await;
    assert!(matches!(late, Err(MessengerError::NotConnected)), "{late:?}");
}
