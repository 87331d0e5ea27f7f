//! Where sockets come in: Socket.IO over WebSocket and long polling, at `/socket.io/`.
//!
//! A connection of Engine.IO, which carries Socket.IO, has a seat from its first request to its end, whether or not it ever
//! says who it is; so what strangers can hold is bounded. Whoever says who he is takes a place among the streams of his key.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{self, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use kurir_core::domain::Scope;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{HttpExtension, SocketRef, TryData};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::service::SocketIoService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_util::sync::CancellationToken;

use super::super::{Desk, Guest, Refusal};
use super::patient::Patient;
use super::telling::Telling;
use super::words;
use crate::gateway::stream_limit::Place;

/// How long a connection may take to say who it is.
const GREETING: Duration = Duration::from_secs(10);

/// Largest request or message of a client, bytes; there is little to say.
const MOST_HEARD: usize = 16 << 10;

/// Most events that wait for a socket.
const ROOM: usize = 256;

/// How long requests that wait for something to tell may go on at a stop: their sockets are cut off meanwhile.
const FAREWELL: Duration = Duration::from_secs(3);

/// The routes of the sockets. They last as long as their callers like, so no limit of time belongs around them.
pub(in crate::gateway::dialects) fn routes(desk: &Arc<Desk>) -> Router<Arc<Desk>> {
    let hall = Arc::new(Hall::new(Arc::clone(desk)));
    // Both are asked for, depending on the client's settings.
    let sockets = Router::new().route("/socket.io", any(knock)).route("/socket.io/", any(knock));
    sockets.with_state(hall)
}

struct Hall {
    desk: Arc<Desk>,
    service: SocketIoService<Nowhere>,
    seats: Arc<Semaphore>,
}

/// Where requests go that are for no socket; none come here.
#[derive(Clone)]
struct Nowhere;

impl Service<Request> for Nowhere {
    type Response = Response;
    type Error = Infallible;
    type Future = Ready<Result<Response, Infallible>>;

    fn call(&self, _: Request) -> Self::Future {
        ready(Ok(StatusCode::NOT_FOUND.into_response()))
    }
}

/// A connection's seat; it goes with the connection.
struct Seat {
    _permit: OwnedSemaphorePermit,
    taken: OnceLock<(Guest, Place)>,
}

impl Hall {
    fn new(desk: Arc<Desk>) -> Self {
        let (service, io) = SocketIo::builder()
            .connect_timeout(GREETING)
            .max_buffer_size(ROOM)
            .max_payload(MOST_HEARD as u64)
            .ws_max_message_size(MOST_HEARD)
            .ws_max_frame_size(MOST_HEARD)
            .build_with_inner_svc(Nowhere);
        let seats = Arc::new(Semaphore::new(desk.app.streams.most()));
        let (of_greeting, of_telling) = (Arc::clone(&desk), Arc::clone(&desk));
        let greeted =
            move |socket: SocketRef, HttpExtension(seat): HttpExtension<Arc<Seat>>, TryData(said): TryData<Value>| {
                let desk = Arc::clone(&of_greeting);
                async move { greet(&desk, &socket, &seat, said.ok().as_ref()).await.map_err(Turned) }
            };
        let seated = move |io: SocketIo, socket: SocketRef, HttpExtension(seat): HttpExtension<Arc<Seat>>| {
            let desk = Arc::clone(&of_telling);
            async move { begin(desk, io, socket, &seat) }
        };
        io.ns("/", seated.with(greeted));
        Self { desk, service, seats }
    }
}

/// Why a socket is turned away, in the words that its client gets.
struct Turned(Refusal);

impl fmt::Display for Turned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::Full => f.write_str("Terlalu banyak koneksi, coba lagi nanti"),
            other => f.write_str(&words(other)),
        }
    }
}

/// The key in a client's option `auth`.
fn key_of(said: Option<&Value>) -> Option<&str> {
    let said = said?;
    ["key", "token", "apiKey"].iter().find_map(|name| said.get(name)?.as_str())
}

/// Lets a socket in, or turns it away.
async fn greet(desk: &Desk, socket: &SocketRef, seat: &Seat, said: Option<&Value>) -> Result<(), Refusal> {
    if desk.app.stopping.is_cancelled() {
        return Err(Refusal::Unavailable);
    }
    let head = socket.req_parts();
    let guest = desk.caller(key_of(said), &head.headers, &head.uri).await?;
    guest.needs(Scope::Read)?;
    let place = desk.app.streams.take(guest.record()).ok_or(Refusal::Full)?;
    // Who was let in before keeps his name as long as the connection lasts; clients that leave end their connection.
    seat.taken.set((guest, place)).map_err(|_| Refusal::Full)
}

/// Begins to tell a socket what happens.
fn begin(desk: Arc<Desk>, io: SocketIo, socket: SocketRef, seat: &Seat) {
    let Some((guest, _)) = seat.taken.get() else { return };
    let gone = CancellationToken::new();
    let left = gone.clone();
    socket.on_disconnect(move || {
        let left = left.clone();
        async move { left.cancel() }
    });
    let tasks = desk.app.tasks.clone();
    tasks.spawn(Telling { desk, guest: guest.clone(), io, socket, gone }.run());
}

/// What a request is for.
struct Wish {
    /// It begins a connection.
    begins: bool,
    /// It wants to become a WebSocket of the version that is spoken here.
    upgrades: bool,
    /// It brings packets.
    brings: bool,
}

fn wish(request: &Request) -> Wish {
    let query = request.uri().query().unwrap_or_default();
    let says = |part: &str| query.split('&').any(|said| said == part);
    Wish {
        begins: !query.split('&').any(|said| said.starts_with("sid=")),
        upgrades: says("transport=websocket") && says("EIO=4") && request.method() == Method::GET,
        brings: request.method() == Method::POST,
    }
}

/// A request of a socket.
async fn knock(State(hall): State<Arc<Hall>>, mut request: Request) -> Result<Response, Refusal> {
    let app = &hall.desk.app;
    if app.stopping.is_cancelled() {
        return Err(Refusal::Unavailable);
    }
    let Wish { begins, upgrades, brings } = wish(&request);
    if begins {
        let permit = Arc::clone(&hall.seats).try_acquire_owned().map_err(|_| Refusal::Full)?;
        request.extensions_mut().insert(Arc::new(Seat { _permit: permit, taken: OnceLock::new() }));
    }
    if upgrades {
        return Ok(upgrade(&hall, request));
    }
    // A request that brings something has to bring it in time; one that asks waits for something to tell.
    let lasts = brings.then_some(app.request_timeout);
    let answered = hall.service.call(request);
    tokio::select! {
        answer = answered => {
            let Ok(answer) = answer;
            Ok(answer.map(Body::new))
        }
        () = over(lasts) => Err(Refusal::TookTooLong),
        () = async { app.stopping.cancelled().await; tokio::time::sleep(FAREWELL).await } => Err(Refusal::Unavailable),
    }
}

/// Ends after this time, or never where there is none.
async fn over(lasts: Option<Duration>) {
    match lasts {
        Some(lasts) => tokio::time::sleep(lasts).await,
        None => std::future::pending().await,
    }
}

/// Makes a WebSocket of a request, on which a client that stops reading is given up.
fn upgrade(hall: &Hall, mut request: Request) -> Response {
    let upgraded = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let request = http::Request::from_parts(head, ());
    let Ok(answer) = create_response(&request) else {
        return (StatusCode::BAD_REQUEST, "this is no WebSocket handshake of version 13").into_response();
    };
    let (service, patience) = (hall.service.clone(), hall.desk.app.stream_patience);
    // It ends with the connection, or with the handshake that fails.
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let stream = Patient::new(TokioIo::new(upgraded), patience);
            if service.call((stream, request)).await.is_err() {
                tracing::debug!("a WebSocket belongs to no connection");
            }
        }
    });
    answer.map(|()| Body::empty())
}
