//! Files in both directions, and everything else that is not a text.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kurir_sim::{Clock, Content, Download, JournalEvent, MediaKind, SimHandle};
use whatsapp_rust::anyhow::Result;
use whatsapp_rust::async_trait;
use whatsapp_rust::download::{Downloadable, MediaType};
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse, UreqHttpClient};
use whatsapp_rust::media::{DocumentOptions, ImageOptions, document_message, image_message};
use whatsapp_rust::types::events::Event;
use whatsapp_rust::upload::{UploadOptions, UploadResponse};
use whatsapp_rust::waproto::whatsapp as wa;
use whatsapp_rust::{ErrorChainExt, Jid, RevokeType};

use crate::client::{PATIENCE, TestClient, simulator};
use crate::files::{downloaded, file};
use crate::inbox::shown;

const PHONE: &str = "15551230002";

/// The client's own HTTP client with the simulator's certificate as the only root.
pub fn trusting(sim: &SimHandle) -> UreqHttpClient {
    let root = ureq::tls::Certificate::from_pem(sim.media_ca_pem().as_bytes()).expect("PEM").to_owned();
    let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::new_with_certs(&[root])).build();
    UreqHttpClient::with_agent(ureq::Agent::config_builder().tls_config(tls).build().new_agent())
}

/// A linked client with an HTTP client of the test's.
async fn linked_with(sim: &SimHandle, number: &str, http: impl HttpClient + 'static) -> TestClient {
    let mut client = TestClient::start_with(sim, Arc::default(), http).await;
    client.link(sim, number).await;
    client
}

pub async fn media_client(sim: &SimHandle, number: &str) -> TestClient {
    linked_with(sim, number, trusting(sim)).await
}

async fn upload(client: &TestClient, bytes: &[u8], kind: MediaType) -> UploadResponse {
    client.client.upload(bytes.to_vec(), kind, UploadOptions::new()).await.expect("uploads")
}

async fn send(client: &TestClient, message: wa::Message) -> String {
    client.client.send_message(Jid::pn("15551230002"), message).await.expect("sends").message_id
}

async fn inbound(client: &mut TestClient, id: &str) -> wa::Message {
    client
        .wait("inbound message", |event| match event {
            Event::Messages(batch) => {
                batch.messages.iter().find(|inbound| inbound.info.id == id).map(|inbound| (*inbound.message).clone())
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_and_a_document_are_uploaded_sent_and_checked_by_the_phone() {
    let sim = simulator(|_| ()).await;
    let client = media_client(&sim, "15551230001").await;
    let picture = file(70_001);
    let uploaded = upload(&client, &picture, MediaType::Image).await;
    let options = ImageOptions { caption: Some("look".into()), ..Default::default() };
    let id = send(&client, image_message(uploaded.clone(), options)).await;
    let media = downloaded(&sim, "15551230002", &id).await;
    assert_eq!((media.media, media.download), (MediaKind::Image, Download::Good));
    assert_eq!((media.mimetype.as_deref(), media.caption.as_deref()), (Some("image/jpeg"), Some("look")));
    assert_eq!(media.length, Some(70_001));
    let hex = uploaded.file_sha256.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(media.sha256, Some(hex));

    let options = DocumentOptions {
        mimetype: Some("application/pdf".into()),
        file_name: Some("bill.pdf".into()),
        ..Default::default()
    };
    // An empty file is a block of padding.
    let uploaded = upload(&client, &[], MediaType::Document).await;
    let id = send(&client, document_message(uploaded, options)).await;
    let media = downloaded(&sim, "15551230002", &id).await;
    assert_eq!((media.media, media.length, media.download), (MediaKind::Document, Some(0), Download::Good));
    assert_eq!(media.file_name.as_deref(), Some("bill.pdf"));
    client.stop().await;
    assert_eq!(sim.stop(PATIENCE).await.abandoned, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_uploaded_once_and_found_there_the_second_time() {
    let sim = simulator(|_| ()).await;
    let client = media_client(&sim, "15551230001").await;
    let bytes = file(6 << 20);
    let options = UploadOptions::new().with_media_key([7; 32]);
    let first = client.client.upload(bytes.clone(), MediaType::Video, options.clone()).await.expect("uploads");
    let again = client.client.upload(bytes, MediaType::Video, options).await.expect("is told that it is there");
    assert_eq!(first.file_enc_sha256, again.file_enc_sha256);
    assert_eq!(first.direct_path.split('?').next(), again.direct_path.split('?').next());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_phone_sends_is_downloaded_by_the_client() {
    let sim = simulator(|_| ()).await;
    let mut client = media_client(&sim, "15551230001").await;
    let bytes = file(200_000);
    let sent = sim.send_media("15551230002", "15551230001", MediaKind::Image, "image/png", bytes.clone(), Some("me"));
    let id = sent.await.expect("the phone sends");
    let message = inbound(&mut client, &id).await;
    let image = message.image_message.as_option().expect("an image");
    assert_eq!((image.mimetype.as_deref(), image.caption.as_deref()), (Some("image/png"), Some("me")));
    assert_eq!(client.client.download(image).await.expect("downloads"), bytes);
    // The phone of the account has it, too.
    assert_eq!(downloaded(&sim, "15551230001", &id).await.download, Download::Good);

    assert!(sim.lose_media(image.direct_path().expect("a path")).await);
    let error = client.client.download(image).await.expect_err("it is gone");
    assert_eq!(error.http_status(), Some(410), "{error:#}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// Damages the first byte of everything that is uploaded.
struct Damaging(UreqHttpClient);

#[async_trait]
impl HttpClient for Damaging {
    async fn execute(&self, mut request: HttpRequest) -> Result<HttpResponse> {
        if let Some(body) = request.body.take() {
            let mut damaged = body.to_vec();
            damaged[0] ^= 1;
            request.body = Some(damaged.into());
        }
        self.0.execute(request).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_damaged_on_the_way_is_refused() {
    let sim = simulator(|_| ()).await;
    let client = linked_with(&sim, "15551230001", Damaging(trusting(&sim))).await;
    let upload = client.client.upload(file(1000), MediaType::Image, UploadOptions::new()).await;
    let error = upload.expect_err("the server notices");
    assert_eq!(error.http_status(), Some(400), "{error:#}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_trust_the_certificate_uploads_nothing() {
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, "15551230001").await;
    let upload = client.client.upload(file(10), MediaType::Image, UploadOptions::new()).await;
    assert!(format!("{:#}", upload.expect_err("no trust")).to_lowercase().contains("certificate"));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_phone_notices_what_is_wrong_with_a_file() {
    let sim = simulator(|config| config.media.file_bytes = 5000).await;
    let client = media_client(&sim, "15551230001").await;
    let good = upload(&client, &file(1000), MediaType::Image).await;
    let announce = |change: fn(&mut wa::message::ImageMessage)| {
        let mut message = image_message(good.clone(), ImageOptions::default());
        let mut image = message.image_message.take().expect("an image");
        change(&mut image);
        message.image_message = image.into();
        message
    };
    let wrong: [(&str, wa::Message); 6] = [
        ("file_sha256", announce(|image| image.file_sha256 = Some(vec![0; 32]))),
        ("file_enc_sha256", announce(|image| image.file_enc_sha256 = Some(vec![0; 32]))),
        ("decrypted", announce(|image| image.media_key = Some(vec![0; 32]))),
        ("media_key", announce(|image| image.media_key = None)),
        ("file_length", announce(|image| image.file_length = Some(999))),
        ("no such file", announce(|image| image.direct_path = Some("/elsewhere".into()))),
    ];
    for (what, message) in wrong {
        let id = send(&client, message).await;
        let media = downloaded(&sim, "15551230002", &id).await;
        let Download::Broken { reason } = &media.download else { panic!("{what}: {media:?}") };
        assert!(reason.contains(what), "{what}: {reason}");
        let told = sim.journal(0, 1000).iter().any(|entry| {
            matches!(&entry.event, JournalEvent::BrokenMedia { id: broken, reason: why, .. } if *broken == id && why == reason)
        });
        assert!(told, "{what} is in the journal");
    }
    let id = send(&client, announce(|_| ())).await;
    assert_eq!(downloaded(&sim, "15551230002", &id).await.download, Download::Good);
    let upload = client.client.upload(file(5000), MediaType::Image, UploadOptions::new()).await;
    assert_eq!(upload.expect_err("too large").http_status(), Some(413));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

/// A clock that a test moves.
#[derive(Debug)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn now_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_gone_and_a_permission_is_renewed_after_its_time() {
    let clock = Arc::new(Hands(AtomicU64::new(1_800_000_000_000)));
    let sim = simulator(|config| {
        config.clock = clock.clone();
        config.media.kept = Duration::from_secs(100);
        config.media.permission = Duration::from_secs(1000);
    })
    .await;
    let client = media_client(&sim, "15551230001").await;
    let uploaded = upload(&client, &file(1000), MediaType::Image).await;
    let message = image_message(uploaded, ImageOptions::default());
    let image = message.image_message.as_option().expect("an image").clone();
    clock.0.fetch_add(99_000, Ordering::Relaxed);
    client.client.download(&image).await.expect("still there");
    clock.0.fetch_add(1_000, Ordering::Relaxed);
    let error = client.client.download(&image).await.expect_err("over");
    assert_eq!(error.http_status(), Some(410), "{error:#}");
    let id = send(&client, message).await;
    let media = downloaded(&sim, "15551230002", &id).await;
    assert!(matches!(media.download, Download::Broken { .. }), "{media:?}");
    // The client still has its old permission, is refused, and asks for a new one.
    clock.0.fetch_add(1_000_000, Ordering::Relaxed);
    let uploaded = upload(&client, &file(1000), MediaType::Image).await;
    let id = send(&client, image_message(uploaded, ImageOptions::default())).await;
    assert_eq!(downloaded(&sim, "15551230002", &id).await.download, Download::Good);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_contacts_replies_reactions_edits_and_revocations_are_shown_as_such() {
    let sim = simulator(|_| ()).await;
    let (client, _) = TestClient::linked(&sim, "15551230001").await;
    let phone = Jid::pn("15551230002");
    let location = wa::message::LocationMessage {
        degrees_latitude: Some(52.52),
        degrees_longitude: Some(13.405),
        name: Some("Berlin".into()),
        ..Default::default()
    };
    let id = send(&client, wa::Message { location_message: location.into(), ..Default::default() }).await;
    let Some(Content::Location { latitude, name, live: false, .. }) = shown(&sim, PHONE, &id).await.content else {
        panic!("no place")
    };
    assert_eq!((latitude.get(), name.as_deref()), (52.52, Some("Berlin")));

    let contact = wa::message::ContactMessage { display_name: Some("Ada".into()), ..Default::default() };
    let id = send(&client, wa::Message { contact_message: contact.into(), ..Default::default() }).await;
    let Some(Content::Contacts { contacts }) = shown(&sim, PHONE, &id).await.content else { panic!("no contact") };
    assert_eq!(contacts[0].name.as_deref(), Some("Ada"));

    let first = client.send("15551230002", "first").await;
    assert_eq!(shown(&sim, PHONE, &first).await.content, None);
    let context = wa::ContextInfo { stanza_id: Some(first.clone()), ..Default::default() };
    let text = wa::message::ExtendedTextMessage {
        text: Some("about that".into()),
        context_info: context.into(),
        ..Default::default()
    };
    let reply = shown(
        &sim,
        PHONE,
        &send(&client, wa::Message { extended_text_message: text.into(), ..Default::default() }).await,
    )
    .await;
    assert_eq!(reply.text.as_deref(), Some("about that"));
    assert_eq!(reply.content, Some(Content::Reply { to: first.clone(), participant: None }));

    let key = wa::MessageKey { id: Some(first.clone()), from_me: Some(true), ..Default::default() };
    let reaction = wa::message::ReactionMessage { key: key.into(), text: Some("+".into()), ..Default::default() };
    let id = send(&client, wa::Message { reaction_message: reaction.into(), ..Default::default() }).await;
    assert_eq!(shown(&sim, PHONE, &id).await.content, Some(Content::Reaction { to: first.clone(), emoji: "+".into() }));

    let better = wa::Message { conversation: Some("better".into()), ..Default::default() };
    client.client.edit_message(phone.clone(), first.clone(), better).await.expect("edits");
    client.client.revoke_message(phone, first.clone(), RevokeType::Sender).await.expect("revokes");
    let inbox = sim.wait_for_messages("15551230002", 7, PATIENCE).await.expect("all arrive");
    assert_eq!(inbox[5].content, Some(Content::Edit { of: first.clone(), text: Some("better".into()) }));
    assert_eq!(inbox[6].content, Some(Content::Revoke { of: first }));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_without_permission_or_sense_are_refused_and_parts_can_be_read() {
    let sim = simulator(|_| ()).await;
    let client = media_client(&sim, "15551230001").await;
    let http = trusting(&sim);
    let uploaded = upload(&client, &file(1000), MediaType::Image).await;
    let host = uploaded.url.split('/').nth(2).expect("a host").to_owned();
    let post = |path: &str| HttpRequest::post(format!("https://{host}{path}")).with_body(vec![1, 2, 3]);
    let token = "A".repeat(43);
    for (path, status) in [
        (format!("/mms/image/{token}"), 401),
        (format!("/mms/image/{token}?auth=AAAA"), 401),
        (format!("/mms/secret/{token}?auth=AAAA"), 404),
        ("/mms/image/short?auth=AAAA".to_owned(), 400),
        ("/elsewhere".to_owned(), 404),
    ] {
        assert_eq!(http.execute(post(&path)).await.expect("an answer").status_code, status, "{path}");
    }
    let get = |url: &str, range: &str| HttpRequest::get(url).with_header("Range", range);
    let whole = http.execute(HttpRequest::get(&uploaded.url)).await.expect("an answer").body;
    let part = http.execute(get(&uploaded.url, "bytes=16-31")).await.expect("an answer");
    assert_eq!((part.status_code, part.body.as_slice()), (206, &whole[16..32]));
    let beyond = http.execute(get(&uploaded.url, "bytes=100000-")).await.expect("an answer");
    assert_eq!(beyond.status_code, 416);
    let unsigned = uploaded.url.split('?').next().expect("a path");
    assert_eq!(http.execute(HttpRequest::get(unsigned)).await.expect("an answer").status_code, 403);

    // A device that is gone may not upload any more.
    let auth = client.client.refresh_media_conn(false).await.expect("answers").auth;
    sim.logout("15551230001", 1).await.expect("it was linked");
    let late = http.execute(post(&format!("/mms/image/{token}?auth={auth}"))).await.expect("an answer");
    assert_eq!(late.status_code, 401);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
