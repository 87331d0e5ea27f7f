//! SQLite's errors in the words of the ports.

use std::error::Error;

use kurir_core::port::PortError;

/// How operators know it.
pub(super) const SYSTEM: &str = "SQLite";

/// Why a statement or a piece of work failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// SQLite said so.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// What was read makes no sense.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Failure {
    /// The same, said of what was being done.
    pub(super) fn during(self, action: &'static str) -> PortError {
        match self {
            Self::Sql(error) => sql(action, error),
            Self::Port(error) => error,
        }
    }

    /// Whether the transaction around it may be gone with it, so that nothing else can be done in there. After an
    /// error of the disk SQLite rolls back by itself.
    pub(super) fn breaks_transaction(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => !matches!(primary(&**error), Some(code::CONSTRAINT)),
            Self::Sql(_) => true,
            Self::Port(_) => false,
        }
    }
}

/// SQLite's result codes as far as kurir tells them apart (sqlite.org/rescode.html).
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const NOMEM: u32 = 7;
    pub(super) const INTERRUPT: u32 = 9;
    pub(super) const IOERR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANTOPEN: u32 = 14;
    pub(super) const CONSTRAINT: u32 = 19;
    pub(super) const NOTADB: u32 = 26;
}

/// The primary result code: the low byte of the extended one, which is what the driver gives.
fn primary(error: &dyn sqlx::error::DatabaseError) -> Option<u32> {
    error.code()?.parse::<u32>().ok().map(|extended| extended & 0xff)
}

/// An error of the driver while `action` was being done.
pub(super) fn sql(action: &'static str, error: sqlx::Error) -> PortError {
    let refused = |source: Box<dyn Error + Send + Sync>| PortError::Refused { system: SYSTEM, action, source };
    match error {
        sqlx::Error::PoolClosed => PortError::Closed(SYSTEM),
        sqlx::Error::Database(error) => match primary(&*error) {
            Some(
                code::BUSY | code::LOCKED | code::NOMEM | code::INTERRUPT | code::IOERR | code::FULL | code::CANTOPEN,
            ) => PortError::Unavailable { system: SYSTEM, action, source: error.into_error() },
            Some(code::CORRUPT | code::NOTADB) => {
                PortError::Corrupt { system: SYSTEM, what: "the database file".into(), source: error.into_error() }
            }
            _ => refused(error.into_error()),
        },
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            PortError::Unavailable { system: SYSTEM, action, source: error.into() }
        }
        sqlx::Error::ColumnDecode { ref index, .. } => {
            let what = format!("column {index}");
            PortError::Corrupt { system: SYSTEM, what, source: error.into() }
        }
        other => refused(other.into()),
    }
}

/// What is stored as `what` was not written by kurir.
pub(super) fn corrupt(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> PortError {
    PortError::Corrupt { system: SYSTEM, what: what.into(), source: source.into() }
}
