//! Dialling WhatsApp. The library's own transport leaves Nagle's algorithm on, which costs 40 ms per message on a
//! connection that sends one after another; so this one dials itself and hands the WebSocket over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderValue, ORIGIN};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_websockets::ClientBuilder;
use tracing::Instrument as _;
use whatsapp_rust::async_channel::{Receiver, Sender, bounded};
use whatsapp_rust::transport::{Transport, TransportEvent, TransportFactory, from_websocket};
use whatsapp_rust::wacore::net::WHATSAPP_WEB_ORIGIN;
use whatsapp_rust::wacore::stats::TransportResourceReport;

use super::event_queue::EventQueue;
use super::options::Target;
use super::receipt_gate::{Lost, ReceiptGate, Since};
use super::write_fence::WriteFence;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It took too long.
    #[error("no connection within {0:?}")]
    TooSlow(Duration),
    /// TCP or name resolution failed.
    #[error("no TCP connection")]
    Tcp(#[from] std::io::Error),
    /// A build for the simulator reached another machine.
    #[error("the simulator's name leads to {0}, which is not this machine")]
    NotLoopback(SocketAddr),
    /// TLS could not be set up.
    #[error("TLS failed")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The WebSocket's upgrade failed.
    #[error("the WebSocket was not accepted")]
    WebSocket(#[from] tokio_websockets::Error),
    /// The host is no name that a certificate could be for.
    #[error("the endpoint's host is no server name")]
    ServerName(#[from] tokio_rustls::rustls::pki_types::InvalidDnsNameError),
}

/// TLS with the roots that browsers trust and with *ring*; nothing is installed for the whole process.
pub(super) fn tls_config() -> Result<Arc<ClientConfig>, tokio_rustls::rustls::Error> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens the connections of one session.
pub(super) struct Dialer {
    pub target: Target,
    pub tls: Arc<ClientConfig>,
    pub limit: Duration,
    /// Where events wait for their reader: while too many do, nothing is read from the socket.
    pub events: Arc<EventQueue>,
    /// What must be stored before anything more is sent.
    pub receipts: Arc<ReceiptGate>,
    /// What must not be sent late.
    pub fence: Arc<WriteFence>,
    pub tasks: TaskTracker,
    /// The client stops: its reader is not waited for any more.
    pub stop: CancellationToken,
    /// The client was left as it is: its socket is cut.
    pub abort: CancellationToken,
    pub span: tracing::Span,
}

/// How long the closing frame of a socket that is cut may take.
const CUT_LIMIT: Duration = Duration::from_millis(200);

type Opened = (Arc<dyn Transport>, Receiver<TransportEvent>);

#[async_trait]
impl TransportFactory for Dialer {
    async fn create_transport(&self) -> Result<Opened, anyhow::Error> {
        let opened = tokio::time::timeout(self.limit, self.dial()).await;
        let (transport, frames) = opened.map_err(|_| DialError::TooSlow(self.limit))??;
        let (held, frames_held) = bounded(1);
        let passing = hold_back(frames, held, Arc::clone(&self.events), self.stop.clone());
        let (socket, abort) = (Arc::clone(&transport), self.abort.clone());
        let until_closed = async move {
            tokio::select! {
                () = passing => {}
                () = abort.cancelled() => {
                    // A peer that takes nothing more does not take the closing frame either.
                    let _ = tokio::time::timeout(CUT_LIMIT, socket.disconnect()).await;
                }
            }
        };
        self.tasks.spawn(until_closed.instrument(self.span.clone()));
        self.fence.renew();
        let gated = Gated {
            inner: transport,
            since: self.receipts.since(),
            receipts: Arc::clone(&self.receipts),
            fence: Arc::clone(&self.fence),
            abort: self.abort.clone(),
        };
        Ok((Arc::new(gated), frames_held))
    }
}

impl Dialer {
    async fn dial(&self) -> Result<Opened, DialError> {
        let tcp = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
        tcp.set_nodelay(true)?;
        if self.target.tls {
            let name = ServerName::try_from(self.target.host.clone())?;
            let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, tcp).await?;
            return self.upgrade(tls).await;
        }
        // `localhost` is what the machine's name service says it is.
        let peer = tcp.peer_addr()?;
        if !peer.ip().is_loopback() {
            return Err(DialError::NotLoopback(peer));
        }
        self.upgrade(tcp).await
    }

    async fn upgrade<S>(&self, stream: S) -> Result<Opened, DialError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let request = ClientBuilder::from_uri(self.target.uri.clone())
            .add_header(ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN))?;
        let (websocket, _) = request.connect_on(stream).await?;
        Ok(from_websocket(websocket))
    }
}

/// Sends nothing before the receipts that came earlier are stored, and no message after its time.
struct Gated {
    inner: Arc<dyn Transport>,
    receipts: Arc<ReceiptGate>,
    since: Since,
    fence: Arc<WriteFence>,
    abort: CancellationToken,
}

impl Gated {
    /// Ends the connection, on which nothing more may go out.
    async fn end(&self, why: impl Into<anyhow::Error>) -> anyhow::Error {
        let _ = tokio::time::timeout(CUT_LIMIT, self.inner.disconnect()).await;
        why.into()
    }
}

#[async_trait]
impl Transport for Gated {
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        let passed = tokio::select! {
            passed = self.receipts.pass(self.since) => passed,
            () = self.abort.cancelled() => Err(Lost),
        };
        if let Err(lost) = passed {
            if !self.abort.is_cancelled() {
                tracing::warn!("receipts can't be recorded; the connection ends, and WhatsApp delivers them again");
            }
            return Err(self.end(lost).await);
        }
        if let Err(late) = self.fence.pass() {
            tracing::warn!("a message would have been written after its time; the connection ends instead");
            return Err(self.end(late).await);
        }
        self.inner.send(data).await
    }

    async fn disconnect(&self) {
        self.inner.disconnect().await;
    }

    fn resource_report(&self) -> Option<TransportResourceReport> {
        self.inner.resource_report()
    }
}

/// Passes on what was read, but only while the reader of the events keeps up: the library hands events out without
/// waiting, so this is where a slow reader is felt, and TCP carries it on to WhatsApp.
async fn hold_back(
    frames: Receiver<TransportEvent>,
    held: Sender<TransportEvent>,
    events: Arc<EventQueue>,
    stop: CancellationToken,
) {
    while let Ok(frame) = frames.recv().await {
        if matches!(frame, TransportEvent::DataReceived(_)) {
            tokio::select! {
                () = events.room() => {}
                () = held.closed() => return,
                // Stopping, the answers that the library still needs must not wait for a reader that may have gone.
                () = stop.cancelled() => {}
            }
        }
        if held.send(frame).await.is_err() {
            return;
        }
    }
}
