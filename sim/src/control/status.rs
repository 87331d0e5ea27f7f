//! The simulator itself: whether it runs, where clients connect, how much there is of everything.

use std::sync::atomic::Ordering;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::http::{Routes, Shared, apart};
use super::input::Json;
use super::problem::{Failure, Problems};
use crate::operations;
use crate::server;

pub(super) fn routes() -> Routes {
    Routes::new().routes(routes!(health)).routes(routes!(root_key)).routes(routes!(overview))
}

/// Whether the simulator runs.
#[utoipa::path(get, path = "/healthz", tag = "simulator", responses((status = 200, body = String, content_type = "text/plain", example = "ok")))]
async fn health() -> &'static str {
    "ok"
}

/// What a client must know.
#[derive(Serialize, ToSchema)]
struct RootKey {
    /// The public key that signs the server's certificates, in hexadecimal.
    hex: String,
    /// The same in base64.
    base64: String,
    /// Where clients connect.
    websocket: String,
}

/// The key to trust and the address to dial, for clients.
#[utoipa::path(get, path = "/root-key", tag = "simulator", responses((status = 200, body = RootKey), Problems))]
async fn root_key(State(control): Shared) -> Json<RootKey> {
    let key = control.world.keys.root_public();
    let hex = key.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let websocket = format!("ws://{}/ws/chat", control.websocket);
    Json(RootKey { hex, base64: STANDARD.encode(key), websocket })
}

/// How much there is of everything.
#[derive(Serialize, ToSchema)]
struct Overview {
    /// Accounts that have linked devices or are banned.
    accounts: usize,
    /// Linked devices.
    devices: usize,
    /// Linked devices that are connected.
    connected: usize,
    /// Accounts that are banned.
    banned: usize,
    /// Stanzas that devices have not acknowledged.
    waiting_stanzas: usize,
    /// Open client connections, those of clients that are not linked included.
    connections: usize,
    /// Clients that show a QR code.
    waiting_clients: usize,
    /// Position of the newest journal entry.
    journal: u64,
    /// The run of the simulator; another one after a restart.
    run: String,
}

/// How much there is of everything now.
#[utoipa::path(get, path = "/overview", tag = "simulator", responses((status = 200, body = Overview), Problems))]
async fn overview(State(control): Shared) -> Result<Json<Overview>, Failure> {
    let count = move || {
        let world = &control.world;
        // Read first: what happens while the rest is counted comes as an event after it.
        let journal = world.journal.last();
        let accounts = operations::accounts(world);
        let devices = || accounts.iter().flat_map(|account| &account.devices);
        Overview {
            accounts: accounts.len(),
            devices: devices().count(),
            connected: devices().filter(|device| device.connected).count(),
            banned: accounts.iter().filter(|account| account.banned).count(),
            waiting_stanzas: devices().map(|device| device.waiting).sum(),
            connections: world.connections.load(Ordering::Relaxed),
            waiting_clients: server::waiting(world).len(),
            journal,
            run: control.run.clone(),
        }
    };
    Ok(Json(apart(count).await?))
}
