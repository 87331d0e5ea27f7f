//! RabbitMQ: the fleet's job queues and event exchange, on the topology of contract v1.
//!
//! One [`RabbitMq`] holds a connection for publishing and one or more for consuming, because a broker short of memory
//! or disk stops reading from a connection that publishes; deliveries and acknowledgements must go on then. Each
//! connection is supervised: when it is lost, streams end with an error, calls wait for the next connection within
//! their time limit, and the whole topology is declared again before anything else happens on it.
//!
//! Works on RabbitMQ 3.10 and 4.x: attempts are counted in a header of ours, `x-death` is never read, no plugin is
//! needed, and no feature is used that 4.x deprecates.

mod call_desk;
mod call_line;
mod calls;
mod channels;
mod connection;
mod consume;
mod dead;
mod dead_headers;
mod error;
mod event_feed;
mod events;
mod headers;
mod options;
mod publish;
mod queues;
mod settle;
pub mod topology;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kurir_core::port::PortError;

use self::call_desk::CallDesk;
use self::call_line::CallLine;
use self::channels::{ChannelPool, Mode};
use self::connection::{Dialer, Link};
use self::publish::Publisher;

pub use self::error::RabbitError;
pub use self::options::{QueueKind, RabbitOptions};

/// The job queues and the event exchange on RabbitMQ. Cheap to clone.
#[derive(Clone)]
pub struct RabbitMq {
    shared: Arc<Shared>,
}

/// What the parts of the adapter have in common.
struct Shared {
    options: RabbitOptions,
    /// The user of our connections, as the broker knows it.
    user: String,
    publishing: Arc<Link>,
    consuming: Vec<Arc<Link>>,
    /// Which consuming connection the next stream is opened on.
    next: AtomicUsize,
    publisher: Publisher,
    /// Channels for declaring and asking; on a consuming connection, so that they work while the broker blocks
    /// publishers.
    control: ChannelPool,
    /// Calls to the owners of sessions.
    call_line: CallLine,
    /// Calls to the sessions that this process owns.
    call_desk: CallDesk,
}

impl RabbitMq {
    /// Connects and declares the topology.
    ///
    /// # Errors
    /// `Refused` when the URL, the credentials or an existing queue of another kind don't fit; `Unavailable` when the
    /// broker can't be reached.
    pub async fn connect(options: RabbitOptions) -> Result<Self, PortError> {
        Self::over(options, Link::open).await
    }

    /// The same, but a broker that can't be reached now is waited for in the background: calls fail until it is there.
    ///
    /// # Errors
    /// `Refused`, as [`RabbitMq::connect`], if the broker is there.
    pub async fn connect_when_there(options: RabbitOptions) -> Result<Self, PortError> {
        Self::over(options, Link::open_when_there).await
    }

    async fn over(
        options: RabbitOptions,
        open: impl AsyncFn(Dialer) -> Result<Link, RabbitError>,
    ) -> Result<Self, PortError> {
        let failed = |error: RabbitError| error.during("connecting");
        let dialer = Dialer::new(&options).map_err(failed)?;
        let user = dialer.user().to_owned();
        let publishing = Arc::new(open(dialer.for_role("publish")).await.map_err(failed)?);
        let mut consuming = Vec::new();
        for n in 0..options.consume_connections.max(1) {
            let link = open(dialer.for_role(&format!("consume-{n}"))).await.map_err(failed)?;
            consuming.push(Arc::new(link));
        }
        let publisher = Publisher::new(
            ChannelPool::new(publishing.clone(), Mode::Confirm, options.publish_channels),
            options.publish_timeout,
        );
        let control = ChannelPool::new(consuming[0].clone(), Mode::Plain, options.publish_channels);
        let next = AtomicUsize::new(0);
        let (call_line, call_desk) = (CallLine::new(publishing.clone()), CallDesk::default());
        let shared = Shared { options, user, publishing, consuming, next, publisher, control, call_line, call_desk };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Closes all connections: streams end, what is unsettled goes back to its queue. May be called again.
    pub async fn close(&self) {
        for link in &self.shared.consuming {
            link.close().await;
        }
        self.shared.publishing.close().await;
    }

    /// Whether both kinds of connections stand now and the broker takes messages.
    pub fn is_ready(&self) -> bool {
        let publishing = self.shared.publishing.is_up() && !self.shared.publishing.is_blocked();
        publishing && self.shared.consuming.iter().all(|link| link.is_up())
    }
}

impl Shared {
    /// The consuming connection for the next stream.
    fn consuming(&self) -> &Arc<Link> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.consuming[turn % self.consuming.len()]
    }
}
