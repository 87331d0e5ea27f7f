//! What the benchmark compares kurir with: one WhatsApp client and nothing around it.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use kurir_core::domain::{Fence, SessionId, WorkerName};
use kurir_core::memory::{MemoryStores, SystemClock};
use kurir_core::port::{Clock, Connection, Created, NewSession, SessionStore as _, StateStore};

use super::parts;
use crate::config::Config;

/// Starts an unlinked client whose state lies in this process's memory: no queue, no ledger, no database.
pub async fn bare_client(config: &Config) -> anyhow::Result<Connection> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stores = Arc::new(MemoryStores::new(Arc::clone(&clock)));
    let session = SessionId::new("bare")?;
    let new = NewSession::new(session.clone(), config.fleet.tenant.clone(), clock.now());
    let Created::New(_) = stores.create(new).await? else { bail!("a new store has a session already") };
    let claimed =
        stores.claim(&session, &WorkerName::new("bare")?).await?.context("a session that was created is gone")?;
    let messenger = parts::messenger_over(config, stores as Arc<dyn StateStore>, clock)?;
    Ok(messenger.open(Fence { session, epoch: claimed.epoch }).await?)
}
