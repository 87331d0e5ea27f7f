//! The errors of the ports.

use std::error::Error;

/// Why a port could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The system behind it can't be reached or did not answer in time. Asking again may help; whether the request
    /// was carried out is unknown.
    #[error("{system} did not answer while {action}")]
    Unavailable {
        /// Which system, in the words of an operator: `PostgreSQL`, `RabbitMQ`, …
        system: &'static str,
        /// What was being done.
        action: &'static str,
        /// The vendor's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system answered that it can't be done; asking again gives the same answer.
    #[error("{system} refused {action}")]
    Refused {
        /// Which system.
        system: &'static str,
        /// What was refused.
        action: &'static str,
        /// The vendor's error.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is stored can't be read: sealed with an unknown key, or not written by kurir.
    #[error("{what} in {system} can't be read")]
    Corrupt {
        /// Which system.
        system: &'static str,
        /// Which value, without its content.
        what: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The connection or stream was closed by us or by a stop.
    #[error("{0} is closed")]
    Closed(&'static str),
}

impl PortError {
    /// Whether asking again may help.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Closed(_))
    }

    /// The error with all of its sources in one line, for logs.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
