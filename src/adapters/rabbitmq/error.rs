//! What can go wrong with the broker.

use std::sync::Arc;
use std::time::Duration;

use kurir_core::port::PortError;
use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

/// Why RabbitMQ did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RabbitError {
    /// The client's or the broker's own words.
    #[error(transparent)]
    Amqp(#[from] lapin::Error),
    /// The configured URL can't be used. The URL is not repeated, since it holds the password.
    #[error("the URL is no AMQP URL (amqp://user:password@host:port/vhost)")]
    Url,
    /// There is no connection now; the words tell why.
    #[error("there is no connection: {0}")]
    Down(Arc<str>),
    /// No answer in time. Whether it was done is unknown.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The broker is short of memory or disk and reads nothing from publishing connections.
    #[error("the broker has blocked publishing (its memory or disk alarm is on)")]
    Blocked,
    /// The broker answered that it could not store a message.
    #[error("the broker could not store the message (basic.nack)")]
    Nacked,
    /// A message that must arrive was returned.
    #[error("no queue is bound to exchange {0}")]
    Unroutable(String),
    /// The broker ended a consumer.
    #[error("the broker ended the consumer: its queue was removed or has moved")]
    ConsumerEnded,
    /// The adapter was closed.
    #[error("the connection was closed by us")]
    Closed,
}

impl RabbitError {
    /// As the ports' error.
    pub(super) fn during(self, action: &'static str) -> PortError {
        if matches!(self, Self::Closed) {
            return PortError::Closed("RabbitMQ");
        }
        let system = "RabbitMQ";
        if self.is_final() {
            PortError::Refused { system, action, source: Box::new(self) }
        } else {
            PortError::Unavailable { system, action, source: Box::new(self) }
        }
    }

    /// Whether asking again gives the same answer.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Self::Url => true,
            Self::Amqp(error) => match error.kind() {
                ErrorKind::ProtocolError(told) => match told.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
                    | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => true,
                    // A classic queue whose node is down is told as not found, too; that one comes back.
                    AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => !told.get_message().as_str().contains("down"),
                    AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => false,
                },
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether kurir's user may not do it.
    pub(super) fn lacks_rights(&self) -> bool {
        matches!(self, Self::Amqp(error) if matches!(error.kind(), ErrorKind::ProtocolError(told)
            if matches!(told.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED))))
    }

    /// Whether something of the topology is missing, so that it should be declared again.
    pub(super) fn lacks_topology(&self) -> bool {
        match self {
            Self::Unroutable(_) => true,
            Self::Amqp(error) => matches!(error.kind(), ErrorKind::ProtocolError(told)
                if matches!(told.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))),
            _ => false,
        }
    }
}
