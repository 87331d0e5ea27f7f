//! Connections: how many, how long, and how they end.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::room::{Answer, Place, Room};

/// How long to wait after an accept that failed, which is mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What bounds the server.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub header_timeout: Duration,
    pub max_connections: usize,
    pub stop_deadline: Duration,
}

/// What a stop had to cut off at its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Abandoned {
    /// Connections with a request that had not ended.
    pub connections: usize,
    /// Pieces of work that had not ended though their callers may have gone.
    pub tasks: usize,
}

pub(super) async fn serve(
    listener: TcpListener,
    router: axum::Router,
    tasks: TaskTracker,
    limits: Limits,
    (stopping, stop): (CancellationToken, CancellationToken),
) -> Abandoned {
    let room = Room::new(limits.max_connections);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                // What comes after it waits in the system's own queue.
                let place = tokio::select! {
                    () = stop.cancelled() => break,
                    place = room.enter() => place,
                };
                let peer = Peer(peer.ip());
                connections.spawn(drive((stream, peer), router.clone(), limits.header_timeout, place, stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    stopping.cancel();
    tasks.close();
    let ended = async {
        while connections.join_next().await.is_some() {}
        tasks.wait().await;
    };
    if tokio::time::timeout(limits.stop_deadline, ended).await.is_ok() {
        return Abandoned::default();
    }
    let abandoned = Abandoned { connections: connections.len(), tasks: tasks.len() };
    connections.shutdown().await;
    tracing::warn!(connections = abandoned.connections, tasks = abandoned.tasks, "requests were cut off by the stop");
    abandoned
}

/// Ends a connection at once, whatever is still to be written on it; each request has its connection's.
#[derive(Clone)]
pub(super) struct ConnectionEnd(CancellationToken);

impl ConnectionEnd {
    /// Ends it.
    pub fn end(&self) {
        self.0.cancel();
    }
}

/// Who is at the other end of the connection; each request has it. It may be a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(pub IpAddr);

async fn drive(
    (stream, peer): (TcpStream, Peer),
    router: axum::Router,
    header_timeout: Duration,
    place: Place,
    stop: CancellationToken,
) {
    // Answers are small; they must not wait for the caller's acknowledgement of the previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended at once");
        return;
    }
    let cut = ConnectionEnd(CancellationToken::new());
    let (router, visit, handed) = (TowerToHyperService::new(router), place.visit(), cut.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(handed.clone());
        request.extensions_mut().insert(peer);
        let busy = visit.busy();
        let answering = router.call(request);
        async move { answering.await.map(|answer: Response<_>| answer.map(|body| Answer::new(body, busy))) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let end = place.end();
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = cut.0.cancelled() => return,
        () = async { tokio::select! { () = stop.cancelled() => {}, () = end.cancelled() => {} } } => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                served = connection => served,
                () = cut.0.cancelled() => return,
            }
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
