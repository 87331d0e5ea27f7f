//! All ports for a tool that works beside the processes which serve.

use anyhow::ensure;

use super::backends::Backends;
use super::fleet::Needs;
use super::keys::Missing;
use crate::adapters::sqlite::Access;
use crate::config::{Config, Role, StoreKind};

/// Who may hold sessions while the tool works, and what tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holders {
    /// Workers of a fleet: their leases tell.
    Fleet,
    /// The process that has the same SQLite file: its leases are in its memory, the owners in the records tell.
    Beside,
    /// Nobody: the tool has the file alone.
    Nobody,
}

/// The ports, and who else uses them.
pub struct ToolBackends {
    /// The ports.
    pub backends: Backends,
    /// Who may hold sessions.
    pub holders: Holders,
}

impl ToolBackends {
    /// Opens the servers of the fleet, or the SQLite file, also where another process has it.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        match config.store.kind {
            StoreKind::Postgres => {
                config.require_for(Role::Worker)?;
                let backends = Backends::fleet(config, "tool", &[], Needs::Redis).await?;
                Ok(Self { backends, holders: Holders::Fleet })
            }
            StoreKind::Sqlite => {
                config.require_for(Role::Tool)?;
                let path = &config.sqlite.path;
                ensure!(path.exists(), "there is no database {} (sqlite.path)", path.display());
                let (backends, beside) = Backends::on_file(config, Missing::Refuse, Access::Beside).await?;
                Ok(Self { backends, holders: if beside { Holders::Beside } else { Holders::Nobody } })
            }
        }
    }
}
