//! A pool that goes.

use std::time::Duration;

use kurir_core::domain::{Lane, PoolId, Target};
use kurir_core::port::{DeadFilter, DeadLetters as _, JobQueue as _, PoolQueue as _, PublishJob, Settled, Share};

use super::{Place, job, next};

/// A gateway lets a pool go in which nothing waits, and does not see what was put off.
#[tokio::test]
async fn what_was_put_off_in_a_pool_that_goes_is_a_dead_letter() {
    let place = Place::new();
    let queue = place.open().await.queue();
    let pool = PoolId::new("senders").unwrap();
    queue.declare_pool(&pool).await.unwrap();
    queue.publish(vec![PublishJob { target: Target::Pool(pool.clone()), ..job("later") }]).await.unwrap();
    let mut stream = queue.subscribe_pool(&pool, Lane::Otp, Share { window: 1, priority: 0 }).await.unwrap();
    let delivery = next(&mut stream).await;
    let headers = delivery.headers.clone();
    assert_eq!(delivery.settle.park(Duration::from_hours(1), headers).await.unwrap(), Settled::Yes);
    drop(stream);
    assert_eq!(queue.pool_depth(&pool, Lane::Otp).await.unwrap(), 0);

    queue.remove_pool(&pool).await.unwrap();
    let letters = queue.list(&DeadFilter::default(), None, 10).await.unwrap();
    let [letter] = letters.as_slice() else { panic!("{} letters", letters.len()) };
    assert_eq!((letter.body.as_slice(), letter.reason.as_str()), (b"later".as_slice(), "wrong_target"));
}
