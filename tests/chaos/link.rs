//! The way from one worker to one server, which can be cut or lead nowhere.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Pass,
    /// What comes is thrown away, and no end is told; new connections too.
    Swallow,
    /// Connections are closed, new ones as well.
    Cut,
}

/// Listens on a port of its own and passes connections on to the first of its servers that answers.
pub struct Link {
    address: String,
    mode: Arc<watch::Sender<Mode>>,
    accept: JoinHandle<()>,
}

impl Link {
    async fn start(servers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, _) = watch::channel(Mode::Pass);
        let mode = Arc::new(tell);
        let told = Arc::clone(&mode);
        let accept = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(_) = connections.join_next(), if !connections.is_empty() => {}
                    accepted = listener.accept() => {
                        let Ok((client, _)) = accepted else { return };
                        connections.spawn(connect(client, servers.clone(), told.subscribe()));
                    }
                }
            }
        });
        Self { address, mode, accept }
    }

    /// The URL that leads through a link to the server of `url` (`scheme://[user:password@]host:port[/…]`), or to one of
    /// these servers.
    pub async fn before(url: &str, servers: Option<Vec<String>>) -> (Self, String) {
        let start = url.find('@').map_or_else(|| url.find("://").unwrap() + 3, |at| at + 1);
        let end = url[start..].find('/').map_or(url.len(), |slash| start + slash);
        let link = Self::start(servers.unwrap_or_else(|| vec![url[start..end].to_owned()])).await;
        let url = format!("{}{}{}", &url[..start], link.address, &url[end..]);
        (link, url)
    }

    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }

    pub fn swallow(&self) {
        self.mode.send_replace(Mode::Swallow);
    }

    /// Whole again; what was swallowed meanwhile belongs to connections that can't go on, so these are closed first.
    pub fn mend(&self) {
        self.mode.send_replace(Mode::Cut);
        self.mode.send_replace(Mode::Pass);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

async fn connect(client: TcpStream, servers: Vec<String>, mut mode: watch::Receiver<Mode>) {
    // A connection knows the breaks that come after it.
    let begun = *mode.borrow_and_update();
    if begun == Mode::Cut {
        return;
    }
    for server in servers {
        if let Ok(server) = TcpStream::connect(&server).await {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pass(from_client, to_server, mode.clone(), begun) => {}
                () = pass(from_server, to_client, mode, begun) => {}
            }
            return;
        }
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
    mut now: Mode,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            biased;
            changed = mode.changed() => {
                let next = *mode.borrow_and_update();
                // From a break back to a whole link: this connection has lost something.
                if changed.is_err() || next == Mode::Cut || now == Mode::Swallow {
                    return;
                }
                now = next;
            }
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) if now == Mode::Swallow => {}
                Ok(count) => if to.write_all(&buffer[..count]).await.is_err() { return },
            },
        }
    }
}
