//! Group commit: while one commit is on its way, what comes next gathers and goes with the following one. Commits are
//! the dearest step of a job, and many sessions share one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use kurir_core::domain::{Fence, SessionId, Timestamp};
use kurir_core::port::{PortError, StateBatch, StateKey, StateStore, Written};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::refused::Refused;

type Commit<W, R> =
    Box<dyn Fn(Vec<W>) -> Pin<Box<dyn Future<Output = Result<Vec<R>, PortError>> + Send>> + Send + Sync>;
type Waiting<W, R> = (W, oneshot::Sender<Result<R, Arc<PortError>>>);

/// The error of a commit that several callers shared.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.chain())]
struct SharedFailure(Arc<PortError>);

/// The entrance to a group of writes. Cloning gives another entrance; the writing task ends when the last is dropped
/// and all that was handed in is written.
pub(crate) struct Group<W, R> {
    queue: mpsc::Sender<Waiting<W, R>>,
    name: &'static str,
}

impl<W, R> Clone for Group<W, R> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), name: self.name }
    }
}

impl<W: Clone + Send + Sync + 'static, R: Send + 'static> Group<W, R> {
    /// Starts the writing task. `commit` carries out many writes at once and answers in their order; at most `most`
    /// go into one commit.
    pub(crate) fn start<F, Fut>(name: &'static str, most: usize, commit: F) -> Self
    where
        F: Fn(Vec<W>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<R>, PortError>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(most * 2);
        let commit: Commit<W, R> = Box::new(move |writes| Box::pin(commit(writes)));
        tokio::spawn(run(waiting, most, commit));
        Self { queue, name }
    }

    /// Writes and waits until it is durable.
    pub(crate) async fn write(&self, write: W) -> Result<R, PortError> {
        self.begin(write).await
    }

    /// Hands a write in at once, so that writes are carried out in the order of these calls as long as the queue has
    /// room; what is returned waits until it is durable.
    pub(crate) fn begin(&self, write: W) -> impl Future<Output = Result<R, PortError>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        let handed_in = self.queue.try_send((write, answer));
        let (queue, name) = (self.queue.clone(), self.name);
        async move {
            match handed_in {
                Ok(()) => {}
                Err(TrySendError::Full(waiting)) => {
                    queue.send(waiting).await.map_err(|_| PortError::Closed(name))?;
                }
                Err(TrySendError::Closed(_)) => return Err(PortError::Closed(name)),
            }
            match answered.await {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(shared)) => Err(unshare(&shared)),
                Err(_) => Err(PortError::Closed(name)),
            }
        }
    }
}

fn unshare(shared: &Arc<PortError>) -> PortError {
    let source = Box::new(SharedFailure(Arc::clone(shared)));
    match **shared {
        PortError::Unavailable { system, action, .. } => PortError::Unavailable { system, action, source },
        PortError::Refused { system, action, .. } => PortError::Refused { system, action, source },
        PortError::Corrupt { system, ref what, .. } => PortError::Corrupt { system, what: what.clone(), source },
        PortError::Closed(name) => PortError::Closed(name),
    }
}

async fn run<W: Clone + Send + 'static, R: Send + 'static>(
    mut waiting: mpsc::Receiver<Waiting<W, R>>,
    most: usize,
    commit: Commit<W, R>,
) {
    let mut batch = Vec::with_capacity(most);
    while waiting.recv_many(&mut batch, most).await > 0 {
        let (writes, answers): (Vec<W>, Vec<_>) = batch.drain(..).unzip();
        let alone = writes.len() == 1;
        match commit(writes.clone()).await {
            Ok(done) if done.len() == answers.len() => {
                for (answer, done) in answers.into_iter().zip(done) {
                    // Whoever asked may have gone; the write is done all the same.
                    let _ = answer.send(Ok(done));
                }
            }
            // One write that is refused must not take the others down with it.
            Err(error) if !error.is_transient() && !alone => {
                for (write, answer) in writes.into_iter().zip(answers) {
                    let _ = answer.send(single(&commit, write).await.map_err(Arc::new));
                }
            }
            Ok(_) => fail(answers, PortError::Closed("a store that answered out of step")),
            Err(error) => fail(answers, error),
        }
    }
}

async fn single<W, R>(commit: &Commit<W, R>, write: W) -> Result<R, PortError> {
    commit(vec![write]).await?.pop().ok_or(PortError::Closed("a store that answered out of step"))
}

fn fail<R>(answers: Vec<oneshot::Sender<Result<R, Arc<PortError>>>>, error: PortError) {
    let error = Arc::new(error);
    for answer in answers {
        let _ = answer.send(Err(Arc::clone(&error)));
    }
}

/// A store of Signal state whose writes share commits over all sessions of a process.
pub struct GroupedState {
    inner: Arc<dyn StateStore>,
    writes: Group<(Fence, StateBatch), Written>,
}

/// Most batches in one commit; each holds a handful of rows.
const MOST_BATCHES: usize = 128;

impl GroupedState {
    /// Wraps a store; refused writes are counted. Must be called within a tokio runtime; the writing task ends with the
    /// last use.
    pub fn new(inner: Arc<dyn StateStore>, refused: Refused) -> Self {
        let store = Arc::clone(&inner);
        let writes = Group::start("the group commit of Signal state", MOST_BATCHES, move |batches| {
            let (store, refused) = (Arc::clone(&store), refused.clone());
            async move { store.apply(batches).await.inspect(|written| refused.note(written)) }
        });
        Self { inner, writes }
    }
}

#[async_trait]
impl StateStore for GroupedState {
    async fn get(&self, session: &SessionId, keys: &[StateKey]) -> Result<Vec<Option<Bytes>>, PortError> {
        self.inner.get(session, keys).await
    }

    async fn scan(&self, session: &SessionId, area: &str, prefix: &str) -> Result<Vec<(String, Bytes)>, PortError> {
        self.inner.scan(session, area, prefix).await
    }

    async fn apply(&self, batches: Vec<(Fence, StateBatch)>) -> Result<Vec<Written>, PortError> {
        let mut answers = Vec::with_capacity(batches.len());
        for batch in batches {
            answers.push(self.writes.write(batch).await?);
        }
        Ok(answers)
    }

    async fn delete_expired(&self, fence: &Fence, area: &str, now: Timestamp) -> Result<u64, PortError> {
        self.inner.delete_expired(fence, area, now).await
    }

    async fn wipe(&self, fence: &Fence) -> Result<Written, PortError> {
        self.inner.wipe(fence).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_comes_during_a_commit_shares_the_next_one() {
        let gate = Arc::new(Semaphore::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let group = {
            let (gate, sizes) = (Arc::clone(&gate), Arc::clone(&sizes));
            Group::start("test", 8, move |writes: Vec<u32>| {
                let (gate, sizes) = (Arc::clone(&gate), Arc::clone(&sizes));
                async move {
                    sizes.lock().unwrap().push(writes.len());
                    gate.acquire().await.unwrap().forget();
                    Ok(writes.into_iter().map(|n| n * 2).collect())
                }
            })
        };
        let mut tasks: Vec<_> = Vec::new();
        for n in 0..6 {
            let entrance = group.clone();
            tasks.push(tokio::spawn(async move { entrance.write(n).await.unwrap() }));
            // All tasks run on this thread: yielding lets the first commit begin before the others come.
            tokio::task::yield_now().await;
        }
        gate.add_permits(8);
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap() as usize, n * 2);
        }
        let sizes = sizes.lock().unwrap().clone();
        assert_eq!(sizes.iter().sum::<usize>(), 6);
        assert!(sizes.len() < 6, "{sizes:?}");
    }

    #[tokio::test]
    async fn a_refused_write_does_not_take_the_others_down() {
        let group = Group::start("test", 8, |writes: Vec<u32>| async move {
            if writes.contains(&3) {
                let source = "three".into();
                return Err(PortError::Refused { system: "test", action: "writing", source });
            }
            Ok(writes)
        });
        let all = (1..5).map(|n| {
            let group = group.clone();
            tokio::spawn(async move { group.write(n).await })
        });
        let answers = futures_util::future::join_all(all).await;
        let ok: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().is_ok()).collect();
        assert_eq!(ok, [true, true, false, true]);
    }
}
