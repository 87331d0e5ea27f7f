//! Routes of the control interface.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{Stream, StreamExt, unfold};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;

use crate::account::PhoneNumber;
use crate::error::SimError;
use crate::fault::{Fault, FaultId};
use crate::operations::{self, PhonePage};
use crate::phone::PhoneBehaviour;
use crate::server;
use crate::world::World;

const PAGE: &str = include_str!("page.html");
const BODY_LIMIT: usize = 64 * 1024;
const DEFAULT_PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

type Shared = State<Arc<Control>>;

pub(super) struct Control {
    pub(super) world: Arc<World>,
    websocket: SocketAddr,
}

/// Serves the control interface until the simulator stops.
pub(crate) async fn serve(world: Arc<World>, listener: TcpListener, websocket: SocketAddr) {
    let stop = world.stop.clone();
    let routes = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/healthz", get(async || "ok"))
        .route("/root-key", get(root_key))
        .route("/accounts", get(accounts))
        .route("/accounts/{number}/devices/{device}/logout", post(log_out))
        .route("/scan", post(scan))
        .route("/phones/{number}", get(phone).put(set_phone))
        .route("/phones/{number}/inbox", get(inbox))
        .route("/phones/{number}/send", post(send))
        .route("/inboxes", get(inboxes))
        .route("/connections/drop", post(drop_connection))
        .route("/faults", get(faults).post(set_fault))
        .route("/faults/{id}", delete(clear_fault))
        .route("/journal", get(journal))
        .route("/counters", get(counters))
        .route("/events", get(events))
        .merge(super::phones::routes())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(Control { world, websocket }));
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "the control interface failed");
    }
}

impl IntoResponse for SimError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotANumber { .. } | Self::BadQr { .. } | Self::BadFault { .. } => StatusCode::BAD_REQUEST,
            Self::UnknownQr | Self::NotRegistered(_) | Self::NoSuchDevice { .. } => StatusCode::NOT_FOUND,
            Self::TooManyDevices { .. } | Self::Banned(_) | Self::NotConnected { .. } => StatusCode::CONFLICT,
            Self::PairingFailed { .. } | Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

async fn root_key(State(control): Shared) -> Json<serde_json::Value> {
    let key = control.world.keys.root_public();
    let hex = key.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let url = format!("ws://{}/ws/chat", control.websocket);
    Json(json!({ "hex": hex, "base64": STANDARD.encode(key), "websocket": url }))
}

async fn accounts(State(control): Shared) -> Json<Vec<operations::AccountView>> {
    Json(operations::accounts(&control.world))
}

async fn log_out(
    State(control): Shared,
    Path((number, device)): Path<(PhoneNumber, u16)>,
) -> Result<StatusCode, SimError> {
    operations::log_out(&control.world, number, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    qr: String,
    phone: PhoneNumber,
}

async fn scan(
    State(control): Shared,
    Json(Scan { qr, phone }): Json<Scan>,
) -> Result<Json<server::LinkedDevice>, SimError> {
    Ok(Json(server::scan(&control.world, &qr, phone).await?))
}

async fn phone(State(control): Shared, Path(number): Path<PhoneNumber>) -> Json<operations::PhoneView> {
    Json(operations::phone(&control.world, number))
}

async fn set_phone(
    State(control): Shared,
    Path(number): Path<PhoneNumber>,
    Json(behaviour): Json<PhoneBehaviour>,
) -> Result<StatusCode, SimError> {
    operations::set_phone(&control.world, number, behaviour)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn inbox(State(control): Shared, Path(number): Path<PhoneNumber>) -> Json<Vec<crate::InboxMessage>> {
    Json(operations::phone(&control.world, number).inbox)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: PhoneNumber,
    text: String,
}

async fn send(
    State(control): Shared,
    Path(from): Path<PhoneNumber>,
    Json(Send { to, text }): Json<Send>,
) -> Result<Json<serde_json::Value>, SimError> {
    let id = server::send_text(&control.world, from, to, &text).await?;
    Ok(Json(json!({ "id": id })))
}

#[derive(Deserialize)]
struct Paging {
    after: Option<PhoneNumber>,
    limit: Option<usize>,
}

fn page_size(limit: Option<usize>) -> usize {
    limit.unwrap_or(DEFAULT_PAGE).clamp(1, LARGEST_PAGE)
}

async fn inboxes(State(control): Shared, Query(paging): Query<Paging>) -> Json<PhonePage> {
    Json(operations::phones(&control.world, paging.after, page_size(paging.limit)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    account: PhoneNumber,
    device: u16,
}

async fn drop_connection(
    State(control): Shared,
    Json(Connection { account, device }): Json<Connection>,
) -> Result<StatusCode, SimError> {
    operations::drop_connection(&control.world, account, device).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize)]
struct FaultInForce {
    id: FaultId,
    fault: Fault,
}

async fn faults(State(control): Shared) -> Json<Vec<FaultInForce>> {
    let faults = control.world.faults.list();
    Json(faults.into_iter().map(|(id, fault)| FaultInForce { id, fault }).collect())
}

async fn set_fault(State(control): Shared, Json(fault): Json<Fault>) -> Result<Json<serde_json::Value>, SimError> {
    let id = operations::fault(&control.world, fault).await?;
    Ok(Json(json!({ "id": id })))
}

async fn clear_fault(State(control): Shared, Path(id): Path<FaultId>) -> StatusCode {
    if control.world.faults.remove(id) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

#[derive(Deserialize)]
struct JournalPaging {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn journal(State(control): Shared, Query(paging): Query<JournalPaging>) -> Response {
    let entries = control.world.journal.read(paging.after, page_size(paging.limit));
    Json(entries.iter().map(|entry| &**entry).collect::<Vec<_>>()).into_response()
}

async fn counters(State(control): Shared) -> Json<crate::Counters> {
    Json(control.world.journal.counters())
}

/// The journal as it is written. A listener that is too slow gets an event `missed` with the number
/// of entries it did not get; `/journal` has them.
async fn events(State(control): Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let entries = unfold(control.world.journal.follow(), async |mut listener| {
        let event = match listener.recv().await {
            Ok(entry) => Event::default().id(entry.seq.to_string()).json_data(&*entry).unwrap_or_default(),
            Err(RecvError::Lagged(missed)) => Event::default().event("missed").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), listener))
    });
    let stop = control.world.stop.clone().cancelled_owned();
    Sse::new(entries.take_until(stop)).keep_alive(KeepAlive::default())
}
