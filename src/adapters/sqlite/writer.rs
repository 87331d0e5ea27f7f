//! The one connection that writes, and the commits that writes share.

use std::fs::File;

use futures_util::future::BoxFuture;
use kurir_core::port::PortError;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::error::{Failure, SYSTEM};

/// How many calls share a commit at most: no call waits for more than this many others to be carried out.
const GROUP: usize = 128;

/// How many calls may wait for their turn before callers have to wait with handing theirs in.
const WAITING: usize = 1024;

/// Hands writes to the connection.
pub(super) struct Writer {
    calls: mpsc::Sender<Box<dyn Call>>,
}

/// The receiving end, for [`run`].
pub(super) type Calls = mpsc::Receiver<Box<dyn Call>>;

impl Writer {
    pub(super) fn new() -> (Self, Calls) {
        let (calls, waiting) = mpsc::channel(WAITING);
        (Self { calls }, waiting)
    }

    /// Carries out `work` in a transaction and answers once it is durable. It happens whole or not at all; others may
    /// share the commit. Dropping the future does not stop work that was handed in.
    pub(super) async fn write<T, F>(&self, action: &'static str, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Failure>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let call = Write { action, work: Some(work), result: None, answer };
        self.calls.send(Box::new(call)).await.map_err(|_| PortError::Closed(SYSTEM))?;
        answered.await.unwrap_or(Err(PortError::Closed(SYSTEM)))
    }
}

/// A write of any type.
pub(super) trait Call: Send {
    /// Does the work, inside of a transaction.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Ran>;

    /// Answers; the commit is over.
    fn finish(self: Box<Self>, committed: Result<(), &str>);
}

/// How the work of one call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Good,
    /// Its own writes must be undone.
    Failed,
    /// The transaction is lost.
    Broken,
}

struct Write<T, F> {
    action: &'static str,
    work: Option<F>,
    result: Option<Result<T, PortError>>,
    answer: oneshot::Sender<Result<T, PortError>>,
}

impl<T, F> Call for Write<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T, Failure>> + Send + 'static,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Ran> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return Ran::Good };
            match work(connection).await {
                Ok(value) => {
                    self.result = Some(Ok(value));
                    Ran::Good
                }
                Err(failure) => {
                    let broken = failure.breaks_transaction();
                    self.result = Some(Err(failure.during(self.action)));
                    if broken { Ran::Broken } else { Ran::Failed }
                }
            }
        })
    }

    fn finish(self: Box<Self>, committed: Result<(), &str>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (value, Err(reason)) => {
                // What the work brought is dropped here, after the transaction is over: claims go back to their queue.
                drop(value);
                Err(PortError::Unavailable { system: SYSTEM, action: self.action, source: reason.to_owned().into() })
            }
            (None, Ok(())) => Err(PortError::Closed(SYSTEM)),
        };
        // Nobody there to hear it: the caller has gone, the write stands all the same.
        let _ = self.answer.send(result);
    }
}

/// Carries out writes until `stop` and what was handed in before it, or until every [`Writer`] is gone. The lock on
/// the file is given back after the connection has been closed.
pub(super) async fn run(
    mut connection: SqliteConnection,
    mut calls: Calls,
    stop: CancellationToken,
    lock: Option<File>,
) {
    let mut stopping = false;
    loop {
        let mut group = Vec::new();
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                calls.close();
                continue;
            }
            count = calls.recv_many(&mut group, GROUP) => {
                if count == 0 {
                    break;
                }
            }
        }
        let committed = commit(&mut connection, &mut group).await.map_err(|failure| failure.to_string());
        for call in group {
            call.finish(committed.as_ref().copied().map_err(String::as_str));
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the database could not be closed cleanly; the next start recovers what is in its log");
    }
    drop(lock);
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum GroupError {
    #[error("a write that shared the transaction failed")]
    Broken,
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}

async fn commit(connection: &mut SqliteConnection, group: &mut [Box<dyn Call>]) -> Result<(), GroupError> {
    let done = in_transaction(connection, group).await;
    if done.is_err() {
        // SQLite may have rolled back by itself; then this is an error of no interest.
        let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    }
    done
}

async fn in_transaction(connection: &mut SqliteConnection, group: &mut [Box<dyn Call>]) -> Result<(), GroupError> {
    // Immediate: a transaction that reads first and then wants to write could be refused in the middle.
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    for call in group {
        sqlx::query("SAVEPOINT call").execute(&mut *connection).await?;
        match call.run(connection).await {
            Ran::Good => {}
            Ran::Failed => {
                sqlx::query("ROLLBACK TO call").execute(&mut *connection).await?;
            }
            Ran::Broken => return Err(GroupError::Broken),
        }
        sqlx::query("RELEASE call").execute(&mut *connection).await?;
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use kurir_core::port::PortError;

    use super::*;

    async fn insert(connection: &mut SqliteConnection, n: i64) -> Result<i64, Failure> {
        sqlx::query("INSERT INTO t (n) VALUES (?1)").bind(n).execute(connection).await?;
        Ok(n)
    }

    #[tokio::test]
    async fn a_failed_call_is_undone_and_leaves_its_group_alone() {
        let folder = tempfile::tempdir().unwrap();
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("db")).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("CREATE TABLE t (n INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();

        let (writer, calls) = Writer::new();
        let good = writer.write("one", |connection| Box::pin(insert(connection, 1)));
        let refused = writer.write("two", |connection| {
            Box::pin(async move {
                insert(connection, 2).await?;
                insert(connection, 1).await
            })
        });
        let given_up = writer.write("three", |connection| {
            Box::pin(async move {
                insert(connection, 3).await?;
                Err::<(), _>(Failure::Port(PortError::Closed("it")))
            })
        });
        let last = writer.write("four", |connection| Box::pin(insert(connection, 4)));
        let stop = CancellationToken::new();
        let lock = Some(File::create(folder.path().join("lock")).unwrap());
        // All are handed in before the writer looks for the first time, so they are one group.
        let run = run(connection, calls, stop.clone(), lock);
        let answers = async {
            let answers = tokio::join!(good, refused, given_up, last);
            stop.cancel();
            answers
        };
        let ((good, refused, given_up, last), ()) = tokio::join!(answers, run);
        assert_eq!((good.unwrap(), last.unwrap()), (1, 4));
        assert!(matches!(refused, Err(PortError::Refused { action: "two", .. })), "{refused:?}");
        assert!(matches!(given_up, Err(PortError::Closed("it"))), "{given_up:?}");

        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let left: Vec<i64> = sqlx::query_scalar("SELECT n FROM t ORDER BY n").fetch_all(&mut connection).await.unwrap();
        assert_eq!(left, [1, 4]);
        let late = writer.write("late", |connection| Box::pin(insert(connection, 5))).await;
        assert!(matches!(late, Err(PortError::Closed(_))), "{late:?}");
    }
}
