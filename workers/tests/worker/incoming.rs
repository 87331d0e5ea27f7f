//! Messages that come in, and their files.

use kurir_core::domain::{GroupId, MediaId, MediaKind, MediaRecord, MediaState, MessageId, PhoneNumber, Secret};
use kurir_core::memory::SystemClock;
use kurir_core::port::{Clock as _, Incoming, IncomingContent, IncomingMedia, MessengerEvent, Stored, read_media};

use crate::world::{World, in_time, next_event, options, session, tenant, until};

const PDF: &[u8] = b"%PDF-1.7 a receipt";

fn document(id: &str, source: &str, size: u64) -> Incoming {
    let from = PhoneNumber::parse("6281234567890", None).unwrap();
    let media = IncomingMedia {
        kind: MediaKind::Document,
        mime_type: "application/pdf".into(),
        size,
        sha256: [7; 32],
        filename: Some(Secret::new("bukti.pdf".into())),
        source: Secret::new(source.into()),
    };
    let text = Incoming::text(MessageId::from_wire(id), from, "Ini buktinya", SystemClock.now());
    Incoming { content: IncomingContent::Media(media), ..text }
}

fn file(id: &str) -> MediaId {
    MediaId::of_message(&tenant(), &session(), &MessageId::from_wire(id), "6281234567890")
}

impl World {
    /// Delivers a message and waits until it is stored.
    async fn deliver(&self, message: Incoming) {
        let (tell, told) = tokio::sync::oneshot::channel();
        let stored = Stored::new(|durable| tell.send(durable).unwrap());
        self.emit(MessengerEvent::Incoming { messages: vec![message], stored }).await;
        assert!(in_time("confirmation", told).await.unwrap());
    }

    async fn file(&self, id: &str) -> Option<MediaRecord> {
        self.ports.media.media(&tenant(), file(id)).await.unwrap()
    }

    async fn until_file(&self, id: &str, state: MediaState) -> MediaRecord {
        until("the file", async || self.file(id).await.filter(|media| media.state == state)).await
    }
}

#[tokio::test]
async fn a_file_is_told_of_and_fetched() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    world.messenger.put_file("there", Some(PDF.to_vec()));
    world.deliver(document("3A01", "there", 18)).await;
    let event = next_event(&mut *events, "message.received").await.data;
    assert_eq!((&event["kind"], &event["text"]), (&"media".into(), &"Ini buktinya".into()));
    let told = &event["media"];
    assert_eq!((&told["id"], &told["kind"]), (&file("3A01").to_string().into(), &"document".into()));
    assert_eq!((&told["size"], &told["filename"]), (&18.into(), &"bukti.pdf".into()));
    assert!(!event.to_string().contains("there"), "how to fetch it is nobody's business");
    let media = world.until_file("3A01", MediaState::Ready).await;
    assert_eq!(media.session, Some(session()));
    assert_eq!(media.detail.source, None, "the key is not kept longer than it is needed");
    assert_eq!(read_media(&*world.ports.media, &media).await.unwrap().as_deref(), Some(PDF));
    worker.stop().await;
}

#[tokio::test]
async fn a_file_that_whatsapp_has_not_is_lost_and_a_large_one_is_not_asked_for() {
    let (world, worker) = World::serving(options("w")).await;
    world.messenger.put_file("large", Some(PDF.to_vec()));
    world.deliver(document("3A02", "gone", 18)).await;
    world.deliver(document("3A03", "large", 2 << 20)).await;
    for (id, state) in [("3A02", MediaState::Lost), ("3A03", MediaState::Unkept)] {
        world.until_file(id, state).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_message_whose_file_finds_no_room_is_told_without_it() {
    let mut options = options("w");
    options.media.limits.tenant = 20;
    let (world, worker) = World::serving(options).await;
    let mut events = world.events().await;
    world.messenger.put_file("first", Some(PDF.to_vec()));
    world.messenger.put_file("second", Some(PDF.to_vec()));
    world.deliver(document("3A05", "first", 18)).await;
    world.until_file("3A05", MediaState::Ready).await;
    world.deliver(document("3A06", "second", 18)).await;
    for id in ["3A05", "3A06"] {
        assert_eq!(next_event(&mut *events, "message.received").await.data["message_id"], id);
    }
    let media = world.until_file("3A06", MediaState::Unkept).await;
    assert_eq!(media.detail.source, None);
    assert_eq!(read_media(&*world.ports.media, &media).await.unwrap(), None, "no piece of it is left");
    worker.stop().await;
}

/// The first owner dies, in effect, with a file that it could not fetch yet.
#[tokio::test]
async fn the_next_owner_goes_on_with_what_is_awaited() {
    let (world, worker) = World::serving(options("w1")).await;
    world.messenger.put_file("slow", None);
    world.deliver(document("3A04", "slow", 18)).await;
    in_time("the first try", world.messenger.fetched_at_least(1)).await;
    worker.stop().await;
    assert_eq!(world.file("3A04").await.unwrap().state, MediaState::Awaited);
    world.messenger.put_file("slow", Some(PDF.to_vec()));
    world.messenger.connect_on_open(true);
    let second = kurir_workers::Worker::start(options("w2"), world.ports.clone());
    world.until_file("3A04", MediaState::Ready).await;
    second.stop().await;
}

#[tokio::test]
async fn a_message_in_a_group_says_so() {
    let (world, worker) = World::serving(options("w")).await;
    let mut events = world.events().await;
    let from = PhoneNumber::parse("6281234567890", None).unwrap();
    let text = Incoming::text(MessageId::from_wire("3A05"), from, "Halo semua", SystemClock.now());
    let message = Incoming {
        group: Some(GroupId::parse("120363000000000001@g.us").unwrap()),
        push_name: Some(Secret::new("Sari".into())),
        quoted: Some(MessageId::from_wire("3EB0AA")),
        ..text
    };
    world.deliver(message).await;
    let event = next_event(&mut *events, "message.received").await.data;
    assert_eq!((&event["kind"], &event["group"]), (&"text".into(), &"120363000000000001@g.us".into()));
    assert_eq!((&event["push_name"], &event["reply_to"]), (&"Sari".into(), &"3EB0AA".into()));
    worker.stop().await;
}
