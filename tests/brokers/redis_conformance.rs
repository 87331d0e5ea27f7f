//! The suites of the ports that Redis serves.

use std::sync::Arc;

use kurir_core::contract::{lease_store, membership, recipient_limits, wishes};
use kurir_core::port::{LeaseStore, Membership, RecipientLimits, Wishes};

use crate::servers::redis;

#[tokio::test(flavor = "multi_thread")]
async fn leases_keep_their_promises() {
    lease_store(async || Arc::new(redis().await) as Arc<dyn LeaseStore>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_register_keeps_its_promises() {
    membership(async || Arc::new(redis().await) as Arc<dyn Membership>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_keep_their_promises() {
    recipient_limits(async || Arc::new(redis().await) as Arc<dyn RecipientLimits>).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wishes_keep_their_promises() {
    wishes(async || Arc::new(redis().await) as Arc<dyn Wishes>).await;
}
