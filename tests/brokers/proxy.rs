//! A TCP proxy that breaks connections on purpose.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// AMQP's class and method.
pub const BASIC_CONSUME: [u8; 4] = [0, 60, 0, 20];

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Everything goes through.
    Pass,
    /// Nothing goes through, in neither direction, and no end is told.
    Swallow,
    /// Once the client says this, what the server says waits.
    HoldAnswerTo([u8; 4]),
    /// What the server says waits.
    Hold,
    /// Both ends are closed.
    Cut,
}

/// Listens on a port of its own and passes connections on to a server.
pub struct Proxy {
    address: SocketAddr,
    /// In the order in which they were made.
    connections: Arc<Mutex<Vec<Arc<watch::Sender<Mode>>>>>,
    accept: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Arc<Mutex<Vec<Arc<watch::Sender<Mode>>>>> = Arc::default();
        let made = connections.clone();
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (tell, mode) = watch::channel(Mode::Pass);
                let tell = Arc::new(tell);
                made.lock().unwrap().push(Arc::clone(&tell));
                let server = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, mode.clone(), Some(tell)));
                tokio::spawn(pass(from_server, to_client, mode, None));
            }
        });
        Self { address, connections, accept }
    }

    /// The URL that leads through the proxy to the server of `url` (`scheme://[user:password@]host:port[/…]`).
    pub async fn before(url: &str) -> (Self, String) {
        let start = url.find('@').map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1);
        let end = url[start..].find('/').map_or(url.len(), |slash| start + slash);
        let proxy = Self::start(url[start..end].to_owned()).await;
        let url = format!("{}{}{}", &url[..start], proxy.address, &url[end..]);
        (proxy, url)
    }

    pub fn count(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    fn set(&self, only: Option<usize>, mode: Mode) {
        for (n, connection) in self.connections.lock().unwrap().iter().enumerate() {
            if only.is_none_or(|only| only == n) {
                connection.send_replace(mode);
            }
        }
    }

    /// Cuts all connections there are; new ones go through.
    pub fn cut(&self) {
        self.set(None, Mode::Cut);
    }

    /// From now on connection number `n` leads nowhere, though both ends believe in it.
    pub fn swallow(&self, n: usize) {
        self.set(Some(n), Mode::Swallow);
    }

    /// Once the client says `words` on connection number `n`, nothing that the server says comes through until it is
    /// [released](Self::release).
    pub fn hold_answer_to(&self, n: usize, words: [u8; 4]) {
        self.set(Some(n), Mode::HoldAnswerTo(words));
    }

    /// What was held comes through, and everything after it.
    pub fn release(&self, n: usize) {
        self.set(Some(n), Mode::Pass);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
        self.cut();
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
    of_client: Option<Arc<watch::Sender<Mode>>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let state = *mode.borrow_and_update();
        if state == Mode::Cut {
            return;
        }
        if state == Mode::Hold && of_client.is_none() {
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                // A byte that was read when the mode changed is swallowed with the rest.
                Ok(_) if *mode.borrow() == Mode::Swallow => {}
                Ok(count) => {
                    let said = |words: [u8; 4]| buffer[..count].windows(4).any(|window| window == words);
                    if let (Mode::HoldAnswerTo(words), Some(tell)) = (state, &of_client) && said(words) {
                        tell.send_replace(Mode::Hold);
                    }
                    if to.write_all(&buffer[..count]).await.is_err() {
                        return;
                    }
                }
            },
        }
    }
}
