//! A producer that goes on whatever happens: what was not confirmed it publishes again under the same id.

use std::time::Duration;

use kurir::adapters::rabbitmq::{RabbitMq, RabbitOptions};
use kurir_core::domain::{JobId, JobKey, Lane, MessageId, SessionId, Target, TenantId};
use kurir_core::memory::SystemClock;
use kurir_core::policy::Backoff;
use kurir_core::port::{Clock as _, Enqueued, JobHeaders, JobQueue as _, PublishJob};
use kurir_core::wire::JOB_KIND;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fleet::{Fleet, PATIENCE};

/// Between two jobs.
const EVERY: Duration = Duration::from_millis(80);

/// What is published can wait for the end of all trouble.
const LIFE: Duration = Duration::from_mins(15);

/// A job that the broker has confirmed.
pub struct Published {
    pub key: JobKey,
    pub message: MessageId,
}

/// A producer at work.
pub struct Load {
    stop: CancellationToken,
    count: watch::Receiver<usize>,
    task: JoinHandle<Vec<Published>>,
}

impl Load {
    /// Starts to publish to all sessions of the fleet, OTPs and bulk jobs in turn, each to a number of its own. So many
    /// numbers have been used before.
    pub async fn start(fleet: &Fleet, before: usize) -> Self {
        let reconnect = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(500) };
        let publish_timeout = Duration::from_secs(3);
        let url = fleet.world.environment["KURIR_RABBITMQ__URL"].clone();
        let options = RabbitOptions { reconnect, publish_timeout, ..RabbitOptions::new(url) };
        let rabbit = RabbitMq::connect(options).await.unwrap();
        let (tell, count) = watch::channel(0);
        let stop = CancellationToken::new();
        let producer = Producer {
            rabbit,
            tenant: TenantId::new(&fleet.world.tenant).unwrap(),
            sessions: fleet.sessions.iter().map(|session| SessionId::new(session).unwrap()).collect(),
            numbers: u64::from(u32::from_str_radix(&fleet.world.tag, 16).unwrap() % 90_000),
            before,
            tell,
            stop: stop.clone(),
        };
        Self { stop, count, task: tokio::spawn(producer.run()) }
    }

    /// How many were confirmed so far.
    pub fn so_far(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until so many more were confirmed.
    pub async fn more(&self, jobs: usize) {
        let until = self.so_far() + jobs;
        let mut count = self.count.clone();
        let reached = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= until)).await;
        assert!(reached.is_ok(), "the producer comes to {} jobs, not to {until}", self.so_far());
    }

    /// Ends it, once the job at hand is confirmed.
    pub async fn finish(self) -> Vec<Published> {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.expect("the last job is confirmed").unwrap()
    }
}

struct Producer {
    rabbit: RabbitMq,
    tenant: TenantId,
    sessions: Vec<SessionId>,
    numbers: u64,
    before: usize,
    tell: watch::Sender<usize>,
    stop: CancellationToken,
}

impl Producer {
    async fn run(self) -> Vec<Published> {
        let mut published = Vec::new();
        let mut timer = tokio::time::interval(EVERY);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.stop.is_cancelled() {
            timer.tick().await;
            let at = self.before + published.len();
            let id = Uuid::now_v7();
            let job = self.job(at, id);
            while !matches!(self.rabbit.publish(vec![job.clone()]).await.as_deref(), Ok([Enqueued::Accepted])) {
                timer.tick().await;
            }
            let key = JobKey::new(self.tenant.clone(), JobId::new(id));
            published.push(Published { message: MessageId::derive(&key), key });
            self.tell.send_replace(published.len());
        }
        self.rabbit.close().await;
        published
    }

    fn job(&self, at: usize, id: Uuid) -> PublishJob {
        let session = self.sessions[at % self.sessions.len()].clone();
        let lane = if (at / self.sessions.len()).is_multiple_of(2) { Lane::Otp } else { Lane::Bulk };
        let now = SystemClock.now();
        let body = json!({
            "id": id,
            "tenant": self.tenant.as_str(),
            "session": session.as_str(),
            "to": format!("+62813{:05}{:05}", self.numbers, at),
            "lane": lane.as_str(),
            "content": {"type": "text", "text": format!("message {at}")},
            "expires_at": now.plus(LIFE).to_rfc3339(),
        });
        PublishJob {
            target: Target::Session(session),
            lane,
            body: serde_json::to_vec(&body).unwrap(),
            headers: JobHeaders { kind: JOB_KIND.into(), message_id: Some(id.to_string()), ..JobHeaders::default() },
        }
    }
}
