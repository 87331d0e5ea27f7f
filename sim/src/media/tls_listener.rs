//! Connections of the media server, encrypted before the HTTP side sees them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::world::World;

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once, and encrypted connections that wait to be served.
const BACKLOG: usize = 64;

type Ready = (TlsStream<TcpStream>, SocketAddr);

/// Hands out connections whose handshake is done.
pub(super) struct TlsListener {
    ready: mpsc::Receiver<Ready>,
    local: SocketAddr,
}

impl TlsListener {
    /// Accepts connections of `listener` until the simulator stops. A client that dawdles over its
    /// handshake keeps nobody else waiting.
    pub(super) fn start(world: &Arc<World>, listener: TcpListener) -> std::io::Result<Self> {
        let local = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(BACKLOG);
        world.tasks.spawn(accept(Arc::clone(world), listener, sender));
        Ok(Self { ready, local })
    }
}

async fn accept(world: Arc<World>, listener: TcpListener, ready: mpsc::Sender<Ready>) {
    let acceptor = TlsAcceptor::from(world.media.tls());
    let places = Arc::new(Semaphore::new(BACKLOG));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = world.stop.cancelled() => return,
            accepted = accepted => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: wait for some to be returned.
                tracing::warn!(%error, "can't accept a media connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (acceptor, ready, stop) = (acceptor.clone(), ready.clone(), world.stop.clone());
        world.tasks.spawn(async move {
            let shake = async {
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    // Nobody waits for connections when the simulator stops.
                    Ok(Ok(encrypted)) => drop(ready.send((encrypted, peer)).await),
                    Ok(Err(error)) => tracing::debug!(%error, "a media connection has no TLS"),
                    Err(_) => tracing::debug!("a media connection's handshake took too long"),
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = shake => {}
            }
            drop(place);
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Ready {
        match self.ready.recv().await {
            Some(ready) => ready,
            // The simulator stops, and the server is told so elsewhere.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.local)
    }
}
