//! The open database.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::domain::{Keyring, Timestamp};
use kurir_core::port::{Clock, Entropy, PortError};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::Failure;
use super::events::{SqliteEvents, Tail};
use super::lanes::Lanes;
use super::open::{OpenError, SqliteOptions, prepare};
use super::queue::SqliteQueue;
use super::sealer::Sealer;
use super::writer::Writer;
use super::{schema, writer};

/// How long a read waits for one of the reading connections.
const ACQUIRE: Duration = Duration::from_secs(10);

/// What all ports on one file share.
pub(super) struct Database {
    pub(super) readers: SqlitePool,
    pub(super) writer: Writer,
    pub(super) sealer: Sealer,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) tail: Tail,
    pub(super) events_kept: i64,
    pub(super) dead_letters_kept: i64,
    /// Whether another process has the file.
    beside: bool,
    /// Ends streams and subscriptions, then the writer.
    pub(super) stop: CancellationToken,
    tasks: TaskTracker,
}

impl Database {
    /// Removes what is of before a moment, at most `limit` rows; tells how many. The statement takes the moment first.
    pub(super) async fn forget(
        &self,
        action: &'static str,
        statement: &'static str,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, PortError> {
        self.writer
            .write(action, move |connection| {
                Box::pin(async move {
                    let done = sqlx::query(statement).bind(before.as_millis()).bind(limit).execute(connection).await?;
                    Ok(done.rows_affected())
                })
            })
            .await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Whoever forgets to close must not leave the writer waiting; it commits what it has and ends.
        self.stop.cancel();
    }
}

/// What keeps a commit from being lost, as the writing connection reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `wal` is what kurir asks for.
    pub journal_mode: String,
    /// 2 is FULL: a commit returns when it is on the disk.
    pub synchronous: i64,
    /// Whether references between tables are enforced.
    pub foreign_keys: bool,
}

impl Durability {
    async fn of(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let journal_mode = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await?;
        let synchronous = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *connection).await?;
        let foreign_keys = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&mut *connection).await?;
        Ok(Self { journal_mode, synchronous, foreign_keys })
    }
}

/// The store on SQLite: sessions, Signal state, ledger and outbox. A clone is the same store.
#[derive(Clone)]
pub struct SqliteStore {
    pub(super) db: Arc<Database>,
}

impl SqliteStore {
    /// Opens the file, makes it if it is not there, and brings its tables to the newest version. Must be called on a
    /// Tokio runtime; a task of the store runs there until [`SqliteStore::close`].
    pub async fn open(
        options: SqliteOptions,
        keyring: Arc<Keyring>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let path = options.path.clone();
        let sql = |source| OpenError::Sql { path: path.clone(), source };

        let (preparing, access) = (options.path.clone(), options.access);
        let lock = tokio::task::spawn_blocking(move || prepare(&preparing, access))
            .await
            .map_err(|error| OpenError::Io { path: path.clone(), source: std::io::Error::other(error) })??;

        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true)
            .disable_statement_logging();
        let mut connection = connect
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .connect()
            .await
            .map_err(sql)?;
        let durability = Durability::of(&mut connection).await.map_err(sql)?;
        if durability.journal_mode != "wal" || durability.synchronous != 2 || !durability.foreign_keys {
            return Err(OpenError::NotDurable { path, found: format!("{durability:?}") });
        }
        if lock.is_some() {
            schema::migrate(&mut connection, &options.path).await?;
        } else {
            schema::check(&mut connection, &options.path).await?;
        }
        let beside = lock.is_none();
        let tail = Tail::read(&mut connection).await.map_err(sql)?;

        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers.max(1))
            .acquire_timeout(ACQUIRE)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.read_only(true))
            .await
            .map_err(sql)?;

        let (writer, calls) = Writer::new();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(writer::run(connection, calls, stop.clone(), lock));
        tasks.close();
        let db = Database {
            readers,
            writer,
            sealer: Sealer::new(keyring, entropy),
            clock,
            lanes: Arc::default(),
            tail,
            events_kept: i64::from(options.events_kept),
            dead_letters_kept: i64::from(options.dead_letters_kept),
            beside,
            stop,
            tasks,
        };
        Ok(Self { db: Arc::new(db) })
    }

    /// The job queues in the same file. Every call gives a handle on the same queues.
    pub fn queue(&self) -> SqliteQueue {
        SqliteQueue { db: self.db.clone() }
    }

    /// The events in the same file. Every call gives a handle on the same events.
    pub fn events(&self) -> SqliteEvents {
        SqliteEvents { db: self.db.clone() }
    }

    /// Whether another process had the file when it was opened here (see [`super::Access::Beside`]).
    pub fn is_beside(&self) -> bool {
        self.db.beside
    }

    /// What the writing connection does for durability, for a check-up.
    pub async fn durability(&self) -> Result<Durability, PortError> {
        self.db
            .writer
            .write("asking for its settings", |connection| {
                Box::pin(async move { Durability::of(connection).await.map_err(Failure::Sql) })
            })
            .await
    }

    /// Ends streams and subscriptions, carries out the writes that were handed in, and closes the file: another
    /// process may open it when this returns. Calls that come later answer that it is closed. Closing again is no
    /// error.
    pub async fn close(&self) {
        self.db.stop.cancel();
        self.db.readers.close().await;
        self.db.tasks.wait().await;
    }
}
