//! The job queues' last part: pools, of whose jobs several sessions take their share, and jobs that change their queue.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::fixture;
use super::jobs::{Queues, full_headers, next, nothing, own, take, text};
use super::suite::{SOON, eventually};
use crate::domain::{Lane, PoolId, Target};
use crate::port::{Delivery, Enqueued, JobHeaders, JobStream, PublishJob, Settled, Share};

/// Delays are counted in steps, the smallest of which is a second.
const DELAY: Duration = Duration::from_millis(1100);

impl Queues {
    /// A pool whose queues are declared.
    async fn pool(&self) -> PoolId {
        let id = PoolId::new(fixture::session().as_str()).unwrap();
        self.pools.declare_pool(&id).await.unwrap();
        id
    }

    async fn fill(&self, pool: &PoolId, lane: Lane, bodies: impl IntoIterator<Item = String>) {
        let job = |body: String| PublishJob {
            target: pool.into(),
            lane,
            body: body.into_bytes(),
            headers: JobHeaders { kind: "kurir.job.v1".into(), ..JobHeaders::default() },
        };
        let answers = self.jobs.publish(bodies.into_iter().map(job).collect()).await.unwrap();
        assert!(answers.iter().all(|answer| *answer == Enqueued::Accepted), "{answers:?}");
    }

    async fn share(&self, pool: &PoolId, window: u16, priority: u8) -> Box<dyn JobStream> {
        self.pools.subscribe_pool(pool, Lane::Otp, Share { window, priority }).await.unwrap()
    }
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| n.to_string())
}

/// Takes jobs until there was none for a while.
async fn all(stream: &mut Box<dyn JobStream>) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while let Ok(delivery) = timeout(super::suite::QUIET, stream.next()).await {
        taken.push(delivery.unwrap().expect("the stream is open"));
    }
    taken
}

pub(super) async fn a_pools_jobs_are_shared_by_all_who_have_room(queues: Queues) {
    let pool = queues.pool().await;
    let (mut one, mut two) = (queues.share(&pool, 3, 1).await, queues.share(&pool, 3, 1).await);
    queues.fill(&pool, Lane::Otp, numbered(10)).await;
    let (mut ones, mut twos) = (all(&mut one).await, all(&mut two).await);
    assert_eq!((ones.len(), twos.len()), (3, 3), "each as many as its window has room for");
    let first = ones.remove(0);
    assert_eq!(first.target, Target::from(&pool));
    assert_eq!(first.settle.ack().await.unwrap(), Settled::Yes);
    let seventh = next(&mut one).await;
    nothing(&mut two, "its window is full").await;
    let mut bodies: Vec<String> = ones.iter().chain(&twos).chain([&seventh]).map(|job| text(job).to_owned()).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 6, "each job is handed out once: {bodies:?}");
    for delivery in ones.into_iter().chain(twos.drain(..)).chain([seventh]) {
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
    eventually("the rest", SOON, async || {
        (queues.pools.pool_depth(&pool, Lane::Otp).await.unwrap() <= 3).then_some(())
    })
    .await;
}

pub(super) async fn who_has_the_higher_priority_is_served_first(queues: Queues) {
    let pool = queues.pool().await;
    let (mut low, mut high) = (queues.share(&pool, 4, 3).await, queues.share(&pool, 2, 9).await);
    for body in numbered(2) {
        let both = async { tokio::join!(take(&mut high, &body), nothing(&mut low, "the other has room")) };
        tokio::join!(both, queues.fill(&pool, Lane::Otp, [body.clone()]));
    }
    queues.fill(&pool, Lane::Otp, numbered(3)).await;
    let held = (next(&mut high).await, next(&mut high).await);
    take(&mut low, "2").await;
    drop(high);
    drop(held);
    let mut again = vec![next(&mut low).await, next(&mut low).await];
    again.sort_by(|one, other| text(one).cmp(text(other)));
    assert_eq!(again.iter().map(text).collect::<Vec<_>>(), ["0", "1"], "what it held goes to the other");
    for delivery in again {
        assert_eq!(delivery.settle.ack().await.unwrap(), Settled::Yes);
    }
}

pub(super) async fn a_pools_lanes_and_names_are_apart(queues: Queues) {
    let (pool, session) = (queues.pool().await, queues.session().await);
    let same_name = PoolId::new(session.as_str()).unwrap();
    queues.pools.declare_pool(&same_name).await.unwrap();
    queues.pools.declare_pool(&same_name).await.unwrap();
    queues.fill(&pool, Lane::Bulk, ["bulk".into()]).await;
    queues.fill(&same_name, Lane::Otp, ["of the pool".into()]).await;
    queues.put(&session, Lane::Otp, &["of the session"]).await;
    let mut of_session = queues.stream(&session, Lane::Otp, 5).await;
    take(&mut of_session, "of the session").await;
    let mut of_pool = queues.share(&same_name, 5, 0).await;
    take(&mut of_pool, "of the pool").await;
    let mut otp = queues.share(&pool, 5, 0).await;
    nothing(&mut otp, "it stands in the other lane").await;
    queues.pools.remove_pool(&same_name).await.unwrap();
    let job = PublishJob { target: (&same_name).into(), lane: Lane::Otp, body: vec![], headers: JobHeaders::default() };
    assert_eq!(queues.jobs.publish(vec![job]).await.unwrap(), [Enqueued::NoSuchTarget]);
}

pub(super) async fn a_job_is_passed_to_another_target_and_back(queues: Queues) {
    let (pool, session) = (queues.pool().await, queues.session().await);
    let body = format!("passed around by {session}");
    queues.fill(&pool, Lane::Otp, [body.clone()]).await;
    let mut shared = queues.share(&pool, 1, 0).await;
    let mut pinned = queues.stream(&session, Lane::Otp, 1).await;
    let mut headers = full_headers(1);
    for (from, to, back) in [(&mut shared, Target::from(&session), false), (&mut pinned, Target::from(&pool), true)] {
        let delivery = next(from).await;
        assert_eq!((text(&delivery), back), (body.as_str(), delivery.headers.attempt == 1));
        headers.hop += 1;
        let since = Instant::now();
        assert_eq!(delivery.settle.pass(&to, DELAY, headers.clone()).await.unwrap(), Settled::Yes);
        assert!(since.elapsed() < SOON);
        nothing(from, "it went to another queue").await;
    }
    let delivery = next(&mut shared).await;
    assert_eq!((own(&delivery.headers), text(&delivery)), (own(&headers), body.as_str()));
    assert_eq!(delivery.target, Target::from(&pool));
    assert_eq!(delivery.settle.pass(&(&session).into(), Duration::ZERO, headers).await.unwrap(), Settled::Yes);
    take(&mut pinned, &body).await;
}

pub(super) async fn an_unknown_pool_can_not_be_read(queues: Queues) {
    let unknown = PoolId::new(fixture::session().as_str()).unwrap();
    let share = Share { window: 1, priority: 0 };
    let Err(error) = queues.pools.subscribe_pool(&unknown, Lane::Otp, share).await else { panic!("subscribed") };
    assert!(!error.to_string().is_empty());
    queues.pools.declare_pool(&unknown).await.unwrap();
    queues.pools.subscribe_pool(&unknown, Lane::Otp, share).await.expect("it is declared now");
}
