//! What the fleet told: all its events, kept by the broker in a queue of our own until the run is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use kurir_core::domain::Timestamp;
use kurir_core::wire::EventV1;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;

use crate::fleet::Fleet;

/// When nothing came for so long, nothing more is on its way: relays look several times a second.
const QUIET: Duration = Duration::from_secs(8);

/// The events of a run.
#[derive(Default)]
pub struct Told {
    /// By job: its events' types, and the ids under which each was told.
    pub jobs: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// How many copies of events came beyond the first.
    pub repeated: usize,
    /// When each session was told to be connected.
    pub connected: BTreeMap<String, Vec<Timestamp>>,
}

fn queue(fleet: &Fleet) -> String {
    format!("chaos.{}", fleet.world.tag)
}

/// Begins to keep the events of the fleet's tenant.
pub async fn listen(fleet: &Fleet) {
    let (_link, url) = fleet.broker().await;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue(fleet).into(), durable, arguments).await.unwrap();
    let key = format!("{}.#", fleet.world.tenant);
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(queue(fleet).into(), "kurir.events".into(), key.into(), options, none).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
}

/// Takes out all that was told.
pub async fn collect(fleet: &Fleet) -> Told {
    let (_link, url) = fleet.broker().await;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut told = Told::default();
    channel.basic_qos(1000, BasicQosOptions::default()).await.unwrap();
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut consumer = channel.basic_consume(queue(fleet).into(), "chaos".into(), options, none).await.unwrap();
    while let Ok(Some(message)) = tokio::time::timeout(QUIET, consumer.next()).await {
        let message = message.unwrap();
        told.take(&message.data);
        message.acker.ack(BasicAckOptions::default()).await.unwrap();
    }
    connection.close(200, "bye".into()).await.unwrap();
    told
}

impl Told {
    fn take(&mut self, body: &[u8]) {
        let event: EventV1<Value> = serde_json::from_slice(body).unwrap();
        if event.kind.starts_with("message.") && event.kind != "message.received" {
            let kinds = self.jobs.entry(event.subject).or_default();
            let new = kinds.entry(event.kind).or_default().insert(event.id.to_string());
            self.repeated += usize::from(!new);
        } else if event.kind == "session.connected"
            && let (Some(session), Some(at)) = (event.session, Timestamp::parse_rfc3339(&event.time))
        {
            self.connected.entry(session).or_default().push(at);
        }
    }
}
