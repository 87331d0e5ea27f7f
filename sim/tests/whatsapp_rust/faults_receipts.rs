//! Receipts that are lost, late, doubled or in the wrong order.

use std::time::{Duration, Instant};

use kurir_sim::{Effect, Fault, FaultRule, PhoneNumber, ReceiptKind, SimHandle};
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;

use crate::client::{PATIENCE, TestClient, simulator};

const PHONE: &str = "15551230002";

async fn order(sim: &SimHandle, effect: Effect) {
    let phone: PhoneNumber = PHONE.parse().expect("a number");
    let rule = FaultRule { phone: Some(phone), times: Some(1), ..FaultRule::new(effect) };
    sim.fault(Fault::Rule(rule)).await.expect("a good fault");
}

/// The receipts of message `id`, until `count` have come.
async fn receipts(client: &mut TestClient, id: &str, count: usize) -> Vec<ReceiptType> {
    let mut kinds = Vec::new();
    client
        .wait("receipts", |event| match event {
            Event::Receipt(receipt) if receipt.message_ids.iter().any(|known| known == id) => {
                kinds.push(receipt.r#type.clone());
                (kinds.len() == count).then_some(())
            }
            _ => None,
        })
        .await;
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_receipt_never_comes() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::LoseReceipt { receipt: ReceiptKind::Delivered }).await;
    let id = client.send(PHONE, "read, but never delivered").await;
    let normal = client.send(PHONE, "normal").await;
    // All receipts that come, in whatever order they are told.
    let mut kinds = Vec::new();
    client
        .wait("the second message's receipts", |event| match event {
            Event::Receipt(receipt) => {
                kinds.extend(receipt.message_ids.iter().map(|id| (id.clone(), receipt.r#type.clone())));
                let has = |kind: ReceiptType| kinds.contains(&(normal.clone(), kind));
                let read = kinds.contains(&(id.clone(), ReceiptType::Read));
                (read && has(ReceiptType::Delivered) && has(ReceiptType::Read)).then_some(())
            }
            _ => None,
        })
        .await;
    assert!(!kinds.contains(&(id, ReceiptType::Delivered)), "{kinds:?}");
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_receipt_comes_after_its_time() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::LateReceipt { receipt: ReceiptKind::Read, delay_ms: 600 }).await;
    let begun = Instant::now();
    let id = client.send(PHONE, "read late").await;
    assert_eq!(receipts(&mut client, &id, 1).await, [ReceiptType::Delivered]);
    assert_eq!(receipts(&mut client, &id, 1).await, [ReceiptType::Read]);
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicated_receipt_comes_again() {
    let sim = simulator(|_| ()).await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::DuplicateReceipt { receipt: ReceiptKind::Delivered, copies: 2 }).await;
    let id = client.send(PHONE, "delivered three times").await;
    let mut kinds = receipts(&mut client, &id, 4).await;
    kinds.retain(|kind| *kind == ReceiptType::Delivered);
    assert_eq!(kinds.len(), 3);
    client.stop().await;
    sim.stop(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_can_be_read_before_it_is_delivered() {
    let sim = simulator(|config| {
        config.receipts.delivered = Some(Duration::from_millis(50));
        config.receipts.read = Some(Duration::from_millis(500));
    })
    .await;
    let (mut client, _) = TestClient::linked(&sim, "15551230001").await;
    order(&sim, Effect::SwapReceipts).await;
    let id = client.send(PHONE, "swapped").await;
    assert_eq!(receipts(&mut client, &id, 2).await, [ReceiptType::Read, ReceiptType::Delivered]);
    let id = client.send(PHONE, "normal").await;
    assert_eq!(receipts(&mut client, &id, 2).await, [ReceiptType::Delivered, ReceiptType::Read]);
    client.stop().await;
    sim.stop(PATIENCE).await;
}
