//! The producer of a run: every job is published until it is confirmed, whatever breaks meanwhile.

use std::sync::Arc;
use std::time::Duration;

use kurir::adapters::rabbitmq::{RabbitMq, RabbitOptions};
use kurir_core::domain::{JobId, JobKey, Lane, MessageId, PoolId, SessionId, Target, TenantId, Timestamp};
use kurir_core::memory::{SeededEntropy, SystemClock};
use kurir_core::policy::Backoff;
use kurir_core::port::{Clock as _, Enqueued, Entropy as _, JobHeaders, JobQueue as _, PublishJob};
use kurir_core::wire::JOB_KIND;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::http::Client;
use crate::link::Link;
use crate::plan::{Dice, Plan};

/// Jobs whose confirms are waited for at a time.
const IN_FLIGHT: usize = 500;

/// A job that the broker has confirmed.
pub struct Published {
    pub key: JobKey,
    pub message: MessageId,
    /// The recipient's number, which no other job has.
    pub phone: String,
    pub lane: Lane,
    pub of_pool: bool,
}

pub struct Load {
    task: JoinHandle<Vec<Published>>,
    _link: Link,
}

/// A job before its moment.
struct Drawn {
    id: Uuid,
    target: Target,
    lane: Lane,
    life: Duration,
}

impl Load {
    /// Begins to publish the plan's jobs, at their pace.
    pub async fn start(plan: &Plan, fleet: &Fleet) -> Self {
        let (link, url) = fleet.broker().await;
        let reconnect = Backoff { base: Duration::from_millis(20), max: Duration::from_millis(500) };
        let options = RabbitOptions { reconnect, publish_timeout: Duration::from_secs(5), ..RabbitOptions::new(url) };
        let producer = Producer {
            rabbit: Arc::new(RabbitMq::connect(options).await.unwrap()),
            sim: fleet.world.sim.clone(),
            tenant: TenantId::new(&fleet.world.tenant).unwrap(),
            numbers: u32::from_str_radix(&fleet.world.tag, 16).unwrap() % 900,
        };
        let jobs = draw(plan, fleet);
        Self { task: tokio::spawn(producer.run(jobs, plan.every)), _link: link }
    }

    /// Waits until the last job is confirmed.
    pub async fn finish(self) -> Vec<Published> {
        self.task.await.unwrap()
    }
}

fn draw(plan: &Plan, fleet: &Fleet) -> Vec<Drawn> {
    let (dice, ids) = (Dice::new(plan.seed ^ 0x6a6f_6273), SeededEntropy::new(plan.seed ^ 0x6964_7321));
    // The tag keeps the ids of two runs with one seed apart.
    let tag = u128::from_str_radix(&fleet.world.tag, 16).unwrap() << 90;
    let jobs = (0..plan.jobs).map(|_| {
        let target = if dice.below(10) < 3 {
            Target::Pool(PoolId::new(&fleet.pools[dice.below(fleet.pools.len())]).unwrap())
        } else {
            Target::Session(SessionId::new(fleet.world.session(dice.below(plan.sessions))).unwrap())
        };
        let lane = if dice.below(10) < 4 { Lane::Otp } else { Lane::Bulk };
        let life = Duration::from_secs(match lane {
            Lane::Otp => 30 + dice.below(90) as u64,
            Lane::Bulk => 1800,
        });
        Drawn { id: Uuid::from_u128(ids.nonce() ^ tag), target, lane, life }
    });
    jobs.collect()
}

#[derive(Clone)]
struct Producer {
    rabbit: Arc<RabbitMq>,
    sim: Client,
    tenant: TenantId,
    numbers: u32,
}

impl Producer {
    async fn run(self, jobs: Vec<Drawn>, every: Duration) -> Vec<Published> {
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut timer = tokio::time::interval(every);
        let mut tasks = JoinSet::new();
        for (at, job) in jobs.into_iter().enumerate() {
            timer.tick().await;
            let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
            let producer = self.clone();
            tasks.spawn(async move {
                let published = producer.publish(at, job).await;
                drop(slot);
                published
            });
        }
        let published = tasks.join_all().await;
        self.rabbit.close().await;
        published
    }

    async fn publish(&self, at: usize, drawn: Drawn) -> Published {
        let key = JobKey::new(self.tenant.clone(), JobId::new(drawn.id));
        let message = MessageId::derive(&key);
        let deadline = SystemClock.now().plus(drawn.life);
        // Who keeps the truth must know it before anybody can send it.
        let (status, answer) = self.sim.post("/deadlines", json!({ message.as_str(): deadline.as_millis() })).await;
        assert_eq!(status, 200, "{answer}");
        let job = self.job(at, &drawn, deadline);
        loop {
            match self.rabbit.publish(vec![job.clone()]).await.as_deref() {
                Ok([Enqueued::Accepted]) => break,
                Ok(answer) => panic!("job {at} for {}: {answer:?}", drawn.target.routing_key(drawn.lane)),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await, // tidy: the broker is away [sleep]
            }
        }
        let phone = self.phone(at);
        Published { key, message, phone, lane: drawn.lane, of_pool: matches!(drawn.target, Target::Pool(_)) }
    }

    fn phone(&self, at: usize) -> String {
        format!("62813{:03}{at:06}", self.numbers)
    }

    fn job(&self, at: usize, drawn: &Drawn, deadline: Timestamp) -> PublishJob {
        let content = match drawn.lane {
            Lane::Otp => json!({"type": "otp", "code": format!("{at:06}")}),
            Lane::Bulk => json!({"type": "text", "text": format!("message {at}")}),
        };
        let mut body = json!({
            "id": drawn.id,
            "tenant": self.tenant.as_str(),
            "to": format!("+{}", self.phone(at)),
            "lane": drawn.lane.as_str(),
            "content": content,
            "expires_at": deadline.to_rfc3339(),
        });
        match &drawn.target {
            Target::Session(id) => body["session"] = json!(id.as_str()),
            Target::Pool(id) => body["pool"] = json!(id.as_str()),
        }
        PublishJob {
            target: drawn.target.clone(),
            lane: drawn.lane,
            body: serde_json::to_vec(&body).unwrap(),
            headers: JobHeaders {
                kind: JOB_KIND.into(),
                message_id: Some(drawn.id.to_string()),
                ..JobHeaders::default()
            },
        }
    }
}
