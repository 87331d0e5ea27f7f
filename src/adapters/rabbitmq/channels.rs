//! A pool of channels on one connection. A channel is used by one call at a time and thrown away when that call did
//! not come to its end: an error closes the channel, and late answers must not meet the next call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::RabbitError;
use super::connection::Link;

/// What the channels are for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Publishing with confirms.
    Confirm,
    /// Declaring and asking.
    Plain,
}

pub(super) struct ChannelPool {
    link: Arc<Link>,
    mode: Mode,
    permits: Semaphore,
    idle: Mutex<Vec<Channel>>,
}

/// A channel taken out of the pool. Dropping it closes the channel; [`Taken::put_back`] keeps it for the next call.
pub(super) struct Taken<'a> {
    channel: Channel,
    pool: &'a ChannelPool,
    _permit: SemaphorePermit<'a>,
}

impl ChannelPool {
    pub(super) fn new(link: Arc<Link>, mode: Mode, size: usize) -> Self {
        Self { link, mode, permits: Semaphore::new(size.max(1)), idle: Mutex::new(Vec::new()) }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) async fn take(&self, within: Duration) -> Result<Taken<'_>, RabbitError> {
        let open = async {
            let permit = self.permits.acquire().await.map_err(|_| RabbitError::Closed)?;
            let channel = match self.idle_channel() {
                Some(channel) => channel,
                None => self.open(within).await?,
            };
            Ok(Taken { channel, pool: self, _permit: permit })
        };
        timeout(within, open).await.map_err(|_| self.link.timed_out(within))?
    }

    fn idle_channel(&self) -> Option<Channel> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(channel) = idle.pop() {
            if channel.status().connected() {
                return Some(channel);
            }
        }
        None
    }

    async fn open(&self, within: Duration) -> Result<Channel, RabbitError> {
        let channel = self.link.connection(within).await?.create_channel().await?;
        if self.mode == Mode::Confirm {
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
        }
        Ok(channel)
    }
}

impl Taken<'_> {
    pub(super) const fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Keeps the channel for the next call: everything that was asked on it was answered.
    pub(super) fn put_back(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.channel.clone());
    }
}
