//! The phone's receipts: WhatsApp hears that one came only after it is recorded, so a death in between loses none.

use kurir_core::domain::EventKind;

use crate::death::{died, stop};
use crate::http::until;
use crate::in_both_modes;
use crate::job::Job;
use crate::world::{Mode, World};

const TO: &str = "6281600000007";

/// Phones say that a message arrived, long enough after the server's answer that its job has come to its end.
const RECEIPTS: [(&str, &str); 1] = [("KURIR_SIMULATOR__DELIVERED_AFTER", "1500ms")];

in_both_modes!(arrival_and_record, record_and_acknowledgement);

/// Dies at the point with a receipt; another one gets it again. Gives how often it was told.
async fn told_by_the_successor(mode: Mode, point: &str) -> usize {
    let mut world = World::start(mode, &RECEIPTS).await;
    let first = world.sender(Some(point)).await;
    world.link().await;
    let job = Job::to(TO);
    world.publish(&job).await;
    died(first, point).await;
    let second = world.sender(None).await;
    job.is(&world, "delivered").await;
    until("the event of it", async || {
        let told = job.told(&world, EventKind::MessageDelivered).await;
        if told.is_empty() { Err("none".to_owned()) } else { Ok(()) }
    })
    .await;
    world.settles().await;
    stop(second).await;
    let told = job.told(&world, EventKind::MessageDelivered).await;
    assert!(told.iter().all(|id| *id == told[0]), "one receipt under several ids: {told:?}");
    assert_eq!(job.got(&world).await.shown, 1);
    told.len()
}

/// Nothing was recorded: WhatsApp delivers it again. Before it dies the process stands still there for a while, so that an
/// acknowledgement that does not wait for the ledger gets out.
async fn arrival_and_record(mode: Mode) {
    assert_eq!(told_by_the_successor(mode, "receipt-arrived:1:1000").await, 1);
}

/// It is in the ledger, and WhatsApp delivers it again: the successor recognises it.
async fn record_and_acknowledgement(mode: Mode) {
    let times = told_by_the_successor(mode, "receipt-stored").await;
    assert!((1..=2).contains(&times), "told {times} times");
}
