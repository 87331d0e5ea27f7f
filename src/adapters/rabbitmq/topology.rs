//! The exchanges and queues of contract v1, declared in one place. Declaring again changes nothing.
//!
//! Only arguments that can't change are declared. Limits (`delivery-limit`, `max-length`, `dead-letter-strategy`) are
//! policies of the broker, so that an operator can change them without removing a queue.

use kurir_core::domain::{Lane, Target};
use kurir_core::policy::DELAY_STEPS;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::QueueKind;

/// Where producers put jobs. It has no alternate exchange, so that a `mandatory` job for an unknown session is
/// returned to its producer.
pub const JOBS: &str = "kurir.jobs";
/// Where events are told.
pub const EVENTS: &str = "kurir.events";
/// Where the owners of sessions are called, by the sessions' ids. Internal to the fleet.
pub const CALLS: &str = "kurir.calls";
/// Where jobs come back to when their delay is over.
pub const REQUEUE: &str = "kurir.requeue";
/// Where jobs go that can't be processed.
pub const DEAD_EXCHANGE: &str = "kurir.dlx";
/// Where dead letters wait for a human.
pub const DEAD_QUEUE: &str = "kurir.dead";

/// Where every event waits for the relays, which keep the log of events.
pub const LOG_QUEUE: &str = "kurir.log";

/// The name of a delay step's exchange and queue. A step has an exchange of its own, because a message must enter the
/// delay under its original routing key: that key is what leads it back to its session's queue.
pub fn delay_name(step: std::time::Duration) -> String {
    format!("kurir.delay.{}", step.as_millis())
}

/// The queue of a lane of one session or pool.
pub fn lane_queue(target: &Target, lane: Lane) -> String {
    format!("kurir.{}", target.routing_key(lane))
}

/// Declares what the whole fleet shares. Called on every new connection: a broker may have been replaced meanwhile.
///
/// The delay queues and the dead letters are quorum queues whatever the session queues are: a job waits in them for up
/// to 6 hours, so they must survive a node, and there are only a dozen of them. So is the log's
/// queue: while no relay runs it has what nobody else has any more.
pub(super) async fn declare_fleet(channel: &Channel) -> lapin::Result<()> {
    exchange(channel, DEAD_EXCHANGE, ExchangeKind::Fanout, FieldTable::default()).await?;
    queue(channel, DEAD_QUEUE, durable(QueueKind::Quorum)).await?;
    bind(channel, DEAD_QUEUE, DEAD_EXCHANGE, "").await?;

    exchange(channel, JOBS, ExchangeKind::Direct, FieldTable::default()).await?;
    exchange(channel, EVENTS, ExchangeKind::Topic, FieldTable::default()).await?;
    // No alternate exchange: a call that no owner hears comes back to its caller.
    exchange(channel, CALLS, ExchangeKind::Direct, FieldTable::default()).await?;
    queue(channel, LOG_QUEUE, durable(QueueKind::Quorum)).await?;
    bind(channel, LOG_QUEUE, EVENTS, "#").await?;
    // A job whose session was removed while it waited must not vanish.
    let mut or_dead = FieldTable::default();
    or_dead.insert("alternate-exchange".into(), text(DEAD_EXCHANGE));
    exchange(channel, REQUEUE, ExchangeKind::Direct, or_dead).await?;

    for step in DELAY_STEPS {
        let name = delay_name(step);
        let mut arguments = durable(QueueKind::Quorum);
        let ttl = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl));
        // No `x-dead-letter-routing-key`: the original key stays.
        arguments.insert("x-dead-letter-exchange".into(), text(REQUEUE));
        exchange(channel, &name, ExchangeKind::Fanout, FieldTable::default()).await?;
        queue(channel, &name, arguments).await?;
        bind(channel, &name, &name, "").await?;
    }
    Ok(())
}

/// Declares the two queues of a session or a pool. A session's have one active consumer at a time.
///
/// What the broker itself takes out of them goes to the dead letters: RabbitMQ 4 drops a message from a quorum queue
/// after 20 deliveries by default, and a consumer that lost its connection as often would lose the job otherwise.
pub(super) async fn declare_lanes(channel: &Channel, target: &Target, kind: QueueKind) -> lapin::Result<()> {
    for lane in Lane::ALL {
        let (name, key) = (lane_queue(target, lane), target.routing_key(lane));
        let mut arguments = durable(kind);
        if matches!(target, Target::Session(_)) {
            arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        arguments.insert("x-dead-letter-exchange".into(), text(DEAD_EXCHANGE));
        queue(channel, &name, arguments).await?;
        bind(channel, &name, JOBS, &key).await?;
        bind(channel, &name, REQUEUE, &key).await?;
    }
    Ok(())
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn durable(kind: QueueKind) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text(kind.as_str()));
    arguments
}

async fn exchange(channel: &Channel, name: &str, kind: ExchangeKind, arguments: FieldTable) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, arguments).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> lapin::Result<()> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, arguments).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> lapin::Result<()> {
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue.into(), exchange.into(), key.into(), options, none).await
}

#[cfg(test)]
mod tests {
    use kurir_core::domain::{PoolId, SessionId};

    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let session = Target::from(&SessionId::new("acme-1").unwrap());
        assert_eq!(session.routing_key(Lane::Otp), "s.acme-1.otp");
        assert_eq!(lane_queue(&session, Lane::Bulk), "kurir.s.acme-1.bulk");
        let pool = Target::from(&PoolId::new("acme").unwrap());
        assert_eq!(lane_queue(&pool, Lane::Otp), "kurir.p.acme.otp");
        assert_eq!(delay_name(DELAY_STEPS[11]), "kurir.delay.21600000");
    }
}
