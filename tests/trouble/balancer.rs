//! What stands before a cluster: each new connection goes to the first node that answers.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A balancer on a port of its own; its connections end with it.
pub struct Balancer {
    address: String,
    accept: JoinHandle<()>,
}

impl Balancer {
    /// Stands before these nodes (`host:port`), the first the best.
    pub async fn start(nodes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accept = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let nodes = nodes.clone();
                connections.spawn(async move {
                    for node in nodes {
                        if let Ok(mut server) = TcpStream::connect(&node).await {
                            // Whichever side ends it, it has ended.
                            let _ = copy_bidirectional(&mut client, &mut server).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, accept }
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}
