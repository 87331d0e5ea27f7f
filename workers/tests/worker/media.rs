//! Files on their way through the worker.

use std::time::Duration;

use bytes::Bytes;
use kurir_core::domain::{
    FailReason, Lane, MediaDetail, MediaId, MediaKind, MediaLimits, MediaRecord, MediaState, MessageState, SessionId,
};
use kurir_core::memory::WebReply;
use kurir_core::port::{Body, MediaIntake, WebError};
use kurir_core::wire::{ContentV1, JobV1};

use crate::world::{World, in_time, key, options, otp, session, tenant};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";
const URL: &str = "https://files.test/promo.png";

fn media(kind: MediaKind, id: Option<MediaId>, url: Option<&str>) -> JobV1 {
    let content = ContentV1::Media {
        kind,
        media: id.map(MediaId::as_uuid),
        url: url.map(str::to_owned),
        caption: Some("look".into()),
        filename: None,
        reply_to: None,
    };
    JobV1 { lane: Lane::Bulk, content, expires_at: None, ..otp(1) }
}

pub async fn stored(world: &World, of: Option<&SessionId>) -> MediaId {
    let now = world.ports.clock.now();
    let record = MediaRecord {
        id: MediaId::new(uuid::Uuid::new_v4()),
        tenant: tenant(),
        session: of.cloned(),
        state: MediaState::Filling,
        size: 0,
        created_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
        detail: MediaDetail {
            mime_type: String::new(),
            filename: Some("foto.png".to_owned().into()),
            sha256: [0; 32],
            source: None,
        },
    };
    let limits = MediaLimits { image: 1000, video: 1000, audio: 1000, document: 1000, tenant: 8000 };
    let mut intake = MediaIntake::new(&*world.ports.media, record, None, limits);
    intake.push(PNG).await.unwrap();
    intake.finish().await.unwrap().id
}

fn reply(body: &'static [u8]) -> WebReply {
    WebReply { content_type: Some("image/png".into()), body: vec![Bytes::from_static(body)], ..WebReply::of(200) }
}

#[tokio::test]
async fn a_stored_file_is_uploaded_and_sent() {
    let (world, worker) = World::serving(options("w")).await;
    let id = stored(&world, Some(&session())).await;
    let job = media(MediaKind::Image, Some(id), None);
    world.publish(&job).await;
    world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    let sent = world.messenger.sent();
    let Body::Media(body) = &sent[0].body else { panic!("{sent:?}") };
    assert_eq!((body.kind, body.mime_type.as_str()), (MediaKind::Image, "image/png"));
    assert_eq!(body.filename.as_ref().unwrap().expose(), "foto.png");
    assert_eq!(body.caption.as_ref().unwrap().expose(), "look");
    assert_eq!(world.messenger.uploads(), [PNG]);
    worker.stop().await;
}

#[tokio::test]
async fn what_is_not_there_or_does_not_fit_fails_before_anything_is_sent() {
    let (world, worker) = World::serving(options("w")).await;
    let other = SessionId::new("s2").unwrap();
    let foreign = stored(&world, Some(&other)).await;
    let picture = stored(&world, None).await;
    world.web.put("https://files.test/gone", Ok(WebReply::of(404)));
    world.web.put("https://files.test/moved", Ok(WebReply::of(302)));
    world.web.put("https://files.test/inner", Err(WebError::Forbidden(None)));
    world.web.put("https://files.test/text", Ok(reply(b"hello")));
    let cases = [
        (media(MediaKind::Image, Some(foreign), None), FailReason::MediaUnavailable),
        (media(MediaKind::Image, Some(MediaId::new(uuid::Uuid::new_v4())), None), FailReason::MediaUnavailable),
        (media(MediaKind::Video, Some(picture), None), FailReason::MediaUnsuitable),
        (media(MediaKind::Image, None, Some("https://files.test/gone")), FailReason::MediaUnavailable),
        (media(MediaKind::Image, None, Some("https://files.test/moved")), FailReason::MediaUnavailable),
        (media(MediaKind::Image, None, Some("https://files.test/inner")), FailReason::MediaUnavailable),
        (media(MediaKind::Image, None, Some("https://files.test/text")), FailReason::MediaUnsuitable),
    ];
    for (job, reason) in cases {
        world.publish(&job).await;
        let entry = world.until_entry(&job, "failed job", |entry| !entry.state.is_open()).await;
        assert_eq!((entry.state, entry.reason), (MessageState::Failed, Some(reason)), "{:?}", job.content);
    }
    worker.stop().await;
    assert!(world.messenger.sent().is_empty() && world.messenger.uploads().is_empty());
}

#[tokio::test]
async fn every_attempt_sends_the_bytes_that_were_fetched_first() {
    let (world, worker) = World::serving(options("w")).await;
    world.web.put(URL, Ok(reply(PNG)));
    world.messenger.fail_uploads(1);
    let job = media(MediaKind::Image, None, Some(URL));
    let before = world.ports.media.media(&tenant(), MediaId::of_job(&key(&job))).await.unwrap();
    assert_eq!(before, None);
    world.publish(&job).await;
    world.until_entry(&job, "delayed job", |entry| entry.state != MessageState::Queued).await;
    world.web.put(URL, Ok(reply(b"\x89PNG\r\n\x1a\n another picture")));
    let entry = world.until_entry(&job, "sent job", |entry| entry.state == MessageState::Sent).await;
    assert_eq!(entry.attempts, 2);
    assert_eq!(world.messenger.uploads(), [PNG]);
    assert_eq!(world.web.asked().len(), 1, "it was fetched once");
    worker.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_again_a_bounded_number_of_times() {
    let (world, worker) = World::serving(options("w")).await;
    world.web.put(URL, Ok(WebReply::of(503)));
    let job = media(MediaKind::Image, None, Some(URL));
    world.publish(&job).await;
    let entry = in_time("the end", world.until_entry(&job, "failed job", |entry| !entry.state.is_open())).await;
    assert_eq!((entry.state, entry.reason), (MessageState::Failed, Some(FailReason::MediaUnavailable)));
    assert_eq!((entry.attempts, world.web.asked().len()), (3, 3));
    assert!(world.messenger.sent().is_empty());
    worker.stop().await;
}
