//! Ends connections from which nothing comes.
//!
//! Clients ask for a sign of life every 15 to 30 s (seen with whatsapp-rust 0.7, Baileys 7 and
//! whatsmeow). The server asks a quiet one in its turn; whatsmeow does not answer that, so no
//! answer is demanded: anything that comes counts.

use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::stanza;

/// How long a connection has been quiet.
pub(crate) struct KeepAlive {
    limit: Duration,
    heard: Instant,
    asked: Option<Instant>,
}

/// What to do about a quiet connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask whether it is there.
    Ask,
    /// Give it up.
    GiveUp,
}

impl KeepAlive {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, heard: Instant::now(), asked: None }
    }

    /// Something came.
    pub(crate) fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = None;
    }

    /// Waits until something is to be done, and says what.
    pub(crate) async fn due(&self) -> Due {
        let (since, due) = match self.asked {
            Some(asked) => (asked, Due::GiveUp),
            None => (self.heard, Due::Ask),
        };
        tokio::time::sleep_until(since + self.limit / 2).await;
        due
    }

    /// The connection is being asked.
    pub(crate) fn asking(&mut self, id: &str) -> Node {
        self.asked = Some(Instant::now());
        NodeBuilder::new("iq")
            .attr("from", stanza::server())
            .attr("id", id)
            .attr("type", "get")
            .attr("xmlns", "urn:xmpp:ping")
            .build()
    }

    /// The reason for which it is given up.
    pub(crate) fn reason(&self) -> String {
        format!("nothing came from the client for {} ms", self.limit.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_quiet_connection_is_asked_first_and_then_given_up() {
        let mut quiet = KeepAlive::new(Duration::from_millis(2));
        assert_eq!(quiet.due().await, Due::Ask);
        quiet.asking("a");
        assert_eq!(quiet.due().await, Due::GiveUp);
        quiet.heard();
        assert_eq!(quiet.due().await, Due::Ask);
    }
}
