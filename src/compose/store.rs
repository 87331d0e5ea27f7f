//! The store for the tools that look into it: nothing else is opened.

use std::sync::Arc;

use anyhow::Context as _;
use kurir_core::memory::{SystemClock, SystemEntropy};
use kurir_core::port::{Clock, Entropy, KeyStore, SessionStore, UserStore};

use super::backends::Close;
use super::fleet;
use super::keys::{Missing, keyring};
use crate::adapters::postgres::PostgresStore;
use crate::adapters::sqlite::{Access, SqliteOptions, SqliteStore};
use crate::config::{Config, Role, StoreKind};
use crate::gateway::admin::UserDesk;
use crate::gateway::usecase::KeyDesk;

/// The store of this configuration.
pub struct OpenStore {
    /// The register of sessions.
    pub sessions: Arc<dyn SessionStore>,
    keys: Arc<dyn KeyStore>,
    users: Arc<dyn UserStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    close: Close,
}

impl OpenStore {
    /// Opens it: PostgreSQL, or the SQLite file, also beside the process that has it.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        config.require_for(Role::Tool)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let ring = keyring(&config.store, Missing::Refuse, &*entropy)?;
        match config.store.kind {
            StoreKind::Postgres => {
                let store = PostgresStore::connect(fleet::postgres(config), ring, Arc::clone(&entropy))
                    .await
                    .context("PostgreSQL (postgres.url) can't be used")?;
                let shared = Arc::new(store.clone());
                let close: Close = Box::new(move || Box::pin(async move { store.close().await }));
                Ok(Self { sessions: shared.clone(), keys: shared.clone(), users: shared, clock, entropy, close })
            }
            StoreKind::Sqlite => {
                let path = config.sqlite.path.clone();
                anyhow::ensure!(path.exists(), "there is no database {} (sqlite.path)", path.display());
                let busy_timeout = config.sqlite.busy_timeout;
                let options = SqliteOptions { busy_timeout, access: Access::Beside, ..SqliteOptions::new(path) };
                let store = SqliteStore::open(options, ring, Arc::clone(&entropy), Arc::clone(&clock)).await?;
                let shared = Arc::new(store.clone());
                let close: Close = Box::new(move || Box::pin(async move { store.close().await }));
                Ok(Self { sessions: shared.clone(), keys: shared.clone(), users: shared, clock, entropy, close })
            }
        }
    }

    /// The desk at which keys are made and ended.
    pub fn key_desk(&self) -> KeyDesk {
        let (register, clock, entropy) = (Arc::clone(&self.keys), Arc::clone(&self.clock), Arc::clone(&self.entropy));
        KeyDesk { register, clock, entropy }
    }

    /// The desk at which users of the admin page are entered.
    pub fn user_desk(&self) -> UserDesk {
        UserDesk::new(Arc::clone(&self.users), Arc::clone(&self.clock), Arc::clone(&self.entropy))
    }

    /// Gives back what was opened.
    pub async fn close(self) {
        (self.close)().await;
    }
}
