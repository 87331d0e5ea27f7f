//! `kurir sessions export|import|change-id`: sessions as a whole, in the store, while the fleet runs.
//!
//! A linked session is a set of keys that move with every message. Two connections that use the same set damage it, so there is
//! one rule here: whoever takes a session out or calls it otherwise owns it meanwhile, by its epoch, as a worker would.

mod change_id;
mod export;
mod file;
mod hold;
mod import;
mod known;
mod leftovers;
mod passphrase;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use kurir_core::domain::{SessionId, TenantId};

use super::remote::span;
use crate::compose::ToolBackends;
use crate::config::Config;

/// What can be done with sessions as a whole.
#[derive(Debug, Subcommand)]
pub enum Transfer {
    /// Writes a session with its credentials and keys into a sealed file. On the store, beside a fleet that runs.
    Export {
        /// The session.
        session: SessionId,
        /// The file; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Stop it first, and leave it stopped: for a session that goes on elsewhere.
        #[arg(long)]
        stop: bool,
        /// Then remove it here, without logging it out: the file has the only copy.
        #[arg(long)]
        remove: bool,
        /// Copy it as it is, running: a backup, for the case that this store is lost. With every message it grows older.
        #[arg(long, conflicts_with_all = ["stop", "remove"])]
        copy: bool,
        /// A file with the passphrase; without it KURIR_PASSPHRASE, or a question.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// How long its worker may take to let go of it.
        #[arg(long, value_name = "SPAN", value_parser = span, default_value = "60s")]
        patience: Duration,
    },
    /// Enters the session of a file that `export` wrote; no scan is needed. On the store, beside a fleet that runs.
    Import {
        /// The file.
        file: PathBuf,
        /// Its id here; the one it had without this.
        #[arg(long)]
        id: Option<SessionId>,
        /// Whose it is here; whose it was without this.
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Start it. Only when it runs nowhere else.
        #[arg(long)]
        start: bool,
        /// In the place of a session of this id, which must be stopped.
        #[arg(long)]
        replace: bool,
        /// A file with the passphrase; without it KURIR_PASSPHRASE, or a question.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Gives a session another id; it stays linked, and its waiting messages go with it. (What people call it is changed by
    /// `rename`.) Called again after an interruption, it goes on.
    ChangeId {
        /// Its id.
        old: SessionId,
        /// Its id from now on.
        new: SessionId,
        /// Start it afterwards, also if it is stopped.
        #[arg(long)]
        start: bool,
        /// Wait so long for messages that are delayed or under way.
        #[arg(long, value_name = "SPAN", value_parser = span, default_value = "0s")]
        wait: Duration,
        /// How long its worker may take to let go of it.
        #[arg(long, value_name = "SPAN", value_parser = span, default_value = "60s")]
        patience: Duration,
    },
}

/// Does it, in the store of this configuration.
pub async fn run(asked: Transfer, config: &Config) -> anyhow::Result<()> {
    let tool = ToolBackends::open(config).await?;
    let done = match asked {
        Transfer::Export { session, out, stop, remove, copy, passphrase_file, patience } => {
            let how = export::How { stop, remove, copy, patience };
            export::run(&tool, &session, &out, passphrase_file.as_deref(), how).await
        }
        Transfer::Import { file, id, tenant, start, replace, passphrase_file } => {
            let how = import::How { id, tenant, start, replace };
            import::run(&tool, &file, passphrase_file.as_deref(), &how).await
        }
        Transfer::ChangeId { old, new, start, wait, patience } => {
            change_id::run(&tool, &old, &new, change_id::How { start, wait, patience }).await
        }
    };
    tool.backends.close().await;
    done
}
