//! The suite that every store passes.

use std::sync::Arc;

use kurir::adapters::postgres::PostgresStore;
use kurir_core::contract::{Stores, VaultPorts, media_store, session_vault, stores, vigil};
use kurir_core::port::{MediaStore, Vigil};

use crate::database::with_database;

/// All ports of a store.
fn ports(store: &Arc<PostgresStore>) -> Stores {
    Stores {
        sessions: store.clone(),
        state: store.clone(),
        ledger: store.clone(),
        outbox: store.clone(),
        keys: store.clone(),
        index: store.clone(),
        requests: store.clone(),
        verifications: store.clone(),
        log: store.clone(),
        webhooks: store.clone(),
        templates: store.clone(),
        suppressions: store.clone(),
        users: store.clone(),
        alerts: store.clone(),
        media: store.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_its_promises() {
    with_database(async |database| {
        stores(async || ports(&Arc::new(database.store().await.0))).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_keeps_its_promises() {
    with_database(async |database| {
        session_vault(async || {
            let store = Arc::new(database.store().await.0);
            VaultPorts { vault: store.clone(), stores: ports(&store) }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_files_keeps_its_promises() {
    with_database(async |database| {
        media_store(async || {
            let store: Arc<dyn MediaStore> = Arc::new(database.store().await.0);
            store
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vigil_keeps_its_promises() {
    with_database(async |database| {
        vigil(async || {
            let store: Arc<dyn Vigil> = Arc::new(database.store().await.0);
            store
        })
        .await;
    })
    .await;
}
