//! The in-process queues, with faults on demand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kurir_core::domain::{Lane, PoolId, SessionId};
use kurir_core::memory::MemoryJobQueue;
use kurir_core::port::{
    Clock, DeadFilter, DeadId, DeadJob, DeadLetters, Enqueued, JobQueue, JobStream, PoolQueue, PortError, PublishJob,
    Retried, Share,
};
use tokio::sync::Semaphore;

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    Nothing,
    /// No queue is known, and declaring makes none.
    NoTarget,
    /// Nothing is taken and nothing answered.
    Down,
    /// Jobs are taken and a worker moves on with them, but the answer is lost; the callback is the worker.
    AnswerLost(Callback),
    /// Publishing takes until a permit is given.
    Slow(Arc<Semaphore>),
    /// Nobody is told how much waits: the question is never answered.
    Mute,
}

#[derive(Clone)]
pub struct Callback(pub Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback")
    }
}

pub struct FaultyQueue {
    inner: MemoryJobQueue,
    fault: Mutex<Fault>,
    pub publishing: AtomicUsize,
    /// How often the dead letters were looked through.
    pub looks: AtomicUsize,
}

impl FaultyQueue {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let fault = Mutex::new(Fault::Nothing);
        Self { inner: MemoryJobQueue::new(clock), fault, publishing: AtomicUsize::new(0), looks: AtomicUsize::new(0) }
    }

    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn up(&self, action: &'static str) -> Result<(), PortError> {
        if matches!(self.fault(), Fault::Down) { Err(down(action)) } else { Ok(()) }
    }

    fn fault(&self) -> Fault {
        self.fault.lock().unwrap().clone()
    }
}

fn down(action: &'static str) -> PortError {
    PortError::Unavailable { system: "the queue", action, source: "switched off by the test".into() }
}

#[async_trait]
impl JobQueue for FaultyQueue {
    async fn declare(&self, session: &SessionId) -> Result<(), PortError> {
        match self.fault() {
            Fault::Down => Err(down("declaring")),
            Fault::NoTarget => Ok(()),
            _ => self.inner.declare(session).await,
        }
    }

    async fn remove(&self, session: &SessionId) -> Result<(), PortError> {
        self.inner.remove(session).await
    }

    async fn publish(&self, jobs: Vec<PublishJob>) -> Result<Vec<Enqueued>, PortError> {
        self.publishing.fetch_add(1, Ordering::SeqCst);
        match self.fault() {
            Fault::Nothing | Fault::Mute => self.inner.publish(jobs).await,
            Fault::NoTarget => Ok(vec![Enqueued::NoSuchTarget; jobs.len()]),
            Fault::Down => Err(down("publishing")),
            Fault::AnswerLost(Callback(worker)) => {
                self.inner.publish(jobs).await?;
                worker();
                Err(down("publishing"))
            }
            Fault::Slow(permits) => {
                let permit = permits.acquire().await;
                permit.expect("the test keeps the semaphore open").forget();
                self.inner.publish(jobs).await
            }
        }
    }

    async fn subscribe(&self, session: &SessionId, lane: Lane, window: u16) -> Result<Box<dyn JobStream>, PortError> {
        self.inner.subscribe(session, lane, window).await
    }

    async fn depth(&self, session: &SessionId, lane: Lane) -> Result<u64, PortError> {
        if matches!(self.fault(), Fault::Mute) {
            std::future::pending::<()>().await;
        }
        self.inner.depth(session, lane).await
    }
}

#[async_trait]
impl PoolQueue for FaultyQueue {
    async fn declare_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        match self.fault() {
            Fault::Down => Err(down("declaring")),
            Fault::NoTarget => Ok(()),
            _ => self.inner.declare_pool(pool).await,
        }
    }

    async fn remove_pool(&self, pool: &PoolId) -> Result<(), PortError> {
        self.inner.remove_pool(pool).await
    }

    async fn subscribe_pool(&self, pool: &PoolId, lane: Lane, share: Share) -> Result<Box<dyn JobStream>, PortError> {
        self.inner.subscribe_pool(pool, lane, share).await
    }

    async fn pool_depth(&self, pool: &PoolId, lane: Lane) -> Result<u64, PortError> {
        if matches!(self.fault(), Fault::Mute) {
            std::future::pending::<()>().await;
        }
        self.inner.pool_depth(pool, lane).await
    }
}

#[async_trait]
impl DeadLetters for FaultyQueue {
    async fn list(&self, which: &DeadFilter, after: Option<&DeadId>, limit: u32) -> Result<Vec<DeadJob>, PortError> {
        self.up("reading the dead letters")?;
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.list(which, after, limit).await
    }

    async fn retry(&self, which: &DeadFilter) -> Result<Vec<(DeadId, Retried)>, PortError> {
        self.up("trying dead letters again")?;
        self.inner.retry(which).await
    }

    async fn discard(&self, which: &DeadFilter) -> Result<Vec<DeadId>, PortError> {
        self.up("discarding dead letters")?;
        self.inner.discard(which).await
    }
}
