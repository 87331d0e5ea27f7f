//! Files in both directions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kurir_sim::{Download, MediaKind};
use serde_json::{Value, json};

use crate::client::{PATIENCE, TestClient, jid, simulator};
use crate::files::{downloaded, file};
use crate::program::Program;

const OWN: &str = "15551230001";
const PHONE: &str = "15551230002";

async fn send_file(client: &TestClient, file: Value) -> String {
    let sent = client.ask("send_file", file).await.expect("the server takes it");
    sent["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_and_a_document_are_uploaded_sent_and_checked_by_the_phone() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", OWN).await;
    let bytes = STANDARD.encode(file(70_001));
    let image = json!({ "to": jid(PHONE), "media": "image", "bytes": bytes, "mimetype": "image/jpeg", "text": "look" });
    let id = send_file(&client, image).await;
    let media = downloaded(&sim, PHONE, &id).await;
    assert_eq!((media.media, media.download), (MediaKind::Image, Download::Good));
    assert_eq!((media.mimetype.as_deref(), media.caption.as_deref()), (Some("image/jpeg"), Some("look")));
    assert_eq!(media.length, Some(70_001));
    client.receipts(&id, &["", "read"]).await;

    let bytes = STANDARD.encode("%PDF-1.7");
    let bill = json!({ "to": jid(PHONE), "media": "document", "bytes": bytes, "mimetype": "application/pdf", "text": "bill.pdf" });
    let id = send_file(&client, bill).await;
    let media = downloaded(&sim, PHONE, &id).await;
    assert_eq!((media.media, media.download), (MediaKind::Document, Download::Good));
    assert_eq!((media.length, media.file_name.as_deref()), (Some(8), Some("bill.pdf")));
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_from_a_phone_is_downloaded_by_the_client() {
    let sim = simulator(|_| ()).await;
    let Some(program) = Program::start(&sim) else { return };
    let (mut client, _) = TestClient::linked(&program, &sim, "anna", OWN).await;
    let picture = file(50_000);
    let sent = sim.send_media(PHONE, OWN, MediaKind::Image, "image/jpeg", picture.clone(), Some("see")).await;
    let id = sent.expect("the phone sends");
    let caption = client
        .event("message", |event| (event["id"] == id.as_str()).then(|| event["caption"].as_str().map(str::to_owned)))
        .await;
    assert_eq!(caption.as_deref(), Some("see"));
    let got = client.ask("download", json!({ "id": id })).await.expect("it downloads");
    assert_eq!(STANDARD.decode(got.as_str().expect("a text")).expect("base64"), picture);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
