//! Files in both directions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kurir_sim::{Download, MediaKind};
use serde_json::json;

use crate::client::{Baileys, PATIENCE, simulator};
use crate::files::{downloaded, file};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_and_a_document_are_uploaded_sent_and_checked_by_the_phone() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    // With a preview given, Baileys doesn't need a program that makes one.
    let image = json!({ "image": STANDARD.encode(file(70_001)), "caption": "look", "jpegThumbnail": "" });
    let id = client.send_content("15551230002", image).await;
    let media = downloaded(&sim, "15551230002", &id).await;
    assert_eq!((media.media, media.download), (MediaKind::Image, Download::Good));
    assert_eq!((media.length, media.caption.as_deref()), (Some(70_001), Some("look")));
    client.status(&id, "READ").await;

    let document =
        json!({ "document": STANDARD.encode("%PDF-1.7"), "mimetype": "application/pdf", "fileName": "bill.pdf" });
    let id = client.send_content("15551230002", document).await;
    let media = downloaded(&sim, "15551230002", &id).await;
    assert_eq!((media.media, media.download), (MediaKind::Document, Download::Good));
    assert_eq!((media.length, media.file_name.as_deref()), (Some(8), Some("bill.pdf")));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_a_phone_is_downloaded_by_the_device() {
    let sim = simulator(|_| ()).await;
    let Some((mut client, _)) = Baileys::linked(&sim, "15551230001").await else { return };
    let picture = file(50_000);
    let sent =
        sim.send_media("15551230002", "15551230001", MediaKind::Image, "image/jpeg", picture.clone(), Some("see"));
    let id = sent.await.expect("the phone sends");
    let message = client.event("message", |event| event["id"] == id.as_str()).await;
    assert_eq!((&message["caption"], &message["mine"]), (&json!("see"), &json!(false)));
    let got = client.ask("download", json!({ "message": id })).await.expect("it downloads");
    assert_eq!(STANDARD.decode(got.as_str().expect("a text")).expect("base64"), picture);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
