//! Reading dead letters.

use async_trait::async_trait;
use kurir_core::contract::DeadLetterProbe;
use kurir_core::domain::FailReason;
use kurir_core::port::DeadLetter;
use lapin::message::Delivery;
use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel};

use kurir::adapters::rabbitmq::topology;

use crate::servers::raw_channel;

/// Sees every dead letter from its making on, in a queue of its own, so that tests take nothing away from each other.
pub struct DeadLetters {
    channel: Channel,
    queue: ShortString,
}

impl DeadLetters {
    /// Needs the topology.
    pub async fn watch() -> Self {
        let channel = raw_channel().await;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(ShortString::default(), options, FieldTable::default()).await.unwrap();
        let name = queue.name().clone();
        let (bind, none) = (QueueBindOptions::default(), FieldTable::default());
        channel.queue_bind(name.clone(), topology::DEAD_EXCHANGE.into(), "".into(), bind, none).await.unwrap();
        Self { channel, queue: name }
    }

    pub async fn take(&self) -> Option<Delivery> {
        let options = BasicGetOptions { no_ack: true };
        Some(self.channel.basic_get(self.queue.clone(), options).await.unwrap()?.delivery)
    }
}

pub fn header(properties: &BasicProperties, name: &str) -> Option<String> {
    let text = properties.headers().as_ref()?.inner().get(name)?.as_long_string()?.as_bytes();
    Some(String::from_utf8(text.to_vec()).unwrap())
}

#[async_trait]
impl DeadLetterProbe for DeadLetters {
    async fn read(&self) -> Vec<(Vec<u8>, DeadLetter)> {
        let mut letters = Vec::new();
        while let Some(delivery) = self.take().await {
            // A letter without a reason is none of kurir's own: the broker has moved it.
            let Some(reason) = header(&delivery.properties, "kurir-reason") else { continue };
            let reason = FailReason::parse(&reason).unwrap_or_else(|| panic!("{reason:?} is no reason"));
            let detail = header(&delivery.properties, "kurir-detail").unwrap_or_default();
            letters.push((delivery.data, DeadLetter { reason, detail }));
        }
        letters
    }
}
