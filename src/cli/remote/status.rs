//! How the tools end. The numbers are documented; scripts go by them.

use std::process::ExitCode;

use crate::client::ClientError;
use crate::config::ConfigError;

/// The exit statuses of the tools that speak to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Something failed on this side.
    Failed = 1,
    /// The command line or the settings are wrong.
    Usage = 2,
    /// The gateway refused; its words say why.
    Refused = 3,
    /// The gateway can't be reached, or can't do it now: trying again later may help.
    Unreachable = 4,
    /// It was taken, but a message did not come as far as it was to.
    NotDelivered = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// A mistake on the command line that only shows when it is carried out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The status of an error.
pub fn status_of(error: &anyhow::Error) -> Status {
    if error.downcast_ref::<Usage>().is_some() || error.downcast_ref::<ConfigError>().is_some() {
        return Status::Usage;
    }
    match error.downcast_ref::<ClientError>() {
        None | Some(ClientError::Tls(_)) => Status::Failed,
        Some(ClientError::BadUrl(_) | ClientError::BadKey) => Status::Usage,
        Some(error) if error.is_transient() => Status::Unreachable,
        Some(ClientError::Unreachable { .. } | ClientError::NotKurir { .. }) => Status::Unreachable,
        Some(ClientError::Problem(_) | ClientError::NoSuchRoute(_)) => Status::Refused,
    }
}
