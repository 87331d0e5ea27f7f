//! The dead letters for the tool that looks at them: only what keeps them is opened.

use std::sync::Arc;

use anyhow::Context as _;
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::{DeadLetters, Entropy};

use super::backends::Close;
use super::keys::{Missing, keyring};
use crate::adapters::rabbitmq::RabbitMq;
use crate::adapters::sqlite::{SqliteOptions, SqliteStore};
use crate::config::{Config, Role, StoreKind};

/// The dead letters of a fleet or of one process alone.
pub struct OpenDeadLetters {
    /// The port.
    pub letters: Arc<dyn DeadLetters>,
    close: Close,
}

impl OpenDeadLetters {
    /// Opens them: RabbitMQ's where the store is PostgreSQL, else those in the SQLite file, which no other process may
    /// have open.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        config.require_for(Role::Dead)?;
        match config.store.kind {
            StoreKind::Postgres => {
                let options = super::fleet::rabbitmq(config, "dead");
                let rabbit = RabbitMq::connect(options).await.context("RabbitMQ (rabbitmq.url) can't be used")?;
                let letters = Arc::new(rabbit.clone());
                Ok(Self { letters, close: Box::new(move || Box::pin(async move { rabbit.close().await })) })
            }
            StoreKind::Sqlite => {
                let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
                let keys = keyring(&config.store, Missing::Refuse, &*entropy)?;
                let path = config.sqlite.path.clone();
                let options = SqliteOptions { busy_timeout: config.sqlite.busy_timeout, ..SqliteOptions::new(path) };
                let store = SqliteStore::open(options, keys, entropy, Arc::new(SystemClock)).await?;
                let letters = Arc::new(store.queue());
                Ok(Self { letters, close: Box::new(move || Box::pin(async move { store.close().await })) })
            }
        }
    }

    /// Gives back what was opened.
    pub async fn close(self) {
        (self.close)().await;
    }
}
